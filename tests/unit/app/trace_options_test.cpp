#include "app/trace_options.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "unit/kernel/test_host.h"

using namespace skbtrail;

namespace {

// `skbtrail trace` with these words behind it.
struct CommandLine {
  explicit CommandLine(std::vector<std::string> words) {
    CLI::App app;
    declare_trace_options(app, options);
    // CLI11 takes them from the back.
    std::ranges::reverse(words);
    app.parse(std::move(words));
  }

  Result<TraceSpec> spec() const { return trace_spec_of(options, host.root()); }
  // The one line a user sees.
  std::string complaint() const {
    const auto made = spec();
    return made ? "" : made.error().message;
  }

  TestHost host;
  TraceOptions options;
};

std::string complaint_of(std::vector<std::string> words) {
  return CommandLine(std::move(words)).complaint();
}

bool refuses(std::vector<std::string> words) {
  try {
    CommandLine{std::move(words)};
  } catch (const CLI::ParseError&) {
    return true;
  }
  return false;
}

}  // namespace

TEST_CASE("flags that do not exist and values out of bounds are refused") {
  CHECK(refuses({"--no-such-flag"}));
  CHECK(refuses({"--probes", "some"}));
  CHECK(refuses({"--backend", "fprobe"}));
  CHECK(refuses({"--output", "xml"}));
  CHECK(refuses({"--filter-at", "exit"}));
  CHECK(refuses({"--timestamp", "iso"}));
  CHECK(refuses({"--max-packets", "0"}));
  CHECK(refuses({"--max-packets", "1048577"}));
  CHECK(refuses({"--max-events", "-1"}));
  CHECK(refuses({"--rate", "1000000001"}));
  CHECK(refuses({"--rate", "many"}));
}

TEST_CASE("what is wrong names the flag and what it takes") {
  CHECK(complaint_of({"--ring-size", "48K"}) == "--ring-size '48K': write a power of two from 64K to 1G, such as 64M");
  CHECK(complaint_of({"--ring-size", "32K"}).starts_with("--ring-size '32K'"));
  CHECK(complaint_of({"--ring-size", "2G"}).starts_with("--ring-size '2G'"));
  CHECK(complaint_of({"--ring-size", "lots"}).starts_with("--ring-size"));
  CHECK(complaint_of({"--duration", "1000h"}).starts_with("--duration '1000h'"));
  CHECK(complaint_of({"--duration", "soon"}).starts_with("--duration"));
  CHECK(complaint_of({"--filter-mark", "red"}).starts_with("--filter-mark"));
}

TEST_CASE("a network namespace that is not there says where names come from") {
  const auto complaint = complaint_of({"--filter-netns", "nowhere"});
  CHECK(complaint.starts_with("--filter-netns"));
  CHECK(complaint.find("'nowhere'") != std::string::npos);
  CHECK(complaint.find("ip netns") != std::string::npos);
  CHECK(complaint_of({"--filter-netns", "inode:x"}).starts_with("--filter-netns"));
}

TEST_CASE("the words behind the flags are one expression") {
  const CommandLine line({"--probes", "path", "tcp", "port", "80"});
  CHECK(line.spec()->filter == "tcp port 80");
  CHECK(line.spec()->probes == ProbeSet::Path);
}

TEST_CASE("without flags everything is traced until interrupted") {
  const auto spec = CommandLine({}).spec();
  REQUIRE(spec);
  CHECK(spec->filter.empty());
  CHECK(spec->probes == ProbeSet::All);
  CHECK(spec->filter_at == FilterAt::Entry);
  CHECK_FALSE(spec->backend);
  CHECK(spec->duration.count() == 0);
  CHECK(spec->max_events == 0);
  CHECK(spec->ring_bytes == 16U << 20);
  CHECK(spec->tuple);
}

TEST_CASE("pwru's spellings mean the same") {
  CHECK(CommandLine({"--backend", "kprobe-multi"}).spec()->backend == Backend::KprobeMulti);
  CHECK(CommandLine({"--output-limit-lines", "7"}).spec()->max_events == 7);
  CHECK(CommandLine({"--output-limit-lines", "7", "--max-events", "3"}).spec()->max_events == 3);
  CHECK(CommandLine({"--output-json"}).options.output_json);
  CHECK_FALSE(CommandLine({"--no-output-tuple"}).spec()->tuple);
  CHECK(CommandLine({"--kmods", "veth,nf_tables"}).spec()->modules == std::vector<std::string>{"veth", "nf_tables"});
}

TEST_CASE("field expressions are taken apart by comma, and leave the filter alone") {
  const CommandLine line{
      {"--filter-skb-expr", "skb->len > 100", "--output-skb-metadata", "skb->mark,skb->len", "icmp"}};
  CHECK(line.spec()->field_filter == "skb->len > 100");
  CHECK(line.spec()->values == std::vector<std::string>{"skb->mark", "skb->len"});
  CHECK(line.spec()->filter == "icmp");
}

TEST_CASE("packet bytes are captured for a pcapng only, in steps of eight") {
  CHECK(CommandLine({"--output", "pcapng", "--snaplen", "100"}).spec()->snaplen == 104);
  CHECK(CommandLine({"--output", "json", "--snaplen", "100"}).spec()->snaplen == 0);
  CHECK(CommandLine({"--output", "pcapng", "--output-json"}).spec()->snaplen == 0);
  CHECK(refuses({"--snaplen", "63"}));
  CHECK(refuses({"--snaplen", "16385"}));
}

