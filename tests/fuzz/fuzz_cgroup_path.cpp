// Whatever a cgroup is called: no crash, and an owner has a uid and an id of the right shape, both from the path.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "pods/cgroup_path.h"

namespace {

void check_digits(std::string_view text, std::string_view also) {
  for (const char c : text)
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || also.find(c) != std::string_view::npos))
      std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const std::string_view path = skbtrail::cgroup_path_of(text);
  if (!path.empty() && (path.data() < text.data() || path.data() + path.size() > text.data() + text.size()))
    std::abort();
  const auto owner = skbtrail::parse_cgroup_path(text);
  if (!owner)
    return 0;
  if (owner->pod_uid.empty() && owner->container_id.empty())
    std::abort();
  if (!owner->pod_uid.empty() && owner->pod_uid.size() != 36 && owner->pod_uid.size() != 32)
    std::abort();
  check_digits(owner->pod_uid, "-");
  if (!owner->container_id.empty() &&
      (owner->container_id.size() != 64 || text.find(owner->container_id) == std::string_view::npos))
    std::abort();
  check_digits(owner->container_id, "");
  return 0;
}
