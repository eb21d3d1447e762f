#include "app/trace_pods.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>

#include "app/task_lister.h"
#include "pods/node_pods.h"
#include "pods/runtime_socket.h"

namespace skbtrail {
namespace {

// Tells once that nobody is there yet, and when somebody comes.
class Announcer {
public:
  explicit Announcer(const PodQuery& query) : asked_for_(query.empty() ? "" : describe(query)) {}

  void operator()(std::size_t selected) {
    if (asked_for_.empty() || (told_ && (selected > 0) == (last_ > 0)))
      return;
    told_ = true;
    last_ = selected;
    if (selected == 0)
      std::fprintf(stderr, "no %s on this node: waiting for it (`skbtrail pods` lists those that are here)\n",
                   asked_for_.c_str());
    else
      std::fprintf(stderr, "%s: %zu on this node\n", asked_for_.c_str(), selected);
  }

private:
  std::string asked_for_;
  bool told_ = false;
  std::size_t last_ = 0;
};

bool has_runtime(const HostRoot& host) {
  return std::ranges::any_of(usual_runtime_sockets(), [&](std::string_view socket) { return host.exists(socket); });
}

RuntimeSearch search_of(const TraceOptions& options) {
  RuntimeSearch search;
  if (!options.cri.empty())
    search.socket = options.cri;
  return search;
}

std::string usual_sockets() {
  std::string all;
  for (const std::string_view socket : usual_runtime_sockets())
    all += (all.empty() ? "" : ", ") + std::string(socket);
  return all;
}

}  // namespace

std::string describe(const PodQuery& query) {
  std::string text = "pod";
  const char* before = " ";
  for (const auto& name : query.names) {
    text += before + ("'" + name.namespace_name + "/" + name.name + "'");
    before = ", ";
  }
  if (!query.selector)
    return text;
  text += before + ("with '" + query.selector->text() + "'");
  if (!query.selector_namespace.empty())
    text += " in namespace '" + query.selector_namespace + "'";
  return text;
}

Result<TracePods> open_trace_pods(const PodQuery& query, const TraceOptions& options, const HostRoot& host) {
  TracePods pods;
  if (query.empty() && !options.output_pods)
    return pods;
  if (options.cri.empty() && !has_runtime(host)) {
    if (query.empty())
      return pods;
    return refuse(
        ENOTSUP,
        "--pod and --pod-selector need a container runtime, and none of the usual sockets is here: " + usual_sockets());
  }
  const auto mounts = host.read("/proc/self/mountinfo");
  auto started = NodePods::start(
      {.runtime = search_of(options), .mountinfo = mounts ? *mounts : std::string(), .list_tasks = task_lister()});
  if (!started && query.empty()) {
    std::fprintf(stderr, "events will not name pods: %s\n", started.error().message.c_str());
    return pods;
  }
  auto node = TRY(std::move(started));
  if (!query.empty())
    for (const auto& lack : node->lacks())
      std::fprintf(stderr, "what is known of pods is not complete: %s\n", lack.c_str());
  pods.source = std::move(node);
  pods.watch = std::make_unique<PodWatch>(
      *pods.source, query,
      [announcer = Announcer(query)](const PodIndex&, std::size_t selected) mutable { announcer(selected); });
  return pods;
}

std::string pods_remark(const PodTotals& totals) {
  const std::uint64_t nameless = totals.late + totals.crowded + totals.strange;
  if (nameless == 0)
    return {};
  return std::to_string(nameless) +
         " events have no pod: nothing is known of their network namespace (waited for in vain " +
         std::to_string(totals.late) + ", no room to wait " + std::to_string(totals.crowded) + ")";
}

}  // namespace skbtrail
