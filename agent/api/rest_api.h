#pragma once
// RestApi: what each request of the REST front is answered with. Knows nothing of sockets and threads;
// api/rest_server.h brings requests and sends answers.

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "api/authorizer.h"
#include "api/health.h"
#include "api/http_service.h"
#include "session/session_control.h"

namespace skbtrail {

// Who started or ended a session, or wanted to.
struct AuditEntry {
  std::string user;
  std::string_view verb;      // create, delete
  std::string_view resource;  // tracesessions, clustertracesessions
  SessionKey key;
  int status = 0;            // HTTP's
  std::string message = {};  // why not; empty: done
};

// All methods: any thread, several at once.
class RestApi final {
public:
  // Streams at once, of all sessions and listeners.
  static constexpr std::size_t kMaxStreams = 16;

  struct Settings {
    SessionControl& control;  // outlives this
    std::string node;
    std::string version;
    std::function<Result<std::string>()> pods;  // JSON, as `skbtrail pods -o json` prints it
    HealthSource health;
    std::function<void(const AuditEntry&)> audit;  // must not wait
  };

  explicit RestApi(Settings settings);

  // Never fails: what goes wrong is the answer. `judge` is that of the listener through which the request came.
  HttpAnswer answer(const HttpRequest& request, Authorizer& judge);

private:
  struct Asked;

  Result<HttpAnswer> answered(const HttpRequest& request, Authorizer& judge);
  Result<HttpAnswer> done(const Asked& asked);
  Result<HttpAnswer> create(const Asked& asked);
  Result<HttpAnswer> started(const Asked& asked, SessionKey& key);
  Result<HttpAnswer> list(const Asked& asked, bool everywhere) const;
  Result<HttpAnswer> get(const Asked& asked) const;
  Result<HttpAnswer> remove(const Asked& asked);
  Result<HttpAnswer> removed(const SessionKey& key);
  Result<HttpAnswer> follow(const Asked& asked);
  Result<HttpAnswer> pods() const;
  HttpAnswer health(HealthQuestion question) const;
  void note(const Asked& asked, const SessionKey& key, const Result<HttpAnswer>& answer) const;

  Settings settings_;
  // Shared with streams, which may outlive this.
  std::shared_ptr<std::atomic<std::size_t>> streams_ = std::make_shared<std::atomic<std::size_t>>(0);
};

}  // namespace skbtrail
