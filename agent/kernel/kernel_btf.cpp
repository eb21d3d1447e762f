#include "kernel/kernel_btf.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace skbtrail {
namespace {

constexpr std::string_view kBtfDirectory = "/sys/kernel/btf";

Result<BtfPtr> parse_vmlinux(const std::string& path) {
  BtfPtr types{btf__parse(path.c_str(), nullptr)};
  if (const int err = errno; !types)
    return fail(err, "read BTF '" + path + "'");
  return types;
}

Result<BtfPtr> parse_named(const std::string& path) {
  auto types = parse_vmlinux(path);
  if (types)
    return types;
  const int code = types.error().code;
  if (code == ENOENT || code == EACCES)
    return refuse(code,
                  "--kernel-btf: " + types.error().message + "; without the flag the running kernel's own is used");
  return refuse(EINVAL, "--kernel-btf: '" + path +
                            "' holds no BTF: name a copy of the kernel's /sys/kernel/btf/vmlinux, or a vmlinux with a "
                            ".BTF section");
}

Result<> write_all(int file, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = ::write(file, content.data(), content.size());
    if (const int err = errno; written < 0)
      return fail(err, "write a file in memory");
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<UniqueFd> copy_in_memory(const HostRoot& host, std::string_view path) {
  UniqueFd file{::memfd_create("skbtrail-btf", MFD_CLOEXEC)};
  if (const int err = errno; !file)
    return fail(err, "create a file in memory");
  TRY(host.read_pieces(path, [&](std::string_view piece) { return write_all(file.get(), piece); }));
  return file;
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
  copy_ = TRY(copy_in_memory(host, own));
  copy_path_ = "/proc/self/fd/" + std::to_string(copy_.get());
  auto parsed = parse_vmlinux(copy_path_);
  if (!parsed)
    return within("types of '" + host.path(own) + "'", std::move(parsed.error()));
  vmlinux_ = std::move(*parsed);
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
