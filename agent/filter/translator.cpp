#include "filter/translator.h"

#include <linux/types.h>

#include <optional>
#include <string>
#include <utility>

#include "filter/assembler.h"
#include "filter/classic_program.h"
#include "filter/known_bounds.h"
#include "trace_abi.h"

namespace skbtrail {
namespace {

constexpr Register kAnswer = Register::R0;
constexpr Register kWindowArgument = Register::R1;
constexpr Register kScratchArgument = Register::R2;
constexpr Register kAddress = Register::R1;
constexpr Register kIndex = Register::R2;
constexpr Register kLength = Register::R3;
constexpr Register kLinear = Register::R4;
constexpr Register kPacket = Register::R5;
constexpr Register kA = Register::R6;
constexpr Register kX = Register::R7;
constexpr Register kWindow = Register::R8;
constexpr Register kScratch = Register::R9;

// Layout of the scratch memory: M[0] to M[15], what a helper call would lose, where it reads to, and an
// index on its way through memory.
constexpr std::int16_t kSavedPacket = BPF_MEMWORDS * 4;
constexpr std::int16_t kSavedLength = kSavedPacket + 8;
constexpr std::int16_t kSavedLinear = kSavedLength + 4;
constexpr std::int16_t kReadTo = kSavedLinear + 4;
constexpr std::int16_t kForgottenIndex = kReadTo + 4;
static_assert(kForgottenIndex + 4 <= TRACE_FILTER_SCRATCH);

std::int16_t memory_word(std::uint32_t index) {
  return static_cast<std::int16_t>(index * 4);
}

std::int32_t immediate(std::uint32_t value) {
  return static_cast<std::int32_t>(value);
}

// The condition that holds when `condition` does not. BPF_JSET has none.
int inverse(int condition) {
  switch (condition) {
    case BPF_JEQ: return BPF_JNE;
    case BPF_JGT: return BPF_JLE;
    default: return BPF_JLT;  // BPF_JGE
  }
}

class Translation {
public:
  explicit Translation(std::span<const sock_filter> program)
      : program_(program),
        flow_(follow(program)),
        bounds_(program.size()),
        reject_(body_.new_label()),
        end_(body_.new_label()) {
    for (std::size_t at = 0; at < program.size(); ++at)
      labels_.push_back(body_.new_label());
    bounds_.front() = KnownBounds{};
  }

  Result<std::vector<bpf_insn>> run() &&;

private:
  void emit_instruction(std::size_t at);
  void emit_load(const sock_filter& instruction);
  void emit_index_load(const sock_filter& instruction);
  void emit_alu(const sock_filter& instruction);
  void emit_division(const sock_filter& instruction);
  void emit_shift(const sock_filter& instruction);
  void emit_jump(std::size_t at);
  void emit_branch(std::size_t at);
  void emit_return(std::size_t at);
  void emit_reject();

  void load_constant(Register target, const sock_filter& instruction);
  void load_indexed(const sock_filter& instruction);
  void load_from_window(const sock_filter& instruction, Register index);
  void read_with_helper(Register target, const sock_filter& instruction, std::optional<Register> index);
  void from_packet_order(const sock_filter& instruction);

  Assembler prologue() const;
  void pass_bounds_on(std::size_t at);
  std::size_t last_reachable() const;

