#include "kernel/function_catalogue.h"

#include <catch2/catch.hpp>

#include "unit/kernel/test_host.h"

using namespace skbtrail;

namespace {

KernelFunction function(std::string name, std::string module = {}) {
  return {.name = std::move(name), .module = std::move(module), .argument_count = 1, .addresses = {}};
}

Kallsyms symbols() {
  auto parsed = Kallsyms::parse(
      "ffffffff81001000 T ip_rcv\n"
      "ffffffff81002000 t seq_show\n"
      "ffffffff81003000 t seq_show\n"
      "ffffffff81004000 t udp_queue.isra.0\n"
      "ffffffffc0001000 t veth_xmit\t[veth]\n");
  REQUIRE(parsed);
  return std::move(*parsed);
}

ProbeableFunctions traceable(std::initializer_list<const char*> keys) {
  ProbeableFunctions probeable;
  for (const char* key : keys)
    ++probeable.traceable[key].count;
  return probeable;
}

std::string only_reason(const FunctionCatalogue& catalogue) {
  REQUIRE(catalogue.attachable.empty());
  REQUIRE(catalogue.refused.size() == 1);
  return catalogue.refused.front().reason;
}

}  // namespace

TEST_CASE("a function that ftrace does not list is refused") {
  const auto catalogue = build_catalogue({function("ip_rcv")}, symbols(), traceable({}));
  CHECK(only_reason(catalogue).find("not in available_filter_functions") == 0);
}

TEST_CASE("a function of which only compiler copies exist is refused for that reason") {
  auto probeable = traceable({});
  probeable.cloned = {"udp_queue"};
  const auto catalogue = build_catalogue({function("udp_queue")}, symbols(), probeable);
  CHECK(only_reason(catalogue).find(".isra") != std::string::npos);
}

TEST_CASE("a blacklisted function is refused") {
  auto probeable = traceable({"ip_rcv"});
  probeable.blacklisted = {"ip_rcv"};
  CHECK(only_reason(build_catalogue({function("ip_rcv")}, symbols(), probeable)) == "on the kernel's kprobe blacklist");
}

TEST_CASE("a function without an address is refused, and a module's symbol does not help vmlinux") {
  const auto catalogue = build_catalogue({function("veth_xmit")}, symbols(), traceable({"veth_xmit"}));
  CHECK(only_reason(catalogue) == "kallsyms does not know its address");
}

TEST_CASE("functions of one name that take the packet at different places are refused") {
  auto second = function("ip_rcv");
  second.skb_argument = 1;
  const auto catalogue = build_catalogue({function("ip_rcv"), second}, symbols(), traceable({"ip_rcv"}));
  CHECK(only_reason(catalogue).find("different places") != std::string::npos);
}

TEST_CASE("a function that is described twice alike counts once") {
  const auto catalogue = build_catalogue({function("ip_rcv"), function("ip_rcv")}, symbols(), traceable({"ip_rcv"}));
  CHECK(catalogue.attachable.size() == 1);
  CHECK(catalogue.found() == 1);
}

TEST_CASE("without call sites a name stands for all its addresses") {
  const auto catalogue = build_catalogue({function("seq_show")}, symbols(), traceable({"seq_show"}));
  REQUIRE(catalogue.attachable.size() == 1);
  CHECK(catalogue.attachable[0].addresses == std::vector<std::uint64_t>{0xffffffff81002000, 0xffffffff81003000});
}

TEST_CASE("call sites tell which functions of one name can be probed") {
  ProbeableFunctions probeable;
  probeable.traceable["seq_show"] = {.count = 1, .sites = {0xffffffff81003004}};
  const auto catalogue = build_catalogue({function("seq_show")}, symbols(), probeable);
  REQUIRE(catalogue.attachable.size() == 1);
  CHECK(catalogue.attachable[0].addresses == std::vector<std::uint64_t>{0xffffffff81003000});
}

TEST_CASE("call sites are read only when the names leave a doubt") {
  constexpr auto kNames = "/sys/kernel/tracing/available_filter_functions";
  TestHost host;
  host.with("/sys/kernel/tracing/available_filter_functions_addrs", "ffffffff81003004 seq_show\n");

  host.with(kNames, "seq_show\nseq_show\n");
  const auto without_doubt = read_catalogue(host.root(), {function("seq_show")}, symbols());
  REQUIRE(without_doubt);
  CHECK(without_doubt->attachable.at(0).addresses.size() == 2);

  host.with(kNames, "seq_show\n");
  const auto in_doubt = read_catalogue(host.root(), {function("seq_show")}, symbols());
  REQUIRE(in_doubt);
  CHECK(in_doubt->attachable.at(0).addresses == std::vector<std::uint64_t>{0xffffffff81003000});
}

TEST_CASE("call sites alone make a catalogue, of their own addresses") {
  const auto probeable =
      parse_traceable("ffffffff81003004 seq_show\nffffffff81002004 seq_show\nffffffffc0001004 veth_xmit [veth]\n",
                      Listing::Sites, std::vector{function("seq_show"), function("veth_xmit", "veth")});
  const auto catalogue =
      catalogue_of_sites({function("veth_xmit", "veth"), function("seq_show"), function("ip_rcv")}, probeable);
  REQUIRE(catalogue.attachable.size() == 2);
  CHECK(catalogue.attachable[0].addresses == std::vector<std::uint64_t>{0xffffffff81002004, 0xffffffff81003004});
  CHECK(catalogue.attachable[1].addresses == std::vector<std::uint64_t>{0xffffffffc0001004});
  CHECK(catalogue.refused.at(0).reason.find("not in available_filter_functions") == 0);
}

TEST_CASE("the catalogue is sorted by name, then module") {
  auto probeable = traceable({"seq_show", "ip_rcv", "veth_xmit [veth]"});
  const auto catalogue =
      build_catalogue({function("veth_xmit", "veth"), function("seq_show"), function("ip_rcv")}, symbols(), probeable);
  REQUIRE(catalogue.attachable.size() == 3);
  CHECK(catalogue.attachable[0].name == "ip_rcv");
  CHECK(catalogue.attachable[1].name == "seq_show");
  CHECK(catalogue.attachable[2].name == "veth_xmit");
}

TEST_CASE("without tracefs the catalogue is an error, and all can be refused with its message") {
  const TestHost host;
  const auto catalogue = read_catalogue(host.root(), {function("ip_rcv")}, symbols());
  REQUIRE_FALSE(catalogue);
  const auto refused = refuse_all({function("ip_rcv"), function("ip_rcv"), function("arp_rcv")}, "no tracefs");
  CHECK(refused.found() == 2);
  CHECK(refused.refused[0].function.name == "arp_rcv");
  CHECK(refused.refused[1].reason == "no tracefs");
}

TEST_CASE("fentry.multi refuses what its trampolines cannot take") {
  auto many = function("tcf_fill_node");
  many.argument_count = 13;
  CHECK(fentry_multi_refusal(many)->find("12 arguments") != std::string::npos);
  auto variadic = function("skb_printk");
  variadic.variadic = true;
  CHECK(fentry_multi_refusal(variadic));
  auto by_value = function("by_value");
  by_value.kprobe_only = true;
  CHECK(fentry_multi_refusal(by_value));
  auto twice = function("seq_show");
  twice.addresses = {1, 2};
  CHECK(fentry_multi_refusal(twice));
  CHECK(fentry_multi_refusal(function("veth_xmit", "veth")));
}

TEST_CASE("fentry.multi takes an ordinary function") {
  CHECK_FALSE(fentry_multi_refusal(function("ip_rcv")));
}
