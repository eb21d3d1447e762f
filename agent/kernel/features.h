#pragma once
// Finds out what the kernel offers by trying it, so that no decision rests on a version number.

#include <bpf/btf.h>

#include <optional>
#include <string>

#include "base/result.h"
#include "kernel/host_root.h"
#include "model/kernel_features.h"
#include "model/kernel_function.h"

namespace skbtrail {

// A function of vmlinux that every backend can take; attaching is tried on it. Nothing when none is attachable.
std::optional<KernelFunction> trial_function(const FunctionCatalogue& catalogue);

KernelFeatures probe_features(const HostRoot& host, const btf& vmlinux, const std::optional<KernelFunction>& target);

// The same on a kernel that publishes no types: what depends on them counts as absent.
KernelFeatures probe_features_without_types(const HostRoot& host);

// The same for who is about to attach anyway: types say whether the kernel knows a way, trying it would cost a tenth
// of a second each. What is built but forbidden, attaching finds out.
KernelFeatures features_by_types(const HostRoot& host, const btf& vmlinux);

// Why attaching kprobe.multi failed, in words that say what to do about it.
std::string why_no_kprobe_multi(const Error& error);
// The same for the perf event that arms a single kprobe.
std::string why_no_perf_event(const Error& error);

// What types alone say; without privileges, without a running kernel.
Feature netns_cookie_feature(const btf& vmlinux);
std::optional<std::uint32_t> fentry_multi_attach_type(const btf& vmlinux);

}  // namespace skbtrail
