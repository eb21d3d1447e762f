#pragma once
// BtfTypes: the kernel's BTF as a TypeCatalogue. Reads, owns nothing.

#include <bpf/btf.h>

#include "model/type_catalogue.h"

namespace skbtrail {

class BtfTypes final : public TypeCatalogue {
public:
  // `types` must outlive this.
  explicit BtfTypes(const btf& types) : types_(types) {}

  std::optional<TypeId> find(TypeTag tag, std::string_view name) const override;
  TypeFacts facts(TypeId id) const override;
  std::optional<MemberFacts> member(TypeId record, std::string_view name) const override;
  std::vector<std::string> members(TypeId record) const override;
  std::optional<std::int64_t> constant(std::string_view name) const override;

private:
  const btf& types_;
};

}  // namespace skbtrail
