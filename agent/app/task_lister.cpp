#include "app/task_lister.h"

#include <memory>
#include <optional>

#include "kernel/task_list.h"

namespace skbtrail {

std::function<Result<std::vector<TaskPlace>>()> task_lister() {
  return [list = std::make_shared<std::optional<TaskList>>()]() -> Result<std::vector<TaskPlace>> {
    if (!*list)
      *list = TRY(TaskList::open());
    return (*list)->read();
  };
}

}  // namespace skbtrail
