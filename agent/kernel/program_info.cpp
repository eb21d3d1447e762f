#include "kernel/program_info.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <string>

namespace skbtrail {

Result<bpf_prog_info> info_of(const bpf_program* program) {
  bpf_prog_info info{};
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size)) {
    const int err = errno;
    return fail(err, std::string("ask about program '") + bpf_program__name(program) + "'");
  }
  return info;
}

std::vector<ProgramRuns> runs_of(std::initializer_list<const bpf_program*> programs) {
  std::vector<ProgramRuns> all;
  for (const auto* program : programs) {
    if (bpf_program__fd(program) < 0)
      continue;
    if (const auto info = info_of(program))
      all.push_back({.name = bpf_program__name(program), .runs = info->run_cnt, .nanoseconds = info->run_time_ns});
  }
  return all;
}

}  // namespace skbtrail
