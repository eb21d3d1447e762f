#include "filter/field_expression.h"

#include <linux/types.h>

#include <algorithm>
#include <utility>

#include "filter/expression_checker.h"
#include "filter/expression_generator.h"
#include "filter/expression_parser.h"
#include "filter/quoted_expression.h"
#include "trace_abi.h"

namespace skbtrail {
namespace {

Result<RootVariable> root_of(const ExpressionSubject& subject, const TypeCatalogue& types) {
  const auto found = types.find(TypeTag::Struct, subject.struct_name);
  if (!found)
    return refuse(ENOTSUP, "the kernel's types have no struct " + subject.struct_name +
                               ": this BTF is not that of a kernel with networking");
  return RootVariable{.name = subject.variable, .points_to = *found};
}

Result<CheckedExpression> understand(std::string_view expression, const ExpressionSubject& subject,
                                     const TypeCatalogue& types) {
  if (expression.size() > kFieldExpressionLength)
    return refuse(E2BIG, std::to_string(expression.size()) + " characters, more than the " +
                             std::to_string(kFieldExpressionLength) + " accepted; shorten it");
  const auto root = TRY(root_of(subject, types));
  const auto tree = TRY(parse_expression(expression, types));
  return check_expression(*tree, root, types);
}

ValueKind kind_of(const CheckedExpression& checked) {
  if (checked.is_pointer)
    return ValueKind::Pointer;
  return checked.is_signed ? ValueKind::Signed : ValueKind::Unsigned;
}

}  // namespace

ExpressionSubject skb_subject() {
  return {.variable = "skb", .struct_name = "sk_buff", .has_copy = true};
}

ExpressionSubject xdp_subject() {
  return {.variable = "xdp", .struct_name = "xdp_buff"};
}

Result<std::vector<bpf_insn>> compile_field_filter(std::string_view expression, const ExpressionSubject& subject,
                                                   const TypeCatalogue& types) {
  const auto checked = understand(expression, subject, types);
  if (!checked)
    return within(quoted_expression("expression", expression), checked.error());
  auto code = generate_filter(*checked->computation, {.has_copy = subject.has_copy});
  if (!code)
    return within(quoted_expression("expression", expression), std::move(code.error()));
  return code;
}

Result<CompiledValues> compile_field_values(std::span<const std::string> expressions, const ExpressionSubject& subject,
                                            const TypeCatalogue& types) {
  if (expressions.size() > TRACE_VALUES)
    return refuse(E2BIG, std::to_string(expressions.size()) + " expressions, at most " + std::to_string(TRACE_VALUES) +
                             " can be shown");
  for (auto one = expressions.begin(); one != expressions.end(); ++one)
    if (std::find(expressions.begin(), one, *one) != one)
      return refuse(EINVAL, quoted_expression("expression", *one) + ": given twice; leave one out");
  CompiledValues compiled;
  std::vector<ComputationPtr> computations;
  for (const std::string& expression : expressions) {
    auto checked = understand(expression, subject, types);
    if (!checked)
      return within(quoted_expression("expression", expression), std::move(checked.error()));
    compiled.forms.push_back({.name = printable(expression), .kind = kind_of(*checked)});
    computations.push_back(std::move(checked->computation));
  }
  compiled.code = TRY(generate_values(computations, {.has_copy = subject.has_copy}));
  return compiled;
}

}  // namespace skbtrail
