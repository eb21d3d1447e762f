#include "app/agent_rest.h"

#include <unistd.h>

#include <utility>

#include "api/peer_authorizer.h"
#include "api/token_file.h"
#include "app/pods_report.h"
#include "base/clock.h"
#include "base/shown_text.h"
#include "sink/json_event.h"
#include "sink/json_text.h"

namespace skbtrail {
namespace {

// As `skbtrail pods -o json` prints them, which knows nothing of those that are gone.
Result<std::string> pods_page(const PodSource* pods, const std::string& why_not) {
  if (!pods)
    return refuse(ENODATA, why_not);
  const auto listing = pods->listing();
  if (!listing) {
    const std::string trouble = pods->trouble();
    return refuse(ENODATA,
                  "pods are not known yet: " + (trouble.empty() ? "no container runtime has answered" : trouble));
  }
  PodsReport report{.runtime = listing->runtime,
                    .socket = listing->socket,
                    .host_netns_inum = pods->host_netns_inum(),
                    .interfaces = listing->interfaces,
                    .cgroups = listing->cgroups,
                    .lacks = listing->lacks,
                    .faults = listing->faults};
  for (const Sandbox& sandbox : *listing->sandboxes)
    if (!sandbox.gone_since)
      report.sandboxes.push_back(sandbox);
  return as_json(report);
}

RestApi::Settings api_settings(AgentRest::Settings& settings) {
  return {.control = settings.control,
          .node = settings.config.node,
          .version = settings.version,
          .pods = [pods = settings.pods, why = settings.why_no_pods] { return pods_page(pods, why); },
          .health = std::move(settings.health),
          .audit =
              [&lines = settings.audit, node = settings.config.node](const AuditEntry& entry) {
                lines.accept(std::make_shared<const LineBatch>(
                    LineBatch{.session = {}, .lines = {audit_line(entry, node, realtime_ns())}}));
              }};
}

Result<std::unique_ptr<Authorizer>> judge_of(const AgentConfig& config, std::unique_ptr<Authorizer> kubernetes) {
  if (config.rest_auth == RestAuth::Kubernetes) {
    if (kubernetes)
      return kubernetes;
    return refuse(
        EINVAL,
        "rest.auth: 'kubernetes' needs an API server, and none is configured here: give kubernetes.kubeconfig, "
        "or use token-file, or rest.socket");
  }
  auto tokens = TokenFile::open(config.rest_token_file);
  if (!tokens)
    return within("rest.tokenFile", std::move(tokens.error()));
  return std::unique_ptr<Authorizer>{std::move(*tokens)};
}

// A name of a token file is bounded, one that the API server gives is not.
std::string_view audit_user(const AuditEntry& entry) {
  constexpr std::size_t kMaxUserBytes = 256;
  return cut_text(entry.user, kMaxUserBytes);
}

// In words, bounded: both the names and what was wrong with them come from the client.
std::string audit_message(const AuditEntry& entry) {
  constexpr std::size_t kMaxBytes = 512;
  constexpr std::size_t kMaxKeyBytes = 63 + 1 + 253;  // of a namespace and a name that may be
  std::string text = std::string(audit_user(entry)) + ": " + std::string(entry.verb) + " " +
                     std::string(entry.resource) + " " + std::string(cut_text(entry.key.text(), kMaxKeyBytes));
  if (!entry.message.empty())
    text += ": " + entry.message;
  return std::string(cut_text(text, kMaxBytes));
}

}  // namespace

AgentRest::AgentRest(Settings& settings) : tell_(settings.log.teller("REST: ")), api_(api_settings(settings)) {}

Result<std::unique_ptr<AgentRest>> AgentRest::start(Settings settings) {
  if (settings.config.rest_listen.empty() && settings.config.rest_socket.empty())
    return std::unique_ptr<AgentRest>{};
  std::unique_ptr<AgentRest> rest{new AgentRest(settings)};
  if (!settings.config.rest_listen.empty())
    TRY(rest->listen_on_network(settings.config, std::move(settings.kubernetes)));
  if (!settings.config.rest_socket.empty())
    TRY(rest->listen_on_socket(settings.config));
  return rest;
}

Result<> AgentRest::listen_on_network(const AgentConfig& config, std::unique_ptr<Authorizer> kubernetes) {
  const auto address = TRY(parse_listen_address(config.rest_listen));
  tokens_ = TRY(judge_of(config, std::move(kubernetes)));
  std::optional<RestServer::TlsFiles> tls;
  if (!config.rest_cert_file.empty())
    tls = {.cert = config.rest_cert_file, .key = config.rest_key_file};
  auto server = RestServer::on_network(address, tls, {.api = api_, .judge = *tokens_, .tell = tell_});
  if (!server)
    return within("REST", std::move(server.error()));
  network_ = std::move(*server);
  host_ = config.rest_listen.substr(0, config.rest_listen.rfind(':'));
  return {};
}

Result<> AgentRest::listen_on_socket(const AgentConfig& config) {
  peers_ = std::make_unique<PeerAuthorizer>(::geteuid());
  auto server = RestServer::on_path(config.rest_socket, {.api = api_, .judge = *peers_, .tell = tell_});
  if (!server)
    return within("REST", std::move(server.error()));
  socket_ = std::move(*server);
  path_ = config.rest_socket;
  return {};
}

std::vector<std::string> AgentRest::places() const {
  std::vector<std::string> places;
  if (network_)
    places.push_back("REST on " + host_ + ":" + std::to_string(network_->port()));
  if (socket_)
    places.push_back("REST on " + path_);
  return places;
}

EventLine audit_line(const AuditEntry& entry, const std::string& node, std::uint64_t realtime_ns) {
  // What was refused is of no session: the names in it are only what somebody asked for.
  const bool is_done = entry.status < 300 && !entry.key.name.empty();
  TextBuffer text;
  JsonEvent{{.node = node, .session = is_done ? entry.key.text() : ""}}.put_start(text, realtime_ns, "agent");
  text.put(",\"level\":");
  put_json_string(text, entry.message.empty() ? "info" : "warning");
  text.put(",\"message\":");
  put_json_string(text, audit_message(entry));
  text.put(",\"user\":");
  put_json_string(text, audit_user(entry));
  text.put(",\"verb\":");
  put_json_string(text, entry.verb);
  text.put(",\"resource\":");
  put_json_string(text, entry.resource);
  text.put(",\"code\":");
  text.put_dec(static_cast<std::uint64_t>(entry.status));
  text.put('}');
  return {.realtime_ns = realtime_ns, .type = "agent", .text = std::string(text.view())};
}

}  // namespace skbtrail
