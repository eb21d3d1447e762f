#pragma once
// The push to a log store, as the agent's configuration wants it.

#include <memory>

#include "app/agent_config.h"
#include "base/result.h"
#include "sink/log_push.h"

namespace skbtrail {

// Null: none is wanted. What is wrong with the place is an error; a store that is away is none.
Result<std::unique_ptr<LogPush>> open_log_push(const AgentConfig& config, Teller tell);

}  // namespace skbtrail
