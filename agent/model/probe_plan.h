#pragma once
// ProbePlan: which functions a trace attaches to, in which tier, and in which order. A value; planning is pure.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "model/kernel_features.h"
#include "model/kernel_function.h"
#include "model/map_access.h"

namespace skbtrail {

// Entry: the filter runs here. Follow: only packets already followed are reported. Beside: it takes no packet, and is
// reported when it is called while a followed one is handled. Map: the same, of an element of a BPF map; what looks one
// up is reported at its return (MapReturn), so it is in both tiers.
enum class Tier : std::uint8_t { Entry, Follow, Beside, Map, MapReturn };

// As they are attached: a return is watched before its calls are noticed, and where packets are met comes last.
inline constexpr std::array kAttachOrder = {Tier::Follow, Tier::Beside, Tier::MapReturn, Tier::Map, Tier::Entry};

// What a function does to a packet's identity; values follow enum trace_role.
enum class Role : std::uint8_t { Plain, ReleaseData, FreeHead, FreeSkb, StealHead, ExpandHead, End };

// What a function has done to a packet's identity when it returns; values follow enum trace_move.
enum class Move : std::uint8_t { None, Expanded, Child, Children, Fragments, Copied, Born };

// A function that hands identities on: it copies or cuts a packet, gives it a new head, or makes one (Born).
struct MoveTarget {
  std::string name = {};
  std::vector<std::uint64_t> addresses = {};
  std::uint8_t skb_argument = 0;
  Move move = Move::None;
};

// Session: one kprobe.session link for them all. Trampolines: fexit, one link each.
enum class MoveBackend : std::uint8_t { None, Session, Trampolines };

struct ProbeTarget {
  std::string name = {};
  std::string module = {};
  std::vector<std::uint64_t> addresses = {};
  std::uint32_t btf_id = 0;
  std::uint8_t skb_argument = 0;
  SkbKind kind = SkbKind::Pointer;
  Backend backend = Backend::Kprobe;
  Tier tier = Tier::Follow;
  Role role = Role::Plain;
  bool silent = false;                              // attached for its role or tier only: its hits are not reported
  bool by_program = false;                          // reported only when a BPF program that is traced calls it
  MapOperation map_operation = MapOperation::None;  // what it does with a map's element, if that is to be told
  bool on_path = false;                             // one of the functions that mark a layer: attached first
};

struct ProbePlan {
  Backend backend = Backend::Kprobe;      // of most targets; fentry.multi leaves some to kprobe.multi
  std::vector<ProbeTarget> targets = {};  // those on the path first
  std::vector<RefusedFunction> refused = {};
  bool drops = true;           // tracepoint kfree_skb
  bool at_call_sites = false;  // addresses are those of call sites, not of entries
  MoveBackend move_backend = MoveBackend::None;
  std::vector<MoveTarget> moves = {};  // empty with MoveBackend::None
};

}  // namespace skbtrail
