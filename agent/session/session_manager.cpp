#include "session/session_manager.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "session/waiting_line.h"
#include "sink/json_event.h"
#include "sink/json_text.h"

namespace skbtrail {
namespace {

std::string quoted(const SessionKey& key) {
  return "session '" + key.text() + "'";
}

// Whose share of the line it takes.
std::string owner_of(const SessionKey& key) {
  return key.namespace_name.empty() ? "the cluster" : "namespace '" + key.namespace_name + "'";
}

// As one that starts to tell what follows.
std::uint64_t worth_telling(const NodeStatus& status) {
  return status.packets + status.events + status.lost + status.drops + status.pods + status.probes_attached;
}

}  // namespace

SessionManager::SessionManager(SessionNode& node, const SessionLimits& limits, std::string name,
                               std::vector<SessionListener*> listeners, std::vector<LineReceiver*> receivers)
    : node_(node),
      limits_(limits),
      name_(std::move(name)),
      listeners_(std::move(listeners)),
      receivers_(std::move(receivers)) {}

SessionManager::~SessionManager() {
  thread_ = {};  // nothing starts any more
  std::vector<SessionView> last;
  for (auto& [key, entry] : entries_)
    if (entry.run)
      entry.run->stop();
  for (auto& [key, entry] : entries_) {
    if (!entry.run)
      continue;
    while (!entry.run->has_ended())
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    entry.view.status = entry.run->status();
    entry.run.reset();
    last.push_back(entry.view);
  }
  for (const auto& [key, entry] : entries_)
    entry.feed->end();
  tell(last);
}

void SessionManager::set_limits(const SessionLimits& limits) {
  const std::lock_guard lock{mutex_};
  limits_ = limits;
}

void SessionManager::begin() {
  thread_ = std::jthread([this](const std::stop_token& stop) {
    ::pthread_setname_np(::pthread_self(), "control");
    control(stop);
  });
}

void SessionManager::control(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    turn(Clock::now());
    std::unique_lock lock{mutex_};
    // Waiting ones are looked at as well: their pods may come.
    const auto patience = running() + waiting() + leaving_.size() > 0 ? kTurn : std::chrono::milliseconds(1000);
    command_.wait_for(lock, stop, patience, [this] { return commanded_; });
    commanded_ = false;
  }
}

void SessionManager::turn(Clock::time_point now) {
  turned_ = now.time_since_epoch().count();
  std::vector<SessionView> changed;
  {
    const std::lock_guard lock{mutex_};
    take_in_runs(now);
    start_waiting(now);
    forget_ended(now);
    changed = changes(now);
  }
  tell(changed);
  collect_leaving();
}

// Whether there is room for one of this name.
Result<> SessionManager::check_place(const SessionKey& key) const {
  if (entries_.contains(key))
    return refuse(EEXIST, quoted(key) + " exists already");
  const LinePlaces places{.most = limits_.max_waiting, .taken = waiting(), .own = waiting_of(key.namespace_name)};
  if (places.left() == 0)
    return refuse(EAGAIN, quoted(key) + ": " + std::to_string(limits_.max_waiting) +
                              " sessions wait on this node already: delete some, or wait until they have run");
  if (!may_wait(places))
    return refuse(EAGAIN, quoted(key) + ": " + owner_of(key) + " has its share of sessions.maxWaiting (" +
                              std::to_string(places.most) + ") already: " + std::to_string(places.own) +
                              " wait on this node, and " + std::to_string(places.left()) +
                              " are left for others: delete some, or wait until they have run");
  return {};
}

Result<> SessionManager::start(TraceSession session, SessionOrigin origin) {
  // Before its filter is compiled, which costs much more, and again after it: others come meanwhile.
  {
    const std::lock_guard lock{mutex_};
    TRY(check_place(session.key));
  }
  auto checked = node_.check(session);
  // Whoever wrote an object for kubectl hears of it in the object's status.
  if (!checked && origin == SessionOrigin::Rest)
    return checked;
  {
    const std::lock_guard lock{mutex_};
    TRY(check_place(session.key));
    Entry entry;
    entry.feed = std::make_shared<EventFeed>(name_, session.key.text());
    entry.view = {.session = session, .origin = origin, .status = {.message = "accepted"}, .number = next_number_++};
    if (!checked)
      entry.view.status = {.phase = SessionPhase::Failed, .message = checked.error().message, .ended_s = unix_now()};
    if (!checked)
      entry.feed->end();
    entries_.emplace(session.key, std::move(entry));
    commanded_ = true;
  }
  command_.notify_one();
  return {};
}

