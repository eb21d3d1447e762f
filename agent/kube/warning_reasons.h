#pragma once
// Which drops of a pod are worth a Warning Event: those that somebody can do something about. Pure.

#include <span>
#include <string_view>

namespace skbtrail {

// Names of the kernel's reasons (subsystem core), sorted. What a port scan, a peer's retransmission or the end of a
// connection makes by itself is not among them, nor is NOT_SPECIFIED: an event that says nothing helps nobody.
std::span<const std::string_view> warning_reasons();

bool is_worth_warning(std::string_view subsystem, std::string_view reason);

}  // namespace skbtrail
