#include "session/planner.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "session/known_functions.h"

using namespace skbtrail;

namespace {

KernelFunction function(std::string name, std::string module = {}) {
  return {.name = std::move(name), .module = std::move(module), .argument_count = 1, .addresses = {0x1000}};
}

// One entry point, one function on the path that is none, two that mark nothing, and two that end an identity.
FunctionCatalogue a_kernel() {
  FunctionCatalogue catalogue;
  for (const auto* name : {"__dev_queue_xmit", "ip_local_deliver", "ip_route_input_noref", "kfree_skbmem",
                           "nft_do_chain", "skb_release_data"})
    catalogue.attachable.push_back(function(name));
  catalogue.refused.push_back({.function = function("__skb_flow_dissect"), .reason = "it is blacklisted"});
  return catalogue;
}

std::function<bool(std::string_view)> only(std::string wanted) {
  return [wanted = std::move(wanted)](std::string_view name) { return name == wanted; };
}

const PlanFacts kMulti{.backend = Backend::KprobeMulti, .moves = MoveBackend::Session, .kprobe_multi = true};

ProbePlan plan(const TraceSpec& spec, const PlanFacts& facts = kMulti,
               const std::function<bool(std::string_view)>& selected = {}) {
  auto made = plan_probes(a_kernel(), spec, facts, selected);
  REQUIRE(made);
  return std::move(*made);
}

const ProbeTarget* find(const ProbePlan& plan, std::string_view name) {
  const auto found = std::ranges::find(plan.targets, name, &ProbeTarget::name);
  return found == plan.targets.end() ? nullptr : &*found;
}

}  // namespace

TEST_CASE("a pattern that matches nothing says how many functions there are to match") {
  const auto made = plan_probes(a_kernel(), {.function_pattern = "tpc_.*"}, kMulti, only("tpc_rcv"));
  REQUIRE_FALSE(made);
  CHECK(made.error().code == EINVAL);
  CHECK(made.error().message ==
        "--filter-func 'tpc_.*': none of the 6 functions that take a packet has such a name (the whole name has to "
        "match): `skbtrail check --functions` lists them");
}

TEST_CASE("with a smaller set, a pattern that matches nothing there says which set is larger") {
  const auto made =
      plan_probes(a_kernel(), {.probes = ProbeSet::Path, .function_pattern = "nft_.*"}, kMulti, only("nft_do_chain"));
  REQUIRE_FALSE(made);
  CHECK(made.error().message.find("1 of the 6 functions") != std::string::npos);
  CHECK(made.error().message.find("--probes all") != std::string::npos);
}

TEST_CASE("a pattern that matches only what cannot be traced says why it cannot") {
  const auto made =
      plan_probes(a_kernel(), {.function_pattern = "__skb_flow_dissect"}, kMulti, only("__skb_flow_dissect"));
  REQUIRE_FALSE(made);
  CHECK(made.error().message ==
        "--filter-func '__skb_flow_dissect': '__skb_flow_dissect' cannot be traced here: it is blacklisted");
}

TEST_CASE("all functions are attached, and only where packets are first met does the filter run") {
  const auto made = plan({});
  CHECK(made.targets.size() == 6);
  CHECK(made.drops);
  for (const auto& target : made.targets) {
    INFO(target.name);
    CHECK(target.tier == (target.name == "__dev_queue_xmit" ? Tier::Entry : Tier::Follow));
    CHECK_FALSE(target.silent);
  }
}

TEST_CASE("with the filter everywhere, every function is one where packets are met") {
  for (const auto& target : plan({.filter_at = FilterAt::All}).targets)
    CHECK(target.tier == Tier::Entry);
}

TEST_CASE("what is on the path is attached first") {
  const auto made = plan({});
  CHECK(std::ranges::is_partitioned(made.targets, &ProbeTarget::on_path));
  CHECK(find(made, "ip_local_deliver")->on_path);
  CHECK(find(made, "__dev_queue_xmit")->on_path);
  CHECK_FALSE(find(made, "nft_do_chain")->on_path);
}

