#pragma once
// LogLevel: how much a message of the log matters; and Teller, by which a part that has something to say says it.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace skbtrail {

enum class LogLevel : std::uint8_t {
  Error,    // we stop, or refuse
  Warning,  // we go on with less
  Info,     // state has changed
  Debug,    // the rest
};

constexpr std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::Error: return "error";
    case LogLevel::Warning: return "warning";
    case LogLevel::Info: return "info";
    case LogLevel::Debug: return "debug";
  }
  return "error";
}

// Called by any thread of the part.
using Teller = std::function<void(LogLevel, const std::string&)>;

inline void tell_nobody(LogLevel, const std::string&) {}

}  // namespace skbtrail
