#include "sink/kube_metrics.h"

#include "sink/metric_values.h"

namespace skbtrail {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily one_gauge(std::string name, std::string help, bool value) {
  return {std::move(name), std::move(help), MetricType::Gauge, {gauged({}, value ? 1 : 0)}};
}

MetricFamily pod_events_family(const PodEventNumbers& numbers) {
  MetricFamily family{"skbtrail_kube_pod_events_total",
                      "Warning Events on pods that lose packets: written, failed (the API server did not take them), "
                      "left_out (beyond the bounds).",
                      MetricType::Counter,
                      {}};
  for (const auto& [result, count] : {std::pair{"written", numbers.written}, std::pair{"failed", numbers.failed},
                                      std::pair{"left_out", numbers.left_out}})
    family.metric.push_back(counted({{"result", result}}, count));
  return family;
}

}  // namespace

std::vector<MetricFamily> kube_families(const KubeNumbers& numbers) {
  MetricFamily requests{"skbtrail_kube_requests_total",
                        "Requests to the API server, by verb and code of the answer; 0: none came.",
                        MetricType::Counter,
                        {}};
  for (const auto& [of, count] : numbers.requests)
    requests.metric.push_back(counted({{"verb", of.first}, {"code", std::to_string(of.second)}}, count));
  std::vector<MetricFamily> families{
      std::move(requests),
      one_gauge("skbtrail_kube_leader", "1: this agent speaks for all about sessions.", numbers.is_leader),
      one_gauge("skbtrail_kube_followed", "1: the sessions of the API server are known, as of now.",
                numbers.is_followed)};
  if (numbers.pod_events)
    families.push_back(pod_events_family(*numbers.pod_events));
  return families;
}

}  // namespace skbtrail
