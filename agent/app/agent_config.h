#pragma once
// AgentConfig: how an agent is to be, from a YAML file, then the environment, then flags. One table has every key with
// its default, its bounds and what it is for; docs/configuration.md is that table (a unit test compares them).

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log_level.h"
#include "base/result.h"

namespace skbtrail {

enum class RestAuth : std::uint8_t { None, Kubernetes, TokenFile };
enum class Enabled : std::uint8_t { Auto, Yes, No };
enum class LogFormat : std::uint8_t { Text, Json };

// Checked: what is in it has passed the bounds of its key and fits the other keys.
struct AgentConfig {
  std::string node;  // never empty

  std::string metrics_listen;  // "ADDRESS:PORT"
  std::uint64_t metrics_max_series = 0;
  std::uint64_t metrics_latency_percent = 0;
  std::uint64_t metrics_drop_entries = 0;
  std::string health_listen;  // empty: beside the metrics

  std::string rest_listen;  // empty: not on the network
  std::string rest_cert_file;
  std::string rest_key_file;
  bool rest_plaintext_on_loopback = false;
  RestAuth rest_auth = RestAuth::None;
  std::string rest_token_file;
  std::string rest_socket;  // path; empty: none

  Enabled kubernetes_enabled = Enabled::Auto;
  std::string kubeconfig;
  std::string kubernetes_namespace;
  bool kubernetes_pod_events = false;

  std::string cri_socket;  // empty: looked for

  std::uint64_t sessions_max_running = 0;
  std::uint64_t sessions_max_waiting = 0;

  LogLevel log_level = LogLevel::Info;
  LogFormat log_format = LogFormat::Text;

  std::string loki_url;  // whole; empty: nothing is pushed
  std::string loki_tenant;
  std::map<std::string, std::string> loki_labels;
  std::uint64_t loki_queue_bytes = 0;
  std::uint64_t loki_batch_bytes = 0;
  std::chrono::seconds loki_batch_time{0};
  std::string loki_basic_auth_file;
  std::string loki_bearer_token_file;
  std::string loki_ca_file;

  friend bool operator==(const AgentConfig&, const AgentConfig&) = default;
};

// One key, as people see it.
struct ConfigKey {
  std::string_view key;   // "metrics.maxSeries"
  std::string_view flag;  // "--max-series"
  std::string_view initial;
  std::string bounds;  // of the value, for people
  std::string_view description;
  bool reloadable = false;  // by SIGHUP
  std::string environment;  // "SKBTRAIL_METRICS_MAX_SERIES"
};
const std::vector<ConfigKey>& config_keys();

// Where values come from. The later one wins: file, environment, flags.
struct ConfigSources {
  std::string file;                          // empty: none
  std::map<std::string, std::string> flags;  // by ConfigKey::key; only what was given
  // The value of a variable, and the names of all; std::getenv and environ where the agent runs.
  std::map<std::string, std::string> environment;
};
std::map<std::string, std::string> process_environment();

// EINVAL: the message names the file and line, the variable or the flag, and the nearest known key to one that is not
// known. Another code: the file could not be read. A variable SKBTRAIL_* that is close to no key's is somebody else's:
// Kubernetes itself makes such ones for a Service of this name.
Result<AgentConfig> load_config(const ConfigSources& sources);
// As it is without load_config's reading of the file; `name` stands for it in messages.
Result<AgentConfig> parse_config(const std::string& yaml, const std::string& name, const ConfigSources& sources);

// Keys that differ and wait for a restart, for the log.
std::vector<std::string> needing_restart(const AgentConfig& running, const AgentConfig& wanted);
// `running` with the reloadable keys of `wanted`.
AgentConfig reloaded(AgentConfig running, const AgentConfig& wanted);

// The table of docs/configuration.md.
std::string config_table();

}  // namespace skbtrail
