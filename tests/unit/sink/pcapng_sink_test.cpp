#include "sink/pcapng_sink.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "support/captured_output.h"
#include "support/event_builder.h"

using namespace skbtrail;
using namespace skbtrail::test;

namespace {

std::uint32_t u32(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  REQUIRE(at + sizeof(value) <= bytes.size());
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

std::uint16_t u16(std::string_view bytes, std::size_t at) {
  std::uint16_t value = 0;
  REQUIRE(at + sizeof(value) <= bytes.size());
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

struct Block {
  std::uint32_t type = 0;
  std::string body;
};

std::vector<Block> blocks_of(const std::string& file) {
  std::vector<Block> blocks;
  for (std::size_t at = 0; at < file.size();) {
    const std::uint32_t length = u32(file, at + 4);
    REQUIRE(length % 4 == 0);
    REQUIRE(at + length <= file.size());
    REQUIRE(u32(file, at + length - 4) == length);
    blocks.push_back({.type = u32(file, at), .body = file.substr(at + 8, length - 12)});
    at += length;
  }
  return blocks;
}

std::multimap<int, std::string> options_of(const Block& block, std::size_t at) {
  std::multimap<int, std::string> options;
  while (u16(block.body, at) != 0) {
    const std::size_t length = u16(block.body, at + 2);
    options.emplace(u16(block.body, at), block.body.substr(at + 4, length));
    at += 4 + (length + 3) / 4 * 4;
  }
  CHECK(at + 4 == block.body.size());
  return options;
}

struct Packet {
  std::uint32_t interface;
  std::uint64_t time;
  std::string bytes;
  std::uint32_t length;
  std::multimap<int, std::string> options;
};

Packet packet_of(const Block& block) {
  REQUIRE(block.type == 6);
  const std::size_t captured = u32(block.body, 12);
  return {.interface = u32(block.body, 0),
          .time = std::uint64_t{u32(block.body, 4)} << 32 | u32(block.body, 8),
          .bytes = block.body.substr(20, captured),
          .length = u32(block.body, 16),
          .options = options_of(block, 20 + (captured + 3) / 4 * 4)};
}

struct File {
  CapturedOutput captured;
  PcapngSink sink{captured.output(), {.snaplen = 128, .application = "skbtrail"}};

  std::vector<Block> blocks() { return blocks_of(captured.text()); }
};

EventBuilder& with_frame(EventBuilder& event, std::size_t bytes) {
  event.event().frame.bytes.assign(bytes, 0x5a);
  event.event().frame.length = 1514;
  return event;
}

}  // namespace

TEST_CASE("a trace without packets is a valid file") {
  File file;
  const auto blocks = file.blocks();
  REQUIRE(blocks.size() == 1);
  CHECK(blocks[0].type == 0x0A0D0D0A);
  CHECK(u32(blocks[0].body, 0) == 0x1A2B3C4D);
  CHECK(options_of(blocks[0], 16).find(4)->second == "skbtrail");
}

TEST_CASE("each pair of network namespace and interface is an interface of the file, told once") {
  File file;
  for (const std::uint32_t netns : {1U, 2U, 1U}) {
    auto event = an_event();
    file.sink.accept(event.on_device(2, "eth0", 1500).in_netns(netns));
  }
  file.sink.accept(an_event());
  const auto blocks = file.blocks();
  REQUIRE(blocks.size() == 1 + 3 + 4);
  CHECK(blocks[1].type == 1);
  const auto options = options_of(blocks[1], 8);
  CHECK(options.find(2)->second == "eth0@1");
  CHECK(options.find(3)->second == "network namespace 1, interface index 2");
  CHECK(options.find(9)->second == "\x09");
  CHECK(u32(blocks[1].body, 4) == 128 + 18);
  CHECK(options_of(blocks[3], 8).find(2)->second == "eth0@2");
  CHECK(packet_of(blocks[5]).interface == 0);
  CHECK(options_of(blocks[6], 8).find(2)->second == "no interface");
  CHECK(packet_of(blocks[7]).interface == 2);
}

TEST_CASE("a packet has its bytes, its length and its time to the nanosecond") {
  File file;
  auto event = an_event();
  file.sink.accept(with_frame(event, 61));
  const auto packet = packet_of(file.blocks().back());
  CHECK(packet.bytes == std::string(61, 0x5a));
  CHECK(packet.length == 1514);
  CHECK(packet.time == 1'795'510'800'123'456'789);
}

TEST_CASE("comments tell hop, identity, drop reason, values and stack") {
  File file;
  auto hop = an_event();
  file.sink.accept(hop.at("ip_rcv").child_of(2).with_value("skb->mark", ValueKind::Unsigned, 7));
  auto options = packet_of(file.blocks().back()).options;
  CHECK(options.find(1)->second ==
        "hop ip_rcv, packet ffff888105741000-0000000000000001, parent ffff888105742000-0000000000000002, skb "
        "0xffff88810574e700, cpu 0, ping:367, skb->mark = 7");
  auto drop = an_event();
  file.sink.accept(
      drop.at("nf_hook_slow", 0x9f).dropped_because("NETFILTER_DROP").with_stack("ip_rcv", 0x10).by("a\x1b", 1));
  options = packet_of(file.blocks().back()).options;
  CHECK(options.find(1)->second.starts_with("drop NETFILTER_DROP at nf_hook_slow+0x9f, packet"));
  CHECK(options.find(1)->second.ends_with(", a?:1, stack ip_rcv+0x10"));
}

TEST_CASE("hits that were lost are counted at the next packet, and once") {
  File file;
  file.sink.accept(LossEvent{.cause = LossCause::Ring, .count = 5});
  file.sink.accept(LossEvent{.cause = LossCause::Budget, .count = 2});
  file.sink.accept(LossEvent{.cause = LossCause::Tracking, .count = 100});
  file.sink.accept(an_event());
  file.sink.accept(an_event());
  const auto blocks = file.blocks();
  const auto first = packet_of(blocks[blocks.size() - 2]);
  const auto found = first.options.find(4);
  REQUIRE(found != first.options.end());
  CHECK(u32(found->second, 0) == 7);
  CHECK_FALSE(packet_of(blocks.back()).options.contains(4));
}

TEST_CASE("too many interfaces share the last one") {
  File file;
  for (std::uint32_t netns = 1; netns <= PcapngSink::kMaxInterfaces + 2; ++netns) {
    auto event = an_event();
    file.sink.accept(event.on_device(2, "eth0", 1500).in_netns(netns));
  }
  const auto blocks = file.blocks();
  CHECK(packet_of(blocks.back()).interface == PcapngSink::kMaxInterfaces);
  CHECK(blocks[blocks.size() - 2].type == 6);
}

TEST_CASE("each file of a rotated capture is complete by itself: section, and every interface under its number") {
  char name[] = "/tmp/skbtrail-pcapng-XXXXXX";
  REQUIRE(::mkdtemp(name) != nullptr);
  {
    auto output = Output::open(std::filesystem::path(name) / "trace.pcapng", {.max_bytes = 1500});
    REQUIRE(output);
    PcapngSink sink{**output, {.snaplen = 128, .application = "skbtrail"}};
    for (std::uint32_t at = 0; at < 40; ++at) {
      auto event = an_event();
      sink.accept(with_frame(event.on_device(2, "eth0", 1500).in_netns(at / 10 + 1), 128));
    }
    REQUIRE(sink.flush());
  }
  std::size_t packets = 0;
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(name)) {
    std::ifstream file(entry.path());
    const auto blocks = blocks_of({std::istreambuf_iterator<char>(file), {}});
    ++files;
    CHECK(std::filesystem::file_size(entry.path()) <= 1500);
    REQUIRE(blocks.size() > 2);
    CHECK(blocks[0].type == 0x0A0D0D0A);
    std::uint32_t interfaces = 0;
    for (const auto& block : blocks) {
      interfaces += block.type == 1 ? 1 : 0;
      if (block.type != 6)
        continue;
      ++packets;
      CHECK(packet_of(block).interface < interfaces);
    }
  }
  std::filesystem::remove_all(name);
  CHECK(files > 4);
  CHECK(packets == 40);
}
