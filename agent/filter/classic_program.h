#pragma once
// What is known about a classic BPF program before it is translated: that it is sound, and how control and values flow.

#include <linux/filter.h>

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"

namespace skbtrail {

// Packets never reach this length, so a load beyond it is a load past the end; offsets then fit eBPF's signed
// immediates.
inline constexpr std::uint32_t kMaxPacketLength = 0x7fff'0000;

// Refuses what cannot be translated: unknown instructions, loops, packet metadata, jumps and memory out of range.
Result<> check_classic(std::span<const sock_filter> program);

// Bytes that a packet load of this instruction takes.
std::uint32_t load_size(const sock_filter& instruction);
// A load from the packet, at a constant or an indexed offset.
bool loads_packet(const sock_filter& instruction);
// A load that no packet is long enough for.
bool never_fits(const sock_filter& instruction);

// Bits of ClassicFlow::read_unset. Memory word n is kWordBit << n.
inline constexpr std::uint32_t kAccumulatorBit = 1U << 0;
inline constexpr std::uint32_t kIndexBit = 1U << 1;
inline constexpr std::uint32_t kWordBit = 1U << 2;

struct ClassicFlow {
  std::vector<bool> reachable;   // the kernel's verifier refuses code that nothing reaches
  std::uint32_t read_unset = 0;  // registers and memory words that some path reads before it writes them
};

// Precondition: check_classic() accepted `program`.
ClassicFlow follow(std::span<const sock_filter> program);

// Indices of the instructions that may run after instruction `at`: none for a return.
std::vector<std::size_t> successors(std::span<const sock_filter> program, std::size_t at);

}  // namespace skbtrail
