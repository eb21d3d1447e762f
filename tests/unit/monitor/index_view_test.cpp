#include "monitor/index_view.h"

#include <catch2/catch.hpp>

#include "monitor/drop_ledger.h"
#include "monitor/link_ledger.h"
#include "unit/pods/test_pods.h"

namespace skbtrail {
namespace {

constexpr std::uint32_t kWebNetns = kHostNetns + 100;
constexpr std::uint32_t kWebVeth = 12;

// A node with the pods web and api; web has a veth pair to the node.
std::shared_ptr<const PodIndex> two_pods() {
  const std::vector sandboxes{a_sandbox(a_pod("web"), kWebNetns), a_sandbox(a_pod("api"), kWebNetns + 1)};
  const std::vector interfaces{Interface{.netns_inum = kWebNetns,
                                         .ifindex = 2,
                                         .name = "eth0",
                                         .kind = "veth",
                                         .link_ifindex = kWebVeth,
                                         .link_netns_inum = kHostNetns},
                               Interface{.netns_inum = kHostNetns,
                                         .ifindex = kWebVeth,
                                         .name = "veth1",
                                         .kind = "veth",
                                         .link_ifindex = 2,
                                         .link_netns_inum = kWebNetns}};
  return build_pod_index(kHostNetns, sandboxes, interfaces, {});
}

TEST_CASE("pods exist by namespace and name") {
  const IndexView view{two_pods(), true};
  CHECK(view.exists("shop", "web"));
  CHECK(view.exists("shop", "api"));
  CHECK_FALSE(view.exists("shop", "wed"));
  CHECK_FALSE(view.exists("other", "web"));
  CHECK(view.count() == 2);
}

TEST_CASE("the statistics of the node's end of a pod's link are the pod's") {
  const IndexView view{two_pods(), true};
  SeriesBudget budget;
  LinkLedger ledger{kHostNetns, budget};
  const std::vector links{LinkStatistics{.ifindex = kWebVeth, .name = "veth1", .rx_packets = 5, .tx_packets = 7},
                          LinkStatistics{.ifindex = 1, .name = "lo", .rx_packets = 9, .tx_packets = 9}};
  ledger.take(links, view);
  std::map<LabelValues, std::uint64_t> packets;
  ledger.families()[1]->for_each([&](const LabelValues& labels, std::uint64_t value) { packets[labels] = value; });
  CHECK(packets ==
        std::map<LabelValues, std::uint64_t>{{{"shop", "web", "egress"}, 5}, {{"shop", "web", "ingress"}, 7}});
}

}  // namespace
}  // namespace skbtrail
