#include "decode/dump_layout.h"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace skbtrail {
namespace {

// Deeper than either struct goes; types of somebody else's file may hold circles.
constexpr int kMostNesting = 8;
constexpr std::uint64_t kMostElements = 64;
constexpr std::uint64_t kBitsOfByte = 8;

class Layout {
public:
  explicit Layout(const TypeCatalogue& types) : types_(types) {}

  void add_record(TypeId record, std::uint64_t bit_offset, const std::string& prefix, int nesting) {
    for (const auto& name : types_.members(record)) {
      const auto member = types_.member(record, name);
      if (!member)
        continue;
      leaf_ = name;
      add(member->type, {.bit_offset = bit_offset + member->bit_offset, .bit_size = member->bit_size}, prefix + name,
          nesting);
    }
  }

  std::vector<DumpField> take() { return std::move(fields_); }

private:
  struct Place {
    std::uint64_t bit_offset = 0;
    std::uint32_t bit_size = 0;  // 0: no bitfield
  };

  void add(TypeId type, Place place, const std::string& path, int nesting) {
    const auto facts = types_.facts(type);
    switch (facts.kind) {
      case TypeKind::Integer: return add_integer(facts, place, path);
      case TypeKind::Pointer:
        return add_field({.path = path,
                          .bit_offset = place.bit_offset,
                          .bits = facts.bytes * kBitsOfByte,
                          .kind = DumpKind::Pointer});
      case TypeKind::Record:
        if (nesting < kMostNesting)
          add_record(type, place.bit_offset, path + ".", nesting + 1);
        return;
      case TypeKind::Array: return add_array(facts, place, path, nesting);
      case TypeKind::Void:
      case TypeKind::Other: return;
    }
  }

  void add_integer(const TypeFacts& facts, Place place, const std::string& path) {
    const std::uint64_t bits = place.bit_size > 0 ? place.bit_size : facts.bytes * kBitsOfByte;
    if (bits > 64)
      return;
    const DumpKind of_number = facts.is_signed ? DumpKind::Signed : DumpKind::Unsigned;
    add_field({.path = path,
               .bit_offset = place.bit_offset,
               .bits = bits,
               .kind = facts.is_bool ? DumpKind::Bool : of_number,
               .big_endian = facts.big_endian && place.bit_size == 0});
  }

  void add_array(const TypeFacts& facts, Place place, const std::string& path, int nesting) {
    const auto element = types_.facts(facts.target);
    if (element.kind == TypeKind::Integer && element.bytes == 1) {
      if (facts.count > 0)
        add_field({.path = path,
                   .bit_offset = place.bit_offset,
                   .bits = std::min(facts.count, kMostElements) * kBitsOfByte,
                   .kind = DumpKind::Bytes});
      return;
    }
    const std::string leaf = leaf_;
    for (std::uint64_t at = 0; at < std::min(facts.count, kMostElements); ++at) {
      leaf_ = leaf;
      add(facts.target, {.bit_offset = place.bit_offset + at * element.bytes * kBitsOfByte},
          path + "[" + std::to_string(at) + "]", nesting);
    }
  }

  void add_field(DumpField field) {
    if (fields_.size() < kMaxDumpFields && seen_.emplace(field.bit_offset, field.bits, leaf_).second)
      fields_.push_back(std::move(field));
  }

  const TypeCatalogue& types_;
  std::vector<DumpField> fields_;
  std::set<std::tuple<std::uint64_t, std::uint64_t, std::string>> seen_;
  std::string leaf_;  // the last name on the way
};

Result<TypeId> find_struct(std::string_view name, const TypeCatalogue& types) {
  if (const auto found = types.find(TypeTag::Struct, name))
    return *found;
  return refuse(ENOTSUP, "the kernel's types have no struct " + std::string(name));
}

// Elements of `frags` from nr_frags on are what an earlier packet left there.
void count_fragments(DumpForm& form) {
  constexpr std::string_view kArray = "frags[";
  for (std::size_t at = 0; at < form.fields.size(); ++at) {
    auto& field = form.fields[at];
    if (field.path == "nr_frags")
      form.count = at;
    if (field.path.starts_with(kArray))
      field.element = static_cast<std::uint32_t>(std::strtoul(field.path.c_str() + kArray.size(), nullptr, 10));
  }
}

Result<std::size_t> find_control_words(TypeId skb, const TypeCatalogue& types) {
  const TypeId inside = TRY(find_struct("qdisc_skb_cb", types));
  const auto control = types.member(skb, "cb");
  const auto words = types.member(inside, "data");
  if (!control || !words)
    return refuse(ENOTSUP, "the kernel's types have no skb->cb with words for programs");
  return (control->bit_offset + words->bit_offset) / kBitsOfByte;
}

}  // namespace

DumpForm lay_out(TypeId record, const TypeCatalogue& types) {
  Layout layout{types};
  layout.add_record(record, 0, "", 0);
  return {.type = types.facts(record).name, .fields = layout.take(), .count = std::nullopt};
}

Result<DumpForms> lay_out_dumps(const DumpWishes& wishes, const TypeCatalogue& types) {
  DumpForms forms;
  if (wishes.skb || wishes.control_words) {
    const TypeId skb = TRY(find_struct("sk_buff", types));
    if (wishes.skb)
      forms.skb = lay_out(skb, types);
    if (wishes.control_words)
      forms.control_words = TRY(find_control_words(skb, types));
  }
  if (wishes.shared_info) {
    forms.shared = lay_out(TRY(find_struct("skb_shared_info", types)), types);
    count_fragments(*forms.shared);
  }
  return forms;
}

}  // namespace skbtrail
