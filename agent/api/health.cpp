#include "api/health.h"

namespace skbtrail {
namespace {

std::string line_of(const HealthCheck& check) {
  if (!check.failure.empty())
    return "[-]" + check.name + " failed: " + check.failure + "\n";
  return "[+]" + check.name + (check.degraded.empty() ? " ok" : " degraded: " + check.degraded) + "\n";
}

}  // namespace

HealthPage health_page(HealthQuestion question, const std::vector<HealthCheck>& checks) {
  HealthPage page;
  for (const auto& check : checks) {
    page.text += line_of(check);
    if (!check.failure.empty())
      page.status = 503;
  }
  page.text += question == HealthQuestion::Alive ? "healthz" : "readyz";
  page.text += page.status == 200 ? " check passed\n" : " check failed\n";
  return page;
}

}  // namespace skbtrail
