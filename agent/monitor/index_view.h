#pragma once
// IndexView: a snapshot of the pod index as the monitor asks it.

#include <memory>
#include <string>
#include <vector>

#include "monitor/pod_view.h"
#include "pods/pod_index.h"

namespace skbtrail {

class IndexView final : public PodView {
public:
  // `is_fresh`: the runtime still answers.
  IndexView(std::shared_ptr<const PodIndex> index, bool is_fresh) : index_(std::move(index)), is_fresh_(is_fresh) {}

  PodFound find(const PacketPlace& place) const override { return index_->find(place); }
  bool exists(const std::string& namespace_name, const std::string& name) const override;
  std::size_t count() const override { return index_->pods().size(); }
  bool is_fresh() const override { return is_fresh_; }
  std::vector<PodAddress> addresses() const override { return index_->addresses(); }

private:
  std::shared_ptr<const PodIndex> index_;
  bool is_fresh_;
};

}  // namespace skbtrail
