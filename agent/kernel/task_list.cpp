#include "kernel/task_list.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/types.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "base/unique_fd.h"
#include "kernel/kernel_btf.h"
#include "task_abi.h"
#include "tasks.skel.h"

namespace skbtrail {
namespace {

// Of one read; what the kernel cuts off is kept for the next one.
constexpr std::size_t kRecords = 2048;

bool kernel_lists_tasks() {
  const BtfPtr types{btf__load_vmlinux_btf()};
  return types && btf__find_by_name_kind(types.get(), "bpf_iter__task", BTF_KIND_STRUCT) > 0;
}

TaskPlace place_of(const task_record& record) {
  return {.pid = record.pid,
          .netns_inum = record.netns_inum,
          .netns_cookie = record.netns_cookie,
          .cgroup_id = record.cgroup_id};
}

}  // namespace

void TaskList::Destroy::operator()(tasks_bpf* raw) const {
  tasks_bpf::destroy(raw);
}

TaskList::TaskList(std::unique_ptr<tasks_bpf, Destroy> raw) : raw_(std::move(raw)) {}
TaskList::TaskList(TaskList&&) noexcept = default;
TaskList& TaskList::operator=(TaskList&&) noexcept = default;
TaskList::~TaskList() = default;

Result<TaskList> TaskList::open() {
  if (!kernel_lists_tasks())
    return refuse(ENOTSUP, "list processes: the kernel has no BPF iterator of tasks (needs Linux 5.8 with BTF)");
  std::unique_ptr<tasks_bpf, Destroy> raw{tasks_bpf::open()};
  if (const int err = errno; !raw)
    return fail(err, "list processes: open the BPF object");
  if (const int err = tasks_bpf::load(raw.get()))
    return fail(-err, "list processes: load the BPF iterator (CAP_BPF, CAP_PERFMON)");
  if (const int err = tasks_bpf::attach(raw.get()))
    return fail(-err, "list processes: attach the BPF iterator");
  return TaskList{std::move(raw)};
}

Result<std::vector<TaskPlace>> TaskList::read() const {
  const UniqueFd iterator{bpf_iter_create(bpf_link__fd(raw_->links.list_tasks))};
  if (const int err = errno; !iterator)
    return fail(err, "list processes: start the BPF iterator");
  std::vector<TaskPlace> tasks;
  std::vector<char> buffer(kRecords * sizeof(task_record));
  std::size_t held = 0;
  while (tasks.size() < kMaxTasks) {
    const ssize_t got = ::read(iterator.get(), buffer.data() + held, buffer.size() - held);
    const int err = errno;
    if (got < 0 && (err == EINTR || err == EAGAIN))
      continue;
    if (got < 0)
      return fail(err, "list processes: read the BPF iterator");
    if (got == 0)
      break;
    held += static_cast<std::size_t>(got);
    std::size_t taken = 0;
    for (; held - taken >= sizeof(task_record) && tasks.size() < kMaxTasks; taken += sizeof(task_record)) {
      task_record record{};
      std::memcpy(&record, buffer.data() + taken, sizeof(record));
      tasks.push_back(place_of(record));
    }
    held -= taken;
    std::memmove(buffer.data(), buffer.data() + taken, held);
  }
  return tasks;
}

}  // namespace skbtrail
