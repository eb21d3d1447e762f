#pragma once
// ProgramPatterns: BPF programs that are attached nowhere, for programs that trace others to be verified against.

#include <memory>
#include <string_view>

#include "base/result.h"
#include "model/traced_program.h"

struct patterns_bpf;

namespace skbtrail {

class ProgramPatterns final {
public:
  // Fails where this kernel lets no BPF program be traced, with what it said: one of them is, for a moment.
  static Result<ProgramPatterns> load();

  ProgramPatterns(ProgramPatterns&&) noexcept;
  ProgramPatterns& operator=(ProgramPatterns&&) noexcept;
  ~ProgramPatterns();

  int fd(ProgramKind kind) const;
  static std::string_view function(ProgramKind kind);

private:
  struct Destroy {
    void operator()(patterns_bpf* raw) const;
  };
  explicit ProgramPatterns(std::unique_ptr<patterns_bpf, Destroy> raw);

  std::unique_ptr<patterns_bpf, Destroy> raw_;
};

}  // namespace skbtrail
