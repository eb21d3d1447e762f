// Whatever rtnetlink says: no crash, and a link that is read has an index.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "pods/link_message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A copy of exactly this size: aligned as the kernel's are, and what is read behind its end is found.
  const auto* first = reinterpret_cast<const std::byte*>(data);
  const std::vector<std::byte> datagram(first, first + size);
  (void)skbtrail::read_netlink(datagram, [](const skbtrail::NetlinkMessage& message) {
    if (message.link && (message.link->ifindex == 0 || message.kind != skbtrail::NetlinkKind::Link))
      std::abort();
    if (message.kind == skbtrail::NetlinkKind::Failed && message.error <= 0)
      std::abort();
  });
  return 0;
}
