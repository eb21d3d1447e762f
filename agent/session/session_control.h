#pragma once
// SessionControl: what the fronts (kubectl's objects, REST) ask of the sessions on this node. SessionManager is it.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/trace_session.h"

namespace skbtrail {

enum class SessionOrigin : std::uint8_t { Kubernetes, Rest };

struct SessionView {
  TraceSession session;
  SessionOrigin origin = SessionOrigin::Rest;
  NodeStatus status;
  std::uint64_t number = 0;  // in the order in which they came
};

// One reader's copy of a session's events, as lines of JSON. Belongs to one thread; a reader that is slower than the
// events loses its own, and is told so by a line of type "loss" with the cause "reader".
class EventStream {
public:
  struct Next {
    std::vector<std::string> lines;  // without newline; empty: none within the wait
    bool ended = false;              // no more will come
  };

  virtual ~EventStream() = default;
  // Waits for at least one line, for `wait` at most.
  virtual Next next(std::chrono::milliseconds wait) = 0;
};

// All methods: any thread.
class SessionControl {
public:
  virtual ~SessionControl() = default;

  // Puts a checked session in line; it runs as soon as there is room. EEXIST: there is one of this name. EAGAIN: too
  // many wait already. What the kernel says of the session later is in its status.
  virtual Result<> start(TraceSession session, SessionOrigin origin) = 0;
  // Ends it and forgets it; its probes are gone within a second. ENOENT: there is none.
  virtual Result<> remove(const SessionKey& key) = 0;

  virtual std::vector<SessionView> list() const = 0;
  virtual std::optional<SessionView> find(const SessionKey& key) const = 0;
  // Events from now on, after the last `tail` ones (at most kMaxTail). ENOENT: there is no such session. EAGAIN: it has
  // too many readers.
  virtual Result<std::unique_ptr<EventStream>> follow(const SessionKey& key, std::size_t tail) = 0;

  static constexpr std::size_t kMaxTail = 1000;
};

// Hears of every change of phase, and of numbers at most every ten seconds. Called by the manager's control thread:
// must not wait, must not call back.
class SessionListener {
public:
  virtual ~SessionListener() = default;
  virtual void changed(const SessionView& view) = 0;
};

}  // namespace skbtrail
