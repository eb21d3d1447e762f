#include "app/pods_report.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "unit/pods/test_pods.h"

using namespace skbtrail;

namespace {

PodsReport a_report() {
  auto web = a_sandbox(a_pod("web"), 4026532100);
  web.addresses = {an_address("10.22.0.7"), an_address("fd00::7")};
  web.netns_cookie = 17;
  web.created_ns = 99;
  auto job = a_sandbox(a_pod("job"));
  job.ready = false;
  return {.runtime = {.name = "containerd", .version = "v2.4.2"},
          .socket = "/run/cri.sock",
          .host_netns_inum = kHostNetns,
          .sandboxes = {web, job, a_sandbox(a_host_pod("proxy"))},
          .faults = {}};
}

}  // namespace

TEST_CASE("names that would move the cursor are shown without that") {
  PodsReport report;
  report.sandboxes = {a_sandbox(a_pod("a\x1b[2J\nb"))};
  const auto table = as_table(report);
  CHECK(table.find("a?[2J?b") != std::string::npos);
  CHECK(std::ranges::count(table, '\n') == 2);
}

TEST_CASE("a name that is no UTF-8 does not keep the list from being JSON") {
  PodsReport report;
  report.sandboxes = {a_sandbox(a_pod("a\xff"))};
  CHECK(nlohmann::json::parse(as_json(report))["pods"][0]["name"] == "a\xef\xbf\xbd");
}

TEST_CASE("the table has one line for each sandbox, by name") {
  CHECK(as_table(a_report()) ==
        "NAMESPACE NAME  STATE   NETNS      ADDRESSES         SANDBOX\n"
        "shop      job   stopped -          -                 sandbox-job\n"
        "shop      proxy ready   4026531840 (host)            sandbox-prox\n"
        "shop      web   ready   4026532100 10.22.0.7,fd00::7 sandbox-web\n");
}

TEST_CASE("what is not known is null in JSON") {
  const auto json = nlohmann::json::parse(as_json(a_report()));
  CHECK(json["runtime"]["socket"] == "/run/cri.sock");
  CHECK(json["faults"]["last"].is_null());
  const auto& job = json["pods"][0];
  CHECK(job["state"] == "stopped");
  CHECK(job["netns"].is_null());
  CHECK(job["netns_cookie"].is_null());
  CHECK(job["created_ns"].is_null());
  CHECK(json["pods"][1]["netns"] == kHostNetns);
  CHECK(json["pods"][1]["host_network"] == true);
  const auto& web = json["pods"][2];
  CHECK(web["netns"] == 4026532100);
  CHECK(web["netns_cookie"] == 17);
  CHECK(web["addresses"] == nlohmann::json({"10.22.0.7", "fd00::7"}));
}
