#include "sink/text_sink.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "sink/drop_reason_text.h"
#include "sink/dump_text.h"
#include "sink/map_text.h"

namespace skbtrail {

namespace {

constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kRed = "\x1b[1;31m";
constexpr std::string_view kYellow = "\x1b[1;33m";
// One after another for packets; none of them is the colour of a drop or a loss.
constexpr std::array<std::string_view, 6> kPacketColours = {"\x1b[36m", "\x1b[32m", "\x1b[35m",
                                                            "\x1b[34m", "\x1b[96m", "\x1b[92m"};

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
constexpr std::size_t kReadableCell = 16;  // the last cell gets this much, even if the line then wraps
constexpr std::size_t kIndent = 7;         // of lines that belong to the one above
constexpr std::size_t kMaxAdvised = 256;

void put_offset(TextBuffer& out, std::int64_t utc_offset_s) {
  if (utc_offset_s == 0)
    return out.put('Z');
  const auto minutes = static_cast<std::uint64_t>(std::abs(utc_offset_s) / 60);
  out.put(utc_offset_s < 0 ? '-' : '+');
  out.put_dec(minutes / 60, 2);
  out.put(':');
  out.put_dec(minutes % 60, 2);
}

void put_known(TextBuffer& cell, const std::optional<std::uint32_t>& number) {
  if (number)
    cell.put_dec(*number);
}

void put_interface(TextBuffer& cell, const PacketEvent& event) {
  if (!event.ifname.empty())
    return cell.put(event.ifname.view());
  if (!event.ifindex)
    return;
  cell.put("if");
  cell.put_dec(*event.ifindex);
}

// "skb->mark=16 skb->hash=-"
void put_value_list(TextBuffer& cell, const PacketEvent& event) {
  for (const FieldValue& value : event.values) {
    if (&value != &event.values.front())
      cell.put(' ');
    cell.put(value.form->name);
    cell.put('=');
    if (!value.value)
      cell.put('-');
    put_value(cell, value);
  }
}

// "shop/web-0" in the pod, "shop/web-0@host" at the node's end of its link. "kernel": of no pod, and of no process.
void put_pod(TextBuffer& cell, const PacketEvent& event) {
  const PodAt& at = event.pod;
  if (!at.pod)
    return event.of_kernel_socket ? cell.put("kernel") : void();
  cell.put(at.pod->namespace_name);
  cell.put('/');
  cell.put(at.pod->name);
  if (at.side == PodSide::Host)
    cell.put("@host");
}

// What needs nothing but the event; the other columns are the sink's.
void put_plain_cell(TextBuffer& cell, ColumnKind kind, const PacketEvent& event) {
  switch (kind) {
    case ColumnKind::Packet:
    case ColumnKind::Time:
    case ColumnKind::Tuple:
    case ColumnKind::Tunnel: return;
    case ColumnKind::Skb:
      if (event.skb == 0)
        return;
      cell.put("0x");
      return cell.put_hex(event.skb);
    case ColumnKind::Cpu: return cell.put_dec(event.cpu);
    case ColumnKind::Process:
      cell.put(event.comm.view());
      cell.put(':');
      return cell.put_dec(event.pid);
    case ColumnKind::Pod: return put_pod(cell, event);
    case ColumnKind::Netns: return put_known(cell, event.netns);
    case ColumnKind::NetnsName: return cell.put(event.netns_name);
    case ColumnKind::Mark: return event.is_call ? void() : cell.put_hex(event.mark);
    case ColumnKind::Interface: return put_interface(cell, event);
    case ColumnKind::Protocol:
      if (event.protocol == 0)
        return;
      cell.put("0x");
      return cell.put_hex(event.protocol, 4);
    case ColumnKind::Mtu: return put_known(cell, event.mtu);
    case ColumnKind::Length: return event.is_call ? void() : cell.put_dec(event.length);
    case ColumnKind::Values: return put_value_list(cell, event);
    case ColumnKind::ControlBlock:
      if (event.control_words)
        put_control_words(cell, *event.control_words);
      return;
    case ColumnKind::Function: return put_place(cell, event);
    case ColumnKind::Caller:
      if (event.caller)
        put_symbol(cell, *event.caller);
      return;
  }
  std::abort();
}

// A symbol that does not fit loses its module before letters of its name.
std::string_view fitting(std::string_view cell, std::size_t limit) {
  return cell.size() > limit && cell.ends_with(']') ? cell.substr(0, cell.rfind(" [")) : cell;
}

DropReasonText explain(const Drop& drop) {
  return drop.name ? explain_drop(drop.name->subsystem, drop.name->name) : explain_drop({}, {});
}

std::string_view loss_text(LossCause cause) {
  switch (cause) {
    case LossCause::Ring: return " events here: ring buffer full; raise --ring-size or narrow the filter";
    case LossCause::Budget: return " events here: over the allowed rate; raise --rate or narrow the filter";
    case LossCause::Tracking: return " packets here: too many packets are followed at once; narrow the filter";
  }
  std::abort();
}

}  // namespace

TextSink::TextSink(Output& output, const TextOptions& options)
    : output_(output),
      out_(output.text()),
      options_(options),
      plan_(plan_columns(options)),
      date_(options.utc_offset_s) {}

void TextSink::begin() {
  if (std::exchange(begun_, true))
    return;
  put_hidden_note();
  put_titles();
  output_.end_line();
  output_.begin_files_with([this] { put_titles(); });
}

void TextSink::put_titles() {
  start_colour(kBold);
  for (const Column& column : plan_.columns) {
    const bool last = &column == &plan_.columns.back();
    const std::size_t padding = column.width - std::min(column.width, column.title.size());
    if (column.right)
      out_.put_spaces(padding);
    out_.put(column.title);
    if (last)
      break;
    out_.put_spaces(1 + (column.right ? 0 : padding));
  }
  end_colour();
  out_.put('\n');
}

void TextSink::put_hidden_note() {
  if (plan_.hidden.empty())
    return;
  start_colour(kDim);
  out_.put("(this terminal is too narrow for");
  for (const std::string_view title : plan_.hidden) {
    out_.put(' ');
    out_.put(title);
  }
  out_.put("; a wider one or a file shows all)");
  end_colour();
  out_.put('\n');
}

void TextSink::accept(const PacketEvent& event) {
  begin();
  put_row(event);
  const DropReasonText why = event.drop ? explain(*event.drop) : DropReasonText{};
  if (event.drop)
    put_drop(event, why);
  out_.put('\n');
  if (event.drop)
    put_advice(why);
  if (event.map)
    put_map_line(*event.map);
  if (options_.stack)
    put_stack(event);
  for (const Dump* dump : {&event.skb_dump, &event.shared_dump})
    put_dump_lines(*dump);
  output_.end_event();
}

void TextSink::accept(const LossEvent& loss) {
  begin();
  start_colour(kYellow);
  out_.put("LOST ");
  out_.put_dec(loss.count);
  out_.put(loss_text(loss.cause));
  end_colour();
  out_.put('\n');
  output_.end_line();
}

std::uint64_t TextSink::number_of(const PacketId& packet) {
  const auto [number, is_new] = numbers_.find_or_insert(packet);
  if (is_new)
    number = ++last_number_;
  return number;
}

// The columns. On a terminal the text of a drop stands below them; in a file it takes the place of FUNC, so that one
// line has it all.
void TextSink::put_row(const PacketEvent& event) {
  at_ = 0;
  for (Column& column : plan_.columns) {
    if (event.drop && options_.width == 0 && column.kind == ColumnKind::Function)
      return;
    put_column(column, event, &column == &plan_.columns.back());
  }
}

void TextSink::put_column(Column& column, const PacketEvent& event, bool last) {
  std::size_t limit = column.limit;
  if (last && options_.width != 0)
    limit = std::max(kReadableCell, options_.width - std::min(options_.width, at_));
  const std::string_view text = fitting(cell_text(column.kind, event), limit);
  const std::size_t shown = std::min(text.size(), limit);
  column.width = last ? column.width : std::max(column.width, shown);
  const std::size_t padding = column.width - std::min(column.width, shown);
  if (column.right)
    out_.put_spaces(padding);
  const std::string_view colour = cell_colour(column.kind, event);
  start_colour(colour);
  put_cell(out_, text, limit);
  if (!colour.empty())
    end_colour();
  if (last)
    return;
  out_.put_spaces(1 + (column.right ? 0 : padding));
  at_ += column.width + 1;
}

std::string_view TextSink::cell_text(ColumnKind kind, const PacketEvent& event) {
  cell_.clear();
  if (kind == ColumnKind::Packet)
    put_packet_cell(event);
  else if (kind == ColumnKind::Time)
    put_time_cell(event);
  else if (kind == ColumnKind::Tuple && event.tuple)
    put_tuple(cell_, *event.tuple, options_.tcp_flags);
  else if (kind == ColumnKind::Tunnel && event.tunnel)
    put_tunnel(cell_, *event.tunnel, options_.tcp_flags);
  else
    put_plain_cell(cell_, kind, event);
  if (cell_.empty())
    cell_.put('-');
  return cell_.view();
}

void TextSink::put_packet_cell(const PacketEvent& event) {
  // The parent first: it is the older one, also when only its children were seen.
  const std::uint64_t parent = event.parent ? number_of(*event.parent) : 0;
  cell_.put('#');
  cell_.put_dec(number_of(event.packet));
  if (!event.parent)
    return;
  cell_.put("<#");
  cell_.put_dec(parent);
}

void TextSink::put_time_cell(const PacketEvent& event) {
  switch (options_.timestamp) {
    case Timestamp::None: return;
    case Timestamp::Current: return cell_.put_dec(event.monotonic_ns);
    case Timestamp::Relative:
      if (event.delta_ns) {
        cell_.put('+');
        put_duration(cell_, *event.delta_ns);
      }
      return;
    case Timestamp::Absolute:
      cell_.put(date_.of(static_cast<std::int64_t>(event.realtime_ns / kNsPerSecond)));
      cell_.put('.');
      cell_.put_dec(event.realtime_ns % kNsPerSecond / 1000, 6);
      put_offset(cell_, options_.utc_offset_s);
      return;
  }
}

// "DROP  NETFILTER_DROP at nf_hook_slow+0x9f: a netfilter rule (nftables/iptables) dropped it"
void TextSink::put_drop(const PacketEvent& event, const DropReasonText& why) {
  if (options_.width != 0) {
    out_.put('\n');
    out_.put_spaces(kIndent);
    at_ = kIndent;
  }
  cell_.clear();
  cell_.put("DROP  ");
  if (!why.reason.empty() && why.subsystem != "core") {
    cell_.put(why.subsystem);
    cell_.put('/');
  }
  cell_.put(why.reason.empty() ? std::string_view("without a reason") : why.reason);
  cell_.put(" at ");
  put_symbol(cell_, *event.function);
  cell_.put(": ");
  cell_.put(why.meaning);
  start_colour(kRed);
  put_words(cell_.view(), kIndent + std::string_view("DROP  ").size());
  end_colour();
}

// What to look at, once for each reason: people read it, and the second time they know it.
void TextSink::put_advice(const DropReasonText& why) {
  if (options_.width == 0 || advised_.size() >= kMaxAdvised || !advised_.emplace(why.reason).second)
    return;
  start_colour(kDim);
  out_.put_spaces(kIndent);
  at_ = kIndent;
  cell_.clear();
  cell_.put("check: ");
  cell_.put(why.check);
  put_words(cell_.view(), kIndent + std::string_view("check: ").size());
  end_colour();
  out_.put('\n');
}

void TextSink::put_stack(const PacketEvent& event) {
  for (const Symbol* frame : event.stack) {
    cell_.clear();
    put_symbol(cell_, *frame);
    out_.put_spaces(kIndent + 2);
    put_cell(out_, cell_.view(), SIZE_MAX);
    out_.put('\n');
  }
}

void TextSink::put_dump_lines(const Dump& dump) {
  if (!dump.form)
    return;
  cell_.clear();
  put_dump(cell_, dump);
  put_cell_below();
}

void TextSink::put_map_line(const MapAccess& access) {
  cell_.clear();
  put_map_access(cell_, access);
  put_cell_below();
}

// One line of a file, so that grep finds all of it.
void TextSink::put_cell_below() {
  out_.put_spaces(kIndent + 2);
  at_ = kIndent + 2;
  put_words(cell_.view(), kIndent + 4);
  out_.put('\n');
}

// From where the line stands now; on a terminal, words that do not fit go on below, behind `indent` spaces.
void TextSink::put_words(std::string_view text, std::size_t indent) {
  bool at_start = true;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' ', 1), text.size());  // a word with the space before it
    std::string_view word = text.substr(0, end);
    text.remove_prefix(end);
    if (options_.width != 0 && !at_start && at_ + word.size() > options_.width) {
      word.remove_prefix(std::min(word.find_first_not_of(' '), word.size()));
      out_.put('\n');
      out_.put_spaces(indent);
      at_ = indent;
    }
    at_ += put_cell(out_, word, SIZE_MAX);
    at_start = false;
  }
}

void TextSink::start_colour(std::string_view code) {
  if (options_.colour)
    out_.put(code);
}

void TextSink::end_colour() {
  if (options_.colour)
    out_.put("\x1b[0m");
}

std::string_view TextSink::cell_colour(ColumnKind kind, const PacketEvent& event) {
  if (kind == ColumnKind::Packet)
    return kPacketColours[number_of(event.packet) % kPacketColours.size()];
  return kind == ColumnKind::Function && event.drop ? kRed : "";
}

}  // namespace skbtrail
