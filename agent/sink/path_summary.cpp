#include "sink/path_summary.h"

#include <algorithm>
#include <string_view>

#include "sink/notation.h"

namespace skbtrail {

namespace {

// A packet that reaches one of these is in the hands of a socket.
constexpr std::string_view kSocketFunctions[] = {"__sock_queue_rcv_skb",
                                                 "__udp_enqueue_schedule_skb",
                                                 "ping_queue_rcv_skb",
                                                 "raw_rcv",
                                                 "rawv6_rcv",
                                                 "sctp_inq_push",
                                                 "skb_consume_udp",
                                                 "skb_copy_datagram_iter",
                                                 "sock_queue_rcv_skb_reason",
                                                 "tcp_data_queue",
                                                 "tcp_queue_rcv",
                                                 "tcp_rcv_established",
                                                 "tcp_rcv_state_process",
                                                 "udp_queue_rcv_one_skb",
                                                 "udpv6_queue_rcv_one_skb",
                                                 "unix_stream_read_skb"};

// These free a packet that was not dropped.
constexpr std::string_view kFreeFunctions[] = {"__consume_stateless_skb", "__kfree_skb",   "consume_skb",
                                               "kfree_skb_partial",       "kfree_skbmem",  "napi_consume_skb",
                                               "skb_attempt_defer_free",  "skb_free_head", "skb_release_data",
                                               "skb_release_head_state"};

static_assert(std::ranges::is_sorted(kSocketFunctions) && std::ranges::is_sorted(kFreeFunctions));

std::uint32_t saturated(std::uint64_t nanoseconds) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(nanoseconds, UINT32_MAX));
}

std::uint64_t hash_of(const std::vector<std::uint32_t>& steps) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const std::uint32_t step : steps)
    hash = (hash ^ step) * 0x100000001b3ULL;
  return hash;
}

std::string drop_text(const PacketEvent& event) {
  TextBuffer text{128};
  text.put("DROP ");
  text.put(event.drop->name ? std::string_view(event.drop->name->name) : "without a reason");
  text.put(" at ");
  put_symbol(text, *event.function);
  return std::string(text.view());
}

std::string tuple_text(const Tuple& tuple) {
  TextBuffer text{128};
  put_tuple(text, tuple, false);
  return std::string(text.view());
}

}  // namespace

PathSummary::PathSummary() : PathSummary(Limits{}) {}

PathSummary::PathSummary(const Limits& limits) : limits_(limits), in_flight_(limits.packets) {
  new_step("(functions beyond those that are kept)", Role::Plain);
}

void PathSummary::add(const PacketEvent& event) {
  const auto cut = [this](const PacketId&, InFlight& oldest) {
    cut_packets_ += has_ended(oldest) ? 0 : 1;
    end(oldest);
  };
  const auto [packet, is_new] = in_flight_.find_or_insert(event.packet, cut);
  if (packet.dropped_skb == event.skb && !is_new)
    return;
  if (packet.example.empty() && event.tuple)
    packet.example = tuple_text(*event.tuple);
  if (packet.steps.size() < limits_.steps_of_packet) {
    const std::uint64_t delta = event.monotonic_ns - std::min(event.monotonic_ns, packet.last_ns);
    packet.steps.push_back({.step = step_of(event), .delta_ns = is_new ? 0 : saturated(delta)});
  } else {
    packet.too_long = true;
  }
  packet.last_ns = std::max(packet.last_ns, event.monotonic_ns);
  if (event.drop)
    packet.dropped_skb = event.skb;
}

std::vector<const PathSummary::Path*> PathSummary::finish() {
  in_flight_.for_each([this](const PacketId&, InFlight& packet) { end(packet); });
  std::vector<const Path*> all;
  for (const auto& [hash, path] : paths_)
    all.push_back(&path);
  std::ranges::sort(all, [](const Path* a, const Path* b) {
    return a->packets != b->packets ? a->packets > b->packets : a->steps < b->steps;
  });
  return all;
}

