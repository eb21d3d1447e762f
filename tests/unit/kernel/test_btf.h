#pragma once
// TestBtf: types made by words, as the kernel would publish them.

#include <bpf/btf.h>

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "kernel/kernel_btf.h"

namespace skbtrail {

class TestBtf final {
public:
  TestBtf() : types_(btf__new_empty()) {
    integer = btf__add_int(get(), "int", 4, BTF_INT_SIGNED);
    u64 = btf__add_int(get(), "u64", 8, 0);
    skb_struct = btf__add_struct(get(), "sk_buff", 232);
    skb = pointer_to(skb_struct);
    const_skb = pointer_to(btf__add_const(get(), skb_struct));
    skb_pointer = pointer_to(skb);
    void_pointer = pointer_to(0);
  }

  // A module's types on top of these, which must outlive it.
  TestBtf module() const {
    TestBtf types{BtfPtr{btf__new_empty_split(get())}};
    types.integer = integer;
    types.skb = skb;
    return types;
  }

  btf* get() const { return types_.get(); }
  int pointer_to(int type) { return btf__add_ptr(get(), type); }
  int structure(const char* name, std::uint32_t bytes) { return btf__add_struct(get(), name, bytes); }
  int prototype(int result, const std::vector<int>& parameters) {
    const int id = btf__add_func_proto(get(), result);
    for (const int type : parameters)
      btf__add_func_param(get(), type == kEllipsis ? nullptr : "argument", type);
    return id;
  }
  int function(const char* name, const std::vector<int>& parameters, int result = 0) {
    return btf__add_func(get(), name, BTF_FUNC_STATIC, prototype(result, parameters));
  }
  int enumeration(const char* name, std::initializer_list<std::pair<const char*, std::int64_t>> values) {
    const int id = btf__add_enum(get(), name, 4);
    for (const auto& [value_name, value] : values)
      btf__add_enum_value(get(), value_name, static_cast<std::int32_t>(value));
    return id;
  }
  std::string bytes() const {
    std::uint32_t size = 0;
    const void* raw = btf__raw_data(get(), &size);
    return {static_cast<const char*>(raw), size};
  }

  static constexpr int kEllipsis = 0;
  int integer = 0, u64 = 0, skb_struct = 0, skb = 0, const_skb = 0, skb_pointer = 0, void_pointer = 0;

private:
  explicit TestBtf(BtfPtr types) : types_(std::move(types)) {}

  BtfPtr types_;
};

}  // namespace skbtrail
