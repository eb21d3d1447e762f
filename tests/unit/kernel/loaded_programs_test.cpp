#include "kernel/loaded_programs.h"

#include <catch2/catch.hpp>

using namespace skbtrail;

TEST_CASE("programs that take no packet that we follow have no kind") {
  CHECK(program_kind(BPF_PROG_TYPE_SCHED_CLS) == ProgramKind::Tc);
  CHECK(program_kind(BPF_PROG_TYPE_XDP) == ProgramKind::Xdp);
  CHECK_FALSE(program_kind(BPF_PROG_TYPE_KPROBE));
}

TEST_CASE("without the kernel's base of calls nothing is said to be called") {
  const auto symbols = Kallsyms::parse("ffffffff81000000 T _stext\n");
  REQUIRE(symbols);
  const auto called = functions_called_by({ProgramKind::Tc}, *symbols);
  REQUIRE_FALSE(called);
  CHECK(called.error().code == ENOTSUP);
  CHECK(called.error().message.find("__bpf_call_base") != std::string::npos);
}
