#include "filter/expression_checker.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "base/nearest_name.h"
#include "filter/c_number.h"
#include "filter/expression_lexer.h"

namespace skbtrail {
namespace {

constexpr std::uint64_t kPointerBytes = 8;

// Something in the kernel's memory.
struct Place {
  ComputationPtr address;
  std::int64_t offset = 0;
  CType type = {};
  std::uint32_t bit_offset = 0;  // in addition to `offset`
  std::uint32_t bit_size = 0;    // 0: no bitfield
};

struct Operand {
  std::optional<Number> number = std::nullopt;
  std::optional<Place> place = std::nullopt;
  const std::string* text = nullptr;  // neither of both: a string
};

Operand operand(Number number) {
  return {.number = std::move(number)};
}

Operand operand(Place place) {
  return {.place = std::move(place)};
}

class Checker {
public:
  Checker(const RootVariable& root, const TypeCatalogue& types) : root_(root), types_(types) {}

  Result<Number> number(const ExpressionNode& node);

private:
  Result<Number> number_of(const ExpressionNode& node, Operand checked);
  Result<Operand> check(const ExpressionNode& node);
  Result<Operand> name(const ExpressionNode& node);
  Result<Operand> member(const ExpressionNode& node);
  Result<Operand> field(const ExpressionNode& node, Place place);
  Result<Operand> index(const ExpressionNode& node);
  Result<Operand> unary(const ExpressionNode& node);
  Result<Operand> address_of(const ExpressionNode& node);
  Result<Operand> cast(const ExpressionNode& node);
  Result<Operand> binary(const ExpressionNode& node);
  Result<Operand> logic(const ExpressionNode& node);
  Result<Operand> compare_text(const ExpressionNode& node, Operand value, const std::string& text);
  Result<Operand> arithmetic(const ExpressionNode& node, Number left, Number right);
  Result<Operand> shift(const ExpressionNode& node, Number left, Number right);
  Result<Operand> pointer_arithmetic(const ExpressionNode& node, Number left, Number right);
  Result<Operand> pointer_difference(const ExpressionNode& node, Number left, Number right);

  Result<Number> load(const ExpressionNode& node, Place place);
  Result<Number> load_integer(const ExpressionNode& node, Place place, const TypeFacts& known);
  Result<Loading> bitfield(const ExpressionNode& node, const Place& place) const;
  Result<std::int32_t> offset_at(const ExpressionNode& node, std::int64_t offset) const;
  Result<Place> pointed_to(const ExpressionNode& node, Number pointer);
  Result<CType> written(const WrittenType& type) const;
  Result<std::uint64_t> step_size(const ExpressionNode& node, CType type) const;

  TypeFacts facts(CType type) const;
  CType target(CType type) const;
  std::string spelled(CType type) const;

