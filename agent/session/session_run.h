#pragma once
// SessionRun: a session while it runs on this node, and SessionNode: what makes one. The border between the manager,
// which decides, and what traces; tests of the manager put something else behind it.

#include <cstddef>
#include <memory>
#include <optional>

#include "base/result.h"
#include "model/trace_session.h"
#include "session/event_feed.h"

namespace skbtrail {

// Has a thread of its own. All methods: any thread.
class SessionRun {
public:
  // Ends it and waits until its probes are off.
  virtual ~SessionRun() = default;
  // Asks it to end; returns at once.
  virtual void stop() = 0;
  // Its probes are off and its last event was handed on: the destructor does not wait.
  virtual bool has_ended() const = 0;
  // The newest numbers. The phase is final exactly when it ended by itself, or failed.
  virtual NodeStatus status() const = 0;
};

class SessionNode {
public:
  virtual ~SessionNode() = default;
  // EINVAL: what no kernel would take, such as a filter that is none; the message names the field.
  virtual Result<> check(const TraceSession& session) = 0;
  // Pods of this node that it selects now; nothing: pods are not known here, with the reason in `why`.
  struct Selected {
    std::optional<std::size_t> pods;
    std::string why;
  };
  virtual Selected selected(const TraceSession& session) = 0;
  // Starts it; whatever fails is in the run's status.
  virtual std::unique_ptr<SessionRun> start(const TraceSession& session, std::shared_ptr<EventFeed> feed) = 0;
};

}  // namespace skbtrail
