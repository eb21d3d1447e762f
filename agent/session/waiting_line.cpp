#include "session/waiting_line.h"

namespace skbtrail {

const SessionKey* WaitingLine::take_after(const std::optional<std::string>& last) {
  if (namespaces_.empty())
    return nullptr;
  auto next = last ? namespaces_.upper_bound(*last) : namespaces_.begin();
  if (next == namespaces_.end())
    next = namespaces_.begin();
  auto& waiting = next->second;
  const SessionKey* key = waiting.begin()->second;
  waiting.erase(waiting.begin());
  if (waiting.empty())
    namespaces_.erase(next);
  return key;
}

}  // namespace skbtrail
