#pragma once
// What others send as JSON, read by its type: what is absent or of another type is as if it were empty. Nothing here
// throws: an answer of a strange form must not end the agent.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"

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

inline bool flag_at(const nlohmann::json& object, const char* name) {
  const auto& value = member_of(object, name);
  return value.is_boolean() && value.get<bool>();
}

// JSON as text; bytes that are no UTF-8 become U+FFFD, where dump() alone would throw. `indent`: -1 for one line.
template <class Json>
std::string json_text(const Json& value, int indent = -1) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

// The Result of `act`; EBADMSG where JSON of a strange form throws all the same: the last net of a thread.
template <class Act>
auto whatever_comes(const char* doing, Act act) -> decltype(act()) {
  try {
    return act();
  } catch (const nlohmann::json::exception& error) {
    return refuse(EBADMSG, std::string(doing) + ": what the API server sent has a strange form: " + error.what());
  }
}

}  // namespace skbtrail
