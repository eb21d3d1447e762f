#include "kernel/kernel_btf.h"

#include <catch2/catch.hpp>

#include "kernel/skb_functions.h"
#include "unit/kernel/test_btf.h"
#include "unit/kernel/test_host.h"

using namespace skbtrail;

namespace {

Error refusal(const TestHost& host, const BtfRequest& request) {
  const auto kernel = KernelBtf::load(host.root(), request);
  REQUIRE_FALSE(kernel);
  return kernel.error();
}

}  // namespace

TEST_CASE("a kernel without BTF is an error that names the cure") {
  const auto error = refusal(TestHost{}, {});
  CHECK(error.code == ENOTSUP);
  CHECK(error.message.find("CONFIG_DEBUG_INFO_BTF") != std::string::npos);
  CHECK(error.message.find("--kernel-btf") != std::string::npos);
}

TEST_CASE("a file that is no BTF is an error that names it") {
  TestHost host;
  host.with("/tmp/broken", "no BTF");
  const auto error = refusal(host, {.vmlinux_path = host.path() + "/tmp/broken"});
  CHECK(error.message.find("/tmp/broken") != std::string::npos);
}

TEST_CASE("a module without BTF is named") {
  TestHost host;
  host.with("/sys/kernel/btf/vmlinux", TestBtf{}.bytes());
  for (const std::string name : {"veth", "vmlinux", "", "../btf/vmlinux"}) {
    CAPTURE(name);
    const auto error = refusal(host, {.modules = {name}});
    CHECK(error.code == EINVAL);
    CHECK(error.message.starts_with("module '" + name + "' has no BTF"));
  }
}

TEST_CASE("modules that were asked for are searched after vmlinux, each once") {
  TestBtf base;
  base.function("ip_rcv", {base.skb});
  TestBtf module = base.module();
  module.function("veth_xmit", {module.skb});
  TestHost host;
  host.with("/sys/kernel/btf/vmlinux", base.bytes()).with("/sys/kernel/btf/veth", module.bytes());
  for (const BtfRequest& request : {BtfRequest{.modules = {"veth", "veth"}}, BtfRequest{.all_modules = true}}) {
    const auto kernel = KernelBtf::load(host.root(), request);
    REQUIRE(kernel);
    const auto functions = find_skb_functions(*kernel);
    REQUIRE(functions.size() == 2);
    CHECK(functions[0].name == "ip_rcv");
    CHECK(functions[1].name == "veth_xmit");
    CHECK(functions[1].module == "veth");
  }
}

TEST_CASE("without a request modules are left alone") {
  TestHost host;
  host.with("/sys/kernel/btf/vmlinux", TestBtf{}.bytes()).with("/sys/kernel/btf/veth", "broken");
  const auto kernel = KernelBtf::load(host.root(), {});
  REQUIRE(kernel);
  CHECK(kernel->modules().empty());
}
