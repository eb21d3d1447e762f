#pragma once
// KernelBtf: the types of vmlinux and of chosen modules, as the kernel publishes them. Owns them all.

#include <bpf/btf.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kernel/host_root.h"

namespace skbtrail {

struct FreeBtf {
  void operator()(btf* types) const { btf__free(types); }
};
using BtfPtr = std::unique_ptr<btf, FreeBtf>;

// The name at `offset` of the list's strings; empty: there is none.
inline std::string_view btf_name(const btf& types, std::uint32_t offset) {
  const char* name = btf__name_by_offset(&types, offset);
  return name ? name : "";
}

// What to read: --kernel-btf, --kmods and --all-kmods.
struct BtfRequest {
  std::optional<std::string> vmlinux_path = {};  // instead of the running kernel's own
  std::vector<std::string> modules = {};
  bool all_modules = false;
};

struct ModuleBtf {
  std::string name;
  BtfPtr types;  // split: ids continue those of vmlinux, which it needs alive
};

class KernelBtf final {
public:
  static Result<KernelBtf> load(const HostRoot& host, const BtfRequest& request);

  const btf& vmlinux() const { return *vmlinux_; }
  const std::vector<ModuleBtf>& modules() const { return modules_; }

  // BTF of one module that the request did not name; an error when the kernel has none.
  Result<BtfPtr> load_module(const HostRoot& host, const std::string& name) const;

private:
  KernelBtf() = default;
  Result<> load_vmlinux(const HostRoot& host, const BtfRequest& request);

  // Declared in this order so that modules go before the types they refer to.
  BtfPtr vmlinux_;
  std::vector<ModuleBtf> modules_;
};

// Modules that have BTF on this kernel, sorted.
Result<std::vector<std::string>> modules_with_btf(const HostRoot& host);

}  // namespace skbtrail
