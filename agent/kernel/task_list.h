#pragma once
// TaskList: every process with its network namespace and cgroup, read from the kernel's own list by a BPF iterator. It
// enters no namespace and needs no right to trace processes: CAP_BPF and CAP_PERFMON do.

#include <cstddef>
#include <memory>
#include <vector>

#include "base/result.h"
#include "model/task_place.h"

struct tasks_bpf;

namespace skbtrail {

class TaskList final {
public:
  // Of a longer list the rest is left out; Linux has no more processes than 4,194,304, and few machines a tenth of it.
  static constexpr std::size_t kMaxTasks = 1U << 18;

  // Loads the iterator. ENOTSUP: this kernel has none (before Linux 5.8). EPERM: CAP_BPF and CAP_PERFMON are needed.
  static Result<TaskList> open();

  TaskList(TaskList&&) noexcept;
  TaskList& operator=(TaskList&&) noexcept;
  ~TaskList();

  // As they are now. Processes that are just ending are not in it.
  Result<std::vector<TaskPlace>> read() const;

private:
  struct Destroy {
    void operator()(tasks_bpf* raw) const;
  };
  explicit TaskList(std::unique_ptr<tasks_bpf, Destroy> raw);

  std::unique_ptr<tasks_bpf, Destroy> raw_;
};

}  // namespace skbtrail
