#include "kernel/backend_choice.h"

#include <array>
#include <string>

namespace skbtrail {
namespace {

constexpr std::array kBestFirst = {Backend::FentryMulti, Backend::KprobeMulti, Backend::Kprobe};

// "; missing here: CAP_BPF, CAP_PERFMON", or nothing.
std::string missing_here(const KernelFeatures& features) {
  std::string text;
  for (const MissingCapability& capability : features.missing_capabilities)
    text += (text.empty() ? "; missing here: " : ", ") + capability.name;
  return text;
}

std::string all_reasons(const KernelFeatures& features) {
  std::string text;
  for (const Backend backend : kBestFirst)
    text +=
        (text.empty() ? "" : "; ") + std::string(backend_name(backend)) + ": " + feature_of(backend, features).why_not;
  return text;
}

std::optional<Backend> best(const KernelFeatures& features) {
  for (const Backend backend : kBestFirst)
    if (feature_of(backend, features).available)
      return backend;
  return std::nullopt;
}

}  // namespace

const Feature& feature_of(Backend backend, const KernelFeatures& features) {
  switch (backend) {
    case Backend::FentryMulti: return features.fentry_multi;
    case Backend::KprobeMulti: return features.kprobe_multi;
    case Backend::Kprobe: return features.kprobe;
  }
  std::abort();
}

Result<Backend> choose_backend(const KernelFeatures& features, std::optional<Backend> forced) {
  if (!features.ring_buffer.available)
    return refuse(ENOTSUP, "BPF ring buffers are not available (" + features.ring_buffer.why_not +
                               "): Linux 5.8 or newer and CAP_BPF are needed" + missing_here(features));
  const auto available = best(features);
  if (forced && !feature_of(*forced, features).available)
    return refuse(ENOTSUP, "backend '" + std::string(backend_name(*forced)) + "' is not available (" +
                               feature_of(*forced, features).why_not + ")" +
                               (available ? ": use '" + std::string(backend_name(*available)) + "'" : "") +
                               missing_here(features));
  if (!available)
    return refuse(ENOTSUP, "functions cannot be traced here (" + all_reasons(features) +
                               "): a kernel with CONFIG_KPROBE_EVENTS, and CAP_BPF and CAP_PERFMON are needed" +
                               missing_here(features));
  return forced.value_or(*available);
}

}  // namespace skbtrail
