#pragma once
// RestFixture: a RestApi over a FakeControl, and an authorizer that a test fills.

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "api/rest_api.h"
#include "unit/api/fake_control.h"

namespace skbtrail::test {

inline const std::string kSessions = "/apis/skbtrail.dev/v1alpha1/namespaces/shop/tracesessions";
inline const std::string kClusterSessions = "/apis/skbtrail.dev/v1alpha1/clustertracesessions";

inline std::string session_text(const std::string& name, const std::string& spec = R"("podNames":["web-0"])") {
  return R"({"apiVersion":"skbtrail.dev/v1alpha1","kind":"TraceSession","metadata":{"name":")" + name +
         R"(","namespace":"shop"},"spec":{)" + spec + "}}";
}

inline std::string cluster_session_text(const std::string& name) {
  return R"({"apiVersion":"skbtrail.dev/v1alpha1","kind":"ClusterTraceSession","metadata":{"name":")" + name +
         R"("},"spec":{"hostNetwork":true}})";
}

// Knows anna, who may do everything in the namespace shop, and root, who may do everything.
class FakeAuthorizer final : public Authorizer {
public:
  Result<Identity> identify(const Caller& caller) override {
    if (caller.token == "broken")
      return refuse(ECONNREFUSED, "the API server does not answer");
    if (caller.token != "anna" && caller.token != "root")
      return refuse(EACCES, "the token is not known here");
    return Identity{.name = caller.token};
  }
  Result<> permit(const Identity& identity, const Access& access) override {
    const std::lock_guard lock{mutex_};
    asked.push_back(std::string(access.verb) + " " + std::string(access.group) + "/" + std::string(access.resource) +
                    " " + access.namespace_name + "/" + access.name);
    if (identity.name == "root" || access.namespace_name == "shop")
      return {};
    return refuse(EPERM, identity.name + " may not " + std::string(access.verb) + " " + std::string(access.resource));
  }

  std::vector<std::string> asked;

private:
  std::mutex mutex_;
};

struct Asking {
  std::string method = "GET";
  std::string path;
  std::string body = {};
  std::string token = "anna";
  std::map<std::string, std::string> fields = {{"content-type", "application/json"}};
};

struct RestFixture {
  FakeControl control;
  FakeAuthorizer judge;
  std::vector<HealthCheck> checks = {{.name = "loop", .failure = ""}};
  std::mutex mutex;
  std::vector<AuditEntry> audit;  // guarded by the mutex
  RestApi api{{.control = control,
               .node = "n1",
               .version = "1.2.3",
               .pods = [] { return std::string("{\"pods\":[]}\n"); },
               .health = [this](HealthQuestion) { return checks; },
               .audit =
                   [this](const AuditEntry& entry) {
                     const std::lock_guard lock{mutex};
                     audit.push_back(entry);
                   }}};

  HttpAnswer ask(const Asking& asking) {
    HttpRequest request{.head = {.method = asking.method,
                                 .path = asking.path.substr(0, asking.path.find('?')),
                                 .query = asking.path.find('?') == std::string::npos
                                              ? ""
                                              : asking.path.substr(asking.path.find('?') + 1)}};
    for (const auto& [name, value] : asking.fields)
      request.head.fields.emplace_back(name, value);
    if (!asking.token.empty())
      request.head.fields.emplace_back("authorization", "Bearer " + asking.token);
    request.head.body_bytes = asking.body.size();
    request.body = [text = asking.body] { return text; };
    return api.answer(request, judge);
  }
};

}  // namespace skbtrail::test
