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
  web.container_ids = {"app"};
  auto job = a_sandbox(a_pod("job"));
  job.ready = false;
  return {.runtime = {.name = "containerd", .version = "v2.4.2"},
          .socket = "/run/cri.sock",
          .host_netns_inum = kHostNetns,
          .sandboxes = {web, job, a_sandbox(a_host_pod("proxy"))},
          .interfaces = {{.netns_inum = 4026532100,
                          .ifindex = 2,
                          .name = "eth0",
                          .kind = "veth",
                          .link_ifindex = 7,
                          .link_netns_inum = kHostNetns},
                         {.netns_inum = kHostNetns,
                          .ifindex = 7,
                          .name = "veth1a",
                          .kind = "veth",
                          .link_ifindex = 2,
                          .link_netns_inum = 4026532100},
                         {.netns_inum = 4026532100, .ifindex = 1, .name = "lo"}},
          .cgroups = {{.cgroup_id = 22, .pod_uid = "uid-web", .container_id = "app"},
                      {.cgroup_id = 21, .pod_uid = "uid-web"},
                      {.cgroup_id = 31, .pod_uid = "uid-proxy"},
                      {.cgroup_id = 41, .pod_uid = "uid-other"}},
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
        "NAMESPACE NAME  STATE   NETNS      ADDRESSES         INTERFACES      CGROUPS SANDBOX\n"
        "shop      job   stopped -          -                 -               -       sandbox-job\n"
        "shop      proxy ready   4026531840 (host)            -               31      sandbox-prox\n"
        "shop      web   ready   4026532100 10.22.0.7,fd00::7 2:eth0@7:veth1a 21,22   sandbox-web\n");
}

TEST_CASE("an interface is tied to the node's only where the kernel says so") {
  auto report = a_report();
  report.interfaces = {{.netns_inum = kHostNetns, .ifindex = 5, .name = "eno1"},
                       {.netns_inum = 4026532100, .ifindex = 9, .name = "net9", .kind = "veth", .link_ifindex = 5},
                       {.netns_inum = 4026532100,
                        .ifindex = 3,
                        .name = "net3",
                        .kind = "macvlan",
                        .link_ifindex = 5,
                        .link_netns_inum = kHostNetns},
                       {.netns_inum = 4026532100,
                        .ifindex = 4,
                        .name = "net4",
                        .kind = "veth",
                        .link_ifindex = 6,
                        .link_netns_inum = kHostNetns}};
  const auto web = nlohmann::json::parse(as_json(report))["pods"][2];
  REQUIRE(web["interfaces"].size() == 3);
  CHECK(web["interfaces"][0] == nlohmann::json::parse(R"({"ifindex": 3, "ifname": "net3", "kind": "macvlan",
                                                         "host": {"ifindex": 5, "ifname": "eno1"}})"));
  CHECK(web["interfaces"][1]["host"].is_null());
  CHECK(web["interfaces"][2]["host"].is_null());
}

TEST_CASE("what the node does not tell is in the JSON with its reason") {
  auto report = a_report();
  report.interfaces = {};
  report.lacks = {"interfaces: refused"};
  const auto json = nlohmann::json::parse(as_json(report));
  CHECK(json["lacks"] == nlohmann::json({"interfaces: refused"}));
  CHECK(json["pods"][2]["interfaces"].empty());
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
  CHECK(json["lacks"].empty());
  REQUIRE(web["interfaces"].size() == 2);
  CHECK(web["interfaces"][0] == nlohmann::json::parse(R"({"ifindex": 1, "ifname": "lo", "kind": null, "host": null})"));
  CHECK(web["interfaces"][1]["host"] == nlohmann::json::parse(R"({"ifindex": 7, "ifname": "veth1a"})"));
  CHECK(web["cgroups"] == nlohmann::json::parse(R"([{"id": 21, "container": null}, {"id": 22, "container": "app"}])"));
}
