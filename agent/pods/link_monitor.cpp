#include "pods/link_monitor.h"

#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <algorithm>
#include <cstring>

namespace skbtrail {
namespace {

constexpr int kEventBytes = 1 << 20;  // what may pile up unread: some hundreds of changes
constexpr std::size_t kDatagramBytes = 64 << 10;
constexpr timeval kAnswerWithin{.tv_sec = 2, .tv_usec = 0};
constexpr int kMostDatagrams = 1024;  // of one update(); the rest is taken by the next one
constexpr int kListAtMost = 5;        // times, when a list changes again and again while it is read

using Request = std::array<std::byte, 256>;

nlmsghdr* begin(Request& request, std::uint16_t type, std::uint16_t flags) {
  auto* message = mnl_nlmsg_put_header(request.data());
  message->nlmsg_type = type;
  message->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  return message;
}

Result<UniqueFd> open_netlink(int flags, unsigned groups) {
  UniqueFd socket{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, NETLINK_ROUTE)};
  if (const int err = errno; !socket)
    return fail(err, "open an rtnetlink socket");
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address))) {
    const int err = errno;
    return fail(err, "bind an rtnetlink socket");
  }
  return socket;
}

bool set_option(const UniqueFd& socket, int level, int option, int value) {
  return ::setsockopt(socket.get(), level, option, &value, sizeof(value)) == 0;
}

// Number of the namespace that a message came from; absent: the socket's own.
std::optional<std::int32_t> sender_of(msghdr& header) {
  for (auto* part = CMSG_FIRSTHDR(&header); part; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_NETLINK || part->cmsg_type != NETLINK_LISTEN_ALL_NSID)
      continue;
    std::int32_t nsid = 0;
    std::memcpy(&nsid, CMSG_DATA(part), sizeof(nsid));
    return nsid;
  }
  return std::nullopt;
}

// The namespace went between our knowing of it and our asking.
bool says_gone(const Error& error) {
  return error.code == EINVAL || error.code == ENODEV || error.code == ENOENT;
}

}  // namespace

LinkMonitor::LinkMonitor(UniqueFd events, UniqueFd requests, UniqueFd own, std::uint32_t own_inum)
    : events_(std::move(events)),
      requests_(std::move(requests)),
      own_(std::move(own)),
      own_inum_(own_inum),
      buffer_(kDatagramBytes) {}

Result<std::unique_ptr<LinkMonitor>> LinkMonitor::open() {
  UniqueFd own{::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
  if (const int err = errno; !own)
    return fail(err, "open '/proc/thread-self/ns/net'");
  struct stat info {};
  if (::fstat(own.get(), &info)) {
    const int err = errno;
    return fail(err, "read '/proc/thread-self/ns/net'");
  }
  UniqueFd events = TRY(open_netlink(SOCK_NONBLOCK, RTMGRP_LINK));
  UniqueFd requests = TRY(open_netlink(0, 0));
  // The default would lose messages when a node starts many pods at once; a refusal costs a list more.
  (void)set_option(events, SOL_SOCKET, SO_RCVBUF, kEventBytes);
  (void)set_option(events, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, RTNLGRP_NSID);
  (void)::setsockopt(requests.get(), SOL_SOCKET, SO_RCVTIMEO, &kAnswerWithin, sizeof(kAnswerWithin));
  const bool hears_all = set_option(events, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, 1);
  auto monitor = std::unique_ptr<LinkMonitor>(
      new LinkMonitor(std::move(events), std::move(requests), std::move(own), static_cast<std::uint32_t>(info.st_ino)));
  monitor->hears_all_ = hears_all;
  auto& home = monitor->namespaces_[kOwn];
  home.inum = monitor->own_inum_;
  TRY(monitor->list(kOwn, home));
  return monitor;
}

Result<> LinkMonitor::cover(std::span<const NetnsFd> namespaces) {
  // First what has gone, whose inum a new namespace may have by now.
  hear();
  const auto wanted = [&](std::uint32_t inum) {
    return inum == own_inum_ || std::ranges::find(namespaces, inum, &NetnsFd::inum) != namespaces.end();
  };
  changed_ = std::erase_if(namespaces_, [&](const auto& entry) { return !wanted(entry.second.inum); }) > 0 || changed_;
  Result<> result;
  for (const auto& file : namespaces) {
    const auto known = [&](const auto& entry) { return entry.second.inum == file.inum; };
    if (std::ranges::any_of(namespaces_, known))
      continue;
    auto added = add(file);
    if (result && !added)
      result = std::move(added);
  }
  return result;
}

Result<> LinkMonitor::add(const NetnsFd& file) {
  if (namespaces_.size() >= kMaxNamespaces) {
    ++counts_.over_bound;
    return {};
  }
  std::int32_t nsid = TRY(number_of(file.fd));
  if (nsid < 0) {
    TRY(give_number(file.fd));
    nsid = TRY(number_of(file.fd));
  }
  if (nsid < 0)
    return refuse(ENODEV, "cover network namespace inode:" + std::to_string(file.inum) + ": it has no number");
  auto& added = namespaces_[nsid];
  added = {.inum = file.inum};
  changed_ = true;
  auto listed = list(nsid, added);
  if (listed || !says_gone(listed.error()))
    return listed;
  namespaces_.erase(nsid);
  return {};
}

Result<bool> LinkMonitor::update() {
  hear();
  if (!hears_all_)
    doubt_all();
  const bool listed = TRY(list_stale());
  return std::exchange(changed_, false) || listed;
}

void LinkMonitor::doubt_all() {
  for (auto& [nsid, one] : namespaces_)
    one.stale = true;
}

void LinkMonitor::hear() {
  for (int taken = 0; taken < kMostDatagrams && hear_datagram(); ++taken) {
  }
}

// False: nothing more is there.
bool LinkMonitor::hear_datagram() {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(std::int32_t)) + 64> control;
  iovec vector{.iov_base = buffer_.data(), .iov_len = buffer_.size()};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  const ssize_t got = ::recvmsg(events_.get(), &header, 0);
  if (got < 0) {
    if (errno == EINTR)
      return true;
    if (errno == EAGAIN)
      return false;
    // ENOBUFS: messages were lost. Any other error is taken for the same.
    const bool more = errno == ENOBUFS;
    ++counts_.overruns;
    doubt_all();
    return more;
  }
  const std::int32_t from = sender_of(header).value_or(kOwn);
  const auto read = read_netlink({buffer_.data(), static_cast<std::size_t>(got)},
                                 [&](const NetlinkMessage& message) { hear_message(message, from); });
  if (!read || (header.msg_flags & MSG_TRUNC)) {
    ++counts_.overruns;
    doubt_all();
  }
  return true;
}

