#include "kernel/relocation_types.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace skbtrail {
namespace {

using NameSet = std::unordered_set<std::string_view>;

// libbpf takes what follows three underscores for a flavour.
std::string_view without_flavour(std::string_view name) {
  const auto flavour = name.find("___", 1);
  return name.substr(0, flavour);
}

bool can_be_relocated(const btf_type& type) {
  switch (btf_kind(&type)) {
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
    case BTF_KIND_ENUM:
    case BTF_KIND_ENUM64:
    case BTF_KIND_TYPEDEF: return type.name_off != 0;
    default: return false;
  }
}

NameSet names_in(const btf& object) {
  NameSet names;
  for (__u32 id = 1; id < btf__type_cnt(&object); ++id)
    if (const btf_type& type = *btf__type_by_id(&object, id); can_be_relocated(type))
      names.insert(without_flavour(btf_name(object, type.name_off)));
  return names;
}

// Copies types from one list to another, each once. Ids are those of the other list; negative: -errno.
class Copier final {
public:
  Copier(const btf& from, btf& to) : from_(from), to_(to) {}

  int copy(__u32 id) {
    if (id == 0)
      return 0;
    if (const auto known = copied_.find(id); known != copied_.end())
      return known->second;
    const int own = make(*btf__type_by_id(&from_, id));
    copied_.emplace(id, own);
    return own;
  }

private:
  int make(const btf_type& type) {
    switch (btf_kind(&type)) {
      case BTF_KIND_STRUCT:
      case BTF_KIND_UNION: return make_composite(type);
      case BTF_KIND_ARRAY: return make_array(*btf_array(&type));
      case BTF_KIND_TYPEDEF: return make_typedef(type);
      case BTF_KIND_PTR: return void_pointer();
      case BTF_KIND_CONST:
      case BTF_KIND_VOLATILE:
      case BTF_KIND_RESTRICT:
      case BTF_KIND_TYPE_TAG: return copy(type.type);
      case BTF_KIND_INT:
      case BTF_KIND_FLOAT:
      case BTF_KIND_FWD:
      case BTF_KIND_ENUM:
      case BTF_KIND_ENUM64: return btf__add_type(&to_, &from_, &type);
      default: return -EINVAL;
    }
  }

  int make_composite(const btf_type& type) {
    const auto* members = btf_members(&type);
    std::vector<int> inner(btf_vlen(&type));
    for (std::size_t at = 0; at < inner.size(); ++at)
      if (inner[at] = copy(members[at].type); inner[at] < 0)
        return inner[at];
    const char* name = btf__name_by_offset(&from_, type.name_off);
    const int own =
        btf_is_struct(&type) ? btf__add_struct(&to_, name, type.size) : btf__add_union(&to_, name, type.size);
    if (own < 0)
      return own;
    for (__u32 at = 0; at < inner.size(); ++at)
      if (const int err = btf__add_field(&to_, btf__name_by_offset(&from_, members[at].name_off), inner[at],
                                         btf_member_bit_offset(&type, at), btf_member_bitfield_size(&type, at)))
        return err;
    return own;
  }

  int make_array(const struct btf_array& array) {
    const int index = copy(array.index_type);
    const int element = copy(array.type);
    return index < 0 ? index : element < 0 ? element : btf__add_array(&to_, index, element, array.nelems);
  }

  int make_typedef(const btf_type& type) {
    const int target = copy(type.type);
    return target < 0 ? target : btf__add_typedef(&to_, btf__name_by_offset(&from_, type.name_off), target);
  }

  int void_pointer() {
    if (void_pointer_ == 0)
      void_pointer_ = btf__add_ptr(&to_, 0);
    return void_pointer_;
  }

  const btf& from_;
  btf& to_;
  std::unordered_map<__u32, int> copied_;
  int void_pointer_ = 0;
};

Result<> write_all(int file, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = ::write(file, content.data(), content.size());
    if (const int err = errno; written < 0)
      return fail(err, "write a file in memory");
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace

Result<BtfPtr> relocation_types(const btf& object, const btf& kernel) {
  BtfPtr types{btf__new_empty()};
  if (const int err = errno; !types)
    return fail(err, "make a list of types");
  btf__set_pointer_size(types.get(), btf__pointer_size(&kernel));
  const NameSet names = names_in(object);
  Copier copier{kernel, *types};
  for (__u32 id = 1; id < btf__type_cnt(&kernel); ++id) {
    const btf_type& type = *btf__type_by_id(&kernel, id);
    if (can_be_relocated(type) && names.contains(without_flavour(btf_name(kernel, type.name_off))))
      if (const int own = copier.copy(id); own < 0)
        return fail(-own, "copy the kernel's type '" + std::string(btf_name(kernel, type.name_off)) + "'");
  }
  return types;
}

Result<RelocationTypes> RelocationTypes::create() {
  RelocationTypes types;
  types.file_ = UniqueFd{::memfd_create("skbtrail-btf", MFD_CLOEXEC)};
  if (const int err = errno; !types.file_)
    return fail(err, "create a file in memory");
  types.path_ = "/proc/self/fd/" + std::to_string(types.file_.get());
  return types;
}

Result<> RelocationTypes::fill(const btf& object, const btf& kernel) {
  const BtfPtr types = TRY(relocation_types(object, kernel));
  __u32 size = 0;
  const void* raw = btf__raw_data(types.get(), &size);
  if (!raw)
    return fail(ENOMEM, "put a list of types together");
  return write_all(file_.get(), {static_cast<const char*>(raw), size});
}

}  // namespace skbtrail
