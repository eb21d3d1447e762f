#pragma once
// GoneSince: how long names have been missing. Time is an argument.

#include <chrono>
#include <map>
#include <set>
#include <utility>

namespace skbtrail {

template <class Name>
class GoneSince final {
public:
  using TimePoint = std::chrono::steady_clock::time_point;

  explicit GoneSince(std::chrono::seconds grace) : grace_(grace) {}

  // Those of `names` that `exists` has denied for the whole of the grace. A name that is no longer asked about is
  // forgotten.
  template <class Exists>
  std::set<Name> missing(const std::set<Name>& names, const Exists& exists, TimePoint now) {
    std::map<Name, TimePoint> since;
    std::set<Name> gone;
    for (const Name& name : names) {
      if (exists(name))
        continue;
      const auto known = since_.find(name);
      const TimePoint first = known == since_.end() ? now : known->second;
      since.emplace(name, first);
      if (now - first >= grace_)
        gone.insert(name);
    }
    since_ = std::move(since);
    return gone;
  }

private:
  std::chrono::seconds grace_;
  std::map<Name, TimePoint> since_;
};

}  // namespace skbtrail
