#include "api/rest_api.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "api/accept_header.h"
#include "api/rest_openapi.h"
#include "api/rest_routes.h"
#include "base/json_value.h"
#include "base/shown_text.h"
#include "session/session_object.h"

namespace skbtrail {

// One request, once it is known what it wants and from whom it comes.
struct RestApi::Asked {
  const HttpRequest& request;
  RouteMatch where;
  Identity who;

  const KindNames& names() const { return names_of(*where.route->kind); }
  SessionKey key() const { return {.namespace_name = where.namespace_name, .name = where.name}; }
};

namespace {

using nlohmann::json;

HttpAnswer json_answer(int status, const json& object) {
  HttpAnswer answer{.status = status};
  answer.body = json_text(object) + "\n";
  return answer;
}

std::string token_of(const HttpHead& head) {
  constexpr std::string_view kScheme = "bearer ";
  std::string text = head.field("authorization");
  const bool is_bearer = text.size() > kScheme.size() &&
                         std::equal(kScheme.begin(), kScheme.end(), text.begin(), [](char wanted, char has) {
                           return wanted == (has >= 'A' && has <= 'Z' ? has - 'A' + 'a' : has);
                         });
  return is_bearer ? text.substr(kScheme.size()) : std::string();
}

std::string_view verb_of(RestOperation operation) {
  switch (operation) {
    case RestOperation::Create: return "create";
    case RestOperation::List:
    case RestOperation::ListAll:
    case RestOperation::Pods: return "list";
    case RestOperation::Get: return "get";
    case RestOperation::Delete: return "delete";
    case RestOperation::Follow: return "watch";
    case RestOperation::OpenApi:
    case RestOperation::Healthz:
    case RestOperation::Readyz: break;
  }
  return "";
}

// Nothing: everybody who is known may.
std::optional<Access> access_of(const RouteMatch& where) {
  const RestRoute& route = *where.route;
  if (verb_of(route.operation).empty())
    return std::nullopt;
  if (!route.kind)
    return Access{.verb = verb_of(route.operation), .group = "", .resource = "pods"};
  return Access{.verb = verb_of(route.operation),
                .group = kSessionGroup,
                .resource = names_of(*route.kind).plural,
                .namespace_name = where.namespace_name,
                .name = where.name};
}

// The value of a parameter; nothing: it is not there.
std::optional<std::string> parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const std::string_view one = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (one.substr(0, one.find('=')) == name)
      return percent_decoded(one.find('=') == std::string_view::npos ? "" : one.substr(name.size() + 1)).value_or("%");
  }
  return std::nullopt;
}

Result<std::size_t> tail_of(std::string_view query) {
  const auto text = parameter(query, "tail");
  if (!text)
    return std::size_t{0};
  std::size_t tail = 0;
  const char* const end = text->data() + text->size();
  if (const auto parsed = std::from_chars(text->data(), end, tail);
      parsed.ec != std::errc{} || parsed.ptr != end || tail > SessionControl::kMaxTail)
    return refuse(EINVAL, "tail: must be a number from 0 to " + std::to_string(SessionControl::kMaxTail) + ", not " +
                              in_quotes(*text));
  return tail;
}

Result<> check_accept(const RouteMatch& where, const HttpHead& head) {
  const std::string accept = head.field("accept");
  const bool is_stream = where.route->operation == RestOperation::Follow;
  if (accepts(accept, "application/json", MediaRange::Wildcard))
    return {};
  if (is_stream && (accepts(accept, "application/x-ndjson", MediaRange::Wildcard) ||
                    accepts(accept, "text/event-stream", MediaRange::Wildcard)))
    return {};
  return refuse(ENOMSG, is_stream ? "there is application/x-ndjson and text/event-stream here"
                                  : "there is only application/json here");
}

Result<> check_content_type(const HttpHead& head) {
  const std::string type = head.field("content-type");
  // Parameters such as a charset change nothing: JSON is UTF-8.
  if (accepts(type, "application/json", MediaRange::Exact))
    return {};
  return refuse(ENOTTY, "send the object as JSON, with the header 'Content-Type: application/json'");
}

// Whether lists and objects stand in each other more than `levels` deep, wherever the text is JSON. Whatever walks a
// value takes stack for each level.
bool is_deeper_than(std::size_t levels, std::string_view text) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char letter = text[at];
    if (in_string && letter == '\\')
      ++at;  // what follows ends no string
    else if (letter == '"')
      in_string = !in_string;
    else if (in_string)
      continue;
    else if ((letter == '[' || letter == '{') && ++depth > levels)
      return true;
    else if ((letter == ']' || letter == '}') && depth > 0)
      --depth;
  }
  return false;
}

Result<json> parsed(const std::string& text) {
  constexpr std::size_t kMaxLevels = 32;  // a session has five
  if (is_deeper_than(kMaxLevels, text))
    return refuse(EINVAL, "the body has lists and objects more than " + std::to_string(kMaxLevels) + " levels deep");
  try {
    return json::parse(text);
  } catch (const json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: …": what follows the id is for people.
    const std::string_view what = error.what();
    const auto behind = what.find("] ");
    return refuse(EINVAL,
                  "the body is not JSON: " +
                      std::string(what.substr(behind == std::string_view::npos ? 0 : behind + 2).substr(0, 200)));
  }
}

