#include "kernel/argument_slots.h"

#include <catch2/catch.hpp>

using namespace skbtrail;

namespace {

constexpr ArgumentShape kWord{.bytes = 8, .aggregate = false};

ArgumentShape aggregate(std::uint32_t bytes) {
  return {.bytes = bytes, .aggregate = true};
}

// The first cases are of x86-64, whatever this is compiled for.
ArgumentLayout laid_out(const Signature& signature) {
  return lay_out(signature, kSystemV);
}

std::vector<unsigned> at_entry(const ArgumentLayout& layout) {
  std::vector<unsigned> slots;
  for (const auto& place : layout.places)
    slots.push_back(place.at_entry);
  return slots;
}

std::vector<unsigned> in_fentry(const ArgumentLayout& layout) {
  std::vector<unsigned> slots;
  for (const auto& place : layout.places)
    slots.push_back(place.in_fentry);
  return slots;
}

}  // namespace

TEST_CASE("a struct of more than 16 bytes goes onto the stack and trampolines refuse it") {
  const auto layout = laid_out({.result = kWord, .arguments = {kWord, aggregate(24), kWord}});
  CHECK(at_entry(layout) == std::vector<unsigned>{0, 6, 1});
  CHECK(layout.fentry_refuses);
}

TEST_CASE("a large result takes the first register and trampolines refuse it") {
  const auto layout = laid_out({.result = aggregate(24), .arguments = {kWord}});
  CHECK(at_entry(layout) == std::vector<unsigned>{1});
  CHECK(layout.fentry_refuses);
}

TEST_CASE("an empty struct takes no place and trampolines refuse it") {
  const auto layout = laid_out({.result = kWord, .arguments = {aggregate(0), kWord}});
  CHECK(at_entry(layout) == std::vector<unsigned>{0, 0});
  CHECK(layout.fentry_refuses);
}

TEST_CASE("a struct that does not fit into the registers leaves the last one to the next argument") {
  const auto layout =
      laid_out({.result = kWord, .arguments = {kWord, kWord, kWord, kWord, kWord, aggregate(16), kWord}});
  CHECK(at_entry(layout) == std::vector<unsigned>{0, 1, 2, 3, 4, 6, 5});
  CHECK(in_fentry(layout) == std::vector<unsigned>{0, 1, 2, 3, 4, 5, 7});
  CHECK_FALSE(layout.fentry_refuses);
}

TEST_CASE("a struct of up to 16 bytes takes two registers") {
  const auto layout = laid_out({.result = kWord, .arguments = {aggregate(16), aggregate(4), kWord}});
  CHECK(at_entry(layout) == std::vector<unsigned>{0, 2, 3});
  CHECK(in_fentry(layout) == std::vector<unsigned>{0, 2, 3});
  CHECK(layout.slots == 4);
  CHECK_FALSE(layout.fentry_refuses);
}

TEST_CASE("from the seventh on arguments lie on the stack") {
  const auto layout = laid_out({.result = {.bytes = 0}, .arguments = std::vector(8, kWord)});
  CHECK(at_entry(layout) == std::vector<unsigned>{0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(layout.slots == 8);
}

TEST_CASE("arm64 passes eight arguments in registers, and the address of a large struct in one of them") {
  const auto layout = lay_out({.result = kWord, .arguments = {kWord, aggregate(24), kWord}}, kAapcs64);
  CHECK(at_entry(layout) == std::vector<unsigned>{0, 1, 2});
  CHECK(layout.fentry_refuses);
  const auto many = lay_out({.result = {.bytes = 0}, .arguments = std::vector(10, kWord)}, kAapcs64);
  CHECK(at_entry(many) == std::vector<unsigned>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
}

TEST_CASE("on arm64 a large result takes none of the registers of arguments") {
  CHECK(at_entry(lay_out({.result = aggregate(24), .arguments = {kWord}}, kAapcs64)) == std::vector<unsigned>{0});
}

TEST_CASE("on arm64 nothing gets a register behind a struct that did not") {
  std::vector<ArgumentShape> arguments(7, kWord);
  arguments.push_back(aggregate(16));
  arguments.push_back(kWord);
  const auto layout = lay_out({.result = kWord, .arguments = arguments}, kAapcs64);
  CHECK(at_entry(layout) == std::vector<unsigned>{0, 1, 2, 3, 4, 5, 6, 8, 10});
}
