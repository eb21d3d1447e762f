#include "app/agent_pods.h"

#include <chrono>
#include <mutex>
#include <thread>
#include <utility>

#include "app/task_lister.h"
#include "kernel/capabilities.h"
#include "monitor/index_view.h"
#include "pods/node_pods.h"

namespace skbtrail {
namespace {

// A runtime answers in some 10 ms; one that hangs must not keep the agent from counting.
constexpr std::chrono::seconds kFirstAnswer{3};
constexpr std::chrono::milliseconds kLook{10};

void wait_for_first_answer(const PodSource& pods) {
  const auto deadline = std::chrono::steady_clock::now() + kFirstAnswer;
  while (!pods.current() && pods.trouble().empty() && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(kLook);
}

// Makes a new view only of what is new, so that whoever compares views sees when something is.
class NewestView {
public:
  explicit NewestView(const PodSource& source) : source_(source) {}

  std::shared_ptr<const PodView> operator()() {
    auto index = source_.current();
    const bool is_fresh = index && source_.trouble().empty();
    const std::lock_guard lock{mutex_};
    if (view_ && index == index_ && is_fresh == view_->is_fresh())
      return view_;
    index_ = std::move(index);
    if (index_)
      view_ = std::make_shared<IndexView>(index_, is_fresh);
    else
      view_ = std::make_shared<NoPods>();
    return view_;
  }

private:
  const PodSource& source_;
  std::mutex mutex_;
  std::shared_ptr<const PodIndex> index_;
  std::shared_ptr<const PodView> view_;
};

}  // namespace

AgentPods open_agent_pods(const HostRoot& host, const std::string& cri) {
  RuntimeSearch search;
  if (!cri.empty())
    search.socket = cri;
  const auto mounts = host.read("/proc/self/mountinfo");
  auto started =
      NodePods::start({.runtime = search, .mountinfo = mounts ? *mounts : std::string(), .list_tasks = task_lister()});
  if (!started)
    return {.source = nullptr, .lacks = {"metrics will not name pods: " + started.error().message}};
  AgentPods pods;
  const std::string incomplete = "what is known of pods is not complete: ";
  for (const auto& lack : (*started)->lacks())
    pods.lacks.push_back(incomplete + lack);
  for (const auto& [name, lost] : read_missing_pod_capabilities(host))
    pods.lacks.push_back(std::string(incomplete).append(name).append(" is missing: ").append(lost));
  wait_for_first_answer(**started);
  if (!(*started)->current()) {
    const std::string trouble = (*started)->trouble();
    pods.lacks.push_back("metrics do not name pods until a container runtime answers: " +
                         (trouble.empty() ? "none has yet" : trouble));
  }
  pods.source = std::move(*started);
  return pods;
}

std::vector<std::string> PodTroubles::take(const PodSource* source) {
  std::vector<std::string> lines;
  if (!source)
    return lines;
  if (const std::string trouble = source->trouble(); !trouble.empty() && source->current())
    lines.push_back("the container runtime does not answer, what is known of pods grows old: " + trouble);
  const SandboxFaults faults = source->faults();
  const auto grown = [&](std::uint64_t SandboxFaults::*count) { return faults.*count - told_.*count; };
  const auto add = [&](std::uint64_t SandboxFaults::*count, const char* what) {
    if (grown(count) > 0)
      lines.push_back(std::to_string(grown(count)) + what + faults.last);
  };
  add(&SandboxFaults::malformed, " answers of the container runtime made no sense; the last fault: ");
  add(&SandboxFaults::without_netns, " times no network namespace of a pod was found; the last fault: ");
  add(&SandboxFaults::beyond_bound, " times a pod was left out; the last fault: ");
  told_ = faults;
  return lines;
}

PodViews pod_views(const PodSource* source) {
  if (!source)
    return [none = std::make_shared<const NoPods>()] { return none; };
  return [newest = std::make_shared<NewestView>(*source)] { return (*newest)(); };
}

}  // namespace skbtrail
