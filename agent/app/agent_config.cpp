#include "app/agent_config.h"

#include <unistd.h>

#include <array>
#include <cctype>
#include <fstream>
#include <sstream>
#include <utility>
#include <variant>

#include "api/listen_address.h"
#include "app/config_file.h"
#include "app/config_rows.h"
#include "base/nearest_name.h"

namespace skbtrail {
namespace {

constexpr std::string_view kPrefix = "SKBTRAIL_";

std::string environment_name(std::string_view key) {
  std::string name{kPrefix};
  for (const char letter : key) {
    if (std::isupper(static_cast<unsigned char>(letter)))
      name += '_';
    name += letter == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  }
  return name;
}

// What only looks like ours is left alone: for a Service called skbtrail, Kubernetes sets SKBTRAIL_SERVICE_HOST and
// more.
Result<> check_unknown_variable(const std::string& name) {
  std::vector<std::string> known;
  for (const ConfigRow& row : config_rows())
    known.push_back(environment_name(row.key).substr(kPrefix.size()));
  const auto near = nearest_name(std::string_view(name).substr(kPrefix.size()), known);
  if (near.empty())
    return {};
  return refuse(EINVAL,
                "environment: unknown variable " + name + "; did you mean " + std::string(kPrefix) + near + "?");
}

Result<> read_environment(AgentConfig& config, const std::map<std::string, std::string>& environment) {
  std::map<std::string, const ConfigRow*> known;
  for (const ConfigRow& row : config_rows())
    known.emplace(environment_name(row.key), &row);
  for (const auto& [name, value] : environment) {
    const auto row = known.find(name);
    if (row != known.end()) {
      if (auto done = put_config_value(config, *row->second, value); !done)
        return within("environment: " + name, done.error());
    } else if (name.starts_with(kPrefix)) {
      TRY(check_unknown_variable(name));
    }
  }
  return {};
}

Result<> read_flags(AgentConfig& config, const std::map<std::string, std::string>& flags) {
  for (const auto& [key, value] : flags) {
    const ConfigRow* row = find_config_row(key);
    if (!row)
      return refuse(EINVAL, "no key '" + key + "'");
    if (auto done = put_config_value(config, *row, value); !done)
      return within(row->flag, done.error());
  }
  return {};
}

std::string node_name(const std::map<std::string, std::string>& environment) {
  if (const auto name = environment.find("NODE_NAME"); name != environment.end() && !name->second.empty())
    return name->second;
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

bool is_loopback(const std::string& listen) {
  const auto address = parse_listen_address(listen);
  return address && (address->host == "::1" || address->host == "localhost" || address->host.starts_with("127."));
}

Result<> check_rest(const AgentConfig& config) {
  const bool has_tls = !config.rest_cert_file.empty();
  if (has_tls == config.rest_key_file.empty())
    return refuse(EINVAL, "rest.tls.certFile and rest.tls.keyFile: give both or none");
  if (config.rest_auth == RestAuth::TokenFile && config.rest_token_file.empty())
    return refuse(EINVAL, "rest.tokenFile: rest.auth token-file needs the file's name");
  if (config.rest_auth == RestAuth::Kubernetes && config.kubernetes_enabled == Enabled::No)
    return refuse(EINVAL, "rest.auth: kubernetes judges tokens only where kubernetes.enabled is not false");
  if (config.rest_listen.empty())
    return {};
  if (config.rest_auth == RestAuth::None)
    return refuse(EINVAL,
                  "rest.auth: nothing is served on the network without authentication; set kubernetes or "
                  "token-file, or use rest.socket");
  if (!has_tls && !(config.rest_plaintext_on_loopback && is_loopback(config.rest_listen)))
    return refuse(EINVAL,
                  "rest.listen: without rest.tls only a loopback address is served, and only with "
                  "rest.plaintextOnLoopback true");
  return {};
}

Result<> check_loki(const AgentConfig& config) {
  if (config.loki_url.empty())
    return {};
  if (!config.loki_url.starts_with("http://") && !config.loki_url.starts_with("https://"))
    return refuse(EINVAL, "loki.url: '" + config.loki_url + "' begins with neither http:// nor https://");
  if (!config.loki_basic_auth_file.empty() && !config.loki_bearer_token_file.empty())
    return refuse(EINVAL, "loki.basicAuthFile and loki.bearerTokenFile: give one of them");
  if (config.loki_batch_bytes > config.loki_queue_bytes)
    return refuse(EINVAL, "loki.batchBytes is more than loki.queueBytes");
  return {};
}

// What one key alone cannot say.
Result<AgentConfig> checked(AgentConfig config) {
  if (config.metrics_listen.empty())
    return refuse(EINVAL, "metrics.listen: is empty; write ADDRESS:PORT, such as 127.0.0.1:9464");
  if (config.rest_socket.size() > 107)
    return refuse(EINVAL, "rest.socket: a socket's path has at most 107 characters");
  if (!config.rest_socket.empty() && config.rest_socket.front() != '/')
    return refuse(EINVAL, "rest.socket: '" + config.rest_socket + "' is not an absolute path");
  if (config.kubernetes_pod_events && config.kubernetes_enabled == Enabled::No)
    return refuse(EINVAL, "kubernetes.podEvents: events are written only where kubernetes.enabled is not false");
  TRY(check_rest(config));
  TRY(check_loki(config));
  return config;
}

Result<AgentConfig> initial_config() {
  AgentConfig config;
  for (const ConfigRow& row : config_rows())
    if (auto done = put_config_value(config, row, std::string(row.initial)); !done)
      return within(row.key, done.error());
  return config;
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxConfigBytes + 1, '\0');
  if (!file || (file.read(text.data(), static_cast<std::streamsize>(text.size())), file.bad()))
    return fail(errno ? errno : EIO, "read '" + path + "'");
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

bool differs(const AgentConfig& one, const AgentConfig& other, const ConfigRow& row) {
  return std::visit([&](const auto& kind) { return one.*kind.member != other.*kind.member; }, row.kind);
}

}  // namespace

const std::vector<ConfigKey>& config_keys() {
  static const auto kKeys = [] {
    std::vector<ConfigKey> made;
    for (const ConfigRow& row : config_rows())
      made.push_back({.key = row.key,
                      .flag = row.flag,
                      .initial = row.initial,
                      .bounds = bounds_text(row.kind),
                      .description = row.description,
                      .reloadable = row.reloadable,
                      .environment = environment_name(row.key)});
    return made;
  }();
  return kKeys;
}

std::map<std::string, std::string> process_environment() {
  std::map<std::string, std::string> found;
  for (char** entry = environ; entry && *entry; ++entry) {
    const std::string_view text = *entry;
    if (const auto equals = text.find('='); equals != std::string_view::npos)
      found.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return found;
}

Result<AgentConfig> parse_config(const std::string& yaml, const std::string& name, const ConfigSources& sources) {
  AgentConfig config = TRY(initial_config());
  TRY(read_config_file(config, yaml, name));
  TRY(read_environment(config, sources.environment));
  TRY(read_flags(config, sources.flags));
  if (config.node.empty())
    config.node = node_name(sources.environment);
  return checked(std::move(config));
}

Result<AgentConfig> load_config(const ConfigSources& sources) {
  return parse_config(sources.file.empty() ? std::string{} : TRY(read_file(sources.file)), sources.file, sources);
}

std::vector<std::string> needing_restart(const AgentConfig& running, const AgentConfig& wanted) {
  std::vector<std::string> keys;
  for (const ConfigRow& row : config_rows())
    if (!row.reloadable && differs(running, wanted, row))
      keys.emplace_back(row.key);
  return keys;
}

AgentConfig reloaded(AgentConfig running, const AgentConfig& wanted) {
  for (const ConfigRow& row : config_rows())
    if (row.reloadable)
      std::visit([&](const auto& kind) { running.*kind.member = wanted.*kind.member; }, row.kind);
  return running;
}

std::string config_table() {
  std::ostringstream table;
  table << "| key, flag | default | value | variable | SIGHUP | meaning |\n|---|---|---|---|---|---|\n";
  for (const ConfigKey& key : config_keys())
    table << "| `" << key.key << "` `" << key.flag << "` | " << (key.initial.empty() ? "" : "`") << key.initial
          << (key.initial.empty() ? "" : "`") << " | " << key.bounds << " | `" << key.environment << "` | "
          << (key.reloadable ? "yes" : "") << " | " << key.description << " |\n";
  return table.str();
}

}  // namespace skbtrail
