#include "pods/verbose_info.h"

#include <climits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

namespace skbtrail {
namespace {

using Json = nlohmann::json;

// The kernel's own limit for 64-bit machines, PID_MAX_LIMIT.
constexpr std::int64_t kMaxPid = 4 << 20;

Result<Json> parse(const std::string& text) {
  if (text.size() > kMaxVerboseInfo)
    return refuse(EBADMSG, "the runtime's verbose info has " + std::to_string(text.size()) + " bytes");
  Json json = Json::parse(text, nullptr, /* allow_exceptions= */ false);
  if (json.is_discarded())
    return refuse(EBADMSG, "the runtime's verbose info is no JSON");
  return json;
}

const Json* member(const Json& json, const char* key) {
  if (!json.is_object())
    return nullptr;
  const auto found = json.find(key);
  return found == json.end() ? nullptr : &*found;
}

std::string_view text_of(const Json* json) {
  return json && json->is_string() ? std::string_view(json->get_ref<const std::string&>()) : std::string_view();
}

pid_t pid_of(const Json* json) {
  if (!json || !json->is_number_integer())
    return 0;
  const auto pid = json->get<std::int64_t>();
  return pid > 0 && pid <= kMaxPid ? static_cast<pid_t>(pid) : 0;
}

// An absolute path that the kernel could open, and nothing that only looks like one.
bool is_path(std::string_view path) {
  return path.starts_with('/') && path.size() < PATH_MAX && path.find('\0') == std::string_view::npos;
}

// Namespaces of the OCI runtime spec: [{"type": "network", "path": "/var/run/netns/cni-…"}, …].
std::string netns_path_of(const Json* spec) {
  const Json* linux_part = spec ? member(*spec, "linux") : nullptr;
  const Json* namespaces = linux_part ? member(*linux_part, "namespaces") : nullptr;
  if (!namespaces || !namespaces->is_array())
    return {};
  for (const Json& one : *namespaces)
    if (const auto path = text_of(member(one, "path")); text_of(member(one, "type")) == "network" && is_path(path))
      return std::string(path);
  return {};
}

}  // namespace

Result<RuntimePlace> parse_verbose_info(const std::map<std::string, std::string>& info) {
  if (const auto whole = info.find("info"); whole != info.end()) {
    const Json json = TRY(parse(whole->second));
    return RuntimePlace{.netns_path = netns_path_of(member(json, "runtimeSpec")), .pid = pid_of(member(json, "pid"))};
  }
  RuntimePlace place;
  if (const auto pid = info.find("pid"); pid != info.end()) {
    const Json json = TRY(parse(pid->second));
    place.pid = pid_of(&json);
  }
  if (const auto spec = info.find("runtimeSpec"); spec != info.end()) {
    const Json json = TRY(parse(spec->second));
    place.netns_path = netns_path_of(&json);
  }
  return place;
}

}  // namespace skbtrail
