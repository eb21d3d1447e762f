#include "app/agent_config.h"

#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>
#include <variant>

#include "api/listen_address.h"
#include "app/units.h"
#include "base/nearest_name.h"

namespace skbtrail {
namespace {

constexpr std::size_t kFileBytes = 64U << 10;
constexpr std::size_t kTextLength = 1024;
constexpr std::size_t kLabels = 8;
constexpr std::string_view kPrefix = "SKBTRAIL_";

// ---- kinds of values

struct Text {
  std::string AgentConfig::*member;
};
// ADDRESS:PORT; may be empty where the key says so.
struct Address {
  std::string AgentConfig::*member;
};
struct Number {
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

using Kind = std::variant<Text, Address, Number, Size, Seconds, YesNo, Choice<RestAuth>, Choice<Enabled>,
                          Choice<LogLevel>, Choice<LogFormat>, Labels>;

struct Row {
  std::string_view key;
  std::string_view flag;
  std::string_view initial;
  Kind kind;
  bool reloadable;
  std::string_view description;
};

using C = AgentConfig;

const std::vector<Row>& rows() {
  static const std::vector<Row> kRows{
      {"node", "--node", "", Text{&C::node}, false,
       "the node's name in events and status; empty: the variable `NODE_NAME`, else the host's name"},
      {"metrics.listen", "--metrics-listen", "127.0.0.1:9464", Address{&C::metrics_listen}, false,
       "where `/metrics` is served, IPv6 in brackets, port 0 for any that is free"},
      {"metrics.maxSeries", "--max-series", "20000", Number{&C::metrics_max_series, 100, 1'000'000}, false,
       "series at most; what is more goes to `__overflow__`"},
      {"metrics.dropEntries", "--drop-entries", "16384", Number{&C::metrics_drop_entries, 64, 1U << 20}, false,
       "distinct drops that each of the kernel's two tables has room for"},
      {"metrics.latencyPercent", "--latency-percent", "10", Number{&C::metrics_latency_percent, 0, 100}, false,
       "share of the time in which packets are timed for `skbtrail_path_latency_seconds`, in slices; 0: never"},
      {"health.listen", "--health-listen", "", Address{&C::health_listen}, false,
       "where `/healthz` and `/readyz` are served; empty: beside the metrics"},
      {"rest.listen", "--rest-listen", "", Address{&C::rest_listen}, false,
       "where the REST API is served; empty: not on the network"},
      {"rest.tls.certFile", "--rest-tls-cert-file", "", Text{&C::rest_cert_file}, false,
       "certificate chain, PEM; read again when it changes"},
      {"rest.tls.keyFile", "--rest-tls-key-file", "", Text{&C::rest_key_file}, false, "its private key, PEM"},
      {"rest.plaintextOnLoopback", "--rest-plaintext-on-loopback", "false", YesNo{&C::rest_plaintext_on_loopback},
       false, "serve REST without TLS, which only a loopback address may"},
      {"rest.auth", "--rest-auth", "none",
       Choice<RestAuth>{
           &C::rest_auth,
           {{"none", RestAuth::None}, {"kubernetes", RestAuth::Kubernetes}, {"token-file", RestAuth::TokenFile}}},
       false, "who judges tokens; `none` is for those who do not serve REST on the network"},
      {"rest.tokenFile", "--rest-token-file", "", Text{&C::rest_token_file}, false,
       "tokens of `token-file`, one line for each; read again when it changes"},
      {"rest.socket", "--rest-socket", "", Text{&C::rest_socket}, false,
       "path of a unix socket that serves REST to root and to the agent's own user; empty: none"},
      {"kubernetes.enabled", "--kubernetes", "auto",
       Choice<Enabled>{&C::kubernetes_enabled,
                       {{"auto", Enabled::Auto}, {"true", Enabled::Yes}, {"false", Enabled::No}}},
       false, "watch TraceSessions; `auto`: where there is a kubeconfig or a service account"},
      {"kubernetes.kubeconfig", "--kubeconfig", "", Text{&C::kubeconfig}, false,
       "how to reach the API server; empty: as a pod does"},
      {"kubernetes.namespace", "--kubernetes-namespace", "", Text{&C::kubernetes_namespace}, false,
       "of the agents' Lease; empty: the service account's"},
      {"kubernetes.podEvents", "--pod-events", "false", YesNo{&C::kubernetes_pod_events}, false,
       "write a Warning Event on a pod that loses packets, for reasons that somebody can do something about"},
      {"cri.socket", "--cri", "", Text{&C::cri_socket}, false, "the container runtime's socket; empty: looked for"},
      {"sessions.maxRunning", "--max-running", "4", Number{&C::sessions_max_running, 1, 16}, true,
       "trace sessions that run at once; the others wait"},
      {"sessions.maxWaiting", "--max-waiting", "1000", Number{&C::sessions_max_waiting, 1, 10'000}, true,
       "trace sessions that wait, of one namespace a half of them at most; more are refused"},
      {"log.level", "--log-level", "info",
       Choice<LogLevel>{&C::log_level,
                        {{"error", LogLevel::Error},
                         {"warning", LogLevel::Warning},
                         {"info", LogLevel::Info},
                         {"debug", LogLevel::Debug}}},
       true, "what the agent logs of itself; each level has those before it"},
      {"log.format", "--log-format", "text",
       Choice<LogFormat>{&C::log_format, {{"text", LogFormat::Text}, {"json", LogFormat::Json}}}, false,
       "how: `text` on stderr, or `json`, lines of type `agent` on stdout, among the events"},
      {"loki.url", "--loki-url", "", Text{&C::loki_url}, false,
       "whole URL that events are pushed to, as in `https://loki:3100/loki/api/v1/push`; empty: none are"},
      {"loki.tenant", "--loki-tenant", "", Text{&C::loki_tenant}, false, "sent as `X-Scope-OrgID`"},
      {"loki.labels", "--loki-labels", "", Labels{&C::loki_labels}, false,
       "further labels of each stream, beside `node`, `type` and `session`; outside of the file as `a=b,c=d`"},
      {"loki.queueBytes", "--loki-queue-bytes", "8M", Size{&C::loki_queue_bytes, 64U << 10, 1U << 30}, false,
       "memory for lines that wait; what finds no room is counted as lost"},
      {"loki.batchBytes", "--loki-batch-bytes", "1M", Size{&C::loki_batch_bytes, 1U << 10, 16U << 20}, false,
       "a request is sent as soon as it has so many bytes, before compression"},
      {"loki.batchSeconds", "--loki-batch-seconds", "1",
       Seconds{&C::loki_batch_time, std::chrono::seconds(1), std::chrono::seconds(60)}, false,
       "a line waits so long for others"},
      {"loki.basicAuthFile", "--loki-basic-auth-file", "", Text{&C::loki_basic_auth_file}, false,
       "file with `USER:PASSWORD`"},
      {"loki.bearerTokenFile", "--loki-bearer-token-file", "", Text{&C::loki_bearer_token_file}, false,
       "file with a token; read for each connection"},
      {"loki.caFile", "--loki-ca-file", "", Text{&C::loki_ca_file}, false,
       "certificates that the store's is checked with; empty: the system's"},
  };
  return kRows;
}

const Row* find_row(std::string_view key) {
  const auto found = std::ranges::find(rows(), key, &Row::key);
  return found == rows().end() ? nullptr : &*found;
}

std::string environment_name(std::string_view key) {
  std::string name{kPrefix};
  for (const char letter : key) {
    if (std::isupper(static_cast<unsigned char>(letter)))
      name += '_';
    name += letter == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  }
  return name;
}

// ---- text to value

struct Bounds {
  std::string operator()(const Text&) const { return "text"; }
  std::string operator()(const Address&) const { return "`ADDRESS:PORT`"; }
  std::string operator()(const Number& kind) const { return between(kind.least, kind.most); }
  std::string operator()(const Size& kind) const { return "bytes, " + between(size(kind.least), size(kind.most)); }
  std::string operator()(const Seconds& kind) const { return between(kind.least.count(), kind.most.count()); }
  std::string operator()(const YesNo&) const { return "`true`, `false`"; }
  std::string operator()(const Labels&) const { return "map, at most " + std::to_string(kLabels); }
  template <class E>
  std::string operator()(const Choice<E>& kind) const {
    std::string names;
    for (const auto& [name, value] : kind.names)
      names += (names.empty() ? "`" : ", `") + std::string(name) + "`";
    return names;
  }

private:
  static std::string size(std::uint64_t bytes) {
    if (bytes % (1U << 30) == 0)
      return std::to_string(bytes >> 30) + "G";
    return bytes % (1U << 20) == 0 ? std::to_string(bytes >> 20) + "M" : std::to_string(bytes >> 10) + "K";
  }
  static std::string between(const std::string& least, const std::string& most) { return least + " to " + most; }
  template <class N>
  static std::string between(N least, N most) {
    return between(std::to_string(least), std::to_string(most));
  }
};

Error out_of_bounds(const std::string& text, const Kind& kind) {
  std::string bounds = std::visit(Bounds{}, kind);
  std::erase(bounds, '`');
  return refuse(EINVAL, "'" + text + "' is not one of: " + bounds);
}

Result<std::uint64_t> parse_whole(const std::string& text) {
  std::uint64_t number = 0;
  const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || err != std::errc{} || end != text.data() + text.size())
    return refuse(EINVAL, "'" + text + "' is not a whole number");
  return number;
}

// As Prometheus and Loki take them.
bool is_label_name(const std::string& name) {
  const auto fits = [](char letter) { return std::isalnum(static_cast<unsigned char>(letter)) || letter == '_'; };
  return !name.empty() && !std::isdigit(static_cast<unsigned char>(name.front())) && std::ranges::all_of(name, fits);
}

Result<> check_label(const std::string& name, const std::string& value) {
  if (!is_label_name(name) || name.size() > 64)
    return refuse(EINVAL, "label '" + name + "': a name has letters, digits and _, and at most 64 of them");
  if (name == "node" || name == "type" || name == "session")
    return refuse(EINVAL, "label '" + name + "' is set by the agent itself");
  if (value.empty() || value.size() > 256)
    return refuse(EINVAL, "label '" + name + "': its value has 1 to 256 characters");
  return {};
}

// "a=b,c=d"
Result<std::map<std::string, std::string>> parse_labels(const std::string& text) {
  std::map<std::string, std::string> labels;
  std::istringstream pairs(text);
  for (std::string pair; std::getline(pairs, pair, ',');) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos)
      return refuse(EINVAL, "'" + pair + "' is not NAME=VALUE");
    if (!labels.emplace(pair.substr(0, equals), pair.substr(equals + 1)).second)
      return refuse(EINVAL, "label '" + pair.substr(0, equals) + "' is there twice");
  }
  return labels;
}

Result<> put_labels(AgentConfig& config, const Labels& kind, std::map<std::string, std::string> labels) {
  if (labels.size() > kLabels)
    return refuse(EINVAL, std::to_string(labels.size()) + " labels are more than " + std::to_string(kLabels));
  for (const auto& [name, value] : labels)
    TRY(check_label(name, value));
  config.*kind.member = std::move(labels);
  return {};
}

// Writes the text into its member, or says what is wrong with it.
struct Put {
  AgentConfig& config;
  const std::string& text;

