#pragma once
// LruMap: a map of at most `capacity` entries; one more pushes out the entry that was used longest ago.
// Entries live in one array, so a full map allocates nothing.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace skbtrail {

template <class Key, class Value, class Hash = std::hash<Key>>
class LruMap final {
public:
  // `capacity` is at least 1.
  explicit LruMap(std::size_t capacity) : capacity_(capacity), buckets_(bucket_count(capacity), kNone) {}

  std::size_t size() const { return entries_.size(); }

  // The value of `key`, which becomes the most recently used; null when it is not there.
  Value* find(const Key& key) {
    const Index index = lookup(key);
    if (index == kNone)
      return nullptr;
    move_to_front(index);
    return &entries_[index].value;
  }

  // Like find(), but puts Value{} there when it is missing; second: whether it was missing. A value that has to go
  // is handed to `evict` first.
  template <class Evict>
  std::pair<Value&, bool> find_or_insert(const Key& key, Evict&& evict) {
    if (Value* found = find(key))
      return {*found, false};
    return {insert(key, evict), true};
  }
  std::pair<Value&, bool> find_or_insert(const Key& key) {
    return find_or_insert(key, [](const Key&, Value&) {});
  }

  // From the entry used longest ago to the latest one.
  template <class Visit>
  void for_each(Visit&& visit) {
    for (Index index = oldest_; index != kNone; index = entries_[index].newer)
      visit(entries_[index].key, entries_[index].value);
  }

private:
  using Index = std::uint32_t;
  static constexpr Index kNone = UINT32_MAX;

  struct Entry {
    Key key;
    Value value;
    Index next_in_bucket;
    Index older;
    Index newer;
  };

  static std::size_t bucket_count(std::size_t capacity) {
    std::size_t count = 16;
    while (count < capacity)
      count *= 2;
    return count;
  }

  Index& bucket_of(const Key& key) { return buckets_[Hash{}(key) & (buckets_.size() - 1)]; }

  Index lookup(const Key& key) {
    Index index = bucket_of(key);
    while (index != kNone && !(entries_[index].key == key))
      index = entries_[index].next_in_bucket;
    return index;
  }

  template <class Evict>
  Value& insert(const Key& key, Evict&& evict) {
    Index index = oldest_;
    if (entries_.size() < capacity_) {
      index = static_cast<Index>(entries_.size());
      entries_.push_back({key, Value{}, kNone, kNone, kNone});
    } else {
      evict(std::as_const(entries_[index].key), entries_[index].value);
      unlink_from_bucket(index);
      unlink_from_order(index);
      entries_[index].key = key;
      entries_[index].value = Value{};
    }
    Index& bucket = bucket_of(key);
    entries_[index].next_in_bucket = std::exchange(bucket, index);
    link_as_newest(index);
    return entries_[index].value;
  }

  void move_to_front(Index index) {
    if (index == newest_)
      return;
    unlink_from_order(index);
    link_as_newest(index);
  }

  void unlink_from_bucket(Index index) {
    Index* link = &bucket_of(entries_[index].key);
    while (*link != index)
      link = &entries_[*link].next_in_bucket;
    *link = entries_[index].next_in_bucket;
  }

  void unlink_from_order(Index index) {
    const Entry& entry = entries_[index];
    (entry.older == kNone ? oldest_ : entries_[entry.older].newer) = entry.newer;
    (entry.newer == kNone ? newest_ : entries_[entry.newer].older) = entry.older;
  }

  void link_as_newest(Index index) {
    entries_[index].older = newest_;
    entries_[index].newer = kNone;
    (newest_ == kNone ? oldest_ : entries_[newest_].newer) = index;
    newest_ = index;
  }

  std::size_t capacity_;
  std::vector<Entry> entries_;
  std::vector<Index> buckets_;  // power of two; first entry of each chain
  Index oldest_ = kNone;
  Index newest_ = kNone;
};

}  // namespace skbtrail
