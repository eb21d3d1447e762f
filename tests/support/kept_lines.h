#pragma once
// KeptLines: a receiver that keeps the texts of all lines, in their order.

#include <memory>
#include <string>
#include <vector>

#include "sink/line_batch.h"

namespace skbtrail::test {

class KeptLines final : public LineReceiver {
public:
  void accept(const std::shared_ptr<const LineBatch>& batch) override {
    for (const auto& line : batch->lines)
      texts.push_back(line.text);
  }
  std::vector<std::string> texts;
};

}  // namespace skbtrail::test
