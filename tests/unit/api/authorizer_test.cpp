#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "api/peer_authorizer.h"
#include "api/token_file.h"
#include "support/scratch_folder.h"

using namespace skbtrail;
using namespace skbtrail::test;

namespace {

constexpr const char* kAnna = "0123456789abcdef-anna";
constexpr const char* kBert = "0123456789abcdef-bert";

Access anything() {
  return {.verb = "delete", .group = "skbtrail.dev", .resource = "tracesessions", .namespace_name = "shop"};
}

}  // namespace

TEST_CASE("a token file with a wrong line is refused, and the line is named but never shown") {
  const ScratchFolder folder;
  for (const std::string wrong : {"", "# only a comment\n", "short\n", "has a space in it 0123456789\n",
                                  "0123456789abcdef,na\tme\n", "good-0123456789abcdef,x\nbad\n"}) {
    folder.write("tokens", wrong);
    const auto file = TokenFile::open(folder.path("tokens"));
    REQUIRE_FALSE(file);
    CHECK(file.error().code == EINVAL);
    CHECK(file.error().message.find("tokens") != std::string::npos);
    CHECK(file.error().message.find("0123456789") == std::string::npos);
  }
  const auto second = TokenFile::parse("good-0123456789abcdef,x\nbad\n", "tokens");
  REQUIRE_FALSE(second);
  CHECK(second.error().message.starts_with("tokens:2: "));
}

TEST_CASE("a token file is bounded in bytes and tokens") {
  const ScratchFolder folder;
  folder.write("tokens", std::string(TokenFile::kMaxFile, '#') + "\n");
  CHECK_FALSE(TokenFile::open(folder.path("tokens")));
  std::string many;
  for (std::size_t i = 0; i <= TokenFile::kMaxTokens; ++i)
    many += "0123456789abcdef" + std::to_string(i) + "\n";
  CHECK_FALSE(TokenFile::parse(many, "tokens"));
  many.resize(many.rfind('\n', many.size() - 2) + 1);
  CHECK(TokenFile::parse(many, "tokens")->size() == TokenFile::kMaxTokens);
  CHECK_FALSE(TokenFile::open(folder.path("none")));
}

TEST_CASE("a known token has its name, an unknown one and none are refused") {
  const ScratchFolder folder;
  folder.write("tokens", std::string("# who\n\n") + kAnna + ",anna\r\n" + kBert + "\n");
  const auto file = TokenFile::open(folder.path("tokens"));
  REQUIRE(file);
  CHECK((*file)->identify({.token = kAnna})->name == "anna");
  CHECK((*file)->identify({.token = kBert})->name == "token of line 4");
  for (const std::string wrong : {"", "0123456789abcdef", "0123456789abcdef-anna ", "0123456789abcdef-anna,anna"}) {
    const auto nobody = (*file)->identify({.token = wrong});
    REQUIRE_FALSE(nobody);
    CHECK(nobody.error().code == EACCES);
  }
  CHECK((*file)->permit({.name = "anna"}, anything()));
}

TEST_CASE("tokens that are added and taken out count from the next request on") {
  const ScratchFolder folder;
  folder.write("tokens", std::string(kAnna) + "\n");
  const auto file = TokenFile::open(folder.path("tokens"));
  REQUIRE(file);
  CHECK_FALSE((*file)->identify({.token = kBert}));
  // As long as before, and in the same file: times alone differ.
  folder.write("tokens", std::string(kBert) + "\n");
  CHECK((*file)->identify({.token = kBert}));
  CHECK_FALSE((*file)->identify({.token = kAnna}));
  folder.write("tokens.new", std::string(kAnna) + "\n");
  std::filesystem::rename(folder.path("tokens.new"), folder.path("tokens"));
  CHECK((*file)->identify({.token = kAnna}));
  CHECK_FALSE((*file)->identify({.token = kBert}));
}

TEST_CASE("a token file that is gone or has become wrong lets nobody in until it is good again") {
  const ScratchFolder folder;
  folder.write("tokens", std::string(kAnna) + "\n");
  const auto file = TokenFile::open(folder.path("tokens"));
  REQUIRE(file);
  std::filesystem::remove(folder.path("tokens"));
  auto nobody = (*file)->identify({.token = kAnna});
  REQUIRE_FALSE(nobody);
  CHECK(nobody.error().code == EIO);
  folder.write("tokens", std::string(kAnna) + "\nbad\n");
  CHECK_FALSE((*file)->identify({.token = kAnna}));
  folder.write("tokens", std::string(kAnna) + "\n");
  CHECK((*file)->identify({.token = kAnna}));
}

TEST_CASE("a unix socket serves root and the agent's own user") {
  PeerAuthorizer peers{1000};
  for (const uid_t uid : {0U, 1000U})
    CHECK(peers.permit(*peers.identify({.uid = uid}), anything()));
  const auto other = peers.identify({.uid = 1001});
  REQUIRE(other);
  CHECK(other->name == "uid 1001");
  const auto refused = peers.permit(*other, anything());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == EPERM);
  const auto nobody = peers.identify({.token = kAnna});
  REQUIRE_FALSE(nobody);
  CHECK(nobody.error().code == EACCES);
}
