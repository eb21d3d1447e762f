#include "pods/runtime_socket.h"

#include <catch2/catch.hpp>

using namespace skbtrail;

TEST_CASE("without a runtime every socket that was tried is named") {
  const auto runtime = find_container_runtime({.host_root = "/nowhere"});
  REQUIRE_FALSE(runtime);
  CHECK(runtime.error().code == ENOTSUP);
  for (const auto socket : usual_runtime_sockets())
    CHECK(runtime.error().message.find("'/nowhere" + std::string(socket) + "' not there") != std::string::npos);
  CHECK(runtime.error().message.find("--cri") != std::string::npos);
}

TEST_CASE("a socket that was asked for is the only one tried") {
  const auto runtime = find_container_runtime({.socket = "/nowhere/cri.sock"});
  REQUIRE_FALSE(runtime);
  CHECK(runtime.error().message.find("containerd") == std::string::npos);
  CHECK(runtime.error().message.find("'/nowhere/cri.sock' not there") != std::string::npos);
}

TEST_CASE("a file that is no socket is no runtime") {
  const auto runtime = find_container_runtime({.socket = "/proc/self/status"});
  REQUIRE_FALSE(runtime);
  CHECK(runtime.error().message.find("is no socket") != std::string::npos);
}
