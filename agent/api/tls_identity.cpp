#include "api/tls_identity.h"

#include <openssl/err.h>

#include <string_view>
#include <utility>

namespace skbtrail {
namespace {

// The library's own words on what it refused last.
std::string library_says() {
  const char* reason = ::ERR_reason_error_string(::ERR_peek_last_error());
  ::ERR_clear_error();
  return reason ? reason : "unknown error";
}

// A key with a passphrase would otherwise be asked for at the terminal.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* length, const unsigned char* offered,
                    unsigned offered_length, void*) {
  static constexpr unsigned char kOurs[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  unsigned char* found = nullptr;
  if (::SSL_select_next_proto(&found, length, kOurs, sizeof(kOurs), offered, offered_length) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

TlsIdentity::TlsIdentity(std::string cert_file, std::string key_file, Teller tell)
    : cert_file_(std::move(cert_file)), key_file_(std::move(key_file)), tell_(std::move(tell)) {}

Result<std::unique_ptr<TlsIdentity>> TlsIdentity::open(std::string cert_file, std::string key_file, Teller tell) {
  std::unique_ptr<TlsIdentity> identity{new TlsIdentity(std::move(cert_file), std::move(key_file), std::move(tell))};
  identity->seen_ = TRY(identity->stamps());
  identity->context_ = TRY(identity->load());
  return identity;
}

Result<TlsIdentity::Stamps> TlsIdentity::stamps() const {
  return Stamps{.cert = TRY(stamp_of(cert_file_)), .key = TRY(stamp_of(key_file_))};
}

Result<TlsIdentity::Context> TlsIdentity::load() const {
  ::ERR_clear_error();
  Context context{::SSL_CTX_new(::TLS_server_method())};
  if (!context)
    return refuse(ENOMEM, "TLS is not available: " + library_says());
  ::SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  ::SSL_CTX_set_options(context.get(),
                        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  ::SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_mode(context.get(),
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  ::SSL_CTX_set_default_passwd_cb(context.get(), no_passphrase);
  ::SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
  if (::SSL_CTX_use_certificate_chain_file(context.get(), cert_file_.c_str()) != 1)
    return refuse(EINVAL, "certificate '" + cert_file_ + "' cannot be used: " + library_says());
  if (::SSL_CTX_use_PrivateKey_file(context.get(), key_file_.c_str(), SSL_FILETYPE_PEM) != 1)
    return refuse(EINVAL, "key '" + key_file_ + "' cannot be used with '" + cert_file_ + "': " + library_says());
  return context;
}

// The stamps are taken before the files are read: what is written meanwhile is seen the next time.
void TlsIdentity::refresh() {
  const auto now = stamps();
  if (!now || (seen_ && *now == *seen_))
    return;
  seen_ = *now;
  auto fresh = load();
  if (!fresh) {
    tell_(LogLevel::Warning, "the certificate stays as it was: " + fresh.error().message);
    return;
  }
  context_ = std::move(*fresh);
  tell_(LogLevel::Info, "certificate '" + cert_file_ + "' taken over");
}

Result<SslSession> TlsIdentity::session() {
  refresh();
  SslSession session{::SSL_new(context_.get())};
  if (!session)
    return refuse(ENOMEM, "no TLS session: " + library_says());
  return session;
}

}  // namespace skbtrail
