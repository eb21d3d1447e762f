#pragma once
// AttachedProbes: what a plan became on this kernel. Probes live exactly as long as this object.

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/stop.h"
#include "kernel/kallsyms.h"
#include "kernel/tracer_object.h"
#include "model/probe_plan.h"

namespace skbtrail {

struct RefusedProbe {
  std::string target;  // function, or section of the BPF program
  std::string reason;
};

struct AttachProgress {
  std::size_t attached = 0;  // functions
  std::size_t wanted = 0;
  std::vector<RefusedProbe> refused;  // by the kernel, at attach
  bool complete = true;               // false: more is being attached in the background
};

// Removing single kprobes takes the kernel tens of seconds; another process does it and outlives this one.
struct BackgroundRemoval {
  int pid = 0;
  std::size_t probes = 0;
};

// Used by one thread.
class AttachedProbes {
public:
  virtual ~AttachedProbes() = default;
  // Takes in what the background did since the last call. Never blocks.
  virtual Result<> poll() = 0;
  virtual const AttachProgress& progress() const = 0;
  // Detaches now where that is quick, else hands over. Idempotent; the destructor calls it.
  virtual std::vector<BackgroundRemoval> detach() = 0;
  // Open BPF links. Whoever closes the last descriptor of one waits for the kernel to take it off.
  virtual std::vector<int> links() const { return {}; }
  // Before detach(): gives what would take time to whoever does that in the background.
  virtual void hand_over() {}
};

// A kernel symbol that stands early in kallsyms, so that the kernel finds it at once; kprobes are named relative to it.
struct KprobeBase {
  std::string symbol;
  std::uint64_t address = 0;
};

// Whether any of the plan's functions gets a kprobe of its own, for which a base is needed.
bool has_single_kprobes(const ProbePlan& plan);

// ENOENT when kallsyms has no such symbol.
Result<KprobeBase> kprobe_base(const Kallsyms& symbols);

// Attaches what the plan says, `tracer` having been told of its functions. Returns once the functions on the path are
// in place; single kprobes beyond those follow in the background. A function that the kernel refuses is listed, not
// an error. `plan` must outlive the probes; `base` counts where it has single kprobes. Once `stop` is due it returns
// with what is attached by then.
Result<std::unique_ptr<AttachedProbes>> attach_probes(TracerObject& tracer, const ProbePlan& plan,
                                                      const std::string& tracefs, const KprobeBase& base,
                                                      const Stop& stop);

// The two ways behind it. One link for many functions (fentry.multi, kprobe.multi), and the tracepoint and
// trampolines:
Result<std::unique_ptr<AttachedProbes>> attach_links(TracerObject& tracer, const ProbePlan& plan);
// Single kprobes, through a helper process that also takes over `links` at the end; they must outlive the probes:
Result<std::unique_ptr<AttachedProbes>> attach_kprobes(TracerObject& tracer, const ProbePlan& plan,
                                                       const std::string& tracefs, const KprobeBase& base,
                                                       const AttachedProbes& links, const Stop& stop);

}  // namespace skbtrail
