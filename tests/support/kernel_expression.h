#pragma once
// KernelExpression: the code of a field expression inside a small raw tracepoint program of the running kernel, run on
// memory that the test fills.

#include <linux/bpf.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "base/result.h"
#include "base/unique_fd.h"

namespace skbtrail::test {

class KernelExpression {
public:
  static constexpr std::size_t kObjectBytes = 1024;

  // The error holds the end of the verifier's log.
  static Result<KernelExpression> load(std::span<const bpf_insn> code);

  // What the object is to contain, given the address that it has in the kernel.
  using Fill = std::function<void(std::span<std::byte> object, std::uint64_t address)>;

  // The verdict of a filter.
  Result<std::uint32_t> run_filter(const Fill& fill) const;
  // The first value; nothing where it is not valid.
  Result<std::optional<std::uint64_t>> run_value(const Fill& fill) const;

private:
  struct Memory;
  KernelExpression(UniqueFd memory, UniqueFd program) : memory_(std::move(memory)), program_(std::move(program)) {}
  Result<std::uint32_t> run(const Fill& fill, Memory& after) const;

  UniqueFd memory_;
  UniqueFd program_;
};

}  // namespace skbtrail::test
