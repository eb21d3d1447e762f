#include "filter/field_expression.h"

#include <catch2/catch.hpp>
#include <string>

#include "support/fake_types.h"
#include "support/well_formed.h"

using namespace skbtrail;
using namespace skbtrail::test;

namespace {

// What is said about an expression, behind its own text; empty when it compiles.
std::string complaint(const std::string& expression) {
  static const FakeTypes kTypes;
  const auto compiled = compile_field_filter(expression, probe_subject(true), kTypes);
  if (compiled) {
    INFO(expression);
    CHECK(fault_of(*compiled) == "");
    return "";
  }
  CHECK(compiled.error().message.find('\n') == std::string::npos);
  const auto& message = compiled.error().message;
  return message.substr(message.find("': ") + 3);
}

std::size_t instructions(const std::string& expression) {
  static const FakeTypes kTypes;
  const auto compiled = compile_field_filter(expression, probe_subject(true), kTypes);
  REQUIRE(compiled);
  return compiled->size();
}

ValueForm form_of(const std::string& expression) {
  static const FakeTypes kTypes;
  const std::string texts[] = {expression};
  const auto compiled = compile_field_values(texts, probe_subject(true), kTypes);
  REQUIRE(compiled);
  return compiled->forms.front();
}

}  // namespace

TEST_CASE("a field that does not exist is named with the nearest one, at its column") {
  CHECK(complaint("p->wrod > 5") == "column 4: no field wrod in struct probe, did you mean word?");
  CHECK(complaint("p->word == 1 && p->inner.z") == "column 26: no field z in struct inner, did you mean x?");
  CHECK(complaint("p->nothing_like_it") == "column 4: no field nothing_like_it in struct probe");
}

TEST_CASE("a name that is not known says what an expression is about") {
  CHECK(complaint("q->word") ==
        "column 1: 'q' is not known; an expression is about p, and the kernel's enum constants");
  CHECK(complaint("p->byte == IPPROTO_TCP").empty());
  CHECK(complaint("p->wide == VERY_LARGE").empty());
}

TEST_CASE("dots and arrows are told apart") {
  CHECK(complaint("p.word") == "column 3: what stands before the . is a pointer: write -> instead");
  CHECK(complaint("p->next.word") == "column 9: what stands before the . is a pointer: write -> instead");
  CHECK(complaint("p->inner->x") == "column 11: 'struct inner' is no pointer: write . instead of ->");
  CHECK(complaint("p->word->x").starts_with("column 10: what stands here is a number and no pointer"));
  CHECK(complaint("p->word.x") == "column 9: 'u32' has no fields");
  CHECK(complaint("(p->word + 1).x") == "column 15: what stands before 'x' is no struct");
}

TEST_CASE("what is no number cannot be judged") {
  CHECK(complaint("p->inner") == "column 4: 'struct inner' is a whole struct; name one of its fields");
  CHECK(complaint("*p").starts_with("column 1: 'struct probe' is a whole struct"));
  CHECK(complaint("*p->anything").starts_with("column 1: what a void * points to has no value"));
  CHECK(complaint("p->opaque->x") == "column 12: 'struct undefined' has no fields");
  CHECK(complaint("p->opaque + 1").starts_with("column 11: the size of 'struct undefined' is not known"));
}

TEST_CASE("strings are compared with text and nothing else") {
  CHECK(complaint("p->name == \"eth0\"").empty());
  CHECK(complaint("\"eth0\" != p->label").empty());
  CHECK(complaint("\"eth0\"") == "column 1: a string can only be compared, with == or !=");
  CHECK(complaint("p->name < \"eth0\"") == "column 9: a string can only be compared, with == or !=");
  CHECK(complaint("p->word == \"eth0\"") == "column 9: a number cannot be compared with a string");
  CHECK(complaint("p->array == \"eth0\"").starts_with("column 10: 'u32' is no character"));
  CHECK(complaint("p->name == \"a name of 17 char\"") == "column 9: this string has 17 bytes, the field only 16");
  CHECK(complaint("\"a\" == \"b\"") == "column 5: two strings: one side must be a field");
  CHECK(complaint("p->label == \"" + std::string(63, 'x') + "\"").starts_with("column 10: strings of more than 62"));
  CHECK(complaint("p->name == \"eth0") == "column 12: this string does not end: add a '\"'");
}

TEST_CASE("broken grammar names the place") {
  CHECK(complaint("") == "column 1: here a field, a number or a parenthesis is due, not the end");
  CHECK(complaint("p->") == "column 4: here the name of a field is missing");
  CHECK(complaint("(p->word") == "column 9: ')' is missing to close the parenthesis, here is the end");
  CHECK(complaint("p->array[1") == "column 11: ']' is missing behind the index, here is the end");
  CHECK(complaint("p->word p->byte") == "column 9: 'p' stands where an operator or the end is due");
  CHECK(complaint("p->word @ 1") == "column 9: '@' has no meaning in an expression");
  CHECK(complaint("p->word == 0x") == "column 12: 'x' is no ending of a number");
  CHECK(complaint("p->word == 12abc").starts_with("column 12:"));
  CHECK(complaint("p->word == 08").starts_with("column 12:"));
  CHECK(complaint("p->wide == 18446744073709551616").starts_with("column 12: number 18446744073709551616"));
  CHECK(complaint("p->byte == 'ab'").starts_with("column 12: a character constant is one character"));
  CHECK(complaint("p->word ? 1 : 2").starts_with("column 9: there is no ?:"));
  CHECK(complaint("sizeof(int)").starts_with("column 1: there is no sizeof"));
  CHECK(complaint("ntohs(p->be16)").find("host byte order") != std::string::npos);
  CHECK(complaint("((struct nothing *)p)->x") == "column 3: this kernel has no type 'nothing'");
  CHECK(complaint("(struct *)p").starts_with("column 9: here the name of a struct"));
}

