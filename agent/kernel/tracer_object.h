#pragma once
// TracerObject: the BPF object of one trace, from settings to loaded programs and maps. Nothing is attached yet.

#include <linux/bpf.h>

#include <cstdint>
#include <memory>
#include <set>
#include <vector>

#include "base/result.h"
#include "kernel/tracer_settings.h"
#include "model/kernel_features.h"
#include "model/probe_plan.h"
#include "model/program_text.h"
#include "model/scope_place.h"
#include "model/trace_totals.h"
#include "model/traced_program.h"

struct bpf_program;
struct tracer_bpf;

namespace skbtrail {

// Owned by one thread. Destruction unloads programs and maps that no attachment holds any more.
class TracerObject final {
public:
  static Result<TracerObject> load(const TracerSettings& settings, const ProbePlan& plan);

  TracerObject(TracerObject&&) noexcept;
  TracerObject& operator=(TracerObject&&) noexcept;
  ~TracerObject();

  // Whether all that this plan needs was loaded, and there is room for its functions.
  bool fits(const ProbePlan& plan) const;

  // The program of a tier; null when no target of the plan uses this backend.
  bpf_program* program(Backend backend, Tier tier) const;
  // Null when the plan has no drops.
  bpf_program* drop_program() const;
  // The kprobe.session program over plan.moves; null with another MoveBackend.
  bpf_program* session_program() const;
  // The trampolines over plan.moves; none with another MoveBackend.
  std::vector<bpf_program*> trampolines() const;
  // Instructions of the program that looks at BPF programs of this kind at their entry or exit; settings asked for it.
  // Each of those programs needs a copy of its own; see NUMBER_OF_COPY in bpf/include/programs.h.
  std::vector<bpf_insn> pattern(ProgramKind kind, bpf_attach_type edge) const;
  int ring_fd() const;
  int followed_fd() const;

  // From here on hits are reported (or no longer).
  void set_tracing(bool on);
  // Tells the programs how to read the skb of the plan's functions. Must come before their probes.
  Result<> describe(const ProbePlan& plan);

  bool traces_helpers() const { return traces_helpers_; }
  // Where the BPF programs lie whose calls of helpers are told; only with settings.helpers. At most kMaxTexts: E2BIG.
  static constexpr std::size_t kMaxTexts = 16'384;
  Result<> set_program_texts(const std::set<ProgramText>& texts);

  // Packets in these places are met, and no others; only with settings.only_pods. At most kMaxScope of them: E2BIG.
  static constexpr std::size_t kMaxScope = 16'384;
  Result<> set_scope(const std::set<ScopePlace>& places);

  // Adds to the hits that may still be delivered, never above `cap`; only with settings.has_budget.
  void refill_budget(std::int64_t hits, std::int64_t cap);
  // The agent removed so many heads from the map of followed packets.
  void take_back_followed(std::uint64_t heads);
  std::uint64_t followed_now() const;

  // Hits, packets and kernel-side losses so far, over all CPUs.
  Result<TraceTotals> totals() const;
  // Hits that the kernel skipped because the program was already running on that CPU; 0 before v5.12.
  std::uint64_t recursion_misses() const;

private:
  struct Destroy {
    void operator()(tracer_bpf* raw) const;
  };
  explicit TracerObject(std::unique_ptr<tracer_bpf, Destroy> raw);

  std::unique_ptr<tracer_bpf, Destroy> raw_;
  std::set<ScopePlace> scope_;
  bool traces_helpers_ = false;
};

}  // namespace skbtrail
