// Attachments that are one kernel link for many functions: fentry.multi, kprobe.multi and kprobe.session; with them the
// tracepoint and, on kernels without kprobe.session, trampolines, one link each.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <thread>

#include "base/unique_fd.h"
#include "kernel/attach_types.h"
#include "kernel/attached_probes.h"

namespace skbtrail {
namespace {

struct DestroyLink {
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
using Link = std::unique_ptr<bpf_link, DestroyLink>;

// The head of the kernel's bpf(BPF_LINK_CREATE) attribute with its tracing_multi part, as v7.2 has it; libbpf before
// 1.8 has no wrapper.
struct TracingMultiAttr {
  std::uint32_t prog_fd;
  std::uint32_t target_fd;
  std::uint32_t attach_type;
  std::uint32_t flags;
  std::uint64_t ids;
  std::uint64_t cookies;
  std::uint32_t count;
  std::uint32_t reserved;
};

// The same with its kprobe_multi part.
struct KprobeMultiAttr {
  std::uint32_t prog_fd;
  std::uint32_t target_fd;
  std::uint32_t attach_type;
  std::uint32_t flags;
  std::uint32_t multi_flags;
  std::uint32_t count;
  std::uint64_t symbols;
  std::uint64_t addresses;
  std::uint64_t cookies;
};

template <class Attr>
Result<UniqueFd> create_link(Attr& attr, const std::string& what, std::size_t functions) {
  const long fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
  if (const int err = errno; fd < 0)
    return fail(err, "attach " + what + " to " + std::to_string(functions) + " functions");
  return UniqueFd{static_cast<int>(fd)};
}

// A link over all of `targets`, or the errno with which the kernel refused the set.
Result<UniqueFd> link_fentry(int program, std::span<const ProbeTarget* const> targets) {
  std::vector<std::uint32_t> ids;
  for (const auto* target : targets)
    ids.push_back(target->btf_id);
  std::ranges::sort(ids);
  TracingMultiAttr attr{};
  attr.prog_fd = static_cast<std::uint32_t>(program);
  attr.attach_type = kTraceFentryMulti;
  attr.ids = reinterpret_cast<std::uintptr_t>(ids.data());
  attr.count = static_cast<std::uint32_t>(ids.size());
  return create_link(attr, "fentry.multi", ids.size());
}

Result<UniqueFd> link_kprobes(int program, Tier tier, std::span<const ProbeTarget* const> targets) {
  std::vector<unsigned long> addresses;
  for (const auto* target : targets)
    addresses.insert(addresses.end(), target->addresses.begin(), target->addresses.end());
  LIBBPF_OPTS(bpf_link_create_opts, opts);
  opts.kprobe_multi.addrs = addresses.data();
  opts.kprobe_multi.cnt = static_cast<__u32>(addresses.size());
  opts.kprobe_multi.flags = tier == Tier::MapReturn ? BPF_F_KPROBE_MULTI_RETURN : 0;
  const int fd = bpf_link_create(program, 0, BPF_TRACE_KPROBE_MULTI, &opts);
  if (fd < 0)
    return fail(-fd, "attach kprobe.multi to " + std::to_string(addresses.size()) + " functions");
  return UniqueFd{fd};
}

// libbpf before 1.5 has no wrapper for this one.
Result<UniqueFd> link_session(int program, std::span<const MoveTarget> moves) {
  std::vector<std::uint64_t> addresses;
  for (const auto& move : moves)
    addresses.insert(addresses.end(), move.addresses.begin(), move.addresses.end());
  KprobeMultiAttr attr{};
  attr.prog_fd = static_cast<std::uint32_t>(program);
  attr.attach_type = kTraceKprobeSession;
  attr.count = static_cast<std::uint32_t>(addresses.size());
  attr.addresses = reinterpret_cast<std::uintptr_t>(addresses.data());
  return create_link(attr, "kprobe.session", addresses.size());
}

class LinkedProbes final : public AttachedProbes {
public:
  explicit LinkedProbes(const ProbePlan& plan) : plan_(plan) {}
  ~LinkedProbes() override { (void)detach(); }

