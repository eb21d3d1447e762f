// Any bytes as a ring record: decoded, then written as JSON and as text.

#include <fcntl.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>

#include "base/unique_fd.h"
#include "decode/decoder.h"
#include "sink/json_sink.h"
#include "sink/pcapng_sink.h"
#include "sink/text_sink.h"

using namespace skbtrail;

namespace {

class NumberedSymbols final : public SymbolResolver {
public:
  Symbol resolve(std::uint64_t address) const override {
    char name[24];
    std::snprintf(name, sizeof(name), "f%llx", static_cast<unsigned long long>(address >> 8));
    return {.name = name, .offset = address & 0xff, .module = address & 1 ? "mod" : ""};
  }
};

class NumberedReasons final : public DropReasonNames {
public:
  DropReasonName lookup(std::uint32_t reason) const override {
    return {.name = std::to_string(reason), .subsystem = reason >> 16 ? "other" : "core"};
  }
};

// Knows every second one.
class NumberedPrograms final : public TracedProgramNames {
public:
  const TracedProgram* lookup(std::uint32_t id) const override { return id % 2 ? &known_ : nullptr; }

private:
  TracedProgram known_{.id = 1, .kind = ProgramKind::Tc, .symbol = {.name = "to_host", .offset = 0, .module = "bpf"}};
};

// Everything that lives from one input to the next, as it does in a trace.
struct Trace {
  NumberedSymbols symbols;
  NumberedReasons reasons;
  NumberedPrograms programs;
  Decoder decoder{symbols, reasons, 1'000'000};
  UniqueFd nowhere{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
  std::unique_ptr<Output> output = Output::borrow(nowhere.get(), "/dev/null");
  JsonSink json{*output, {}};
  std::unique_ptr<Output> file_output = Output::borrow(nowhere.get(), "/dev/null");
  PcapngSink capture{*file_output, {}};
  TextSink file{*output,
                {.timestamp = Timestamp::Absolute, .pod = true, .tcp_flags = true, .caller = true, .stack = true}};
  TextSink terminal{*output, {.stack = true, .colour = true, .width = 80}};
  const Pod pod{.namespace_name = "shop", .name = "\x1b\"web\xff", .uid = ""};
  PacketEvent event;
};

// One line, and nothing in it that a line must not have.
void check_json_line(std::string_view line) {
  if (line.empty() || line.back() != '\n' || line.find('\n') != line.size() - 1)
    std::abort();
  for (const char byte : line.substr(0, line.size() - 1))
    if (static_cast<unsigned char>(byte) < 0x20)
      std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Trace trace;
  static const bool kNamed = (trace.decoder.set_value_forms({{.name = "skb->mark"}, {.name = "skb->sk"}}), true);
  (void)kNamed;
  trace.decoder.set_programs(&trace.programs);
  if (!trace.decoder.decode(std::as_bytes(std::span(data, size)), trace.event))
    return 0;
  trace.event.pod = {.pod = &trace.pod, .side = size % 2 ? PodSide::Inside : PodSide::Host};
  trace.event.source_pod = trace.event.tuple ? &trace.pod : nullptr;
  trace.json.accept(trace.event);
  check_json_line(trace.output->text().view());
  trace.capture.accept(trace.event);
  trace.file.accept(trace.event);
  trace.terminal.accept(trace.event);
  if (!trace.output->flush() || !trace.file_output->flush())
    std::abort();
  return 0;
}
