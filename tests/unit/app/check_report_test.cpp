#include "app/check_report.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "unit/kernel/test_btf.h"
#include "unit/kernel/test_host.h"

using namespace skbtrail;

namespace {

KernelFunction function(std::string name) {
  return {.name = std::move(name), .module = {}, .argument_count = 1, .addresses = {1}};
}

CheckReport a_report() {
  CheckReport report;
  report.features.release = "6.1.0-50-amd64";
  report.features.fentry_multi = {.available = false, .why_not = "the kernel does not know it"};
  report.features.kprobe = {.available = true, .why_not = {}};
  report.backend = Backend::Kprobe;
  report.functions.attachable = {function("ip_rcv"), function("__netif_receive_skb_core"), function("skb_copy"),
                                 function("tcp_make_synack")};
  report.functions.attachable[1].kind = SkbKind::DoublePointer;
  report.functions.attachable[2].only_const = true;
  report.functions.attachable[3].skb_argument = 5;
  report.functions.refused = {{.function = function("a"), .reason = "rare"},
                              {.function = function("b"), .reason = "frequent"},
                              {.function = function("c"), .reason = "frequent"}};
  report.functions.refused[1].function.module = "veth";
  report.drop_reasons = 65;
  report.drop_subsystems = {"core"};
  return report;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a module without types is a wrong request, not a finding") {
  TestHost host;
  host.with("/sys/kernel/btf/vmlinux", TestBtf{}.bytes());
  const auto report = examine(host.root(), {.modules = {"no_such_module"}});
  REQUIRE_FALSE(report);
  CHECK(report.error().code == EINVAL);
}

TEST_CASE("without a list of functions that can be probed all are refused for that reason") {
  TestBtf types;
  types.function("ip_rcv", {types.skb});
  TestHost host;
  host.with("/sys/kernel/btf/vmlinux", types.bytes()).with("/proc/kallsyms", "ffffffff81001000 T ip_rcv\n");
  const auto report = examine(host.root(), {});
  REQUIRE(report);
  CHECK_FALSE(report->can_trace());
  CHECK(contains(report->obstacles.front(), "mount -t tracefs"));
  REQUIRE(report->functions.refused.size() == 1);
  CHECK(contains(report->functions.refused[0].reason, "not readable"));
}

TEST_CASE("a kernel without types cannot trace, and the report says so instead of failing") {
  const TestHost host;
  const auto report = examine(host.root(), {});
  REQUIRE(report);
  CHECK_FALSE(report->can_trace());
  CHECK(report->functions.found() == 0);
  CHECK(contains(report->obstacles.front(), "CONFIG_DEBUG_INFO_BTF"));
  CHECK(contains(as_table(*report, {}), "not possible"));
}

TEST_CASE("the table gives the reason of each thing that is missing") {
  auto report = a_report();
  report.features.missing_capabilities = {{.name = "CAP_SYSLOG", .lost = "addresses stay hidden"}};
  const auto table = as_table(report, {});
  CHECK(contains(table, "backend                 kprobe\n"));
  CHECK(contains(table, "  fentry.multi          no: the kernel does not know it\n"));
  CHECK(contains(table, "  CAP_SYSLOG            addresses stay hidden\n"));
  CHECK(contains(table, "  found                 7\n"));
  CHECK(contains(table, "3 (const only 1, sk_buff ** 1, after argument 5 1)"));
  CHECK(table.find("frequent") < table.find("rare"));
}

TEST_CASE("refused functions are listed by name only when asked for") {
  CHECK_FALSE(contains(as_table(a_report(), {}), "b [veth]"));
  CHECK(contains(as_table(a_report(), {.refused = true}), "b [veth]"));
}

TEST_CASE("functions that can be traced are listed only when asked for, with where they take the packet") {
  CHECK_FALSE(contains(as_table(a_report(), {}), "tcp_make_synack"));
  const auto table = as_table(a_report(), {.attachable = true});
  CHECK(contains(table, "  __netif_receive_skb_core                sk_buff ** in slot 0\n"));
  CHECK(contains(table, "  tcp_make_synack                         sk_buff * in slot 5\n"));
  const auto told = nlohmann::json::parse(as_json(a_report(), {.attachable = true}));
  const auto& functions = told["functions"]["attachable_functions"];
  REQUIRE(functions.size() == 4);
  CHECK(functions[0] ==
        nlohmann::json{
            {"name", "ip_rcv"}, {"module", nullptr}, {"slot", 0}, {"double_pointer", false}, {"only_const", false}});
  CHECK(functions[2]["only_const"] == true);
  CHECK_FALSE(told["functions"].contains("refused_functions"));
}

TEST_CASE("the JSON form says the same") {
  const auto told = nlohmann::json::parse(as_json(a_report(), {.refused = true}));
  CHECK(told["can_trace"] == true);
  CHECK(told["backend"] == "kprobe");
  CHECK(told["features"][0]["name"] == "fentry.multi");
  CHECK(told["features"][0]["why_not"] == "the kernel does not know it");
  CHECK(told["features"][2]["why_not"].is_null());
  CHECK(told["functions"]["attachable"] == 4);
  CHECK(told["functions"]["unseen_by_pwru"]["after_argument_5"] == 1);
  CHECK(told["functions"]["refused_by_reason"][0]["count"] == 2);
  CHECK(told["functions"]["refused_functions"][1]["module"] == "veth");
  CHECK(told["functions"]["refused_functions"][0]["module"].is_null());
  CHECK(told["drop_reasons"]["known"] == 65);
}

TEST_CASE("without a backend the JSON form has none and lists what stands in the way") {
  auto report = a_report();
  report.backend.reset();
  report.obstacles = {"no tracefs"};
  const auto told = nlohmann::json::parse(as_json(report, {}));
  CHECK(told["can_trace"] == false);
  CHECK(told["backend"].is_null());
  CHECK(told["obstacles"][0] == "no tracefs");
  CHECK_FALSE(told["functions"].contains("refused_functions"));
}
