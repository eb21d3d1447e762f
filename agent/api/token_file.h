#pragma once
// TokenFile: a static list of bearer tokens. Whoever has one of them may do everything.
//
// One line for each, `TOKEN` or `TOKEN,NAME`; empty lines and those that begin with '#' are passed over. The file is
// read again when it changes, before the next request is judged; one that cannot be read or has a wrong line lets
// nobody in, so that a token which was taken out never works again.

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "api/authorizer.h"
#include "api/file_stamp.h"

namespace skbtrail {

class TokenFile final : public Authorizer {
public:
  static constexpr std::size_t kMaxFile = 64U << 10;  // bytes
  static constexpr std::size_t kMaxTokens = 1024;
  static constexpr std::size_t kMinToken = 16;  // characters
  static constexpr std::size_t kMaxToken = 1024;
  static constexpr std::size_t kMaxName = 253;

  // EINVAL: the message names the line. Another code: the file cannot be read.
  static Result<std::unique_ptr<TokenFile>> open(std::string path);

  Result<Identity> identify(const Caller& caller) override;
  Result<> permit(const Identity&, const Access&) override { return {}; }

  // A token is kept as its SHA-256 alone.
  using Digest = std::array<unsigned char, 32>;
  struct Entry {
    Digest digest;
    std::string name;
  };
  // `where` stands for the file in messages.
  static Result<std::vector<Entry>> parse(std::string_view text, const std::string& where);

private:
  explicit TokenFile(std::string path) : path_(std::move(path)) {}
  Result<> refresh();

  const std::string path_;
  std::mutex mutex_;  // of all below
  FileStamp stamp_;
  std::vector<Entry> entries_;
  bool good_ = false;
};

}  // namespace skbtrail
