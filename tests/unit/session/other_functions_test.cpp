#include "session/other_functions.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "unit/kernel/test_host.h"

using namespace skbtrail;

namespace {

struct Bench {
  TestHost host;
  HostRoot root = host.root();
  Kallsyms symbols = *Kallsyms::parse(
      "ffffffff81000000 T _stext\n"
      "ffffffff81001000 T fib_table_lookup\n"
      "ffffffff81002000 t hidden_one\n"
      "ffffffffc0001000 t shared_name\t[one]\n"
      "ffffffffc0101000 t shared_name\t[two]\n");
  ProbeableListing traceable = "fib_table_lookup\nshared_name [one]\nshared_name [two]\n";
  KprobeBlacklist blacklist;
  FunctionCatalogue packets{
      .attachable = {{.name = "ip_rcv", .module = "", .argument_count = 1, .addresses = {0x1000}}}, .refused = {}};

  Result<std::vector<KernelFunction>> look_up(std::vector<std::string> names) {
    return named_functions(names, packets,
                           {.host = root, .symbols = symbols, .traceable = traceable, .blacklist = blacklist});
  }
  std::string complaint(std::string name) {
    const auto found = look_up({std::move(name)});
    return found ? "" : found.error().message;
  }
};

}  // namespace

TEST_CASE("a named function is found with its address, in every module that has one") {
  Bench bench;
  const auto found = bench.look_up({"fib_table_lookup", "shared_name"});
  REQUIRE(found);
  REQUIRE(found->size() == 3);
  CHECK(found->at(0).addresses == std::vector<std::uint64_t>{0xffffffff81001000});
  CHECK(found->at(0).kind == SkbKind::None);
  CHECK(found->at(1).module == "one");
  CHECK(found->at(2).module == "two");
  CHECK(bench.look_up({})->empty());
}

TEST_CASE("a function that cannot be traced is named with the reason") {
  Bench bench;
  CHECK(bench.complaint("hidden_one")
            .starts_with("--filter-non-skb-funcs 'hidden_one': it cannot be traced here (not in"));
  CHECK(bench.complaint("no_such").starts_with("--filter-non-skb-funcs 'no_such': it cannot be traced here ("));
  CHECK(bench.complaint("ip_rcv").find("it takes a packet") != std::string::npos);
}
