#pragma once
// PcapngSink: a capture file of the packets at each hop, for Wireshark and tshark. One interface for each pair of
// network namespace and interface; the hop, the packet's identity and a drop's reason are comments. See docs/output.md.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "sink/output.h"
#include "sink/sink.h"
#include "sink/text_buffer.h"

namespace skbtrail {

struct PcapngOptions {
  std::uint32_t snaplen = 256;   // of the packets' bytes; frames may be 18 bytes longer
  std::string application = {};  // "skbtrail 0.1.0"
};

class PcapngSink final : public Sink {
public:
  // Beyond so many interfaces, packets of further ones go to one interface that says so.
  static constexpr std::size_t kMaxInterfaces = 65'536;

  // `output` must outlive the sink.
  PcapngSink(Output& output, const PcapngOptions& options);

  void accept(const PacketEvent& event) override;
  // Told with the next packet, as the number that was dropped before it.
  void accept(const LossEvent& loss) override;
  Result<> flush() override { return output_.flush(); }

private:
  using InterfaceKey = std::pair<std::uint32_t, std::uint32_t>;  // network namespace, index; 0: unknown

  std::uint32_t interface_of(const PacketEvent& event);
  void put_section();
  void put_interface(const PacketEvent& event, bool overflow);
  void put_packet(const PacketEvent& event, std::uint32_t interface);
  std::string_view comment_of(const PacketEvent& event);

  void begin_block(std::uint32_t type);
  void end_block();
  void end_lasting_block();
  void put_option(std::uint16_t code, std::string_view value);
  void put_u16(std::uint16_t value);
  void put_u32(std::uint32_t value);
  void pad();

  Output& output_;
  TextBuffer& out_;
  PcapngOptions options_;
  TextBuffer words_{256};
  TextBuffer block_{4096};
  TextBuffer lasting_;  // the blocks that every file begins with: packets name interfaces by number
  std::map<InterfaceKey, std::uint32_t> interfaces_;
  std::uint32_t next_interface_ = 0;
  std::uint64_t lost_ = 0;  // since the last packet
};

}  // namespace skbtrail
