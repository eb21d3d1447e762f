#pragma once
// Kubernetes' label selector: as an object, as a value, as the text that pods/label_selector.h reads. Pure.

#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"
#include "model/trace_session.h"

namespace skbtrail {

// EINVAL; the message begins with `path` and what follows it: "spec.podSelector.matchExpressions[0].key: is missing".
Result<SelectorSpec> selector_of(const nlohmann::json& value, const std::string& path);

nlohmann::json as_json(const SelectorSpec& selector);

// "app=web,tier in (a,b)".
std::string selector_text(const SelectorSpec& selector);

}  // namespace skbtrail