void LinkMonitor::hear_message(const NetlinkMessage& message, std::int32_t from) {
  if (message.kind == NetlinkKind::NsidGone && from == kOwn && message.nsid && *message.nsid != kOwn) {
    changed_ = namespaces_.erase(*message.nsid) > 0 || changed_;
    return;
  }
  // What it says of a link's other end is in the numbers of the sender's table, not of ours: ask instead of reading.
  const auto found = namespaces_.find(from);
  if (message.kind == NetlinkKind::Link && found != namespaces_.end())
    found->second.stale = true;
}

Result<bool> LinkMonitor::list_stale() {
  bool any = false;
  for (auto at = namespaces_.begin(); at != namespaces_.end();) {
    auto& [nsid, one] = *at;
    if (!one.stale) {
      ++at;
      continue;
    }
    any = true;
    const auto listed = list(nsid, one);
    if (!listed && !says_gone(listed.error()))
      return listed.error();
    at = listed ? std::next(at) : namespaces_.erase(at);
  }
  return any;
}

Result<> LinkMonitor::list(std::int32_t nsid, Namespace& into) {
  std::vector<LinkMessage> links;
  for (int times = 0; times < kListAtMost; ++times) {
    links.clear();
    const bool whole = TRY(list_once(nsid, links));
    if (whole)
      break;
  }
  into.links.clear();
  const std::size_t room = kMaxInterfaces - std::min(kMaxInterfaces, interface_count());
  if (links.size() > room) {
    counts_.over_bound += links.size() - room;
    links.resize(room);
  }
  into.links = std::move(links);
  into.stale = false;
  return learn_own_number();
}

// False: it changed meanwhile.
Result<bool> LinkMonitor::list_once(std::int32_t nsid, std::vector<LinkMessage>& links) {
  Request request{};
  auto* message = begin(request, RTM_GETLINK, NLM_F_DUMP);
  auto* header = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg)));
  header->ifi_family = AF_UNSPEC;
  // Statistics and virtual functions are most of an answer, and not looked at.
  mnl_attr_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  if (nsid != kOwn)
    mnl_attr_put_u32(message, IFLA_TARGET_NETNSID, static_cast<std::uint32_t>(nsid));
  bool whole = true;
  auto asked = ask(message, [&](const NetlinkMessage& answer) {
    whole = whole && !answer.interrupted;
    if (answer.kind == NetlinkKind::Link && answer.link && links.size() <= kMaxInterfaces)
      links.push_back(*answer.link);
  });
  if (!asked) {
    counts_.refused += says_gone(asked.error()) ? 0 : 1;
    return within(nsid == kOwn ? "list network interfaces" : "list the network interfaces of a pod (CAP_NET_ADMIN)",
                  std::move(asked.error()));
  }
  return whole;
}

