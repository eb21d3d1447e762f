#include "kernel/kallsyms.h"

#include <catch2/catch.hpp>

#include "unit/kernel/test_host.h"

using namespace skbtrail;

namespace {

Kallsyms symbols(std::string_view text) {
  auto parsed = Kallsyms::parse(text);
  REQUIRE(parsed);
  return std::move(*parsed);
}

Error refusal(std::string_view text) {
  auto parsed = Kallsyms::parse(text);
  REQUIRE_FALSE(parsed);
  return parsed.error();
}

constexpr std::string_view kKernel =
    "0000000000000000 A fixed_percpu_data\n"
    "ffffffff81000000 T _stext\n"
    "ffffffff81000000 T _text\n"
    "ffffffff81000000 T startup_64\n"
    "ffffffff81000ff0 t __pfx_ip_rcv\n"
    "ffffffff81001000 T ip_rcv\n"
    "ffffffff81001100 t seq_show\n"
    "ffffffff81001200 W weak_one\n"
    "ffffffff81001200 T strong_one\n"
    "ffffffff81001300 t seq_show\n"
    "ffffffff82000000 T _etext\n"
    "ffffffff82400000 D init_net\n"
    "ffffffffc0200000 t nft_do_chain\t[nf_tables]\n"
    "ffffffffc0200100 t seq_show\t[nf_tables]\n"
    "ffffffffc0203000 d nft_ops\t[nf_tables]\n"
    "ffffffffc0100000 t veth_xmit\t[veth]\n";

}  // namespace

TEST_CASE("kallsyms with nothing but hidden addresses names the setting and the capability") {
  const Error error = refusal("0000000000000000 T ip_rcv\n0000000000000000 D init_net\n");
  CHECK(error.code == EPERM);
  CHECK(error.message.find("kernel.kptr_restrict") != std::string::npos);
  CHECK(error.message.find("CAP_SYSLOG") != std::string::npos);
}

TEST_CASE("empty kallsyms are an error") {
  CHECK(refusal("").code == ENOTSUP);
}

TEST_CASE("a malformed line of kallsyms is named by its number") {
  const std::string good = "ffffffff81001000 T ip_rcv\n";
  for (const std::string bad :
       {"x", "ffffffff81001000", "ffffffff81001000 T", "ffffffff81001000 T ", "ffffffff81001000  ip_rcv",
        "fffffffffffffffff T ip_rcv", "-1 T ip_rcv", "ffffffff81001000 T ip_rcv [veth]",
        "ffffffff81001000 T ip_rcv\tveth]", "ffffffff81001000 T ip_rcv\t[]", "ffffffff81001000 T \t[veth]", ""}) {
    CAPTURE(bad);
    const Error error = refusal(good + bad + "\n" + good);
    CHECK(error.code == EBADMSG);
    CHECK(error.message == "read kallsyms: line 2 is not 'ADDRESS TYPE NAME'");
  }
}

TEST_CASE("a zero byte in kallsyms is an error") {
  CHECK(refusal(std::string_view("ffffffff81001000 T ip\0rcv\n", 26)).code == EBADMSG);
}

TEST_CASE("an address that no function covers is shown as a number") {
  const auto kernel = symbols(kKernel);
  CHECK(kernel.resolve(0) == Symbol{"0x0", 0, ""});
  CHECK(kernel.resolve(0xffffffff80ffffff) == Symbol{"0xffffffff80ffffff", 0, ""});
  // Past the end of the kernel's text, in its data, and far behind the last function of a module.
  CHECK(kernel.resolve(0xffffffff82000000) == Symbol{"0xffffffff82000000", 0, ""});
  CHECK(kernel.resolve(0xffffffff82400010) == Symbol{"0xffffffff82400010", 0, ""});
  CHECK(kernel.resolve(0xffffffffc0203004) == Symbol{"0xffffffffc0203004", 0, ""});
  CHECK(kernel.resolve(UINT64_MAX) == Symbol{"0xffffffffffffffff", 0, ""});
}

TEST_CASE("an address in a function is its name, offset and module") {
  const auto kernel = symbols(kKernel);
  CHECK(kernel.resolve(0xffffffff81001000) == Symbol{"ip_rcv", 0, ""});
  CHECK(kernel.resolve(0xffffffff810010ff) == Symbol{"ip_rcv", 0xff, ""});
  CHECK(kernel.resolve(0xffffffffc0200010) == Symbol{"nft_do_chain", 0x10, "nf_tables"});
  CHECK(kernel.resolve(0xffffffffc0100004) == Symbol{"veth_xmit", 4, "veth"});
}

