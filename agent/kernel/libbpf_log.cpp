#include "kernel/libbpf_log.h"

#include <bpf/libbpf.h>

namespace skbtrail {

void keep_libbpf_quiet() {
  libbpf_set_print(nullptr);
}

}  // namespace skbtrail
