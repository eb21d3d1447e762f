#pragma once
// SessionManager: the sessions of this node from their acceptance to their end. Bounded: so many run, so many wait, and
// no namespace can keep the others from either (see WaitingLine). Every start and end goes through its one thread,
// `control`.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "session/event_feed.h"
#include "session/session_control.h"
#include "session/session_run.h"
#include "sink/line_batch.h"

namespace skbtrail {

struct SessionLimits {
  std::size_t max_running = 4;
  std::size_t max_waiting = 1'000;  // and as many that have ended and are still remembered
};

class SessionManager final : public SessionControl {
public:
  using Clock = std::chrono::steady_clock;

  // How soon it looks again at what runs.
  static constexpr std::chrono::milliseconds kTurn{100};
  // Between two reports of nothing but numbers.
  static constexpr std::chrono::seconds kReportEvery{10};

  // `node`, `listeners` and `receivers` (of the lines that tell phases) outlive this; `name` is the node's.
  SessionManager(SessionNode& node, const SessionLimits& limits, std::string name,
                 std::vector<SessionListener*> listeners, std::vector<LineReceiver*> receivers);
  // Ends what runs, and reports it as it then is: still running, so that an agent after this one goes on with it.
  ~SessionManager() override;
  SessionManager(const SessionManager&) = delete;
  SessionManager& operator=(const SessionManager&) = delete;

  // Any thread; what runs goes on. Takes effect at the next turn.
  void set_limits(const SessionLimits& limits);

  // Starts the thread. Without it, a test takes the turns itself.
  void begin();
  // Takes in what ended, starts what may run, reports what changed. One thread.
  void turn(Clock::time_point now);

  Result<> start(TraceSession session, SessionOrigin origin) override;
  Result<> remove(const SessionKey& key) override;
  std::vector<SessionView> list() const override;
  std::optional<SessionView> find(const SessionKey& key) const override;
  Result<std::unique_ptr<EventStream>> follow(const SessionKey& key, std::size_t tail) override;

  // When its thread last began a turn, which it does once a second at least. Any thread.
  Clock::time_point last_turn() const { return Clock::time_point{Clock::duration{turned_.load()}}; }

  // Sessions by phase, for metrics. Any thread.
  std::map<SessionPhase, std::size_t> phases() const;

private:
  struct Entry {
    SessionView view;
    std::optional<Clock::time_point> without_pods_since;
    Clock::time_point ended{};
    std::shared_ptr<EventFeed> feed;
    std::unique_ptr<SessionRun> run;
    NodeStatus told;  // to listeners
    Clock::time_point told_at{};
    bool told_once = false;
  };
  using Entries = std::map<SessionKey, Entry>;

  Result<> check_place(const SessionKey& key) const;
  void control(const std::stop_token& stop);
  void take_in_runs(Clock::time_point now);
  void finish(Entry& entry, Clock::time_point now);
  void start_waiting(Clock::time_point now);
  bool may_start(Entry& entry, Clock::time_point now);
  static void spend_wait(Entry& entry, Clock::time_point now);
  void run(Entry& entry);
  void forget_ended(Clock::time_point now);
  void collect_leaving();
  std::vector<SessionView> changes(Clock::time_point now);
  void tell(const std::vector<SessionView>& views);
  void tell_phase(const Entry& entry) const;
  std::size_t running() const;
  static bool is_waiting(const Entry& entry);
  std::size_t waiting() const;
  std::size_t waiting_of(const std::string& namespace_name) const;

  SessionNode& node_;
  SessionLimits limits_;
  std::string name_;
  std::vector<SessionListener*> listeners_;
  std::vector<LineReceiver*> receivers_;
  mutable std::mutex mutex_;
  std::condition_variable_any command_;
  bool commanded_ = false;
  std::atomic<Clock::rep> turned_ = Clock::now().time_since_epoch().count();
  Entries entries_;
  std::uint64_t next_number_ = 0;
  std::optional<std::string> last_turn_of_;           // the namespace whose session started last
  std::vector<std::unique_ptr<SessionRun>> leaving_;  // of sessions that are no more, until their probes are off
  std::jthread thread_;                               // last: it uses all of the above
};

}  // namespace skbtrail
