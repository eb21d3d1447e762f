// Any bytes as what comes through a connection of the REST API: they are refused as no request, or answered, and no
// answer is a fault of ours.

#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "api/rest_api.h"
#include "unit/api/fake_control.h"

using namespace skbtrail;
using namespace skbtrail::test;

namespace {

class AnybodyMay final : public Authorizer {
public:
  Result<Identity> identify(const Caller& caller) override { return Identity{.name = caller.token}; }
  Result<> permit(const Identity&, const Access&) override { return {}; }
};

void check(bool holds) {
  if (!holds)
    std::abort();
}

void check_refusal(const Error& error) {
  check(!error.message.empty() && error.message.find('\n') == std::string::npos);
  const auto answer = failure_answer(error);
  check(answer.status == 505 || (answer.status >= 400 && answer.status < 500));
}

void check_head(const HttpHead& head) {
  check(!head.method.empty() && head.path.starts_with('/'));
  check(head.path.find_first_of(" \r\n?") == std::string::npos);
  check(head.body_bytes <= HttpLimits{}.body_bytes);
  for (const auto& [name, value] : head.fields)
    check(!name.empty() && value.find_first_of("\r\n") == std::string::npos);
}

void check_answer(const HttpAnswer& answer) {
  check(answer.status < 500 && !http_phrase_of(answer.status).empty());
  const auto text = answer_head(answer, true, false);
  check(text.ends_with("\r\n\r\n") && text.find("\r\n\r\n") == text.size() - 4);
  if (answer.content_type == "application/json")
    check(nlohmann::json::accept(answer.body));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const HttpLimits limits;
  const auto length = head_length(bytes, limits);
  if (!length) {
    check_refusal(length.error());
    return 0;
  }
  if (!*length)
    return 0;
  auto head = parse_head(bytes.substr(0, **length), limits);
  if (!head) {
    check_refusal(head.error());
    return 0;
  }
  check_head(*head);
  FakeControl control;
  AnybodyMay judge;
  RestApi api{{.control = control,
               .node = "n1",
               .version = "0",
               .pods = [] { return std::string("{}"); },
               .health = [](HealthQuestion) { return std::vector<HealthCheck>{}; },
               .audit = [](const AuditEntry&) {}}};
  const HttpRequest request{.head = std::move(*head),
                            .body = [body = std::string(bytes.substr(**length))] { return body; }};
  check_answer(api.answer(request, judge));
  // Once more: what the first one made is there now.
  check_answer(api.answer(request, judge));
  return 0;
}
