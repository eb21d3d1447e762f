#include "session/object_check.h"

#include <algorithm>

#include "base/shown_text.h"

namespace skbtrail {

using nlohmann::json;

Error wrong(const std::string& path, const std::string& what) {
  return refuse(EINVAL, path + ": " + what);
}

std::string_view type_of(const json& value) {
  if (value.is_number_float())
    return "a fraction";
  if (value.is_number())
    return "a number";
  if (value.is_object())
    return "an object";
  if (value.is_array())
    return "a list";
  return value.is_null() ? "null" : value.is_boolean() ? "a boolean" : "a string";
}

Error not_a(std::string_view wanted, const json& value, const std::string& path) {
  return wrong(path, "must be " + std::string(wanted) + ", not " + std::string(type_of(value)));
}

Result<std::string> checked_text(const json& value, const std::string& path) {
  if (!value.is_string())
    return not_a("a string", value, path);
  return value.get<std::string>();
}

std::string member_path(std::string path, const std::string& name) {
  return path.append(".").append(name);
}

Error unknown_field(const std::string& path, const std::string& name, const std::string& known) {
  constexpr std::size_t kMaxName = 64;
  const bool is_plain = !name.empty() && name.size() <= kMaxName && std::ranges::all_of(name, [](char letter) {
    return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
  });
  if (is_plain)
    return wrong(path.empty() ? name : member_path(path, name), "there is no such field; there are " + known);
  const std::string what = in_quotes(name) + " is no field; there are " + known;
  return path.empty() ? refuse(EINVAL, what) : wrong(path, what);
}

Result<> check_members(const json& object, std::initializer_list<std::string_view> known, const std::string& path) {
  for (const auto& [name, unused] : object.items())
    if (std::ranges::find(known, name) == known.end())
      return unknown_field(path, name, listed(known));
  return {};
}

}  // namespace skbtrail
