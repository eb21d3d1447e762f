#include "support/random_expressions.h"

#include <bit>
#include <cstring>
#include <limits>
#include <type_traits>

namespace skbtrail::test {
namespace {

using Made = RandomExpression;

template <class Number>
using Unsigned = std::make_unsigned_t<Number>;

// What the compiler makes of small types.
template <class Number>
CNumber promoted(Number number) {
  return +number;
}

class Generator {
public:
  Generator(std::mt19937& random, const ProbeChain& chain) : random_(random), chain_(chain) {}

  Made expression(int depth);

private:
  Made leaf();
  Made field();
  Made field_of(const std::string& object, const Probe& probe);
  Made indexed(const std::string& object, const Probe& probe, int depth);
  Made text_comparison();
  Made number();
  Made unary(int depth);
  Made cast(int depth);
  Made binary(int depth);
  Made logic(int depth);

  int pick(int count) { return static_cast<int>(random_() % static_cast<unsigned>(count)); }

  std::mt19937& random_;
  const ProbeChain& chain_;
};

std::uint64_t swapped(std::uint64_t value, int bytes) {
  return __builtin_bswap64(value) >> (64 - 8 * bytes);
}

Made Generator::number() {
  static constexpr std::uint64_t kInteresting[] = {
      0,      1,          2,          7,          0x7f,        0x80,       0xff,       0x100, 0x7fff,
      0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 1ULL << 62, 1ULL << 63, ~0ULL};
  const std::uint64_t value = pick(3) == 0 ? random_() : kInteresting[pick(std::size(kInteresting))];
  switch (pick(3)) {
    case 0:
      if (value <= std::numeric_limits<std::int32_t>::max())
        return {std::to_string(value), static_cast<std::int32_t>(value)};
      if (value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        return {std::to_string(value), static_cast<std::int64_t>(value)};
      return {std::to_string(value) + "u", value};
    case 1:
      if (value <= std::numeric_limits<std::uint32_t>::max())
        return {std::to_string(value) + "u", static_cast<std::uint32_t>(value)};
      return {std::to_string(value) + "ull", value};
    default: return {std::to_string(value) + "UL", value};
  }
}

Made Generator::field_of(const std::string& object, const Probe& probe) {
  switch (pick(20)) {
    case 0: return {object + "byte", promoted(probe.byte)};
    case 1: return {object + "small", promoted(probe.small)};
    case 2: return {object + "half", promoted(probe.half)};
    case 3: return {object + "short_number", promoted(probe.short_number)};
    case 4: return {object + "word", promoted(probe.word)};
    case 5: return {object + "number", promoted(probe.number)};
    case 6: return {object + "wide", std::uint64_t{probe.wide}};
    case 7: return {object + "wide_number", std::int64_t{probe.wide_number}};
    case 8: return {object + "be16", static_cast<std::int32_t>(swapped(probe.be16, 2))};
    case 9: return {object + "be32", static_cast<std::uint32_t>(swapped(probe.be32, 4))};
    case 10: return {object + "be64", swapped(probe.be64, 8)};
    case 11: return {object + "three", static_cast<std::int32_t>(probe.three)};
    case 12: return {object + "seven", static_cast<std::int32_t>(probe.seven)};
    case 13: return {object + "one", static_cast<std::int32_t>(probe.one)};
    case 14: return {object + "five", static_cast<std::int32_t>(probe.five)};
    case 15: return {object + "forty", static_cast<std::uint64_t>(probe.forty)};
    case 16: return {object + "inner.x", probe.inner.x};
    case 17: return {object + "inner.y", probe.inner.y};
    case 18: return {object + "also_in_union", probe.also_in_union};
    default: return {object + "name[3]", promoted(probe.name[3])};
  }
}

Made Generator::indexed(const std::string& object, const Probe& probe, int depth) {
  Made at = expression(depth);
  Made made{object + "array[(" + at.text + ") & 3]", std::nullopt};
  if (at.value)
    made.value = probe.array[widened(*at.value) & 3];
  return made;
}

Made Generator::field() {
  switch (pick(8)) {
    case 0: return field_of("p->next->", chain_.probes[1]);
    case 1: return field_of("(*p).", chain_.probes[0]);
    case 2: return field_of("p->next->next->", chain_.probes[2]);
    case 3: return field_of("((struct probe *)p->inner.self)->", chain_.probes[0]);
    case 4: return field_of("p[1].", chain_.probes[1]);
    case 5: return {field_of("p->next->next->next->", chain_.probes[0]).text, std::nullopt};
    default: return field_of("p->", chain_.probes[0]);
  }
}

Made Generator::text_comparison() {
  const bool equal = pick(2) == 0;
  const bool by_pointer = pick(2) == 0;
  const char* const content = by_pointer ? chain_.label : chain_.probes[0].name;
  const std::string present(content, ::strnlen(content, 16));
  std::string wanted = present;
  switch (pick(4)) {
    case 0: break;
    case 1: wanted += "x"; break;
    case 2: wanted = wanted.substr(0, wanted.size() / 2); break;
    default: wanted = "other"; break;
  }
  wanted = wanted.substr(0, 16);
  return {std::string(by_pointer ? "p->label" : "p->name") + (equal ? " == " : " != ") + '"' + wanted + '"',
          std::int32_t{(wanted == present) == equal}};
}

Made Generator::leaf() {
  switch (pick(10)) {
    case 0:
    case 1:
    case 2: return number();
    case 3: return text_comparison();
    default: return field();
  }
}

Made Generator::unary(int depth) {
  const Made inner = expression(depth - 1);
  static constexpr char kOperators[] = {'-', '~', '!', '+'};
  const char operation = kOperators[pick(4)];
  Made made{std::string(1, operation) + "(" + inner.text + ")", std::nullopt};
  if (!inner.value)
    return made;
  made.value = std::visit(
      [&](auto value) -> CNumber {
        switch (operation) {
          case '-':
            return static_cast<decltype(value)>(Unsigned<decltype(value)>{0} -
                                                static_cast<Unsigned<decltype(value)>>(value));
          case '~': return ~value;
          case '!': return std::int32_t{!value};
          default: return value;
        }
      },
      *inner.value);
  return made;
}

Made Generator::cast(int depth) {
  const Made inner = expression(depth - 1);
  static constexpr const char* kTypes[] = {"u8",  "s8",  "u16", "s16",  "u32",
                                           "s32", "u64", "s64", "bool", "unsigned long"};
  const int type = pick(std::size(kTypes));
  Made made{"(" + std::string(kTypes[type]) + ")(" + inner.text + ")", std::nullopt};
  if (!inner.value)
    return made;
  made.value = std::visit(
      [&](auto value) -> CNumber {
        switch (type) {
          case 0: return promoted(static_cast<std::uint8_t>(value));
          case 1: return promoted(static_cast<std::int8_t>(value));
          case 2: return promoted(static_cast<std::uint16_t>(value));
          case 3: return promoted(static_cast<std::int16_t>(value));
          case 4: return static_cast<std::uint32_t>(value);
          case 5: return static_cast<std::int32_t>(value);
          case 7: return static_cast<std::int64_t>(value);
          case 8: return std::int32_t{value != 0};
          default: return static_cast<std::uint64_t>(value);
        }
      },
      *inner.value);
  return made;
}

// Both sides in their common type, which the compiler finds.
template <class Number>
std::optional<CNumber> calculated(const std::string& operation, Number left, Number right) {
  const auto a = static_cast<Unsigned<Number>>(left);
  const auto b = static_cast<Unsigned<Number>>(right);
  if (operation == "+")
    return static_cast<Number>(a + b);
  if (operation == "-")
    return static_cast<Number>(a - b);
  if (operation == "*")
    return static_cast<Number>(a * b);
  if (operation == "&")
    return static_cast<Number>(left & right);
  if (operation == "|")
    return static_cast<Number>(left | right);
  if (operation == "^")
    return static_cast<Number>(left ^ right);
  if (operation == "==")
    return std::int32_t{left == right};
  if (operation == "!=")
    return std::int32_t{left != right};
  if (operation == "<")
    return std::int32_t{left < right};
  if (operation == "<=")
    return std::int32_t{left <= right};
  if (operation == ">")
    return std::int32_t{left > right};
  if (operation == ">=")
    return std::int32_t{left >= right};
  if (right == 0)
    return std::nullopt;
  if (std::is_signed_v<Number> && b == static_cast<Unsigned<Number>>(-1))  // where the quotient may have no room
    return operation == "/" ? static_cast<Number>(0 - a) : Number{0};
  return operation == "/" ? static_cast<Number>(left / right) : static_cast<Number>(left % right);
}

Made Generator::binary(int depth) {
  static constexpr const char* kOperators[] = {
      "+", "-", "*", "&", "|", "^", "==", "!=", "<", "<=", ">", ">=", "/", "%"};
  const std::string operation = kOperators[pick(std::size(kOperators))];
  const Made left = expression(depth - 1);
  const Made right = expression(depth - 1);
  Made made{"(" + left.text + ") " + operation + " (" + right.text + ")", std::nullopt};
  if (left.value && right.value)
    made.value = std::visit(
        [&](auto a, auto b) {
          using Common = decltype(a + b);
          return calculated<Common>(operation, static_cast<Common>(a), static_cast<Common>(b));
        },
        *left.value, *right.value);
  if (pick(6) != 0)
    return made;
  // The same as a shift; a distance that is too large is masked, so that it means something in C++ too.
  made = {"(" + left.text + ") " + (pick(2) ? "<<" : ">>") + " ((" + right.text + ") & 31)", std::nullopt};
  const bool to_left = made.text.find(" << ((" + right.text) != std::string::npos;
  if (left.value && right.value)
    made.value = std::visit(
        [&](auto a) -> CNumber {
          const auto distance = widened(*right.value) & 31;
          if (to_left)
            return static_cast<decltype(a)>(static_cast<Unsigned<decltype(a)>>(a) << distance);
          return static_cast<decltype(a)>(a >> distance);
        },
        *left.value);
  return made;
}

Made Generator::logic(int depth) {
  const bool both = pick(2) == 0;
  const Made left = expression(depth - 1);
  const Made right = expression(depth - 1);
  Made made{"(" + left.text + (both ? ") && (" : ") || (") + right.text + ")", std::nullopt};
  if (!left.value)
    return made;
  const bool first = widened(*left.value) != 0;
  if (first != both)
    made.value = std::int32_t{first};
  else if (right.value)
    made.value = std::int32_t{widened(*right.value) != 0};
  return made;
}

Made Generator::expression(int depth) {
  if (depth <= 0)
    return leaf();
  switch (pick(8)) {
    case 0: return unary(depth);
    case 1: return cast(depth);
    case 2: return logic(depth);
    case 3: return indexed("p->", chain_.probes[0], depth - 1);
    case 4: return leaf();
    default: return binary(depth);
  }
}

}  // namespace

std::uint64_t widened(const CNumber& number) {
  return std::visit([](auto value) { return static_cast<std::uint64_t>(value); }, number);
}

ProbeChain random_chain(std::mt19937& random, std::uint64_t address) {
  ProbeChain chain;
  auto* const bytes = reinterpret_cast<unsigned char*>(&chain);
  for (std::size_t at = 0; at < sizeof(chain); ++at)
    bytes[at] = static_cast<unsigned char>(random() % 4 == 0 ? 0 : random());
  const auto at = [&](std::size_t offset) { return std::bit_cast<Probe*>(address + offset); };
  for (std::size_t n = 0; n < 3; ++n) {
    Probe& probe = chain.probes[n];
    probe.next = n < 2 ? at((n + 1) * sizeof(Probe)) : nullptr;
    probe.inner.self = at(n * sizeof(Probe));
    probe.label = reinterpret_cast<char*>(at(offsetof(ProbeChain, label)));
    std::memset(probe.name, 0, sizeof(probe.name));
    const std::string name = std::string("eth0-and-a-long-name").substr(0, random() % 17);
    std::memcpy(probe.name, name.data(), name.size());
  }
  std::memset(chain.label, 0, sizeof(chain.label));
  std::memcpy(chain.label, "veth12", random() % 7);
  return chain;
}

RandomExpression random_expression(std::mt19937& random, const ProbeChain& chain, int depth) {
  return Generator{random, chain}.expression(depth);
}

}  // namespace skbtrail::test
