#pragma once
// TraceOptions: the command line of `skbtrail trace` as text, and what it means.

#include <CLI/App.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernel/host_root.h"
#include "model/trace_spec.h"
#include "pods/pod_query.h"
#include "sink/backup_keeper.h"
#include "sink/text_columns.h"

namespace skbtrail {

struct TraceOptions {
  std::vector<std::string> filter;
  std::string kernel_btf;
  std::vector<std::string> kmods;
  bool all_kmods = false;
  std::string filter_func;
  std::string filter_netns;
  std::string filter_mark;
  std::string filter_ifname;
  std::string filter_skb_expr;
  std::string filter_tunnel_pcap_l2;
  std::string filter_tunnel_pcap_l3;
  std::vector<std::string> output_skb_metadata;
  bool filter_track_skb = true;
  bool filter_track_skb_by_stackid = false;
  std::vector<std::string> filter_non_skb_funcs;
  bool filter_track_bpf_helpers = false;
  bool filter_trace_tc = false;
  bool filter_trace_xdp = false;
  std::string filter_xdp_expr;
  std::vector<std::string> output_xdp_metadata;
  std::vector<std::string> pods;
  std::optional<std::string> pod_selector;
  std::string pod_namespace;
  std::string cri;
  std::string filter_at = "entry";
  std::string probes = "all";
  std::string backend;
  std::string timestamp = "none";
  bool output_meta = true;
  bool output_pods = true;
  bool output_netns_names = false;
  std::uint32_t netns_names_max_length = 16;
  bool output_tuple = true;
  bool output_tcp_flags = false;
  bool output_tunnel = false;
  bool output_skb = false;
  bool output_skb_shared_info = false;
  bool output_skb_cb = false;
  bool output_bpfmap = false;
  bool output_stack = false;
  bool output_caller = false;
  bool output_json = false;
  std::string output = "text";
  std::uint32_t snaplen = 256;
  std::string output_file;
  std::uint64_t output_file_max_size = 100;  // MB
  std::uint32_t output_file_max_backups = 0;
  std::uint32_t output_file_max_age = 0;  // days
  bool output_file_compress = false;
  std::uint64_t output_limit_lines = 0;
  std::string colour = "auto";
  bool summary = false;
  std::string duration = "0";
  std::uint64_t max_events = 0;
  std::uint64_t rate = 0;
  std::string ring_size = "16M";
  std::uint32_t max_packets = 16384;
  std::string ready_file;
  bool wait_detach = false;
};

// Declares every flag, with help and bounds.
void declare_trace_options(CLI::App& command, TraceOptions& options);

// Looks up what the options name on the host. EINVAL, ENOENT and ENODEV: the user's words are wrong.
Result<TraceSpec> trace_spec_of(const TraceOptions& options, const HostRoot& host);

// Which pods the options ask for; empty: they ask for none. EINVAL: the user's words are wrong.
Result<PodQuery> pod_query_of(const TraceOptions& options);

FileRotation rotation_of(const TraceOptions& options);

Timestamp timestamp_of(const std::string& name);

}  // namespace skbtrail
