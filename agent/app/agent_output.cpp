#include "app/agent_output.h"

#include <unistd.h>

namespace skbtrail {

AgentOutput::AgentOutput(const AgentConfig& config)
    : lines_(STDOUT_FILENO, config.node),
      log_({.node = config.node,
            .level = config.log_level,
            .lines = config.log_format == LogFormat::Json ? &lines_ : nullptr,
            .text_fd = STDERR_FILENO}) {}

}  // namespace skbtrail
