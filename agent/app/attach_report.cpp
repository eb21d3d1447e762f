#include "app/attach_report.h"

#include <cstdio>
#include <utility>

namespace skbtrail {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
// A log should not fill with progress; a terminal overwrites its line.
constexpr std::uint64_t kLogEvery = 5 * kSecond;

double seconds(std::uint64_t ns) {
  return static_cast<double>(ns) / static_cast<double>(kSecond);
}

}  // namespace

void AttachReport::show(const AttachProgress& progress, std::uint64_t now_ns) {
  if (progress.complete) {
    finish();
    std::fprintf(stderr, "tracing: %zu functions attached in %.1f s, %zu refused\n", progress.attached,
                 seconds(now_ns - started_ns_), progress.refused.size());
    return;
  }
  if (!std::exchange(started_, true))
    std::fprintf(stderr, "tracing: events flow from %zu functions after %.1f s, the others follow\n", progress.attached,
                 seconds(now_ns - started_ns_));
  const std::uint64_t every = on_terminal_ ? kSecond / 5 : kLogEvery;
  if (now_ns - started_ns_ < kSecond || now_ns - shown_ns_ < every)
    return;
  shown_ns_ = now_ns;
  std::fprintf(stderr, "%sattached %zu of %zu functions%s", on_terminal_ ? "\r" : "", progress.attached,
               progress.wanted, on_terminal_ ? "" : "\n");
  line_open_ = on_terminal_;
}

void AttachReport::finish() {
  if (std::exchange(line_open_, false))
    std::fputc('\n', stderr);
}

}  // namespace skbtrail
