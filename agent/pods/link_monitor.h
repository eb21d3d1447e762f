#pragma once
// LinkMonitor: the interfaces of the host's network namespace and of every namespace it is told to cover, kept up to
// date by rtnetlink. One socket hears all of them (NETLINK_LISTEN_ALL_NSID), another lists one namespace by its number
// (IFLA_TARGET_NETNSID): no thread and no socket of ours is in a pod, nothing of ours keeps a namespace alive, and
// CAP_NET_ADMIN is enough where setns() would need CAP_SYS_ADMIN. A namespace that has no number in the host's table
// yet gets one, as the kernel itself gives it one once a veth leads there; it dies with the namespace.

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "pods/facts.h"
#include "pods/link_message.h"

namespace skbtrail {

// A network namespace and a file of nsfs that names it, borrowed for the call.
struct NetnsFd {
  std::uint32_t inum = 0;
  int fd = -1;
};

// Used by one thread.
class LinkMonitor final {
public:
  // What is beyond is left out, and counted.
  static constexpr std::size_t kMaxNamespaces = 4096;
  static constexpr std::size_t kMaxInterfaces = 65'536;  // of all namespaces together

  struct Counts {
    std::uint64_t overruns = 0;    // the socket had no room for what changed: everything was listed again
    std::uint64_t refused = 0;     // lists that the kernel refused for another reason than the namespace's end
    std::uint64_t over_bound = 0;  // namespaces and interfaces that were left out
  };

  // Sees what the calling thread's network namespace sees, which should be the host's. EPERM: needs CAP_NET_ADMIN.
  static Result<std::unique_ptr<LinkMonitor>> open();

  // Readable when there is something for update().
  int fd() const { return events_.get(); }
  // False: the kernel tells about the own namespace only (needs CAP_NET_BROADCAST), so the others are listed anew by
  // each update(), which should then be called from time to time.
  bool hears_all() const { return hears_all_; }

  // These namespaces and the own one, no others; those that are new are listed. One that fails does not keep the others
  // away, and is tried again by the next call; the first error is returned.
  Result<> cover(std::span<const NetnsFd> namespaces);
  // Takes what the kernel has told and lists what changed. True: interfaces() may have changed.
  Result<bool> update();
  // Everything again, as after a lost message.
  void doubt_all();

  std::uint32_t own_inum() const { return own_inum_; }
  std::vector<Interface> interfaces() const;
  const Counts& counts() const { return counts_; }

private:
  static constexpr std::int32_t kOwn = -1;  // key of the own namespace, which asks without a number

  struct Namespace {
    std::uint32_t inum = 0;
    bool stale = true;
    std::vector<LinkMessage> links = {};
  };

  LinkMonitor(UniqueFd events, UniqueFd requests, UniqueFd own, std::uint32_t own_inum);

  void hear();
  bool hear_datagram();
  void hear_message(const NetlinkMessage& message, std::int32_t from);
  Result<> add(const NetnsFd& file);
  Result<bool> list_stale();
  Result<> list(std::int32_t nsid, Namespace& into);
  Result<bool> list_once(std::int32_t nsid, std::vector<LinkMessage>& links);
  Result<std::int32_t> number_of(int netns_fd);
  Result<> give_number(int netns_fd);
  Result<> learn_own_number();
  template <class Take>
  Result<> ask(void* request, Take&& take);  // `request`: a struct nlmsghdr
  std::size_t interface_count() const;
  std::uint32_t inum_of(const Namespace& home, const LinkMessage& link) const;

  UniqueFd events_;
  UniqueFd requests_;
  UniqueFd own_;
  std::uint32_t own_inum_;
  std::optional<std::int32_t> own_nsid_;  // as others' links name it; absent until the kernel has given one
  bool hears_all_ = false;
  bool changed_ = false;
  std::uint32_t sequence_ = 0;
  std::map<std::int32_t, Namespace> namespaces_;  // by their number in the own namespace
  Counts counts_;
  std::vector<std::byte> buffer_;
};

}  // namespace skbtrail
