#pragma once
// CheckReport: what `skbtrail check` found out, and the two ways of showing it.

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernel/host_root.h"
#include "kernel/kernel_btf.h"
#include "model/kernel_features.h"
#include "model/kernel_function.h"

namespace skbtrail {

struct CheckReport {
  KernelFeatures features;
  std::optional<Backend> backend;
  FunctionCatalogue functions;
  std::size_t drop_reasons = 0;
  std::vector<std::string> drop_subsystems;
  std::vector<std::string> obstacles;  // why nothing can be traced; empty when it can

  bool can_trace() const { return obstacles.empty(); }
};

// What is listed by name; the rest is counted.
struct ListedFunctions {
  bool attachable = false;
  bool refused = false;
};

// An error only for a wrong request; whatever the kernel lacks becomes part of the report.
Result<CheckReport> examine(const HostRoot& host, const BtfRequest& request);

std::string as_table(const CheckReport& report, const ListedFunctions& listed);
std::string as_json(const CheckReport& report, const ListedFunctions& listed);

}  // namespace skbtrail
