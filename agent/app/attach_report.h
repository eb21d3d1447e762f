#pragma once
// AttachReport: the progress line on stderr while probes are attached, once that takes longer than a second.

#include <cstdint>

#include "kernel/attached_probes.h"

namespace skbtrail {

class AttachReport final {
public:
  AttachReport(bool on_terminal, std::uint64_t started_ns) : on_terminal_(on_terminal), started_ns_(started_ns) {}

  void show(const AttachProgress& progress, std::uint64_t now_ns);
  // Leaves the progress line behind, so that what follows starts on a line of its own.
  void finish();

private:
  bool on_terminal_;
  bool line_open_ = false;
  bool started_ = false;
  std::uint64_t started_ns_;
  std::uint64_t shown_ns_ = 0;
};

}  // namespace skbtrail
