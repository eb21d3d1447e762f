#include "kernel/kernel_btf.h"

#include <algorithm>
#include <utility>

namespace skbtrail {
namespace {

constexpr std::string_view kBtfDirectory = "/sys/kernel/btf";

Result<BtfPtr> parse_named(const std::string& path) {
  BtfPtr types{btf__parse(path.c_str(), nullptr)};
  const int err = errno;
  if (types)
    return types;
  if (err == ENOENT || err == EACCES)
    return refuse(err, "--kernel-btf: " + fail(err, "read BTF '" + path + "'").message +
                           "; without the flag the running kernel's own is used");
  return refuse(EINVAL, "--kernel-btf: '" + path +
                            "' holds no BTF: name a copy of the kernel's /sys/kernel/btf/vmlinux, or a vmlinux with a "
                            ".BTF section");
}

Result<std::vector<std::string>> wanted_modules(const HostRoot& host, const BtfRequest& request) {
  std::vector<std::string> names = request.modules;
  if (request.all_modules)
    names = TRY(modules_with_btf(host));
  std::ranges::sort(names);
  const auto repeated = std::ranges::unique(names);
  names.erase(repeated.begin(), repeated.end());
  return names;
}

}  // namespace

Result<> KernelBtf::load_vmlinux(const HostRoot& host, const BtfRequest& request) {
  if (request.vmlinux_path) {
    vmlinux_ = TRY(parse_named(*request.vmlinux_path));
    return {};
  }
  const std::string own = std::string(kBtfDirectory) + "/vmlinux";
  if (!host.exists(own))
    return refuse(ENOTSUP,
                  "this kernel publishes no BTF ('" + host.path(own) +
                      "' is missing): use a kernel built with CONFIG_DEBUG_INFO_BTF, or name a file with --kernel-btf");
  const std::string raw = TRY(host.read(own));
  vmlinux_.reset(btf__new(raw.data(), static_cast<__u32>(raw.size())));
  if (const int err = errno; !vmlinux_)
    return fail(err, "parse the types of '" + host.path(own) + "'");
  return {};
}

Result<KernelBtf> KernelBtf::load(const HostRoot& host, const BtfRequest& request) {
  KernelBtf kernel;
  TRY(kernel.load_vmlinux(host, request));
  for (std::string& name : TRY(wanted_modules(host, request))) {
    BtfPtr types = TRY(kernel.load_module(host, name));
    kernel.modules_.push_back({.name = std::move(name), .types = std::move(types)});
  }
  return kernel;
}

Result<BtfPtr> KernelBtf::load_module(const HostRoot& host, const std::string& name) const {
  const std::string path = std::string(kBtfDirectory) + "/" + name;
  if (name.empty() || name == "vmlinux" || name.find('/') != std::string::npos || !host.exists(path))
    return refuse(EINVAL, "module '" + name + "' has no BTF ('" + host.path(path) +
                              "' is missing): load the module first, or leave it out");
  BtfPtr types{btf__parse_split(host.path(path).c_str(), vmlinux_.get())};
  if (const int err = errno; !types)
    return fail(err, "read BTF of module '" + name + "'");
  return types;
}

Result<std::vector<std::string>> modules_with_btf(const HostRoot& host) {
  auto names = TRY(host.list(kBtfDirectory));
  std::erase(names, "vmlinux");
  return names;
}

}  // namespace skbtrail
