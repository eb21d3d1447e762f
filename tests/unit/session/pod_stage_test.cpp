#include "session/pod_stage.h"

#include <catch2/catch.hpp>
#include <string>

#include "decode/decoder.h"
#include "support/record_builder.h"

using namespace skbtrail;
using namespace skbtrail::test;

namespace {

constexpr std::uint32_t kHost = 4026531840;
constexpr std::uint32_t kPod = 4026532165;
constexpr std::uint64_t kMillisecond = 1'000'000;

constexpr std::uint32_t kUplink = 2;
constexpr std::uint32_t kPodLink = 7;

// The node's interfaces: an uplink, and one end of a wire, of which the kernel says where it leads or not.
std::vector<Interface> links_to(std::uint32_t inum) {
  return {{.netns_inum = kHost, .ifindex = kUplink, .name = "eno1"},
          {.netns_inum = kHost,
           .ifindex = kPodLink,
           .name = "veth1a",
           .kind = "veth",
           .link_ifindex = 3,
           .link_netns_inum = inum}};
}

std::shared_ptr<const PodIndex> index_with(std::uint32_t inum, const std::vector<Interface>& links = {},
                                           const std::vector<std::uint32_t>& awaited = {}) {
  Sandbox sandbox{.pod = std::make_shared<const Pod>(Pod{.namespace_name = "shop", .name = "web-0", .uid = "1"})};
  sandbox.id = "sandbox";
  sandbox.netns_inum = inum;
  sandbox.addresses = {{4, {10, 9, 0, 1}}};
  return build_pod_index(kHost, {&sandbox, 1}, links, {}, awaited);
}

RecordBuilder of_packet(std::uint64_t number, std::uint32_t netns) {
  auto record = a_record().in_netns(netns).with_tcp(40512, 80);
  record.raw.head += number * 4096;
  return record;
}

// A stage, and what came out of it: "packet:pod", pod "-" when it has none.
struct Bench {
  std::shared_ptr<const PodIndex> newest;
  PodStage stage{[this] { return newest; }, kHost};
  FakeSymbols symbols;
  FakeReasons reasons;
  Decoder decoder{symbols, reasons, 0};
  PacketEvent event;
  std::vector<std::string> out;

