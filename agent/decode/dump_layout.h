#pragma once
// From the kernel's types to the form of a dump. Pure.

#include "base/result.h"
#include "model/dump_form.h"
#include "model/type_catalogue.h"

namespace skbtrail {

// What somebody wants to see.
struct DumpWishes {
  bool skb = false;
  bool shared_info = false;
  bool control_words = false;
};

// Fields of one dump; further ones are left out.
inline constexpr std::size_t kMaxDumpFields = 512;

// ENOTSUP: the kernel's types have no such struct.
Result<DumpForms> lay_out_dumps(const DumpWishes& wishes, const TypeCatalogue& types);

// The fields of `record` at every depth, in the order of the kernel. A field that two unnamed unions show twice under
// its name is told once.
DumpForm lay_out(TypeId record, const TypeCatalogue& types);

}  // namespace skbtrail