// As in Kubernetes: a namespace that the object lacks is that of the path, and another one is an error.
Result<> settle_namespace(json& object, const RouteMatch& where) {
  // Of another kind is another fault.
  if (*where.route->kind != SessionKind::TraceSession || !object.is_object())
    return {};
  if (const auto kind = object.find("kind"); kind == object.end() || *kind != names_of(SessionKind::TraceSession).kind)
    return {};
  const auto metadata = object.find("metadata");
  if (metadata == object.end() || !metadata->is_object())
    return {};
  const auto found = metadata->find("namespace");
  if (found == metadata->end())
    (*metadata)["namespace"] = where.namespace_name;
  else if (*found != where.namespace_name)
    return refuse(EINVAL,
                  "metadata.namespace: does not match the namespace of the path, " + in_quotes(where.namespace_name));
  return {};
}

Result<TraceSession> session_in(const std::string& text, const RouteMatch& where) {
  auto object = TRY(parsed(text));
  TRY(settle_namespace(object, where));
  auto session = TRY(session_of(object));
  if (session.is_cluster() != (*where.route->kind == SessionKind::ClusterTraceSession))
    return refuse(EINVAL, "kind: this path takes a " + std::string(names_of(*where.route->kind).kind));
  // Those are the API server's to give.
  session.uid.clear();
  session.generation = 0;
  return session;
}

Error none_of(const KindNames& names, const std::string& name) {
  return refuse(ENOENT, std::string(names.plural) + "." + std::string(kSessionGroup) + " " + in_quotes(name) +
                            " is not on this node");
}

// Gives its place to another one when it ends.
class CountedStream final : public EventStream {
public:
  CountedStream(std::unique_ptr<EventStream> stream, std::shared_ptr<std::atomic<std::size_t>> count)
      : stream_(std::move(stream)), count_(std::move(count)) {}
  CountedStream(const CountedStream&) = delete;
  CountedStream& operator=(const CountedStream&) = delete;
  ~CountedStream() override { count_->fetch_sub(1); }

  Next next(std::chrono::milliseconds wait) override { return stream_->next(wait); }

private:
  std::unique_ptr<EventStream> stream_;
  std::shared_ptr<std::atomic<std::size_t>> count_;
};

}  // namespace

RestApi::RestApi(Settings settings) : settings_(std::move(settings)) {}

HttpAnswer RestApi::answer(const HttpRequest& request, Authorizer& judge) {
  auto result = answered(request, judge);
  return result ? std::move(*result) : failure_answer(result.error());
}

// Who it is comes before what there is: a stranger learns nothing about this node.
Result<HttpAnswer> RestApi::answered(const HttpRequest& request, Authorizer& judge) {
  auto where = match_route(request.head.method, request.head.path);
  if (where && where->route && where->route->is_public())
    return health(where->route->operation == RestOperation::Healthz ? HealthQuestion::Alive : HealthQuestion::Ready);
  auto who = TRY(judge.identify({.uid = request.peer, .token = token_of(request.head)}));
  if (!where)
    return where.error();
  if (!where->route && where->allow.empty())
    return refuse(ENOENT, "there is no such path; GET /openapi.json has all of them");
  if (!where->route) {
    auto answer =
        failure_answer(refuse(ENOTSUP, request.head.method + " is not for this path; it takes " + where->allow));
    answer.fields.emplace_back("Allow", where->allow);
    return answer;
  }
  TRY(check_accept(*where, request.head));
  const Asked asked{.request = request, .where = std::move(*where), .who = std::move(who)};
  const auto access = access_of(asked.where);
  if (auto may = access ? judge.permit(asked.who, *access) : Result<>{}; !may) {
    const Result<HttpAnswer> refused{std::move(may.error())};
    if (access->verb == "create" || access->verb == "delete")
      note(asked, asked.key(), refused);
    return refused.error();
  }
  return done(asked);
}

Result<HttpAnswer> RestApi::done(const Asked& asked) {
  switch (asked.where.route->operation) {
    case RestOperation::Create: return create(asked);
    case RestOperation::List: return list(asked, false);
    case RestOperation::ListAll: return list(asked, true);
    case RestOperation::Get: return get(asked);
    case RestOperation::Delete: return remove(asked);
    case RestOperation::Follow: return follow(asked);
    case RestOperation::Pods: return pods();
    case RestOperation::OpenApi:
    case RestOperation::Healthz:  // those two are public, and answered before
    case RestOperation::Readyz: break;
  }
  HttpAnswer answer;
  answer.body = openapi_of(settings_.version).dump(2) + "\n";
  return answer;
}