TEST_CASE("the path alone keeps what ends an identity, and is silent about it") {
  const auto made = plan({.probes = ProbeSet::Path});
  CHECK(made.targets.size() == 3);
  CHECK_FALSE(find(made, "ip_local_deliver")->silent);
  REQUIRE(find(made, "skb_release_data"));
  CHECK(find(made, "skb_release_data")->silent);
  CHECK(find(made, "skb_release_data")->role == Role::End);
}

TEST_CASE("where what frees a packet is shown, it is what ends the packet") {
  for (const auto& made :
       {plan({}), plan({.probes = ProbeSet::Path, .functions = {"kfree_skbmem"}}, kMulti, only("kfree_skbmem"))}) {
    REQUIRE(find(made, "kfree_skbmem"));
    CHECK(find(made, "kfree_skbmem")->role == Role::FreeSkb);
    CHECK(find(made, "skb_release_data")->role == Role::ReleaseData);
  }
}

TEST_CASE("a pattern reports what it matches, and keeps entry points silently") {
  const auto made = plan({.function_pattern = "nft_do_chain"}, kMulti, only("nft_do_chain"));
  CHECK(made.targets.size() == 3);
  CHECK_FALSE(find(made, "nft_do_chain")->silent);
  CHECK(find(made, "nft_do_chain")->tier == Tier::Entry);
  CHECK(find(made, "__dev_queue_xmit")->silent);
  CHECK_FALSE(find(made, "ip_local_deliver"));
}

TEST_CASE("drops alone need no function and follow nobody") {
  const auto made = plan({.probes = ProbeSet::Drops});
  CHECK(made.targets.empty());
  CHECK(made.drops);
  CHECK(made.moves.empty());
}

TEST_CASE("what hands identities on is watched, traced or not") {
  auto catalogue = a_kernel();
  catalogue.attachable.push_back(function("ip_do_fragment"));
  catalogue.attachable.back().skb_argument = 2;
  const auto made = plan_probes(catalogue, {.function_pattern = "ip_local_deliver"}, kMulti, only("ip_local_deliver"));
  REQUIRE(made);
  CHECK(made->move_backend == MoveBackend::Session);
  REQUIRE(made->moves.size() == 1);
  CHECK(made->moves[0].name == "ip_do_fragment");
  CHECK(made->moves[0].skb_argument == 2);
  CHECK(made->moves[0].move == Move::Fragments);
  CHECK_FALSE(find(*made, "ip_do_fragment"));
}

TEST_CASE("of the two packets of skb_copy_header the one that is read is watched") {
  auto catalogue = a_kernel();
  catalogue.attachable.push_back(function("skb_copy_header"));
  const auto made = plan_probes(catalogue, {}, kMulti, {});
  REQUIRE(made);
  REQUIRE(made->moves.size() == 1);
  CHECK(made->moves[0].move == Move::Copied);
  CHECK(made->moves[0].skb_argument == 1);
}

TEST_CASE("a kernel without trampolines follows no children") {
  CHECK(plan({}, {.backend = Backend::Kprobe}).moves.empty());
}

TEST_CASE("what fentry.multi does not take goes to kprobe.multi, or is refused where there is none") {
  auto catalogue = a_kernel();
  catalogue.attachable.push_back(function("veth_xmit", "veth"));
  catalogue.attachable.push_back(function("xmit_twice"));
  catalogue.attachable.back().addresses = {0x2000, 0x3000};
  PlanFacts facts{.backend = Backend::FentryMulti, .moves = MoveBackend::Session, .kprobe_multi = true};

  auto made = plan_probes(catalogue, {}, facts, {});
  REQUIRE(made);
  CHECK(find(*made, "ip_local_deliver")->backend == Backend::FentryMulti);
  CHECK(find(*made, "veth_xmit")->backend == Backend::KprobeMulti);
  CHECK(find(*made, "xmit_twice")->backend == Backend::KprobeMulti);
  CHECK(made->refused.size() == 1);

  facts.kprobe_multi = false;
  made = plan_probes(catalogue, {}, facts, {});
  REQUIRE(made);
  CHECK_FALSE(find(*made, "veth_xmit"));
  CHECK(made->refused.size() == 3);
}

