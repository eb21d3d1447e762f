#include "api/health.h"

namespace skbtrail {

HealthPage health_page(HealthQuestion question, const std::vector<HealthCheck>& checks) {
  HealthPage page;
  for (const auto& check : checks) {
    page.text +=
        check.failure.empty() ? "[+]" + check.name + " ok\n" : "[-]" + check.name + " failed: " + check.failure + "\n";
    if (!check.failure.empty())
      page.status = 503;
  }
  page.text += question == HealthQuestion::Alive ? "healthz" : "readyz";
  page.text += page.status == 200 ? " check passed\n" : " check failed\n";
  return page;
}

}  // namespace skbtrail
