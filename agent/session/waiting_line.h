#pragma once
// WaitingLine: who of those that wait for a place is next, and who may still join them. Pure: neither a clock nor a
// lock. Nobody's namespace can take the line from the others: neither by coming first nor by coming often.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "model/trace_session.h"

namespace skbtrail {

// Places of the line, as one namespace finds them.
struct LinePlaces {
  std::size_t most = 0;  // that there are
  std::size_t taken = 0;
  std::size_t own = 0;  // of `taken`, this namespace's

  std::size_t left() const { return most - (taken < most ? taken : most); }
};

// A namespace may have no more of the line than it leaves free: alone a half of it, as one of two a third, and so on,
// so that whoever comes later finds a place. Its first session only needs one that is free.
inline bool may_wait(const LinePlaces& places) {
  return places.left() > 0 && (places.own == 0 || places.own + 1 < places.left());
}

class WaitingLine final {
public:
  // `key` outlives the line; `number` counts those that came. The cluster's sessions are a namespace of their own.
  void add(const SessionKey& key, std::uint64_t number) { namespaces_[key.namespace_name].emplace(number, &key); }

  // Takes out the oldest session of the namespace that comes after `last` in a circle; null: nobody waits. `last` is
  // the one whose turn was before, if there was any.
  const SessionKey* take_after(const std::optional<std::string>& last);

private:
  std::map<std::string, std::map<std::uint64_t, const SessionKey*>> namespaces_;  // none is empty
};

}  // namespace skbtrail
