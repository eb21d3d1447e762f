// Writes a made-up trace: sample_output json | sample_output pcapng | sample_output summary |
// sample_output text [WIDTH] [colour] [time] [caller] [stack] [pod]

#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "sink/json_sink.h"
#include "sink/pcapng_sink.h"
#include "sink/summary_sink.h"
#include "sink/text_sink.h"
#include "support/sample_trace.h"

using namespace skbtrail;
using namespace skbtrail::test;

namespace {

TextOptions text_options(int count, char** words) {
  TextOptions options;
  for (int at = 0; at < count; ++at) {
    const std::string_view word = words[at];
    if (word == "colour")
      options.colour = true;
    else if (word == "time")
      options.timestamp = Timestamp::Relative;
    else if (word == "clock")
      options.timestamp = Timestamp::Absolute;
    else if (word == "caller")
      options.caller = true;
    else if (word == "pod")
      options.pod = true;
    else if (word == "stack")
      options.stack = true;
    else
      options.width = std::strtoul(words[at], nullptr, 10);
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view format = argc > 1 ? argv[1] : "text";
  auto output = Output::borrow(STDOUT_FILENO, "stdout");
  SampleTrace trace;
  if (format == "json") {
    JsonSink sink(*output, {.node = "n1", .session = "shop/web-debug"});
    trace.play(sink);
  } else if (format == "pcapng") {
    PcapngSink sink(*output, {.application = "skbtrail"});
    trace.play(sink);
  } else if (format == "summary") {
    SummarySink sink(*output);
    trace.play(sink);
  } else {
    TextSink sink(*output, text_options(argc - 2, argv + 2));
    trace.play(sink);
  }
}
