#include "pods/sandbox_table.h"

#include <algorithm>
#include <string_view>

namespace skbtrail {
namespace {

// Then a sandbox is left as it is until its containers change: a namespace that cannot be found costs calls each time.
constexpr unsigned kMaxAttempts = 20;
// A sandbox whose shim hangs makes the runtime hang for it alone; several of them are the runtime itself.
constexpr int kMaxTimeouts = 2;

// What the kubelet adds for itself; the pod has these as fields.
constexpr std::string_view kOwnLabels[] = {"io.kubernetes.pod.name", "io.kubernetes.pod.namespace",
                                           "io.kubernetes.pod.uid"};

std::shared_ptr<const Pod> pod_of(const ListedSandbox& listed) {
  Pod pod{.namespace_name = listed.namespace_name, .name = listed.name, .uid = listed.uid, .labels = listed.labels};
  for (const std::string_view label : kOwnLabels)
    pod.labels.erase(std::string(label));
  return std::make_shared<const Pod>(std::move(pod));
}

std::shared_ptr<const Pod> on_host_network(const Pod& pod) {
  Pod host_pod = pod;
  host_pod.host_network = true;
  return std::make_shared<const Pod>(std::move(host_pod));
}

void give_back_netns(Sandbox& sandbox) {
  sandbox.netns = nullptr;
  sandbox.netns_inum = 0;
  sandbox.netns_cookie = 0;
}

std::string about(const Sandbox& sandbox) {
  return "pod '" + sandbox.pod->namespace_name + "/" + sandbox.pod->name + "'";
}

// Of one sandbox alone; the runtime itself answers.
bool is_of_sandbox(int error) {
  return error == ENOENT || error == EBADMSG || error == EIO;
}

const std::vector<ListedContainer>& of_sandbox(const std::map<std::string, std::vector<ListedContainer>>& containers,
                                               const std::string& id) {
  static const std::vector<ListedContainer> kNone;
  const auto found = containers.find(id);
  return found == containers.end() ? kNone : found->second;
}

}  // namespace

SandboxTable::SandboxTable(NetnsOpeners openers) : openers_(std::move(openers)) {}

Result<> SandboxTable::refresh(ContainerRuntime& runtime, SteadyTime now) {
  const auto listed = TRY(runtime.list_sandboxes());
  Containers containers;
  for (auto& one : TRY(runtime.list_containers()))
    if (auto& of_one = containers[one.sandbox_id]; of_one.size() < kMaxContainers)
      of_one.push_back(std::move(one));
  std::set<std::string> ids;
  for (const ListedSandbox& one : listed) {
    ids.insert(one.id);
    admit(one, now);
  }
  bury_missing(ids, now);
  note_containers(containers);
  return complete_all(runtime, containers);
}

bool SandboxTable::expire(SteadyTime now) {
  bool any = false;
  for (auto one = known_.begin(); one != known_.end();) {
    Known& known = one->second;
    if (known.sandbox.gone_since && now - *known.sandbox.gone_since >= kTombstone) {
      one = known_.erase(one);
      any = true;
      continue;
    }
    // Its interfaces are gone, and a namespace that is held for long is memory of the kernel's.
    if (known.sandbox.netns && known.stopped_since && now - *known.stopped_since >= kTombstone) {
      give_back_netns(known.sandbox);
      any = true;
    }
    ++one;
  }
  changed_ = changed_ || any;
  return any;
}

std::vector<Sandbox> SandboxTable::sandboxes() const {
  std::vector<Sandbox> sandboxes;
  sandboxes.reserve(known_.size());
  for (const auto& [id, known] : known_)
    sandboxes.push_back(known.sandbox);
  return sandboxes;
}

void SandboxTable::admit(const ListedSandbox& listed, SteadyTime now) {
  auto found = known_.find(listed.id);
  if (found == known_.end()) {
    if (known_.size() >= kMaxSandboxes) {
      note_fault(faults_.beyond_bound, "more than " + std::to_string(kMaxSandboxes) + " pod sandboxes on this node");
      return;
    }
    Known known;
    known.sandbox.pod = pod_of(listed);
    known.sandbox.id = listed.id;
    known.sandbox.created_ns = listed.created_ns;
    known.sandbox.ready = listed.ready;
    found = known_.emplace(listed.id, std::move(known)).first;
    changed_ = true;
  }
  Known& known = found->second;
  // One that was missing in a list and is back was never gone.
  if (known.sandbox.gone_since || known.sandbox.ready != listed.ready)
    changed_ = true;
  known.sandbox.gone_since.reset();
  known.sandbox.ready = listed.ready;
  if (listed.ready)
    known.stopped_since.reset();
  else if (!known.stopped_since)
    known.stopped_since = now;
}

void SandboxTable::bury_missing(const std::set<std::string>& listed, SteadyTime now) {
  for (auto& [id, known] : known_)
    if (!known.sandbox.gone_since && !listed.contains(id)) {
      known.sandbox.gone_since = now;
      known.sandbox.ready = false;
      changed_ = true;
    }
}

void SandboxTable::note_containers(const Containers& containers) {
  for (auto& [id, known] : known_) {
    std::vector<std::string> ids;
    for (const ListedContainer& one : of_sandbox(containers, id))
      ids.push_back(one.id);
    std::ranges::sort(ids);
    if (known.sandbox.gone_since || ids == known.sandbox.container_ids)
      continue;
    known.sandbox.container_ids = std::move(ids);
    known.attempts = 0;
    changed_ = true;
  }
}

bool SandboxTable::wants_more(const Known& known) const {
  const Sandbox& sandbox = known.sandbox;
  if (sandbox.gone_since || !sandbox.ready || known.attempts >= kMaxAttempts)
    return false;
  if (!known.has_status)
    return true;
  return !sandbox.pod->host_network && (sandbox.netns_inum == 0 || sandbox.addresses.empty());
}

Result<> SandboxTable::complete_all(ContainerRuntime& runtime, const Containers& containers) {
  int timeouts = 0;
  for (auto& [id, known] : known_) {
    if (!wants_more(known))
      continue;
    ++known.attempts;
    const auto done = complete(runtime, known, of_sandbox(containers, id));
    if (done)
      continue;
    const Error& error = done.error();
    if (error.code != ETIMEDOUT && !is_of_sandbox(error.code))
      return error;
    if (error.code != ENOENT)
      note_fault(faults_.malformed, about(known.sandbox) + ": " + error.message);
    if (error.code == ETIMEDOUT && ++timeouts >= kMaxTimeouts)
      return error;
  }
  return {};
}

Result<> SandboxTable::complete(ContainerRuntime& runtime, Known& known,
                                const std::vector<ListedContainer>& containers) {
  auto status = TRY(runtime.sandbox_status(known.sandbox.id));
  Sandbox& sandbox = known.sandbox;
  changed_ = changed_ || !known.has_status || status.addresses != sandbox.addresses;
  known.has_status = true;
  if (status.host_network) {
    sandbox.pod = on_host_network(*sandbox.pod);
    return {};
  }
  sandbox.addresses = std::move(status.addresses);
  if (sandbox.netns_inum != 0)
    return {};
  auto netns = find_netns(runtime, known, status.place, containers);
  if (!netns) {
    if (netns.error().code == ETIMEDOUT || netns.error().code == ECONNREFUSED || netns.error().code == ECANCELED)
      return netns.error();
    note_fault(faults_.without_netns, about(sandbox) + ": " + netns.error().message);
    return {};
  }
  sandbox.netns_inum = netns->inum;
  sandbox.netns_cookie = openers_.cookie(*netns);
  sandbox.netns = std::move(netns->fd);
  changed_ = true;
  return {};
}

Result<NetnsFile> SandboxTable::find_netns(ContainerRuntime& runtime, const Known& known, const RuntimePlace& place,
                                           const std::vector<ListedContainer>& containers) {
  auto found =
      find_at(place, [&]() -> Result<RuntimePlace> { return TRY(runtime.sandbox_status(known.sandbox.id)).place; });
  for (const ListedContainer& one : containers) {
    if (found || !one.running)
      continue;
    const auto ask = [&] { return runtime.container_place(one.id); };
    found = find_at(TRY(ask()), ask);
  }
  return found;
}

Result<NetnsFile> SandboxTable::find_at(const RuntimePlace& place,
                                        const std::function<Result<RuntimePlace>()>& ask_again) const {
  Error error = refuse(ENOENT, "the runtime names neither its network namespace nor a process in it");
  if (!place.netns_path.empty()) {
    auto found = openers_.by_path(place.netns_path);
    if (found)
      return found;
    error = found.error();
  }
  if (place.pid == 0)
    return error;
  auto found = TRY(openers_.by_pid(place.pid));
  // The process may have ended in between and its number be another's: then the runtime no longer says so.
  if (TRY(ask_again()).pid != place.pid)
    return refuse(ENOENT, "its process " + std::to_string(place.pid) + " has just ended");
  return found;
}

void SandboxTable::note_fault(std::uint64_t& count, const std::string& message) {
  ++count;
  faults_.last = message;
}

}  // namespace skbtrail