Result<HttpAnswer> RestApi::create(const Asked& asked) {
  SessionKey key{.namespace_name = asked.where.namespace_name, .name = {}};
  auto answer = started(asked, key);
  note(asked, key, answer);
  return answer;
}

// `key` is the session's as soon as it is known.
Result<HttpAnswer> RestApi::started(const Asked& asked, SessionKey& key) {
  TRY(check_content_type(asked.request.head));
  const auto text = TRY(asked.request.body());
  auto session = TRY(session_in(text, asked.where));
  session.requested_by = asked.who.name;
  key = session.key;
  const TraceSession copy = session;
  TRY(settings_.control.start(std::move(session), SessionOrigin::Rest));
  const auto view = settings_.control.find(key);
  return json_answer(201, object_of(copy, view ? view->status : NodeStatus{}, settings_.node));
}

Result<HttpAnswer> RestApi::list(const Asked& asked, bool everywhere) const {
  // What a watch of Kubernetes tells is changes of objects, which nobody asks a node for.
  if (const auto watch = parameter(asked.request.head.query, "watch"); watch && *watch != "false" && *watch != "0")
    return refuse(EINVAL, "watch: lists are not watched here; a session's own …/events is");
  const bool is_cluster = *asked.where.route->kind == SessionKind::ClusterTraceSession;
  json items = json::array();
  for (const auto& view : settings_.control.list()) {
    const auto& session = view.session;
    if (session.is_cluster() == is_cluster && (everywhere || session.key.namespace_name == asked.where.namespace_name))
      items.push_back(object_of(session, view.status, settings_.node));
  }
  return json_answer(200, {{"apiVersion", std::string(kSessionGroup) + "/" + std::string(kSessionVersion)},
                           {"kind", std::string(asked.names().kind) + "List"},
                           {"metadata", json::object()},
                           {"items", std::move(items)}});
}

Result<HttpAnswer> RestApi::get(const Asked& asked) const {
  const auto view = settings_.control.find(asked.key());
  if (!view)
    return none_of(asked.names(), asked.where.name);
  return json_answer(200, object_of(view->session, view->status, settings_.node));
}

Result<HttpAnswer> RestApi::remove(const Asked& asked) {
  auto answer = removed(asked.key());
  if (!answer && answer.error().code == ENOENT)
    answer = none_of(asked.names(), asked.where.name);
  note(asked, asked.key(), answer);
  return answer;
}

Result<HttpAnswer> RestApi::removed(const SessionKey& key) {
  // Kubernetes would only have it started again.
  if (const auto view = settings_.control.find(key); view && view->origin == SessionOrigin::Kubernetes)
    return refuse(EBUSY, in_quotes(key.text()) + " is an object of the cluster: delete it there, with kubectl");
  TRY(settings_.control.remove(key));
  return json_answer(200, {{"kind", "Status"},
                           {"apiVersion", "v1"},
                           {"metadata", json::object()},
                           {"status", "Success"},
                           {"message", "session " + in_quotes(key.text()) + " is off"}});
}

Result<HttpAnswer> RestApi::follow(const Asked& asked) {
  const std::size_t tail = TRY(tail_of(asked.request.head.query));
  // Its place is taken first, so that those who come together do not all find the last one.
  const auto give_back = [](std::atomic<std::size_t>* count) { count->fetch_sub(1); };
  std::unique_ptr<std::atomic<std::size_t>, decltype(give_back)> place{streams_.get(), give_back};
  if (streams_->fetch_add(1) >= kMaxStreams)
    return refuse(EAGAIN, std::to_string(kMaxStreams) + " streams are open on this node, which is the most: end one");
  auto stream = settings_.control.follow(asked.key(), tail);
  if (!stream && stream.error().code == ENOENT)
    return none_of(asked.names(), asked.where.name);
  if (!stream)
    return stream.error();
  HttpAnswer answer;
  answer.stream = std::make_unique<CountedStream>(std::move(*stream), streams_);
  (void)place.release();  // now the stream's
  const bool wants_events = accepts(asked.request.head.field("accept"), "text/event-stream", MediaRange::Exact);
  answer.form = wants_events ? StreamForm::ServerSentEvents : StreamForm::NdJson;
  answer.content_type = wants_events ? "text/event-stream" : "application/x-ndjson";
  return answer;
}

Result<HttpAnswer> RestApi::pods() const {
  HttpAnswer answer;
  answer.body = TRY(settings_.pods());
  return answer;
}

HttpAnswer RestApi::health(HealthQuestion question) const {
  auto page = health_page(question, settings_.health(question));
  HttpAnswer answer{.status = page.status, .content_type = "text/plain"};
  answer.body = std::move(page.text);
  return answer;
}

void RestApi::note(const Asked& asked, const SessionKey& key, const Result<HttpAnswer>& answer) const {
  settings_.audit({.user = asked.who.name,
                   .verb = verb_of(asked.where.route->operation),
                   .resource = asked.names().plural,
                   .key = key,
                   .status = answer ? answer->status : http_status_of(answer.error().code),
                   .message = answer ? "" : answer.error().message});
}

}  // namespace skbtrail
