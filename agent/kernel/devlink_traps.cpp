#include "kernel/devlink_traps.h"

#include <linux/devlink.h>
#include <linux/genetlink.h>

#include <array>
#include <cstring>
#include <functional>
#include <string_view>
#include <utility>

#include "kernel/netlink_socket.h"

namespace skbtrail {
namespace {

constexpr std::uint32_t kSequence = 1;

struct Question {
  std::uint16_t family;
  std::uint8_t command;
  bool is_dump = false;
  const char* name = nullptr;  // of a family
};

Result<> send(mnl_socket* socket, const Question& question) {
  std::array<char, 128> buffer{};
  nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
  request->nlmsg_type = question.family;
  request->nlmsg_flags = static_cast<__u16>(NLM_F_REQUEST | (question.is_dump ? NLM_F_DUMP : NLM_F_ACK));
  request->nlmsg_seq = kSequence;
  auto* header = static_cast<genlmsghdr*>(mnl_nlmsg_put_extra_header(request, sizeof(genlmsghdr)));
  header->cmd = question.command;
  header->version = 1;
  if (question.name)
    mnl_attr_put_strz(request, CTRL_ATTR_FAMILY_NAME, question.name);
  if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0) {
    const int err = errno;
    return fail(err, "ask devlink");
  }
  return {};
}

// Gives each piece of the answer to `take`, which hands back what libmnl says of it.
Result<> ask(const Question& question, const std::function<int(std::span<const char>)>& take) {
  const NetlinkSocket socket{mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC)};
  if (const int err = errno; !socket)
    return fail(err, "open a socket of generic netlink");
  TRY(send(socket.get(), question));
  std::vector<char> buffer(kNetlinkBufferBytes);
  for (int more = MNL_CB_OK; more > MNL_CB_STOP;) {
    const ssize_t got = mnl_socket_recvfrom(socket.get(), buffer.data(), buffer.size());
    if (got >= 0)
      more = take({buffer.data(), static_cast<std::size_t>(got)});
    const int err = errno;
    if (got < 0 || more < 0)
      return fail(err, "hear from devlink");
  }
  return {};
}

// Zero when it is of another size.
template <class Number>
Number number_of(const nlattr* attribute) {
  Number number = 0;
  if (mnl_attr_get_payload_len(attribute) >= sizeof(number))
    std::memcpy(&number, mnl_attr_get_payload(attribute), sizeof(number));
  return number;
}

int take_family(const nlattr* attribute, void* data) {
  if (mnl_attr_get_type(attribute) == CTRL_ATTR_FAMILY_ID)
    *static_cast<std::uint16_t*>(data) = number_of<std::uint16_t>(attribute);
  return MNL_CB_OK;
}

int take_answer(const nlmsghdr* message, void* data) {
  return mnl_attr_parse(message, sizeof(genlmsghdr), take_family, data);
}

int take_count(const nlattr* attribute, void* data) {
  auto& trap = *static_cast<DevlinkTrap*>(data);
  if (mnl_attr_get_type(attribute) == DEVLINK_ATTR_STATS_RX_PACKETS)
    trap.passed = number_of<std::uint64_t>(attribute);
  else if (mnl_attr_get_type(attribute) == DEVLINK_ATTR_STATS_RX_DROPPED)
    trap.dropped = number_of<std::uint64_t>(attribute);
  return MNL_CB_OK;
}

int take_attribute(const nlattr* attribute, void* data) {
  auto& trap = *static_cast<DevlinkTrap*>(data);
  switch (mnl_attr_get_type(attribute)) {
    // The bus comes before the name.
    case DEVLINK_ATTR_BUS_NAME: trap.device = text_of(attribute); break;
    case DEVLINK_ATTR_DEV_NAME: (trap.device += '/') += text_of(attribute); break;
    case DEVLINK_ATTR_TRAP_NAME: trap.name = text_of(attribute); break;
    case DEVLINK_ATTR_TRAP_TYPE:
      trap.takes_packets = number_of<std::uint8_t>(attribute) == DEVLINK_TRAP_TYPE_DROP;
      break;
    case DEVLINK_ATTR_STATS: return mnl_attr_parse_nested(attribute, take_count, data);
    default: break;
  }
  return MNL_CB_OK;
}

int take_trap(const nlmsghdr* message, void* data) {
  auto& traps = *static_cast<std::vector<DevlinkTrap>*>(data);
  if (traps.size() >= DevlinkTraps::kMostTraps || mnl_nlmsg_get_payload_len(message) < sizeof(genlmsghdr))
    return MNL_CB_OK;
  DevlinkTrap trap;
  if (mnl_attr_parse(message, sizeof(genlmsghdr), take_attribute, &trap) < MNL_CB_STOP)
    return MNL_CB_ERROR;
  if (!trap.name.empty())
    traps.push_back(std::move(trap));
  return MNL_CB_OK;
}

int take_device(const nlmsghdr* message, void* data) {
  auto& devices = *static_cast<std::set<std::string>*>(data);
  if (devices.size() >= DevlinkTraps::kMostTraps || mnl_nlmsg_get_payload_len(message) < sizeof(genlmsghdr))
    return MNL_CB_OK;
  DevlinkTrap nameless;
  if (mnl_attr_parse(message, sizeof(genlmsghdr), take_attribute, &nameless) < MNL_CB_STOP)
    return MNL_CB_ERROR;
  devices.insert(std::move(nameless.device));
  return MNL_CB_OK;
}

}  // namespace

int take_devlink_traps(std::span<const char> piece, std::vector<DevlinkTrap>& traps) {
  return mnl_cb_run(piece.data(), piece.size(), kSequence, 0, take_trap, &traps);
}

int take_devlink_devices(std::span<const char> piece, std::set<std::string>& devices) {
  return mnl_cb_run(piece.data(), piece.size(), kSequence, 0, take_device, &devices);
}

Result<DevlinkTraps> DevlinkTraps::open() {
  std::uint16_t family = 0;
  TRY(ask({.family = GENL_ID_CTRL, .command = CTRL_CMD_GETFAMILY, .name = DEVLINK_GENL_NAME},
          [&](std::span<const char> piece) {
            return mnl_cb_run(piece.data(), piece.size(), kSequence, 0, take_answer, &family);
          }));
  if (family == 0)
    return refuse(EBADMSG, "look for devlink: the kernel names no number");
  return DevlinkTraps{family};
}

Result<std::vector<DevlinkTrap>> DevlinkTraps::read() const {
  std::vector<DevlinkTrap> traps;
  TRY(ask({.family = family_, .command = DEVLINK_CMD_TRAP_GET, .is_dump = true},
          [&](std::span<const char> piece) { return take_devlink_traps(piece, traps); }));
  return traps;
}

Result<std::set<std::string>> DevlinkTraps::devices() const {
  std::set<std::string> devices;
  TRY(ask({.family = family_, .command = DEVLINK_CMD_GET, .is_dump = true},
          [&](std::span<const char> piece) { return take_devlink_devices(piece, devices); }));
  return devices;
}

}  // namespace skbtrail
