#pragma once
// TraceSpec: what somebody asks to be traced, before anything was looked up. Checked by session/check_spec.

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/kernel_features.h"
#include "model/traced_program.h"

namespace skbtrail {

// Path: one function per layer a packet crosses. All: every function that takes a packet. Drops: only where the
// kernel gives a packet up.
enum class ProbeSet : std::uint8_t { Path, All, Drops };

// Entry: the filter runs where packets are first met. All: at every traced function, as pwru does.
enum class FilterAt : std::uint8_t { Entry, All };

struct MarkFilter {
  std::uint32_t value = 0;
  std::uint32_t mask = 0;  // 0: any mark
};

struct TraceSpec {
  std::string filter = {};                   // pcap expression; empty: every packet
  std::string tunnel_filter_l2 = {};         // the same about the frame inside of a tunnel
  std::string tunnel_filter_l3 = {};         // the same about the IP packet inside of a tunnel
  std::string field_filter = {};             // field expression about skb; empty: every packet
  std::vector<std::string> values = {};      // field expressions about skb whose values are shown
  std::string xdp_filter = {};               // the same about xdp, of packets at XDP programs
  std::vector<std::string> xdp_values = {};  // and their values
  ProbeSet probes = ProbeSet::All;
  FilterAt filter_at = FilterAt::Entry;
  std::string function_pattern = {};  // regular expression, full match; empty: the whole set
  // Regular expressions that match any part of a name: with Path beside that set, with All instead of it.
  std::vector<std::string> functions = {};
  std::uint32_t netns_inum = 0;  // 0: any
  std::uint32_t ifindex = 0;     // 0: any
  MarkFilter mark = {};
  bool track_stack = false;                       // packets that are made while a followed one is handled are followed
  std::vector<std::string> other_functions = {};  // that take no packet; asks for track_stack, too
  bool helpers = false;                           // functions that traced BPF programs call; asks for track_stack, too
  bool map_accesses = false;                      // with keys and values of maps; asks for helpers, too
  std::set<ProgramKind> programs = {};            // BPF programs that are traced, too
  bool pods = false;                              // name the pods of events
  bool only_pods = false;                         // only packets of the pods that were asked for
  std::optional<Backend> backend = {};            // absent: the best there is
  std::vector<std::string> modules = {};          // beside vmlinux
  bool all_modules = false;
  std::string kernel_btf = {};           // empty: the running kernel's
  std::chrono::nanoseconds duration{0};  // 0: until stopped
  std::uint64_t max_events = 0;          // 0: no bound
  std::uint64_t events_per_second = 0;   // 0: no bound
  std::uint32_t ring_bytes = 16U << 20;
  std::uint32_t max_packets = 16384;  // followed at once
  std::uint32_t snaplen = 0;          // packet bytes with each event; a multiple of 8 up to 16384
  bool tuple = true;
  bool tunnel = false;         // what tunnelled packets carry
  bool skb_dump = false;       // the fields of each packet's struct sk_buff
  bool shared_dump = false;    // those of its skb_shared_info
  bool control_words = false;  // skb->cb as programs of TC see it
  bool caller = false;
  bool stack = false;
};

}  // namespace skbtrail
