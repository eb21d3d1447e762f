#pragma once
// DumpForm: how the bytes of a kernel struct are told field by field. Dump: such bytes, as one event has them.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace skbtrail {

enum class DumpKind : std::uint8_t { Signed, Unsigned, Bool, Pointer, Bytes };

struct DumpField {
  std::string path;  // as C names it in an initialiser: "users.refs.counter", "frags[1].bv_len"
  std::uint64_t bit_offset = 0;
  std::uint64_t bits = 0;  // up to 64, of Bytes a multiple of 8
  DumpKind kind = DumpKind::Unsigned;
  bool big_endian = false;
  std::optional<std::uint32_t> element = std::nullopt;  // of the form's counted array
  friend bool operator==(const DumpField&, const DumpField&) = default;
};

struct DumpForm {
  std::string type;  // "struct sk_buff"
  std::vector<DumpField> fields;
  std::optional<std::size_t> count;  // the field that says how many elements of the counted array are in use
};

struct Dump {
  const DumpForm* form = nullptr;        // null: not asked for
  std::vector<std::uint8_t> bytes = {};  // of the struct, from its start on; empty: they could not be read
};

// The words of skb->cb that programs of TC see as __sk_buff->cb.
using ControlWords = std::array<std::uint32_t, 5>;

// What is told of an skb; each only when it was asked for.
struct DumpForms {
  std::optional<DumpForm> skb;
  std::optional<DumpForm> shared;            // struct skb_shared_info
  std::optional<std::size_t> control_words;  // offset in struct sk_buff

  bool needs_skb() const { return skb || control_words; }
};

}  // namespace skbtrail
