#include "kube/server_clock.h"

#include <catch2/catch.hpp>

using namespace skbtrail;
using namespace std::chrono_literals;

TEST_CASE("what is no date of HTTP tells no time") {
  for (const char* text : {"", "now", "Tue, 24 Nov 2026 09:00:00", "Tue, 24 Nov 2026 09:00:00 GMT, and more",
                           "2026-11-24T09:00:00Z", "Tue, 24 Nov 2026 25:00:00 GMT"}) {
    CAPTURE(text);
    CHECK_FALSE(time_of_http_date(text));
  }
  CHECK(time_of_http_date("Tue, 24 Nov 2026 09:00:00 GMT") == 1'795'510'800);
}

TEST_CASE("the server's time goes on by the steady clock, whatever the machine's own clock says") {
  ServerClock clock;
  const ServerClock::Steady::time_point start{};
  CHECK(clock.now_s(start, 7) == 7);
  clock.tell(1000, start);
  CHECK(clock.now_s(start, 7) == 1000);
  CHECK(clock.now_s(start + 2500ms, 3'607) == 1002);
  clock.tell(900, start + 3s);  // the server's clock was set
  CHECK(clock.now_s(start + 4s, 7) == 901);
}
