#include "app/session_tables.h"

#include <type_traits>

#include "base/overloaded.h"
#include "session/session_schema.h"

namespace skbtrail {
namespace {

std::string in_cell(std::string_view text) {
  std::string cell;
  for (const char c : text)
    cell += c == '|' ? "\\|" : std::string(1, c);
  return cell;
}

std::string row(std::initializer_list<std::string> cells) {
  std::string text = "|";
  for (const auto& cell : cells)
    text += " " + cell + " |";
  return text + "\n";
}

std::string time_bound(const SpecField& field, std::uint64_t seconds) {
  return field.form == FieldForm::Duration ? duration_text(std::chrono::seconds(seconds)) : std::to_string(seconds);
}

std::string range(const SpecField& field) {
  return time_bound(field, field.minimum) + " to " + time_bound(field, field.maximum);
}

struct Words {
  std::string standard;
  std::string value;
};

Words words_of(const SpecField& field) {
  const TraceSessionSpec standard;
  return std::visit(
      Overloaded{
          [&](std::string TraceSessionSpec::*) -> Words {
            return {"", "at most " + std::to_string(field.maximum) + " characters"};
          },
          [&](bool TraceSessionSpec::*member) -> Words {
            return {standard.*member ? "true" : "false", "boolean"};
          },
          [&](ProbeSet TraceSessionSpec::*member) -> Words {
            std::string names;
            for (const auto name : kProbeSetNames)
              names += (names.empty() ? "" : ", ") + std::string(name);
            return {std::string(kProbeSetNames[static_cast<std::size_t>(standard.*member)]), names};
          },
          [&](std::chrono::seconds TraceSessionSpec::*member) -> Words {
            return {time_bound(field, static_cast<std::uint64_t>((standard.*member).count())), range(field)};
          },
          [&](std::vector<std::string> TraceSessionSpec::*) -> Words {
            return {"", "at most " + std::to_string(field.max_items) + ", each of at most " +
                            std::to_string(field.maximum) + " characters"};
          },
          [&](std::optional<SelectorSpec> TraceSessionSpec::*) -> Words {
            return {"", "label selector"};
          },
          [&](auto member) -> Words {
            return {std::to_string(standard.*member), range(field)};
          },
      },
      field.member);
}

std::string kinds_of(const SpecField& field) {
  if (field.in_namespaced && field.in_cluster)
    return "both";
  return std::string(names_of(field.in_namespaced ? SessionKind::TraceSession : SessionKind::ClusterTraceSession).kind);
}

std::string quoted(const std::string& text) {
  return text.empty() ? "" : "`" + text + "`";
}

}  // namespace

std::string spec_table() {
  std::string table = "| field | kind | default | value | meaning |\n|---|---|---|---|---|\n";
  for (const auto& field : spec_fields()) {
    const auto words = words_of(field);
    table += row({quoted(std::string(field.name)), kinds_of(field), quoted(words.standard), words.value,
                  in_cell(field.description)});
  }
  return table;
}

std::string status_table() {
  std::string table = "| field | meaning |\n|---|---|\n";
  for (const auto& field : status_fields())
    table += row({quoted(std::string(field.name)), in_cell(field.description)});
  return table;
}

std::string node_table() {
  std::string table = "| field | meaning |\n|---|---|\n";
  for (const auto& field : node_fields())
    table += row({quoted(std::string(field.name)), in_cell(field.description)});
  return table;
}

}  // namespace skbtrail
