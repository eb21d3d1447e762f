#include "kernel/skb_functions.h"

#include <cstring>
#include <iterator>
#include <optional>
#include <string>

#include "kernel/argument_slots.h"

namespace skbtrail {
namespace {

enum class PacketType : std::uint8_t { Unknown, None, Pointer, ConstPointer, DoublePointer };

// Peeling ends here: types can be made to form a circle, the kernel's never nest this deep.
constexpr int kDeepestType = 32;

struct BareType {
  std::uint32_t id = 0;
  const btf_type* type = nullptr;
  bool is_const = false;
};

class PacketTypes final {
public:
  explicit PacketTypes(const btf& types) : types_(types), known_(btf__type_cnt(&types), PacketType::Unknown) {}

  PacketType of(std::uint32_t id);
  ArgumentShape shape(std::uint32_t id) const;

private:
  BareType peel(std::uint32_t id) const;
  bool is_skb(const BareType& peeled) const;
  PacketType classify(std::uint32_t id) const;

  const btf& types_;
  std::vector<PacketType> known_;  // by type id: parameters share few types
};

// Typedefs and qualifiers off, down to what the thing really is.
BareType PacketTypes::peel(std::uint32_t id) const {
  bool is_const = false;
  for (int depth = 0; depth < kDeepestType; ++depth) {
    const btf_type* type = btf__type_by_id(&types_, id);
    if (!type || !(btf_is_mod(type) || btf_is_typedef(type)))
      return {.id = id, .type = type, .is_const = is_const};
    is_const |= btf_is_const(type);
    id = type->type;
  }
  return {};
}

bool PacketTypes::is_skb(const BareType& peeled) const {
  // A module may refer to the struct by a forward declaration of its own.
  return peeled.type && (btf_is_struct(peeled.type) || btf_is_fwd(peeled.type)) &&
         std::strcmp(btf__name_by_offset(&types_, peeled.type->name_off), "sk_buff") == 0;
}

PacketType PacketTypes::classify(std::uint32_t id) const {
  const BareType outer = peel(id);
  if (!outer.type || !btf_is_ptr(outer.type))
    return PacketType::None;
  const BareType target = peel(outer.type->type);
  if (is_skb(target))
    return target.is_const ? PacketType::ConstPointer : PacketType::Pointer;
  if (target.type && btf_is_ptr(target.type) && is_skb(peel(target.type->type)))
    return PacketType::DoublePointer;
  return PacketType::None;
}

PacketType PacketTypes::of(std::uint32_t id) {
  if (id >= known_.size())
    return PacketType::None;
  if (known_[id] == PacketType::Unknown)
    known_[id] = classify(id);
  return known_[id];
}

ArgumentShape PacketTypes::shape(std::uint32_t id) const {
  const BareType peeled = peel(id);
  if (!peeled.type)
    return {};
  if (btf_is_composite(peeled.type))
    return {.bytes = peeled.type->size, .aggregate = true};
  if (btf_is_int(peeled.type) || btf_is_any_enum(peeled.type))
    return {.bytes = peeled.type->size, .aggregate = false};
  return {};
}

struct Found {
  std::size_t position;
  PacketType type;
};

class Search final {
public:
  Search(const btf& types, std::string_view module) : types_(types), module_(module), packets_(types) {}

  std::optional<KernelFunction> skb_function(std::uint32_t id);

private:
  std::optional<Found> first_packet(const btf_type* prototype);
  Signature signature(const btf_type* prototype) const;

  const btf& types_;
  std::string module_;
  PacketTypes packets_;
};

std::optional<Found> Search::first_packet(const btf_type* prototype) {
  std::optional<Found> best;
  for (std::size_t i = 0; i < btf_vlen(prototype); ++i) {
    const PacketType type = packets_.of(btf_params(prototype)[i].type);
    if (type == PacketType::Pointer || type == PacketType::ConstPointer)
      return Found{.position = i, .type = type};
    if (type == PacketType::DoublePointer && !best)
      best = Found{.position = i, .type = type};
  }
  return best;
}

bool is_variadic(const btf_type* prototype) {
  const std::size_t count = btf_vlen(prototype);
  return count > 0 && btf_params(prototype)[count - 1].type == 0;
}

Signature Search::signature(const btf_type* prototype) const {
  Signature signature{.result = packets_.shape(prototype->type), .arguments = {}};
  for (std::size_t i = 0; i < btf_vlen(prototype); ++i)
    signature.arguments.push_back(packets_.shape(btf_params(prototype)[i].type));
  return signature;
}

std::optional<KernelFunction> Search::skb_function(std::uint32_t id) {
  const btf_type* type = btf__type_by_id(&types_, id);
  if (!type || !btf_is_func(type))
    return std::nullopt;
  const btf_type* prototype = btf__type_by_id(&types_, type->type);
  if (!prototype || !btf_is_func_proto(prototype))
    return std::nullopt;
  const auto found = first_packet(prototype);
  if (!found)
    return std::nullopt;

  bool only_const = found->type == PacketType::ConstPointer;
  for (std::size_t i = 0; only_const && i < btf_vlen(prototype); ++i)
    only_const = packets_.of(btf_params(prototype)[i].type) != PacketType::Pointer;
  const ArgumentLayout layout = lay_out(signature(prototype));
  const ArgumentPlace place = layout.places[found->position];
  return KernelFunction{
      .name = btf__name_by_offset(&types_, type->name_off),
      .module = module_,
      .skb_argument = place.at_entry,
      .kind = found->type == PacketType::DoublePointer ? SkbKind::DoublePointer : SkbKind::Pointer,
      .only_const = only_const,
      .argument_count = layout.slots,
      .variadic = is_variadic(prototype),
      .kprobe_only = layout.fentry_refuses || place.at_entry != place.in_fentry,
      .btf_id = id,
      .addresses = {},
  };
}

}  // namespace

std::vector<KernelFunction> find_skb_functions(const btf& types, std::string_view module) {
  const btf* base = btf__base_btf(&types);
  Search search{types, module};
  std::vector<KernelFunction> functions;
  for (std::uint32_t id = base ? btf__type_cnt(base) : 1; id < btf__type_cnt(&types); ++id)
    if (auto function = search.skb_function(id))
      functions.push_back(std::move(*function));
  return functions;
}

std::vector<KernelFunction> find_skb_functions(const KernelBtf& kernel) {
  auto functions = find_skb_functions(kernel.vmlinux(), {});
  for (const ModuleBtf& module : kernel.modules()) {
    auto more = find_skb_functions(*module.types, module.name);
    std::ranges::move(more, std::back_inserter(functions));
  }
  return functions;
}

bool has_function(const btf& types, std::string_view name) {
  return btf__find_by_name_kind(&types, std::string(name).c_str(), BTF_KIND_FUNC) > 0;
}

}  // namespace skbtrail