  Result<> attach(TracerObject& tracer) {
    // Where identities are handed on must be watched before the first packet is followed.
    if (const auto* session = tracer.session_program())
      attach_session(bpf_program__fd(session));
    for (auto* program : tracer.trampolines())
      attach_program(program);
    for (const auto backend : {Backend::FentryMulti, Backend::KprobeMulti})
      for (const auto tier : kAttachOrder)
        attach_tier(tracer, backend, tier);
    if (auto* drops = tracer.drop_program())
      TRY(attach_drops(drops));
    return {};
  }

  Result<> poll() override { return {}; }
  const AttachProgress& progress() const override { return progress_; }
  std::vector<int> links() const override {
    std::vector<int> open;
    open.reserve(links_.size() + fds_.size());
    for (const auto& link : links_)
      open.push_back(bpf_link__fd(link.get()));
    for (const auto& fd : fds_)
      open.push_back(fd.get());
    return open;
  }
  // Each removal waits for RCU grace periods; side by side they wait for the same ones.
  std::vector<BackgroundRemoval> detach() override {
    std::vector<std::jthread> closers;
    closers.reserve(fds_.size() + links_.size());
    for (auto& fd : fds_)
      closers.emplace_back([closing = std::move(fd)]() mutable { closing.reset(); });
    for (auto& link : links_)
      closers.emplace_back([closing = std::move(link)]() mutable { closing.reset(); });
    closers.clear();
    fds_.clear();
    links_.clear();
    return {};
  }

private:
  using Targets = std::span<const ProbeTarget* const>;

  void attach_tier(const TracerObject& tracer, Backend backend, Tier tier) {
    const bpf_program* program = tracer.program(backend, tier);
    std::vector<const ProbeTarget*> targets;
    for (const auto& target : plan_.targets)
      if (target.backend == backend && target.tier == tier)
        targets.push_back(&target);
    progress_.wanted += targets.size();
    if (program && !targets.empty())
      attach_or_split(bpf_program__fd(program), backend, targets);
  }

  // The kernel refuses a whole set for one bad function: halves find it.
  void attach_or_split(int program, Backend backend, Targets targets) {
    auto link = backend == Backend::FentryMulti ? link_fentry(program, targets)
                                                : link_kprobes(program, targets.front()->tier, targets);
    if (link) {
      fds_.push_back(std::move(*link));
      progress_.attached += targets.size();
      return;
    }
    if (targets.size() == 1) {
      note_refused(targets[0]->name, link.error().code);
      return;
    }
    const std::size_t half = targets.size() / 2;
    attach_or_split(program, backend, targets.first(half));
    attach_or_split(program, backend, targets.subspan(half));
  }

  void attach_session(int program) {
    auto link = link_session(program, plan_.moves);
    if (link)
      fds_.push_back(std::move(*link));
    else
      note_refused("kprobe.session", link.error().code);
  }

  void attach_program(bpf_program* program) {
    Link link{bpf_program__attach(program)};
    if (const int err = errno; !link)
      note_refused(bpf_program__section_name(program), err);
    else
      links_.push_back(std::move(link));
  }

  Result<> attach_drops(bpf_program* program) {
    Link link{bpf_program__attach(program)};
    if (const int err = errno; !link)
      return fail(err, "attach tracepoint 'kfree_skb'");
    links_.push_back(std::move(link));
    return {};
  }

  void note_refused(const std::string& target, int code) {
    progress_.refused.push_back({target, std::string("refused at attach: ") + std::strerror(code)});
  }

  const ProbePlan& plan_;
  AttachProgress progress_;
  std::vector<Link> links_;
  std::vector<UniqueFd> fds_;
};

}  // namespace

Result<std::unique_ptr<AttachedProbes>> attach_links(TracerObject& tracer, const ProbePlan& plan) {
  auto probes = std::make_unique<LinkedProbes>(plan);
  TRY(probes->attach(tracer));
  return std::unique_ptr<AttachedProbes>{std::move(probes)};
}

}  // namespace skbtrail
