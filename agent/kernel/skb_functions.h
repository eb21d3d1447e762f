#pragma once
// Which functions take a packet, by their types alone.

#include <bpf/btf.h>

#include <string_view>
#include <vector>

#include "kernel/kernel_btf.h"
#include "model/kernel_function.h"

namespace skbtrail {

// Every function of `types` with a parameter `struct sk_buff *`, `const struct sk_buff *` or, where there is neither,
// `struct sk_buff **` (which may be there for output only). Of several the first counts. Of split BTF only the
// module's own functions are looked at. Without addresses: types do not know any.
std::vector<KernelFunction> find_skb_functions(const btf& types, std::string_view module);

// Whether `types` describe a function of that name.
bool has_function(const btf& types, std::string_view name);

// The same over vmlinux and every module that was asked for.
std::vector<KernelFunction> find_skb_functions(const KernelBtf& kernel);

}  // namespace skbtrail
