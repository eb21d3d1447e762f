#include "kube/pod_events.h"

#include <array>
#include <charconv>
#include <functional>
#include <utility>

#include "base/clock.h"
#include "base/shown_text.h"
#include "kube/retry.h"
#include "kube/whatever_comes.h"
#include "session/session_schema.h"
#include "sink/drop_reason_text.h"

namespace skbtrail {
namespace {

// How soon a pod that loses packets is told of.
constexpr std::chrono::milliseconds kTurn{1000};
// Of an Event's message; the API server refuses more.
constexpr std::size_t kMostMessage = 1024;
constexpr std::size_t kMostPodInName = 180;

std::string hexadecimal(std::uint64_t number) {
  std::array<char, 16> digits;
  const char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr;
  return {digits.data(), static_cast<std::size_t>(end - digits.data())};
}

// The same for each try to write one event, and for no other event.
std::string name_of(const PodWarning& warning, const std::string& node, std::uint64_t now_ns) {
  const auto of_whom = std::hash<std::string>{}(warning.uid + "/" + warning.reason + "/" + node);
  return warning.pod.substr(0, kMostPodInName) + "." + hexadecimal(now_ns) + "." + hexadecimal(of_whom);
}

std::string message_of(const PodWarning& warning) {
  const auto words = explain_drop(warning.subsystem, warning.reason);
  std::string text = std::to_string(warning.packets) + " packets lost in " + std::to_string(warning.during.count()) +
                     " s: " + warning.reason;
  if (!warning.location.empty())
    text += " in " + warning.location;
  text += ": " + std::string(words.meaning) + ". To look at: " + std::string(words.check);
  return std::string(cut_text(text, kMostMessage));
}

}  // namespace

nlohmann::json event_of(const PodWarning& warning, const std::string& node, const std::string& name,
                        std::int64_t now_s) {
  nlohmann::json about = {
      {"apiVersion", "v1"}, {"kind", "Pod"}, {"namespace", warning.namespace_name}, {"name", warning.pod}};
  if (!warning.uid.empty())
    about["uid"] = warning.uid;
  return {{"apiVersion", "v1"},
          {"kind", "Event"},
          {"metadata", {{"name", name}, {"namespace", warning.namespace_name}}},
          {"involvedObject", std::move(about)},
          {"reason", "PacketsDropped"},
          {"message", message_of(warning)},
          {"type", "Warning"},
          {"source", {{"component", "skbtrail"}, {"host", node}}},
          {"firstTimestamp", time_text(now_s - warning.during.count())},
          {"lastTimestamp", time_text(now_s)},
          {"count", 1}};
}

PodEvents::PodEvents(std::shared_ptr<ApiEndpoint> endpoint, std::string node, Teller log)
    : node_(std::move(node)),
      log_(std::move(log)),
      client_(std::move(endpoint)),
      backoff_(std::chrono::milliseconds(1000), std::chrono::milliseconds(30'000), std::hash<std::string>{}(node_)) {
  thread_.start("kube-pods", [this] { run(); });
}

PodEvents::~PodEvents() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  stop_.notify_all();
  thread_.join(client_);
}

void PodEvents::note(const PodDrop& drop) {
  const std::lock_guard lock{mutex_};
  warnings_.note(drop, Clock::now());
}

PodEventNumbers PodEvents::counts() const {
  const std::lock_guard lock{mutex_};
  auto counts = counts_;
  counts.left_out = warnings_.left_out();
  return counts;
}

bool PodEvents::is_stopping() const {
  const std::lock_guard lock{mutex_};
  return stopping_;
}

void PodEvents::run() {
  auto patience = kTurn;
  while (!is_stopping()) {
    {
      std::unique_lock lock{mutex_};
      stop_.wait_for(lock, patience, [this] { return stopping_; });
    }
    std::optional<std::chrono::milliseconds> later;
    while (!later && !is_stopping() && (pending_ || take_next()))
      later = write();
    patience = later.value_or(kTurn);
  }
}

bool PodEvents::take_next() {
  const auto now = Clock::now();
  const std::uint64_t now_ns = realtime_ns();
  std::optional<PodWarning> warning;
  {
    const std::lock_guard lock{mutex_};
    warning = warnings_.next(now);
  }
  if (!warning)
    return false;
  pending_ = {.path = "/api/v1/namespaces/" + warning->namespace_name + "/events",
              .event = event_of(*warning, node_, name_of(*warning, node_, now_ns),
                                static_cast<std::int64_t>(now_ns / 1'000'000'000)),
              .since = now};
  return true;
}

// Returns how long to wait before the same is tried again; none: it is done with. An event that is there already was
// written by a try whose answer was lost.
std::optional<std::chrono::milliseconds> PodEvents::write() {
  const auto done =
      whatever_comes("event of a pod", [this] { return client_.create(pending_->path, pending_->event); });
  const bool is_written = done || done.error().code == EEXIST;
  const bool is_later = !is_written && (is_of_connection(done.error()) || done.error().code == EAGAIN) &&
                        Clock::now() - pending_->since < PodWarnings::kQuiet;
  if (!is_written && !is_stopping())
    log_(LogLevel::Warning, "event of a pod: " + done.error().message);
  if (is_later)
    return backoff_.next();
  backoff_.reset();
  pending_.reset();
  const std::lock_guard lock{mutex_};
  ++(is_written ? counts_.written : counts_.failed);
  return std::nullopt;
}

}  // namespace skbtrail
