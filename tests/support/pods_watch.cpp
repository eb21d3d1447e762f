// Keeps a PodDirectory and writes what it knows as one JSON line, whenever that changes: pods_watch SOCKET. Ends when
// its standard input does. For tests/pods, which compare it with what a real container runtime did.
#include <poll.h>
#include <unistd.h>

#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "pods/pod_directory.h"

using namespace skbtrail;
using Json = nlohmann::json;

namespace {

// Each sandbox with what the index says of its namespace and its address.
Json line_of(const PodDirectory& directory) {
  const auto state = directory.state();
  const auto sandboxes = directory.sandboxes();
  const auto index = directory.snapshot();
  Json line = {{"stale", state.stale_since.has_value()},
               {"fresh", state.fresh_at.has_value()},
               {"events", state.events},
               {"failures", state.failures},
               {"runtime", state.runtime.version},
               {"error", state.last_error},
               {"fault", state.faults.last},
               {"pods", Json::object()}};
  for (const Sandbox& one : *sandboxes) {
    const auto found = index->find({.netns_inum = one.netns_inum, .netns_cookie = one.netns_cookie});
    const Pod* at_address = one.addresses.empty() ? nullptr : index->by_address(one.addresses.front());
    line["pods"][one.pod->name] = {{"netns", one.netns_inum},
                                   {"cookie", one.netns_cookie},
                                   {"deleted", one.gone_since.has_value()},
                                   {"host_network", one.pod->host_network},
                                   {"containers", one.container_ids},
                                   {"in_netns", found.at.pod ? found.at.pod->name : ""},
                                   {"at_address", at_address ? at_address->name : ""}};
  }
  return line;
}

bool input_ended() {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  char ignored = 0;
  return ::poll(&input, 1, 0) > 0 && ::read(STDIN_FILENO, &ignored, 1) <= 0;
}

}  // namespace

int main(int argc, char** argv) {
  auto options = directory_options({.socket = argc > 1 ? std::optional<std::string>(argv[1]) : std::nullopt});
  if (!options) {
    std::cerr << options.error().message << '\n';
    return 1;
  }
  const auto directory = PodDirectory::start(*options);
  if (!directory) {
    std::cerr << directory.error().message << '\n';
    return 1;
  }
  std::string last;
  std::uint64_t seen = 0;
  while (!input_ended()) {
    // The state may change without the index; it is looked at every few ms.
    seen = (*directory)->wait_for_change(seen, std::chrono::milliseconds{5});
    if (std::string line = line_of(**directory).dump(); line != last) {
      std::cout << line << std::endl;
      last = std::move(line);
    }
  }
  return 0;
}
