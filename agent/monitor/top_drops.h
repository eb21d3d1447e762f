#pragma once
// TopDrops: which pods lose packets now, why and where; what `skbtrail top` shows. Used by one thread at a time.

#include <compare>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "kernel/monitor_object.h"
#include "monitor/drop_names.h"

namespace skbtrail {

struct DropPlace {
  std::string namespace_name;  // both empty: the node itself
  std::string pod;
  std::string reason;
  std::string subsystem;
  std::string location;   // kernel function
  std::string interface;  // empty: none (yet)
  friend auto operator<=>(const DropPlace&, const DropPlace&) = default;
};

struct RankedDrop {
  DropPlace place;
  std::uint64_t lately = 0;  // packets of the last round
  std::uint64_t total = 0;   // packets since the start
};

class TopDrops final {
public:
  // Places that are kept; the drops of later ones are counted together, as a place without names.
  static constexpr std::size_t kMostPlaces = 10'000;

  // Begins a new round with what was dropped since the last one. Normal ends are left out.
  void take(std::span<const DropRow> growth, const DropNames& names);

  // The worst of the last round first, then the worst since the start.
  std::vector<RankedDrop> worst(std::size_t most) const;
  std::size_t places() const { return drops_.size(); }
  std::uint64_t lately() const;

private:
  struct Counts {
    std::uint64_t lately = 0;
    std::uint64_t total = 0;
  };
  void add(const DropPlace& place, std::uint64_t packets);

  std::map<DropPlace, Counts> drops_;
};

}  // namespace skbtrail
