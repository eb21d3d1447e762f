#include "app/config_rows.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <climits>
#include <sstream>

#include "api/listen_address.h"
#include "app/units.h"

namespace skbtrail {

using namespace config_value;

namespace {

constexpr std::size_t kTextLength = 1024;
constexpr std::size_t kLabels = 8;

struct Bounds {
  std::string operator()(const Text&) const { return "text"; }
  std::string operator()(const Address&) const { return "`ADDRESS:PORT`"; }
  std::string operator()(const WholeNumber& kind) const { return between(kind.least, kind.most); }
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

Error out_of_bounds(const std::string& text, const ConfigValue& kind) {
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
  Result<> operator()(const WholeNumber& kind) const { return put_bounded(kind, TRY(parse_whole(text))); }
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
  Result<> operator()(const Labels& kind) const { return put_config_labels(config, kind, TRY(parse_labels(text))); }
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

}  // namespace

using C = AgentConfig;

const std::vector<ConfigRow>& config_rows() {
  static const std::vector<ConfigRow> kRows{
      {"node", "--node", "", Text{&C::node}, false,
       "the node's name in events and status; empty: the variable `NODE_NAME`, else the host's name"},
      {"metrics.listen", "--metrics-listen", "127.0.0.1:9464", Address{&C::metrics_listen}, false,
       "where `/metrics` is served, IPv6 in brackets, port 0 for any that is free"},
      {"metrics.maxSeries", "--max-series", "20000", WholeNumber{&C::metrics_max_series, 100, 1'000'000}, false,
       "series at most; what is more goes to `__overflow__`"},
      {"metrics.dropEntries", "--drop-entries", "16384", WholeNumber{&C::metrics_drop_entries, 64, 1U << 20}, false,
       "distinct drops that each of the kernel's two tables has room for"},
      {"metrics.latencyPercent", "--latency-percent", "10", WholeNumber{&C::metrics_latency_percent, 0, 100}, false,
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
      {"sessions.maxRunning", "--max-running", "4", WholeNumber{&C::sessions_max_running, 1, 16}, true,
       "trace sessions that run at once; the others wait"},
      {"sessions.maxWaiting", "--max-waiting", "1000", WholeNumber{&C::sessions_max_waiting, 1, 10'000}, true,
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

const ConfigRow* find_config_row(std::string_view key) {
  const auto found = std::ranges::find(config_rows(), key, &ConfigRow::key);
  return found == config_rows().end() ? nullptr : &*found;
}

std::string bounds_text(const ConfigValue& kind) {
  return std::visit(Bounds{}, kind);
}

Result<> put_config_labels(AgentConfig& config, const Labels& kind, std::map<std::string, std::string> labels) {
  if (labels.size() > kLabels)
    return refuse(EINVAL, std::to_string(labels.size()) + " labels are more than " + std::to_string(kLabels));
  for (const auto& [name, value] : labels)
    TRY(check_label(name, value));
  config.*kind.member = std::move(labels);
  return {};
}

Result<> put_config_value(AgentConfig& config, const ConfigRow& row, const std::string& text) {
  if (text.size() > kTextLength)
    return refuse(EINVAL, "has more than " + std::to_string(kTextLength) + " characters");
  const auto is_control = [](char letter) { return std::iscntrl(static_cast<unsigned char>(letter)) != 0; };
  if (std::ranges::any_of(text, is_control))
    return refuse(EINVAL, "has a control character");
  return std::visit(Put{config, text}, row.kind);
}

}  // namespace skbtrail
