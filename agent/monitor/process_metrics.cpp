#include "monitor/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <optional>
#include <sstream>
#include <string>

#include "monitor/counter_family.h"

namespace skbtrail {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

// Fields of /proc/self/stat after the name of the command, which may itself have spaces and brackets.
struct ProcessStat {
  double user_ticks = 0;
  double system_ticks = 0;
  double start_ticks = 0;
  double virtual_bytes = 0;
  double resident_pages = 0;
};

std::optional<ProcessStat> process_stat(const HostRoot& host) {
  const auto text = host.read("/proc/self/stat");
  if (!text)
    return std::nullopt;
  std::istringstream fields{text->substr(std::min(text->size(), text->rfind(')') + 1))};
  ProcessStat stat;
  std::string skipped;
  const auto skip = [&](int count) {
    while (count-- > 0)
      fields >> skipped;
  };
  skip(11);
  fields >> stat.user_ticks >> stat.system_ticks;
  skip(6);
  fields >> stat.start_ticks >> stat.virtual_bytes >> stat.resident_pages;
  return fields ? std::optional{stat} : std::nullopt;
}

std::optional<double> boot_time(const HostRoot& host) {
  const auto text = host.read("/proc/stat");
  const auto line = text ? text->find("\nbtime ") : std::string::npos;
  return line == std::string::npos ? std::nullopt : std::optional{std::stod(text->substr(line + 7))};
}

MetricFamily gauge(std::string name, std::string help, double value) {
  return {std::move(name), std::move(help), MetricType::Gauge, {gauge_metric({}, value)}};
}

void append_usage(std::vector<MetricFamily>& families, const HostRoot& host, const ProcessStat& stat) {
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  families.push_back({"process_cpu_seconds_total",
                      "User and system CPU time spent, in seconds.",
                      MetricType::Counter,
                      {counter_metric({}, (stat.user_ticks + stat.system_ticks) / ticks)}});
  families.push_back(
      gauge("process_resident_memory_bytes", "Resident memory size in bytes.", stat.resident_pages * page));
  families.push_back(gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", stat.virtual_bytes));
  if (const auto boot = boot_time(host))
    families.push_back(gauge("process_start_time_seconds", "Start of the process, in seconds since the epoch.",
                             *boot + stat.start_ticks / ticks));
}

}  // namespace

std::vector<MetricFamily> process_metrics(const HostRoot& host) {
  std::vector<MetricFamily> families;
  if (const auto stat = process_stat(host))
    append_usage(families, host, *stat);
  // Listing the folder opens one more.
  if (const auto open = host.list("/proc/self/fd"); open && !open->empty())
    families.push_back(gauge("process_open_fds", "Open file descriptors.", static_cast<double>(open->size() - 1)));
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0)
    families.push_back(
        gauge("process_max_fds", "Most file descriptors that may be open.", static_cast<double>(limit.rlim_cur)));
  return families;
}

}  // namespace skbtrail
