#pragma once
// Health: what /healthz and /readyz ask, and the page that answers, in Kubernetes' form.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace skbtrail {

enum class HealthQuestion : std::uint8_t {
  Alive,  // /healthz: a restart would help
  Ready,  // /readyz: it does what it is for
};

struct HealthCheck {
  std::string name;     // one word
  std::string failure;  // why it is not well; empty: it is
  // What it does without, when that is no reason to take its work away from it; empty: nothing.
  std::string degraded = {};
};

// Asked by the threads of servers, several at once; answers at once.
using HealthSource = std::function<std::vector<HealthCheck>(HealthQuestion)>;

struct HealthPage {
  int status = 200;  // 503: one check has failed
  // "[+]name ok", "[+]name degraded: why" or "[-]name failed: why" for each, and a line that sums up.
  std::string text;
};

HealthPage health_page(HealthQuestion question, const std::vector<HealthCheck>& checks);

}  // namespace skbtrail
