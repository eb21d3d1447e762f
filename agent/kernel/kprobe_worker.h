#pragma once
// The process that owns single kprobes. Where the kernel has no kprobe.multi, each probe takes milliseconds to arm
// and to remove, so one helper process does both beside the trace and outlives it: whatever ends the trace, even
// SIGKILL, the worker sees its end of the socket close, disarms and removes all it made, and exits.
//
// Functions are named as SYMBOL+OFFSET with one symbol for all: names of their own the kernel would look up in time
// proportional to its symbol table (5.10: 30 ms each), and bare addresses it takes only one an event.
//
// Many probes share one trace event (kprobe_events accepts that since v5.6), which is armed by one perf event; this
// is two to three times quicker than an event a probe.
//
// Protocol, text lines over one stream socket:
//   to the worker    T TIERS                 the letters of the tiers whose programs it has, from kWorkerProgramsFd on,
//   in
//                                            the order in which they are to be attached
//                    B SYMBOL ADDRESS        a symbol early in the kernel's table, and its address (hex)
//                    E ADDRESS               a function of the entry tier; F: of the follow tier; N: one beside these;
//                                            M: one about maps; R: its return
//                    .                       attach what was named since the last dot
//                    (an empty line)         at the end, with descriptors of BPF links to close
//   from the worker  P PID                   its process id
//                    A COUNT                 so many functions were attached
//                    R ADDRESS ERRNO         the kernel refused this one
//                    .                       one batch is in place

#include <string>

namespace skbtrail {

inline constexpr int kWorkerSocketFd = 3;
inline constexpr int kWorkerProgramsFd = 4;
inline constexpr unsigned kMostWorkerLinks = 64;  // the kernel takes 253 in one message

// Name of the hidden subcommand that runs the worker.
inline constexpr const char* kWorkerCommand = "kprobe-worker";

// Returns at once with 0 and leaves the worker running in a child, until the socket closes and everything is removed.
int run_kprobe_worker(const std::string& tracefs);

}  // namespace skbtrail
