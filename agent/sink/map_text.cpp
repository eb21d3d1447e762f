#include "sink/map_text.h"

#include <cstdlib>

namespace skbtrail {
namespace {

void put_cut(TextBuffer& out, std::span<const std::uint8_t> bytes, std::uint32_t size) {
  if (bytes.empty())
    return out.put("unknown");
  put_map_bytes(out, bytes);
  if (bytes.size() < size)
    out.put("...");
}

}  // namespace

std::string_view map_operation_name(MapOperation operation) {
  switch (operation) {
    case MapOperation::None: break;
    case MapOperation::Lookup:
    case MapOperation::Find: return "lookup";
    case MapOperation::Update: return "update";
    case MapOperation::Delete: return "delete";
  }
  std::abort();
}

void put_map_bytes(TextBuffer& out, std::span<const std::uint8_t> bytes) {
  for (const std::uint8_t byte : bytes)
    out.put_hex(byte, 2);
}

void put_map_access(TextBuffer& out, const MapAccess& access) {
  out.put("map ");
  out.put_dec(access.id);
  if (!access.name.empty()) {
    out.put(" '");
    out.put(access.name.view());
    out.put('\'');
  }
  out.put(": ");
  out.put(map_operation_name(access.operation));
  out.put(" of key ");
  put_cut(out, access.key, access.key_size);
  if (access.operation == MapOperation::Delete)
    return;
  if (looks_up(access.operation) && !access.found)
    return out.put(": no such element");
  out.put(": value ");
  put_cut(out, access.value, access.value_size);
}

}  // namespace skbtrail
