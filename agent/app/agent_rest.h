#pragma once
// AgentRest: the REST front of the agent, on the network, on a unix socket, or both.

#include <cstdint>
#include <memory>
#include <string>

#include "api/authorizer.h"
#include "api/health.h"
#include "api/rest_api.h"
#include "api/rest_server.h"
#include "app/agent_config.h"
#include "base/result.h"
#include "pods/pod_source.h"
#include "sink/agent_log.h"
#include "sink/line_batch.h"

namespace skbtrail {

class AgentRest final {
public:
  struct Settings {
    const AgentConfig& config;
    std::string version;
    SessionControl& control;          // outlives this
    LineReceiver& audit;              // outlives this; hears who started and ended what
    AgentLog& log;                    // outlives this
    const PodSource* pods = nullptr;  // outlives this; null: not known
    std::string why_no_pods = {};     // then
    HealthSource health;
    // Judges tokens where rest.auth is kubernetes; null: cannot.
    std::unique_ptr<Authorizer> kubernetes = {};
  };

  // Serves what the configuration says when it returns; null: it wants no REST. EINVAL: what the configuration names
  // (certificate, token file, address) cannot be used.
  static Result<std::unique_ptr<AgentRest>> start(Settings settings);

  // "REST on 127.0.0.1:9465", one for each place, for the log.
  std::vector<std::string> places() const;

private:
  explicit AgentRest(Settings& settings);
  Result<> listen_on_network(const AgentConfig& config, std::unique_ptr<Authorizer> kubernetes);
  Result<> listen_on_socket(const AgentConfig& config);

  Teller tell_;
  RestApi api_;
  std::unique_ptr<Authorizer> tokens_;
  std::unique_ptr<Authorizer> peers_;
  std::string host_;
  std::string path_;
  std::unique_ptr<RestServer> network_;  // last: they use all of the above
  std::unique_ptr<RestServer> socket_;
};

// The line of the log for what somebody did; `node` is its name.
EventLine audit_line(const AuditEntry& entry, const std::string& node, std::uint64_t realtime_ns);

}  // namespace skbtrail
