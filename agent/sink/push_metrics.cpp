#include "sink/push_metrics.h"

#include "sink/metric_values.h"

namespace skbtrail {

std::vector<prometheus::MetricFamily> push_families(const PushNumbers& numbers) {
  using prometheus::MetricType;
  return {{"skbtrail_push_lines_total",
           "Lines that the log store took.",
           MetricType::Counter,
           {counted({}, numbers.lines)}},
          {"skbtrail_push_requests_total",
           "Requests to the log store, by its answer.",
           MetricType::Counter,
           {counted({{"answer", "taken"}}, numbers.taken), counted({{"answer", "later"}}, numbers.later),
            counted({{"answer", "refused"}}, numbers.refused)}},
          {"skbtrail_push_lines_lost_total",
           "Lines that the log store never took, by cause.",
           MetricType::Counter,
           {counted({{"cause", "queue"}}, numbers.lost_queue), counted({{"cause", "refused"}}, numbers.lost_refused),
            counted({{"cause", "stop"}}, numbers.lost_stop)}}};
}

}  // namespace skbtrail
