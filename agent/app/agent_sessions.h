#pragma once
// AgentSessions: all that sessions of the agent need, made and ended in the right order.

#include <memory>
#include <string>
#include <vector>

#include "pods/pod_source.h"
#include "session/session_manager.h"
#include "session/tracing_node.h"
#include "sink/line_batch.h"
#include "sink/line_fan.h"

namespace skbtrail {

class AgentSessions final {
public:
  struct Settings {
    std::string node = {};
    SessionLimits limits = {};
    PodSource* pods = nullptr;     // outlives this; null: not known
    std::string why_no_pods = {};  // then
    std::vector<SessionListener*> listeners = {};
    std::vector<LineReceiver*> receivers = {};  // of all lines; outlive this
  };

  // Nothing runs before begin().
  explicit AgentSessions(const Settings& settings);

  void begin() { manager_.begin(); }
  SessionManager& manager() { return manager_; }
  // Where lines go, also those that tell who started and ended what.
  LineReceiver& lines() { return lines_; }

private:
  LineFan lines_;
  TracingNode node_;
  SessionManager manager_;  // goes first: what it ends still writes
};

}  // namespace skbtrail
