#include "sink/text_columns.h"

#include <algorithm>
#include <numeric>

namespace skbtrail {

namespace {

constexpr std::size_t kNoLimit = SIZE_MAX;

// What a terminal that is too narrow does without, in this order.
constexpr ColumnKind kLeastImportant[] = {ColumnKind::Mtu,    ColumnKind::Mark,    ColumnKind::Protocol,
                                          ColumnKind::Skb,    ColumnKind::Cpu,     ColumnKind::Netns,
                                          ColumnKind::Length, ColumnKind::Process, ColumnKind::Interface};

constexpr std::size_t kMinimumTuple = 33;  // "10.9.0.1:40512->10.9.0.2:80(tcp)"
constexpr std::size_t kMaximumTuple = 49;  // two full IPv4 addresses with ports
constexpr std::size_t kMinimumFunction = 24;
constexpr std::size_t kNetnsName = 10;
constexpr std::size_t kReadable = 16;  // a narrower column says nothing any more

Column time_column(Timestamp timestamp) {
  switch (timestamp) {
    case Timestamp::None:
    case Timestamp::Current: break;
    case Timestamp::Relative:
      return {.kind = ColumnKind::Time, .title = "TIME", .width = 10, .limit = 12, .right = true};
    case Timestamp::Absolute: return {.kind = ColumnKind::Time, .title = "TIME", .width = 27, .limit = 32};
  }
  return {.kind = ColumnKind::Time, .title = "TIME", .width = 16, .limit = 20};
}

// Limits are those of a terminal.
std::vector<Column> wanted_columns(const TextOptions& options) {
  std::vector<Column> columns = {
      {.kind = ColumnKind::Packet, .title = "PACKET", .width = 6, .limit = 11},
      {.kind = ColumnKind::Skb, .title = "SKB", .width = 18, .limit = 18},
      {.kind = ColumnKind::Cpu, .title = "CPU", .width = 3, .limit = 5},
      {.kind = ColumnKind::Process, .title = "PROCESS", .width = 16, .limit = 16},
  };
  if (options.timestamp != Timestamp::None)
    columns.push_back(time_column(options.timestamp));
  if (options.pod)
    columns.push_back({.kind = ColumnKind::Pod, .title = "POD", .width = 20, .limit = 32});
  if (options.meta)
    columns.insert(columns.end(),
                   {
                       {.kind = ColumnKind::Netns, .title = "NETNS", .width = 10, .limit = 10},
                       {.kind = ColumnKind::Mark, .title = "MARK/x", .width = 6, .limit = 8},
                       {.kind = ColumnKind::Interface, .title = "IFACE", .width = 8, .limit = 15},
                       {.kind = ColumnKind::Protocol, .title = "PROTO", .width = 6, .limit = 6},
                       {.kind = ColumnKind::Mtu, .title = "MTU", .width = 5, .limit = 5, .right = true},
                       {.kind = ColumnKind::Length, .title = "LEN", .width = 5, .limit = 6, .right = true},
                   });
  if (options.netns_name > 0)
    columns.push_back({.kind = ColumnKind::NetnsName,
                       .title = "NSNAME",
                       .width = std::min(kNetnsName, options.netns_name),
                       .limit = options.netns_name});
  if (options.tuple)
    columns.push_back({.kind = ColumnKind::Tuple, .title = "TUPLE", .width = kMinimumTuple, .limit = kMinimumTuple});
  if (options.tunnel)
    columns.push_back({.kind = ColumnKind::Tunnel, .title = "TUNNEL", .width = kMinimumTuple, .limit = kMaximumTuple});
  if (options.values)
    columns.push_back({.kind = ColumnKind::Values, .title = "VALUES", .width = kReadable, .limit = kMaximumTuple});
  if (options.control_words)
    columns.push_back({.kind = ColumnKind::ControlBlock, .title = "CB", .width = 21, .limit = kMaximumTuple});
  columns.push_back({.kind = ColumnKind::Function, .title = "FUNC", .width = kMinimumFunction, .limit = kNoLimit});
  if (options.caller)
    columns.push_back({.kind = ColumnKind::Caller, .title = "CALLER", .width = kMinimumFunction, .limit = kNoLimit});
  return columns;
}

std::size_t total_width(const std::vector<Column>& columns) {
  return std::accumulate(columns.begin(), columns.end(), columns.size() - 1,
                         [](std::size_t sum, const Column& column) { return sum + column.width; });
}

void hide_until_it_fits(ColumnPlan& plan, std::size_t width) {
  for (const ColumnKind kind : kLeastImportant) {
    if (total_width(plan.columns) <= width)
      return;
    const auto found = std::ranges::find(plan.columns, kind, &Column::kind);
    if (found == plan.columns.end())
      continue;
    plan.hidden.push_back(found->title);
    plan.columns.erase(found);
  }
}

// When hiding is not enough, the wide columns give what they can.
void squeeze(std::vector<Column>& columns, std::size_t width) {
  for (Column& column : columns) {
    const std::size_t used = total_width(columns);
    if (used <= width)
      return;
    if (column.width <= kReadable)
      continue;
    column.width -= std::min(used - width, column.width - kReadable);
    column.limit = column.width;
  }
}

// Room that is left on the line makes long tuples readable first, then long functions before a caller.
void hand_out_slack(std::vector<Column>& columns, std::size_t width) {
  const std::size_t used = total_width(columns);
  std::size_t slack = width > used ? width - used : 0;
  for (Column& column : columns) {
    if (column.kind == ColumnKind::Tuple && column.width == kMinimumTuple) {
      column.limit = column.width + std::min(slack, kMaximumTuple - kMinimumTuple);
      slack -= column.limit - column.width;
    }
    if (column.kind == ColumnKind::Function)
      column.limit = column.width + slack / 2;
  }
  columns.back().limit = kNoLimit;
}

}  // namespace

ColumnPlan plan_columns(const TextOptions& options) {
  ColumnPlan plan{.columns = wanted_columns(options), .hidden = {}};
  if (options.width == 0) {
    for (Column& column : plan.columns)
      if (column.kind != ColumnKind::NetnsName)
        column.limit = kNoLimit;
    return plan;
  }
  hide_until_it_fits(plan, options.width);
  squeeze(plan.columns, options.width);
  hand_out_slack(plan.columns, options.width);
  return plan;
}

std::size_t put_cell(TextBuffer& out, std::string_view text, std::size_t limit) {
  const auto put_printable = [&out](std::string_view part) {
    for (const char byte : part)
      out.put(byte >= 0x20 && byte < 0x7f ? byte : '?');
  };
  if (text.size() <= limit) {
    put_printable(text);
    return text.size();
  }
  if (limit == 0)
    return 0;
  const std::size_t tail = (limit - 1) / 2;
  put_printable(text.substr(0, limit - 1 - tail));
  out.put('~');
  put_printable(text.substr(text.size() - tail));
  return limit;
}

}  // namespace skbtrail
