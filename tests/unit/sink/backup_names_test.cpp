#include "sink/backup_names.h"

#include <catch2/catch.hpp>

using namespace skbtrail;

namespace {

constexpr std::int64_t kSecond = 1000;
constexpr std::int64_t kDay = 86'400 * kSecond;
constexpr std::int64_t kTime = 1'795'510'800'123;  // 2026-11-24T09:00:00.123

using Names = std::vector<std::string>;

std::string backup_at(std::int64_t local_ms) {
  return backup_name("trace.json", local_ms);
}

}  // namespace

TEST_CASE("what only looks like a backup is none") {
  for (const char* name :
       {"trace.json", "trace-.json", "trace-2026-11-24T09-00-00.123.txt", "trace-2026-13-24T09-00-00.123.json",
        "trace-2026-11-24T09-61-00.123.json", "trace-2026-11-24T09-00-00.123.json.gz.part",
        "trace-2026-11-24T09-00-00.12x.json", "trace-2026-11-24T09-00-00.1234.json",
        "trace2-2026-11-24T09-00-00.123.json", "trace-2026-11-24T 9-00-00.123.json", "", ".gz"})
    CHECK_FALSE(backup_time("trace.json", name));
}

TEST_CASE("a backup has its time before the extension, as lumberjack writes it") {
  CHECK(backup_at(kTime) == "trace-2026-11-24T09-00-00.123.json");
  CHECK(backup_name("trace", kTime) == "trace-2026-11-24T09-00-00.123");
  CHECK(backup_name(".trace", kTime) == ".trace-2026-11-24T09-00-00.123");
  CHECK(backup_name("a.b.pcapng", kTime) == "a.b-2026-11-24T09-00-00.123.pcapng");
}

TEST_CASE("the time of a backup is read back, compressed or not") {
  for (const char* file : {"trace.json", "trace", "a.b.pcapng", "trace-2026-11-24T09-00-00.123.json"})
    for (const std::int64_t time : {kTime, std::int64_t{0}, kTime + 40 * kDay + 999}) {
      CHECK(backup_time(file, backup_name(file, time)) == time);
      CHECK(backup_time(file, backup_name(file, time) + ".gz") == time);
    }
}

TEST_CASE("without rules nothing happens to backups") {
  const auto plan = plan_backups("trace.json", {"trace.json", backup_at(0), backup_at(kTime)}, {}, kTime);
  CHECK(plan.remove.empty());
  CHECK(plan.compress.empty());
}

TEST_CASE("of more backups than are kept the oldest go, and one with both forms is one") {
  const Names names = {
      backup_at(kTime - 3 * kSecond), "other.json", "trace.json", backup_at(kTime), backup_at(kTime - kSecond) + ".gz",
      backup_at(kTime - 2 * kSecond)};
  const auto plan = plan_backups("trace.json", names, {.max_count = 2}, kTime);
  CHECK(plan.remove == Names{backup_at(kTime - 2 * kSecond), backup_at(kTime - 3 * kSecond)});
}

TEST_CASE("backups that are older than is asked for go, and not a moment earlier") {
  const Names names = {backup_at(kTime - kDay), backup_at(kTime - kDay - 1) + ".gz"};
  const auto plan = plan_backups("trace.json", names, {.max_age_days = 1}, kTime);
  CHECK(plan.remove == Names{names[1]});
}

TEST_CASE("what stays is compressed, once") {
  const Names names = {backup_at(1), backup_at(2) + ".gz", backup_at(3), backup_at(3) + ".gz"};
  const auto plan = plan_backups("trace.json", names, {.compress = true}, kTime);
  CHECK(plan.compress == Names{backup_at(1)});
  CHECK(plan.remove == Names{backup_at(3)});
}
