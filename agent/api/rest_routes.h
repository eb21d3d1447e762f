#pragma once
// The one table of what REST offers: paths, methods, and whether somebody has to say who he is. Requests are matched
// with it and /openapi.json is made of it. Pure.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "session/session_schema.h"

namespace skbtrail {

enum class RestOperation : std::uint8_t { Create, List, ListAll, Get, Delete, Follow, Pods, OpenApi, Healthz, Readyz };

struct RestRoute {
  std::string_view method;
  std::string_view path;  // with {namespace} and {name}
  RestOperation operation;
  std::optional<SessionKind> kind;  // of the sessions that it is about
  std::string_view summary;

  // Whoever asks need not say who he is.
  bool is_public() const { return operation == RestOperation::Healthz || operation == RestOperation::Readyz; }
};

std::span<const RestRoute> rest_routes();

struct RouteMatch {
  const RestRoute* route = nullptr;  // null: there is none
  std::string namespace_name = {};   // a DNS label
  std::string name = {};             // a DNS subdomain
  std::string allow = {};            // methods of this path, "GET, POST", where only the method is wrong
};

// `path` as sent. EINVAL: it has a '%' that is no encoding.
Result<RouteMatch> match_route(std::string_view method, std::string_view path);

}  // namespace skbtrail
