#include "pods/link_message.h"

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

using namespace skbtrail;

namespace {

// One netlink message by words: a_message(RTM_NEWLINK).with_link(2).text(IFLA_IFNAME, "eth0").
class MessageBuilder {
public:
  explicit MessageBuilder(std::uint16_t type, std::uint16_t flags = 0) {
    auto* message = mnl_nlmsg_put_header(bytes_.data());
    message->nlmsg_type = type;
    message->nlmsg_flags = flags;
    message->nlmsg_seq = 7;
  }
  MessageBuilder& with_link(int ifindex) {
    auto* header = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(message(), sizeof(ifinfomsg)));
    header->ifi_index = ifindex;
    return *this;
  }
  MessageBuilder& with_namespace() {
    (void)mnl_nlmsg_put_extra_header(message(), sizeof(rtgenmsg));
    return *this;
  }
  MessageBuilder& number(std::uint16_t type, std::uint32_t value) {
    mnl_attr_put_u32(message(), type, value);
    return *this;
  }
  MessageBuilder& text(std::uint16_t type, const char* value) {
    mnl_attr_put_strz(message(), type, value);
    return *this;
  }
  MessageBuilder& raw(std::uint16_t type, std::vector<std::uint8_t> value) {
    mnl_attr_put(message(), type, value.size(), value.data());
    return *this;
  }
  MessageBuilder& of_kind(const char* kind) {
    auto* nest = mnl_attr_nest_start(message(), IFLA_LINKINFO);
    mnl_attr_put_strz(message(), IFLA_INFO_KIND, kind);
    mnl_attr_nest_end(message(), nest);
    return *this;
  }
  MessageBuilder& body(std::int32_t value) {
    std::memcpy(mnl_nlmsg_put_extra_header(message(), sizeof(value)), &value, sizeof(value));
    return *this;
  }
  std::vector<std::byte> bytes() const {
    const auto* first = reinterpret_cast<const std::byte*>(bytes_.data());
    return {first, first + reinterpret_cast<const nlmsghdr*>(bytes_.data())->nlmsg_len};
  }

private:
  nlmsghdr* message() { return reinterpret_cast<nlmsghdr*>(bytes_.data()); }
  alignas(nlmsghdr) std::array<std::uint8_t, 4096> bytes_{};
};

std::vector<NetlinkMessage> read(const std::vector<std::byte>& datagram) {
  std::vector<NetlinkMessage> messages;
  REQUIRE(read_netlink(datagram, [&](const NetlinkMessage& message) { messages.push_back(message); }));
  return messages;
}

NetlinkMessage read_one(const MessageBuilder& message) {
  const auto messages = read(message.bytes());
  REQUIRE(messages.size() == 1);
  return messages.front();
}

}  // namespace

TEST_CASE("a datagram that ends within a message is refused, and what came before it is taken") {
  auto datagram = MessageBuilder(RTM_NEWLINK).with_link(2).bytes();
  const auto second = MessageBuilder(RTM_NEWLINK).with_link(3).bytes();
  datagram.insert(datagram.end(), second.begin(), second.end() - 4);
  int taken = 0;
  const auto result = read_netlink(datagram, [&](const NetlinkMessage&) { ++taken; });
  REQUIRE_FALSE(result);
  CHECK(result.error().code == EBADMSG);
  CHECK(taken == 1);
}

TEST_CASE("a message that is shorter than its header is refused") {
  auto datagram = MessageBuilder(RTM_NEWLINK).with_link(2).bytes();
  const std::uint32_t lie = 3;
  std::memcpy(datagram.data(), &lie, sizeof(lie));
  CHECK_FALSE(read_netlink(datagram, [](const NetlinkMessage&) {}));
}

TEST_CASE("a message that claims more than 2 GiB is refused, and not looked at") {
  auto datagram = MessageBuilder(RTM_NEWLINK).with_link(2).bytes();
  const std::uint32_t lie = 0x80000020;
  std::memcpy(datagram.data(), &lie, sizeof(lie));
  int taken = 0;
  CHECK_FALSE(read_netlink(datagram, [&](const NetlinkMessage&) { ++taken; }));
  CHECK(taken == 0);
}

