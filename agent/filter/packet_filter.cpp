#include "filter/packet_filter.h"

#include <algorithm>
#include <regex>
#include <span>
#include <string>
#include <utility>

#include "filter/pcap_compiler.h"
#include "filter/quoted_expression.h"

namespace skbtrail {
namespace {

// libpcap's own words, less the start that `quoted_expression` already says.
std::string explained(std::string_view message) {
  constexpr std::string_view kPrefix = "can't parse filter expression: ";
  if (message.starts_with(kPrefix))
    message.remove_prefix(kPrefix.size());
  return printable(message) + " (see pcap-filter(7))";
}

// libpcap compiles these for raw IP too, and then reads bytes of the IP header as if they were the link header's.
bool reads_link_header(const std::string& expression) {
  static const std::regex kLinkBytes{R"((^|[^\w.-])((link|ether|ppp|slip|fddi|tr|wlan)\s*\[|byte\s))"};
  return std::regex_search(expression, kLinkBytes);
}

Result<std::vector<bpf_insn>> translate_named(std::string_view expression, std::span<const sock_filter> program) {
  auto code = translate(program);
  if (!code)
    return within(quoted_expression("pcap filter", expression), std::move(code.error()));
  return code;
}

}  // namespace

Result<CompiledFilter> compile_filter(std::string_view expression) {
  if (expression.size() > kFilterExpressionLength)
    return refuse(E2BIG, quoted_expression("pcap filter", expression) + ": " + std::to_string(expression.size()) +
                             " characters, more than the " + std::to_string(kFilterExpressionLength) +
                             " accepted; shorten the expression");
  if (expression.find('\0') != std::string_view::npos)
    return refuse(EINVAL, quoted_expression("pcap filter", expression) + ": contains a zero byte; remove it");

  const std::string text{expression};
  const auto l2 = compile_pcap(text, LinkForm::L2);
  if (!l2)
    return refuse(l2.error().code, quoted_expression("pcap filter", text) + ": " + explained(l2.error().message));
  CompiledFilter filter;
  filter.l2 = TRY(translate_named(text, *l2));
  if (reads_link_header(text))
    return filter;
  if (const auto l3 = compile_pcap(text, LinkForm::L3))
    filter.l3 = TRY(translate_named(text, *l3));
  return filter;
}

}  // namespace skbtrail
