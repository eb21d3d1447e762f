#include "kernel/followed_table.h"

#include <bpf/bpf.h>

#include <vector>

#include "trace_abi.h"

namespace skbtrail {
namespace {

constexpr __u32 kBatch = 1024;

std::uint64_t nanoseconds(std::chrono::seconds time) {
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(time).count());
}

}  // namespace

FollowedTable::Verdict FollowedTable::judge(const trace_followed& entry, std::uint64_t now_ns) {
  // Another CPU may have seen the packet since `now_ns` was read.
  const std::uint64_t age = now_ns > entry.last_ns ? now_ns - entry.last_ns : 0;
  if (entry.dying_skb != 0)
    return age >= nanoseconds(kMaxDying) ? Verdict::GoneUnseen : Verdict::Keep;
  return age >= nanoseconds(kMaxSilence) ? Verdict::Silent : Verdict::Keep;
}

Result<std::uint64_t> FollowedTable::age(std::uint64_t now_ns) {
  std::vector<__u64> heads(kBatch);
  std::vector<trace_followed> entries(kBatch);
  std::uint64_t silent = 0;
  // A cursor into the hash table; the kernel's own size for it is 4 bytes.
  __u32 cursor = 0;
  for (bool first = true, more = true; more; first = false) {
    __u32 count = kBatch;
    const int err = bpf_map_lookup_batch(tracer_.followed_fd(), first ? nullptr : &cursor, &cursor, heads.data(),
                                         entries.data(), &count, nullptr);
    // ENOENT: that was the last batch.
    more = err == 0;
    if (err && errno != ENOENT) {
      const int code = errno;
      return fail(code, "read map 'followed'");
    }
    for (__u32 i = 0; i < count; ++i) {
      const Verdict verdict = judge(entries[i], now_ns);
      if (verdict == Verdict::Keep)
        continue;
      if (bpf_map_delete_elem(tracer_.followed_fd(), &heads[i]))
        continue;
      tracer_.take_back_followed(1);
      silent += verdict == Verdict::Silent ? 1 : 0;
    }
  }
  return silent;
}

}  // namespace skbtrail
