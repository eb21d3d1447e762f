#pragma once
// What libbpf would print by itself. Its failures come back as errors that name the step; lines of its own on stderr
// would only repeat them.

namespace skbtrail {

void keep_libbpf_quiet();

}  // namespace skbtrail