std::uint32_t PathSummary::step_of(const PacketEvent& event) {
  if (event.drop)
    return named_step(drop_text(event), Role::Drop);
  return event.program ? program_step(event) : function_step(event);
}

std::uint32_t PathSummary::named_step(std::string text, Role role) {
  const auto found = named_steps_.find(text);
  if (found != named_steps_.end())
    return found->second;
  const std::uint32_t step = new_step(text, role);
  if (step != 0)
    named_steps_.emplace(std::move(text), step);
  return step;
}

std::uint32_t PathSummary::program_step(const PacketEvent& event) {
  TextBuffer text{128};
  put_place(text, event);
  return named_step(std::string(text.view()), Role::Plain);
}

std::uint32_t PathSummary::function_step(const PacketEvent& event) {
  const auto found = function_steps_.find(event.function_address);
  if (found != function_steps_.end())
    return found->second;
  TextBuffer text{128};
  put_symbol(text, *event.function);
  const std::uint32_t step = new_step(std::string(text.view()), role_of(event.function->name));
  if (step != 0)
    function_steps_.emplace(event.function_address, step);
  return step;
}

// Step 0 stands for all names beyond the limit.
std::uint32_t PathSummary::new_step(std::string name, Role role) {
  if (steps_.size() >= limits_.names)
    return 0;
  steps_.push_back({.name = std::move(name), .role = role});
  return static_cast<std::uint32_t>(steps_.size() - 1);
}

PathSummary::Role PathSummary::role_of(const std::string& function) {
  if (std::ranges::binary_search(kSocketFunctions, std::string_view(function)))
    return Role::Socket;
  if (std::ranges::binary_search(kFreeFunctions, std::string_view(function)))
    return Role::Free;
  return Role::Plain;
}

void PathSummary::end(InFlight& packet) {
  if (packet.steps.empty())
    return;
  long_packets_ += packet.too_long ? 1 : 0;
  scratch_.clear();
  for (const Timed& timed : packet.steps)
    scratch_.push_back(timed.step);
  Path* const path = path_of(scratch_);
  if (path == nullptr) {
    ++unlisted_packets_;
    return;
  }
  if (path->packets++ == 0)
    path->example = std::move(packet.example);
  std::uint64_t total = 0;
  for (std::size_t at = 1; at < packet.steps.size(); ++at) {
    add_time(path->times[at], packet.steps[at].delta_ns);
    total += packet.steps[at].delta_ns;
  }
  add_time(path->total, total);
  packet.steps.clear();
}

void PathSummary::add_time(LatencyHistogram& times, std::uint64_t nanoseconds) {
  times_ += times.add(nanoseconds, times_ < limits_.times) ? 1 : 0;
}

// Dropped, handed to a socket or freed: more of it is not to come.
bool PathSummary::has_ended(const InFlight& packet) const {
  return !packet.steps.empty() && steps_[packet.steps.back().step].role != Role::Plain;
}

// Null when it would be one too many.
PathSummary::Path* PathSummary::path_of(const std::vector<std::uint32_t>& steps) {
  const std::uint64_t hash = hash_of(steps);
  const auto [first, last] = paths_.equal_range(hash);
  const auto found = std::find_if(first, last, [&](const auto& entry) { return entry.second.steps == steps; });
  if (found != last)
    return &found->second;
  if (paths_.size() >= limits_.paths || path_steps_ + steps.size() > limits_.steps_of_paths)
    return nullptr;
  path_steps_ += steps.size();
  Path& path = paths_.emplace(hash, Path{})->second;
  path.steps = steps;
  path.times.resize(steps.size());
  path.end = end_of(steps);
  return &path;
}

PathEnd PathSummary::end_of(const std::vector<std::uint32_t>& steps) const {
  const auto has = [&](Role role) {
    return std::ranges::any_of(steps, [&](std::uint32_t step) { return steps_[step].role == role; });
  };
  if (has(Role::Drop))
    return PathEnd::Dropped;
  if (has(Role::Socket))
    return PathEnd::Delivered;
  return has(Role::Free) ? PathEnd::Consumed : PathEnd::LastSeen;
}

}  // namespace skbtrail
