#pragma once
// What a BPF program has done with an element of a map, as text.

#include <span>
#include <string_view>

#include "model/map_access.h"
#include "sink/text_buffer.h"

namespace skbtrail {

// "lookup", "update" or "delete".
std::string_view map_operation_name(MapOperation operation);

// "0a000001"
void put_map_bytes(TextBuffer& out, std::span<const std::uint8_t> bytes);

// "map 12 'flows': lookup of key 0a000001: value 01000000"
void put_map_access(TextBuffer& out, const MapAccess& access);

}  // namespace skbtrail
