#include "pods/verbose_info.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>

using namespace skbtrail;

namespace {

std::string fixture(const std::string& name) {
  std::ifstream file(SKBTRAIL_SOURCE_DIR "/tests/fixtures/cri/" + name);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

RuntimePlace place_in(const std::string& json) {
  const auto place = parse_verbose_info({{"info", json}});
  REQUIRE(place);
  return *place;
}

}  // namespace

TEST_CASE("verbose info that is no JSON is an error") {
  const auto* const text = GENERATE("", "{", "no", "{\"pid\": 1}}", "\xff\xfe");
  const auto place = parse_verbose_info({{"info", text}});
  REQUIRE_FALSE(place);
  CHECK(place.error().code == EBADMSG);
}

TEST_CASE("verbose info that is absurdly long is not parsed") {
  const auto place = parse_verbose_info({{"info", "\"" + std::string(kMaxVerboseInfo, 'x') + "\""}});
  REQUIRE_FALSE(place);
  CHECK(place.error().message.find("bytes") != std::string::npos);
}

TEST_CASE("JSON nested a hundred thousand times neither crashes nor tells anything") {
  const std::string deep(100'000, '[');
  CHECK_FALSE(parse_verbose_info({{"info", deep}}));
  CHECK(place_in(deep + std::string(100'000, ']')) == RuntimePlace{});
}

TEST_CASE("verbose info of another form says nothing") {
  const auto* const text = GENERATE("[]", "null", "7", R"({"pid": "12"})", R"({"pid": -1})", R"({"pid": 4194305})",
                                    R"({"pid": 1.5})", R"({"pid": 99999999999999999999})", R"({"runtimeSpec": []})",
                                    R"({"runtimeSpec": {"linux": {"namespaces": {"type": "network"}}}})",
                                    R"({"runtimeSpec": {"linux": {"namespaces": [1, {"type": 2}]}}})",
                                    R"({"runtimeSpec": {"linux": {"namespaces": [{"type": "pid", "path": "/x"}]}}})",
                                    R"({"runtimeSpec": {"linux": {"namespaces": [{"type": "network"}]}}})");
  CHECK(place_in(text) == RuntimePlace{});
}

TEST_CASE("a path that is relative, endless or has a zero byte is no path") {
  const auto path = GENERATE(std::string("run/netns/x"), "/" + std::string(5'000, 'x'), std::string("/run\\u0000/x"));
  CHECK(place_in(R"({"runtimeSpec": {"linux": {"namespaces": [{"type": "network", "path": ")" + path + R"("}]}}})") ==
        RuntimePlace{});
}

TEST_CASE("containerd's sandbox names its namespace and its pid") {
  CHECK(place_in(fixture("containerd_sandbox.json")) ==
        RuntimePlace{.netns_path = "/var/run/netns/cni-6f8cd6d5-7a3f-1f44-0b5d-6d3f2c0b8a11", .pid = 20142});
}

TEST_CASE("containerd's container names its pid, and its sandbox's namespace by a process") {
  CHECK(place_in(fixture("containerd_container.json")) ==
        RuntimePlace{.netns_path = "/proc/20142/ns/net", .pid = 20199});
}

TEST_CASE("CRI-O's sandbox with an infra container names its namespace and its pid") {
  CHECK(place_in(fixture("crio_sandbox_infra.json")) ==
        RuntimePlace{.netns_path = "/var/run/netns/1e5b1c2b-8a51-4f0e-9a2b-7f8d0c3f5a77", .pid = 3011});
}

TEST_CASE("CRI-O's sandbox without an infra container names its namespace only") {
  CHECK(place_in(fixture("crio_sandbox_no_infra.json")) ==
        RuntimePlace{.netns_path = "/var/run/netns/1e5b1c2b-8a51-4f0e-9a2b-7f8d0c3f5a77", .pid = 0});
}

TEST_CASE("the older form has pid and runtimeSpec as keys of their own") {
  const auto place = parse_verbose_info(
      {{"sandboxId", "abc"},
       {"pid", "412"},
       {"runtimeSpec", R"({"linux": {"namespaces": [{"type": "network", "path": "/run/netns/a"}]}})"}});
  REQUIRE(place);
  CHECK(*place == RuntimePlace{.netns_path = "/run/netns/a", .pid = 412});
  CHECK_FALSE(parse_verbose_info({{"pid", "four"}}));
  CHECK(*parse_verbose_info({}) == RuntimePlace{});
}