  Result<> operator()(const Text& kind) const {
    config.*kind.member = text;
    return {};
  }
  Result<> operator()(const Address& kind) const {
    if (!text.empty())
      (void)TRY(parse_listen_address(text));
    config.*kind.member = text;
    return {};
  }
  Result<> operator()(const Number& kind) const { return put_bounded(kind, TRY(parse_whole(text))); }
  Result<> operator()(const Size& kind) const { return put_bounded(kind, TRY(parse_size(text))); }
  Result<> operator()(const Seconds& kind) const {
    const auto seconds = std::chrono::seconds(std::min<std::uint64_t>(TRY(parse_whole(text)), INT32_MAX));
    if (seconds < kind.least || seconds > kind.most)
      return out_of_bounds(text, kind);
    config.*kind.member = seconds;
    return {};
  }
  Result<> operator()(const YesNo& kind) const {
    if (text != "true" && text != "false")
      return out_of_bounds(text, kind);
    config.*kind.member = text == "true";
    return {};
  }
  Result<> operator()(const Labels& kind) const { return put_labels(config, kind, TRY(parse_labels(text))); }
  template <class E>
  Result<> operator()(const Choice<E>& kind) const {
    for (const auto& [name, value] : kind.names)
      if (name == text) {
        config.*kind.member = value;
        return {};
      }
    return out_of_bounds(text, kind);
  }

private:
  template <class K>
  Result<> put_bounded(const K& kind, std::uint64_t number) const {
    if (number < kind.least || number > kind.most)
      return out_of_bounds(text, kind);
    config.*kind.member = number;
    return {};
  }
};

Result<> put(AgentConfig& config, const Row& row, const std::string& text) {
  if (text.size() > kTextLength)
    return refuse(EINVAL, "has more than " + std::to_string(kTextLength) + " characters");
  const auto is_control = [](char letter) { return std::iscntrl(static_cast<unsigned char>(letter)) != 0; };
  if (std::ranges::any_of(text, is_control))
    return refuse(EINVAL, "has a control character");
  return std::visit(Put{config, text}, row.kind);
}

// ---- the file

std::string hint(std::string_view wrong, const std::vector<std::string>& known) {
  const std::string near = nearest_name(wrong, known);
  return near.empty() ? "; docs/configuration.md lists them" : "; did you mean '" + near + "'?";
}

// What stands before a dot of some key: "rest", "rest.tls".
std::set<std::string> sections() {
  std::set<std::string> found;
  for (const Row& row : rows())
    for (auto dot = row.key.find('.'); dot != std::string_view::npos; dot = row.key.find('.', dot + 1))
      found.emplace(row.key.substr(0, dot));
  return found;
}

class FileReader {
public:
  FileReader(AgentConfig& config, std::string name) : config_(config), name_(std::move(name)) {}