  void deliver(PacketEvent& one) {
    const auto number = (one.packet.head - 0xffff888105740000) / 4096;
    out.push_back(std::to_string(number) + ":" + (one.pod.pod ? one.pod.pod->name : "-"));
  }
  void hit(const RecordBuilder& record, std::uint64_t now_ns = 0) {
    const auto bytes = record.bytes();
    REQUIRE(decoder.decode(bytes, event));
    if (stage.admit(event, bytes, now_ns))
      deliver(event);
  }
  void release(std::uint64_t now_ns, PodStage::Patience patience = PodStage::Patience::Usual) {
    stage.refresh();
    REQUIRE(stage.release(patience, now_ns, event,
                          {.decode = [&](auto record, PacketEvent& one) { return decoder.decode(record, one); },
                           .deliver = [&](PacketEvent& one) { deliver(one); }}));
  }
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("an event of the host does not wait, also before there is an index") {
  Bench bench;
  bench.hit(of_packet(1, kHost));
  CHECK(bench.out == Lines{"1:-"});
  CHECK(bench.stage.is_empty());
}

TEST_CASE("an event without a namespace does not wait") {
  Bench bench;
  bench.hit(a_record());
  CHECK(bench.out == Lines{"0:-"});
}

TEST_CASE("an event of a known pod is named at once, with the pods of both addresses") {
  Bench bench;
  bench.newest = index_with(kPod);
  CHECK(bench.stage.refresh());
  CHECK_FALSE(bench.stage.refresh());
  bench.hit(of_packet(1, kPod));
  CHECK(bench.out == Lines{"1:web-0"});
  CHECK(bench.event.source_pod == bench.event.pod.pod);
  CHECK(bench.event.destination_pod == nullptr);
  CHECK(bench.stage.totals().named == 1);
  CHECK(bench.stage.totals().waited == 0);
}

TEST_CASE("an event from an unknown namespace waits until the index knows it") {
  Bench bench;
  bench.newest = index_with(1);
  bench.stage.refresh();
  bench.hit(of_packet(1, kPod));
  CHECK(bench.out.empty());
  bench.release(10 * kMillisecond);
  CHECK(bench.out.empty());
  bench.newest = index_with(kPod);
  bench.release(20 * kMillisecond);
  CHECK(bench.out == Lines{"1:web-0"});
  CHECK(bench.stage.is_empty());
  CHECK(bench.stage.totals().waited == 1);
  CHECK(bench.stage.totals().named == 1);
  CHECK(bench.stage.totals().late == 0);
}

TEST_CASE("the order within a packet is kept, and other packets pass") {
  Bench bench;
  bench.hit(of_packet(1, kPod));
  bench.hit(of_packet(1, kHost));
  bench.hit(of_packet(2, kHost));
  bench.hit(of_packet(1, kPod));
  CHECK(bench.out == Lines{"2:-"});
  bench.newest = index_with(kPod);
  bench.release(1);
  CHECK(bench.out == Lines{"2:-", "1:web-0", "1:-", "1:web-0"});
  bench.hit(of_packet(1, kHost));
  CHECK(bench.out.back() == "1:-");
}

TEST_CASE("before there is an index an event waits longer") {
  Bench bench;
  bench.hit(of_packet(1, kPod), 0);
  bench.release(4'999 * kMillisecond);
  CHECK(bench.out.empty());
  bench.release(5'020 * kMillisecond);
  CHECK(bench.out == Lines{"1:-"});
  CHECK(bench.stage.totals().late == 1);
}

TEST_CASE("what has waited for its bound goes out without a name, and is counted") {
  Bench bench;
  bench.newest = index_with(1);
  bench.stage.refresh();
  bench.hit(of_packet(1, kPod), 0);
  bench.hit(of_packet(1, kHost), 100 * kMillisecond);
  bench.hit(of_packet(2, 77), 400 * kMillisecond);
  bench.release(499 * kMillisecond);
  CHECK(bench.out.empty());
  bench.release(500 * kMillisecond);
  CHECK(bench.out == Lines{"1:-", "1:-"});
  CHECK(bench.stage.totals().late == 1);
  bench.release(900 * kMillisecond);
  CHECK(bench.out.back() == "2:-");
  CHECK(bench.stage.totals().late == 2);
  CHECK(bench.stage.totals().named == 0);
}

TEST_CASE("a namespace that proved to be no pod's is not waited for again, until it may be another one") {
  Bench bench;
  bench.newest = index_with(1);
  bench.stage.refresh();
  bench.hit(of_packet(1, kPod), 0);
  bench.release(500 * kMillisecond);
  bench.hit(of_packet(2, kPod), 600 * kMillisecond);
  CHECK(bench.out == Lines{"1:-", "2:-"});
  CHECK(bench.stage.totals().strange == 1);
  SECTION("its number counts for ten seconds") {
    bench.hit(of_packet(3, kPod), 10'501 * kMillisecond);
    CHECK(bench.out.size() == 2);
  }
  SECTION("once it is a pod's it has its name") {
    bench.newest = index_with(kPod);
    bench.stage.refresh();
    bench.hit(of_packet(3, kPod), 700 * kMillisecond);
    CHECK(bench.out.back() == "3:web-0");
  }
}

TEST_CASE("a stranger is known by its cookie where there is one") {
  Bench bench;
  bench.newest = index_with(1);
  bench.stage.refresh();
  auto stranger = of_packet(1, kPod);
  stranger.raw.flags |= TRACE_HAS_COOKIE;
  stranger.raw.netns_cookie = 9;
  bench.hit(stranger, 0);
  bench.release(500 * kMillisecond);
  bench.hit(stranger, 3'600'000 * kMillisecond);
  CHECK(bench.out == Lines{"1:-", "1:-"});
  stranger.raw.netns_cookie = 10;  // another namespace with the same number
  bench.hit(stranger, 3'600'001 * kMillisecond);
  CHECK(bench.out.size() == 2);
}

TEST_CASE("where a pod is on its way an event waits longer, also after it was taken for no pod's") {
  Bench bench;
  bench.newest = index_with(1);
  bench.stage.refresh();
  bench.hit(of_packet(1, kPod), 0);
  bench.release(500 * kMillisecond);
  CHECK(bench.out == Lines{"1:-"});
  bench.newest = index_with(1, {}, {kPod});
  bench.stage.refresh();
  bench.hit(of_packet(2, kPod), 600 * kMillisecond);
  bench.release(30'000 * kMillisecond);
  CHECK(bench.out.size() == 1);
  SECTION("until it is known") {
    bench.newest = index_with(kPod, {}, {kPod});
    bench.release(30'100 * kMillisecond);
    CHECK(bench.out.back() == "2:web-0");
  }
  SECTION("or the longer bound is reached") {
    bench.release(30'600 * kMillisecond);
    CHECK(bench.out.back() == "2:-");
    CHECK(bench.stage.totals().late == 2);
  }
}

TEST_CASE("what waits behind one that waits longer goes when its own time is up") {
  Bench bench;
  bench.newest = index_with(1, {}, {kPod});
  bench.stage.refresh();
  bench.hit(of_packet(1, kPod), 0);
  bench.hit(of_packet(2, 77), 100 * kMillisecond);
  bench.release(550 * kMillisecond);
  CHECK(bench.out.empty());
  bench.release(600 * kMillisecond);
  CHECK(bench.out == Lines{"2:-"});
}

TEST_CASE("at the node's end of a link that leads to nobody yet an event waits for the pod behind it") {
  Bench bench;
  bench.newest = index_with(1, links_to(0));
  bench.stage.refresh();
  bench.hit(of_packet(1, kHost).on_device(kUplink, "eno1", 1500));
  CHECK(bench.out == Lines{"1:-"});
  bench.hit(of_packet(2, kHost).on_device(kPodLink, "veth1a", 1500));
  bench.hit(of_packet(3, kHost).on_device(99, "new", 1500));
  CHECK(bench.out.size() == 1);
  SECTION("which is known then") {
    bench.newest = index_with(kPod, links_to(kPod));
    bench.release(10 * kMillisecond);
    CHECK(bench.out == Lines{"1:-", "2:web-0"});
  }
  SECTION("or is no pod, which is no fault, and not waited for again") {
    bench.release(500 * kMillisecond);
    CHECK(bench.out == Lines{"1:-", "2:-", "3:-"});
    bench.hit(of_packet(4, kHost).on_device(kPodLink, "veth1a", 1500), 600 * kMillisecond);
    CHECK(bench.out.back() == "4:-");
    CHECK(bench.stage.totals().late + bench.stage.totals().strange == 0);
  }
}

TEST_CASE("a node whose interfaces are not known waits for none of them") {
  Bench bench;
  bench.newest = index_with(1);
  bench.stage.refresh();
  bench.hit(of_packet(1, kHost).on_device(kPodLink, "veth1a", 1500));
  CHECK(bench.out == Lines{"1:-"});
}

TEST_CASE("when there is no more room everything goes out in order, and is counted") {
  Bench bench;
  for (std::size_t number = 0; number < PodStage::kMaxWaiting; ++number) {
    CHECK_FALSE(bench.stage.is_full());
    bench.hit(of_packet(number % 7, kPod));
  }
  REQUIRE(bench.stage.is_full());
  bench.release(1, PodStage::Patience::Crowded);
  CHECK(bench.stage.is_empty());
  REQUIRE(bench.out.size() == PodStage::kMaxWaiting);
  CHECK(bench.out[8] == "1:-");
  CHECK(bench.stage.totals().crowded == PodStage::kMaxWaiting);
  CHECK(bench.stage.totals().late == 0);
}

TEST_CASE("at the end of a trace nothing stays behind") {
  Bench bench;
  bench.hit(of_packet(1, kPod));
  bench.release(1, PodStage::Patience::Ending);
  CHECK(bench.out == Lines{"1:-"});
  CHECK(bench.stage.totals().late == 1);
}
