#pragma once
// CounterFamily: the series of one counter metric. They only ever grow; how many there are is bounded.

#include <prometheus/metric_family.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "monitor/last_packet.h"
#include "monitor/rename_series.h"
#include "sink/exposition.h"

namespace skbtrail {

// What a label says when its real value had to be given up.
inline constexpr std::string_view kOverflowLabel = "__overflow__";  // no more series allowed
inline constexpr std::string_view kDeletedLabel = "__deleted__";    // its pod or interface is gone

// How many series all families together may have. Overflow and deleted series are outside of it.
struct SeriesBudget {
  std::size_t limit = 20'000;
  std::size_t used = 0;
};

// Whether these are of what found no room, or was folded.
bool is_outside_budget(const LabelValues& labels);
// `labels` with `value` at these positions.
LabelValues with_label(LabelValues labels, const std::vector<std::size_t>& positions, std::string_view value);

class CounterFamily final {
public:
  struct Description {
    std::string name;
    std::string help;
    std::vector<std::string> labels;
    std::vector<std::size_t> overflowing;  // labels that become kOverflowLabel when there is no room
    std::vector<std::size_t> deletable;    // labels that become kDeletedLabel when what they name is gone
  };

  // `budget` must outlive the family.
  CounterFamily(Description description, SeriesBudget& budget)
      : description_(std::move(description)), budget_(&budget) {}

  // Nothing is made for an amount of zero. `packet` is the last one of the amount, if that is known.
  void add(const LabelValues& labels, std::uint64_t amount, const std::optional<LastPacket>& packet = std::nullopt);
  // Adds each series of which `gone(labels)` holds to the one of what is deleted, and removes it.
  void fold(const std::function<bool(const LabelValues&)>& gone);
  // Adds those series of what is deleted whose label at `position` is one of `values` to one that has kDeletedLabel
  // there too.
  void fold_deleted(std::size_t position, const std::set<std::string>& values);

  template <class Visit>
  void for_each(Visit visit) const {
    for (const auto& [labels, one] : series_)
      visit(labels, one.value);
  }
  std::size_t size() const { return series_.size(); }
  std::uint64_t sum() const;
  // Increases that went to an overflow series.
  std::uint64_t capped() const { return capped_; }
  const std::string& name() const { return description_.name; }
  prometheus::MetricFamily metrics() const;
  // For each of metrics(): the last packet of the series.
  std::vector<std::shared_ptr<const Exemplar>> exemplars() const;

private:
  struct Series {
    std::uint64_t value = 0;
    std::shared_ptr<const Exemplar> last_packet = nullptr;  // null: not known

    // Which packet was the last is lost.
    void add(const Series& other) { value += other.value; }
  };

  // Whether a new series of these labels is allowed; it then counts.
  bool take_room(const LabelValues& labels);

  Description description_;
  SeriesBudget* budget_;
  std::map<LabelValues, Series> series_;
  std::uint64_t capped_ = 0;
};

// One metric of a kind that has no memory of its own.
prometheus::ClientMetric counter_metric(std::vector<prometheus::ClientMetric::Label> labels, double value);
prometheus::ClientMetric gauge_metric(std::vector<prometheus::ClientMetric::Label> labels, double value);

}  // namespace skbtrail
