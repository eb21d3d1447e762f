#include "pods/interface_memory.h"

namespace skbtrail {

void InterfaceMemory::set(std::vector<Interface> present, std::chrono::steady_clock::time_point now) {
  std::map<Key, Interface> next;
  for (Interface& one : present) {
    const Key key{one.netns_inum, one.ifindex};
    gone_.erase(key);
    next.insert_or_assign(key, std::move(one));
  }
  for (auto& [key, one] : present_)
    if (one.link_ifindex != 0 && !next.contains(key) && gone_.size() < kMaxGone)
      gone_.insert_or_assign(key, Gone{.interface = std::move(one), .since = now});
  present_ = std::move(next);
  expire(now);
}

bool InterfaceMemory::expire(std::chrono::steady_clock::time_point now) {
  return std::erase_if(gone_, [&](const auto& entry) { return now - entry.second.since >= kKeep; }) > 0;
}

std::vector<Interface> InterfaceMemory::all() const {
  std::vector<Interface> all;
  all.reserve(present_.size() + gone_.size());
  for (const auto& [key, one] : present_)
    all.push_back(one);
  for (const auto& [key, gone] : gone_)
    all.push_back(gone.interface);
  return all;
}

}  // namespace skbtrail
