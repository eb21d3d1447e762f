#include "kernel/relocation_types.h"

#include <unistd.h>
#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "unit/kernel/test_btf.h"

using namespace skbtrail;

namespace {

const btf_type* find(const btf& types, const char* name, std::uint32_t kind) {
  const int id = btf__find_by_name_kind(&types, name, kind);
  return id < 0 ? nullptr : btf__type_by_id(&types, static_cast<std::uint32_t>(id));
}

std::string name_of(const btf& types, std::uint32_t offset) {
  return btf__name_by_offset(&types, offset);
}

// What an object reads: a flavour of a struct, an enum, and a struct that the kernel does not have.
TestBtf an_object() {
  TestBtf object;
  object.structure("net___old", 8);
  object.structure("ours", 8);
  object.enumeration("skb_drop_reason", {{"SKB_NOT_DROPPED_YET", 0}});
  return object;
}

}  // namespace

TEST_CASE("of the kernel's types those are copied that an object names, with what they hold") {
  TestBtf kernel;
  kernel.structure("unread", 64);
  const int common = kernel.structure("ns_common", 16);
  btf__add_field(kernel.get(), "inum", kernel.integer, 64, 0);
  const int alias = btf__add_typedef(kernel.get(), "common_t", btf__add_const(kernel.get(), common));
  const int numbers = btf__add_array(kernel.get(), kernel.integer, kernel.u64, 3);
  const int device = kernel.pointer_to(kernel.structure("net_device", 2048));
  kernel.structure("net", 128);
  btf__add_field(kernel.get(), "ns", alias, 0, 0);
  btf__add_field(kernel.get(), "flag", kernel.integer, 131, 2);
  btf__add_field(kernel.get(), "numbers", numbers, 192, 0);
  btf__add_field(kernel.get(), "loopback_dev", device, 384, 0);
  kernel.enumeration("skb_drop_reason", {{"SKB_NOT_DROPPED_YET", 0}, {"SKB_CONSUMED", 1}});

  const auto types = relocation_types(*an_object().get(), *kernel.get());
  REQUIRE(types);
  const btf& few = **types;
  CHECK(find(few, "unread", BTF_KIND_STRUCT) == nullptr);
  CHECK(find(few, "net_device", BTF_KIND_STRUCT) == nullptr);
  REQUIRE(find(few, "ns_common", BTF_KIND_STRUCT));
  REQUIRE(find(few, "skb_drop_reason", BTF_KIND_ENUM));
  CHECK(btf_vlen(find(few, "skb_drop_reason", BTF_KIND_ENUM)) == 2);

  const btf_type* net = find(few, "net", BTF_KIND_STRUCT);
  REQUIRE(net);
  CHECK(net->size == 128);
  REQUIRE(btf_vlen(net) == 4);
  const btf_member* members = btf_members(net);
  CHECK(name_of(few, members[1].name_off) == "flag");
  CHECK(btf_member_bit_offset(net, 1) == 131);
  CHECK(btf_member_bitfield_size(net, 1) == 2);
  CHECK(btf__resolve_size(&few, members[0].type) == 16);
  CHECK(btf__resolve_size(&few, members[2].type) == 24);
  const btf_type* pointer = btf__type_by_id(&few, members[3].type);
  CHECK(btf_is_ptr(pointer));
  CHECK(pointer->type == 0);
}

TEST_CASE("structs of one name are all copied, as libbpf has to see that they differ") {
  TestBtf kernel;
  kernel.structure("net", 16);
  kernel.structure("net", 32);
  const auto types = relocation_types(*an_object().get(), *kernel.get());
  REQUIRE(types);
  std::vector<std::uint32_t> sizes;
  for (std::uint32_t id = 1; id < btf__type_cnt(types->get()); ++id)
    if (const btf_type* type = btf__type_by_id(types->get(), id); name_of(**types, type->name_off) == "net")
      sizes.push_back(type->size);
  CHECK(sizes == std::vector<std::uint32_t>{16, 32});
}

TEST_CASE("libbpf reads them from the file") {
  TestBtf kernel;
  kernel.structure("net", 16);
  auto types = RelocationTypes::create();
  REQUIRE(types);
  REQUIRE(types->fill(*an_object().get(), *kernel.get()));
  const BtfPtr read{btf__parse(types->path().c_str(), nullptr)};
  REQUIRE(read);
  REQUIRE(find(*read, "net", BTF_KIND_STRUCT));
  CHECK(find(*read, "net", BTF_KIND_STRUCT)->size == 16);
}
