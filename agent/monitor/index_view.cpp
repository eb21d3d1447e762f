#include "monitor/index_view.h"

#include <algorithm>
#include <tuple>

namespace skbtrail {

bool IndexView::exists(const std::string& namespace_name, const std::string& name) const {
  // Tombstones are few and short; that a deleted pod counts as there for a minute only delays its end by that.
  return std::ranges::binary_search(index_->pods(), std::tie(namespace_name, name), {},
                                    [](const auto& pod) { return std::tie(pod->namespace_name, pod->name); });
}

}  // namespace skbtrail
