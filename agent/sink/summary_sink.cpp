#include "sink/summary_sink.h"

#include <algorithm>
#include <cstdlib>

#include "sink/notation.h"
#include "sink/text_columns.h"

namespace skbtrail {

namespace {

constexpr std::size_t kTimeWidth = 10;

// Two digits, which is what the histogram knows: "490ns", "1.2us", "20us".
void put_rounded(TextBuffer& out, std::uint64_t nanoseconds) {
  struct Unit {
    std::uint64_t size;
    std::string_view name;
  };
  static constexpr Unit kUnits[] = {{1'000'000'000, "s"}, {1'000'000, "ms"}, {1'000, "us"}, {1, "ns"}};
  const auto unit = std::ranges::find_if(kUnits, [&](const Unit& each) { return nanoseconds >= each.size; });
  if (unit == std::end(kUnits))
    return out.put("0ns");
  const std::uint64_t whole = nanoseconds / unit->size;
  if (whole < 10 && unit->size > 1) {
    const std::uint64_t tenths = (nanoseconds * 10 + unit->size / 2) / unit->size;
    out.put_dec(tenths / 10);
    out.put('.');
    out.put_dec(tenths % 10);
  } else {
    const std::uint64_t step = whole < 100 ? 1 : 10;
    out.put_dec((whole + step / 2) / step * step);
  }
  out.put(unit->name);
}

void put_time(TextBuffer& out, const LatencyHistogram& times, double share) {
  TextBuffer text{32};
  if (times.count() == 0)
    text.put('-');
  else
    put_rounded(text, times.quantile(share));
  out.put_spaces(kTimeWidth - std::min(kTimeWidth, text.size()));
  out.put(text.view());
}

void put_step(TextBuffer& out, const LatencyHistogram& times, std::string_view name) {
  put_time(out, times, 0.5);
  out.put("  ");
  put_time(out, times, 0.99);
  out.put("  ");
  put_cell(out, name, SIZE_MAX);
  out.put('\n');
}

std::string_view end_text(PathEnd end) {
  switch (end) {
    case PathEnd::Dropped: return "dropped: ";
    case PathEnd::Delivered: return "delivered to a socket, last seen in ";
    case PathEnd::Consumed: return "consumed (sent on or used up), last seen in ";
    case PathEnd::LastSeen: return "last seen in ";
  }
  std::abort();
}

}  // namespace

void SummarySink::accept(const LossEvent& loss) {
  (loss.cause == LossCause::Tracking ? lost_packets_ : lost_events_) += loss.count;
}

Result<> SummarySink::finish() {
  const auto paths = paths_.finish();
  if (paths.empty())
    output_.text().put("No packet was seen.\n");
  for (const PathSummary::Path* path : paths)
    put_path(*path);
  put_remarks();
  return output_.flush();
}

// 12 packets dropped: NETFILTER_DROP at nf_hook_slow+0x9f; the first was 10.9.0.1:40512->10.9.0.2:80(tcp)
//     median         p99  step
//          -           -  ip_rcv
void SummarySink::put_path(const PathSummary::Path& path) {
  TextBuffer& out = output_.text();
  out.put_dec(path.packets);
  out.put(path.packets == 1 ? std::string_view(" packet ") : std::string_view(" packets "));
  out.put(end_text(path.end));
  put_cell(out, last_place(path), SIZE_MAX);
  if (!path.example.empty()) {
    out.put(path.packets == 1 ? std::string_view("; ") : std::string_view("; the first was "));
    out.put(path.example);
  }
  out.put("\n    median         p99  step\n");
  for (std::size_t at = 0; at < path.steps.size(); ++at)
    put_step(out, path.times[at], paths_.name_of(path.steps[at]));
  if (path.steps.size() > 2)
    put_step(out, path.total, "(all of it)");
  out.put('\n');
  output_.end_line();
}

// "ip_rcv"; of a dropped packet "NETFILTER_DROP at nf_hook_slow+0x9f".
std::string_view SummarySink::last_place(const PathSummary::Path& path) const {
  const auto drop = std::ranges::find_if(path.steps, [this](std::uint32_t step) { return paths_.is_drop(step); });
  if (drop == path.steps.end())
    return paths_.name_of(path.steps.back());
  return std::string_view(paths_.name_of(*drop)).substr(std::string_view("DROP ").size());
}

void SummarySink::put_remarks() {
  put_remark("Packets on further paths, which were not kept: ", paths_.unlisted_packets());
  put_remark("Packets counted before their end was known, because too many were on their way: ", paths_.cut_packets());
  put_remark("Packets with more steps than are kept, whose paths end early: ", paths_.long_packets());
  put_remark("Events lost, so that paths above may have gaps: ", lost_events_);
  put_remark("Packets not followed, which are on no path above: ", lost_packets_);
}

void SummarySink::put_remark(std::string_view text, std::uint64_t count) {
  if (count == 0)
    return;
  output_.text().put(text);
  output_.text().put_dec(count);
  output_.text().put('\n');
  output_.end_line();
}

}  // namespace skbtrail
