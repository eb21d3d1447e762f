#pragma once
// What every part of a session's object is checked with. `path` says where we are in it: "spec.podSelector"; all errors
// are EINVAL and begin with it.

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace skbtrail {

Error wrong(const std::string& path, const std::string& what);

// "must be a string, not a number".
Error not_a(std::string_view wanted, const nlohmann::json& value, const std::string& path);

// `path` empty: of the object itself. A name that looks like a field's is told as one, so that clients find the place;
// any other text is only shown.
Error unknown_field(const std::string& path, const std::string& name, const std::string& known);

// Of an object: it has no members but these.
Result<> check_members(const nlohmann::json& object, std::initializer_list<std::string_view> known,
                       const std::string& path);

Result<std::string> checked_text(const nlohmann::json& value, const std::string& path);

std::string member_path(std::string path, const std::string& name);

// The type in words: "a number".
std::string_view type_of(const nlohmann::json& value);

// "key, operator, values".
template <class Names>
std::string listed(const Names& names) {
  std::string text;
  for (const std::string_view name : names)
    text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

}  // namespace skbtrail