TEST_CASE("--kmods takes its modules and leaves the filter alone") {
  const CommandLine line{{"--kmods", "veth,vxlan", "tcp", "port", "80"}};
  CHECK(line.options.kmods == std::vector<std::string>{"veth", "vxlan"});
  CHECK(line.options.filter == std::vector<std::string>{"tcp", "port", "80"});
  const CommandLine repeated{{"icmp", "--kmods", "veth", "--kmods", "vxlan"}};
  CHECK(repeated.options.kmods == std::vector<std::string>{"veth", "vxlan"});
}

TEST_CASE("a pod that is named wrongly, and a namespace without a selector, are refused with the flag") {
  const auto complaint = [](std::vector<std::string> words) {
    const CommandLine line(std::move(words));
    const auto query = pod_query_of(line.options);
    return query ? "" : query.error().message;
  };
  CHECK(complaint({"--pod", "web-0"}) == "--pod: pod 'web-0': write NAMESPACE/NAME, such as default/web-0");
  CHECK(complaint({"--pod-selector", "app in web"}) == "--pod-selector: label selector: column 8: expected '('");
  CHECK(complaint({"-n", "shop"}) == "-n 'shop': it says where --pod-selector selects; with --pod write shop/NAME");
  std::vector<std::string> many;
  for (int number = 0; number < 65; ++number)
    many.insert(many.end(), {"--pod", "shop/web-" + std::to_string(number)});
  CHECK(complaint(many) == "--pod: at most 64 pods can be named; --pod-selector takes any number");
}

TEST_CASE("pods are asked for by name and by labels, and the filter is left alone") {
  const CommandLine line({"--pod", "shop/web-0", "--pod", "shop/web-1", "icmp"});
  CHECK(line.options.filter == std::vector<std::string>{"icmp"});
  const auto by_name = pod_query_of(line.options);
  REQUIRE(by_name);
  CHECK(by_name->names == std::vector<PodName>{{"shop", "web-0"}, {"shop", "web-1"}});
  const auto by_label = pod_query_of(CommandLine({"--pod-selector", "app=web", "-n", "shop", "tcp"}).options);
  REQUIRE(by_label);
  CHECK(by_label->selector_namespace == "shop");
  CHECK(by_label->selects({.namespace_name = "shop", .name = "x", .uid = "", .labels = {{"app", "web"}}}));
  const auto none = pod_query_of(CommandLine({"icmp"}).options);
  REQUIRE(none);
  CHECK(none->empty());
}

TEST_CASE("what is said about rotation and names without the flag that they belong to is refused") {
  CHECK(refuses({"--output-file-max-size", "10"}));
  CHECK(refuses({"--output-file-max-backups", "10"}));
  CHECK(refuses({"--output-file-max-age", "10"}));
  CHECK(refuses({"--output-file-compress"}));
  CHECK(refuses({"--netns-names-max-length", "10"}));
  CHECK(refuses({"--output-netns-names", "--netns-names-max-length", "256"}));
  CHECK(refuses({"--output-file", "x", "--output-file-max-size", "1048577"}));
  CHECK(refuses({"--output-file", "x", "--output-file-max-size", "-1"}));
}

TEST_CASE("a file is rotated at 100 MB, or as it is said") {
  const auto usual = rotation_of(CommandLine({"--output-file", "x"}).options);
  CHECK(usual.max_bytes == 100ULL << 20);
  CHECK(usual.backups.max_count == 0);
  CHECK_FALSE(usual.backups.compress);
  const auto never = rotation_of(CommandLine({"--output-file", "x", "--output-file-max-size", "0"}).options);
  CHECK(never.max_bytes == 0);
  const auto own =
      rotation_of(CommandLine({"--output-file", "x", "--output-file-max-size", "1", "--output-file-max-backups", "3",
                               "--output-file-max-age", "7", "--output-file-compress"})
                      .options);
  CHECK(own.max_bytes == 1ULL << 20);
  CHECK(own.backups.max_count == 3);
  CHECK(own.backups.max_age_days == 7);
  CHECK(own.backups.compress);
}

TEST_CASE("what tunnels carry and structs go into the spec") {
  const auto spec = CommandLine({"--filter-tunnel-pcap-l2", "tcp", "--filter-tunnel-pcap-l3", "udp", "--output-skb",
                                 "--output-skb-shared-info", "--output-skb-cb"})
                        .spec();
  REQUIRE(spec);
  CHECK(spec->tunnel_filter_l2 == "tcp");
  CHECK(spec->tunnel_filter_l3 == "udp");
  CHECK((spec->skb_dump && spec->shared_dump && spec->control_words));
}

TEST_CASE("functions without a packet turn tracking by stack on") {
  const auto spec = CommandLine({"--filter-non-skb-funcs", "fib_table_lookup,dst_release", "icmp"}).spec();
  REQUIRE(spec);
  CHECK(spec->track_stack);
  CHECK(spec->other_functions == std::vector<std::string>{"fib_table_lookup", "dst_release"});
  CHECK(spec->filter == "icmp");
  CHECK_FALSE(CommandLine({"icmp"}).spec()->track_stack);
}

TEST_CASE("tracking by stack is refused where it cannot be") {
  CHECK(complaint_of({"--filter-track-skb-by-stackid", "--probes", "drops"})
            .starts_with("--filter-track-skb-by-stackid: with --probes drops"));
  CHECK(complaint_of({"--filter-track-skb-by-stackid", "--backend", "fentry.multi"})
            .starts_with("--filter-track-skb-by-stackid: it needs registers"));
  std::string many = "f";
  for (int number = 0; number < 256; ++number)
    many += ",f" + std::to_string(number);
  CHECK(complaint_of({"--filter-non-skb-funcs", many}).find("257 functions are too many") != std::string::npos);
}
