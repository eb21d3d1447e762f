#include "session/tracing_node.h"

#include <algorithm>
#include <map>
#include <utility>

#include "kernel/netns.h"
#include "session/session_plan.h"
#include "session/trace_setup.h"
#include "session/traced_session.h"

namespace skbtrail {

// How many pods each session selects, remembered as long as the index is the same.
class TracingNode::Counts {
public:
  std::size_t of(const TraceSession& session, const std::shared_ptr<const PodIndex>& index) {
    if (index != index_ || counts_.size() > kMost) {
      counts_.clear();
      index_ = index;
    }
    const auto known = counts_.find(session.key);
    // A name may come back with another spec.
    if (known != counts_.end() && known->second.spec == session.spec)
      return known->second.pods;
    const std::size_t pods = count(session);
    counts_.insert_or_assign(session.key, Count{.spec = session.spec, .pods = pods});
    return pods;
  }

private:
  static constexpr std::size_t kMost = 4096;
  struct Count {
    TraceSessionSpec spec;
    std::size_t pods = 0;
  };

  std::size_t count(const TraceSession& session) const {
    const auto query = pod_query_of(session);
    if (!query)
      return 0;
    return static_cast<std::size_t>(
        std::ranges::count_if(index_->pods(), [&](const auto& pod) { return query->selects(*pod); }));
  }

  std::shared_ptr<const PodIndex> index_;
  std::map<SessionKey, Count> counts_;
};

TracingNode::TracingNode(Parts parts)
    : parts_(std::move(parts)), names_(parts_.host), counts_(std::make_unique<Counts>()) {}

TracingNode::~TracingNode() = default;

Result<> TracingNode::check(const TraceSession& session) {
  TRY(pod_query_of(session));
  auto checked = check_expressions(trace_spec_of(session));
  if (!checked)
    return within("spec.filter", std::move(checked.error()));
  return {};
}

SessionNode::Selected TracingNode::selected(const TraceSession& session) {
  if (!parts_.pods)
    return {.pods = {}, .why = parts_.why_no_pods};
  const auto index = parts_.pods->current();
  if (!index)
    return {.pods = {}, .why = "the container runtime has not answered yet"};
  return {.pods = counts_->of(session, index), .why = {}};
}

std::unique_ptr<SessionRun> TracingNode::start(const TraceSession& session, std::shared_ptr<EventFeed> feed) {
  SessionPlan plan{.spec = trace_spec_of(session), .query = {}, .name = session.key.text()};
  if (auto query = pod_query_of(session))
    plan.query = std::move(*query);
  // Without pods there is nothing but the node's own traffic, and the tracer's cheaper filter for that.
  if (!parts_.pods) {
    plan.spec.pods = plan.spec.only_pods = false;
    const auto own = find_netns(parts_.host, "/proc/self/ns/net");
    plan.spec.netns_inum = own ? own->inum : 0;
  }
  return std::make_unique<TracedSession>(std::move(plan), SessionSurroundings{.host = parts_.host,
                                                                              .names = names_,
                                                                              .node = parts_.name,
                                                                              .pods = parts_.pods,
                                                                              .receivers = parts_.receivers,
                                                                              .feed = std::move(feed)});
}

}  // namespace skbtrail
