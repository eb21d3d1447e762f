#pragma once
// Kallsyms: the kernel's functions by address. Built once and const afterwards, so that threads share it freely.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kernel/host_root.h"
#include "model/symbol.h"

namespace skbtrail {

class KallsymsReader;

class Kallsyms final : public SymbolResolver {
public:
  // `text` is the whole of /proc/kallsyms: lines of "ADDRESS TYPE NAME" and, for modules, "\t[MODULE]".
  static Result<Kallsyms> parse(std::string_view text);
  static Result<Kallsyms> read(const HostRoot& host);

  // Whether the kernel shows us addresses, by its first lines, without reading all of them: the error of read().
  static Result<> check_shown(const HostRoot& host);

  // The function that contains `address`; its hexadecimal form as name when none does.
  Symbol resolve(std::uint64_t address) const override;

  // Addresses of all functions of that name in one module (empty: vmlinux), ascending. Scans everything: for many
  // names, for_each() once is cheaper.
  std::vector<std::uint64_t> addresses(std::string_view wanted, std::string_view module = {}) const;

  // Calls visit(address, name, module) for every function in the order of addresses.
  template <class Visit>
  void for_each(Visit visit) const {
    for (std::size_t entry = 0; entry < addresses_.size(); ++entry)
      if (is_function(entry))
        visit(addresses_[entry], name(entry), std::string_view(modules_[module_of_[entry]]));
  }

  // Where the kernel keeps what each CPU adds to the address of a variable that every CPU has; 0: it does not say.
  std::uint64_t per_cpu_offsets() const { return per_cpu_offsets_; }

  // What it holds on the heap.
  std::size_t bytes() const;

private:
  friend class KallsymsReader;

  // An entry that only ends the function before it has no name.
  static constexpr std::uint32_t kNoName = UINT32_MAX;

  bool is_function(std::size_t entry) const { return name_at_[entry] != kNoName; }
  std::string_view name(std::size_t entry) const { return names_.data() + name_at_[entry]; }

  std::vector<std::uint64_t> addresses_;  // ascending
  std::vector<std::uint32_t> name_at_;    // into names_, or kNoName
  std::vector<std::uint16_t> module_of_;  // into modules_
  std::string names_;                     // all names, each with its zero byte
  std::vector<std::string> modules_;      // the first is vmlinux and empty
  std::uint64_t per_cpu_offsets_ = 0;
};

}  // namespace skbtrail
