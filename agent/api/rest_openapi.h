#pragma once
// The description that /openapi.json serves, made from the table of routes and the schema of sessions. Pure.

#include <nlohmann/json.hpp>
#include <string>

namespace skbtrail {

// OpenAPI 3.0.3. `version` is the program's.
nlohmann::ordered_json openapi_of(const std::string& version);

}  // namespace skbtrail
