#include "kernel/skb_functions.h"

#include <catch2/catch.hpp>
#include <vector>

#include "kernel/argument_slots.h"
#include "unit/kernel/test_btf.h"

using namespace skbtrail;

namespace {

std::vector<KernelFunction> search(const TestBtf& types) {
  return find_skb_functions(*types.get(), {});
}

KernelFunction only(const TestBtf& types) {
  auto functions = search(types);
  REQUIRE(functions.size() == 1);
  return functions.front();
}

}  // namespace

TEST_CASE("a function without a packet is not found") {
  TestBtf types;
  types.function("no_arguments", {});
  types.function("other_types", {types.integer, types.void_pointer, types.pointer_to(types.integer)});
  types.function("whole_struct", {types.skb_struct});
  types.function("three_stars", {types.pointer_to(types.skb_pointer)});
  types.function("list_head", {types.pointer_to(types.structure("sk_buff_head", 24))});
  types.prototype(0, {types.skb});
  CHECK(search(types).empty());
}

TEST_CASE("a function that only returns a packet is not found") {
  TestBtf types;
  types.function("alloc_skb", {types.integer}, types.skb);
  CHECK(search(types).empty());
}

TEST_CASE("types in a circle end the search instead of hanging it") {
  TestBtf types;
  const int next = static_cast<int>(btf__type_cnt(types.get()));
  btf__add_typedef(types.get(), "left", next + 1);
  btf__add_typedef(types.get(), "right", next);
  types.function("circular", {next, types.pointer_to(next)});
  CHECK(search(types).empty());
}

TEST_CASE("the position of the packet is counted from zero") {
  TestBtf types;
  const int id = types.function("ip_rcv_finish", {types.void_pointer, types.integer, types.skb});
  const auto function = only(types);
  CHECK(function.name == "ip_rcv_finish");
  CHECK(function.module.empty());
  CHECK(function.skb_argument == 2);
  CHECK(function.argument_count == 3);
  CHECK(function.kind == SkbKind::Pointer);
  CHECK_FALSE(function.only_const);
  CHECK_FALSE(function.variadic);
  CHECK_FALSE(function.kprobe_only);
  CHECK(function.btf_id == static_cast<std::uint32_t>(id));
}

TEST_CASE("qualifiers and typedefs hide no packet") {
  TestBtf types;
  btf* raw = types.get();
  const int qualified = btf__add_const(
      raw, btf__add_typedef(raw, "skb_ptr_t",
                            btf__add_restrict(raw, btf__add_ptr(raw, btf__add_volatile(raw, types.skb_struct)))));
  types.function("qualified", {qualified});
  CHECK_FALSE(only(types).only_const);
}

TEST_CASE("a packet that is only read is found and marked") {
  TestBtf types;
  types.function("skb_copy", {types.const_skb, types.integer});
  CHECK(only(types).only_const);
}

TEST_CASE("a function with one packet to read and one to change is not marked as only reading") {
  TestBtf types;
  types.function("copy_header", {types.const_skb, types.skb});
  const auto function = only(types);
  CHECK(function.skb_argument == 0);
  CHECK_FALSE(function.only_const);
}

TEST_CASE("of two packets the first counts") {
  TestBtf types;
  types.function("skb_try_coalesce", {types.integer, types.skb, types.skb});
  CHECK(only(types).skb_argument == 1);
}

TEST_CASE("a pointer to a packet's pointer counts only when there is no packet") {
  TestBtf types;
  types.function("a_netif_receive", {types.skb_pointer, types.integer});
  types.function("b_reassemble", {types.skb_pointer, types.skb});
  const auto functions = search(types);
  REQUIRE(functions.size() == 2);
  CHECK(functions[0].kind == SkbKind::DoublePointer);
  CHECK(functions[0].skb_argument == 0);
  CHECK(functions[1].kind == SkbKind::Pointer);
  CHECK(functions[1].skb_argument == 1);
}

TEST_CASE("a struct by value before the packet moves it") {
  TestBtf types;
  types.function("by_value", {types.structure("sockptr_t", 16), types.skb});
  const auto function = only(types);
  CHECK(function.skb_argument == 2);
  CHECK(function.argument_count == 3);
  CHECK_FALSE(function.kprobe_only);
}

TEST_CASE("a struct by value that only the stack takes leaves the function to kprobes") {
  TestBtf types;
  const int pair = types.structure("pair", 16);
  // One register is left, and the struct needs two.
  std::vector<int> arguments(kOwnConvention.registers - 1U, types.u64);
  arguments.insert(arguments.end(), {pair, types.skb});
  types.function("spilled", arguments);
  const auto function = only(types);
  const unsigned left = kOwnConvention.registers - 1U, behind_it = kOwnConvention.registers + 2U;
  CHECK(function.skb_argument == (kOwnConvention.stack_ends_registers ? behind_it : left));
  CHECK(function.kprobe_only);
}

TEST_CASE("a function with variable arguments is marked") {
  TestBtf types;
  types.function("skb_printk", {types.skb, types.void_pointer, TestBtf::kEllipsis});
  CHECK(only(types).variadic);
}

TEST_CASE("of a module only its own functions are found, with its name and its own ids") {
  TestBtf base;
  base.function("ip_rcv", {base.skb});
  TestBtf module = base.module();
  const int id = module.function("veth_xmit", {module.skb, module.integer});
  const auto functions = find_skb_functions(*module.get(), "veth");
  REQUIRE(functions.size() == 1);
  CHECK(functions[0].name == "veth_xmit");
  CHECK(functions[0].module == "veth");
  CHECK(functions[0].btf_id == static_cast<std::uint32_t>(id));
}