TEST_CASE("arithmetic that has no meaning is refused") {
  CHECK(complaint("p->word / 0") == "column 9: this divides by zero");
  CHECK(complaint("p->word % (1 - 1)") == "column 9: this divides by zero");
  CHECK(complaint("p->word << 32") == "column 9: this shifts a number of 32 bits by 32");
  CHECK(complaint("p->wide >> 63").empty());
  CHECK(complaint("p * 2").starts_with("column 3: to a pointer a number can be added"));
  CHECK(complaint("p->word[1]").starts_with("column 8: only an array or a pointer has elements"));
  CHECK(complaint("&p->three").starts_with("column 1: only a field that is no bitfield has an address"));
  CHECK(complaint("-p").starts_with("column 1: this operator takes numbers"));
}

TEST_CASE("sizes are bounded") {
  CHECK(complaint(std::string(1025, ' ')).starts_with("1025 characters, more than the 1024 accepted"));
  CHECK(
      complaint(std::string(40, '(') + "1" + std::string(40, ')')).starts_with("column 33: nested more than 32 deep"));
  CHECK(complaint(std::string(40, '!') + "p").starts_with("column 33: nested more than 32 deep"));
  std::string long_sum = "p->next->next->word";
  while (long_sum.size() + 22 < 1024)
    long_sum += " + p->next->next->word";
  CHECK(complaint(long_sum).empty());
  std::string deep = "p->next->word";
  for (int n = 0; n < 24; ++n)
    deep = "p->next->word + (" + deep + ")";
  CHECK(complaint(deep).starts_with("more than 23 intermediate results"));
  const FakeTypes types;
  const std::vector<std::string> five = {"p->word", "p->byte", "p->half", "p->wide", "p->small"};
  CHECK(compile_field_values(five, probe_subject(true), types).error().message ==
        "5 expressions, at most 4 can be shown");
}

TEST_CASE("a value that is asked for twice would be one name with two values") {
  const FakeTypes types;
  const std::vector<std::string> twice = {"p->word", "p->byte", "p->word"};
  CHECK(compile_field_values(twice, probe_subject(true), types).error().message ==
        "expression 'p->word': given twice; leave one out");
}

TEST_CASE("every form of number and operator compiles") {
  for (const auto* expression : {"p->word",
                                 "!p->word",
                                 "p->word = 5",
                                 "p->byte == 'a'",
                                 "p->byte == '\\x41'",
                                 "p->word & 0xff00 == 0b1010",
                                 "p->word == 017",
                                 "p->wide == 0xffffffffffffffffULL",
                                 "p && p->next",
                                 "p->next == 0 || p->next->word",
                                 "(*p).word",
                                 "p->inner.self->inner.self->word == -1",
                                 "((struct inner *)(p->label + p->half))->x",
                                 "*(u32 *)(p->array + 1) > 2",
                                 "p[1].word",
                                 "&p->word == &p->array[0]",
                                 "p->array[p->byte & 3]",
                                 "(unsigned long)p & 7",
                                 "(bool)p->word",
                                 "(const unsigned int)p->byte",
                                 "p->next - p > 1",
                                 "1",
                                 "0",
                                 "1 || p->word",
                                 "p->word && 0",
                                 "0 && p->word",
                                 "~0 == p->number",
                                 "p->name[0] == 'e'"})
    CHECK(complaint(expression).empty());
}

TEST_CASE("a field of the packet itself is read from the copy, without a helper call") {
  CHECK(instructions("p->word == 5") == 8 + 1);
  CHECK(instructions("p->next->word == 5") > instructions("p->word == 5"));
  CHECK(instructions("1 + 2 * 3 == 7") == instructions("1"));
}

TEST_CASE("values know how they are written") {
  CHECK(form_of("p->word") == ValueForm{.name = "p->word", .kind = ValueKind::Unsigned});
  CHECK(form_of("p->number").kind == ValueKind::Signed);
  CHECK(form_of("p->byte").kind == ValueKind::Signed);
  CHECK(form_of("p->wide").kind == ValueKind::Unsigned);
  CHECK(form_of("p->next").kind == ValueKind::Pointer);
  CHECK(form_of("p->name").kind == ValueKind::Pointer);
  CHECK(form_of("p->word == 5").kind == ValueKind::Signed);
}

TEST_CASE("without the struct there is nothing to speak about") {
  const FakeTypes types;
  CHECK(compile_field_filter("skb->len", skb_subject(), types).error().message.find("no struct sk_buff") !=
        std::string::npos);
}
