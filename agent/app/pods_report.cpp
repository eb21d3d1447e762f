#include "app/pods_report.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "base/json_value.h"
#include "sink/notation.h"

namespace skbtrail {
namespace {

using Json = nlohmann::ordered_json;
using Row = std::array<std::string, 8>;

constexpr std::size_t kIdLength = 12;  // of container ids, as other tools shorten them

std::string_view state_of(const Sandbox& sandbox) {
  return sandbox.ready ? "ready" : "stopped";
}

std::uint32_t netns_of(const Sandbox& sandbox, const PodsReport& report) {
  return sandbox.pod->host_network ? report.host_netns_inum : sandbox.netns_inum;
}

// Names come from the runtime: nothing in them may move the cursor.
std::string printable(std::string text) {
  for (char& letter : text)
    if (static_cast<unsigned char>(letter) < ' ' || letter == '\x7f')
      letter = '?';
  return text.empty() ? "-" : text;
}

std::string addresses_of(const Sandbox& sandbox) {
  if (sandbox.pod->host_network)
    return "(host)";
  std::string text;
  for (const IpAddress& address : sandbox.addresses)
    text += (text.empty() ? "" : ",") + address_text(address);
  return text;
}

// An interface of a pod, and the node's interface that it is tied to; null: none, or not known.
struct Tied {
  const Interface* interface = nullptr;
  const Interface* node = nullptr;
};

// Each sandbox with what else is known of it, found without a search for each.
class Places {
public:
  explicit Places(const PodsReport& report) : host_netns_inum_(report.host_netns_inum) {
    for (const Interface& one : report.interfaces) {
      of_netns_[one.netns_inum].push_back(&one);
      if (one.netns_inum == host_netns_inum_)
        of_node_.try_emplace(one.ifindex, &one);
    }
    for (const PodCgroup& one : report.cgroups) {
      if (!one.container_id.empty())
        of_container_[one.container_id].push_back(&one);
      else if (!one.pod_uid.empty())
        of_pod_[one.pod_uid].push_back(&one);
    }
  }

  // By index. A pod of the node's network has none of its own.
  std::vector<Tied> interfaces_of(const Sandbox& sandbox) const {
    std::vector<Tied> tied;
    const auto found = of_netns_.find(sandbox.netns_inum);
    if (sandbox.netns_inum == 0 || sandbox.netns_inum == host_netns_inum_ || found == of_netns_.end())
      return tied;
    for (const Interface* one : found->second)
      tied.push_back({.interface = one, .node = node_end_of(*one)});
    std::ranges::sort(tied, {}, [](const Tied& one) { return one.interface->ifindex; });
    return tied;
  }

  // The pod's own first, then the sandbox's, then those of its containers.
  std::vector<const PodCgroup*> cgroups_of(const Sandbox& sandbox) const {
    std::vector<const PodCgroup*> cgroups;
    const auto add = [&](const auto& known, const std::string& key) {
      if (const auto found = known.find(key); found != known.end())
        cgroups.insert(cgroups.end(), found->second.begin(), found->second.end());
    };
    add(of_pod_, sandbox.pod->uid);
    add(of_container_, sandbox.id);
    for (const std::string& id : sandbox.container_ids)
      add(of_container_, id);
    return cgroups;
  }

private:
  const Interface* node_end_of(const Interface& one) const {
    if (one.link_ifindex == 0 || one.link_netns_inum != host_netns_inum_)
      return nullptr;
    const auto found = of_node_.find(one.link_ifindex);
    return found == of_node_.end() ? nullptr : found->second;
  }

