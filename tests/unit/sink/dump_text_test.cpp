#include "sink/dump_text.h"

#include <catch2/catch.hpp>
#include <string>

using namespace skbtrail;

namespace {

std::string text_of(const Dump& dump) {
  TextBuffer out;
  put_dump(out, dump);
  return std::string(out.view());
}

DumpForm form_of(std::vector<DumpField> fields) {
  return {.type = "struct probe", .fields = std::move(fields), .count = std::nullopt};
}

std::string text_of_field(const DumpField& field, std::vector<std::uint8_t> bytes) {
  const auto form = form_of({field});
  return text_of({.form = &form, .bytes = std::move(bytes)});
}

}  // namespace

TEST_CASE("a struct that was not asked for is nothing, one that could not be read says so") {
  const auto form = form_of({{.path = "len", .bits = 32}});
  CHECK(text_of({}).empty());
  CHECK(text_of({.form = &form, .bytes = {}}) == "(struct probe){could not be read}");
}

TEST_CASE("fields behind the bytes that were copied are left out, like those that are 0") {
  CHECK(text_of_field({.path = "a", .bit_offset = 64, .bits = 64}, {1, 2, 3}) == "(struct probe){}");
  CHECK(text_of_field({.path = "a", .bit_offset = 64, .bits = 32, .kind = DumpKind::Bytes}, {1}) == "(struct probe){}");
  CHECK(text_of_field({.path = "a", .bits = 32}, {0, 0, 0, 0}) == "(struct probe){}");
}

TEST_CASE("numbers, bits, addresses and bytes are written as C writes them") {
  CHECK(text_of_field({.path = "a", .bits = 32}, {0x78, 0x56, 0x34, 0x12}) == "(struct probe){.a = 305419896}");
  CHECK(text_of_field({.path = "a", .bits = 16, .big_endian = true}, {8, 0}) == "(struct probe){.a = 2048}");
  CHECK(text_of_field({.path = "a", .bits = 16, .kind = DumpKind::Signed}, {0xfe, 0xff}) == "(struct probe){.a = -2}");
  CHECK(text_of_field({.path = "a", .bits = 8, .kind = DumpKind::Signed}, {0x80}) == "(struct probe){.a = -128}");
  CHECK(text_of_field({.path = "a", .bits = 64, .kind = DumpKind::Signed}, std::vector<std::uint8_t>(8, 0xff)) ==
        "(struct probe){.a = -1}");
  CHECK(text_of_field({.path = "a", .bit_offset = 11, .bits = 3}, {0, 0x28}) == "(struct probe){.a = 5}");
  CHECK(text_of_field({.path = "a", .bit_offset = 6, .bits = 4}, {0xc0, 0x03}) == "(struct probe){.a = 15}");
  CHECK(text_of_field({.path = "a.b[1]", .bits = 64, .kind = DumpKind::Pointer}, {0, 0x10, 0, 0, 0, 0, 0xff, 0xff}) ==
        "(struct probe){.a.b[1] = 0xffff000000001000}");
  CHECK(text_of_field({.path = "cb", .bit_offset = 8, .bits = 32, .kind = DumpKind::Bytes}, {9, 0, 0xab, 0, 0}) ==
        "(struct probe){.cb = {0x00,0xab}}");
}

TEST_CASE("elements that are not in use are an earlier packet's") {
  auto form = form_of({{.path = "nr_frags", .bits = 8},
                       {.path = "frags[0]", .bit_offset = 8, .bits = 8, .element = 0},
                       {.path = "frags[1]", .bit_offset = 16, .bits = 8, .element = 1}});
  form.count = 0;
  CHECK(text_of({.form = &form, .bytes = {1, 7, 8}}) == "(struct probe){.nr_frags = 1, .frags[0] = 7}");
  CHECK(text_of({.form = &form, .bytes = {0, 7, 8}}) == "(struct probe){}");
}

TEST_CASE("a text without end is cut, and says so") {
  std::vector<DumpField> fields;
  fields.reserve(2000);
  for (int at = 0; at < 2000; ++at)
    fields.push_back({.path = "field" + std::to_string(at), .bits = 8});
  const auto form = form_of(std::move(fields));
  const auto text = text_of({.form = &form, .bytes = {1}});
  CHECK(text.size() <= kMaxDump + 6);
  CHECK(text.substr(text.size() - 6) == ", ...}");
}

TEST_CASE("the words of cb are told all five") {
  TextBuffer out;
  put_control_words(out, {0, 42, 0, 0, 0xffffffff});
  CHECK(out.view() == "[0x0,0x2a,0x0,0x0,0xffffffff]");
}
