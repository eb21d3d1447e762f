#pragma once
// AgentOutput: what the agent writes: the lines of its sessions to stdout, and its own log where the configuration
// wants it. Made before all other parts, so that each of them has somebody to tell.

#include "app/agent_config.h"
#include "sink/agent_log.h"
#include "sink/line_log.h"

namespace skbtrail {

class AgentOutput final {
public:
  explicit AgentOutput(const AgentConfig& config);

  LineReceiver& lines() { return lines_; }
  AgentLog& log() { return log_; }

private:
  LineLog lines_;
  AgentLog log_;  // goes first: its last words may be lines
};

}  // namespace skbtrail
