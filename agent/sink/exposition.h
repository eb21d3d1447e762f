#pragma once
// Exposition: metric families as the two text forms that Prometheus reads. Pure.

#include <prometheus/metric_family.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace skbtrail {

enum class ExpositionFormat : std::uint8_t { Text, OpenMetrics };

// One event that a counter counted. Its labels' names and values have at most 128 characters together.
struct Exemplar {
  std::vector<prometheus::ClientMetric::Label> labels = {};
  double seconds = 0;  // when, since the epoch
};

// By the name of a family; one for each of its metrics, in their order, null where there is none.
using Exemplars = std::map<std::string, std::vector<std::shared_ptr<const Exemplar>>>;

// What is collected at once, before it is text.
struct MetricPage {
  std::vector<prometheus::MetricFamily> families = {};
  Exemplars exemplars = {};  // of some counters
};

// From the value of an Accept header; text when OpenMetrics is not asked for.
ExpositionFormat exposition_format_for(std::string_view accept);
std::string_view content_type_of(ExpositionFormat format);

// A family of counters is named with its "_total". OpenMetrics also gets the unit: the last word of a family's name
// (without "_total"), if it is "bytes" or "seconds", and the exemplars: text has no room for them.
std::string exposition(const MetricPage& page, ExpositionFormat format);
std::string exposition(const std::vector<prometheus::MetricFamily>& families, ExpositionFormat format);

// Two pages of different families as one.
std::string joined(std::string first, const std::string& second, ExpositionFormat format);

}  // namespace skbtrail
