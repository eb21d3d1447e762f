#include "kernel/program_tracing.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/kernel_btf.h"

namespace skbtrail {
namespace {

// As many as the kernel gives a function whose type it does not trust.
constexpr std::uint32_t kUntrustedArguments = 5;

struct Described {
  bpf_prog_info info{};
  bpf_func_info main{};  // of the main function, which comes first
};

Result<Described> ask(int program) {
  Described described;
  described.info.nr_func_info = 1;
  described.info.func_info_rec_size = sizeof(described.main);
  described.info.func_info = reinterpret_cast<std::uintptr_t>(&described.main);
  __u32 size = sizeof(described.info);
  if (bpf_obj_get_info_by_fd(program, &described.info, &size)) {
    const int err = errno;
    return fail(err, "ask about a BPF program");
  }
  return described;
}

// One pointer to the struct that programs of this type take; whatever else is written there the kernel does not trust.
bool is_trusted(const btf& types, const btf_type& function) {
  const btf_type* prototype = btf__type_by_id(&types, function.type);
  if (!prototype || btf_kind(prototype) != BTF_KIND_FUNC_PROTO || btf_vlen(prototype) != 1)
    return false;
  const btf_type* argument = btf__type_by_id(&types, btf_params(prototype)[0].type);
  if (!argument || btf_kind(argument) != BTF_KIND_PTR)
    return false;
  const int pointed = btf__resolve_type(&types, argument->type);
  const btf_type* context = pointed < 0 ? nullptr : btf__type_by_id(&types, static_cast<__u32>(pointed));
  const std::string_view name = context ? btf__name_by_offset(&types, context->name_off) : "";
  return name == "__sk_buff" || name == "xdp_md";
}

// The kernel's reason stands in the first line of its log.
std::string refusal(int err, const std::vector<char>& log) {
  const std::string_view said{log.data()};
  const auto line = said.substr(0, said.find('\n'));
  return "the kernel refuses to trace it (" +
         (line.empty() || line.starts_with("processed") ? std::string(std::strerror(err)) : std::string(line)) + ")";
}

Result<UniqueFd> load(const ProgramTarget& target, bpf_attach_type edge, std::span<const bpf_insn> code) {
  LIBBPF_OPTS(bpf_prog_load_opts, options);
  options.expected_attach_type = edge;
  options.attach_prog_fd = static_cast<__u32>(target.fd);
  options.attach_btf_id = target.function;
  const auto try_it = [&] {
    const char* name = edge == BPF_TRACE_FENTRY ? "program_entry" : "program_exit";
    return UniqueFd{bpf_prog_load(BPF_PROG_TYPE_TRACING, name, "Dual BSD/GPL", code.data(), code.size(), &options)};
  };
  auto program = try_it();
  if (program)
    return program;
  const int err = errno;
  std::vector<char> log(16U << 10);
  options.log_level = 1;
  options.log_buf = log.data();
  options.log_size = static_cast<__u32>(log.size());
  program = try_it();
  if (program)
    return program;
  return refuse(err, refusal(err, log));
}

}  // namespace

Result<ProgramTarget> describe_program(int program) {
  const auto described = TRY(ask(program));
  ProgramTarget target{.fd = program, .id = described.info.id, .name = described.info.name};
  if (described.info.btf_id == 0 || described.info.nr_func_info == 0)
    return refuse(ENOTSUP, "it has no BTF: compile it with -g, and load it with a loader that hands its types on");
  const BtfPtr types{btf__load_from_kernel_by_id(described.info.btf_id)};
  if (const int err = errno; !types)
    return fail(err, "read its types");
  target.function = described.main.type_id;
  const btf_type* function = btf__type_by_id(types.get(), target.function);
  if (!function || btf_kind(function) != BTF_KIND_FUNC)
    return refuse(ENOTSUP, "its types do not have its main function");
  target.name = btf__name_by_offset(types.get(), function->name_off);
  target.arguments = is_trusted(*types, *function) ? 1 : kUntrustedArguments;
  return target;
}

Result<UniqueFd> attach_to_program(const ProgramTarget& target, bpf_attach_type edge, std::span<const bpf_insn> code) {
  const auto program = TRY(load(target, edge, code));
  UniqueFd link{bpf_raw_tracepoint_open(nullptr, program.get())};
  if (const int err = errno; !link)
    return refuse(err, std::string("the kernel refuses to trace it (") + std::strerror(err) + ")");
  return link;
}

}  // namespace skbtrail
