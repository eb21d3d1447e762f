#pragma once
// TypeCatalogue: what may be asked about the kernel's types. Answers are values; the implementation lives in kernel/.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skbtrail {

// Of one catalogue only; 0 is void.
using TypeId = std::uint32_t;

// The word before a type's name. Ordinary: a typedef, or a type that C names by itself ("unsigned int").
enum class TypeTag : std::uint8_t { Ordinary, Struct, Union, Enum };

// Record: a struct or a union. Other: functions, floating point, what is declared and never defined.
enum class TypeKind : std::uint8_t { Void, Integer, Pointer, Array, Record, Other };

// One type, seen through its typedefs and qualifiers.
struct TypeFacts {
  TypeKind kind = TypeKind::Void;
  std::string name = {};    // "struct sk_buff", "__be16"; the outermost name it goes by
  std::uint64_t bytes = 0;  // 0: has no size
  bool is_signed = false;   // Integer
  bool is_bool = false;     // Integer
  bool big_endian = false;  // Integer: __be16, __be32 and __be64
  TypeId target = 0;        // Pointer, Array: of what
  std::uint64_t count = 0;  // Array: elements
  friend bool operator==(const TypeFacts&, const TypeFacts&) = default;
};

struct MemberFacts {
  TypeId type = 0;
  std::uint64_t bit_offset = 0;  // from the start of the record it was asked of
  std::uint32_t bit_size = 0;    // 0: no bitfield
  friend bool operator==(const MemberFacts&, const MemberFacts&) = default;
};

class TypeCatalogue {
public:
  virtual ~TypeCatalogue() = default;
  virtual std::optional<TypeId> find(TypeTag tag, std::string_view name) const = 0;
  // Precondition: `type` came from this catalogue.
  virtual TypeFacts facts(TypeId type) const = 0;
  // Of a record, also inside its unnamed structs and unions, as in C.
  virtual std::optional<MemberFacts> member(TypeId record, std::string_view name) const = 0;
  // Every name that member() knows there.
  virtual std::vector<std::string> members(TypeId record) const = 0;
  // The value of an enumerator.
  virtual std::optional<std::int64_t> constant(std::string_view name) const = 0;
};

}  // namespace skbtrail
