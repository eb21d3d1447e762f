#pragma once
// Which way of attaching to take. A pure function of what the kernel offers.

#include <optional>

#include "base/result.h"
#include "model/kernel_features.h"

namespace skbtrail {

const Feature& feature_of(Backend backend, const KernelFeatures& features);

// The best backend, or the one the user insists on. ENOTSUP says what is missing and how to get it.
Result<Backend> choose_backend(const KernelFeatures& features, std::optional<Backend> forced);

}  // namespace skbtrail
