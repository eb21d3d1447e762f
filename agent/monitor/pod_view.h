#pragma once
// PodView: what the monitor asks about pods.

#include <cstddef>
#include <string>
#include <vector>

#include "pods/pod_index.h"

namespace skbtrail {

class PodView {
public:
  virtual ~PodView() = default;
  virtual PodFound find(const PacketPlace& place) const = 0;
  // Whether this node still runs it. A pod that was deleted counts as gone though the index still names it.
  virtual bool exists(const std::string& namespace_name, const std::string& name) const = 0;
  virtual std::size_t count() const = 0;
  // Whether whoever tells of pods answers; what it said before counts on.
  virtual bool is_fresh() const = 0;
  // By which the node's own namespace tells packets of pods apart; in no order.
  virtual std::vector<PodAddress> addresses() const { return {}; }
};

// A node without a container runtime: everything is the node's own.
class NoPods final : public PodView {
public:
  PodFound find(const PacketPlace&) const override { return {.answer = PodAnswer::Host, .at = {}}; }
  bool exists(const std::string&, const std::string&) const override { return false; }
  std::size_t count() const override { return 0; }
  bool is_fresh() const override { return false; }
};

}  // namespace skbtrail
