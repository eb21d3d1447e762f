#include "app/agent_config.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>

namespace skbtrail {
namespace {

ConfigSources nothing() {
  return {.file = {}, .flags = {}, .environment = {{"NODE_NAME", "n1"}}};
}

Result<AgentConfig> read(const std::string& yaml, ConfigSources sources = nothing()) {
  return parse_config(yaml, "agent.yaml", sources);
}

std::string fault(const std::string& yaml, const ConfigSources& sources = nothing()) {
  const auto config = read(yaml, sources);
  return config ? "" : config.error().message;
}

std::string page() {
  std::ifstream file(SKBTRAIL_SOURCE_DIR "/docs/configuration.md");
  return {std::istreambuf_iterator<char>(file), {}};
}

// The first code block of this language in the page.
std::string example(const std::string& text, const std::string& language) {
  const auto begin = text.find("```" + language + "\n") + language.size() + 4;
  return text.substr(begin, text.find("```", begin) - begin);
}

TEST_CASE("what is not known is refused with its line and the nearest known key") {
  CHECK(fault("metrics:\n  listen: :1\n  maxSerie: 5\n") ==
        "agent.yaml:3: unknown key 'metrics.maxSerie'; did you mean 'metrics.maxSeries'?");
  CHECK(fault("metric: {listen: ':1'}\n") == "agent.yaml:1: unknown key 'metric'; did you mean 'metrics'?");
  CHECK(fault("rest:\n  tls:\n    crtFile: x\n") ==
        "agent.yaml:3: unknown key 'rest.tls.crtFile'; did you mean 'rest.tls.certFile'?");
  CHECK(fault("zebra: 1\n").find("unknown key 'zebra'; docs/configuration.md") != std::string::npos);
}

TEST_CASE("a file of the wrong form is refused with its line") {
  CHECK(fault("- a\n- b\n") == "agent.yaml:1: is not a map of keys");
  CHECK(fault("rest: yes\n") == "agent.yaml:1: 'rest' has keys below it, not a value");
  CHECK(fault("node: [a, b]\n") == "agent.yaml:1: node: has one value, not a list or a map");
  CHECK(fault("node: a\nnode: b\n") == "agent.yaml:2: 'node' is there twice");
  CHECK(fault("rest: {listen: ''}\nnode: x\nrest: {auth: none}\n") == "agent.yaml:3: 'rest' is there twice");
  CHECK(fault("node: a\nrest: [a\n").starts_with("agent.yaml:3: "));
  CHECK(fault("node: \"a\\nb\"\n") == "agent.yaml:1: node: has a control character");
  CHECK(fault("a: 1\n---\nb: 2\n") == "agent.yaml: has more than one document");
  CHECK(fault(std::string(70'000, '#')).find("more than 65536 bytes") != std::string::npos);
  CHECK(fault("rest: &r\n  tls: *r\n").starts_with("agent.yaml:"));
}

TEST_CASE("a value out of its bounds is refused, wherever it comes from") {
  CHECK(fault("metrics:\n  maxSeries: 99\n") == "agent.yaml:2: metrics.maxSeries: '99' is not one of: 100 to 1000000");
  CHECK(fault("sessions: {maxRunning: 17}").find("1 to 16") != std::string::npos);
  CHECK(fault("sessions: {maxRunning: -1}").find("whole number") != std::string::npos);
  CHECK(fault("log: {level: loud}").find("error, warning, info, debug") != std::string::npos);
  CHECK(fault("loki: {queueBytes: 1K}").find("64K to 1G") != std::string::npos);
  CHECK(fault("loki: {batchSeconds: 99999999999}").find("1 to 60") != std::string::npos);
  CHECK(fault("metrics: {listen: nowhere}").find("such as 127.0.0.1:9464") != std::string::npos);
  CHECK(fault("loki: {labels: {node: x}}").find("'node' is set by the agent") != std::string::npos);
  CHECK(fault("loki: {labels: {9a: x}}").find("label '9a'") != std::string::npos);
  CHECK(fault("", {.file = {}, .flags = {}, .environment = {{"SKBTRAIL_METRICS_MAX_SERIES", "5"}}})
            .starts_with("environment: SKBTRAIL_METRICS_MAX_SERIES: '5'"));
  CHECK(fault("", {.file = {}, .flags = {{"metrics.maxSeries", "5"}}, .environment = {}})
            .starts_with("--max-series: '5'"));
}

TEST_CASE("keys that do not fit together are refused") {
  CHECK(fault("rest: {listen: '0.0.0.0:1', auth: kubernetes}").starts_with("rest.listen: without rest.tls"));
  CHECK(fault("rest: {listen: '0.0.0.0:1', auth: kubernetes, plaintextOnLoopback: true}")
            .starts_with("rest.listen: without rest.tls"));
  CHECK(fault("rest: {listen: '127.0.0.1:1', auth: kubernetes}").starts_with("rest.listen: without rest.tls"));
  CHECK(fault("rest: {listen: '127.0.0.1:1', plaintextOnLoopback: true}").starts_with("rest.auth: nothing is served"));
  CHECK(fault("rest: {tls: {certFile: a}}").starts_with("rest.tls.certFile and rest.tls.keyFile"));
  CHECK(fault("rest: {auth: token-file}").starts_with("rest.tokenFile"));
  CHECK(fault("rest: {auth: kubernetes}\nkubernetes: {enabled: false}").starts_with("rest.auth"));
  CHECK(fault("kubernetes: {enabled: false, podEvents: true}").starts_with("kubernetes.podEvents"));
  CHECK(fault("rest: {socket: here}").starts_with("rest.socket"));
  CHECK(fault("loki: {url: 'ftp://x'}").starts_with("loki.url"));
  CHECK(fault("loki: {url: 'http://x', basicAuthFile: a, bearerTokenFile: b}").starts_with("loki.basicAuthFile"));
  CHECK(fault("loki: {url: 'http://x', queueBytes: 64K}").starts_with("loki.batchBytes"));
  CHECK(read("rest: {listen: '127.0.0.1:1', auth: token-file, tokenFile: t, plaintextOnLoopback: true}"));
}

TEST_CASE("a mistyped variable is refused, and those that Kubernetes makes are not") {
  const auto with = [](const std::string& name) { return ConfigSources{{}, {}, {{name, "tcp://10.0.0.1:9464"}}}; };
  CHECK(fault("", with("SKBTRAIL_LOG_LEVLE")) ==
        "environment: unknown variable SKBTRAIL_LOG_LEVLE; did you mean SKBTRAIL_LOG_LEVEL?");
  for (const char* name : {"SKBTRAIL_SERVICE_HOST", "SKBTRAIL_SERVICE_PORT", "SKBTRAIL_SERVICE_PORT_METRICS",
                           "SKBTRAIL_PORT", "SKBTRAIL_PORT_9464_TCP", "SKBTRAIL_PORT_9464_TCP_ADDR",
                           "SKBTRAIL_PORT_9464_TCP_PROTO", "SKBTRAIL_METRICS_SERVICE_HOST", "SKBTRAIL_CACHE"})
    CHECK(fault("", with(name)).empty());
}

TEST_CASE("file, environment and flags, the later one wins") {
  ConfigSources sources = nothing();
  const std::string yaml = "metrics: {maxSeries: 200}\nsessions: {maxRunning: 2, maxWaiting: 20}\n";
  sources.environment.emplace("SKBTRAIL_METRICS_MAX_SERIES", "300");
  sources.environment.emplace("SKBTRAIL_SESSIONS_MAX_RUNNING", "3");
  sources.flags.emplace("metrics.maxSeries", "400");
  const auto config = read(yaml, sources);
  REQUIRE(config);
  CHECK(config->metrics_max_series == 400);
  CHECK(config->sessions_max_running == 3);
  CHECK(config->sessions_max_waiting == 20);
  CHECK(config->metrics_drop_entries == 16'384);
}

TEST_CASE("the node's name has its own defaults") {
  CHECK(read("")->node == "n1");
  CHECK(read("node: here")->node == "here");
  CHECK_FALSE(read("", {})->node.empty());
}

TEST_CASE("labels are a map in the file and pairs elsewhere") {
  CHECK(read("loki: {labels: {cluster: 'a,b=c'}}")->loki_labels.at("cluster") == "a,b=c");
  const auto config = read("", {{}, {{"loki.labels", "cluster=east,zone=1"}}, {}});
  REQUIRE(config);
  CHECK(config->loki_labels == std::map<std::string, std::string>{{"cluster", "east"}, {"zone", "1"}});
}

TEST_CASE("an empty file is the defaults, and so is one of empty keys") {
  CHECK(*read("") == *read("metrics:\nrest:\n  tls:\nnode:\n"));
}

TEST_CASE("a reload takes what can change and names what cannot") {
  const auto running = *read("");
  const auto wanted = *read("sessions: {maxRunning: 2}\nlog: {level: debug}\nmetrics: {maxSeries: 500}\n");
  CHECK(needing_restart(running, wanted) == std::vector<std::string>{"metrics.maxSeries"});
  const auto now = reloaded(running, wanted);
  CHECK(now.sessions_max_running == 2);
  CHECK(now.log_level == LogLevel::Debug);
  CHECK(now.metrics_max_series == 20'000);
}

TEST_CASE("a file that is not there is an error with its name") {
  const auto config = load_config({.file = "/nonexistent/agent.yaml", .flags = {}, .environment = {}});
  REQUIRE_FALSE(config);
  CHECK(config.error().message == "read '/nonexistent/agent.yaml': No such file or directory");
}

TEST_CASE("docs/configuration.md has this table of keys, and its example is good") {
  const auto text = page();
  const auto begin = text.find("| key, flag |");
  REQUIRE(begin != std::string::npos);
  CHECK(text.substr(begin, text.find("\n\n", begin) + 1 - begin) == config_table());
  const auto config = read(example(text, "yaml"));
  REQUIRE(config);
  CHECK(config->loki_labels.at("cluster") == "east");
}

}  // namespace
}  // namespace skbtrail
