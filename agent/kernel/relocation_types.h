#pragma once
// RelocationTypes: of the kernel's types the few that a BPF object is relocated against, as a file for libbpf. Of the
// whole list (150,000 types) libbpf would look through all names once for each type that the object reads.

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "kernel/kernel_btf.h"

namespace skbtrail {

// Owned by one thread. libbpf reads the file while the object is loaded, so it is named first and filled later.
class RelocationTypes final {
public:
  static Result<RelocationTypes> create();

  const std::string& path() const { return path_; }
  // Fills the file with those of `kernel` that `object`'s types name, flavours included.
  Result<> fill(const btf& object, const btf& kernel);

private:
  UniqueFd file_;
  std::string path_;
};

// Structs, unions, enums and typedefs of `kernel` that have the name of one of `object`, with all they hold by value. A
// pointer points to nothing: no relocation goes through one.
Result<BtfPtr> relocation_types(const btf& object, const btf& kernel);

}  // namespace skbtrail
