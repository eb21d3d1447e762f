#pragma once
// A socket of libmnl that closes itself, and what readers of its dumps share.

#include <libmnl/libmnl.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace skbtrail {

struct CloseNetlinkSocket {
  void operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
};
using NetlinkSocket = std::unique_ptr<mnl_socket, CloseNetlinkSocket>;

// Buffer for one piece of a dump; the kernel writes at most 32 KiB at a time.
inline constexpr std::size_t kNetlinkBufferBytes = 32U << 10;

// Up to its end or the first zero. It lies in the message.
inline std::string_view text_of(const nlattr* attribute) {
  const char* text = mnl_attr_get_str(attribute);
  return {text, ::strnlen(text, mnl_attr_get_payload_len(attribute))};
}

}  // namespace skbtrail
