#include "sink/dump_text.h"

#include <algorithm>
#include <span>
#include <string_view>

namespace skbtrail {

namespace {

constexpr std::uint64_t kBitsOfByte = 8;

// Bytes that are not there are 0.
std::uint64_t read_bits(std::span<const std::uint8_t> bytes, const DumpField& field) {
  const std::uint64_t first = field.bit_offset / kBitsOfByte;
  const std::uint64_t shift = field.bit_offset % kBitsOfByte;
  const std::uint64_t count = (shift + field.bits + kBitsOfByte - 1) / kBitsOfByte;
  std::uint64_t value = 0;
  for (std::uint64_t at = 0; at < count && first + at < bytes.size() && at < sizeof(value); ++at) {
    const std::uint64_t place = field.big_endian ? count - 1 - at : at;
    value |= std::uint64_t{bytes[first + at]} << (place * kBitsOfByte);
  }
  value >>= shift;
  return field.bits < 64 ? value & ((std::uint64_t{1} << field.bits) - 1) : value;
}

// Without zeros at its end; empty: all of it is 0.
std::span<const std::uint8_t> significant_bytes(std::span<const std::uint8_t> bytes, const DumpField& field) {
  const std::size_t first = std::min<std::size_t>(field.bit_offset / kBitsOfByte, bytes.size());
  auto found = bytes.subspan(first, std::min<std::size_t>(field.bits / kBitsOfByte, bytes.size() - first));
  while (!found.empty() && found.back() == 0)
    found = found.first(found.size() - 1);
  return found;
}

void put_signed(TextBuffer& out, std::uint64_t value, std::uint64_t bits) {
  const bool negative = value >> (bits - 1) & 1;
  if (negative)
    out.put('-');
  const std::uint64_t unused = 64 - bits;
  out.put_dec(negative ? (0 - value) << unused >> unused : value);
}

void put_byte_list(TextBuffer& out, std::span<const std::uint8_t> bytes) {
  char before = '{';
  for (const std::uint8_t byte : bytes) {
    out.put(before);
    out.put("0x");
    out.put_hex(byte, 2);
    before = ',';
  }
  out.put('}');
}

// Whether there was anything to tell.
bool put_dump_field(TextBuffer& out, std::span<const std::uint8_t> bytes, const DumpField& field) {
  const bool is_list = field.kind == DumpKind::Bytes;
  const auto list = is_list ? significant_bytes(bytes, field) : std::span<const std::uint8_t>{};
  const std::uint64_t value = is_list ? 0 : read_bits(bytes, field);
  if (list.empty() && value == 0)
    return false;
  out.put('.');
  out.put(field.path);
  out.put(" = ");
  switch (field.kind) {
    case DumpKind::Bytes: put_byte_list(out, list); break;
    case DumpKind::Pointer:
      out.put("0x");
      out.put_hex(value);
      break;
    case DumpKind::Signed: put_signed(out, value, field.bits); break;
    case DumpKind::Bool:
    case DumpKind::Unsigned: out.put_dec(value); break;
  }
  return true;
}

}  // namespace

void put_dump(TextBuffer& out, const Dump& dump) {
  if (!dump.form)
    return;
  const std::size_t start = out.size();
  out.put('(');
  out.put(dump.form->type);
  out.put("){");
  const std::uint64_t used =
      dump.form->count ? read_bits(dump.bytes, dump.form->fields[*dump.form->count]) : std::uint64_t{0};
  std::string_view before;
  if (dump.bytes.empty())
    out.put("could not be read");
  for (const DumpField& field : dump.form->fields) {
    if (field.element && *field.element >= used)
      continue;
    const std::size_t end = out.size();
    out.put(before);
    if (!put_dump_field(out, dump.bytes, field)) {
      out.truncate(end);
      continue;
    }
    before = ", ";
    if (out.size() - start > kMaxDump) {
      out.truncate(end);
      out.put(", ...");
      break;
    }
  }
  out.put('}');
}

void put_control_words(TextBuffer& out, const ControlWords& words) {
  char before = '[';
  for (const std::uint32_t word : words) {
    out.put(before);
    out.put("0x");
    out.put_hex(word);
    before = ',';
  }
  out.put(']');
}

}  // namespace skbtrail
