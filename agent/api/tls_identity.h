#pragma once
// TlsIdentity: the certificate and key that a server shows, read again when their files change.

#include <openssl/ssl.h>

#include <memory>
#include <optional>
#include <string>

#include "api/file_stamp.h"
#include "base/log_level.h"
#include "base/result.h"

namespace skbtrail {

struct FreeSsl {
  void operator()(SSL* ssl) const { ::SSL_free(ssl); }
};
using SslSession = std::unique_ptr<SSL, FreeSsl>;

// Used by one thread.
class TlsIdentity final {
public:
  // Told why changed files are not taken over (once for each change), or that they are.

  // Both PEM; the certificate with its chain. EINVAL: they are none, or do not belong together.
  static Result<std::unique_ptr<TlsIdentity>> open(std::string cert_file, std::string key_file, Teller tell);

  // For one new connection, with the newest files that are good: what is replaced in two steps is taken after the
  // second. TLS 1.2 or newer; HTTP/1.1 when the client asks for a protocol.
  Result<SslSession> session();

private:
  struct FreeContext {
    void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
  };
  using Context = std::unique_ptr<SSL_CTX, FreeContext>;
  struct Stamps {
    FileStamp cert;
    FileStamp key;
    friend bool operator==(const Stamps&, const Stamps&) = default;
  };

  TlsIdentity(std::string cert_file, std::string key_file, Teller tell);
  Result<Stamps> stamps() const;
  Result<Context> load() const;
  void refresh();

  std::string cert_file_;
  std::string key_file_;
  Teller tell_;
  Context context_;
  std::optional<Stamps> seen_;  // loaded, or found to be wrong
};

}  // namespace skbtrail
