#include "kube/node_labels.h"

#include <utility>

#include "base/json_value.h"
#include "pods/label_selector.h"
#include "session/selector_object.h"

namespace skbtrail {
namespace {

constexpr std::chrono::seconds kFailureRemembered{10};

}  // namespace

Result<bool> NodeLabels::fit(const SelectorSpec& selector, ApiClient& client, Clock::time_point now) {
  if (!valid_until_ || now >= *valid_until_) {
    auto asked = ask(client);
    failure_ = asked ? std::nullopt : std::optional(asked.error());
    valid_until_ = now + (asked ? kRemembered : kFailureRemembered);
  }
  if (failure_)
    return *failure_;
  const auto parsed = TRY(LabelSelector::parse(selector_text(selector)));
  return parsed.matches(labels_);
}

Result<> NodeLabels::ask(ApiClient& client) {
  const auto node = TRY(client.get("/api/v1/nodes/" + node_));
  labels_.clear();
  const auto& labels = member_of(member_of(node, "metadata"), "labels");
  if (!labels.is_object())
    return {};
  for (const auto& [key, value] : labels.items())
    if (value.is_string())
      labels_.emplace(key, value.get<std::string>());
  return {};
}

}  // namespace skbtrail
