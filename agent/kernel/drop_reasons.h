#pragma once
// DropReasons: names for what the kernel says when it frees a packet. Const after it is built.

#include <bpf/btf.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernel/host_root.h"
#include "kernel/kernel_btf.h"
#include "model/symbol.h"

namespace skbtrail {

// What the kfree_skb tracepoint hands over besides the packet and the location.
struct KfreeSkbArguments {
  bool reason = false;     // 5.17, c504e5c2f964
  bool rx_socket = false;  // 6.11, c53795d48ee8
};

class DropReasons final : public DropReasonNames {
public:
  // Names from vmlinux and from those modules that own a subsystem of reasons, where they are loaded.
  static DropReasons read(const HostRoot& host, const KernelBtf& kernel);

  // Takes the reasons that `types` name. Subsystems must be known before: vmlinux comes first.
  void add(const btf& types);

  // `raw` as the tracepoint gives it: the subsystem in the upper 16 bits.
  DropReasonName lookup(std::uint32_t raw) const override;

  std::size_t size() const { return names_.size(); }
  // By number; the first is "core". Empty on kernels without reasons.
  const std::vector<std::string>& subsystems() const { return subsystems_; }

private:
  void add_core(const btf& types, const btf_type* type);
  void add_subsystems(const btf& types, const btf_type* type);
  void add_others(const btf& types, const btf_type* type);

  std::map<std::uint32_t, std::string> names_;
  std::vector<std::string> subsystems_;
};

// Asks the type of the tracepoint, not the kernel's version.
KfreeSkbArguments kfree_skb_arguments(const btf& vmlinux);

}  // namespace skbtrail
