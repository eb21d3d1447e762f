#include "api/token_file.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <fstream>
#include <utility>

namespace skbtrail {
namespace {

Result<TokenFile::Digest> digest_of(std::string_view token) {
  TokenFile::Digest digest{};
  unsigned length = 0;
  if (EVP_Digest(token.data(), token.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1 ||
      length != digest.size())
    return refuse(EIO, "tokens cannot be judged: SHA-256 is not available");
  return digest;
}

Result<std::string> read_bounded(const std::string& path) {
  std::string text(TokenFile::kMaxFile + 1, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || !file.is_open())
    return refuse(EIO, "token file '" + path + "' cannot be read");
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > TokenFile::kMaxFile)
    return refuse(EINVAL, "token file '" + path + "' has more than " + std::to_string(TokenFile::kMaxFile) + " bytes");
  return text;
}

bool is_visible(std::string_view text, char least) {
  return std::ranges::all_of(text, [least](char letter) { return letter >= least && letter <= '~'; });
}

Result<TokenFile::Entry> entry_of(std::string_view line, std::size_t number) {
  const std::size_t comma = line.find(',');
  const std::string_view token = line.substr(0, comma);
  const std::string_view name = comma == std::string_view::npos ? std::string_view{} : line.substr(comma + 1);
  // The token itself is never told.
  if (token.size() < TokenFile::kMinToken || token.size() > TokenFile::kMaxToken || !is_visible(token, '!'))
    return refuse(EINVAL, "a token has " + std::to_string(TokenFile::kMinToken) + " to " +
                              std::to_string(TokenFile::kMaxToken) + " visible characters, none of them a space");
  if (name.size() > TokenFile::kMaxName || !is_visible(name, ' '))
    return refuse(EINVAL, "a name has at most " + std::to_string(TokenFile::kMaxName) + " printable characters");
  return TokenFile::Entry{.digest = TRY(digest_of(token)),
                          .name = name.empty() ? "token of line " + std::to_string(number) : std::string(name)};
}

}  // namespace

Result<std::vector<TokenFile::Entry>> TokenFile::parse(std::string_view text, const std::string& where) {
  std::vector<Entry> entries;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.ends_with('\r'))
      line.remove_suffix(1);
    if (line.empty() || line.front() == '#')
      continue;
    auto entry = entry_of(line, number);
    if (!entry)
      return within(where + ":" + std::to_string(number), std::move(entry.error()));
    if (entries.size() == kMaxTokens)
      return refuse(EINVAL, where + ": more than " + std::to_string(kMaxTokens) + " tokens");
    entries.push_back(std::move(*entry));
  }
  if (entries.empty())
    return refuse(EINVAL, where + ": has no token; write one a line, TOKEN or TOKEN,NAME");
  return entries;
}

Result<std::unique_ptr<TokenFile>> TokenFile::open(std::string path) {
  std::unique_ptr<TokenFile> file{new TokenFile(std::move(path))};
  TRY(file->refresh());
  return file;
}

// The stamp is taken before the reading: what is written meanwhile is seen the next time.
Result<> TokenFile::refresh() {
  const auto stamp = stamp_of(path_);
  if (stamp && good_ && *stamp == stamp_)
    return {};
  good_ = false;
  entries_.clear();
  if (!stamp)
    return within("token file", stamp.error());
  const std::string text = TRY(read_bounded(path_));
  entries_ = TRY(parse(text, path_));
  stamp_ = *stamp;
  good_ = true;
  return {};
}

Result<Identity> TokenFile::identify(const Caller& caller) {
  if (caller.token.empty())
    return refuse(EACCES, "a token is needed: Authorization: Bearer TOKEN");
  const Digest digest = TRY(digest_of(caller.token));
  const std::lock_guard lock{mutex_};
  // What is wrong with the file is for whoever reads the agent's log at its start, not for strangers.
  if (!refresh())
    return refuse(EIO, "tokens cannot be judged now: the agent cannot use its token file");
  const Entry* found = nullptr;
  // All of them, whichever it is: how long it takes tells nothing.
  for (const Entry& entry : entries_)
    if (CRYPTO_memcmp(entry.digest.data(), digest.data(), digest.size()) == 0)
      found = &entry;
  if (!found)
    return refuse(EACCES, "the token is not known here");
  return Identity{.name = found->name};
}

}  // namespace skbtrail