  std::span<const sock_filter> program_;
  ClassicFlow flow_;
  std::vector<std::optional<KnownBounds>> bounds_;  // on entry of each instruction
  KnownBounds now_;                                 // while one instruction is emitted
  Assembler body_;
  Assembler::Label reject_;
  Assembler::Label end_;
  std::vector<Assembler::Label> labels_;
  bool rejects_ = false;
  bool calls_helper_ = false;
};

Result<std::vector<bpf_insn>> Translation::run() && {
  for (std::size_t at = 0; at < program_.size(); ++at)
    if (flow_.reachable[at])
      emit_instruction(at);
  if (rejects_)
    emit_reject();
  body_.bind(end_);

  auto start = prologue();
  const std::size_t size = start.size() + body_.size();
  if (size > kFilterPadInstructions)
    return refuse(E2BIG, "it takes " + std::to_string(size) + " instructions, more than the " +
                             std::to_string(kFilterPadInstructions) + " there is room for; shorten the expression");
  auto code = std::move(start).finish();
  const auto rest = std::move(body_).finish();
  code.insert(code.end(), rest.begin(), rest.end());
  return code;
}

Assembler Translation::prologue() const {
  Assembler start;
  start.alu(Width::W64, BPF_MOV, kWindow, kWindowArgument);
  start.alu(Width::W64, BPF_MOV, kScratch, kScratchArgument);
  if (calls_helper_) {
    start.store(BPF_DW, kScratch, kSavedPacket, kPacket);
    start.store(BPF_W, kScratch, kSavedLength, kLength);
    start.store(BPF_W, kScratch, kSavedLinear, kLinear);
  }
  if (flow_.read_unset & kAccumulatorBit)
    start.alu(Width::W32, BPF_MOV, kA, 0);
  if (flow_.read_unset & kIndexBit)
    start.alu(Width::W32, BPF_MOV, kX, 0);
  for (std::uint32_t word = 0; word < BPF_MEMWORDS; ++word)
    if (flow_.read_unset & (kWordBit << word))
      start.store_zero(BPF_W, kScratch, memory_word(word));
  return start;
}

void Translation::emit_instruction(std::size_t at) {
  const sock_filter& instruction = program_[at];
  body_.bind(labels_[at]);
  now_ = *bounds_[at];
  if (never_fits(instruction)) {
    body_.jump(reject_);
    rejects_ = true;
    return;
  }
  switch (BPF_CLASS(instruction.code)) {
    case BPF_LD: emit_load(instruction); break;
    case BPF_LDX: emit_index_load(instruction); break;
    case BPF_ST: body_.store(BPF_W, kScratch, memory_word(instruction.k), kA); break;
    case BPF_STX: body_.store(BPF_W, kScratch, memory_word(instruction.k), kX); break;
    case BPF_ALU: emit_alu(instruction); break;
    case BPF_JMP: emit_jump(at); break;
    case BPF_RET: emit_return(at); break;
    case BPF_MISC:
      if (BPF_MISCOP(instruction.code) == BPF_TAX)
        body_.alu(Width::W32, BPF_MOV, kX, kA);
      else
        body_.alu(Width::W32, BPF_MOV, kA, kX);
      break;
  }
  pass_bounds_on(at);
}

void Translation::pass_bounds_on(std::size_t at) {
  const KnownBounds after = now_.after(program_[at]);
  for (const std::size_t next : successors(program_, at))
    bounds_[next] = bounds_[next] ? bounds_[next]->met_with(after) : after;
}

void Translation::emit_load(const sock_filter& instruction) {
  switch (BPF_MODE(instruction.code)) {
    case BPF_IMM: body_.alu(Width::W32, BPF_MOV, kA, immediate(instruction.k)); break;
    case BPF_LEN: body_.alu(Width::W32, BPF_MOV, kA, kLength); break;
    case BPF_MEM: body_.load(BPF_W, kA, kScratch, memory_word(instruction.k)); break;
    case BPF_ABS:
      load_constant(kA, instruction);
      from_packet_order(instruction);
      break;
    case BPF_IND:
      load_indexed(instruction);
      from_packet_order(instruction);
      break;
  }
}

void Translation::emit_index_load(const sock_filter& instruction) {
  switch (BPF_MODE(instruction.code)) {
    case BPF_IMM: body_.alu(Width::W32, BPF_MOV, kX, immediate(instruction.k)); break;
    case BPF_LEN: body_.alu(Width::W32, BPF_MOV, kX, kLength); break;
    case BPF_MEM: body_.load(BPF_W, kX, kScratch, memory_word(instruction.k)); break;
    case BPF_MSH:  // X = 4 * (low four bits): the length of an IPv4 header
      load_constant(kX, instruction);
      body_.alu(Width::W32, BPF_AND, kX, 0xf);
      body_.alu(Width::W32, BPF_LSH, kX, 2);
      break;
  }
}

void Translation::load_constant(Register target, const sock_filter& instruction) {
  const std::uint32_t end = instruction.k + load_size(instruction);
  if (now_.linear < end) {
    body_.jump_if(Width::W32, BPF_JLT, kLinear, immediate(end), reject_);
    rejects_ = true;
    now_.linear = end;
  }
  if (end <= TRACE_WINDOW_BYTES)
    body_.load(BPF_SIZE(instruction.code), target, kWindow, static_cast<std::int16_t>(instruction.k));
  else
    read_with_helper(target, instruction, std::nullopt);
}

void Translation::load_indexed(const sock_filter& instruction) {
  const std::uint32_t end = instruction.k + load_size(instruction);
  if (now_.indexed < end) {
    body_.alu(Width::W64, BPF_MOV, kAddress, kX);
    body_.alu(Width::W64, BPF_ADD, kAddress, immediate(end));
    body_.jump_if(Width::W64, BPF_JGT, kAddress, kLinear, reject_);
    rejects_ = true;
    now_.indexed = end;
    now_.linear = std::max(now_.linear, end);
  }

  if (end > TRACE_WINDOW_BYTES)
    return read_with_helper(kA, instruction, kX);

  if (now_.index_max <= TRACE_WINDOW_BYTES - end)
    return load_from_window(instruction, kX);

  // Whatever the verifier believes about X, rightly or on a path that it should know to be dead, memory makes it
  // forget: the comparison below is then all it knows, and enough.
  const auto behind_window = body_.new_label();
  const auto loaded = body_.new_label();
  body_.store(BPF_W, kScratch, kForgottenIndex, kX);
  body_.load(BPF_W, kIndex, kScratch, kForgottenIndex);
  body_.jump_if(Width::W64, BPF_JGT, kIndex, immediate(TRACE_WINDOW_BYTES - end), behind_window);
  load_from_window(instruction, kIndex);
  body_.jump(loaded);
  body_.bind(behind_window);
  read_with_helper(kA, instruction, kX);
  body_.bind(loaded);
}

void Translation::load_from_window(const sock_filter& instruction, Register index) {
  body_.alu(Width::W64, BPF_MOV, kAddress, kWindow);
  body_.alu(Width::W64, BPF_ADD, kAddress, index);
  body_.load(BPF_SIZE(instruction.code), kA, kAddress, static_cast<std::int16_t>(instruction.k));
}

// Registers r1 to r5 do not survive a call: what is needed later comes back from the scratch memory.
void Translation::read_with_helper(Register target, const sock_filter& instruction, std::optional<Register> index) {
  calls_helper_ = true;
  rejects_ = true;
  body_.alu(Width::W64, BPF_MOV, Register::R3, kPacket);
  if (index)
    body_.alu(Width::W64, BPF_ADD, Register::R3, *index);
  body_.alu(Width::W64, BPF_ADD, Register::R3, immediate(instruction.k));
  body_.alu(Width::W64, BPF_MOV, Register::R1, kScratch);
  body_.alu(Width::W64, BPF_ADD, Register::R1, kReadTo);
  body_.alu(Width::W32, BPF_MOV, Register::R2, immediate(load_size(instruction)));
  body_.call(BPF_FUNC_probe_read_kernel);
  body_.jump_if(Width::W64, BPF_JNE, Register::R0, 0, reject_);
  body_.load(BPF_SIZE(instruction.code), target, kScratch, kReadTo);
  body_.load(BPF_DW, kPacket, kScratch, kSavedPacket);
  body_.load(BPF_W, kLength, kScratch, kSavedLength);
  body_.load(BPF_W, kLinear, kScratch, kSavedLinear);
}

void Translation::from_packet_order(const sock_filter& instruction) {
  if (const auto size = load_size(instruction); size > 1)
    body_.from_network(kA, static_cast<int>(size) * 8);
}

void Translation::emit_alu(const sock_filter& instruction) {
  const int operation = BPF_OP(instruction.code);
  switch (operation) {
    case BPF_DIV:
    case BPF_MOD: return emit_division(instruction);
    case BPF_LSH:
    case BPF_RSH: return emit_shift(instruction);
    case BPF_NEG: return body_.alu(Width::W32, BPF_NEG, kA, 0);
  }
  if (BPF_SRC(instruction.code) == BPF_X)
    body_.alu(Width::W32, operation, kA, kX);
  else
    body_.alu(Width::W32, operation, kA, immediate(instruction.k));
}

void Translation::emit_division(const sock_filter& instruction) {
  const int operation = BPF_OP(instruction.code);
  if (BPF_SRC(instruction.code) == BPF_K)
    return body_.alu(Width::W32, operation, kA, immediate(instruction.k));
  body_.jump_if(Width::W32, BPF_JEQ, kX, 0, reject_);  // classic BPF rejects where eBPF would go on
  rejects_ = true;
  body_.alu(Width::W32, operation, kA, kX);
}

// Shifting all bits out gives 0; eBPF would look at the low five bits of the distance only.
void Translation::emit_shift(const sock_filter& instruction) {
  const int operation = BPF_OP(instruction.code);
  if (BPF_SRC(instruction.code) == BPF_K) {
    if (instruction.k < 32)
      return body_.alu(Width::W32, operation, kA, immediate(instruction.k));
    return body_.alu(Width::W32, BPF_MOV, kA, 0);
  }
  const auto all_out = body_.new_label();
  const auto shifted = body_.new_label();
  body_.jump_if(Width::W32, BPF_JGT, kX, 31, all_out);
  body_.alu(Width::W32, operation, kA, kX);
  body_.jump(shifted);
  body_.bind(all_out);
  body_.alu(Width::W32, BPF_MOV, kA, 0);
  body_.bind(shifted);
}

void Translation::emit_jump(std::size_t at) {
  const sock_filter& instruction = program_[at];
  if (BPF_OP(instruction.code) != BPF_JA)
    return emit_branch(at);
  if (instruction.k != 0)
    body_.jump(labels_[at + 1 + instruction.k]);
}

void Translation::emit_branch(std::size_t at) {
  const sock_filter& instruction = program_[at];
  const auto emit = [&](int condition, std::size_t distance) {
    const auto target = labels_[at + 1 + distance];
    if (BPF_SRC(instruction.code) == BPF_X)
      body_.jump_if(Width::W32, condition, kA, kX, target);
    else
      body_.jump_if(Width::W32, condition, kA, immediate(instruction.k), target);
  };

  const int condition = BPF_OP(instruction.code);
  if (instruction.jt == 0 && condition != BPF_JSET) {
    if (instruction.jf != 0)
      emit(inverse(condition), instruction.jf);
    return;
  }
  emit(condition, instruction.jt);
  if (instruction.jf != 0)
    body_.jump(labels_[at + 1 + instruction.jf]);
}

void Translation::emit_return(std::size_t at) {
  const sock_filter& instruction = program_[at];
  const bool last = at == last_reachable();
  if (last && instruction.code == (BPF_RET | BPF_K) && instruction.k == 0) {
    rejects_ = true;  // the common end of libpcap's programs serves all rejections
    return;
  }
  if (BPF_RVAL(instruction.code) == BPF_A)
    body_.alu(Width::W32, BPF_MOV, kAnswer, kA);
  else
    body_.alu(Width::W32, BPF_MOV, kAnswer, immediate(instruction.k));
  if (!last || rejects_)
    body_.jump(end_);
}

void Translation::emit_reject() {
  body_.bind(reject_);
  body_.alu(Width::W32, BPF_MOV, kAnswer, 0);
}

std::size_t Translation::last_reachable() const {
  std::size_t at = program_.size() - 1;
  while (!flow_.reachable[at])
    --at;
  return at;
}

}  // namespace

Result<std::vector<bpf_insn>> translate(std::span<const sock_filter> program) {
  TRY(check_classic(program));
  return Translation{program}.run();
}

}  // namespace skbtrail
