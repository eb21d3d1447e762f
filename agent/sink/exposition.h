#pragma once
// Exposition: metric families as the two text forms that Prometheus reads. Pure.

#include <prometheus/metric_family.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace skbtrail {

enum class ExpositionFormat : std::uint8_t { Text, OpenMetrics };

// From the value of an Accept header; text when OpenMetrics is not asked for.
ExpositionFormat exposition_format_for(std::string_view accept);
std::string_view content_type_of(ExpositionFormat format);

// A family of counters is named with its "_total". OpenMetrics also gets the unit: the last word of a family's name
// (without "_total"), if it is "bytes" or "seconds".
std::string exposition(const std::vector<prometheus::MetricFamily>& families, ExpositionFormat format);

// Two pages of different families as one.
std::string joined(std::string first, const std::string& second, ExpositionFormat format);

}  // namespace skbtrail
