#include "api/rest_openapi.h"

#include "api/header_text.h"
#include "api/rest_routes.h"
#include "session/session_control.h"
#include "session/session_crd.h"

namespace skbtrail {
namespace {

using Json = nlohmann::ordered_json;

Json reference(std::string_view schema) {
  return {{"$ref", "#/components/schemas/" + std::string(schema)}};
}

Json content(std::string_view type, const Json& schema) {
  return {{std::string(type), {{"schema", schema}}}};
}

Json answer(std::string_view description, std::string_view type, const Json& schema) {
  return {{"description", description}, {"content", content(type, schema)}};
}

Json parameters_of(const RestRoute& route) {
  Json parameters = Json::array();
  for (const char* name : {"namespace", "name"})
    if (route.path.find("{" + std::string(name) + "}") != std::string_view::npos)
      parameters.push_back({{"name", name}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}});
  if (route.operation == RestOperation::Follow)
    parameters.push_back(
        {{"name", "tail"},
         {"in", "query"},
         {"description", "So many of the last lines come first."},
         {"schema", {{"type", "integer"}, {"minimum", 0}, {"maximum", SessionControl::kMaxTail}, {"default", 0}}}});
  return parameters;
}

Json stream_answer() {
  Json streamed = answer("Until the session ends.", "application/x-ndjson", {{"type", "string"}});
  streamed["content"]["text/event-stream"] = {{"schema", {{"type", "string"}}}};
  return streamed;
}

// What is answered when all goes well.
Json good_answers_of(const RestRoute& route) {
  const std::string kind = route.kind ? std::string(names_of(*route.kind).kind) : "";
  switch (route.operation) {
    case RestOperation::Create:
      return {{"201", answer("It runs, or waits for its turn.", "application/json", reference(kind))}};
    case RestOperation::List:
    case RestOperation::ListAll: return {{"200", answer("All of them.", "application/json", reference(kind + "List"))}};
    case RestOperation::Get: return {{"200", answer("It.", "application/json", reference(kind))}};
    case RestOperation::Delete: return {{"200", answer("It is off.", "application/json", reference("Status"))}};
    case RestOperation::Follow: return {{"200", stream_answer()}};
    case RestOperation::Pods:
    case RestOperation::OpenApi: return {{"200", answer("It.", "application/json", {{"type", "object"}})}};
    case RestOperation::Healthz:
    case RestOperation::Readyz: return {{"200", answer("All is well.", "text/plain", {{"type", "string"}})}};
  }
  return {};
}

Json operation_of(const RestRoute& route) {
  Json operation = {{"summary", route.summary}};
  if (Json parameters = parameters_of(route); !parameters.empty())
    operation["parameters"] = std::move(parameters);
  if (route.operation == RestOperation::Create)
    operation["requestBody"] = {{"required", true},
                                {"content", content("application/json", reference(names_of(*route.kind).kind))}};
  operation["responses"] = good_answers_of(route);
  if (route.is_public())
    operation["security"] = Json::array();
  else
    operation["responses"]["default"] = answer("What went wrong.", "application/json", reference("Status"));
  return operation;
}

Json status_schema() {
  return {{"description", "Kubernetes' answer to what went wrong, or to a deletion."},
          {"type", "object"},
          {"required", {"kind", "apiVersion", "status"}},
          {"properties",
           {{"kind", {{"type", "string"}, {"enum", Json::array({"Status"})}}},
            {"apiVersion", {{"type", "string"}, {"enum", Json::array({"v1"})}}},
            {"metadata", {{"type", "object"}}},
            {"status", {{"type", "string"}, {"enum", {"Success", "Failure"}}}},
            {"message", {{"type", "string"}}},
            {"reason", {{"type", "string"}}},
            {"code", {{"type", "integer"}}},
            {"details", {{"type", "object"}}}}}};
}

Json list_schema(std::string_view kind) {
  return {{"type", "object"},
          {"required", {"apiVersion", "kind", "items"}},
          {"properties",
           {{"apiVersion", {{"type", "string"}}},
            {"kind", {{"type", "string"}}},
            {"metadata", {{"type", "object"}}},
            {"items", {{"type", "array"}, {"items", reference(kind)}}}}}};
}

Json schemas() {
  Json all = {{"Status", status_schema()}};
  for (const SessionKind kind : kSessionKinds) {
    const std::string name(names_of(kind).kind);
    all[name] = crd_of(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    all[name + "List"] = list_schema(name);
  }
  return all;
}

}  // namespace

Json openapi_of(const std::string& version) {
  Json paths = Json::object();
  for (const RestRoute& route : rest_routes())
    paths[std::string(route.path)][lowered(route.method)] = operation_of(route);
  return {{"openapi", "3.0.3"},
          {"info",
           {{"title", "skbtrail agent"},
            {"version", version},
            {"description", "Trace sessions of one node, and its pods. Errors are Kubernetes' Status objects."}}},
          {"security", Json::array({{{"bearer", Json::array()}}})},
          {"paths", paths},
          {"components",
           {{"securitySchemes", {{"bearer", {{"type", "http"}, {"scheme", "bearer"}}}}}, {"schemas", schemas()}}}};
}

}  // namespace skbtrail