Result<> SessionManager::remove(const SessionKey& key) {
  {
    const std::lock_guard lock{mutex_};
    const auto found = entries_.find(key);
    if (found == entries_.end())
      return refuse(ENOENT, quoted(key) + " is not on this node");
    found->second.feed->end();
    if (found->second.run) {
      found->second.run->stop();
      leaving_.push_back(std::move(found->second.run));
    }
    entries_.erase(found);
    commanded_ = true;
  }
  command_.notify_one();
  return {};
}

std::vector<SessionView> SessionManager::list() const {
  const std::lock_guard lock{mutex_};
  std::vector<SessionView> views;
  for (const auto& [key, entry] : entries_)
    views.push_back(entry.view);
  return views;
}

std::optional<SessionView> SessionManager::find(const SessionKey& key) const {
  const std::lock_guard lock{mutex_};
  const auto found = entries_.find(key);
  return found == entries_.end() ? std::nullopt : std::optional(found->second.view);
}

Result<std::unique_ptr<EventStream>> SessionManager::follow(const SessionKey& key, std::size_t tail) {
  std::shared_ptr<EventFeed> feed;
  {
    const std::lock_guard lock{mutex_};
    const auto found = entries_.find(key);
    if (found == entries_.end())
      return refuse(ENOENT, quoted(key) + " is not on this node");
    feed = found->second.feed;
  }
  return feed->follow(std::min(tail, kMaxTail));
}

std::map<SessionPhase, std::size_t> SessionManager::phases() const {
  const std::lock_guard lock{mutex_};
  std::map<SessionPhase, std::size_t> phases;
  for (const auto& [key, entry] : entries_)
    ++phases[entry.view.status.phase];
  return phases;
}

void SessionManager::take_in_runs(Clock::time_point now) {
  for (auto& [key, entry] : entries_) {
    if (!entry.run)
      continue;
    // Asked first: what ended between the two questions has its last numbers all the same.
    const bool ended = entry.run->has_ended();
    entry.view.status = entry.run->status();
    if (ended)
      finish(entry, now);
  }
}

void SessionManager::finish(Entry& entry, Clock::time_point now) {
  entry.run.reset();
  entry.ended = now;
  if (entry.view.status.ended_s == 0)
    entry.view.status.ended_s = unix_now();
}

// Namespace by namespace, the oldest of each first.
void SessionManager::start_waiting(Clock::time_point now) {
  WaitingLine line;
  for (auto& [key, entry] : entries_)
    if (is_waiting(entry) && may_start(entry, now))
      line.add(key, entry.view.number);
  std::size_t room = limits_.max_running - std::min(limits_.max_running, running() + leaving_.size());
  while (const SessionKey* key = line.take_after(last_turn_of_)) {
    auto& entry = entries_.at(*key);
    if (room == 0) {
      entry.view.status.message = "waits for its turn: " + std::to_string(limits_.max_running) +
                                  " sessions run on this node, which is the most";
      continue;
    }
    --room;
    last_turn_of_ = key->namespace_name;
    run(entry);
  }
}

// Whether it has something to trace here. One whose time is over before that has run out.
bool SessionManager::may_start(Entry& entry, Clock::time_point now) {
  const auto& session = entry.view.session;
  auto& status = entry.view.status;
  const auto [pods, why] = node_.selected(session);
  if (pods)
    status.pods = *pods;
  if (session.spec.host_network || (pods && *pods > 0)) {
    spend_wait(entry, now);
    return true;
  }
  if (!entry.without_pods_since)
    entry.without_pods_since = now;
  status.message = pods ? "none of its pods is on this node" : why;
  if (now - *entry.without_pods_since + session.spent < session.spec.duration)
    return false;
  status.phase = SessionPhase::Expired;
  status.message = "its time is over, and " + status.message;
  entry.view.status.ended_s = unix_now();
  entry.ended = now;
  return false;
}

