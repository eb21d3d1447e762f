#include "session/planner.h"

#include <algorithm>
#include <set>

#include "kernel/function_catalogue.h"
#include "session/known_functions.h"

namespace skbtrail {
namespace {

// Of each place where packets are first met, the best name that this kernel has.
std::set<std::string_view> entry_functions(const FunctionCatalogue& catalogue) {
  std::set<std::string_view> attachable;
  for (const auto& function : catalogue.attachable)
    attachable.insert(function.name);
  std::set<std::string_view> chosen;
  for (const auto& place : entry_places()) {
    const auto name = std::ranges::find_if(place.names, [&](auto one) { return attachable.contains(one); });
    if (name != place.names.end())
      chosen.insert(*name);
  }
  return chosen;
}

// fentry.multi takes functions by type, so by unique name and from vmlinux; what it refuses goes to kprobe.multi.
std::optional<Backend> backend_for(const KernelFunction& function, const PlanFacts& facts) {
  if (facts.backend != Backend::FentryMulti)
    return facts.backend;
  const bool fits = function.module.empty() && function.addresses.size() == 1 && !fentry_multi_refusal(function);
  if (fits)
    return Backend::FentryMulti;
  return facts.kprobe_multi ? std::optional(Backend::KprobeMulti) : std::nullopt;
}

ProbeTarget target_of(const KernelFunction& function, Backend backend) {
  return {
      .name = function.name,
      .module = function.module,
      .addresses = function.addresses,
      .btf_id = function.btf_id,
      .skb_argument = function.skb_argument,
      .kind = function.kind,
      .backend = backend,
      .role = role_of(function.name),
      .on_path = is_path_function(function.name),
  };
}

std::vector<MoveTarget> moves_of(const FunctionCatalogue& catalogue) {
  std::vector<MoveTarget> moves;
  for (const auto& function : catalogue.attachable)
    if (const auto move = move_of(function.name); move != Move::None && function.module.empty())
      moves.push_back({.name = function.name,
                       .addresses = function.addresses,
                       // skb_copy_header(new, old): what is copied comes last.
                       .skb_argument = move == Move::Copied ? std::uint8_t{1} : function.skb_argument,
                       .move = move});
  return moves;
}

// Of functions that take no packet.
void add_others(const TraceSpec& spec, const PlanFacts& facts, ProbePlan& plan) {
  if (!spec.track_stack)
    return;
  const auto add = [&](const KernelFunction& function, Tier tier, bool by_program, MapOperation operation) {
    auto target = target_of(function, facts.backend);
    target.tier = tier;
    target.by_program = by_program;
    target.map_operation = operation;
    target.on_path = true;
    plan.targets.push_back(std::move(target));
  };
  for (const auto& function : facts.others)
    add(function, Tier::Beside, false, MapOperation::None);
  for (const auto& function : facts.helpers.attachable) {
    if (std::ranges::find(facts.others, function.name, &KernelFunction::name) != facts.others.end())
      continue;
    const auto operation = spec.map_accesses ? map_operation_of(function.name) : MapOperation::None;
    add(function, operation == MapOperation::None ? Tier::Beside : Tier::Map, true, operation);
    if (looks_up(operation))
      add(function, Tier::MapReturn, true, operation);
  }
  plan.refused.insert(plan.refused.end(), facts.helpers.refused.begin(), facts.helpers.refused.end());
  if (facts.moves != MoveBackend::None)
    for (const auto& function : facts.births)
      plan.moves.push_back({.name = function.name, .addresses = function.addresses, .move = Move::Born});
}

bool is_wanted(const ProbeTarget& target, const TraceSpec& spec) {
  switch (spec.probes) {
    case ProbeSet::All: return true;
    case ProbeSet::Path: return target.on_path;
    case ProbeSet::Drops: return false;
  }
  std::abort();
}

// Silent ones are needed where packets are met and where their identity ends.
bool is_needed(const ProbeTarget& target, bool entry) {
  return !target.silent || entry || target.role != Role::Plain;
}

// A packet's last reference is given up in skb_release_data(). The functions behind it are probed to be shown only.
void end_at_release(std::vector<ProbeTarget>& targets) {
  const auto is_behind = [](const ProbeTarget& target) {
    return target.role == Role::FreeHead || target.role == Role::FreeSkb;
  };
  if (std::ranges::any_of(targets, [&](const auto& target) { return is_behind(target) && !target.silent; }))
    return;
  std::erase_if(targets, is_behind);
  for (auto& target : targets)
    if (target.role == Role::ReleaseData)
      target.role = Role::End;
}

// What was asked for, as its user wrote it.
std::string functions_text(const TraceSpec& spec) {
  if (spec.functions.empty())
    return "--filter-func '" + spec.function_pattern + "'";
  std::string text = "spec.functions";
  for (const auto& pattern : spec.functions)
    text += " '" + pattern + "'";
  return text;
}

std::string nothing_matches(const FunctionCatalogue& catalogue, const TraceSpec& spec,
                            const std::function<bool(std::string_view)>& selected) {
  const std::string pattern = functions_text(spec);
  const auto all = " of the " + std::to_string(catalogue.attachable.size()) + " functions that take a packet ";
  const auto matching = std::ranges::count_if(catalogue.attachable, selected, &KernelFunction::name);
  if (matching > 0)
    return pattern + ": it matches " + std::to_string(matching) + all +
           "and none of those on the path: add `--probes all`";
  const auto meant =
      std::ranges::find_if(catalogue.refused, selected, [](const auto& one) { return one.function.name; });
  if (meant != catalogue.refused.end())
    return pattern + ": '" + meant->function.name + "' cannot be traced here: " + meant->reason;
  return pattern + ": none" + all +
         "has such a name (the whole name has to match): `skbtrail check --functions` lists them";
}

}  // namespace

Result<ProbePlan> plan_probes(const FunctionCatalogue& catalogue, const TraceSpec& spec, const PlanFacts& facts,
                              const std::function<bool(std::string_view)>& selected) {
  ProbePlan plan{.backend = facts.backend, .targets = {}, .refused = catalogue.refused};
  if (spec.probes == ProbeSet::Drops)
    return plan;
  plan.move_backend = facts.moves;
  if (facts.moves != MoveBackend::None)
    plan.moves = moves_of(catalogue);
  const auto entries = entry_functions(catalogue);
  const bool filter_everywhere = spec.filter_at == FilterAt::All;
  // Names beside the set, not within it.
  const bool adds = spec.probes == ProbeSet::Path && !spec.functions.empty();
  std::size_t reported = 0;
  for (const auto& function : catalogue.attachable) {
    const auto backend = backend_for(function, facts);
    if (!backend) {
      plan.refused.push_back({function, "fentry.multi does not take it and there is no kprobe.multi"});
      continue;
    }
    auto target = target_of(function, *backend);
    const bool entry = entries.contains(function.name);
    target.on_path = target.on_path || entry;
    const bool named = selected && selected(function.name);
    target.silent = adds ? !named && !is_wanted(target, spec) : !is_wanted(target, spec) || (selected && !named);
    // What the user names explicitly is also where its packets may be met first.
    const bool meets_here = entry || (!target.silent && (filter_everywhere || named));
    target.tier = meets_here ? Tier::Entry : Tier::Follow;
    if (!is_needed(target, entry))
      continue;
    target.on_path = target.on_path || target.role != Role::Plain;
    reported += target.silent ? 0 : 1;
    plan.targets.push_back(std::move(target));
  }
  if (reported == 0 && selected)
    return refuse(EINVAL, nothing_matches(catalogue, spec, selected));
  end_at_release(plan.targets);
  add_others(spec, facts, plan);
  std::ranges::stable_partition(plan.targets, &ProbeTarget::on_path);
  return plan;
}

}  // namespace skbtrail
