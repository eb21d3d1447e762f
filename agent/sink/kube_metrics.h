#pragma once
// What the agent's talk with the API server is to Prometheus. Pure.

#include <prometheus/metric_family.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace skbtrail {

// Warning Events on pods that lose packets.
struct PodEventNumbers {
  std::uint64_t written = 0;
  std::uint64_t failed = 0;    // the API server refused them, or could not be asked for too long
  std::uint64_t left_out = 0;  // for which there was no room or no place
};

struct KubeNumbers {
  std::map<std::pair<std::string, int>, std::uint64_t> requests;  // by verb and code of the answer; 0: none came
  std::optional<PodEventNumbers> pod_events = {};                 // none: not wanted
  bool is_leader = false;
  bool is_followed = false;  // the sessions of the API server are known, as of now
};

std::vector<prometheus::MetricFamily> kube_families(const KubeNumbers& numbers);

}  // namespace skbtrail
