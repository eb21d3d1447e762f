#pragma once
// MapAccess: what a BPF program has done with an element of a map.

#include <cstdint>
#include <vector>

#include "model/short_text.h"

namespace skbtrail {

// Values follow enum trace_map_operation. Find: the same as Lookup, by a function that hands out the kernel's own
// element.
enum class MapOperation : std::uint8_t { None, Lookup, Find, Update, Delete };

constexpr bool looks_up(MapOperation operation) {
  return operation == MapOperation::Lookup || operation == MapOperation::Find;
}

struct MapAccess {
  std::uint32_t id = 0;
  ShortText name;  // empty: it has none
  MapOperation operation = MapOperation::None;
  bool found = false;                    // of a lookup: there is such an element
  std::uint32_t key_size = 0;            // bytes, of each key of this map
  std::uint32_t value_size = 0;          // the same of values
  std::vector<std::uint8_t> key = {};    // at most 256 bytes of it; empty: unknown
  std::vector<std::uint8_t> value = {};  // the same; empty also: there is none, or it is no plain memory
};

}  // namespace skbtrail
