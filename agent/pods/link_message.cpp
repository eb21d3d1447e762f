#include "pods/link_message.h"

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>

#include <array>
#include <cstring>

namespace skbtrail {
namespace {

// Attributes of a message by type; null: not there. A later one of the same type counts.
template <std::size_t Types>
using Attributes = std::array<const nlattr*, Types>;

template <std::size_t Types>
struct Collected {
  Attributes<Types> attributes{};

  static int take(const nlattr* attribute, void* self) {
    const std::uint16_t type = mnl_attr_get_type(attribute);
    if (type < Types)
      static_cast<Collected*>(self)->attributes[type] = attribute;
    return MNL_CB_OK;
  }
};

// What follows `fixed` bytes of a message's own header.
template <std::size_t Types>
Attributes<Types> attributes_of(const nlmsghdr* message, unsigned fixed) {
  Collected<Types> collected;
  (void)mnl_attr_parse(message, fixed, Collected<Types>::take, &collected);
  return collected.attributes;
}

template <std::size_t Types>
Attributes<Types> attributes_within(const nlattr* attribute) {
  Collected<Types> collected;
  (void)mnl_attr_parse_nested(attribute, Collected<Types>::take, &collected);
  return collected.attributes;
}

std::optional<std::uint32_t> number_of(const nlattr* attribute) {
  if (!attribute || mnl_attr_get_payload_len(attribute) != sizeof(std::uint32_t))
    return std::nullopt;
  return mnl_attr_get_u32(attribute);
}

std::optional<std::int32_t> nsid_of(const nlattr* attribute) {
  const auto number = number_of(attribute);
  return number ? std::optional(static_cast<std::int32_t>(*number)) : std::nullopt;
}

// Up to its NUL, or its end when there is none.
std::string text_of(const nlattr* attribute) {
  if (!attribute)
    return {};
  const char* text = mnl_attr_get_str(attribute);
  return {text, ::strnlen(text, mnl_attr_get_payload_len(attribute))};
}

std::optional<LinkMessage> link_of(const nlmsghdr* message) {
  if (mnl_nlmsg_get_payload_len(message) < sizeof(ifinfomsg))
    return std::nullopt;
  ifinfomsg header{};
  std::memcpy(&header, mnl_nlmsg_get_payload(message), sizeof(header));
  if (header.ifi_index <= 0)
    return std::nullopt;
  const auto attributes = attributes_of<IFLA_MAX + 1>(message, sizeof(header));
  LinkMessage link{.ifindex = static_cast<std::uint32_t>(header.ifi_index), .name = text_of(attributes[IFLA_IFNAME])};
  if (attributes[IFLA_LINKINFO])
    link.kind = text_of(attributes_within<IFLA_INFO_MAX + 1>(attributes[IFLA_LINKINFO])[IFLA_INFO_KIND]);
  link.link_ifindex = number_of(attributes[IFLA_LINK]).value_or(0);
  link.link_nsid = nsid_of(attributes[IFLA_LINK_NETNSID]);
  return link;
}

// The same as NETNSA_NSID, of messages that may lack their header.
std::optional<std::int32_t> namespace_of(const nlmsghdr* message) {
  if (mnl_nlmsg_get_payload_len(message) < sizeof(rtgenmsg))
    return std::nullopt;
  return nsid_of(attributes_of<NETNSA_MAX + 1>(message, sizeof(rtgenmsg))[NETNSA_NSID]);
}

NetlinkMessage error_of(const nlmsghdr* message) {
  // A message of this type without its body says only that something went wrong.
  std::int32_t negative = -EBADMSG;
  if (mnl_nlmsg_get_payload_len(message) >= sizeof(negative))
    std::memcpy(&negative, mnl_nlmsg_get_payload(message), sizeof(negative));
  if (negative == 0)
    return {.kind = NetlinkKind::Done};
  const int error = negative > 0 || negative == INT32_MIN ? EBADMSG : -negative;
  return {.kind = NetlinkKind::Failed, .error = error};
}

NetlinkMessage content_of(const nlmsghdr* message) {
  switch (message->nlmsg_type) {
    case NLMSG_ERROR: return error_of(message);
    case NLMSG_DONE: return {.kind = NetlinkKind::Done};
    case RTM_NEWLINK: return {.kind = NetlinkKind::Link, .link = link_of(message)};
    case RTM_DELLINK: return {.kind = NetlinkKind::Link};
    case RTM_NEWNSID: return {.kind = NetlinkKind::Nsid, .nsid = namespace_of(message)};
    case RTM_DELNSID: return {.kind = NetlinkKind::NsidGone, .nsid = namespace_of(message)};
    default: return {.kind = NetlinkKind::Other};
  }
}

NetlinkMessage message_of(const nlmsghdr* message) {
  NetlinkMessage read = content_of(message);
  read.sequence = message->nlmsg_seq;
  read.interrupted = message->nlmsg_flags & NLM_F_DUMP_INTR;
  return read;
}

// libmnl compares lengths as signed numbers, so that one of more than 2 GiB would pass.
bool is_whole(const nlmsghdr* message, int left) {
  return mnl_nlmsg_ok(message, left) && message->nlmsg_len <= static_cast<unsigned>(left);
}

}  // namespace

Result<> read_netlink(std::span<const std::byte> datagram, const std::function<void(const NetlinkMessage&)>& take) {
  int left = static_cast<int>(datagram.size());
  const auto* message = reinterpret_cast<const nlmsghdr*>(datagram.data());
  while (is_whole(message, left)) {
    take(message_of(message));
    message = mnl_nlmsg_next(message, &left);
  }
  if (left > 0)
    return refuse(EBADMSG, "read netlink: the last " + std::to_string(left) + " bytes are no message");
  return {};
}

}  // namespace skbtrail
