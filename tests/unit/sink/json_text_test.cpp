#include "sink/json_text.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace skbtrail;

namespace {

std::string json_of(std::string_view text) {
  TextBuffer out;
  put_json_string(out, text);
  return std::string(out.view());
}

}  // namespace

TEST_CASE("bytes that are not UTF-8 become the replacement character") {
  for (const char* bad : {"\x80", "\xff", "\xc0\xaf", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
                          "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xe2\x82"})
    CHECK(json_of(bad).starts_with("\"\\ufffd"));
  CHECK(json_of("a\xff"
                "b") == "\"a\\ufffdb\"");
}

TEST_CASE("control characters, quotes and backslashes are escaped") {
  CHECK(json_of("\x1b[31m") == "\"\\u001b[31m\"");
  CHECK(json_of("a\"b\\c\n") == "\"a\\\"b\\\\c\\u000a\"");
  CHECK(json_of("\x7f") == "\"\\u007f\"");
}

TEST_CASE("valid UTF-8 stays as it is") {
  CHECK(json_of("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa7") ==
        "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa7\"");
}

TEST_CASE("a strict parser takes every pair of bytes") {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const char bytes[] = {static_cast<char>(first), static_cast<char>(second)};
      const auto parsed = nlohmann::json::parse(json_of({bytes, 2}), nullptr, false);
      REQUIRE(parsed.is_string());
    }
  }
}

TEST_CASE("an empty name is null") {
  TextBuffer out;
  put_json_name(out, "");
  CHECK(out.view() == "null");
}
