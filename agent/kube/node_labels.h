#pragma once
// NodeLabels: the labels of this agent's own Node, asked for when a session needs them.

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "kube/api_client.h"
#include "model/trace_session.h"

namespace skbtrail {

// Used by one thread.
class NodeLabels final {
public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kRemembered{60};

  explicit NodeLabels(std::string node) : node_(std::move(node)) {}

  // Whether they fit. An answer is remembered for a minute, a failure (such as EPERM) for ten seconds.
  Result<bool> fit(const SelectorSpec& selector, ApiClient& client, Clock::time_point now);

private:
  Result<> ask(ApiClient& client);

  std::string node_;
  std::map<std::string, std::string> labels_;
  std::optional<Error> failure_;
  std::optional<Clock::time_point> valid_until_;
};

}  // namespace skbtrail
