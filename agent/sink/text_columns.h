#pragma once
// Which columns a text trace has, and how wide: a pure function of the options.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "sink/text_buffer.h"

namespace skbtrail {

// What the column TIME shows: nothing, the monotonic clock in ns, the time since this packet's last event, or the
// wall clock.
enum class Timestamp : std::uint8_t { None, Current, Relative, Absolute };

struct TextOptions {
  Timestamp timestamp = Timestamp::None;
  bool pod = false;            // POD
  bool meta = true;            // NETNS MARK/x IFACE PROTO MTU LEN
  std::size_t netns_name = 0;  // NSNAME, at most so wide; 0: none
  bool tuple = true;
  bool tcp_flags = false;
  bool tunnel = false;
  bool values = false;  // of field expressions
  bool control_words = false;
  bool caller = false;
  bool stack = false;
  bool colour = false;
  std::size_t width = 0;          // columns of the terminal; 0: not a terminal, nothing is shortened or left out
  std::int64_t utc_offset_s = 0;  // of the wall clock in Timestamp::Absolute
};

enum class ColumnKind : std::uint8_t {
  Packet,
  Skb,
  Cpu,
  Process,
  Time,
  Pod,
  Netns,
  NetnsName,
  Mark,
  Interface,
  Protocol,
  Mtu,
  Length,
  Tuple,
  Tunnel,
  Values,
  ControlBlock,
  Function,
  Caller,
};

struct Column {
  ColumnKind kind;
  std::string_view title;
  std::size_t width;   // grows with its cells ...
  std::size_t limit;   // ... up to this; longer cells are shortened in the middle
  bool right = false;  // numbers
};

struct ColumnPlan {
  std::vector<Column> columns;           // the last one has no padding
  std::vector<std::string_view> hidden;  // titles that a narrow terminal has no room for
};

ColumnPlan plan_columns(const TextOptions& options);

// Appends `text`, printable, cut in the middle to `limit` characters: "kworker~1:1234". Returns its length.
std::size_t put_cell(TextBuffer& out, std::string_view text, std::size_t limit);

}  // namespace skbtrail