TEST_CASE("of the names of one place, the best that the kernel has is the entry") {
  FunctionCatalogue catalogue;
  for (const auto* name : {"__netif_receive_skb", "__netif_receive_skb_one_core"})
    catalogue.attachable.push_back(function(name));
  const auto made = plan_probes(catalogue, {}, kMulti, {});
  REQUIRE(made);
  CHECK(find(*made, "__netif_receive_skb")->tier == Tier::Entry);
  CHECK(find(*made, "__netif_receive_skb_one_core")->tier == Tier::Follow);
}

TEST_CASE("every place where packets are met has a name, and the first is attached with the path") {
  for (const auto& place : entry_places()) {
    INFO(place.what);
    REQUIRE_FALSE(place.names.empty());
    FunctionCatalogue catalogue;
    catalogue.attachable.push_back(function(std::string(place.names.front())));
    const auto made = plan_probes(catalogue, {.probes = ProbeSet::Path}, kMulti, {});
    REQUIRE(made);
    REQUIRE(made->targets.size() == 1);
    CHECK(made->targets.front().tier == Tier::Entry);
    CHECK(made->targets.front().on_path);
  }
}

TEST_CASE("functions of a layer and roles are found by their whole name") {
  CHECK(is_path_function("ip_local_deliver"));
  CHECK(is_path_function("xfrm_output"));
  CHECK_FALSE(is_path_function("ip_local_deliver_finish"));
  CHECK_FALSE(is_path_function(""));
  CHECK(role_of("skb_release_data") == Role::ReleaseData);
  CHECK(role_of("skb_release") == Role::Plain);
}

TEST_CASE("functions without a packet are told beside the others, first of all, and births hand identities on") {
  auto facts = kMulti;
  facts.others = {function("fib_table_lookup")};
  facts.births = {function("__alloc_skb")};
  const auto made = plan({.track_stack = true, .other_functions = {"fib_table_lookup"}}, facts);
  const auto* beside = find(made, "fib_table_lookup");
  REQUIRE(beside);
  CHECK(beside->tier == Tier::Beside);
  CHECK(beside->on_path);
  CHECK(std::ranges::find(made.moves, "__alloc_skb", &MoveTarget::name)->move == Move::Born);
  CHECK(plan({}, facts).targets.size() == 6);
}

TEST_CASE("without a way to see returns no births are planned") {
  auto facts = kMulti;
  facts.moves = MoveBackend::None;
  facts.births = {function("__alloc_skb")};
  CHECK(plan({.track_stack = true}, facts).moves.empty());
}

TEST_CASE("functions that are about elements of maps are told with them only when asked, lookups at their return") {
  PlanFacts facts = kMulti;
  for (const auto* name : {"__htab_map_lookup_elem", "array_map_update_elem", "bpf_redirect"})
    facts.helpers.attachable.push_back(function(name));
  const auto tiers = [&](bool map_accesses, std::string_view name) {
    std::vector<Tier> found;
    for (const auto& target : plan({.track_stack = true, .helpers = true, .map_accesses = map_accesses}, facts).targets)
      if (target.name == name)
        found.push_back(target.tier);
    return found;
  };
  CHECK(tiers(false, "__htab_map_lookup_elem") == std::vector{Tier::Beside});
  CHECK(tiers(true, "__htab_map_lookup_elem") == std::vector{Tier::Map, Tier::MapReturn});
  CHECK(tiers(true, "array_map_update_elem") == std::vector{Tier::Map});
  CHECK(tiers(true, "bpf_redirect") == std::vector{Tier::Beside});
}

TEST_CASE("functions that are about elements of maps are known by how they are named") {
  CHECK(map_operation_of("__htab_map_lookup_elem") == MapOperation::Find);
  for (const auto* name : {"htab_map_lookup_elem", "trie_lookup_elem", "bpf_map_lookup_elem"})
    CHECK(map_operation_of(name) == MapOperation::Lookup);
  CHECK(map_operation_of("htab_lru_map_update_elem") == MapOperation::Update);
  CHECK(map_operation_of("trie_delete_elem") == MapOperation::Delete);
  for (const auto* name : {"htab_map_lookup_and_delete_elem", "queue_stack_map_push_elem", "bpf_redirect"})
    CHECK(map_operation_of(name) == MapOperation::None);
}
