#include "base/result.h"

#include <catch2/catch.hpp>

using namespace skbtrail;

namespace {

Result<int> half(int value) {
  if (value % 2 != 0)
    return fail(EINVAL, "halve '" + std::to_string(value) + "'");
  return value / 2;
}

Result<int> quarter(int value) {
  const int once = TRY(half(value));
  return half(once);
}

}  // namespace

TEST_CASE("a result carries the error of the step that failed") {
  const auto result = quarter(6);
  REQUIRE_FALSE(result);
  CHECK(result.error().code == EINVAL);
  CHECK(result.error().message == "halve '3': Invalid argument");
}

TEST_CASE("a result carries the value when every step worked") {
  const auto result = quarter(8);
  REQUIRE(result);
  CHECK(*result == 2);
}

TEST_CASE("an outer step is put in front of the message") {
  CHECK(within("load tracer", refuse(ENOENT, "no BTF")).message == "load tracer: no BTF");
}
