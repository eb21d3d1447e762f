#include "api/health.h"

#include <catch2/catch.hpp>

using namespace skbtrail;

TEST_CASE("one check that failed fails the page, whatever the others say") {
  const auto page = health_page(HealthQuestion::Alive,
                                {{.name = "loop", .failure = ""}, {.name = "sessions", .failure = "stands still"}});
  CHECK(page.status == 503);
  CHECK(page.text == "[+]loop ok\n[-]sessions failed: stands still\nhealthz check failed\n");
}

TEST_CASE("a check that is degraded is told and fails nothing, unless it has failed too") {
  const HealthCheck degraded{.name = "apiserver", .failure = "", .degraded = "is away"};
  const auto page = health_page(HealthQuestion::Ready, {{.name = "pods", .failure = ""}, degraded});
  CHECK(page.status == 200);
  CHECK(page.text == "[+]pods ok\n[+]apiserver degraded: is away\nreadyz check passed\n");
  const auto failed = health_page(HealthQuestion::Ready, {{.name = "a", .failure = "gone", .degraded = "is away"}});
  CHECK(failed.status == 503);
  CHECK(failed.text == "[-]a failed: gone\nreadyz check failed\n");
}
