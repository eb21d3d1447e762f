#pragma once
// TracedPrograms: the BPF programs of others that a trace watches, found by asking the kernel for them again and again.

#include <linux/bpf.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "kernel/tracer_object.h"
#include "model/program_text.h"
#include "model/traced_program.h"

namespace skbtrail {

// Used by one thread. The programs are traced exactly as long as this object lives, and until then none of them leaves
// the kernel, also when its owner lets go of it.
class TracedPrograms final : public TracedProgramNames {
public:
  // Each costs two programs and two links of ours.
  static constexpr std::size_t kMaxPrograms = 256;

  // Of programs that cannot be traced so many are named; all are counted.
  static constexpr std::size_t kMaxNamed = 64;

  // `kinds` are looked for. `why_not`: why the kernel lets none be traced; empty when it does. `tell` is handed one
  // line for each of the first kMaxNamed programs that cannot be traced, and one when there are more than kMaxPrograms.
  TracedPrograms(TracerObject& tracer, std::set<ProgramKind> kinds, std::string why_not,
                 std::function<void(const std::string&)> tell)
      : tracer_(tracer), kinds_(std::move(kinds)), why_not_(std::move(why_not)), tell_(std::move(tell)) {}

  // Attaches to what was loaded since the last call: at most `most` programs, the others the next time. EPERM: programs
  // may not be listed here.
  Result<> poll(std::size_t most);
  void detach();

  const TracedProgram* lookup(std::uint32_t id) const override;
  std::size_t attached() const { return links_.size() / 2; }
  std::size_t refused() const { return refused_; }

private:
  Result<bool> take_next();
  void consider(std::uint32_t id);
  Result<> attach(ProgramKind kind, int program);
  Result<> watch_calls(int program);
  void refuse_program(std::uint32_t id, const bpf_prog_info& info, const std::string& why);

  TracerObject& tracer_;
  std::set<ProgramKind> kinds_;
  std::string why_not_;
  std::function<void(const std::string&)> tell_;
  std::uint32_t last_id_ = 0;                        // ids only grow, until two thousand million programs were loaded
  std::map<std::uint32_t, TracedProgram> programs_;  // also one that was refused at its entry: a record may name it
  std::set<ProgramText> texts_;                      // of all that are traced
  std::vector<UniqueFd> links_;                      // two for each program
  std::size_t refused_ = 0;
  std::size_t named_ = 0;
  bool full_told_ = false;
};

}  // namespace skbtrail
