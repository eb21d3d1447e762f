#pragma once
// pcap expression → classic BPF, by libpcap. Its .cpp alone includes pcap.h, which has a `struct bpf_insn` of its own
// that cannot be seen together with the one of <linux/bpf.h>; sock_filter stands for it everywhere else.

#include <linux/filter.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "filter/link_form.h"

namespace skbtrail {

// Refuses with libpcap's own words when `expression` has no meaning on packets of this form.
Result<std::vector<sock_filter>> compile_pcap(const std::string& expression, LinkForm form);

}  // namespace skbtrail
