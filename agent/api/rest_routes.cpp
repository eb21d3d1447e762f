#include "api/rest_routes.h"

#include <vector>

#include "api/http_request.h"
#include "pods/label_syntax.h"

namespace skbtrail {
namespace {

using Op = RestOperation;
constexpr auto kNamespaced = SessionKind::TraceSession;
constexpr auto kCluster = SessionKind::ClusterTraceSession;

constexpr RestRoute kRoutes[] = {
    {"GET", "/apis/skbtrail.dev/v1alpha1/tracesessions", Op::ListAll, kNamespaced,
     "The TraceSessions of this node in all namespaces."},
    {"GET", "/apis/skbtrail.dev/v1alpha1/namespaces/{namespace}/tracesessions", Op::List, kNamespaced,
     "The TraceSessions of this node in a namespace."},
    {"POST", "/apis/skbtrail.dev/v1alpha1/namespaces/{namespace}/tracesessions", Op::Create, kNamespaced,
     "Starts a TraceSession on this node alone."},
    {"GET", "/apis/skbtrail.dev/v1alpha1/namespaces/{namespace}/tracesessions/{name}", Op::Get, kNamespaced,
     "A TraceSession with its status on this node."},
    {"DELETE", "/apis/skbtrail.dev/v1alpha1/namespaces/{namespace}/tracesessions/{name}", Op::Delete, kNamespaced,
     "Ends a TraceSession and forgets it; it is off within a second."},
    {"GET", "/apis/skbtrail.dev/v1alpha1/namespaces/{namespace}/tracesessions/{name}/events", Op::Follow, kNamespaced,
     "The events of a TraceSession as they come, one JSON object each."},
    {"GET", "/apis/skbtrail.dev/v1alpha1/clustertracesessions", Op::List, kCluster,
     "The ClusterTraceSessions of this node."},
    {"POST", "/apis/skbtrail.dev/v1alpha1/clustertracesessions", Op::Create, kCluster,
     "Starts a ClusterTraceSession on this node alone."},
    {"GET", "/apis/skbtrail.dev/v1alpha1/clustertracesessions/{name}", Op::Get, kCluster,
     "A ClusterTraceSession with its status on this node."},
    {"DELETE", "/apis/skbtrail.dev/v1alpha1/clustertracesessions/{name}", Op::Delete, kCluster,
     "Ends a ClusterTraceSession and forgets it; it is off within a second."},
    {"GET", "/apis/skbtrail.dev/v1alpha1/clustertracesessions/{name}/events", Op::Follow, kCluster,
     "The events of a ClusterTraceSession as they come, one JSON object each."},
    {"GET", "/api/v1/pods", Op::Pods, std::nullopt,
     "The pods of this node with their network namespaces, as `skbtrail pods -o json` prints them."},
    {"GET", "/openapi.json", Op::OpenApi, std::nullopt, "This description."},
    {"GET", "/healthz", Op::Healthz, std::nullopt, "Whether the agent is alive."},
    {"GET", "/readyz", Op::Readyz, std::nullopt, "Whether the agent does what it is for."},
};

std::vector<std::string_view> segments_of(std::string_view path) {
  std::vector<std::string_view> segments;
  path.remove_prefix(path.starts_with('/') ? 1 : 0);
  while (true) {
    const auto slash = path.find('/');
    segments.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos)
      return segments;
    path.remove_prefix(slash + 1);
  }
}

// What stands for {namespace} and {name}; nothing: another path.
std::optional<RouteMatch> match(const RestRoute& route, const std::vector<std::string>& segments) {
  const auto wanted = segments_of(route.path);
  if (wanted.size() != segments.size())
    return std::nullopt;
  RouteMatch found{.route = &route};
  for (std::size_t at = 0; at < wanted.size(); ++at) {
    if (!wanted[at].starts_with('{')) {
      if (wanted[at] != segments[at])
        return std::nullopt;
      continue;
    }
    // What no object can be called is not there, whatever it would do further on: in a request to the API server, say.
    const bool is_name = wanted[at] == "{name}";
    if (is_name ? !is_dns_subdomain(segments[at]) : !is_dns_label(segments[at]))
      return std::nullopt;
    (is_name ? found.name : found.namespace_name) = segments[at];
  }
  return found;
}

}  // namespace

std::span<const RestRoute> rest_routes() {
  return kRoutes;
}

Result<RouteMatch> match_route(std::string_view method, std::string_view path) {
  // Divided before it is decoded: a "%2F" is a letter of a name.
  std::vector<std::string> segments;
  for (const std::string_view part : segments_of(path)) {
    auto plain = percent_decoded(part);
    if (!plain)
      return refuse(EINVAL, "the path has a '%' that is not followed by two hexadecimal digits");
    segments.push_back(std::move(*plain));
  }
  std::string allow;
  for (const RestRoute& route : kRoutes) {
    auto found = match(route, segments);
    if (!found)
      continue;
    if (route.method == method)
      return std::move(*found);
    allow += (allow.empty() ? "" : ", ") + std::string(route.method);
  }
  return RouteMatch{.allow = allow};
}

}  // namespace skbtrail
