#include "sink/pcapng_sink.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "sink/dump_text.h"
#include "sink/notation.h"

namespace skbtrail {

namespace {

// Numbers of the format, draft-ietf-opsawg-pcapng.
constexpr std::uint32_t kSectionBlock = 0x0A0D0D0A;
constexpr std::uint32_t kInterfaceBlock = 1;
constexpr std::uint32_t kPacketBlock = 6;
constexpr std::uint32_t kByteOrderMagic = 0x1A2B3C4D;
constexpr std::uint16_t kLinkEthernet = 1;
constexpr std::uint16_t kEnd = 0;
constexpr std::uint16_t kComment = 1;
constexpr std::uint16_t kSectionApplication = 4;
constexpr std::uint16_t kInterfaceName = 2;
constexpr std::uint16_t kInterfaceDescription = 3;
constexpr std::uint16_t kInterfaceResolution = 9;
constexpr std::uint16_t kPacketDropCount = 4;

// Of the frame beyond what the kernel hands over: an Ethernet header and a VLAN tag.
constexpr std::uint32_t kAddedBytes = 18;
constexpr char kNanoseconds = 9;  // 10^-9
constexpr std::size_t kMaxComment = 4096;
constexpr std::size_t kMaxNetnsName = 512;

template <class Number>
std::string_view bytes_of(const Number& number) {
  static_assert(std::endian::native == std::endian::little);
  return {reinterpret_cast<const char*>(&number), sizeof(number)};
}

// Names come from whoever may name a task or an interface; the format wants UTF-8.
void put_printable(TextBuffer& out, std::string_view text) {
  for (const char byte : text)
    out.put(byte >= 0x20 && byte < 0x7f ? byte : '?');
}

void put_identity(TextBuffer& out, const PacketId& packet) {
  out.put_hex(packet.head, 16);
  out.put('-');
  out.put_hex(packet.born_ns, 16);
}

}  // namespace

PcapngSink::PcapngSink(Output& output, const PcapngOptions& options)
    : output_(output), out_(output.text()), options_(options) {
  put_section();
  output_.begin_files_with([this] { out_.put(lasting_.view()); });
}

void PcapngSink::accept(const PacketEvent& event) {
  put_packet(event, interface_of(event));
  output_.end_event();
}

void PcapngSink::accept(const LossEvent& loss) {
  if (loss.cause != LossCause::Tracking)
    lost_ += loss.count;
}

std::uint32_t PcapngSink::interface_of(const PacketEvent& event) {
  InterfaceKey key{event.netns.value_or(0), event.ifindex.value_or(0)};
  const bool overflow = interfaces_.size() >= kMaxInterfaces && !interfaces_.contains(key);
  if (overflow)
    key = {UINT32_MAX, UINT32_MAX};
  const auto [found, is_new] = interfaces_.try_emplace(key, next_interface_);
  if (is_new) {
    ++next_interface_;
    put_interface(event, overflow);
  }
  return found->second;
}

void PcapngSink::put_section() {
  begin_block(kSectionBlock);
  put_u32(kByteOrderMagic);
  put_u16(1);  // version 1.0
  put_u16(0);
  block_.put(bytes_of(~std::uint64_t{0}));  // how long the section is, nobody knows yet
  if (!options_.application.empty())
    put_option(kSectionApplication, options_.application);
  put_option(kEnd, {});
  end_lasting_block();
}

void PcapngSink::put_interface(const PacketEvent& event, bool overflow) {
  begin_block(kInterfaceBlock);
  put_u16(kLinkEthernet);
  put_u16(0);
  put_u32(options_.snaplen + kAddedBytes);
  words_.clear();
  if (overflow)
    words_.put("further interfaces");
  else if (!event.ifindex)
    words_.put("no interface");
  else
    put_printable(words_, event.ifname.empty() ? std::string_view("(unnamed)") : event.ifname.view());
  if (!overflow && event.netns) {
    words_.put('@');
    words_.put_dec(*event.netns);
  }
  put_option(kInterfaceName, words_.view());
  words_.clear();
  words_.put("network namespace ");
  words_.put_dec(event.netns.value_or(0));
  if (!event.netns_name.empty()) {
    words_.put(" (");
    put_printable(words_, event.netns_name.substr(0, kMaxNetnsName));
    words_.put(')');
  }
  words_.put(", interface index ");
  words_.put_dec(event.ifindex.value_or(0));
  put_option(kInterfaceDescription, overflow ? std::string_view("too many interfaces to tell apart") : words_.view());
  put_option(kInterfaceResolution, {&kNanoseconds, 1});
  put_option(kEnd, {});
  end_lasting_block();
}

void PcapngSink::put_packet(const PacketEvent& event, std::uint32_t interface) {
  begin_block(kPacketBlock);
  put_u32(interface);
  put_u32(static_cast<std::uint32_t>(event.realtime_ns >> 32));
  put_u32(static_cast<std::uint32_t>(event.realtime_ns));
  put_u32(static_cast<std::uint32_t>(event.frame.bytes.size()));
  put_u32(event.frame.length);
  block_.put({reinterpret_cast<const char*>(event.frame.bytes.data()), event.frame.bytes.size()});
  pad();
  put_option(kComment, comment_of(event));
  if (const auto lost = std::exchange(lost_, 0))
    put_option(kPacketDropCount, bytes_of(lost));
  put_option(kEnd, {});
  end_block();
}

// "hop ip_rcv, packet ffff…-…, skb 0xffff…, cpu 1, ping:367"
std::string_view PcapngSink::comment_of(const PacketEvent& event) {
  words_.clear();
  words_.put(event.drop ? std::string_view("drop ") : std::string_view("hop "));
  if (event.drop) {
    put_printable(words_, event.drop->name ? std::string_view(event.drop->name->name) : "without a reason");
    words_.put(" at ");
  }
  put_place(words_, event);
  words_.put(", packet ");
  put_identity(words_, event.packet);
  if (event.parent) {
    words_.put(", parent ");
    put_identity(words_, *event.parent);
  }
  if (event.skb != 0) {
    words_.put(", skb 0x");
    words_.put_hex(event.skb);
  }
  words_.put(", cpu ");
  words_.put_dec(event.cpu);
  words_.put(", ");
  put_printable(words_, event.comm.view());
  words_.put(':');
  words_.put_dec(event.pid);
  if (event.tunnel) {
    words_.put(", tunnel ");
    put_tunnel(words_, *event.tunnel, false);
  }
  for (const FieldValue& value : event.values) {
    words_.put(", ");
    put_printable(words_, value.form->name);
    words_.put(" = ");
    words_.put(value.value ? std::string_view() : std::string_view("unknown"));
    put_value(words_, value);
  }
  if (event.control_words) {
    words_.put(", cb ");
    put_control_words(words_, *event.control_words);
  }
  for (const Symbol* frame : event.stack) {
    words_.put(frame == event.stack.front() ? std::string_view(", stack ") : std::string_view(" < "));
    put_symbol(words_, *frame);
  }
  for (const Dump* dump : {&event.skb_dump, &event.shared_dump}) {
    if (dump->form)
      words_.put(", ");
    put_dump(words_, *dump);
  }
  return words_.view().substr(0, kMaxComment);
}

// A block is put together on its own, since its length stands in front.
void PcapngSink::begin_block(std::uint32_t type) {
  block_.clear();
  put_u32(type);
  put_u32(0);
}

void PcapngSink::end_block() {
  const auto length = static_cast<std::uint32_t>(block_.size() + sizeof(std::uint32_t));
  out_.put(block_.view().substr(0, sizeof(std::uint32_t)));
  out_.put(bytes_of(length));
  out_.put(block_.view().substr(2 * sizeof(std::uint32_t)));
  out_.put(bytes_of(length));
}

// Kept only when it is written: should it begin a file, it must not be in that file's head as well.
void PcapngSink::end_lasting_block() {
  const std::size_t start = out_.size();
  end_block();
  const std::string block{out_.view().substr(start)};
  output_.end_line();
  lasting_.put(block);
}

void PcapngSink::put_option(std::uint16_t code, std::string_view value) {
  put_u16(code);
  put_u16(static_cast<std::uint16_t>(value.size()));
  block_.put(value);
  pad();
}

void PcapngSink::put_u16(std::uint16_t value) {
  block_.put(bytes_of(value));
}

void PcapngSink::put_u32(std::uint32_t value) {
  block_.put(bytes_of(value));
}

void PcapngSink::pad() {
  while (block_.size() % sizeof(std::uint32_t) != 0)
    block_.put('\0');
}

}  // namespace skbtrail
