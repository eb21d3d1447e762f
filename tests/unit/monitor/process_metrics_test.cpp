#include "monitor/process_metrics.h"

#include <catch2/catch.hpp>

#include "unit/kernel/test_host.h"

namespace skbtrail {
namespace {

double value_of(const std::vector<prometheus::MetricFamily>& families, std::string_view name) {
  for (const auto& family : families)
    if (family.name == name)
      return family.type == prometheus::MetricType::Counter ? family.metric[0].counter.value
                                                            : family.metric[0].gauge.value;
  return -1;
}

TEST_CASE("what cannot be read is left out") {
  const TestHost host;
  CHECK(value_of(process_metrics(host.root()), "process_cpu_seconds_total") == -1);
}

TEST_CASE("a command with spaces and brackets in its name does not shift the fields") {
  TestHost host;
  host.with("/proc/self/stat",
            "42 (a) b (c)) S 1 42 42 0 -1 4194560 900 0 0 0 150 50 0 0 20 0 3 0 1000 8192000 25 1844674407370955\n")
      .with("/proc/stat", "cpu 1 2\nbtime 1700000000\nprocesses 3\n")
      .with("/proc/self/fd/0", "")
      .with("/proc/self/fd/1", "");
  const auto families = process_metrics(host.root());
  CHECK(value_of(families, "process_cpu_seconds_total") == Approx(2.0));
  CHECK(value_of(families, "process_virtual_memory_bytes") == 8192000);
  CHECK(value_of(families, "process_resident_memory_bytes") == 25.0 * 4096);
  CHECK(value_of(families, "process_start_time_seconds") == Approx(1700000010.0));
  CHECK(value_of(families, "process_open_fds") == 1);
}

}  // namespace
}  // namespace skbtrail
