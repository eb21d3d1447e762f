#pragma once
// PodSource: who publishes what is known of this node's pods, always the newest.

#include <cstdint>
#include <memory>
#include <string>

#include "pods/pod_index.h"

namespace skbtrail {

class PodSource {
public:
  virtual ~PodSource() = default;

  // Any thread, with a short lock at most; null: nothing is known yet.
  virtual std::shared_ptr<const PodIndex> current() const = 0;
  virtual std::uint32_t host_netns_inum() const = 0;
  // Any thread, without waiting: somebody met a namespace that the index does not know.
  virtual void hurry() {}
  // Any thread: why the newest may be old, in one line; empty: it is not.
  virtual std::string trouble() const { return {}; }
};

}  // namespace skbtrail
