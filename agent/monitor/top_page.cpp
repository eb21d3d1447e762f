#include "monitor/top_page.h"

#include <algorithm>
#include <cstdio>

#include "sink/drop_reason_text.h"

namespace skbtrail {
namespace {

constexpr int kPodColumn = 32;
constexpr int kReasonColumn = 24;

std::string pod_text(const DropPlace& place) {
  return place.pod.empty() ? "(node)" : place.namespace_name + "/" + place.pod;
}

std::string where(const DropPlace& place) {
  if (place.location.empty())
    return "(more places)";
  return place.interface.empty() ? place.location : place.location + ", " + place.interface;
}

std::string row(const RankedDrop& drop, double seconds) {
  const std::string pod = pod_text(drop.place);
  char text[1024];
  std::snprintf(text, sizeof(text), "%-*s %-*s %10.1f %12llu  %s", kPodColumn, pod.c_str(), kReasonColumn,
                drop.place.reason.c_str(), static_cast<double>(drop.lately) / seconds,
                static_cast<unsigned long long>(drop.total), where(drop.place).c_str());
  return text;
}

void append_line(std::string& page, std::string line, std::size_t width) {
  if (width > 0 && line.size() > width)
    line.resize(width);
  page += line + "\n";
}

void append_advice(std::string& page, const DropPlace& place, std::size_t width) {
  // Before 5.17 there is one reason for all, and nothing to say about it.
  const auto text = explain_drop(place.subsystem, place.reason);
  append_line(page, "    " + std::string(text.meaning), width);
  append_line(page, "    check: " + std::string(text.check), width);
}

std::string headline(const TopDrops& drops, const TopPageOptions& options, std::size_t shown) {
  char text[160];
  std::snprintf(text, sizeof(text), "%llu packets dropped in %.1f s; %zu of %zu places",
                static_cast<unsigned long long>(drops.lately()), options.round.count(), shown, drops.places());
  return text;
}

}  // namespace

std::string top_page(const TopDrops& drops, const TopPageOptions& options) {
  const auto worst = drops.worst(options.rows);
  std::string page;
  append_line(page, headline(drops, options, worst.size()), options.width);
  if (worst.empty())
    return page;
  char heads[256];
  std::snprintf(heads, sizeof(heads), "%-*s %-*s %10s %12s  %s", kPodColumn, "POD", kReasonColumn, "REASON", "DROPS/S",
                "TOTAL", "WHERE");
  append_line(page, heads, options.width);
  for (const auto& drop : worst) {
    append_line(page, row(drop, std::max(options.round.count(), 1e-3)), options.width);
    if (options.advice)
      append_advice(page, drop.place, options.width);
  }
  return page;
}

}  // namespace skbtrail
