#include "app/agent_command.h"

#include <malloc.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "api/listen_address.h"
#include "app/agent.h"
#include "app/agent_config.h"
#include "app/agent_output.h"
#include "app/ending.h"
#include "app/exit_code.h"
#include "app/file_room.h"
#include "app/report.h"

namespace skbtrail {
namespace {

struct AgentOptions {
  std::string config_file;
  std::map<std::string, std::string> flags;  // by the key that each stands for
  bool only_check = false;
};

Result<AgentConfig> read_config(const AgentOptions& options) {
  return load_config({.file = options.config_file, .flags = options.flags, .environment = process_environment()});
}

// A new file that is wrong changes nothing.
void reload(Agent& agent, AgentLog& log, AgentConfig& running, const AgentOptions& options) {
  auto wanted = read_config(options);
  if (!wanted) {
    return log.tell(LogLevel::Warning, within("configuration not taken over", std::move(wanted.error())).message);
  }
  for (const auto& key : needing_restart(running, *wanted))
    log.tell(LogLevel::Warning, "'" + key + "' has changed and waits for a restart");
  agent.take_over(*wanted);
  running = reloaded(std::move(running), *wanted);
  log.tell(LogLevel::Info, "configuration taken over");
}

// What is served where, and what is missing here.
void tell_start(const Agent& agent, const AgentConfig& config, AgentLog& log) {
  log.tell(LogLevel::Info, "metrics on " + config.metrics_listen.substr(0, config.metrics_listen.rfind(':')) + ":" +
                               std::to_string(agent.metrics_port()));
  for (const auto& place : agent.places())
    log.tell(LogLevel::Info, place);
  for (const auto& lack : agent.lacks())
    log.tell(LogLevel::Warning, lack);
}

int fail_start(AgentLog& log, const Error& error, int exit_code) {
  log.tell(LogLevel::Error, error.message);
  return exit_code;
}

int run(AgentConfig config, const AgentOptions& options) {
  const Ending ending;
  // Scrapes are seconds apart: a heap for each thread would only keep memory that another one could use.
  ::mallopt(M_ARENA_MAX, 1);
  AgentOutput output{config};
  AgentLog& log = output.log();
  if (const auto address = parse_listen_address(config.metrics_listen); !address)
    return fail_start(log, within("metrics.listen", address.error()), kExitUsage);
  const int files = file_room_of({.sessions = config.sessions_max_running, .connections = Agent::connections(config)});
  if (const auto room = make_file_room(files); !room)
    return fail_start(log, room.error(), start_code_of(room.error().code));
  auto agent = Agent::start(config, output);
  if (!agent)
    return fail_start(log, agent.error(), start_code_of(agent.error().code));
  tell_start(**agent, config, log);
  for (int signal = 0; signal == 0 || signal == SIGHUP; signal = ending.next_within(Agent::kFollowPods)) {
    if (signal == SIGHUP)
      reload(**agent, log, config, options);
    (*agent)->turn(Monitor::Clock::now());
  }
  return kExitDone;
}

int run_agent(const AgentOptions& options) {
  auto config = read_config(options);
  if (!config)
    return report("agent", config.error(), kExitUsage);
  if (!options.only_check)
    return run(std::move(*config), options);
  std::printf("configuration%s is good\n",
              options.config_file.empty() ? "" : (" '" + options.config_file + "'").c_str());
  return kExitDone;
}

// A flag for each key; its text is judged where that of the file is.
void add_key_flag(CLI::App& agent, const ConfigKey& key, const std::shared_ptr<AgentOptions>& options) {
  std::string description{key.description};
  std::erase(description, '`');
  auto* option = agent.add_option_function<std::string>(
      std::string(key.flag),
      [options, name = std::string(key.key)](const std::string& text) { options->flags[name] = text; },
      description + " (" + std::string(key.key) + ")");
  option->default_str(std::string(key.initial))->group("Configuration, each also a key of the file");
}

}  // namespace

void add_agent_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<AgentOptions>();
  CLI::App* agent = app.add_subcommand("agent", "Stay on, count what the node's pods lose, and serve it as metrics");
  agent->add_option("--config", options->config_file, "YAML file; docs/configuration.md has its keys")
      ->type_name("FILE");
  agent->add_flag("--check-config", options->only_check, "Say whether the configuration is good, and end");
  for (const ConfigKey& key : config_keys())
    add_key_flag(*agent, key, options);
  agent->callback([options, &exit_code] { exit_code = run_agent(*options); });
}

}  // namespace skbtrail
