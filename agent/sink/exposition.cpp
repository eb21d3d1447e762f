#include "sink/exposition.h"

#include <prometheus/text_serializer.h>

#include <array>
#include <charconv>
#include <cmath>

namespace skbtrail {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr std::string_view kTotal = "_total";

void append_escaped(std::string& text, std::string_view value) {
  for (const char c : value) {
    if (c == '\n')
      text += "\\n";
    else if (c == '"' || c == '\\')
      (text += '\\') += c;
    else
      text += c;
  }
}

void append_number(std::string& text, double value) {
  if (std::isinf(value)) {
    text += value > 0 ? "+Inf" : "-Inf";
    return;
  }
  std::array<char, 32> digits;
  const auto [end, err] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  text.append(digits.data(), end);
}

void append_labels(std::string& text, const std::vector<ClientMetric::Label>& labels, const double* bound) {
  if (labels.empty() && !bound)
    return;
  char before = '{';
  for (const auto& label : labels) {
    ((text += before) += label.name) += "=\"";
    append_escaped(text, label.value);
    text += '"';
    before = ',';
  }
  if (bound) {
    (text += before) += "le=\"";
    append_number(text, *bound);
    text += '"';
  }
  text += '}';
}

struct Sample {
  std::string_view suffix;
  double value;
  const double* bound = nullptr;       // of a bucket
  const Exemplar* exemplar = nullptr;  // of a counter
};

// To the millisecond, as people write times; doubles have more digits than that in the seconds since the epoch.
void append_time(std::string& text, double seconds) {
  std::array<char, 32> digits;
  const auto [end, err] =
      std::to_chars(digits.data(), digits.data() + digits.size(), seconds, std::chars_format::fixed, 3);
  text.append(digits.data(), end);
}

// An exemplar of a counter is one step of it.
void append_exemplar(std::string& text, const Exemplar& exemplar) {
  text += " # ";
  if (exemplar.labels.empty())
    text += "{}";
  append_labels(text, exemplar.labels, nullptr);
  text += " 1 ";
  append_time(text, exemplar.seconds);
}

void append_sample(std::string& text, std::string_view name, const ClientMetric& metric, const Sample& sample) {
  (text += name) += sample.suffix;
  append_labels(text, metric.label, sample.bound);
  text += ' ';
  append_number(text, sample.value);
  if (sample.exemplar)
    append_exemplar(text, *sample.exemplar);
  text += '\n';
}

void append_histogram(std::string& text, std::string_view name, const ClientMetric& metric) {
  for (const auto& bucket : metric.histogram.bucket)
    append_sample(text, name, metric, {"_bucket", static_cast<double>(bucket.cumulative_count), &bucket.upper_bound});
  append_sample(text, name, metric, {"_count", static_cast<double>(metric.histogram.sample_count)});
  append_sample(text, name, metric, {"_sum", metric.histogram.sample_sum});
}

std::string_view unit_of(std::string_view name) {
  for (const std::string_view unit : {"bytes", "seconds"})
    if (name.ends_with(unit) && name.size() > unit.size() && name[name.size() - unit.size() - 1] == '_')
      return unit;
  return {};
}

std::string_view type_name(MetricType type) {
  switch (type) {
    case MetricType::Counter: return "counter";
    case MetricType::Gauge: return "gauge";
    case MetricType::Summary: return "summary";
    case MetricType::Histogram: return "histogram";
    case MetricType::Untyped: return "unknown";
  }
  return "unknown";
}

void append_header(std::string& text, std::string_view name, const MetricFamily& family) {
  (((text += "# TYPE ") += name) += ' ') += type_name(family.type);
  if (const auto unit = unit_of(name); !unit.empty())
    (((text += "\n# UNIT ") += name) += ' ') += unit;
  ((text += "\n# HELP ") += name) += ' ';
  append_escaped(text, family.help);
  text += '\n';
}

const Exemplar* exemplar_at(const Exemplars& exemplars, const std::string& name, std::size_t position) {
  const auto found = exemplars.find(name);
  return found != exemplars.end() && position < found->second.size() ? found->second[position].get() : nullptr;
}

void append_family(std::string& text, const MetricFamily& family, const Exemplars& exemplars) {
  std::string_view name = family.name;
  if (family.type == MetricType::Counter && name.ends_with(kTotal))
    name.remove_suffix(kTotal.size());
  append_header(text, name, family);
  for (std::size_t i = 0; i < family.metric.size(); ++i) {
    const ClientMetric& metric = family.metric[i];
    if (family.type == MetricType::Histogram)
      append_histogram(text, name, metric);
    else if (family.type == MetricType::Counter)
      append_sample(text, name, metric,
                    {kTotal, metric.counter.value, nullptr, exemplar_at(exemplars, family.name, i)});
    else
      append_sample(text, name, metric, {"", metric.gauge.value});
  }
}

std::string open_metrics(const std::vector<MetricFamily>& families, const Exemplars& exemplars) {
  std::string text;
  for (const auto& family : families)
    append_family(text, family, exemplars);
  return text += "# EOF\n";
}

}  // namespace

ExpositionFormat exposition_format_for(std::string_view accept) {
  return accept.find("application/openmetrics-text") == std::string_view::npos ? ExpositionFormat::Text
                                                                               : ExpositionFormat::OpenMetrics;
}

std::string_view content_type_of(ExpositionFormat format) {
  return format == ExpositionFormat::OpenMetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                                 : "text/plain; version=0.0.4; charset=utf-8";
}

std::string exposition(const MetricPage& page, ExpositionFormat format) {
  return format == ExpositionFormat::OpenMetrics ? open_metrics(page.families, page.exemplars)
                                                 : exposition(page.families, format);
}

std::string exposition(const std::vector<MetricFamily>& families, ExpositionFormat format) {
  return format == ExpositionFormat::OpenMetrics ? open_metrics(families, {})
                                                 : prometheus::TextSerializer{}.Serialize(families);
}

std::string joined(std::string first, const std::string& second, ExpositionFormat format) {
  constexpr std::string_view kEnd = "# EOF\n";
  if (format == ExpositionFormat::OpenMetrics && first.ends_with(kEnd))
    first.resize(first.size() - kEnd.size());
  return first += second;
}

}  // namespace skbtrail