  const RootVariable& root_;
  const TypeCatalogue& types_;
};

// A pointer of the catalogue and a star of the expression are the same.
TypeFacts Checker::facts(CType type) const {
  if (type.pointers > 0)
    return {.kind = TypeKind::Pointer, .bytes = kPointerBytes};
  return types_.facts(type.base);
}

CType Checker::target(CType type) const {
  if (type.pointers > 0)
    return {.base = type.base, .pointers = type.pointers - 1};
  return {.base = types_.facts(type.base).target};
}

std::string Checker::spelled(CType type) const {
  const auto known = facts(type);
  if (known.kind == TypeKind::Pointer)
    return spelled(target(type)) + " *";
  if (known.kind == TypeKind::Array)
    return spelled(target(type)) + "[" + std::to_string(known.count) + "]";
  return known.name;
}

Result<Number> Checker::number(const ExpressionNode& node) {
  return number_of(node, TRY(check(node)));
}

Result<Number> Checker::number_of(const ExpressionNode& node, Operand checked) {
  if (checked.number)
    return std::move(*checked.number);
  if (checked.place)
    return load(node, std::move(*checked.place));
  return fault_at(node.column, "a string can only be compared, with == or !=");
}

Result<Operand> Checker::check(const ExpressionNode& node) {
  switch (node.kind) {
    case NodeKind::Number:
      return operand(Number{.code = constant(node.number), .is_long = node.is_long, .is_signed = !node.is_unsigned});
    case NodeKind::Text: return Operand{.text = &node.text};
    case NodeKind::Name: return name(node);
    case NodeKind::Member:
    case NodeKind::Arrow: return member(node);
    case NodeKind::Index: return index(node);
    case NodeKind::Unary: return unary(node);
    case NodeKind::Cast: return cast(node);
    case NodeKind::Binary: return binary(node);
  }
  std::abort();
}

Result<Operand> Checker::name(const ExpressionNode& node) {
  if (node.text == root_.name) {
    auto address = std::make_unique<Computation>();
    address->step = Step::Root;
    return operand(pointer_to({.base = root_.points_to}, std::move(address)));
  }
  if (const auto value = types_.constant(node.text)) {
    const bool fits =
        *value >= std::numeric_limits<std::int32_t>::min() && *value <= std::numeric_limits<std::int32_t>::max();
    return operand(Number{.code = constant(static_cast<std::uint64_t>(*value)), .is_long = !fits});
  }
  return fault_at(node.column, "'" + node.text + "' is not known; an expression is about " + root_.name +
                                   ", and the kernel's enum constants");
}

Result<Operand> Checker::member(const ExpressionNode& node) {
  auto record = TRY(check(*node.left));
  const bool arrow = node.kind == NodeKind::Arrow;
  Place place;
  const bool is_pointer = record.number ? record.number->pointee.has_value()
                                        : record.place && facts(record.place->type).kind == TypeKind::Pointer;
  if (arrow && record.place && facts(record.place->type).kind == TypeKind::Record)
    return fault_at(node.column, "'" + spelled(record.place->type) + "' is no pointer: write . instead of ->");
  if (!arrow && is_pointer)
    return fault_at(node.column, "what stands before the . is a pointer: write -> instead");
  if (arrow) {
    auto pointer = TRY(number_of(*node.left, std::move(record)));
    place = TRY(pointed_to(node, std::move(pointer)));
  } else if (record.place) {
    place = std::move(*record.place);
  } else {
    return fault_at(node.column, "what stands before '" + node.text + "' is no struct");
  }
  if (facts(place.type).kind != TypeKind::Record)
    return fault_at(node.column, "'" + spelled(place.type) + "' has no fields");

  return field(node, std::move(place));
}

Result<Operand> Checker::field(const ExpressionNode& node, Place place) {
  const auto found = types_.member(place.type.base, node.text);
  if (!found) {
    const auto near = nearest_name(node.text, types_.members(place.type.base));
    return fault_at(node.column, "no field " + node.text + " in " + spelled(place.type) +
                                     (near.empty() ? std::string() : ", did you mean " + near + "?"));
  }
  place.offset += static_cast<std::int64_t>(found->bit_offset / 8);
  place.bit_offset = static_cast<std::uint32_t>(found->bit_offset % 8);
  place.bit_size = found->bit_size;
  place.type = {.base = found->type};
  return operand(std::move(place));
}

Result<Place> Checker::pointed_to(const ExpressionNode& node, Number pointer) {
  if (!pointer.pointee)
    return fault_at(node.column,
                    "what stands here is a number and no pointer; a cast such as (struct iphdr *) makes it "
                    "one");
  return Place{.address = std::move(pointer.code), .type = *pointer.pointee};
}

Result<std::uint64_t> Checker::step_size(const ExpressionNode& node, CType type) const {
  const auto known = facts(type);
  if (known.kind == TypeKind::Void)
    return std::uint64_t{1};
  if (known.bytes == 0 || known.bytes > std::numeric_limits<std::int32_t>::max())
    return fault_at(node.column, "the size of '" + spelled(type) + "' is not known");
  return known.bytes;
}

Result<Operand> Checker::index(const ExpressionNode& node) {
  auto pointer = TRY(number(*node.left));
  auto position = TRY(number(*node.right));
  if (!pointer.pointee)
    return fault_at(node.column, "only an array or a pointer has elements");
  if (position.pointee)
    return fault_at(node.column, "an index is a number, not a pointer");
  const CType element = *pointer.pointee;
  const auto size = TRY(step_size(node, element));
  auto distance = compute(Step::Multiply, std::move(position.code), constant(size));
  return operand(Place{.address = compute(Step::Add, std::move(pointer.code), std::move(distance)), .type = element});
}

Result<std::int32_t> Checker::offset_at(const ExpressionNode& node, std::int64_t offset) const {
  if (offset < std::numeric_limits<std::int32_t>::min() || offset > std::numeric_limits<std::int32_t>::max())
    return fault_at(node.column, "this field lies more than 2 GiB away");
  return static_cast<std::int32_t>(offset);
}

Result<Number> Checker::load(const ExpressionNode& node, Place place) {
  const auto known = facts(place.type);
  switch (known.kind) {
    case TypeKind::Integer: return load_integer(node, std::move(place), known);
    case TypeKind::Pointer: {
      const CType pointee = target(place.type);
      auto loaded = std::make_unique<Computation>();
      loaded->step = Step::Load;
      loaded->load = {.offset = TRY(offset_at(node, place.offset))};
      loaded->left = std::move(place.address);
      return pointer_to(pointee, std::move(loaded));
    }
    case TypeKind::Array:  // as in C: the address of its first element
      return pointer_to(target(place.type), compute(Step::Add, std::move(place.address),
                                                    constant(static_cast<std::uint64_t>(place.offset))));
    case TypeKind::Record:
      return fault_at(node.column, "'" + spelled(place.type) + "' is a whole struct; name one of its fields");
    case TypeKind::Void: return fault_at(node.column, "what a void * points to has no value; cast the pointer first");
    case TypeKind::Other: return fault_at(node.column, "'" + spelled(place.type) + "' is neither number nor pointer");
  }
  std::abort();
}

Result<Number> Checker::load_integer(const ExpressionNode& node, Place place, const TypeFacts& known) {
  if (known.bytes != 1 && known.bytes != 2 && known.bytes != 4 && known.bytes != 8)
    return fault_at(node.column, "'" + known.name + "' has " + std::to_string(known.bytes) +
                                     " bytes; at most 8 can be "
                                     "read");
  auto loaded = std::make_unique<Computation>();
  loaded->step = Step::Load;
  loaded->load = {.offset = TRY(offset_at(node, place.offset)),
                  .bytes = static_cast<unsigned>(known.bytes),
                  .big_endian = known.big_endian};
  const std::uint32_t bits = place.bit_size;
  if (bits != 0)
    loaded->load = TRY(bitfield(node, place));
  loaded->load.is_signed = known.is_signed;
  loaded->left = std::move(place.address);
  // What an int can hold becomes an int, whatever it was.
  const std::uint64_t width = bits != 0 ? bits : known.bytes * 8;
  return Number{.code = std::move(loaded), .is_long = width > 32, .is_signed = known.is_signed || width < 32};
}

// The smallest aligned unit around the bits.
Result<Loading> Checker::bitfield(const ExpressionNode& node, const Place& place) const {
  for (unsigned bytes = 1; bytes <= 8; bytes *= 2) {
    const std::int64_t start = place.offset / bytes * bytes;
    const auto shift = static_cast<std::uint32_t>((place.offset - start) * 8) + place.bit_offset;
    if (shift + place.bit_size <= bytes * 8)
      return Loading{
          .offset = TRY(offset_at(node, start)), .bytes = bytes, .bit_shift = shift, .bit_size = place.bit_size};
  }
  return fault_at(node.column, "this bitfield does not lie within 8 bytes");
}

Result<Operand> Checker::unary(const ExpressionNode& node) {
  if (node.operation == Operator::AddressOf)
    return address_of(node);
  auto value = TRY(number(*node.left));
  if (node.operation == Operator::Dereference)
    return operand(TRY(pointed_to(node, std::move(value))));
  if (node.operation == Operator::Not)
    return operand(truth(compute(Step::Not, std::move(value.code), nullptr)));
  if (value.pointee)
    return fault_at(node.column, "this operator takes numbers, not pointers");
  if (node.operation == Operator::Plus)
    return operand(std::move(value));
  const CommonType type{.is_long = value.is_long, .is_signed = value.is_signed};
  return operand(result_of(compute(step_of(node.operation), std::move(value.code), nullptr), type));
}

Result<Operand> Checker::address_of(const ExpressionNode& node) {
  auto checked = TRY(check(*node.left));
  if (!checked.place || checked.place->bit_size != 0)
    return fault_at(node.column, "only a field that is no bitfield has an address");
  Place& place = *checked.place;
  return operand(pointer_to(
      place.type, compute(Step::Add, std::move(place.address), constant(static_cast<std::uint64_t>(place.offset)))));
}

Result<CType> Checker::written(const WrittenType& type) const {
  const auto found = types_.find(type.tag, type.name);
  if (found)
    return CType{.base = *found, .pointers = type.pointers};
  if (type.tag == TypeTag::Ordinary && type.name == "void")
    return CType{.base = 0, .pointers = type.pointers};
  return fault_at(type.column, "this kernel has no type '" + type.name + "'");
}

Result<Operand> Checker::cast(const ExpressionNode& node) {
  const CType type = TRY(written(node.type));
  const auto known = facts(type);
  auto value = TRY(number(*node.left));
  if (known.kind == TypeKind::Pointer)
    return operand(pointer_to(target(type), std::move(value.code)));
  if (known.kind != TypeKind::Integer || known.bytes > 8)
    return fault_at(node.column, "a cast makes numbers and pointers, not '" + spelled(type) + "'");
  if (known.is_bool)
    return operand(truth(compute(Step::NotEqual, std::move(value.code), constant(0))));
  if (known.bytes < 8)
    value.code = narrow(std::move(value.code), static_cast<unsigned>(known.bytes), known.is_signed);
  return operand(Number{
      .code = std::move(value.code), .is_long = known.bytes == 8, .is_signed = known.is_signed || known.bytes < 4});
}

Result<Operand> Checker::binary(const ExpressionNode& node) {
  if (node.operation == Operator::And || node.operation == Operator::Or)
    return logic(node);
  auto left = TRY(check(*node.left));
  auto right = TRY(check(*node.right));
  if (left.text && right.text)
    return fault_at(node.column, "two strings: one side must be a field");
  if ((left.text || right.text) && !is_equality(node.operation))
    return fault_at(node.column, "a string can only be compared, with == or !=");
  if (right.text)
    return compare_text(node, std::move(left), *right.text);
  if (left.text)
    return compare_text(node, std::move(right), *left.text);
  auto first = TRY(number_of(*node.left, std::move(left)));
  auto second = TRY(number_of(*node.right, std::move(right)));
  if ((first.pointee || second.pointee) && !is_comparison(node.operation))
    return pointer_arithmetic(node, std::move(first), std::move(second));
  return arithmetic(node, std::move(first), std::move(second));
}

Result<Operand> Checker::logic(const ExpressionNode& node) {
  auto left = TRY(number(*node.left));
  auto right = TRY(number(*node.right));
  return operand(truth(compute(step_of(node.operation), std::move(left.code), std::move(right.code))));
}

Result<Operand> Checker::compare_text(const ExpressionNode& node, Operand value, const std::string& text) {
  if (text.size() > kTextLength)
    return fault_at(node.column, "strings of more than " + std::to_string(kTextLength) + " bytes cannot be compared");
  auto made = std::make_unique<Computation>();
  made->step = Step::SameText;
  made->text = text;
  CType element;
  if (value.place && facts(value.place->type).kind == TypeKind::Array) {
    element = target(value.place->type);
    made->room = facts(value.place->type).count;
    made->load.offset = TRY(offset_at(node, value.place->offset));
    made->left = std::move(value.place->address);
  } else {
    auto pointer = value.number ? std::move(*value.number) : TRY(load(node, std::move(*value.place)));
    if (!pointer.pointee)
      return fault_at(node.column, "a number cannot be compared with a string");
    element = *pointer.pointee;
    made->left = std::move(pointer.code);
  }
  if (const auto known = facts(element); known.kind != TypeKind::Integer || known.bytes != 1)
    return fault_at(node.column,
                    "'" + spelled(element) + "' is no character, so this cannot be compared with a string");
  if (made->room != 0 && text.size() > made->room)
    return fault_at(node.column, "this string has " + std::to_string(text.size()) + " bytes, the field only " +
                                     std::to_string(made->room));
  ComputationPtr code = std::move(made);
  if (node.operation == Operator::NotEqual)
    code = compute(Step::Not, std::move(code), nullptr);
  return operand(truth(std::move(code)));
}

Result<Operand> Checker::arithmetic(const ExpressionNode& node, Number left, Number right) {
  if (is_shift(node.operation))
    return shift(node, std::move(left), std::move(right));
  if (divides(node.operation) && right.code->step == Step::Constant && right.code->constant == 0)
    return fault_at(node.column, "this divides by zero");
  const CommonType type = common_type(left, right);
  left = converted(std::move(left), type);
  right = converted(std::move(right), type);
  auto code = compute(step_of(node.operation), std::move(left.code), std::move(right.code), type.is_signed);
  if (is_comparison(node.operation))
    return operand(truth(std::move(code)));
  return operand(result_of(std::move(code), type));
}

// The type is that of the left side alone. A distance beyond its width has no meaning in C; here it is taken modulo.
Result<Operand> Checker::shift(const ExpressionNode& node, Number left, Number right) {
  const std::uint64_t width = left.is_long ? 64 : 32;
  if (right.code->step == Step::Constant && right.code->constant >= width)
    return fault_at(node.column, "this shifts a number of " + std::to_string(width) + " bits by " +
                                     std::to_string(static_cast<std::int64_t>(right.code->constant)));
  const CommonType type{.is_long = left.is_long, .is_signed = left.is_signed};
  auto distance = compute(Step::BitAnd, std::move(right.code), constant(width - 1));
  return operand(
      result_of(compute(step_of(node.operation), std::move(left.code), std::move(distance), type.is_signed), type));
}

Result<Operand> Checker::pointer_arithmetic(const ExpressionNode& node, Number left, Number right) {
  const bool adds = node.operation == Operator::Add;
  const bool subtracts = node.operation == Operator::Subtract;
  if (left.pointee && right.pointee && subtracts)
    return pointer_difference(node, std::move(left), std::move(right));
  if (adds && right.pointee && !left.pointee)
    std::swap(left, right);
  if ((!adds && !subtracts) || !left.pointee || right.pointee)
    return fault_at(node.column,
                    "to a pointer a number can be added or subtracted, and nothing else; a cast such as "
                    "(unsigned long) makes it a number");
  const CType pointee = *left.pointee;
  const auto size = TRY(step_size(node, pointee));
  auto distance = compute(Step::Multiply, std::move(right.code), constant(size));
  return operand(
      pointer_to(pointee, compute(adds ? Step::Add : Step::Subtract, std::move(left.code), std::move(distance))));
}

Result<Operand> Checker::pointer_difference(const ExpressionNode& node, Number left, Number right) {
  const auto size = TRY(step_size(node, *left.pointee));
  auto code = compute(Step::Subtract, std::move(left.code), std::move(right.code));
  if (size > 1)
    code = compute(Step::Divide, std::move(code), constant(size));
  return operand(Number{.code = std::move(code), .is_long = true});
}

}  // namespace

Result<CheckedExpression> check_expression(const ExpressionNode& tree, const RootVariable& root,
                                           const TypeCatalogue& types) {
  auto value = TRY(Checker(root, types).number(tree));
  return CheckedExpression{
      .computation = std::move(value.code), .is_signed = value.is_signed, .is_pointer = value.pointee.has_value()};
}

}  // namespace skbtrail
