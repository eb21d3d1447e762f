#include "kernel/link_statistics.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "kernel/netlink_socket.h"

namespace skbtrail {
namespace {

std::vector<LossCounter> losses_of(const rtnl_link_stats64& stats) {
  return {{"rx_dropped", stats.rx_dropped},
          {"tx_dropped", stats.tx_dropped},
          {"rx_errors", stats.rx_errors},
          {"tx_errors", stats.tx_errors},
          {"rx_missed_errors", stats.rx_missed_errors},
          {"rx_over_errors", stats.rx_over_errors},
          {"rx_fifo_errors", stats.rx_fifo_errors},
          {"tx_fifo_errors", stats.tx_fifo_errors},
          {"tx_carrier_errors", stats.tx_carrier_errors},
          {"rx_nohandler", stats.rx_nohandler}};
}

void take_statistics(LinkStatistics& link, const nlattr* attribute) {
  rtnl_link_stats64 stats{};
  // Newer kernels know more counters than this header, older ones fewer.
  std::memcpy(&stats, mnl_attr_get_payload(attribute),
              std::min<std::size_t>(sizeof(stats), mnl_attr_get_payload_len(attribute)));
  link.rx_packets = stats.rx_packets;
  link.rx_bytes = stats.rx_bytes;
  link.tx_packets = stats.tx_packets;
  link.tx_bytes = stats.tx_bytes;
  link.losses = losses_of(stats);
}

int take_link_attribute(const nlattr* attribute, void* data) {
  auto& link = *static_cast<LinkStatistics*>(data);
  if (mnl_attr_get_type(attribute) == IFLA_IFNAME)
    link.name = text_of(attribute);
  else if (mnl_attr_get_type(attribute) == IFLA_STATS64)
    take_statistics(link, attribute);
  return MNL_CB_OK;
}

int take_link(const nlmsghdr* message, void* data) {
  if (message->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(message) < sizeof(ifinfomsg))
    return MNL_CB_OK;
  const auto* header = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
  auto& link = static_cast<std::vector<LinkStatistics>*>(data)->emplace_back();
  link.ifindex = static_cast<std::uint32_t>(header->ifi_index);
  return mnl_attr_parse(message, sizeof(*header), take_link_attribute, &link);
}

Result<> ask(const NetlinkSocket& socket) {
  std::array<char, 128> buffer{};
  nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
  request->nlmsg_type = RTM_GETLINK;
  request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request->nlmsg_seq = 1;
  mnl_nlmsg_put_extra_header(request, sizeof(ifinfomsg));
  if (mnl_socket_sendto(socket.get(), request, request->nlmsg_len) < 0) {
    const int err = errno;
    return fail(err, "ask rtnetlink for interfaces");
  }
  return {};
}

Result<std::vector<LinkStatistics>> read_once() {
  const NetlinkSocket socket{mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC)};
  if (const int err = errno; !socket)
    return fail(err, "open an rtnetlink socket");
  TRY(ask(socket));
  std::vector<LinkStatistics> links;
  std::vector<char> buffer(kNetlinkBufferBytes);
  for (int more = MNL_CB_OK; more > MNL_CB_STOP;) {
    const ssize_t got = mnl_socket_recvfrom(socket.get(), buffer.data(), buffer.size());
    if (got >= 0)
      more = mnl_cb_run(buffer.data(), static_cast<std::size_t>(got), 1, 0, take_link, &links);
    const int err = errno;
    if (got < 0 || more < 0)
      return fail(err, "read interfaces from rtnetlink");
  }
  return links;
}

}  // namespace

Result<std::vector<LinkStatistics>> read_link_statistics() {
  constexpr int kTries = 5;
  auto links = read_once();
  for (int tries = 1; tries < kTries && !links && links.error().code == EINTR; ++tries)
    links = read_once();
  return links;
}

}  // namespace skbtrail
