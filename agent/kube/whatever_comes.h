#pragma once
// The last net under a thread that reads what the API server sends.

#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"

namespace skbtrail {

// The Result of `act`; EBADMSG where JSON of a strange form throws all the same: the last net of a thread.
template <class Act>
auto whatever_comes(const char* doing, Act act) -> decltype(act()) {
  try {
    return act();
  } catch (const nlohmann::json::exception& error) {
    return refuse(EBADMSG, std::string(doing) + ": what the API server sent has a strange form: " + error.what());
  }
}

}  // namespace skbtrail
