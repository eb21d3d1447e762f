#pragma once
// NetnsNames: what `ip netns` calls network namespaces, as it is now: names come and go while a trace runs.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "kernel/host_root.h"

namespace skbtrail {

// One thread.
class NetnsNames final {
public:
  // Of more namespaces than these the rest stays without a name.
  static constexpr std::size_t kMaxNames = 4096;
  // How old an answer may be: a name that is known, and that there is none.
  static constexpr std::uint64_t kNameFor = 1'000'000'000;
  static constexpr std::uint64_t kNoneFor = 100'000'000;

  explicit NetnsNames(HostRoot host) : host_(std::move(host)) {}

  // Empty: it has none. Of several names the first. Good until the next call; `now_ns` is CLOCK_MONOTONIC.
  std::string_view name_of(std::uint32_t inum, std::uint64_t now_ns);

private:
  void read();

  HostRoot host_;
  std::unordered_map<std::uint32_t, std::string> names_;
  std::uint64_t read_ns_ = 0;
  bool was_read_ = false;
};

}  // namespace skbtrail
