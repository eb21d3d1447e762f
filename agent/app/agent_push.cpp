#include "app/agent_push.h"

#include <utility>

#include "api/loki_client.h"

namespace skbtrail {

Result<std::unique_ptr<LogPush>> open_log_push(const AgentConfig& config, Teller tell) {
  if (config.loki_url.empty())
    return std::unique_ptr<LogPush>{};
  auto store = open_loki({.url = config.loki_url,
                          .tenant = config.loki_tenant,
                          .basic_auth_file = config.loki_basic_auth_file,
                          .bearer_token_file = config.loki_bearer_token_file,
                          .ca_file = config.loki_ca_file});
  if (!store)
    return within("loki", std::move(store.error()));
  LokiLabels labels = config.loki_labels;
  labels["node"] = config.node;
  return std::make_unique<LogPush>(LogPush::Settings{.node = config.node,
                                                     .labels = std::move(labels),
                                                     .queue_bytes = config.loki_queue_bytes,
                                                     .batch_bytes = config.loki_batch_bytes,
                                                     .batch_time = config.loki_batch_time},
                                   std::move(*store), std::move(tell));
}

}  // namespace skbtrail
