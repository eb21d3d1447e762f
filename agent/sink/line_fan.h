#pragma once
// LineFan: every batch to several receivers.

#include <memory>
#include <utility>
#include <vector>

#include "sink/line_batch.h"

namespace skbtrail {

class LineFan final : public LineReceiver {
public:
  // The receivers outlive this.
  explicit LineFan(std::vector<LineReceiver*> receivers) : receivers_(std::move(receivers)) {}

  void accept(const std::shared_ptr<const LineBatch>& batch) override {
    for (LineReceiver* receiver : receivers_)
      receiver->accept(batch);
  }

private:
  std::vector<LineReceiver*> receivers_;
};

}  // namespace skbtrail
