#pragma once
// PathSummary: which ways through the kernel packets took, how many took each, and how long every step lasted.
// Bounded in packets on their way, distinct paths and steps; what is beyond is counted.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/lru_map.h"
#include "model/packet_event.h"
#include "model/packet_id_hash.h"
#include "sink/latency_histogram.h"

namespace skbtrail {

enum class PathEnd : std::uint8_t {
  Dropped,    // the last step is the drop
  Delivered,  // a socket took it
  Consumed,   // freed as used up: sent, answered or absorbed
  LastSeen,   // no event of it came after the last step
};

class PathSummary final {
public:
  struct Limits {
    std::size_t packets = 16'384;  // on their way at once; with 256 steps each of 8 bytes 34 MB
    std::size_t paths = 4'096;
    std::size_t steps_of_packet = 256;
    std::size_t steps_of_paths = 131'072;
    std::size_t names = 16'384;
    std::size_t times = 1'048'576;  // different durations over all steps of all paths, of 16 bytes
  };

  // One distinct sequence of steps; `times` are those between a step and the one before it (none for the first).
  struct Path {
    std::vector<std::uint32_t> steps;
    std::vector<LatencyHistogram> times;
    LatencyHistogram total;
    PathEnd end = PathEnd::LastSeen;
    std::uint64_t packets = 0;
    std::string example;  // tuple of the first packet; empty: it had none
  };

  PathSummary();
  explicit PathSummary(const Limits& limits);

  void add(const PacketEvent& event);

  // Ends all packets that are still on their way. Paths are then complete, the most used first.
  std::vector<const Path*> finish();

  const std::string& name_of(std::uint32_t step) const { return steps_[step].name; }
  bool is_drop(std::uint32_t step) const { return steps_[step].role == Role::Drop; }
  std::uint64_t cut_packets() const { return cut_packets_; }            // ended early because the table was full
  std::uint64_t unlisted_packets() const { return unlisted_packets_; }  // on a path beyond the limit
  std::uint64_t long_packets() const { return long_packets_; }          // with more steps than are kept

private:
  enum class Role : std::uint8_t { Plain, Socket, Free, Drop };

  struct Step {
    std::string name;
    Role role = Role::Plain;
  };
  struct Timed {
    std::uint32_t step;
    std::uint32_t delta_ns;  // saturates at 4.3 s
  };
  struct InFlight {
    std::vector<Timed> steps;
    std::uint64_t last_ns = 0;
    std::optional<std::uint64_t> dropped_skb = {};  // what the kernel does to free it is no part of its way
    bool too_long = false;
    std::string example;
  };

  static Role role_of(const std::string& function);
  std::uint32_t step_of(const PacketEvent& event);
  std::uint32_t named_step(std::string text, Role role);
  std::uint32_t program_step(const PacketEvent& event);
  std::uint32_t function_step(const PacketEvent& event);
  std::uint32_t new_step(std::string name, Role role);
  bool has_ended(const InFlight& packet) const;
  void end(InFlight& packet);
  void add_time(LatencyHistogram& times, std::uint64_t nanoseconds);
  Path* path_of(const std::vector<std::uint32_t>& steps);
  PathEnd end_of(const std::vector<std::uint32_t>& steps) const;

  Limits limits_;
  LruMap<PacketId, InFlight, PacketIdHash> in_flight_;
  std::vector<Step> steps_;
  std::unordered_map<std::uint64_t, std::uint32_t> function_steps_;  // by address
  std::unordered_map<std::string, std::uint32_t> named_steps_;       // by text
  std::unordered_multimap<std::uint64_t, Path> paths_;               // by hash of their steps
  std::size_t path_steps_ = 0;
  std::size_t times_ = 0;
  std::vector<std::uint32_t> scratch_;
  std::uint64_t cut_packets_ = 0;
  std::uint64_t unlisted_packets_ = 0;
  std::uint64_t long_packets_ = 0;
};

}  // namespace skbtrail
