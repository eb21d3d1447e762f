#include "base/shown_text.h"

#include <catch2/catch.hpp>
#include <string>

using namespace skbtrail;

TEST_CASE("text is cut between two letters") {
  CHECK(cut_text("abc", 3) == "abc");
  CHECK(cut_text("abcd", 3) == "abc");
  CHECK(cut_text("", 0).empty());
  CHECK(cut_text("abc", 0).empty());
  CHECK(cut_text("aé", 2) == "a");
  CHECK(cut_text("aéb", 3) == "aé");
  for (const std::size_t most : {1U, 2U, 3U, 4U})
    CHECK(cut_text("a\U0001F600b", most) == "a");
  CHECK(cut_text("a\U0001F600b", 5) == "a\U0001F600");
  // No letters at all: only the bound is left.
  CHECK(cut_text(std::string(10, '\x80'), 7).size() == 7);
}

TEST_CASE("what is shown in quotes has 64 bytes") {
  CHECK(in_quotes("a b") == "'a b'");
  CHECK(in_quotes(std::string(64, 'a')) == "'" + std::string(64, 'a') + "'");
  CHECK(in_quotes(std::string(1000, 'a')) == "'" + std::string(64, 'a') + "…'");
  CHECK(in_quotes(std::string(63, 'a') + "éé") == "'" + std::string(63, 'a') + "…'");
}
