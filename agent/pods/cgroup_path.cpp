#include "pods/cgroup_path.h"

#include <algorithm>

namespace skbtrail {
namespace {

constexpr std::size_t kIdDigits = 64;
constexpr std::size_t kUidDigits = 36;        // 8-4-4-4-12
constexpr std::size_t kStaticUidDigits = 32;  // of a static pod: a hash of its file

constexpr std::string_view kSlice = ".slice";
constexpr std::string_view kScope = ".scope";
constexpr std::string_view kPod = "pod";

bool is_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

bool is_id(std::string_view text) {
  return text.size() == kIdDigits && std::ranges::all_of(text, is_digit);
}

bool is_dash_of_uid(std::size_t at) {
  return at == 8 || at == 13 || at == 18 || at == 23;
}

// `dash`: '-', or '_' where systemd takes '-' for a level.
std::optional<std::string> uid_of(std::string_view text, char dash) {
  if (text.size() == kStaticUidDigits && std::ranges::all_of(text, is_digit))
    return std::string(text);
  if (text.size() != kUidDigits)
    return std::nullopt;
  for (std::size_t at = 0; at < text.size(); ++at)
    if (is_dash_of_uid(at) ? text[at] != dash : !is_digit(text[at]))
      return std::nullopt;
  std::string uid(text);
  std::ranges::replace(uid, dash, '-');
  return uid;
}

// "kubepods-burstable-pod1234_….slice", "kubelet-kubepods-pod1234_….slice"
std::optional<std::string> uid_of_slice(std::string_view name) {
  name.remove_suffix(kSlice.size());
  const std::size_t at = name.rfind("-pod");
  if (at == std::string_view::npos || name.substr(0, at).find("kubepods") == std::string_view::npos)
    return std::nullopt;
  return uid_of(name.substr(at + 1 + kPod.size()), '_');
}

std::optional<std::string> pod_of(std::string_view name) {
  if (name.ends_with(kSlice))
    return uid_of_slice(name);
  return name.starts_with(kPod) ? uid_of(name.substr(kPod.size()), '-') : std::nullopt;
}

// "<id>", "cri-containerd-<id>.scope", "crio-<id>", "libpod-<id>.scope", "cri-containerd:<id>"
std::optional<std::string> container_of(std::string_view name) {
  if (name.ends_with(kScope))
    name.remove_suffix(kScope.size());
  if (name.size() < kIdDigits)
    return std::nullopt;
  const std::string_view id = name.substr(name.size() - kIdDigits);
  const std::string_view runtime = name.substr(0, name.size() - kIdDigits);
  if (!is_id(id) || !(runtime.empty() || runtime.ends_with('-') || runtime.ends_with(':')))
    return std::nullopt;
  return std::string(id);
}

// "crio-conmon-<id>.scope": the process that watches a container, in the host's namespaces.
bool is_watcher(std::string_view name) {
  return name.find("conmon-") != std::string_view::npos;
}

// One level of the path; false ends the look.
bool take_level(std::string_view name, CgroupOwner& owner) {
  if (owner.pod_uid.empty()) {
    if (auto uid = pod_of(name)) {
      // What stood above was the machine's own container, as with kind: the pod's comes below.
      owner = {.pod_uid = std::move(*uid), .container_id = {}};
      return true;
    }
  }
  if (!owner.container_id.empty())
    return true;
  if (is_watcher(name)) {
    owner = {};
    return false;
  }
  if (auto id = container_of(name))
    owner.container_id = std::move(*id);
  return true;
}

// containerd with a systemd path under the cgroupfs driver: "kubepods-pod….slice:cri-containerd:<id>" is one level.
bool take_joined_levels(std::string_view name, CgroupOwner& owner) {
  const std::size_t colon = name.find(':');
  if (colon == std::string_view::npos || !name.substr(0, colon).ends_with(kSlice))
    return take_level(name, owner);
  return take_level(name.substr(0, colon), owner) && take_level(name.substr(colon + 1), owner);
}

// "1:name=systemd:/path" -> {"name=systemd", "/path"}
struct CgroupLine {
  std::string_view hierarchy;
  std::string_view controllers;
  std::string_view path;
};

std::optional<CgroupLine> parse_line(std::string_view line) {
  const std::size_t first = line.find(':');
  if (first == std::string_view::npos)
    return std::nullopt;
  const std::size_t second = line.find(':', first + 1);
  if (second == std::string_view::npos)
    return std::nullopt;
  return CgroupLine{.hierarchy = line.substr(0, first),
                    .controllers = line.substr(first + 1, second - first - 1),
                    .path = line.substr(second + 1)};
}

// How well a line tells containers apart; 0: not at all.
int rank_of(const CgroupLine& line) {
  if (line.path.size() < 2)
    return 0;
  if (line.hierarchy == "0" && line.controllers.empty())
    return 3;
  return line.controllers == "name=systemd" ? 2 : 1;
}

// The next part of `text`, which loses it and the `end` behind it.
std::string_view cut(std::string_view& text, char end) {
  const std::size_t at = std::min(text.find(end), text.size());
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return part;
}

// mountinfo writes a space as \040.
std::string unescaped(std::string_view text) {
  const auto is_octal = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '7'; };
  std::string plain;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\\' && text.size() - at > 3 && is_octal(at + 1) && is_octal(at + 2) && is_octal(at + 3)) {
      plain += static_cast<char>((text[at + 1] - '0') * 64 + (text[at + 2] - '0') * 8 + (text[at + 3] - '0'));
      at += 3;
    } else {
      plain += text[at];
    }
  }
  return plain;
}

