#pragma once
// The file of an agent's configuration: YAML whose keys are those of config_rows().

#include <string>

#include "app/agent_config.h"
#include "base/result.h"

namespace skbtrail {

inline constexpr std::size_t kMaxConfigBytes = 64U << 10;

// Writes what the file says into `config`; `name` stands for it in messages. EINVAL and EFBIG: the message has the
// line, and the nearest known key to one that is not known.
Result<> read_config_file(AgentConfig& config, const std::string& yaml, const std::string& name);

}  // namespace skbtrail
