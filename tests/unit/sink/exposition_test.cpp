#include "sink/exposition.h"

#include <catch2/catch.hpp>
#include <limits>
#include <memory>

namespace skbtrail {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

ClientMetric counter(std::vector<ClientMetric::Label> labels, double value) {
  ClientMetric metric;
  metric.label = std::move(labels);
  metric.counter.value = value;
  return metric;
}

std::shared_ptr<const Exemplar> shared(Exemplar exemplar) {
  return std::make_shared<const Exemplar>(std::move(exemplar));
}

TEST_CASE("OpenMetrics is given to those who ask for it") {
  CHECK(exposition_format_for("") == ExpositionFormat::Text);
  CHECK(exposition_format_for("text/plain;version=0.0.4") == ExpositionFormat::Text);
  CHECK(exposition_format_for("application/openmetrics-text;version=1.0.0,text/plain;q=0.5") ==
        ExpositionFormat::OpenMetrics);
}

TEST_CASE("a page without metrics is only its end in OpenMetrics") {
  CHECK(exposition(MetricPage{}, ExpositionFormat::OpenMetrics) == "# EOF\n");
}

TEST_CASE("a counter is named without _total where OpenMetrics describes it, and with it where it has a value") {
  const std::vector<MetricFamily> families = {{"a_bytes_total",
                                               "What \"a\"\nis.",
                                               MetricType::Counter,
                                               {counter({{"pod", "x\\y\"z\nq"}}, 9007199254740992.0)}}};
  CHECK(exposition(families, ExpositionFormat::OpenMetrics) ==
        "# TYPE a_bytes counter\n# UNIT a_bytes bytes\n# HELP a_bytes What \\\"a\\\"\\nis.\n"
        "a_bytes_total{pod=\"x\\\\y\\\"z\\nq\"} 9007199254740992\n# EOF\n");
  CHECK(exposition(families, ExpositionFormat::Text).find("# TYPE a_bytes_total counter\n") != std::string::npos);
}

TEST_CASE("a counter's exemplar is one step of it, and only OpenMetrics has it") {
  const MetricPage page{
      .families = {{"a_total", "A.", MetricType::Counter, {counter({}, 3), counter({{"b", "c"}}, 4)}}},
      .exemplars = {{"a_total", {nullptr, shared({.labels = {{"saddr", "10.0.0.1"}}, .seconds = 1764442800.1239})}}}};
  CHECK(
      exposition(page, ExpositionFormat::OpenMetrics) ==
      "# TYPE a counter\n# HELP a A.\na_total 3\na_total{b=\"c\"} 4 # {saddr=\"10.0.0.1\"} 1 1764442800.124\n# EOF\n");
  CHECK(exposition(page, ExpositionFormat::Text) == exposition(page.families, ExpositionFormat::Text));
}

TEST_CASE("an exemplar of which nothing but its time is known has no labels") {
  const MetricPage page{.families = {{"a_total", "A.", MetricType::Counter, {counter({}, 3)}}},
                        .exemplars = {{"a_total", {shared({.labels = {}, .seconds = 2})}}, {"gone_total", {}}}};
  CHECK(exposition(page, ExpositionFormat::OpenMetrics) ==
        "# TYPE a counter\n# HELP a A.\na_total 3 # {} 1 2.000\n# EOF\n");
}

TEST_CASE("a histogram has its buckets, count and sum") {
  ClientMetric metric;
  metric.histogram = {
      .sample_count = 3, .sample_sum = 0.5, .bucket = {{1, 0.25}, {3, std::numeric_limits<double>::infinity()}}};
  CHECK(exposition({{"h_seconds", "H.", MetricType::Histogram, {metric}}}, ExpositionFormat::OpenMetrics) ==
        "# TYPE h_seconds histogram\n# UNIT h_seconds seconds\n# HELP h_seconds H.\nh_seconds_bucket{le=\"0.25\"} 1\n"
        "h_seconds_bucket{le=\"+Inf\"} 3\nh_seconds_count 3\nh_seconds_sum 0.5\n# EOF\n");
}

}  // namespace
}  // namespace skbtrail