// How far above the reader's own cgroup namespace a mount's root is: "/" 0, "/../.." 2. nullopt: it is below one.
std::optional<std::size_t> levels_above(std::string_view root) {
  constexpr std::string_view kUp = "/..";
  std::size_t levels = 0;
  for (; root.starts_with(kUp); root.remove_prefix(kUp.size()))
    ++levels;
  const bool is_whole = levels > 0 ? root.empty() : root == "/";
  return is_whole ? std::optional(levels) : std::nullopt;
}

}  // namespace

std::optional<CgroupOwner> parse_cgroup_path(std::string_view path) {
  if (path.size() > kMaxCgroupPath)
    return std::nullopt;
  CgroupOwner owner;
  while (!path.empty() && take_joined_levels(cut(path, '/'), owner)) {
  }
  if (owner == CgroupOwner{})
    return std::nullopt;
  return owner;
}

std::string_view cgroup_path_of(std::string_view proc_cgroup) {
  std::string_view best;
  int best_rank = 0;
  while (!proc_cgroup.empty()) {
    const auto line = parse_line(cut(proc_cgroup, '\n'));
    if (const int rank = line ? rank_of(*line) : 0; rank > best_rank) {
      best = line->path;
      best_rank = rank;
    }
  }
  return best;
}

// "41 31 0:38 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw": id, parent, device, root, mount point, options,
// any number of further fields, "-", type, …
std::optional<std::string> cgroup2_mount(std::string_view mountinfo) {
  constexpr std::string_view kBehindFields = " - cgroup2 ";
  std::optional<std::string> found;
  std::size_t highest = 0;
  while (!mountinfo.empty()) {
    std::string_view line = cut(mountinfo, '\n');
    if (line.find(kBehindFields) == std::string_view::npos)
      continue;
    for (int field = 0; field < 3; ++field)
      (void)cut(line, ' ');
    const auto levels = levels_above(cut(line, ' '));
    const std::string_view mount = cut(line, ' ');
    if (!levels || !mount.starts_with('/') || (found && *levels <= highest))
      continue;
    found = unescaped(mount);
    highest = *levels;
  }
  return found;
}

}  // namespace skbtrail
