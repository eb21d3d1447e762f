#include "sink/kube_metrics.h"

namespace skbtrail {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily one_gauge(std::string name, std::string help, bool value) {
  ClientMetric metric;
  metric.gauge.value = value ? 1 : 0;
  return {std::move(name), std::move(help), MetricType::Gauge, {std::move(metric)}};
}

}  // namespace

std::vector<MetricFamily> kube_families(const KubeNumbers& numbers) {
  MetricFamily requests{"skbtrail_kube_requests_total",
                        "Requests to the API server, by verb and code of the answer; 0: none came.",
                        MetricType::Counter,
                        {}};
  for (const auto& [of, count] : numbers.requests) {
    ClientMetric metric;
    metric.label = {{"verb", of.first}, {"code", std::to_string(of.second)}};
    metric.counter.value = static_cast<double>(count);
    requests.metric.push_back(std::move(metric));
  }
  return {std::move(requests),
          one_gauge("skbtrail_kube_leader", "1: this agent speaks for all about sessions.", numbers.is_leader),
          one_gauge("skbtrail_kube_followed", "1: the sessions of the API server are known, as of now.",
                    numbers.is_followed)};
}

}  // namespace skbtrail
