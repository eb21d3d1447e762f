#pragma once
// ConfigRow: one key of an agent's configuration, with what its value may be, and how a text becomes that value. All
// keys are in one table, which the file, the environment, the flags and the docs are read against.

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "app/agent_config.h"
#include "base/result.h"

namespace skbtrail {

// What kind of value a key has, and which member of AgentConfig it is.
namespace config_value {

struct Text {
  std::string AgentConfig::*member;
};
// ADDRESS:PORT; may be empty where the key says so.
struct Address {
  std::string AgentConfig::*member;
};
struct WholeNumber {
  std::uint64_t AgentConfig::*member;
  std::uint64_t least;
  std::uint64_t most;
};
struct Size {
  std::uint64_t AgentConfig::*member;
  std::uint64_t least;
  std::uint64_t most;
};
struct Seconds {
  std::chrono::seconds AgentConfig::*member;
  std::chrono::seconds least;
  std::chrono::seconds most;
};
struct YesNo {
  bool AgentConfig::*member;
};
template <class E>
struct Choice {
  E AgentConfig::*member;
  std::vector<std::pair<std::string_view, E>> names;
};
struct Labels {
  std::map<std::string, std::string> AgentConfig::*member;
};

}  // namespace config_value

using ConfigValue = std::variant<config_value::Text, config_value::Address, config_value::WholeNumber,
                                 config_value::Size, config_value::Seconds, config_value::YesNo,
                                 config_value::Choice<RestAuth>, config_value::Choice<Enabled>,
                                 config_value::Choice<LogLevel>, config_value::Choice<LogFormat>, config_value::Labels>;

struct ConfigRow {
  std::string_view key;
  std::string_view flag;
  std::string_view initial;
  ConfigValue kind;
  bool reloadable;
  std::string_view description;
};

const std::vector<ConfigRow>& config_rows();
// Null: there is no such key.
const ConfigRow* find_config_row(std::string_view key);

// For people: "1 to 16", "`true`, `false`".
std::string bounds_text(const ConfigValue& kind);

// Writes the text into its member. EINVAL: it is out of bounds; the message has the text and the bounds, not the key.
Result<> put_config_value(AgentConfig& config, const ConfigRow& row, const std::string& text);
Result<> put_config_labels(AgentConfig& config, const config_value::Labels& kind,
                           std::map<std::string, std::string> labels);

}  // namespace skbtrail
