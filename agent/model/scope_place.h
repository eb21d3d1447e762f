#pragma once
// ScopePlace: where packets of a pod that was asked for are met.

#include <compare>
#include <cstdint>

namespace skbtrail {

// Values follow enum trace_place_kind.
enum class ScopeKind : std::uint8_t {
  Netns,      // all of a network namespace
  Interface,  // one interface in a network namespace: the host's end of a pod's link
  Cgroup,     // sockets of a cgroup2: pods of the host's network
};

struct ScopePlace {
  ScopeKind kind = ScopeKind::Netns;
  std::uint64_t id = 0;       // inum of the namespace, or the cgroup's id
  std::uint32_t ifindex = 0;  // ScopeKind::Interface only
  friend auto operator<=>(const ScopePlace&, const ScopePlace&) = default;
};

}  // namespace skbtrail