// -1: it has none yet.
Result<std::int32_t> LinkMonitor::number_of(int netns_fd) {
  Request request{};
  auto* message = begin(request, RTM_GETNSID, 0);
  (void)mnl_nlmsg_put_extra_header(message, sizeof(rtgenmsg));
  mnl_attr_put_u32(message, NETNSA_FD, static_cast<std::uint32_t>(netns_fd));
  std::optional<std::int32_t> nsid;
  auto asked = ask(message, [&](const NetlinkMessage& answer) {
    if (answer.kind == NetlinkKind::Nsid)
      nsid = answer.nsid;
  });
  if (!asked)
    return within("ask for the number of a network namespace", std::move(asked.error()));
  return nsid.value_or(-1);
}

Result<> LinkMonitor::give_number(int netns_fd) {
  Request request{};
  auto* message = begin(request, RTM_NEWNSID, NLM_F_ACK);
  (void)mnl_nlmsg_put_extra_header(message, sizeof(rtgenmsg));
  mnl_attr_put_u32(message, NETNSA_FD, static_cast<std::uint32_t>(netns_fd));
  mnl_attr_put_u32(message, NETNSA_NSID, static_cast<std::uint32_t>(-1));  // any that is free
  auto asked = ask(message, [](const NetlinkMessage&) {});
  // EEXIST: the kernel was faster.
  if (!asked && asked.error().code != EEXIST)
    return within("give a network namespace a number (CAP_NET_ADMIN)", std::move(asked.error()));
  return {};
}

// The kernel gives the own namespace a number when it first has to name it as the other end of somebody's link.
Result<> LinkMonitor::learn_own_number() {
  if (own_nsid_)
    return {};
  const std::int32_t nsid = TRY(number_of(own_.get()));
  if (nsid >= 0)
    own_nsid_ = nsid;
  return {};
}

// Sends one request and hands over its answers, up to the last one.
template <class Take>
Result<> LinkMonitor::ask(void* request, Take&& take) {
  auto* message = static_cast<nlmsghdr*>(request);
  message->nlmsg_seq = ++sequence_;
  if (::send(requests_.get(), message, message->nlmsg_len, 0) < 0) {
    const int err = errno;
    return fail(err, "send to rtnetlink");
  }
  const bool is_list = message->nlmsg_flags & NLM_F_DUMP;
  const bool is_acknowledged = message->nlmsg_flags & NLM_F_ACK;
  bool ended = false;
  int error = 0;
  while (!ended) {
    const ssize_t got = ::recv(requests_.get(), buffer_.data(), buffer_.size(), 0);
    if (got < 0) {
      const int err = errno;
      if (err == EINTR)
        continue;
      return fail(err == EAGAIN ? ETIMEDOUT : err, "read from rtnetlink");
    }
    TRY(read_netlink({buffer_.data(), static_cast<std::size_t>(got)}, [&](const NetlinkMessage& answer) {
      // What is left of a request that was given up is not for this one.
      if (answer.sequence != sequence_)
        return;
      take(answer);
      if (answer.kind == NetlinkKind::Failed)
        error = answer.error;
      ended = ended || answer.kind == NetlinkKind::Done || answer.kind == NetlinkKind::Failed ||
              (!is_list && !is_acknowledged);
    }));
  }
  if (error)
    return fail(error, "answer of rtnetlink");
  return {};
}

std::size_t LinkMonitor::interface_count() const {
  std::size_t count = 0;
  for (const auto& [nsid, one] : namespaces_)
    count += one.links.size();
  return count;
}

// Where the other end of a link is; 0: in a namespace that is not covered.
std::uint32_t LinkMonitor::inum_of(const Namespace& home, const LinkMessage& link) const {
  if (link.link_ifindex == 0)
    return 0;
  if (!link.link_nsid)
    return home.inum;
  if (link.link_nsid == own_nsid_)
    return own_inum_;
  const auto found = namespaces_.find(*link.link_nsid);
  return found != namespaces_.end() && *link.link_nsid != kOwn ? found->second.inum : 0;
}

std::vector<Interface> LinkMonitor::interfaces() const {
  std::vector<Interface> all;
  all.reserve(interface_count());
  for (const auto& [nsid, home] : namespaces_)
    for (const auto& link : home.links)
      all.push_back({.netns_inum = home.inum,
                     .ifindex = link.ifindex,
                     .name = link.name,
                     .kind = link.kind,
                     .link_ifindex = link.link_ifindex,
                     .link_netns_inum = inum_of(home, link)});
  return all;
}

}  // namespace skbtrail
