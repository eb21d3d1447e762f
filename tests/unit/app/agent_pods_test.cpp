#include "app/agent_pods.h"

#include <catch2/catch.hpp>

using namespace skbtrail;

namespace {

class Troubled final : public PodSource {
public:
  std::shared_ptr<const PodIndex> current() const override { return index; }
  std::uint32_t host_netns_inum() const override { return 7; }
  std::string trouble() const override { return why; }
  SandboxFaults faults() const override { return counts; }

  std::shared_ptr<const PodIndex> index = std::make_shared<const PodIndex>();
  std::string why = {};
  SandboxFaults counts = {};
};

}  // namespace

TEST_CASE("of a node without pods, or whose pods are all known, there is nothing to tell") {
  PodTroubles troubles;
  CHECK(troubles.take(nullptr).empty());
  const Troubled well;
  CHECK(troubles.take(&well).empty());
}

TEST_CASE("a runtime that does not answer is told for as long as it does not, unless it never has") {
  PodTroubles troubles;
  Troubled source;
  source.why = "it hangs";
  for (int i = 0; i < 2; ++i)
    CHECK(troubles.take(&source) ==
          std::vector<std::string>{"the container runtime does not answer, what is known of pods grows old: it hangs"});
  source.index = nullptr;
  CHECK(troubles.take(&source).empty());
}

TEST_CASE("what could not be found out is told once, with how often and the last of it") {
  PodTroubles troubles;
  Troubled source;
  source.counts = {.malformed = 3, .without_netns = 1, .beyond_bound = 2, .last = "pod 'shop/web': no such process"};
  const auto lines = troubles.take(&source);
  REQUIRE(lines.size() == 3);
  CHECK(lines[0] ==
        "3 answers of the container runtime made no sense; the last fault: pod 'shop/web': no such process");
  CHECK(lines[1].starts_with("1 times no network namespace"));
  CHECK(lines[2].starts_with("2 times a pod was left out"));
  CHECK(troubles.take(&source).empty());
  source.counts.malformed = 4;
  CHECK(troubles.take(&source).size() == 1);
}