// The time without a pod is that of the nodes that have one; a place in line costs nobody his time.
void SessionManager::spend_wait(Entry& entry, Clock::time_point now) {
  if (!entry.without_pods_since)
    return;
  auto& session = entry.view.session;
  session.spent = std::min<std::chrono::nanoseconds>(session.spent + (now - *entry.without_pods_since),
                                                     session.spec.duration - std::chrono::seconds(1));
  entry.without_pods_since.reset();
}

void SessionManager::run(Entry& entry) {
  entry.view.status.message = "attaching its probes";
  entry.run = node_.start(entry.view.session, entry.feed);
}

// What REST started nobody else deletes. Of the cluster's objects somebody else keeps house, but not more than there is
// room for.
void SessionManager::forget_ended(Clock::time_point now) {
  std::vector<std::pair<std::uint64_t, SessionKey>> ended;
  for (const auto& [key, entry] : entries_) {
    if (!is_final(entry.view.status.phase) || entry.run)
      continue;
    ended.emplace_back(entry.view.number, key);
  }
  std::ranges::sort(ended);
  std::size_t left = ended.size();
  for (const auto& [number, key] : ended) {
    auto& entry = entries_.at(key);
    const bool is_old = entry.view.origin == SessionOrigin::Rest &&
                        now - entry.ended >= entry.view.session.spec.ttl_after_finished && entry.told_once;
    if (!is_old && left <= limits_.max_waiting)
      continue;
    entry.feed->end();
    entries_.erase(key);
    --left;
  }
}

// Joining a thread that has ended takes no time; one that has not is left for the next turn.
void SessionManager::collect_leaving() {
  std::vector<std::unique_ptr<SessionRun>> gone;
  const std::lock_guard lock{mutex_};
  for (auto& run : leaving_)
    if (run->has_ended())
      gone.push_back(std::move(run));
  std::erase(leaving_, nullptr);
}

std::vector<SessionView> SessionManager::changes(Clock::time_point now) {
  std::vector<SessionView> changed;
  for (auto& [key, entry] : entries_) {
    const auto& status = entry.view.status;
    const bool new_phase = !entry.told_once || entry.told.phase != status.phase;
    const bool new_words = entry.told.message != status.message;
    const bool new_numbers = worth_telling(entry.told) != worth_telling(status) && now - entry.told_at >= kReportEvery;
    if (!new_phase && !new_words && !new_numbers)
      continue;
    if (new_phase)
      tell_phase(entry);
    if (new_phase && is_final(status.phase))
      entry.feed->end();
    entry.told = status;
    entry.told_at = now;
    entry.told_once = true;
    changed.push_back(entry.view);
  }
  return changed;
}

void SessionManager::tell(const std::vector<SessionView>& views) {
  for (const auto& view : views)
    for (SessionListener* listener : listeners_)
      listener->changed(view);
}

// In the log, and at the end of what its readers see.
void SessionManager::tell_phase(const Entry& entry) const {
  const auto& status = entry.view.status;
  const std::string name = entry.view.session.key.text();
  const std::uint64_t now_ns = realtime_ns();
  TextBuffer text;
  JsonEvent{{.node = name_, .session = name}}.put_start(text, now_ns, "session");
  text.put(",\"phase\":");
  put_json_string(text, name_of(status.phase));
  text.put(",\"message\":");
  put_json_name(text, status.message);
  text.put('}');
  const auto batch = std::make_shared<const LineBatch>(LineBatch{
      .session = name, .lines = {{.realtime_ns = now_ns, .type = "session", .text = std::string(text.view())}}});
  for (LineReceiver* receiver : receivers_)
    receiver->accept(batch);
  entry.feed->accept(batch);
}

bool SessionManager::is_waiting(const Entry& entry) {
  return !entry.run && entry.view.status.phase == SessionPhase::Pending;
}

std::size_t SessionManager::running() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(entries_, [](const auto& one) { return one.second.run != nullptr; }));
}

std::size_t SessionManager::waiting() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(entries_, [](const auto& one) { return is_waiting(one.second); }));
}

std::size_t SessionManager::waiting_of(const std::string& namespace_name) const {
  return static_cast<std::size_t>(std::ranges::count_if(entries_, [&namespace_name](const auto& one) {
    return one.first.namespace_name == namespace_name && is_waiting(one.second);
  }));
}

}  // namespace skbtrail
