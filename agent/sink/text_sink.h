#pragma once
// TextSink: one aligned line per hop, for people. Described in docs/output.md.

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "base/lru_map.h"
#include "model/packet_id_hash.h"
#include "sink/drop_reason_text.h"
#include "sink/notation.h"
#include "sink/output.h"
#include "sink/sink.h"
#include "sink/text_columns.h"

namespace skbtrail {

class TextSink final : public Sink {
public:
  // Beyond this many packets the one seen longest ago loses its number, and gets another when it comes back.
  static constexpr std::size_t kMaxPackets = 65'536;

  // `output` must outlive the sink.
  TextSink(Output& output, const TextOptions& options);

  // Column titles: once, before the first event. Called by itself when the caller has not.
  void begin();

  void accept(const PacketEvent& event) override;
  void accept(const LossEvent& loss) override;
  Result<> flush() override { return output_.flush(); }

private:
  std::uint64_t number_of(const PacketId& packet);
  void put_row(const PacketEvent& event);
  void put_column(Column& column, const PacketEvent& event, bool last);
  std::string_view cell_text(ColumnKind kind, const PacketEvent& event);
  void put_packet_cell(const PacketEvent& event);
  void put_time_cell(const PacketEvent& event);
  void put_drop(const PacketEvent& event, const DropReasonText& why);
  void put_advice(const DropReasonText& why);
  void put_stack(const PacketEvent& event);
  void put_dump_lines(const Dump& dump);
  void put_map_line(const MapAccess& access);
  void put_cell_below();
  void put_words(std::string_view text, std::size_t indent);
  void put_hidden_note();
  void put_titles();
  void start_colour(std::string_view code);
  void end_colour();
  std::string_view cell_colour(ColumnKind kind, const PacketEvent& event);

  Output& output_;
  TextBuffer& out_;
  TextOptions options_;
  ColumnPlan plan_;
  DateText date_;
  TextBuffer cell_{256};
  std::size_t at_ = 0;  // visible characters on this line so far
  bool begun_ = false;
  LruMap<PacketId, std::uint64_t, PacketIdHash> numbers_{kMaxPackets};
  std::uint64_t last_number_ = 0;
  std::set<std::string, std::less<>> advised_;  // reasons whose advice was printed
};

}  // namespace skbtrail
