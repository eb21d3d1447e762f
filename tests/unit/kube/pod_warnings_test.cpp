#include "kube/pod_warnings.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>

#include "kube/warning_reasons.h"
#include "sink/drop_reason_text.h"

using namespace skbtrail;
using namespace std::chrono_literals;

namespace {

struct Lab {
  PodWarnings warnings;
  PodWarnings::Clock::time_point now{1000s};

  void lose(std::uint64_t packets, const std::string& pod = "web-0", const std::string& reason = "NETFILTER_DROP",
            const std::string& subsystem = "core") {
    const Pod whose{.namespace_name = "shop", .name = pod, .uid = "uid-" + pod};
    warnings.note(
        {.pod = whose, .reason = reason, .subsystem = subsystem, .location = "nf_hook_slow", .packets = packets}, now);
  }
  std::optional<PodWarning> next() { return warnings.next(now); }
  std::size_t told() {
    std::size_t count = 0;
    while (next())
      ++count;
    return count;
  }
};

}  // namespace

TEST_CASE("a reason that nobody can do anything about, or of another subsystem, is worth no event") {
  Lab lab;
  for (const char* reason : {"NO_SOCKET", "NOT_SPECIFIED", "TCP_OLD_DATA", "TCP_RESET", ""})
    lab.lose(1'000'000, "web-0", reason);
  lab.lose(1'000'000, "web-0", "NETFILTER_DROP", "mac80211_unusable");
  CHECK_FALSE(lab.next());
  CHECK(lab.warnings.left_out() == 0);
}

TEST_CASE("every reason that is worth an event has words of its own") {
  for (const auto reason : warning_reasons()) {
    CAPTURE(reason);
    CHECK(explain_drop("core", reason).meaning != explain_drop("core", "NO_SUCH_REASON").meaning);
  }
}

TEST_CASE("docs/operations.md has every reason that is worth an event") {
  std::ifstream file(std::string(SKBTRAIL_SOURCE_DIR) + "/docs/operations.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  for (const auto reason : warning_reasons()) {
    CAPTURE(reason);
    CHECK(page.find("`" + std::string(reason) + "`") != std::string::npos);
  }
}

TEST_CASE("a few packets are an accident, also when they come again and again") {
  Lab lab;
  for (int minute = 0; minute < 30; ++minute) {
    lab.lose(PodWarnings::kLeast - 1);
    CHECK_FALSE(lab.next());
    lab.now += 61s;
  }
}

TEST_CASE("enough packets within a minute are told, with how many, in how long, and where") {
  Lab lab;
  lab.lose(4);
  lab.now += 30s;
  CHECK_FALSE(lab.next());
  lab.lose(8);
  const auto told = lab.next();
  REQUIRE(told);
  CHECK(told->namespace_name == "shop");
  CHECK(told->pod == "web-0");
  CHECK(told->uid == "uid-web-0");
  CHECK(told->reason == "NETFILTER_DROP");
  CHECK(told->location == "nf_hook_slow");
  CHECK(told->packets == 12);
  CHECK(told->during == 30s);
}

TEST_CASE("what was told is quiet for ten minutes, and then told with all that came meanwhile") {
  Lab lab;
  lab.lose(100);
  REQUIRE(lab.next());
  for (int minute = 0; minute < 9; ++minute) {
    lab.now += 60s;
    lab.lose(100);
    CHECK_FALSE(lab.next());
  }
  lab.now += 60s;
  const auto again = lab.next();
  REQUIRE(again);
  CHECK(again->packets == 900);
  CHECK(again->during == 600s);
}

TEST_CASE("another reason of the same pod, and the same of another pod, are told as well") {
  Lab lab;
  lab.lose(10);
  lab.lose(10, "web-0", "SOCKET_RCVBUFF");
  lab.lose(10, "web-1");
  CHECK(lab.told() == 3);
}

TEST_CASE("a node has five events at once and one a minute then, those first that have waited longest") {
  Lab lab;
  for (int pod = 0; pod < 8; ++pod) {
    lab.lose(10, "web-" + std::to_string(pod));
    lab.now += 1ms;
  }
  CHECK(lab.told() == PodWarnings::kBurst);
  lab.now += 59s;
  CHECK(lab.told() == 0);
  lab.now += 1s;
  const auto sixth = lab.next();
  REQUIRE(sixth);
  CHECK(sixth->pod == "web-5");
  CHECK_FALSE(lab.next());
  lab.now += 10min;
  CHECK(lab.told() == 0);  // they have waited in vain
  CHECK(lab.warnings.left_out() == 2);
}

TEST_CASE("places do not add up beyond the burst while there is nothing to tell") {
  Lab lab;
  lab.now += 24h;
  CHECK_FALSE(lab.next());
  lab.now += 24h;
  for (int pod = 0; pod < 20; ++pod)
    lab.lose(10, "web-" + std::to_string(pod));
  CHECK(lab.told() == PodWarnings::kBurst);
}

TEST_CASE("pods that are known are bounded, and one that came to nothing makes room") {
  Lab lab;
  for (std::size_t pod = 0; pod < PodWarnings::kMost; ++pod)
    lab.lose(1, "web-" + std::to_string(pod));
  lab.lose(10, "late");
  CHECK(lab.warnings.left_out() == 1);
  CHECK_FALSE(lab.next());
  lab.now += 61s;
  lab.lose(10, "late");
  const auto told = lab.next();
  REQUIRE(told);
  CHECK(told->pod == "late");
}
