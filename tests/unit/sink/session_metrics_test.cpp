#include "sink/session_metrics.h"

#include <catch2/catch.hpp>
#include <string>

#include "sink/exposition.h"

using namespace skbtrail;

TEST_CASE("sessions are counted by phase, and each has its events, packets, losses and probes") {
  const std::vector<SessionNumbers> sessions = {
      {.key = {.namespace_name = "shop", .name = "debug"},
       .status = {.phase = SessionPhase::Running,
                  .backend = "kprobe.multi",
                  .probes_attached = 45,
                  .packets = 12,
                  .events = 100,
                  .lost = 5,
                  .lost_budget = 5}},
      {.key = {.namespace_name = "", .name = "all"}, .status = {.phase = SessionPhase::Completed}}};
  const auto page = exposition(session_families(sessions), ExpositionFormat::Text);
  for (const char* line : {"skbtrail_sessions{phase=\"Running\"} 1\n", "skbtrail_sessions{phase=\"Pending\"} 0\n",
                           "skbtrail_session_events_total{session=\"shop/debug\"} 100\n",
                           "skbtrail_session_packets_total{session=\"shop/debug\"} 12\n",
                           "skbtrail_events_lost_total{session=\"shop/debug\",cause=\"budget\"} 5\n",
                           "skbtrail_probes{session=\"shop/debug\",backend=\"kprobe.multi\",state=\"attached\"} 45\n",
                           "skbtrail_session_events_total{session=\"all\"} 0\n"}) {
    INFO(line << page);
    CHECK(page.find(line) != std::string::npos);
  }
}

TEST_CASE("very many sessions do not become very many series, and the newest ones have them") {
  std::vector<SessionNumbers> sessions(1000);
  for (std::uint64_t number = 0; number < sessions.size(); ++number)
    sessions[number] = {.key = {.namespace_name = "", .name = std::to_string(number)}, .status = {}, .number = number};
  const auto families = session_families(sessions);
  CHECK(families[1].metric.size() == kMaxSessionSeries);
  CHECK(families[1].metric.front().label.front().value == "999");
  CHECK(families[1].metric.back().label.front().value == "900");
  CHECK(families[0].metric[0].gauge.value == 1000);
}
