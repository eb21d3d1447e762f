#pragma once
// FakeTypes: a TypeCatalogue made by words, with one struct that has every kind of field.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "filter/field_expression.h"
#include "model/type_catalogue.h"

namespace skbtrail::test {

class FakeTypes final : public TypeCatalogue {
public:
  FakeTypes();

  std::optional<TypeId> find(TypeTag tag, std::string_view name) const override;
  TypeFacts facts(TypeId type) const override { return types_.at(type).facts; }
  std::optional<MemberFacts> member(TypeId record, std::string_view name) const override;
  std::vector<std::string> members(TypeId record) const override;
  std::optional<std::int64_t> constant(std::string_view name) const override;

private:
  struct Type {
    TypeFacts facts;
    std::vector<std::pair<std::string, MemberFacts>> members = {};
  };

  TypeId add(const TypeFacts& facts);
  TypeId pointer_to(TypeId target);
  TypeId array_of(TypeId element, std::uint64_t count, std::uint64_t bytes);
  void add_integers();
  void field(TypeId record, const std::string& name, TypeId type, std::uint64_t bit_offset, std::uint32_t bits = 0);

  std::vector<Type> types_;
  std::map<std::string, TypeId, std::less<>> names_;  // "struct probe", "u32"
};

// A struct probe as FakeTypes describes it, by the compiler's own rules.
struct Probe;
struct Inner {
  std::uint32_t x;
  std::int32_t y;
  Probe* self;
};
struct Probe {
  std::uint8_t byte;
  std::int8_t small;
  std::uint16_t half;
  std::int16_t short_number;
  std::uint32_t word;
  std::int32_t number;
  std::uint64_t wide;
  std::int64_t wide_number;
  std::uint16_t be16;  // these three in network order
  std::uint32_t be32;
  std::uint64_t be64;
  std::uint32_t three : 3, seven : 7, one : 1;
  std::int32_t five : 5;
  std::uint64_t forty : 40;
  char name[16];
  std::uint32_t array[4];
  Inner inner;
  Probe* next;
  char* label;
  union {
    std::uint32_t in_union;
    std::int32_t also_in_union;
  };
};

// `p`, a pointer to a struct probe; with or without a copy of its start.
ExpressionSubject probe_subject(bool has_copy);

}  // namespace skbtrail::test
