#include "sink/loki_body.h"

#include <string_view>
#include <utility>
#include <vector>

#include "sink/json_text.h"
#include "sink/text_buffer.h"

namespace skbtrail {
namespace {

using StreamName = std::pair<std::string_view, std::string_view>;  // session, type

std::map<StreamName, std::vector<const EventLine*>> streams_of(
    std::span<const std::shared_ptr<const LineBatch>> batches) {
  std::map<StreamName, std::vector<const EventLine*>> streams;
  for (const auto& batch : batches)
    for (const auto& line : batch->lines)
      streams[{batch->session, line.type}].push_back(&line);
  return streams;
}

void put_label(TextBuffer& out, std::string_view name, std::string_view value) {
  put_json_string(out, name);
  out.put(":");
  put_json_string(out, value);
}

void put_labels(TextBuffer& out, const LokiLabels& labels, const StreamName& stream) {
  out.put("{");
  for (const auto& [name, value] : labels) {
    put_label(out, name, value);
    out.put(",");
  }
  if (!stream.first.empty()) {
    put_label(out, "session", stream.first);
    out.put(",");
  }
  put_label(out, "type", stream.second);
  out.put("}");
}

void put_values(TextBuffer& out, const std::vector<const EventLine*>& lines) {
  std::string_view separator = "[";
  for (const EventLine* line : lines) {
    out.put(std::exchange(separator, ","));
    out.put("[\"");
    out.put(std::to_string(line->realtime_ns));
    out.put("\",");
    put_json_string(out, line->text);
    out.put("]");
  }
  out.put("]");
}

}  // namespace

std::string loki_body(const LokiLabels& labels, std::span<const std::shared_ptr<const LineBatch>> batches) {
  const auto streams = streams_of(batches);
  if (streams.empty())
    return {};
  TextBuffer out;
  std::string_view separator = R"({"streams":[)";
  for (const auto& [name, lines] : streams) {
    out.put(std::exchange(separator, ","));
    out.put(R"({"stream":)");
    put_labels(out, labels, name);
    out.put(R"(,"values":)");
    put_values(out, lines);
    out.put("}");
  }
  out.put("]}");
  return std::string(out.view());
}

}  // namespace skbtrail
