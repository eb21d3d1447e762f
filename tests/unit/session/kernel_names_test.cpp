#include "session/kernel_names.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

using namespace skbtrail;

namespace {

struct Host {
  Host() {
    std::filesystem::create_directories(folder / "proc");
    write("kallsyms", "ffffffff81000000 T ip_rcv\nffffffff81000100 T ip_rcv_finish\n");
    write("modules", "nf_tables 1 0 - Live 0x0\n");
  }
  ~Host() { std::filesystem::remove_all(folder); }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  void write(const std::string& name, const std::string& text) const { std::ofstream(folder / "proc" / name) << text; }

  std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("kernel_names_test." + std::to_string(::getpid()));
};

}  // namespace

TEST_CASE("the kernel's symbols are read once, and again when a module came or went") {
  const Host host;
  KernelNames names{HostRoot{host.folder}};
  const auto first = names.symbols();
  REQUIRE(first);
  host.write("kallsyms", "ffffffff82000000 T udp_rcv\nffffffff82000100 T udp_err\n");
  CHECK(*names.symbols() == *first);
  host.write("modules", "");
  const auto second = names.symbols();
  REQUIRE(second);
  CHECK((*second)->addresses("udp_rcv").size() == 1);
  CHECK((*first)->addresses("ip_rcv").size() == 1);
}

TEST_CASE("a reading that failed is tried again") {
  const Host host;
  std::filesystem::remove(host.folder / "proc/kallsyms");
  KernelNames names{HostRoot{host.folder}};
  CHECK_FALSE(names.symbols());
  host.write("kallsyms", "ffffffff82000000 T udp_rcv\nffffffff82000100 T udp_err\n");
  CHECK(names.symbols());
}

TEST_CASE("the listings with and without call sites are kept apart") {
  const Host host;
  std::filesystem::create_directories(host.folder / "sys/kernel/tracing");
  std::ofstream(host.folder / "sys/kernel/tracing/available_filter_functions") << "ip_rcv\n";
  KernelNames names{HostRoot{host.folder}};
  CHECK_FALSE(names.listing(Listing::Sites));
  std::ofstream(host.folder / "sys/kernel/tracing/available_filter_functions_addrs") << "ffffffff81000004 ip_rcv\n";
  CHECK(**names.listing(Listing::Names) == "ip_rcv\n");
  CHECK(**names.listing(Listing::Sites) == "ffffffff81000004 ip_rcv\n");
}
