#include "sink/kube_metrics.h"

#include "sink/metric_values.h"

namespace skbtrail {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily one_gauge(std::string name, std::string help, bool value) {
  return {std::move(name), std::move(help), MetricType::Gauge, {gauged({}, value ? 1 : 0)}};
}

}  // namespace

std::vector<MetricFamily> kube_families(const KubeNumbers& numbers) {
  MetricFamily requests{"skbtrail_kube_requests_total",
                        "Requests to the API server, by verb and code of the answer; 0: none came.",
                        MetricType::Counter,
                        {}};
  for (const auto& [of, count] : numbers.requests)
    requests.metric.push_back(counted({{"verb", of.first}, {"code", std::to_string(of.second)}}, count));
  return {std::move(requests),
          one_gauge("skbtrail_kube_leader", "1: this agent speaks for all about sessions.", numbers.is_leader),
          one_gauge("skbtrail_kube_followed", "1: the sessions of the API server are known, as of now.",
                    numbers.is_followed)};
}

}  // namespace skbtrail
