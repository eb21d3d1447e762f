#pragma once
// KernelNames: what the kernel prints of its functions, which takes it a third of a second each and megabytes of ours.
// Read when first asked for and shared by all traces of a process, until a module comes or goes.

#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"
#include "kernel/host_root.h"
#include "kernel/kallsyms.h"
#include "kernel/probeable_functions.h"

namespace skbtrail {

// Any thread. BPF programs that were loaded since the last reading have no names: they come and go too often.
class KernelNames final {
public:
  explicit KernelNames(HostRoot host) : host_(std::move(host)) {}

  Result<std::shared_ptr<const Kallsyms>> symbols() { return symbols_.get(host_, &Kallsyms::read); }
  Result<std::shared_ptr<const ProbeableListing>> listing(Listing form) {
    return form == Listing::Sites ? sites_.get(host_, &read_call_sites) : listing_.get(host_, &read_probeable_listing);
  }
  Result<std::shared_ptr<const KprobeBlacklist>> blacklist() { return blacklist_.get(host_, &read_kprobe_blacklist); }

private:
  template <class Value>
  class Kept {
  public:
    Result<std::shared_ptr<const Value>> get(const HostRoot& host, Result<Value> (*read)(const HostRoot&)) {
      const std::lock_guard lock{mutex_};  // whoever comes second waits for the first, instead of reading as well
      // Unreadable is as good as empty: then there are no modules that could change.
      auto modules = host.read("/proc/modules");
      std::string loaded = modules ? std::move(*modules) : std::string();
      if (!value_ || loaded != modules_) {
        value_ = std::make_shared<const Value>(TRY(read(host)));
        modules_ = std::move(loaded);
      }
      return value_;
    }

  private:
    std::mutex mutex_;
    std::string modules_;
    std::shared_ptr<const Value> value_;
  };

  HostRoot host_;
  Kept<Kallsyms> symbols_;
  Kept<ProbeableListing> listing_;
  Kept<ProbeableListing> sites_;
  Kept<KprobeBlacklist> blacklist_;
};

}  // namespace skbtrail