  Result<> read(const std::string& yaml) {
    if (yaml.size() > kFileBytes)
      return refuse(EFBIG, name_ + ": has more than " + std::to_string(kFileBytes) + " bytes");
    try {
      const auto documents = YAML::LoadAll(yaml);
      if (documents.size() > 1)
        return refuse(EINVAL, name_ + ": has more than one document");
      return documents.empty() ? Result<>{} : read_section(documents.front(), "");
    } catch (const YAML::Exception& error) {
      return at(error.mark, error.msg);
    }
  }

private:
  Error at(const YAML::Mark& mark, const std::string& what) const {
    const bool known = mark.line >= 0;
    return refuse(EINVAL, name_ + ":" + (known ? std::to_string(mark.line + 1) + ":" : "") + " " + what);
  }

  // Sections are two deep at most, so an alias that names itself ends too.
  Result<> read_section(const YAML::Node& node, const std::string& path) {
    if (node.IsNull())
      return {};
    if (!node.IsMap())
      return at(node.Mark(), path.empty() ? "is not a map of keys" : "'" + path + "' has keys below it, not a value");
    for (const auto& entry : node) {
      const YAML::Node& name = entry.first;
      if (!name.IsScalar())
        return at(name.Mark(), "a key is a word");
      TRY(read_key(name.Mark(), entry.second, path.empty() ? name.Scalar() : path + "." + name.Scalar()));
    }
    return {};
  }

