#include "kernel/backend_choice.h"

#include <catch2/catch.hpp>

using namespace skbtrail;

namespace {

constexpr auto kYes = true;

Feature feature(bool available, std::string why_not = "not built in") {
  return {.available = available, .why_not = available ? "" : std::move(why_not)};
}

KernelFeatures kernel(bool fentry_multi, bool kprobe_multi, bool kprobe) {
  KernelFeatures features;
  features.ring_buffer = feature(kYes);
  features.fentry_multi = feature(fentry_multi);
  features.kprobe_multi = feature(kprobe_multi);
  features.kprobe = feature(kprobe);
  return features;
}

Error refusal(const KernelFeatures& features, std::optional<Backend> forced) {
  const auto choice = choose_backend(features, forced);
  REQUIRE_FALSE(choice);
  CHECK(choice.error().code == ENOTSUP);
  return choice.error();
}

}  // namespace

TEST_CASE("without any way to attach the refusal lists all of them and what is missing") {
  auto features = kernel(false, false, false);
  features.missing_capabilities = {{"CAP_BPF", ""}, {"CAP_PERFMON", ""}};
  const auto error = refusal(features, std::nullopt);
  CHECK(error.message ==
        "functions cannot be traced here (fentry.multi: not built in; kprobe.multi: not built in; kprobe: not built "
        "in): a kernel with CONFIG_KPROBE_EVENTS, and CAP_BPF and CAP_PERFMON are needed; missing here: CAP_BPF, "
        "CAP_PERFMON");
}

TEST_CASE("a forced backend that is not there is refused with the one that is") {
  const auto error = refusal(kernel(false, false, true), Backend::KprobeMulti);
  CHECK(error.message == "backend 'kprobe.multi' is not available (not built in): use 'kprobe'");
}

TEST_CASE("without ring buffers nothing helps") {
  auto features = kernel(true, true, true);
  features.ring_buffer = feature(false, "create a map: Invalid argument");
  CHECK(refusal(features, Backend::Kprobe).message.find("Linux 5.8") != std::string::npos);
}

TEST_CASE("the best backend is chosen, and a forced one is obeyed") {
  CHECK(*choose_backend(kernel(true, true, true), std::nullopt) == Backend::FentryMulti);
  CHECK(*choose_backend(kernel(false, true, true), std::nullopt) == Backend::KprobeMulti);
  CHECK(*choose_backend(kernel(false, false, true), std::nullopt) == Backend::Kprobe);
  CHECK(*choose_backend(kernel(true, true, true), Backend::Kprobe) == Backend::Kprobe);
}

TEST_CASE("backends are named both our way and pwru's") {
  CHECK_FALSE(backend_from_name("kretprobe"));
  for (const Backend backend : {Backend::FentryMulti, Backend::KprobeMulti, Backend::Kprobe})
    CHECK(backend_from_name(backend_name(backend)) == backend);
  CHECK(backend_from_name("kprobe-multi") == Backend::KprobeMulti);
}
