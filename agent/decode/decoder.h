#pragma once
// Decoder: the bytes of one ring record -> PacketEvent. Pure: believes no byte, allocates only for names it has not
// met before.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/packet_event.h"
#include "model/symbol.h"

struct trace_record;

namespace skbtrail {

class Decoder final {
public:
  // Bound of each name cache. A cache that is full is emptied before the next record.
  static constexpr std::size_t kMaxNames = 1U << 17;

  // `realtime_offset_ns`: what CLOCK_REALTIME is ahead of CLOCK_MONOTONIC. Both lookups must outlive the decoder.
  Decoder(const SymbolResolver& symbols, const DropReasonNames& reasons, std::int64_t realtime_offset_ns)
      : resolver_(symbols), reason_names_(reasons), realtime_offset_ns_(realtime_offset_ns) {}

  // Overwrites every field of `event` except `sequence`, `delta_ns` and the pods, which are the session's. Names in it
  // live until the next call. Hand in the same object again and again: its memory is reused. After an error it is not
  // to be read.
  Result<> decode(std::span<const std::byte> record, PacketEvent& event);

  // What the values behind a record are; at most TRACE_VALUES. To be called before the first record.
  void set_value_forms(std::vector<ValueForm> forms) { forms_ = std::move(forms); }

  // The same behind records of XDP programs.
  void set_xdp_value_forms(std::vector<ValueForm> forms) { xdp_forms_ = std::move(forms); }

  // What is told of the copies of structs behind a record. To be called before the first record.
  void set_dump_forms(DumpForms forms) { dumps_ = std::move(forms); }

  // Whether to look for tunnels in the packet bytes of a record; there must be kTunnelBytes of them.
  void set_tunnels(bool wanted) { tunnels_ = wanted; }

  // Who knows the BPF programs of records; must outlive the decoder.
  void set_programs(const TracedProgramNames* programs) { programs_ = programs; }

  void set_realtime_offset(std::int64_t nanoseconds) { realtime_offset_ns_ = nanoseconds; }
  std::int64_t realtime_offset() const { return realtime_offset_ns_; }

private:
  void read_dump(const std::span<const std::byte>& skb, const std::span<const std::byte>& shared,
                 PacketEvent& event) const;
  static void read_values(std::span<const std::byte> bytes, const std::vector<ValueForm>& forms, PacketEvent& event);
  Result<> read_place(const trace_record& raw, PacketEvent& event);
  Drop drop_of(std::optional<std::uint32_t> reason);
  void read_stack(std::span<const std::byte> addresses, PacketEvent& event);
  const Symbol* symbol(std::uint64_t address);
  const DropReasonName* reason_name(std::uint32_t reason);
  void forget_when_full();

  const SymbolResolver& resolver_;
  const DropReasonNames& reason_names_;
  std::int64_t realtime_offset_ns_;
  std::vector<ValueForm> forms_;
  std::vector<ValueForm> xdp_forms_;
  DumpForms dumps_;
  bool tunnels_ = false;
  const TracedProgramNames* programs_ = nullptr;
  std::unordered_map<std::uint64_t, Symbol> symbols_;
  std::unordered_map<std::uint32_t, DropReasonName> reasons_;
};

}  // namespace skbtrail
