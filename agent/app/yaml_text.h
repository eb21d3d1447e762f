#pragma once
// JSON as YAML, as people write it: keys in their order, two blanks for each level. Pure.

#include <nlohmann/json.hpp>
#include <string>

namespace skbtrail {

// Ends with a newline. Texts that YAML could take for something else are quoted.
std::string yaml_text(const nlohmann::ordered_json& value);

}  // namespace skbtrail
