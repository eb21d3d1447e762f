#include "kernel/lockdown.h"

#include "kernel/bpf_trial.h"

namespace skbtrail {

Result<> check_lockdown() {
  const auto read = try_kernel_read();
  // The verifier does not offer the helper then, as if it were of a newer kernel.
  if (read || read.error().code != EINVAL)
    return {};
  return refuse(EPERM,
                "kernel lockdown keeps BPF from reading the kernel's memory: boot with lockdown=integrity or without "
                "lockdown, since its mode confidentiality forbids all tracing");
}

}  // namespace skbtrail
