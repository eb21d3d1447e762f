#pragma once
// What others send as JSON, read by its type: what is absent or of another type is as if it were empty. Nothing here
// throws: an answer of a strange form must not end the agent.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace skbtrail {

// Null where `object` is none, or has no such member.
inline const nlohmann::json& member_of(const nlohmann::json& object, const char* name) {
  static const nlohmann::json kNone;
  if (!object.is_object())
    return kNone;
  const auto found = object.find(name);
  return found != object.end() ? *found : kNone;
}

inline std::string text_at(const nlohmann::json& object, const char* name) {
  const auto& value = member_of(object, name);
  return value.is_string() ? value.get<std::string>() : std::string();
}

inline std::int64_t number_at(const nlohmann::json& object, const char* name) {
  const auto& value = member_of(object, name);
  return value.is_number_integer() ? value.get<std::int64_t>() : 0;
}

// A negative number is none, too.
inline std::uint64_t count_at(const nlohmann::json& object, const char* name) {
  const auto& value = member_of(object, name);
  const bool is_count = value.is_number_unsigned() || (value.is_number_integer() && value.get<std::int64_t>() >= 0);
  return is_count ? value.get<std::uint64_t>() : 0;
}

inline bool flag_at(const nlohmann::json& object, const char* name) {
  const auto& value = member_of(object, name);
  return value.is_boolean() && value.get<bool>();
}

inline const nlohmann::json& list_at(const nlohmann::json& object, const char* name) {
  static const nlohmann::json kEmpty = nlohmann::json::array();
  const auto& value = member_of(object, name);
  return value.is_array() ? value : kEmpty;
}

// JSON as text; bytes that are no UTF-8 become U+FFFD, where dump() alone would throw. `indent`: -1 for one line.
template <class Json>
std::string json_text(const Json& value, int indent = -1) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace skbtrail
