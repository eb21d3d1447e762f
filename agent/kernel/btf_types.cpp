#include "kernel/btf_types.h"

#include <array>

#include "kernel/kernel_btf.h"

namespace skbtrail {
namespace {

// Deeper than any type of the kernel; a BTF file of somebody else's may hold circles.
constexpr int kMostSteps = 32;
constexpr int kMostNesting = 8;

bool is_wrapper(const btf_type* type) {
  return btf_is_mod(type) || btf_is_typedef(type) || btf_is_type_tag(type);
}

struct Peeled {
  TypeId id = 0;
  const btf_type* type = nullptr;  // null: void
  std::string_view name = {};      // the first typedef on the way
  bool big_endian = false;
};

bool names_big_endian(std::string_view name) {
  return name == "__be16" || name == "__be32" || name == "__be64";
}

// Through typedefs and qualifiers.
Peeled peel(const btf& types, TypeId id) {
  Peeled peeled{.id = id, .type = btf__type_by_id(&types, id)};
  for (int step = 0; step < kMostSteps && peeled.id != 0 && peeled.type && is_wrapper(peeled.type); ++step) {
    if (btf_is_typedef(peeled.type)) {
      const auto name = btf_name(types, peeled.type->name_off);
      peeled.name = peeled.name.empty() ? name : peeled.name;
      peeled.big_endian = peeled.big_endian || names_big_endian(name);
    }
    peeled.id = peeled.type->type;
    peeled.type = btf__type_by_id(&types, peeled.id);
  }
  if (peeled.id == 0)
    peeled.type = nullptr;
  return peeled;
}

std::string record_name(const btf& types, const btf_type* type) {
  const auto name = btf_name(types, type->name_off);
  return std::string(btf_is_struct(type) ? "struct " : "union ") + (name.empty() ? "(unnamed)" : std::string(name));
}

bool is_signed_enum(const btf_type* type) {
  if (btf_kflag(type))
    return true;
  // Before kernels set that flag, a 32-bit enum was taken as signed where one of its values is negative.
  if (btf_is_enum64(type))
    return false;
  for (std::size_t i = 0; i < btf_vlen(type); ++i)
    if (btf_enum(type)[i].val < 0)
      return true;
  return false;
}

void describe_integer(const btf& types, const btf_type* type, TypeFacts& facts) {
  facts.kind = TypeKind::Integer;
  facts.bytes = type->size;
  if (btf_is_int(type)) {
    facts.is_signed = btf_int_encoding(type) & BTF_INT_SIGNED;
    facts.is_bool = btf_int_encoding(type) & BTF_INT_BOOL;
  } else {
    facts.is_signed = is_signed_enum(type);
  }
  if (facts.name.empty())
    facts.name = btf_name(types, type->name_off);
}

// Calls `visit(name, facts)` for each named member, also those of unnamed records, until it returns true.
template <class Visit>
bool visit_members(const btf& types, TypeId record, std::uint64_t start_bits, int nesting, const Visit& visit) {
  const btf_type* type = peel(types, record).type;
  if (!type || !btf_is_composite(type) || nesting > kMostNesting)
    return false;
  for (std::uint32_t i = 0; i < btf_vlen(type); ++i) {
    const btf_member& entry = btf_members(type)[i];
    const std::uint64_t at = start_bits + btf_member_bit_offset(type, i);
    const auto name = btf_name(types, entry.name_off);
    if (name.empty()
            ? visit_members(types, entry.type, at, nesting + 1, visit)
            : visit(name,
                    MemberFacts{.type = entry.type, .bit_offset = at, .bit_size = btf_member_bitfield_size(type, i)}))
      return true;
  }
  return false;
}

// How C spells the types that DWARF names otherwise.
std::string_view btf_spelling(std::string_view name) {
  struct Spelling {
    std::string_view c;
    std::string_view btf;
  };
  static constexpr std::array<Spelling, 12> kSpellings = {{
      {"unsigned", "unsigned int"},
      {"signed", "int"},
      {"signed int", "int"},
      {"long", "long int"},
      {"unsigned long", "long unsigned int"},
      {"long long", "long long int"},
      {"unsigned long long", "long long unsigned int"},
      {"short", "short int"},
      {"unsigned short", "short unsigned int"},
      {"bool", "_Bool"},
      {"unsigned long int", "long unsigned int"},
      {"unsigned short int", "short unsigned int"},
  }};
  for (const auto& [c, btf] : kSpellings)
    if (name == c)
      return btf;
  return name;
}

}  // namespace

std::optional<TypeId> BtfTypes::find(TypeTag tag, std::string_view name) const {
  const auto look_up = [&](const std::string& wanted, std::uint32_t kind) -> std::optional<TypeId> {
    const int id = btf__find_by_name_kind(&types_, wanted.c_str(), kind);
    return id > 0 ? std::optional(static_cast<TypeId>(id)) : std::nullopt;
  };
  const std::string wanted{name};
  switch (tag) {
    case TypeTag::Struct: return look_up(wanted, BTF_KIND_STRUCT);
    case TypeTag::Union: return look_up(wanted, BTF_KIND_UNION);
    case TypeTag::Enum:
      if (const auto found = look_up(wanted, BTF_KIND_ENUM))
        return found;
      return look_up(wanted, BTF_KIND_ENUM64);
    case TypeTag::Ordinary: break;
  }
  for (const std::uint32_t kind : {BTF_KIND_TYPEDEF, BTF_KIND_INT})
    if (const auto found = look_up(wanted, kind))
      return found;
  return look_up(std::string(btf_spelling(name)), BTF_KIND_INT);
}

TypeFacts BtfTypes::facts(TypeId id) const {
  const Peeled peeled = peel(types_, id);
  const btf_type* type = peeled.type;
  TypeFacts facts{.name = std::string(peeled.name)};
  if (!type) {
    facts.name = facts.name.empty() ? "void" : facts.name;
  } else if (btf_is_int(type) || btf_is_any_enum(type)) {
    describe_integer(types_, type, facts);
    facts.big_endian = peeled.big_endian;
  } else if (btf_is_ptr(type)) {
    facts.kind = TypeKind::Pointer;
    facts.bytes = sizeof(std::uint64_t);
    facts.target = type->type;
  } else if (btf_is_array(type)) {
    facts.kind = TypeKind::Array;
    facts.target = btf_array(type)->type;
    facts.count = btf_array(type)->nelems;
    const std::int64_t bytes = btf__resolve_size(&types_, peeled.id);
    facts.bytes = bytes > 0 ? static_cast<std::uint64_t>(bytes) : 0;
  } else if (btf_is_composite(type)) {
    facts.kind = TypeKind::Record;
    facts.bytes = type->size;
    facts.name = record_name(types_, type);
  } else {
    facts.kind = TypeKind::Other;
    facts.name = facts.name.empty() ? std::string(btf_name(types_, type->name_off)) : facts.name;
  }
  return facts;
}

std::optional<MemberFacts> BtfTypes::member(TypeId record, std::string_view name) const {
  std::optional<MemberFacts> found;
  visit_members(types_, record, 0, 0, [&](std::string_view candidate, const MemberFacts& facts) {
    if (candidate != name)
      return false;
    found = facts;
    return true;
  });
  return found;
}

std::vector<std::string> BtfTypes::members(TypeId record) const {
  std::vector<std::string> names;
  visit_members(types_, record, 0, 0, [&](std::string_view name, const MemberFacts&) {
    names.emplace_back(name);
    return false;
  });
  return names;
}

std::optional<std::int64_t> BtfTypes::constant(std::string_view name) const {
  for (std::uint32_t id = 1; id < btf__type_cnt(&types_); ++id) {
    const btf_type* type = btf__type_by_id(&types_, id);
    if (!btf_is_any_enum(type))
      continue;
    for (std::size_t i = 0; i < btf_vlen(type); ++i) {
      if (btf_is_enum64(type)) {
        if (btf_name(types_, btf_enum64(type)[i].name_off) == name)
          return static_cast<std::int64_t>(btf_enum64_value(&btf_enum64(type)[i]));
      } else if (btf_name(types_, btf_enum(type)[i].name_off) == name) {
        return btf_enum(type)[i].val;
      }
    }
  }
  return std::nullopt;
}

}  // namespace skbtrail
