#pragma once
// TopPage: what `skbtrail top` prints for one round. Pure.

#include <chrono>
#include <cstddef>
#include <string>

#include "monitor/top_drops.h"

namespace skbtrail {

struct TopPageOptions {
  std::chrono::duration<double> round{2};  // how long the last round took
  std::size_t rows = 20;
  std::size_t width = 0;  // of a terminal, longer lines are cut; 0: no bound
  bool advice = true;
};

std::string top_page(const TopDrops& drops, const TopPageOptions& options);

}  // namespace skbtrail
