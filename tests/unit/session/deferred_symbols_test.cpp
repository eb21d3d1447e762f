#include "session/deferred_symbols.h"

#include <catch2/catch.hpp>

#include "unit/kernel/test_host.h"

using namespace skbtrail;

TEST_CASE("symbols that cannot be read leave addresses as their own names") {
  const TestHost host;
  KernelNames names{host.root()};
  DeferredSymbols symbols{names};
  CHECK_FALSE(symbols.get());
  CHECK(symbols.resolve(0xffffffff81001004).name == "0xffffffff81001004");
}

TEST_CASE("who asks for a name while symbols are being read gets it all the same") {
  TestHost host;
  host.with("/proc/kallsyms", "ffffffff81001000 T ip_rcv\nffffffff81002000 T ip_output\n");
  KernelNames names{host.root()};
  DeferredSymbols symbols{names};
  symbols.begin();
  CHECK(symbols.resolve(0xffffffff81001004) == Symbol{.name = "ip_rcv", .offset = 4, .module = {}});
  symbols.begin();
  CHECK(symbols.get());
}

TEST_CASE("nothing is read before somebody begins") {
  TestHost host;
  KernelNames names{host.root()};
  DeferredSymbols symbols{names};
  host.with("/proc/kallsyms", "ffffffff81001000 T ip_rcv\nffffffff81002000 T ip_output\n");
  CHECK(symbols.get());
}
