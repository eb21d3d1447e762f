#include "session/status_object.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/json_value.h"
#include "base/overloaded.h"
#include "session/session_schema.h"

namespace skbtrail {

using nlohmann::json;

namespace {

json as_json(const TopDrop& drop) {
  return {{"reason", drop.reason}, {"function", drop.function}, {"count", drop.count}};
}

json as_json(const TopPath& path) {
  return {{"functions", path.functions},
          {"packets", path.packets},
          {"medianNs", path.median_ns},
          {"p99Ns", path.p99_ns},
          {"end", path.end}};
}

template <class Entry>
void put_entries(json& object, const std::string& name, const std::vector<Entry>& entries) {
  for (const Entry& entry : entries)
    object[name].push_back(as_json(entry));
}

SessionPhase phase_at(const json& object, const char* name) {
  const auto* found = std::ranges::find(kPhaseNames, text_at(object, name));
  return found == std::end(kPhaseNames) ? SessionPhase::Pending
                                        : static_cast<SessionPhase>(found - std::begin(kPhaseNames));
}

std::vector<TopDrop> top_drops_at(const json& object, const char* name) {
  std::vector<TopDrop> drops;
  for (const json& entry : list_at(object, name))
    drops.push_back({text_at(entry, "reason"), text_at(entry, "function"), count_at(entry, "count")});
  return drops;
}

std::vector<TopPath> top_paths_at(const json& object, const char* name) {
  std::vector<TopPath> paths;
  for (const json& entry : list_at(object, name)) {
    TopPath path{.functions = {},
                 .packets = count_at(entry, "packets"),
                 .median_ns = count_at(entry, "medianNs"),
                 .p99_ns = count_at(entry, "p99Ns"),
                 .end = text_at(entry, "end")};
    for (const json& function : list_at(entry, "functions"))
      path.functions.push_back(function.is_string() ? function.get<std::string>() : std::string());
    paths.push_back(std::move(path));
  }
  return paths;
}

}  // namespace

json node_entry_of(const NodeStatus& status, const std::string& node) {
  json entry = {{"node", node}};
  for (const NodeField& field : node_fields()) {
    const std::string name(field.name);
    std::visit(Overloaded{
                   [&](std::int64_t NodeStatus::*member) {
                     if (status.*member != 0)
                       entry[name] = time_text(status.*member);
                   },
                   [&](SessionPhase NodeStatus::*member) { entry[name] = name_of(status.*member); },
                   [&](std::vector<TopDrop> NodeStatus::*member) { put_entries(entry, name, status.*member); },
                   [&](std::vector<TopPath> NodeStatus::*member) { put_entries(entry, name, status.*member); },
                   [&](auto member) { entry[name] = status.*member; },
               },
               field.member);
  }
  return entry;
}

NodeStatus node_status_of(const json& entry) {
  NodeStatus status;
  for (const NodeField& field : node_fields()) {
    const std::string name(field.name);
    std::visit(
        Overloaded{
            [&](std::int64_t NodeStatus::*member) {
              status.*member = time_of(text_at(entry, name.c_str())).value_or(0);
            },
            [&](SessionPhase NodeStatus::*member) { status.*member = phase_at(entry, name.c_str()); },
            [&](std::vector<TopDrop> NodeStatus::*member) { status.*member = top_drops_at(entry, name.c_str()); },
            [&](std::vector<TopPath> NodeStatus::*member) { status.*member = top_paths_at(entry, name.c_str()); },
            [&](std::string NodeStatus::*member) { status.*member = text_at(entry, name.c_str()); },
            [&](std::uint64_t NodeStatus::*member) { status.*member = count_at(entry, name.c_str()); },
        },
        field.member);
  }
  return status;
}

}  // namespace skbtrail
