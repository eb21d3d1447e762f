#pragma once
// SummarySink: says nothing until the end, then one paragraph for every distinct path that packets took.

#include <string_view>

#include "sink/output.h"
#include "sink/path_summary.h"
#include "sink/sink.h"

namespace skbtrail {

class SummarySink final : public Sink {
public:
  // `output` must outlive the sink.
  explicit SummarySink(Output& output, const PathSummary::Limits& limits = {}) : output_(output), paths_(limits) {}

  void accept(const PacketEvent& event) override { paths_.add(event); }
  void accept(const LossEvent& loss) override;
  Result<> flush() override { return output_.flush(); }
  Result<> finish() override;

private:
  void put_path(const PathSummary::Path& path);
  void put_remarks();
  void put_remark(std::string_view text, std::uint64_t count);
  std::string_view last_place(const PathSummary::Path& path) const;

  Output& output_;
  PathSummary paths_;
  std::uint64_t lost_events_ = 0;
  std::uint64_t lost_packets_ = 0;
};

}  // namespace skbtrail
