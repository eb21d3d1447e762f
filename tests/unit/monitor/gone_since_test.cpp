#include "monitor/gone_since.h"

#include <catch2/catch.hpp>
#include <string>

namespace skbtrail {
namespace {

using Names = std::set<std::string>;
using std::chrono::seconds;

TEST_CASE("a name is missing after it was denied for the whole of the grace") {
  GoneSince<std::string> gone{seconds{300}};
  const GoneSince<std::string>::TimePoint start{};
  const auto only_a = [](const std::string& name) { return name == "a"; };
  CHECK(gone.missing({"a", "b"}, only_a, start).empty());
  CHECK(gone.missing({"a", "b"}, only_a, start + seconds{299}).empty());
  CHECK(gone.missing({"a", "b"}, only_a, start + seconds{300}) == Names{"b"});
}

TEST_CASE("one that comes back starts anew") {
  GoneSince<std::string> gone{seconds{300}};
  const GoneSince<std::string>::TimePoint start{};
  const auto none = [](const std::string&) { return false; };
  const auto all = [](const std::string&) { return true; };
  CHECK(gone.missing({"b"}, none, start).empty());
  CHECK(gone.missing({"b"}, all, start + seconds{200}).empty());
  CHECK(gone.missing({"b"}, none, start + seconds{300}).empty());
  CHECK(gone.missing({"b"}, none, start + seconds{600}) == Names{"b"});
}

}  // namespace
}  // namespace skbtrail
