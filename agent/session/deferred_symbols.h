#pragma once
// DeferredSymbols: the kernel's symbols, read by a thread of their own once somebody begins it. A trace starts without
// them where it can; who wants to name an address before they are there waits.

#include <future>
#include <memory>

#include "base/result.h"
#include "kernel/kallsyms.h"
#include "model/symbol.h"
#include "session/kernel_names.h"

namespace skbtrail {

class DeferredSymbols final : public SymbolResolver {
public:
  using Symbols = Result<std::shared_ptr<const Kallsyms>>;

  // `names` must outlive it.
  explicit DeferredSymbols(KernelNames& names) : names_(names) {}

  // Begins to read, unless that has happened already. Its owner's thread.
  void begin() {
    if (!reading_.valid())
      reading_ = std::async(std::launch::async, [&names = names_] { return names.symbols(); }).share();
  }

  // Begins and waits. Its owner's thread.
  const Symbols& get() {
    begin();
    return reading_.get();
  }

  // Waits. Any thread, after begin(). What could not be read is as good as empty: addresses are their own names.
  Symbol resolve(std::uint64_t address) const override {
    const Symbols& symbols = reading_.get();
    return symbols ? (*symbols)->resolve(address) : Kallsyms{}.resolve(address);
  }

private:
  KernelNames& names_;
  std::shared_future<Symbols> reading_;  // the last one to go waits for the thread
};

}  // namespace skbtrail
