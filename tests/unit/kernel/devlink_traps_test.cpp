#include "kernel/devlink_traps.h"

#include <libmnl/libmnl.h>
#include <linux/devlink.h>
#include <linux/genetlink.h>

#include <catch2/catch.hpp>

namespace skbtrail {
namespace {

// What the kernel answers, as its devlink writes it (devlink_nl_trap_fill).
class Answer {
public:
  Answer& trap(const char* device, const char* name, std::uint8_t type, std::uint64_t passed) {
    begin(NLMSG_MIN_TYPE + 1);
    auto* header = static_cast<genlmsghdr*>(mnl_nlmsg_put_extra_header(message_, sizeof(genlmsghdr)));
    header->cmd = DEVLINK_CMD_TRAP_NEW;
    mnl_attr_put_strz(message_, DEVLINK_ATTR_BUS_NAME, "pci");
    mnl_attr_put_strz(message_, DEVLINK_ATTR_DEV_NAME, device);
    mnl_attr_put_strz(message_, DEVLINK_ATTR_TRAP_GROUP_NAME, "l2_drops");
    mnl_attr_put_strz(message_, DEVLINK_ATTR_TRAP_NAME, name);
    mnl_attr_put_u8(message_, DEVLINK_ATTR_TRAP_TYPE, type);
    stats_ = mnl_attr_nest_start(message_, DEVLINK_ATTR_STATS);
    mnl_attr_put_u64(message_, DEVLINK_ATTR_STATS_RX_PACKETS, passed);
    mnl_attr_put_u64(message_, DEVLINK_ATTR_STATS_RX_BYTES, 100 * passed);
    return end();
  }
  // Of the trap before: Linux 5.14 has it.
  Answer& dropped(std::uint64_t count) {
    used_ = begins_;
    mnl_attr_put_u64(message_, DEVLINK_ATTR_STATS_RX_DROPPED, count);
    mnl_attr_nest_end(message_, stats_);
    return end();
  }
  Answer& done() {
    begin(NLMSG_DONE);
    mnl_nlmsg_put_extra_header(message_, sizeof(int));
    return end();
  }
  std::span<const char> bytes() const { return {buffer_.data(), used_}; }

private:
  void begin(std::uint16_t type) {
    begins_ = used_;
    stats_ = nullptr;
    message_ = mnl_nlmsg_put_header(buffer_.data() + used_);
    message_->nlmsg_type = type;
    message_->nlmsg_flags = NLM_F_MULTI;
    message_->nlmsg_seq = 1;
  }
  Answer& end() {
    if (stats_)
      mnl_attr_nest_end(message_, stats_);
    used_ = begins_ + NLMSG_ALIGN(message_->nlmsg_len);
    return *this;
  }

  alignas(nlmsghdr) std::vector<char> buffer_ = std::vector<char>(1U << 16);
  std::size_t begins_ = 0;
  std::size_t used_ = 0;
  nlmsghdr* message_ = nullptr;
  nlattr* stats_ = nullptr;
};

TEST_CASE("an answer that breaks off in a message is none") {
  Answer answer;
  answer.trap("0000:03:00.0", "vlan_tag_mismatch", DEVLINK_TRAP_TYPE_DROP, 7);
  std::vector<DevlinkTrap> traps;
  CHECK(take_devlink_traps(answer.bytes().first(20), traps) >= MNL_CB_ERROR);
  CHECK(traps.empty());
}

TEST_CASE("a trap has its device, its name and its counts") {
  Answer answer;
  answer.trap("0000:03:00.0", "vlan_tag_mismatch", DEVLINK_TRAP_TYPE_DROP, 7).dropped(3);
  answer.trap("0000:03:00.0", "ttl_value_is_too_small", DEVLINK_TRAP_TYPE_EXCEPTION, 9);
  std::vector<DevlinkTrap> traps;
  CHECK(take_devlink_traps(answer.bytes(), traps) == MNL_CB_OK);
  REQUIRE(traps.size() == 2);
  CHECK(traps[0].device == "pci/0000:03:00.0");
  CHECK(traps[0].name == "vlan_tag_mismatch");
  CHECK(traps[0].takes_packets);
  CHECK(traps[0].passed == 7);
  CHECK(traps[0].dropped == 3);
  CHECK(traps[1].name == "ttl_value_is_too_small");
  CHECK_FALSE(traps[1].takes_packets);
  CHECK(traps[1].passed == 9);
  CHECK(traps[1].dropped == 0);
}

TEST_CASE("devices have the names by which their traps are told") {
  Answer answer;
  answer.trap("0000:03:00.0", "vlan_tag_mismatch", DEVLINK_TRAP_TYPE_DROP, 7);
  std::set<std::string> devices;
  CHECK(take_devlink_devices(answer.bytes().first(20), devices) >= MNL_CB_ERROR);
  CHECK(devices.empty());
  CHECK(take_devlink_devices(answer.bytes(), devices) == MNL_CB_OK);
  CHECK(devices == std::set<std::string>{"pci/0000:03:00.0"});
}

TEST_CASE("an answer ends where the kernel says so") {
  Answer answer;
  answer.done();
  std::vector<DevlinkTrap> traps;
  CHECK(take_devlink_traps(answer.bytes(), traps) == MNL_CB_STOP);
}

TEST_CASE("of more traps than allowed the rest is left out") {
  std::vector<DevlinkTrap> traps(DevlinkTraps::kMostTraps);
  Answer answer;
  answer.trap("0000:03:00.0", "vlan_tag_mismatch", DEVLINK_TRAP_TYPE_DROP, 7);
  CHECK(take_devlink_traps(answer.bytes(), traps) == MNL_CB_OK);
  CHECK(traps.size() == DevlinkTraps::kMostTraps);
}

TEST_CASE("where the kernel has devlink its traps can be read, also when there are none") {
  const auto devlink = DevlinkTraps::open();
  if (!devlink)
    CHECK(devlink.error().code == ENOENT);
  else
    CHECK((devlink->read() && devlink->devices()));
}

}  // namespace
}  // namespace skbtrail