TEST_CASE("a link without its header or its index is none") {
  CHECK_FALSE(read_one(MessageBuilder(RTM_NEWLINK)).link);
  CHECK_FALSE(read_one(MessageBuilder(RTM_NEWLINK).with_link(0)).link);
  CHECK_FALSE(read_one(MessageBuilder(RTM_NEWLINK).with_link(-5)).link);
}

TEST_CASE("an attribute of the wrong size is as good as none") {
  const auto message =
      read_one(MessageBuilder(RTM_NEWLINK).with_link(2).raw(IFLA_LINK, {1, 2}).raw(IFLA_IFNAME, {'e', 'x'}));
  REQUIRE(message.link);
  CHECK(message.link->link_ifindex == 0);
  CHECK(message.link->name == "ex");
  CHECK_FALSE(message.link->link_nsid);
}

TEST_CASE("a veth is read with its name, kind, other end and where that is") {
  const auto message = read_one(MessageBuilder(RTM_NEWLINK)
                                    .with_link(12)
                                    .text(IFLA_IFNAME, "veth1a2b")
                                    .number(IFLA_LINK, 2)
                                    .of_kind("veth")
                                    .number(IFLA_LINK_NETNSID, 5));
  CHECK(message.kind == NetlinkKind::Link);
  CHECK(message.sequence == 7);
  CHECK_FALSE(message.interrupted);
  REQUIRE(message.link);
  CHECK(*message.link ==
        LinkMessage{.ifindex = 12, .name = "veth1a2b", .kind = "veth", .link_ifindex = 2, .link_nsid = 5});
}

TEST_CASE("a removed link only says that something changed") {
  const auto message = read_one(MessageBuilder(RTM_DELLINK).with_link(12));
  CHECK(message.kind == NetlinkKind::Link);
  CHECK_FALSE(message.link);
}

TEST_CASE("a namespace without a number is told from one with the number 0") {
  const auto none = read_one(MessageBuilder(RTM_NEWNSID).with_namespace().number(NETNSA_NSID, UINT32_MAX));
  CHECK(none.kind == NetlinkKind::Nsid);
  CHECK(none.nsid == -1);
  CHECK(read_one(MessageBuilder(RTM_NEWNSID).with_namespace().number(NETNSA_NSID, 0)).nsid == 0);
  CHECK_FALSE(read_one(MessageBuilder(RTM_NEWNSID)).nsid);
  const auto gone = read_one(MessageBuilder(RTM_DELNSID).with_namespace().number(NETNSA_NSID, 3));
  CHECK(gone.kind == NetlinkKind::NsidGone);
  CHECK(gone.nsid == 3);
}

TEST_CASE("errors are positive, success is the end, and an error without a number is one") {
  CHECK(read_one(MessageBuilder(NLMSG_ERROR).body(-EPERM)).error == EPERM);
  CHECK(read_one(MessageBuilder(NLMSG_ERROR).body(-EPERM)).kind == NetlinkKind::Failed);
  CHECK(read_one(MessageBuilder(NLMSG_ERROR).body(0)).kind == NetlinkKind::Done);
  CHECK(read_one(MessageBuilder(NLMSG_ERROR)).error == EBADMSG);
  CHECK(read_one(MessageBuilder(NLMSG_ERROR).body(INT32_MIN)).error == EBADMSG);
  CHECK(read_one(MessageBuilder(NLMSG_ERROR).body(5)).error == EBADMSG);
}

TEST_CASE("a list that changed while it was read says so in any of its messages") {
  CHECK(read_one(MessageBuilder(NLMSG_DONE, NLM_F_DUMP_INTR)).interrupted);
  CHECK(read_one(MessageBuilder(RTM_NEWLINK, NLM_F_DUMP_INTR).with_link(2)).interrupted);
}

TEST_CASE("several messages of one datagram are taken in their order") {
  auto datagram = MessageBuilder(RTM_NEWLINK).with_link(2).text(IFLA_IFNAME, "a").bytes();
  const auto second = MessageBuilder(NLMSG_DONE).body(0).bytes();
  datagram.insert(datagram.end(), second.begin(), second.end());
  const auto messages = read(datagram);
  REQUIRE(messages.size() == 2);
  CHECK(messages[0].kind == NetlinkKind::Link);
  CHECK(messages[1].kind == NetlinkKind::Done);
}
