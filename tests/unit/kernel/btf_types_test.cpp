#include "kernel/btf_types.h"

#include <catch2/catch.hpp>

#include "test_btf.h"

using namespace skbtrail;

TEST_CASE("what the kernel does not have is not found") {
  const TestBtf made;
  const BtfTypes types{*made.get()};
  CHECK_FALSE(types.find(TypeTag::Struct, "nothing"));
  CHECK_FALSE(types.find(TypeTag::Union, "sk_buff"));
  CHECK_FALSE(types.find(TypeTag::Ordinary, "sk_buff"));
  CHECK_FALSE(types.constant("NOTHING"));
  CHECK_FALSE(types.member(*types.find(TypeTag::Struct, "sk_buff"), "len"));
}

TEST_CASE("typedefs and qualifiers are looked through, and a big-endian one is remembered") {
  TestBtf made;
  const int u16 = btf__add_int(made.get(), "short unsigned int", 2, 0);
  const int be16 = btf__add_typedef(made.get(), "__be16", u16);
  const int constant = btf__add_const(made.get(), be16);
  const int outer = btf__add_typedef(made.get(), "port", constant);
  const BtfTypes types{*made.get()};
  CHECK(types.facts(static_cast<TypeId>(outer)) ==
        TypeFacts{.kind = TypeKind::Integer, .name = "port", .bytes = 2, .big_endian = true});
  CHECK(types.find(TypeTag::Ordinary, "unsigned short") == static_cast<TypeId>(u16));
  CHECK(types.find(TypeTag::Ordinary, "port") == static_cast<TypeId>(outer));
}

TEST_CASE("members are found inside unnamed structs, with bitfields") {
  TestBtf made;
  btf* const raw = made.get();
  const int inner = btf__add_union(raw, "", 8);
  btf__add_field(raw, "hash", made.integer, 0, 0);
  btf__add_field(raw, "cookie", made.u64, 0, 0);
  const int record = made.structure("frame", 24);
  btf__add_field(raw, "length", made.integer, 0, 0);
  btf__add_field(raw, "", inner, 64, 0);
  btf__add_field(raw, "flag", made.integer, 130, 3);
  const BtfTypes types{*raw};
  const auto id = static_cast<TypeId>(record);
  CHECK(types.member(id, "cookie") == MemberFacts{.type = static_cast<TypeId>(made.u64), .bit_offset = 64});
  CHECK(types.member(id, "flag") ==
        MemberFacts{.type = static_cast<TypeId>(made.integer), .bit_offset = 130, .bit_size = 3});
  CHECK(types.members(id) == std::vector<std::string>{"length", "hash", "cookie", "flag"});
  CHECK(types.facts(id) == TypeFacts{.kind = TypeKind::Record, .name = "struct frame", .bytes = 24});
}

TEST_CASE("arrays, pointers, void and enums are told apart") {
  TestBtf made;
  const int array = btf__add_array(made.get(), made.integer, made.integer, 6);
  const int states = made.enumeration("states", {{"STATE_UP", 7}, {"STATE_LOST", -3}});
  const BtfTypes types{*made.get()};
  const auto facts = types.facts(static_cast<TypeId>(array));
  CHECK(facts.kind == TypeKind::Array);
  CHECK(facts.count == 6);
  CHECK(facts.bytes == 24);
  CHECK(types.facts(static_cast<TypeId>(made.void_pointer)).kind == TypeKind::Pointer);
  CHECK(types.facts(0) == TypeFacts{.name = "void"});
  CHECK(types.facts(static_cast<TypeId>(states)).is_signed);
  CHECK(types.constant("STATE_UP") == 7);
  CHECK(types.constant("STATE_LOST") == -3);
}

TEST_CASE("a circle of typedefs ends") {
  TestBtf made;
  const int first = btf__add_typedef(made.get(), "first", btf__type_cnt(made.get()) + 1);
  (void)btf__add_typedef(made.get(), "second", first);
  const BtfTypes types{*made.get()};
  CHECK(types.facts(static_cast<TypeId>(first)).kind == TypeKind::Other);
}
