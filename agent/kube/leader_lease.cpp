#include "kube/leader_lease.h"

#include <cstdio>
#include <utility>

#include "base/clock.h"
#include "kube/whatever_comes.h"
#include "session/session_schema.h"

namespace skbtrail {
namespace {

constexpr std::chrono::seconds kRenewPatience{4};  // two tries before the renew deadline is over
constexpr std::chrono::seconds kReleasePatience{2};

// metav1.MicroTime.
std::string micro_time() {
  const auto now_ns = realtime_ns();
  std::string text = time_text(static_cast<std::int64_t>(now_ns / 1'000'000'000));
  char fraction[16];
  std::snprintf(fraction, sizeof(fraction), ".%06uZ", static_cast<unsigned>(now_ns / 1000 % 1'000'000));
  text.pop_back();
  return text + fraction;
}

std::string leases_path(const std::string& space) {
  return "/apis/coordination.k8s.io/v1/namespaces/" + space + "/leases";
}

}  // namespace

LeaderLease::LeaderLease(std::shared_ptr<ApiEndpoint> endpoint, Settings settings)
    : endpoint_(std::move(endpoint)),
      settings_(std::move(settings)),
      client_(endpoint_, kRenewPatience),
      state_(settings_.me, settings_.times) {
  thread_.start("kube-lease", [this] { run(); });
}

LeaderLease::~LeaderLease() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join(client_);
  try {
    give_back();
  } catch (...) {  // not given back, it runs out
  }
}

void LeaderLease::want(bool wanted) {
  {
    const std::lock_guard lock{mutex_};
    if (wanted_ == wanted)
      return;
    wanted_ = wanted;
  }
  changed_.notify_all();
}

bool LeaderLease::is_leader() const {
  const std::lock_guard lock{mutex_};
  return state_.is_held(Clock::now());
}

void LeaderLease::run() {
  while (true) {
    {
      std::unique_lock lock{mutex_};
      changed_.wait(lock, [this] { return wanted_ || stopping_ || was_leader_; });
      if (stopping_)
        return;
    }
    try_once();
    note_change();
    std::unique_lock lock{mutex_};
    if (changed_.wait_for(lock, settings_.times.retry, [this] { return stopping_; }))
      return;
  }
}

void LeaderLease::try_once() {
  bool wanted = false;
  {
    const std::lock_guard lock{mutex_};
    wanted = wanted_;
  }
  if (!wanted)
    return give_back();
  const auto done = whatever_comes("leader election", [this] { return take_or_look(); });
  const std::string failure = done ? std::string() : done.error().message;
  if (!failure.empty() && failure != told_)
    settings_.log(LogLevel::Warning, "leader election: " + failure);
  told_ = failure;
}

// A holder writes at once; others look first, and write when they may.
Result<> LeaderLease::take_or_look() {
  const auto path = leases_path(settings_.namespace_name);
  const auto asked_at = Clock::now();
  nlohmann::json claim;
  bool exists = false;
  {
    bool is_held = false;
    {
      const std::lock_guard lock{mutex_};
      is_held = state_.is_held(asked_at);
    }
    if (!is_held) {
      auto seen = client_.get(path + "/" + settings_.name);
      if (!seen && seen.error().code != ENOENT)
        return seen.error();
      const std::lock_guard lock{mutex_};
      state_.observe(seen ? std::optional(std::move(*seen)) : std::nullopt, Clock::now());
    }
    const std::lock_guard lock{mutex_};
    if (!state_.may_take(Clock::now()))
      return {};
    exists = state_.exists();
    claim = state_.claim(settings_.name, settings_.namespace_name, micro_time());
  }
  auto taken = exists ? client_.replace(path + "/" + settings_.name, claim) : client_.create(path, claim);
  const std::lock_guard lock{mutex_};
  if (taken) {
    state_.taken(std::move(*taken), asked_at);
    return {};
  }
  // Somebody was faster, or it is gone: looked at anew at the next turn. Without a namespace none can be made.
  const int code = taken.error().code;
  if (code != EBUSY && code != EEXIST && (code != ENOENT || !exists))
    return taken.error();
  state_.observe(std::nullopt, Clock::now());
  return {};
}

void LeaderLease::give_back() {
  nlohmann::json release;
  {
    const std::lock_guard lock{mutex_};
    if (!state_.is_held(Clock::now()))
      return;
    release = state_.release(micro_time());
    state_.observe(std::nullopt, Clock::now());
  }
  ApiClient client(endpoint_, kReleasePatience);
  // Otherwise it runs out.
  (void)client.replace(leases_path(settings_.namespace_name) + "/" + settings_.name, release);
}

void LeaderLease::note_change() {
  bool has_changed = false;
  {
    const std::lock_guard lock{mutex_};
    has_changed = std::exchange(was_leader_, state_.is_held(Clock::now())) != was_leader_;
  }
  if (has_changed)
    settings_.on_change();
}

}  // namespace skbtrail
