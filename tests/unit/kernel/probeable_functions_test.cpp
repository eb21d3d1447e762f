#include "kernel/probeable_functions.h"

#include <catch2/catch.hpp>

#include "unit/kernel/test_host.h"

using namespace skbtrail;

namespace {

std::vector<KernelFunction> functions(std::initializer_list<const char*> names) {
  std::vector<KernelFunction> list;
  for (const char* name : names)
    list.push_back({.name = name, .module = {}, .addresses = {}});
  return list;
}

constexpr auto kNames = "/sys/kernel/tracing/available_filter_functions";

}  // namespace

TEST_CASE("without tracefs nothing is probeable and the error says what to mount") {
  const TestHost host;
  const auto probeable = read_probeable(host.root(), functions({"ip_rcv"}));
  REQUIRE_FALSE(probeable);
  CHECK(probeable.error().code == ENOTSUP);
  CHECK(probeable.error().message.find("mount -t tracefs") != std::string::npos);
  CHECK(probeable.error().message.find("/sys/kernel/tracing/available_filter_functions'") != std::string::npos);
}

TEST_CASE("an empty list of probeable functions is no list") {
  TestHost host;
  host.with(kNames, "");
  CHECK_FALSE(read_probeable(host.root(), functions({"ip_rcv"})));
}

TEST_CASE("lines of addresses that have no address are skipped") {
  const auto probeable =
      parse_traceable("ip_rcv\nxyz ip_rcv\nffffffff81001004\n\n", Listing::Sites, functions({"ip_rcv"}));
  CHECK(probeable.traceable.empty());
}

TEST_CASE("only wanted names are kept, and a module's function is another one") {
  auto wanted = functions({"ip_rcv"});
  wanted.push_back({.name = "nft_do_chain", .module = "nf_tables", .addresses = {}});
  const auto probeable = parse_traceable("ip_rcv [other]\nip_rcv\nschedule\nnft_do_chain\nnft_do_chain [nf_tables]",
                                         Listing::Names, wanted);
  CHECK(probeable.traceable.size() == 2);
  CHECK(probeable.traceable.contains("ip_rcv"));
  CHECK(probeable.traceable.contains("nft_do_chain [nf_tables]"));
  CHECK(probeable.traceable.at("ip_rcv").count == 1);
  CHECK(probeable.traceable.at("ip_rcv").sites.empty());
}

TEST_CASE("call sites of one name are collected") {
  const auto probeable = parse_traceable("ffffffff81001004 seq_show\nffffffff81002004 seq_show\n", Listing::Sites,
                                         functions({"seq_show"}));
  CHECK(probeable.traceable.at("seq_show").count == 2);
  CHECK(probeable.traceable.at("seq_show").sites == std::vector<std::uint64_t>{0xffffffff81001004, 0xffffffff81002004});
}

TEST_CASE("copies made by the compiler are remembered under the original's name") {
  auto wanted = functions({"udp_queue"});
  wanted.push_back({.name = "nft_eval", .module = "nf_tables", .addresses = {}});
  const auto probeable = parse_traceable(
      "udp_queue.isra.0\nnft_eval.constprop.0.isra.0 [nf_tables]\n.hidden\nx.part.1\n", Listing::Names, wanted);
  CHECK(probeable.traceable.empty());
  CHECK(probeable.cloned == std::unordered_set<std::string>{"udp_queue", "nft_eval [nf_tables]"});
}

TEST_CASE("the blacklist is read by name") {
  CHECK(parse_blacklist("0xffffffff81001000-0xffffffff81001010\tip_rcv\nnonsense\n0x0-0x0\tschedule\n",
                        functions({"ip_rcv", "ip_output"})) == std::unordered_set<std::string>{"ip_rcv"});
}

TEST_CASE("call sites are read where the kernel lists them") {
  const TestHost before;
  CHECK_FALSE(has_call_sites(before.root()));
  CHECK_FALSE(read_call_sites(before.root()));
  TestHost since;
  since.with("/sys/kernel/tracing/available_filter_functions_addrs", "ffffffff81001004 ip_rcv\n");
  CHECK(has_call_sites(since.root()));
  const auto sites = read_call_sites(since.root());
  REQUIRE(sites);
  CHECK(*sites == "ffffffff81001004 ip_rcv\n");
}

TEST_CASE("the old mount point of tracefs serves as well, and debugfs has the blacklist") {
  TestHost host;
  host.with("/sys/kernel/debug/tracing/available_filter_functions", "ip_rcv\n")
      .with("/sys/kernel/debug/kprobes/blacklist", "0x0-0x0\tip_rcv\n");
  const auto probeable = read_probeable(host.root(), functions({"ip_rcv"}));
  REQUIRE(probeable);
  CHECK(probeable->traceable.contains("ip_rcv"));
  CHECK(probeable->blacklisted.contains("ip_rcv"));
}
