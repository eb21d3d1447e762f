#include "kernel/traced_programs.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "kernel/loaded_programs.h"
#include "kernel/program_patterns.h"
#include "kernel/program_tracing.h"

namespace skbtrail {
namespace {

// What the two constants of the programs' pattern stand for; see NUMBER_OF_COPY in bpf/include/programs.h.
constexpr std::int32_t kProgramId = 0x1b7a0020;
constexpr std::int32_t kReturnOffset = 0x1b7a0021;

void write_number(std::vector<bpf_insn>& code, std::int32_t magic, std::uint32_t number) {
  for (auto& insn : code)
    if (insn.code == (BPF_ALU64 | BPF_MOV | BPF_K) && insn.imm == magic)
      insn.imm = static_cast<std::int32_t>(number);
}

std::vector<bpf_insn> copy_for(const ProgramTarget& target, std::vector<bpf_insn> pattern) {
  write_number(pattern, kProgramId, target.id);
  write_number(pattern, kReturnOffset, target.arguments * 8);
  return pattern;
}

}  // namespace

Result<> TracedPrograms::poll(std::size_t most) {
  const std::size_t until = attached() + refused() + most;
  while (attached() + refused() < until)
    if (!TRY(take_next()))
      return {};
  return {};
}

// False: there is none.
Result<bool> TracedPrograms::take_next() {
  const auto id = TRY(next_program(last_id_));
  if (!id)
    return false;
  last_id_ = *id;
  consider(*id);
  return true;
}

void TracedPrograms::consider(std::uint32_t id) {
  // A program may go between two calls.
  const UniqueFd program{bpf_prog_get_fd_by_id(id)};
  bpf_prog_info info{};
  __u32 size = sizeof(info);
  if (!program || bpf_obj_get_info_by_fd(program.get(), &info, &size))
    return;
  const auto kind = program_kind(info.type);
  if (!kind || !kinds_.contains(*kind) || info.name == ProgramPatterns::function(*kind))
    return;
  if (programs_.size() >= kMaxPrograms)
    return refuse_program(id, info, "");
  if (const auto done = attach(*kind, program.get()); !done)
    refuse_program(id, info, done.error().message);
}

Result<> TracedPrograms::attach(ProgramKind kind, int program) {
  if (!why_not_.empty())
    return refuse(ENOTSUP, why_not_);
  const auto target = TRY(describe_program(program));
  programs_[target.id] = {.id = target.id, .kind = kind, .symbol = {.name = target.name, .offset = 0, .module = "bpf"}};
  auto exit = attach_to_program(target, BPF_TRACE_FEXIT, copy_for(target, tracer_.pattern(kind, BPF_TRACE_FEXIT)));
  if (!exit) {
    programs_.erase(target.id);
    return exit.error();
  }
  auto entry =
      TRY(attach_to_program(target, BPF_TRACE_FENTRY, copy_for(target, tracer_.pattern(kind, BPF_TRACE_FENTRY))));
  links_.push_back(std::move(entry));
  links_.push_back(std::move(*exit));
  return watch_calls(program);
}

// Its calls of helpers are told from now on.
Result<> TracedPrograms::watch_calls(int program) {
  if (!tracer_.traces_helpers())
    return {};
  for (const auto& text : texts_of(program))
    texts_.insert(text);
  return tracer_.set_program_texts(texts_);
}

void TracedPrograms::refuse_program(std::uint32_t id, const bpf_prog_info& info, const std::string& why) {
  ++refused_;
  const std::string which = "BPF program '" + std::string(info.name) + "' (id " + std::to_string(id) + ")";
  if (!why.empty()) {
    if (++named_ <= kMaxNamed)
      tell_(which + " is not traced: " + why);
    if (named_ == kMaxNamed)
      tell_("more BPF programs that cannot be traced are not named; they count as rejected probes");
    return;
  }
  if (!std::exchange(full_told_, true))
    tell_(which + " and those loaded later are not traced: " + std::to_string(kMaxPrograms) +
          " are already, which is the most; they count as rejected probes");
}

void TracedPrograms::detach() {
  links_.clear();
}

const TracedProgram* TracedPrograms::lookup(std::uint32_t id) const {
  const auto found = programs_.find(id);
  return found == programs_.end() ? nullptr : &found->second;
}

}  // namespace skbtrail