  std::uint32_t host_netns_inum_;
  std::map<std::uint32_t, std::vector<const Interface*>> of_netns_;
  std::unordered_map<std::uint32_t, const Interface*> of_node_;
  std::unordered_map<std::string, std::vector<const PodCgroup*>> of_pod_;
  std::unordered_map<std::string, std::vector<const PodCgroup*>> of_container_;
};

// As `ip link` names the other end, but with its name: 2:eth0@7:veth1a2b3c4d.
std::string interfaces_text(const std::vector<Tied>& interfaces) {
  std::string text;
  for (const auto& [one, node] : interfaces) {
    if (one->name == "lo")
      continue;
    text += (text.empty() ? "" : ",") + std::to_string(one->ifindex) + ":" + one->name;
    if (node)
      text += "@" + std::to_string(node->ifindex) + ":" + node->name;
  }
  return text;
}

std::string cgroups_text(const std::vector<const PodCgroup*>& cgroups) {
  std::string text;
  for (const PodCgroup* one : cgroups)
    text += (text.empty() ? "" : ",") + std::to_string(one->cgroup_id);
  return text;
}

std::vector<const Sandbox*> sorted(const PodsReport& report) {
  std::vector<const Sandbox*> sandboxes;
  sandboxes.reserve(report.sandboxes.size());
  for (const Sandbox& one : report.sandboxes)
    sandboxes.push_back(&one);
  std::ranges::sort(sandboxes, {}, [](const Sandbox* one) {
    return std::tuple(std::string_view(one->pod->namespace_name), std::string_view(one->pod->name), one->created_ns);
  });
  return sandboxes;
}

Row row_of(const Sandbox& sandbox, const PodsReport& report, const Places& places) {
  const auto netns = netns_of(sandbox, report);
  return {printable(sandbox.pod->namespace_name),
          printable(sandbox.pod->name),
          std::string(state_of(sandbox)),
          netns == 0 ? "-" : std::to_string(netns),
          printable(addresses_of(sandbox)),
          printable(interfaces_text(places.interfaces_of(sandbox))),
          printable(cgroups_text(places.cgroups_of(sandbox))),
          printable(sandbox.id.substr(0, kIdLength))};
}

std::string table_of(const std::vector<Row>& rows) {
  std::array<std::size_t, std::tuple_size_v<Row>> widths{};
  for (const Row& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const Row& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i)
      text += row[i] + std::string(widths[i] - row[i].size() + 1, ' ');
    text += row.back() + "\n";
  }
  return text;
}

Json or_null(std::uint64_t number) {
  return number == 0 ? Json(nullptr) : Json(number);
}

Json text_or_null(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

Json json_of(const Tied& tied) {
  Json node = nullptr;
  if (tied.node)
    node = {{"ifindex", tied.node->ifindex}, {"ifname", tied.node->name}};
  return {{"ifindex", tied.interface->ifindex},
          {"ifname", tied.interface->name},
          {"kind", text_or_null(tied.interface->kind)},
          {"host", node}};
}

Json json_of(const Sandbox& sandbox, const PodsReport& report, const Places& places) {
  Json json = {{"namespace", sandbox.pod->namespace_name},
               {"name", sandbox.pod->name},
               {"uid", sandbox.pod->uid},
               {"labels", sandbox.pod->labels},
               {"host_network", sandbox.pod->host_network},
               {"state", state_of(sandbox)},
               {"created_ns", or_null(static_cast<std::uint64_t>(std::max<std::int64_t>(sandbox.created_ns, 0)))},
               {"sandbox", sandbox.id},
               {"containers", sandbox.container_ids},
               {"netns", or_null(netns_of(sandbox, report))},
               {"netns_cookie", or_null(sandbox.netns_cookie)},
               {"addresses", Json::array()},
               {"interfaces", Json::array()},
               {"cgroups", Json::array()}};
  for (const IpAddress& address : sandbox.addresses)
    json["addresses"].push_back(address_text(address));
  for (const Tied& one : places.interfaces_of(sandbox))
    json["interfaces"].push_back(json_of(one));
  for (const PodCgroup* one : places.cgroups_of(sandbox))
    json["cgroups"].push_back({{"id", one->cgroup_id}, {"container", text_or_null(one->container_id)}});
  return json;
}

}  // namespace

std::string as_table(const PodsReport& report) {
  const Places places{report};
  std::vector<Row> rows = {{"NAMESPACE", "NAME", "STATE", "NETNS", "ADDRESSES", "INTERFACES", "CGROUPS", "SANDBOX"}};
  for (const Sandbox* one : sorted(report))
    rows.push_back(row_of(*one, report, places));
  return table_of(rows);
}

std::string as_json(const PodsReport& report) {
  const Places places{report};
  Json json = {
      {"runtime", {{"name", report.runtime.name}, {"version", report.runtime.version}, {"socket", report.socket}}},
      {"host_netns", or_null(report.host_netns_inum)},
      {"faults",
       {{"malformed", report.faults.malformed},
        {"without_netns", report.faults.without_netns},
        {"beyond_bound", report.faults.beyond_bound},
        {"last", report.faults.last.empty() ? Json(nullptr) : Json(report.faults.last)}}},
      {"lacks", report.lacks},
      {"pods", Json::array()},
  };
  for (const Sandbox* one : sorted(report))
    json["pods"].push_back(json_of(*one, report, places));
  return json_text(json, 2) + "\n";
}

}  // namespace skbtrail
