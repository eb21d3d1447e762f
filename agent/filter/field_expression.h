#pragma once
// Field expressions: C-like conditions and values over the fields of kernel structs, as eBPF instructions that are
// ready for the pads of the tracer (their convention: expression_generator.h).

#include <linux/bpf.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/type_catalogue.h"
#include "model/value_form.h"

namespace skbtrail {

// Longest expression accepted, in bytes.
inline constexpr std::size_t kFieldExpressionLength = 1024;

// What an expression is about.
struct ExpressionSubject {
  std::string variable;     // "skb"
  std::string struct_name;  // "sk_buff"
  bool has_copy = false;    // the tracer hands the start of the struct over
};

// `skb`, a pointer to a struct sk_buff of which the tracer has a copy.
ExpressionSubject skb_subject();
// `xdp`, a pointer to a struct xdp_buff.
ExpressionSubject xdp_subject();

struct CompiledValues {
  std::vector<bpf_insn> code;
  std::vector<ValueForm> forms;  // one for each expression
};

// Errors are one line with the expression, the column and what is wrong there.
Result<std::vector<bpf_insn>> compile_field_filter(std::string_view expression, const ExpressionSubject& subject,
                                                   const TypeCatalogue& types);

// At most TRACE_VALUES expressions, each a number or a pointer.
Result<CompiledValues> compile_field_values(std::span<const std::string> expressions, const ExpressionSubject& subject,
                                            const TypeCatalogue& types);

}  // namespace skbtrail
