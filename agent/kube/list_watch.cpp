#include "kube/list_watch.h"

#include <utility>

#include "base/json_value.h"
#include "kube/api_error.h"
#include "kube/whatever_comes.h"

namespace skbtrail {
namespace {

using nlohmann::json;

// A watch that told nothing and ended sooner did not work, whatever the server says of it.
constexpr std::chrono::seconds kLasted{5};

// The server knows no such kind.
Result<ApiClient::List> listed(Result<ApiClient::List> list) {
  if (!list && list.error().code == ENOENT)
    return refuse(ENOENT, list.error().message + "; `skbtrail crds | kubectl apply -f -` defines it");
  return list;
}

Error stream_error(const json& object, const std::string& doing) {
  const auto code = number_at(object, "code");
  if (code < 100 || code > 599)
    return refuse(EBADMSG, doing + ": the API server ends it without a code");
  return status_error(static_cast<int>(code), object, doing);
}

// Going on where it was would bring the same again: only a list helps.
bool is_lost(const Error& error) {
  return error.code == ESTALE || error.code == EBADMSG || error.code == EFBIG;
}

}  // namespace

ListWatch::ListWatch(std::shared_ptr<ApiEndpoint> endpoint, Settings settings, WatchHandler& handler)
    : settings_(std::move(settings)),
      handler_(handler),
      client_(std::move(endpoint)),
      backoff_(settings_.least_wait, settings_.most_wait, settings_.seed),
      random_(settings_.seed + 1) {
  thread_.start(settings_.name, [this] { run(); });
}

ListWatch::~ListWatch() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  stopped_.notify_all();
  thread_.join(client_);
}

std::string ListWatch::trouble() const {
  const std::lock_guard lock{mutex_};
  return trouble_;
}

void ListWatch::set_trouble(std::string trouble) {
  const std::lock_guard lock{mutex_};
  trouble_ = std::move(trouble);
}

bool ListWatch::sleep(Backoff::Duration time) {
  std::unique_lock lock{mutex_};
  return !stopped_.wait_for(lock, time, [this] { return stopping_.load(); });
}

// A list is followed by a watch at once. Whatever else ends is begun again a little later: with no further delay when
// it had told something or lasted, else each time with a longer one.
void ListWatch::run() {
  while (!stopping_) {
    const bool is_list = version_.empty();
    const auto began = std::chrono::steady_clock::now();
    progressed_ = false;
    const auto done = whatever_comes("watch", [&] { return is_list ? list() : watch(); });
    const bool is_stale = !done && done.error().code == ESTALE;
    if (!done && is_lost(done.error()))
      version_.clear();
    const bool has_lasted = done && !is_list && std::chrono::steady_clock::now() - began >= kLasted;
    if (has_lasted || (progressed_ && (done || is_stale || !is_lost(done.error()))))
      backoff_.reset();
    asked_ = true;
    set_trouble(done || is_stale ? std::string() : done.error().message);
    if (!(is_list && done) && !sleep(backoff_.next()))
      return;
  }
}

Result<> ListWatch::list() {
  auto list = TRY(listed(client_.list(settings_.path)));
  if (list.resource_version.empty())
    return refuse(EBADMSG, "list " + settings_.path + ": the answer has no resourceVersion");
  handler_.replaced(std::move(list.items));
  version_ = std::move(list.resource_version);
  listed_ = true;
  return {};
}

Result<> ListWatch::watch() {
  const auto least = settings_.watch_time.count();
  const auto seconds = std::uniform_int_distribution<std::int64_t>(least, 2 * least)(random_);
  in_stream_ = {};
  set_trouble({});
  auto ended = client_.watch(
      settings_.path + "?watch=1&allowWatchBookmarks=true&timeoutSeconds=" + std::to_string(seconds) +
          "&resourceVersion=" + query_text(version_),
      std::chrono::seconds(seconds) + settings_.grace, [this](std::string_view line) { return take(line); });
  if (!in_stream_)
    return in_stream_;
  return ended;
}

bool ListWatch::take(std::string_view line) {
  const auto event = json::parse(line, nullptr, false);
  const auto object = event.is_object() ? event.find("object") : event.end();
  if (!event.is_object() || object == event.end() || !object->is_object()) {
    in_stream_ = refuse(EBADMSG, "watch " + settings_.path + ": a line is no event");
    return false;
  }
  return take_event(text_at(event, "type"), *object);
}

bool ListWatch::take_event(const std::string& type, const json& object) {
  if (type == "ERROR") {
    in_stream_ = stream_error(object, "watch " + settings_.path);
    return false;
  }
  if (type == "ADDED" || type == "MODIFIED")
    handler_.changed(object);
  else if (type == "DELETED")
    handler_.removed(object);
  if (auto version = text_at(member_of(object, "metadata"), "resourceVersion"); !version.empty())
    version_ = std::move(version);
  progressed_ = true;
  return !stopping_;
}

}  // namespace skbtrail
