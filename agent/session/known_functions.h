#pragma once
// What skbtrail knows of the kernel by name: where packets are first met, which functions mark a layer, and which end
// or move a packet's identity. Everything else is found in BTF. docs/functions.md explains the lists.

#include <span>
#include <string_view>

#include "model/probe_plan.h"

namespace skbtrail {

// A place where packets are first met; its names are alternatives, best first, of which a kernel has at least one.
struct EntryPlace {
  std::string_view what;
  std::span<const std::string_view> names;
};

std::span<const EntryPlace> entry_places();

// One function per layer that a packet can cross.
bool is_path_function(std::string_view name);

// Role::Plain for most.
Role role_of(std::string_view name);

// Move::None for most.
Move move_of(std::string_view name);

// What a function that BPF programs call does with an element of a map; it takes the map, the key, and perhaps a value.
// MapOperation::None for most.
MapOperation map_operation_of(std::string_view name);

// Functions that return a new packet (Move::Born).
std::span<const std::string_view> birth_functions();

}  // namespace skbtrail
