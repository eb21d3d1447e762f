#include "kernel/features.h"

#include <catch2/catch.hpp>

#include "unit/kernel/test_btf.h"

using namespace skbtrail;

namespace {

KernelFunction function(std::string name, std::uint8_t arguments) {
  return {.name = std::move(name), .module = {}, .argument_count = arguments, .addresses = {1}};
}

}  // namespace

TEST_CASE("nothing is tried on a function when none is attachable") {
  CHECK_FALSE(trial_function({}));
  CHECK_FALSE(trial_function({.attachable = {function("tcf_fill_node", 14)}, .refused = {}}));
}

TEST_CASE("trials take a function that every backend can take") {
  const auto target =
      trial_function({.attachable = {function("ip_rcv", 4), function("tcf_fill_node", 14)}, .refused = {}});
  REQUIRE(target);
  CHECK(target->name == "ip_rcv");
}

TEST_CASE("a refused perf event is explained") {
  CHECK(why_no_perf_event(fail(EACCES, "open it")).find("kernel.perf_event_paranoid=2") != std::string::npos);
  CHECK(why_no_perf_event(fail(EMFILE, "open it")) == "open it: Too many open files");
}

TEST_CASE("a refused kprobe.multi link is explained") {
  CHECK(why_no_kprobe_multi(fail(EOPNOTSUPP, "attach it")).find("CONFIG_FPROBE") != std::string::npos);
  CHECK(why_no_kprobe_multi(fail(EINVAL, "attach it")).find("5.18") != std::string::npos);
  CHECK(why_no_kprobe_multi(fail(EPERM, "load a program")) == "load a program: Operation not permitted");
}

TEST_CASE("a cookie of the network namespace that is set on demand does not count") {
  TestBtf none;
  CHECK_FALSE(netns_cookie_feature(*none.get()).available);

  TestBtf lazy;
  const int atomic = btf__add_typedef(lazy.get(), "atomic64_t", lazy.structure("", 8));
  lazy.structure("net", 4096);
  btf__add_field(lazy.get(), "net_cookie", atomic, 0, 0);
  CHECK_FALSE(netns_cookie_feature(*lazy.get()).available);

  TestBtf plain;
  const int type = btf__add_typedef(plain.get(), "u64", plain.u64);
  plain.structure("net", 4096);
  btf__add_field(plain.get(), "net_cookie", type, 0, 0);
  CHECK(netns_cookie_feature(*plain.get()).available);
}

TEST_CASE("whether fentry.multi exists is asked of the kernel's types") {
  TestBtf before;
  before.enumeration("bpf_attach_type", {{"BPF_TRACE_FENTRY", 24}});
  CHECK_FALSE(fentry_multi_attach_type(*before.get()));
  TestBtf since;
  since.enumeration("bpf_attach_type", {{"BPF_TRACE_FENTRY", 24}, {"BPF_TRACE_FENTRY_MULTI", 59}});
  CHECK(fentry_multi_attach_type(*since.get()) == 59U);
}