  Result<> read_key(const YAML::Mark& mark, const YAML::Node& value, const std::string& key) {
    if (!seen_.insert(key).second)
      return at(mark, "'" + key + "' is there twice");
    static const std::set<std::string> kKnownSections = sections();
    if (kKnownSections.contains(key))
      return read_section(value, key);
    const Row* row = find_row(key);
    if (!row)
      return at(mark, "unknown key '" + key + "'" + hint(key, known_names()));
    const auto done = read_value(*row, value);
    return done ? Result<>{} : at(mark, key + ": " + done.error().message);
  }

  Result<> read_value(const Row& row, const YAML::Node& value) {
    if (value.IsNull())
      return {};
    if (const auto* labels = std::get_if<Labels>(&row.kind); labels && value.IsMap())
      return read_labels(*labels, value);
    if (!value.IsScalar())
      return refuse(EINVAL, "has one value, not a list or a map");
    return put(config_, row, value.Scalar());
  }

  Result<> read_labels(const Labels& kind, const YAML::Node& node) {
    std::map<std::string, std::string> labels;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar() || !entry.second.IsScalar())
        return refuse(EINVAL, "a label has one value");
      if (!labels.emplace(entry.first.Scalar(), entry.second.Scalar()).second)
        return refuse(EINVAL, "label '" + entry.first.Scalar() + "' is there twice");
    }
    return put_labels(config_, kind, std::move(labels));
  }

  static std::vector<std::string> known_names() {
    std::vector<std::string> names;
    for (const Row& row : rows())
      names.emplace_back(row.key);
    for (const std::string& section : sections())
      names.push_back(section);
    return names;
  }

  AgentConfig& config_;
  std::string name_;
  std::set<std::string> seen_;
};

