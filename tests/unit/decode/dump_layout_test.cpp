#include "decode/dump_layout.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <utility>
#include <vector>

using namespace skbtrail;

namespace {

// Types made by words; ids are places in a list.
class Types final : public TypeCatalogue {
public:
  TypeId add(const TypeFacts& facts, std::vector<std::pair<std::string, MemberFacts>> members = {}) {
    types_.emplace_back(facts, std::move(members));
    return static_cast<TypeId>(types_.size() - 1);
  }
  TypeId number(std::uint64_t bytes, bool is_signed = false) {
    return add({.kind = TypeKind::Integer, .bytes = bytes, .is_signed = is_signed});
  }
  TypeId array(TypeId target, std::uint64_t count) {
    return add({.kind = TypeKind::Array, .bytes = count * facts(target).bytes, .target = target, .count = count});
  }
  TypeId record(const std::string& name, std::uint64_t bytes,
                std::vector<std::pair<std::string, MemberFacts>> members) {
    return add({.kind = TypeKind::Record, .name = "struct " + name, .bytes = bytes}, std::move(members));
  }

  std::optional<TypeId> find(TypeTag, std::string_view name) const override {
    for (std::size_t id = 0; id < types_.size(); ++id)
      if (types_[id].first.name == "struct " + std::string(name))
        return static_cast<TypeId>(id);
    return std::nullopt;
  }
  TypeFacts facts(TypeId type) const override { return types_.at(type).first; }
  std::optional<MemberFacts> member(TypeId record, std::string_view name) const override {
    for (const auto& [candidate, facts] : types_.at(record).second)
      if (candidate == name)
        return facts;
    return std::nullopt;
  }
  std::vector<std::string> members(TypeId record) const override {
    const auto& members = types_.at(record).second;
    std::vector<std::string> names(members.size());
    std::ranges::transform(members, names.begin(), [](const auto& member) { return member.first; });
    return names;
  }
  std::optional<std::int64_t> constant(std::string_view) const override { return std::nullopt; }

private:
  std::vector<std::pair<TypeFacts, std::vector<std::pair<std::string, MemberFacts>>>> types_;
};

MemberFacts at(TypeId type, std::uint64_t byte, std::uint32_t bits = 0, std::uint32_t first_bit = 0) {
  return {.type = type, .bit_offset = byte * 8 + first_bit, .bit_size = bits};
}

std::vector<std::string> paths(const DumpForm& form) {
  std::vector<std::string> all(form.fields.size());
  std::ranges::transform(form.fields, all.begin(), [](const auto& field) { return field.path; });
  return all;
}

}  // namespace

TEST_CASE("a kernel without the struct is said to be one") {
  const auto forms = lay_out_dumps({.skb = true}, Types{});
  REQUIRE_FALSE(forms);
  CHECK(forms.error().code == ENOTSUP);
  CHECK(forms.error().message == "the kernel's types have no struct sk_buff");
}

TEST_CASE("without a wish nothing is laid out, whatever types there are") {
  const auto forms = lay_out_dumps({}, Types{});
  REQUIRE(forms);
  CHECK_FALSE(forms->skb);
  CHECK_FALSE(forms->shared);
  CHECK_FALSE(forms->needs_skb());
}

TEST_CASE("types that hold themselves come to an end, and so do large ones") {
  Types types;
  const TypeId word = types.number(4);
  const TypeId many = types.array(word, 64);
  std::vector<std::pair<std::string, MemberFacts>> members = {{"self", at(2, 0)}};
  for (std::uint64_t index = 0; index < 20; ++index)
    members.emplace_back("a" + std::to_string(index), at(many, index * 256));
  const TypeId circle = types.record("circle", 8192, members);
  REQUIRE(circle == 2);
  CHECK(lay_out(circle, types).fields.size() == kMaxDumpFields);
}

TEST_CASE("fields are named as C initialises them, each with its place and its kind") {
  Types types;
  const TypeId byte = types.number(1);
  const TypeId word = types.number(4, true);
  const TypeId pointer = types.add({.kind = TypeKind::Pointer, .bytes = 8});
  const TypeId big = types.add({.kind = TypeKind::Integer, .bytes = 2, .big_endian = true});
  const TypeId counter = types.record("counter", 4, {{"value", at(word, 0)}});
  const TypeId pair = types.array(counter, 2);
  const TypeId bytes = types.array(byte, 6);
  const TypeId none = types.array(byte, 0);
  const TypeId probe = types.record("probe", 64,
                                    {{"next", at(pointer, 0)},
                                     {"flag", at(byte, 8, 1, 3)},
                                     {"start", at(none, 9)},
                                     {"protocol", at(big, 10)},
                                     {"users", at(counter, 12)},
                                     {"pair", at(pair, 16)},
                                     {"cb", at(bytes, 24)}});
  const auto form = lay_out(probe, types);
  CHECK(form.type == "struct probe");
  CHECK(form.fields == std::vector<DumpField>{
                           {.path = "next", .bit_offset = 0, .bits = 64, .kind = DumpKind::Pointer},
                           {.path = "flag", .bit_offset = 67, .bits = 1},
                           {.path = "protocol", .bit_offset = 80, .bits = 16, .big_endian = true},
                           {.path = "users.value", .bit_offset = 96, .bits = 32, .kind = DumpKind::Signed},
                           {.path = "pair[0].value", .bit_offset = 128, .bits = 32, .kind = DumpKind::Signed},
                           {.path = "pair[1].value", .bit_offset = 160, .bits = 32, .kind = DumpKind::Signed},
                           {.path = "cb", .bit_offset = 192, .bits = 48, .kind = DumpKind::Bytes},
                       });
}

TEST_CASE("a group that shows its fields a second time under a name of its own is told once") {
  Types types;
  const TypeId word = types.number(4);
  const TypeId group = types.record("group", 8, {{"mark", at(word, 0)}, {"hash", at(word, 4)}});
  const TypeId probe = types.record(
      "probe", 8, {{"mark", at(word, 0)}, {"reserved", at(word, 0)}, {"hash", at(word, 4)}, {"headers", at(group, 0)}});
  CHECK(paths(lay_out(probe, types)) == std::vector<std::string>{"mark", "reserved", "hash"});
}

TEST_CASE("of fragments those count that nr_frags says; cb is where programs see it") {
  Types types;
  const TypeId byte = types.number(1);
  const TypeId word = types.number(4);
  const TypeId frag = types.record("frag", 4, {{"len", at(word, 0)}});
  const TypeId frags = types.array(frag, 2);
  const TypeId bytes = types.array(byte, 48);
  types.record("skb_shared_info", 16, {{"nr_frags", at(byte, 2)}, {"frags", at(frags, 8)}});
  types.record("sk_buff", 128, {{"cb", at(bytes, 40)}});
  types.record("qdisc_skb_cb", 28, {{"data", at(bytes, 8)}});
  const auto forms = lay_out_dumps({.skb = true, .shared_info = true, .control_words = true}, types);
  REQUIRE(forms);
  CHECK(forms->needs_skb());
  CHECK(forms->control_words == 48U);
  REQUIRE(forms->shared);
  CHECK(forms->shared->count == 0U);
  CHECK(paths(*forms->shared) == std::vector<std::string>{"nr_frags", "frags[0].len", "frags[1].len"});
  CHECK(forms->shared->fields[2].element == 1U);
  CHECK_FALSE(forms->skb->fields[0].element);
}
