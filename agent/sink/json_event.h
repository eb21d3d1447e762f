#pragma once
// JsonEvent: one JSON object for an event, described by docs/event.schema.json. What is unknown is null.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/packet_event.h"
#include "model/short_text.h"
#include "sink/kept_text.h"
#include "sink/notation.h"
#include "sink/text_buffer.h"

namespace skbtrail {

struct JsonOptions {
  std::string node;     // empty: null
  std::string session;  // "namespace/name"; empty: null, a trace of its own
};

// Used by one thread. Appends without a newline.
class JsonEvent final {
public:
  explicit JsonEvent(const JsonOptions& options);

  void put(TextBuffer& out, const PacketEvent& event);
  void put(TextBuffer& out, const LossEvent& loss);
  // A gap that is not the kernel's: a reader that was too slow.
  void put_loss(TextBuffer& out, std::uint64_t realtime_ns, std::string_view cause, std::uint64_t count);
  // Time, type, node and session of any other line; the caller appends fields and the closing brace.
  void put_start(TextBuffer& out, std::uint64_t realtime_ns, std::string_view type);

private:
  struct Identity {
    PacketId packet;
    std::uint64_t skb = 0;
    std::optional<PacketId> parent;
    friend bool operator==(const Identity&, const Identity&) = default;
  };
  struct Place {
    ShortText comm;
    std::optional<std::uint32_t> netns;
    std::optional<std::uint64_t> netns_cookie;
    std::optional<std::uint64_t> cgroup_id;
    bool of_kernel_socket = false;
    std::optional<std::uint32_t> ifindex;
    ShortText ifname;
    friend bool operator==(const Place&, const Place&) = default;
  };

  void put_time(TextBuffer& out, std::uint64_t realtime_ns);
  void put_identity(TextBuffer& out, const PacketEvent& event);
  void put_context(TextBuffer& out, const PacketEvent& event);
  void put_outcome(TextBuffer& out, const PacketEvent& event);

  std::string origin_;  // ,"node":…,"session":…
  DateText date_;
  KeptText<Identity> identity_;
  KeptText<Place> place_;
  KeptText<Tuple> tuple_;
};

}  // namespace skbtrail