// ---- environment, flags, and all together

// What only looks like ours is left alone: for a Service called skbtrail, Kubernetes sets SKBTRAIL_SERVICE_HOST and
// more.
Result<> check_unknown_variable(const std::string& name) {
  std::vector<std::string> known;
  for (const Row& row : rows())
    known.push_back(environment_name(row.key).substr(kPrefix.size()));
  const auto near = nearest_name(std::string_view(name).substr(kPrefix.size()), known);
  if (near.empty())
    return {};
  return refuse(EINVAL,
                "environment: unknown variable " + name + "; did you mean " + std::string(kPrefix) + near + "?");
}

Result<> read_environment(AgentConfig& config, const std::map<std::string, std::string>& environment) {
  std::map<std::string, const Row*> known;
  for (const Row& row : rows())
    known.emplace(environment_name(row.key), &row);
  for (const auto& [name, value] : environment) {
    const auto row = known.find(name);
    if (row != known.end()) {
      if (auto done = put(config, *row->second, value); !done)
        return within("environment: " + name, done.error());
    } else if (name.starts_with(kPrefix)) {
      TRY(check_unknown_variable(name));
    }
  }
  return {};
}

Result<> read_flags(AgentConfig& config, const std::map<std::string, std::string>& flags) {
  for (const auto& [key, value] : flags) {
    const Row* row = find_row(key);
    if (!row)
      return refuse(EINVAL, "no key '" + key + "'");
    if (auto done = put(config, *row, value); !done)
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
  for (const Row& row : rows())
    if (auto done = put(config, row, std::string(row.initial)); !done)
      return within(row.key, done.error());
  return config;
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kFileBytes + 1, '\0');
  if (!file || (file.read(text.data(), static_cast<std::streamsize>(text.size())), file.bad()))
    return fail(errno ? errno : EIO, "read '" + path + "'");
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

bool differs(const AgentConfig& one, const AgentConfig& other, const Row& row) {
  return std::visit([&](const auto& kind) { return one.*kind.member != other.*kind.member; }, row.kind);
}

}  // namespace

const std::vector<ConfigKey>& config_keys() {
  static const auto kKeys = [] {
    std::vector<ConfigKey> made;
    for (const Row& row : rows())
      made.push_back({.key = row.key,
                      .flag = row.flag,
                      .initial = row.initial,
                      .bounds = std::visit(Bounds{}, row.kind),
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
  TRY(FileReader(config, name).read(yaml));
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
  for (const Row& row : rows())
    if (!row.reloadable && differs(running, wanted, row))
      keys.emplace_back(row.key);
  return keys;
}

AgentConfig reloaded(AgentConfig running, const AgentConfig& wanted) {
  for (const Row& row : rows())
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
