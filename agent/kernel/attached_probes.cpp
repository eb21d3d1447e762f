#include "kernel/attached_probes.h"

#include <algorithm>

namespace skbtrail {
namespace {

class AllProbes final : public AttachedProbes {
public:
  ~AllProbes() override { (void)detach(); }

  const AttachedProbes& last() const { return *parts_.back(); }
  void add(std::unique_ptr<AttachedProbes> part) {
    parts_.push_back(std::move(part));
    sum_up();
  }

  Result<> poll() override {
    for (const auto& part : parts_)
      TRY(part->poll());
    sum_up();
    return {};
  }

  const AttachProgress& progress() const override { return sum_; }

  std::vector<BackgroundRemoval> detach() override {
    std::vector<BackgroundRemoval> removals;
    for (const auto& part : parts_)
      part->hand_over();
    for (const auto& part : parts_)
      for (const auto& removal : part->detach())
        removals.push_back(removal);
    return removals;
  }

private:
  void sum_up() {
    sum_ = {};
    for (const auto& part : parts_) {
      const auto& progress = part->progress();
      sum_.attached += progress.attached;
      sum_.wanted += progress.wanted;
      sum_.complete = sum_.complete && progress.complete;
      sum_.refused.insert(sum_.refused.end(), progress.refused.begin(), progress.refused.end());
    }
  }

  std::vector<std::unique_ptr<AttachedProbes>> parts_;
  AttachProgress sum_;
};

}  // namespace

Result<KprobeBase> kprobe_base(const Kallsyms& symbols) {
  KprobeBase base;
  symbols.for_each([&](std::uint64_t address, std::string_view name, std::string_view module) {
    if (base.symbol.empty() && module.empty())
      base = {.symbol = std::string(name), .address = address};
  });
  if (base.symbol.empty() || symbols.addresses(base.symbol).size() != 1)
    return refuse(ENOENT, "kallsyms does not begin with a function of a unique name: kprobes cannot be placed");
  return base;
}

bool has_single_kprobes(const ProbePlan& plan) {
  return std::ranges::any_of(plan.targets, [](const ProbeTarget& target) { return target.backend == Backend::Kprobe; });
}

Result<std::unique_ptr<AttachedProbes>> attach_probes(TracerObject& tracer, const ProbePlan& plan,
                                                      const std::string& tracefs, const KprobeBase& base,
                                                      const Stop& stop) {
  auto all = std::make_unique<AllProbes>();
  all->add(TRY(attach_links(tracer, plan)));
  if (has_single_kprobes(plan))
    all->add(TRY(attach_kprobes(tracer, plan, tracefs, base, all->last(), stop)));
  return std::unique_ptr<AttachedProbes>{std::move(all)};
}

}  // namespace skbtrail