TEST_CASE("of several names for one address the first of the file is shown, and never a section's") {
  const auto kernel = symbols(kKernel);
  CHECK(kernel.resolve(0xffffffff81001204) == Symbol{"weak_one", 4, ""});
  CHECK(kernel.resolve(0xffffffff81000000) == Symbol{"startup_64", 0, ""});
}

TEST_CASE("a name gives all its addresses in one module, and only functions count") {
  const auto kernel = symbols(kKernel);
  CHECK(kernel.addresses("seq_show") == std::vector<std::uint64_t>{0xffffffff81001100, 0xffffffff81001300});
  CHECK(kernel.addresses("seq_show", "nf_tables") == std::vector<std::uint64_t>{0xffffffffc0200100});
  CHECK(kernel.addresses("weak_one") == std::vector<std::uint64_t>{0xffffffff81001200});
  CHECK(kernel.addresses("init_net").empty());
  CHECK(kernel.addresses("nft_ops", "nf_tables").empty());
  CHECK(kernel.addresses("absent").empty());
}

TEST_CASE("of what is no function, where CPUs keep their offsets is known, and nothing else") {
  CHECK(symbols(kKernel).per_cpu_offsets() == 0);
  CHECK(symbols("ffffffff81001000 T ip_rcv\nffffffff82600000 D __per_cpu_offset\nffffffff82700000 d after\n")
            .per_cpu_offsets() == 0xffffffff82600000);
}

TEST_CASE("kallsyms without a final newline lose nothing") {
  CHECK(symbols("ffffffff81001000 T ip_rcv").resolve(0xffffffff81001000).name == "ip_rcv");
}

TEST_CASE("a quarter of a million symbols stay below twelve mebibytes") {
  std::string text;
  for (std::uint64_t i = 0; i < 250'000; ++i) {
    char line[96];
    std::snprintf(line, sizeof line, "%016llx t a_function_name_of_usual_%06llu\n", 0xffffffff81000000ULL + i * 64,
                  static_cast<unsigned long long>(i));
    text += line;
  }
  const auto kernel = symbols(text);
  CHECK(kernel.bytes() < 12U << 20);
  CHECK(kernel.resolve(0xffffffff81000000 + 249'999 * 64 + 3) == Symbol{"a_function_name_of_usual_249999", 3, ""});
}

TEST_CASE("lines of kallsyms that are read in two pieces stay whole") {
  std::string text;
  for (unsigned i = 0; i < 10'000; ++i)
    text += "ffffffff8100" + std::to_string(1000 + i % 9000) + " t function_" + std::to_string(i) + "\t[module]\n";
  TestHost host;
  host.with("/proc/kallsyms", text);
  const auto kernel = Kallsyms::read(host.root());
  REQUIRE(kernel);
  std::size_t functions = 0;
  kernel->for_each([&](std::uint64_t, std::string_view name, std::string_view module) {
    functions += name.starts_with("function_") && module == "module" ? 1 : 0;
  });
  CHECK(functions == 10'000);
}

TEST_CASE("kallsyms are read below the host's root") {
  TestHost host;
  host.with("/proc/kallsyms", kKernel);
  const auto kernel = Kallsyms::read(host.root());
  REQUIRE(kernel);
  CHECK(kernel->addresses("ip_rcv").size() == 1);
}

TEST_CASE("whether addresses are hidden shows in the first lines") {
  TestHost host;
  CHECK(Kallsyms::check_shown(host.root()).error().code == ENOENT);
  host.with("/proc/kallsyms", "");
  CHECK(Kallsyms::check_shown(host.root()).error().code == ENOTSUP);
  host.with("/proc/kallsyms", "0000000000000000 A fixed_percpu_data\n0000000000000000 T ip_rcv\n");
  CHECK(Kallsyms::check_shown(host.root()).error().code == EPERM);
  host.with("/proc/kallsyms", "0000000000000000 A fixed_percpu_data\n0000000000001000 A cpu_debug_store\n00000000");
  CHECK(Kallsyms::check_shown(host.root()));
}
