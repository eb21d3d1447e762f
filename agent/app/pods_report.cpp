#include "app/pods_report.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <tuple>

#include "base/json_value.h"

namespace skbtrail {
namespace {

using Json = nlohmann::ordered_json;
using Row = std::array<std::string, 6>;

constexpr std::size_t kIdLength = 12;  // of container ids, as other tools shorten them

std::string text_of(const IpAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(address.version == 4 ? AF_INET : AF_INET6, address.bytes, text.data(), text.size());
  return text.data();
}

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
    text += (text.empty() ? "" : ",") + text_of(address);
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

Row row_of(const Sandbox& sandbox, const PodsReport& report) {
  const auto netns = netns_of(sandbox, report);
  return {printable(sandbox.pod->namespace_name), printable(sandbox.pod->name),
          std::string(state_of(sandbox)),         netns == 0 ? "-" : std::to_string(netns),
          printable(addresses_of(sandbox)),       printable(sandbox.id.substr(0, kIdLength))};
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

Json json_of(const Sandbox& sandbox, const PodsReport& report) {
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
               {"addresses", Json::array()}};
  for (const IpAddress& address : sandbox.addresses)
    json["addresses"].push_back(text_of(address));
  return json;
}

}  // namespace

std::string as_table(const PodsReport& report) {
  std::vector<Row> rows = {{"NAMESPACE", "NAME", "STATE", "NETNS", "ADDRESSES", "SANDBOX"}};
  for (const Sandbox* one : sorted(report))
    rows.push_back(row_of(*one, report));
  return table_of(rows);
}

std::string as_json(const PodsReport& report) {
  Json json = {
      {"runtime", {{"name", report.runtime.name}, {"version", report.runtime.version}, {"socket", report.socket}}},
      {"host_netns", or_null(report.host_netns_inum)},
      {"faults",
       {{"malformed", report.faults.malformed},
        {"without_netns", report.faults.without_netns},
        {"beyond_bound", report.faults.beyond_bound},
        {"last", report.faults.last.empty() ? Json(nullptr) : Json(report.faults.last)}}},
      {"pods", Json::array()},
  };
  for (const Sandbox* one : sorted(report))
    json["pods"].push_back(json_of(*one, report));
  return json_text(json, 2) + "\n";
}

}  // namespace skbtrail
