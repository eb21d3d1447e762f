#include "support/fake_types.h"

#include <cstddef>

namespace skbtrail::test {
namespace {

constexpr std::uint64_t kBits = 8;

}  // namespace

FakeTypes::FakeTypes() {
  types_.push_back({.facts = {.name = "void"}});
  add_integers();
  const TypeId probe = add({.kind = TypeKind::Record, .name = "struct probe", .bytes = sizeof(Probe)});
  const TypeId inner = add({.kind = TypeKind::Record, .name = "struct inner", .bytes = sizeof(Inner)});
  const TypeId probe_pointer = pointer_to(probe);
  const auto id = [this](std::string_view name) { return names_.find(name)->second; };
  field(inner, "x", id("u32"), offsetof(Inner, x) * kBits);
  field(inner, "y", id("s32"), offsetof(Inner, y) * kBits);
  field(inner, "self", probe_pointer, offsetof(Inner, self) * kBits);

  field(probe, "byte", id("u8"), offsetof(Probe, byte) * kBits);
  field(probe, "small", id("s8"), offsetof(Probe, small) * kBits);
  field(probe, "half", id("u16"), offsetof(Probe, half) * kBits);
  field(probe, "short_number", id("s16"), offsetof(Probe, short_number) * kBits);
  field(probe, "word", id("u32"), offsetof(Probe, word) * kBits);
  field(probe, "number", id("s32"), offsetof(Probe, number) * kBits);
  field(probe, "wide", id("u64"), offsetof(Probe, wide) * kBits);
  field(probe, "wide_number", id("s64"), offsetof(Probe, wide_number) * kBits);
  field(probe, "be16", id("__be16"), offsetof(Probe, be16) * kBits);
  field(probe, "be32", id("__be32"), offsetof(Probe, be32) * kBits);
  field(probe, "be64", id("__be64"), offsetof(Probe, be64) * kBits);
  const std::uint64_t bitfields = (offsetof(Probe, be64) + 8) * kBits;
  field(probe, "three", id("u32"), bitfields, 3);
  field(probe, "seven", id("u32"), bitfields + 3, 7);
  field(probe, "one", id("u32"), bitfields + 10, 1);
  field(probe, "five", id("s32"), bitfields + 11, 5);
  field(probe, "forty", id("u64"), bitfields + 16, 40);
  field(probe, "name", array_of(id("char"), 16, 16), offsetof(Probe, name) * kBits);
  field(probe, "array", array_of(id("u32"), 4, 16), offsetof(Probe, array) * kBits);
  field(probe, "inner", inner, offsetof(Probe, inner) * kBits);
  field(probe, "next", probe_pointer, offsetof(Probe, next) * kBits);
  field(probe, "label", pointer_to(id("char")), offsetof(Probe, label) * kBits);
  field(probe, "in_union", id("u32"), offsetof(Probe, in_union) * kBits);
  field(probe, "also_in_union", id("s32"), offsetof(Probe, also_in_union) * kBits);
  const TypeId undefined = add({.kind = TypeKind::Other, .name = "struct undefined"});
  field(probe, "opaque", pointer_to(undefined), offsetof(Probe, next) * kBits);
  field(probe, "anything", pointer_to(0), offsetof(Probe, next) * kBits);
}

TypeId FakeTypes::add(const TypeFacts& facts) {
  types_.push_back({.facts = facts});
  const auto id = static_cast<TypeId>(types_.size() - 1);
  if (!facts.name.empty())
    names_[facts.name] = id;
  return id;
}

TypeId FakeTypes::pointer_to(TypeId target) {
  return add({.kind = TypeKind::Pointer, .bytes = 8, .target = target});
}

TypeId FakeTypes::array_of(TypeId element, std::uint64_t count, std::uint64_t bytes) {
  return add({.kind = TypeKind::Array, .bytes = bytes, .target = element, .count = count});
}

void FakeTypes::add_integers() {
  struct Integer {
    const char* name;
    unsigned bytes;
    bool is_signed;
  };
  for (const auto& [name, bytes, is_signed] :
       {Integer{"u8", 1, false}, Integer{"s8", 1, true}, Integer{"u16", 2, false}, Integer{"s16", 2, true},
        Integer{"u32", 4, false}, Integer{"s32", 4, true}, Integer{"u64", 8, false}, Integer{"s64", 8, true},
        Integer{"char", 1, true}, Integer{"int", 4, true}, Integer{"unsigned int", 4, false},
        Integer{"unsigned long", 8, false}})
    add({.kind = TypeKind::Integer, .name = name, .bytes = bytes, .is_signed = is_signed});
  add({.kind = TypeKind::Integer, .name = "bool", .bytes = 1, .is_bool = true});
  add({.kind = TypeKind::Integer, .name = "__be16", .bytes = 2, .big_endian = true});
  add({.kind = TypeKind::Integer, .name = "__be32", .bytes = 4, .big_endian = true});
  add({.kind = TypeKind::Integer, .name = "__be64", .bytes = 8, .big_endian = true});
}

void FakeTypes::field(TypeId record, const std::string& name, TypeId type, std::uint64_t bit_offset,
                      std::uint32_t bits) {
  types_[record].members.emplace_back(name, MemberFacts{.type = type, .bit_offset = bit_offset, .bit_size = bits});
}

std::optional<TypeId> FakeTypes::find(TypeTag tag, std::string_view name) const {
  const auto found = names_.find(tag == TypeTag::Struct ? "struct " + std::string(name) : std::string(name));
  if (found == names_.end() || (tag != TypeTag::Struct && found->first.starts_with("struct ")))
    return std::nullopt;
  return found->second;
}

std::optional<MemberFacts> FakeTypes::member(TypeId record, std::string_view name) const {
  for (const auto& [member_name, facts] : types_.at(record).members)
    if (member_name == name)
      return facts;
  return std::nullopt;
}

std::vector<std::string> FakeTypes::members(TypeId record) const {
  std::vector<std::string> names;
  for (const auto& [name, facts] : types_.at(record).members)
    names.push_back(name);
  return names;
}

std::optional<std::int64_t> FakeTypes::constant(std::string_view name) const {
  if (name == "IPPROTO_TCP")
    return 6;
  if (name == "VERY_LARGE")
    return std::int64_t{1} << 40;
  return std::nullopt;
}

ExpressionSubject probe_subject(bool has_copy) {
  return {.variable = "p", .struct_name = "probe", .has_copy = has_copy};
}

}  // namespace skbtrail::test
