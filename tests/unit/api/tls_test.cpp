#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "api/rest_server.h"
#include "support/scratch_folder.h"
#include "unit/api/http_client.h"
#include "unit/api/rest_fixture.h"

using namespace skbtrail;
using namespace skbtrail::test;
using namespace std::chrono_literals;

namespace {

struct Free {
  void operator()(EVP_PKEY* key) const { ::EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { ::X509_free(certificate); }
  void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { ::SSL_free(ssl); }
  void operator()(BIO* bio) const { ::BIO_free_all(bio); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

template <class Write>
std::string pem_of(Write write) {
  const Owned<BIO> memory{::BIO_new(::BIO_s_mem())};
  REQUIRE(write(memory.get()) == 1);
  char* bytes = nullptr;
  const auto size = BIO_get_mem_data(memory.get(), &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

struct CertificateTexts {
  std::string cert;
  std::string key;
};

CertificateTexts make_certificate(const std::string& name) {
  const Owned<EVP_PKEY> key{EVP_EC_gen("P-256")};
  const Owned<X509> certificate{::X509_new()};
  REQUIRE(key);
  ::X509_set_version(certificate.get(), 2);
  ::ASN1_INTEGER_set(::X509_get_serialNumber(certificate.get()), 1);
  ::X509_gmtime_adj(::X509_getm_notBefore(certificate.get()), -60);
  ::X509_gmtime_adj(::X509_getm_notAfter(certificate.get()), 3600);
  ::X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* subject = ::X509_get_subject_name(certificate.get());
  ::X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()), -1,
                               -1, 0);
  ::X509_set_issuer_name(certificate.get(), subject);
  REQUIRE(::X509_sign(certificate.get(), key.get(), ::EVP_sha256()) > 0);
  return {.cert = pem_of([&](BIO* bio) { return ::PEM_write_bio_X509(bio, certificate.get()); }),
          .key = pem_of([&](BIO* bio) {
            return ::PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

// A connection with TLS, made when it is.
class TlsClient {
public:
  explicit TlsClient(std::uint16_t port, int newest = TLS1_3_VERSION)
      : client_(port), context_(::SSL_CTX_new(::TLS_client_method())) {
    ::SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
    ::SSL_CTX_set_max_proto_version(context_.get(), newest);
    ::SSL_CTX_set_security_level(context_.get(), 0);
    ssl_.reset(::SSL_new(context_.get()));
    ::SSL_set_fd(ssl_.get(), client_.fd());
    static constexpr unsigned char kOffered[] = {2, 'h', '2', 8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    ::SSL_set_alpn_protos(ssl_.get(), kOffered, sizeof(kOffered));
    done_ = ::SSL_connect(ssl_.get()) == 1;
    ::ERR_clear_error();
  }

  bool is_done() const { return done_; }
  std::string protocol() const {
    const unsigned char* name = nullptr;
    unsigned length = 0;
    ::SSL_get0_alpn_selected(ssl_.get(), &name, &length);
    return {reinterpret_cast<const char*>(name), length};
  }
  std::string certificate() const {
    const Owned<X509> shown{SSL_get1_peer_certificate(ssl_.get())};
    char name[256] = {};
    ::X509_NAME_get_text_by_NID(::X509_get_subject_name(shown.get()), NID_commonName, name, sizeof(name));
    return name;
  }
  bool send(const std::string& text) const {
    return ::SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size())) == static_cast<int>(text.size());
  }
  std::string read_until(const std::string& wanted) {
    char bytes[65536];
    while (received_.find(wanted) == std::string::npos) {
      const int got = ::SSL_read(ssl_.get(), bytes, sizeof(bytes));
      if (got <= 0)
        break;
      received_.append(bytes, static_cast<std::size_t>(got));
    }
    ::ERR_clear_error();
    return received_;
  }
  // Says whether the other end ended it as TLS wants: what was cut off on the way would be seen.
  bool sees_end() {
    (void)read_until("\x01 never sent");
    return (::SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
  }

private:
  HttpClient client_;
  Owned<SSL_CTX> context_;
  Owned<SSL> ssl_;
  bool done_ = false;
  std::string received_;
};

struct Secured {
  explicit Secured(RestServer::Limits limits = {}) {
    write(make_certificate("first"));
    auto started = RestServer::on_network(
        {.host = "127.0.0.1", .port = 0}, RestServer::TlsFiles{folder.path("tls.crt"), folder.path("tls.key")},
        {.api = rest.api, .judge = rest.judge, .limits = limits, .tell = [this](LogLevel, const std::string& line) {
           const std::lock_guard lock{mutex};
           told.push_back(line);
         }});
    REQUIRE(started);
    server = std::move(*started);
  }
  void write(const CertificateTexts& texts) const {
    folder.write("tls.crt", texts.cert);
    folder.write("tls.key", texts.key);
  }
  std::string shown() const { return TlsClient{server->port()}.certificate(); }

  ScratchFolder folder;
  RestFixture rest;
  std::mutex mutex;
  std::vector<std::string> told;
  std::unique_ptr<RestServer> server;
};

}  // namespace

TEST_CASE("a certificate that is none, or has another's key, is refused at the start") {
  const ScratchFolder folder;
  RestFixture rest;
  const auto start = [&] {
    return RestServer::on_network({.host = "127.0.0.1", .port = 0},
                                  RestServer::TlsFiles{folder.path("tls.crt"), folder.path("tls.key")},
                                  {.api = rest.api, .judge = rest.judge});
  };
  CHECK_FALSE(start());
  folder.write("tls.crt", "nonsense");
  folder.write("tls.key", make_certificate("a").key);
  const auto nonsense = start();
  REQUIRE_FALSE(nonsense);
  CHECK(nonsense.error().message.find("tls.crt") != std::string::npos);
  folder.write("tls.crt", make_certificate("b").cert);
  const auto strange = start();
  REQUIRE_FALSE(strange);
  CHECK(strange.error().message.find("tls.key") != std::string::npos);
}

TEST_CASE("requests and streams go through TLS, of a version that is safe") {
  Secured secured;
  const auto port = secured.server->port();
  {
    TlsClient client{port};
    REQUIRE(client.is_done());
    CHECK(client.protocol() == "http/1.1");
    REQUIRE(client.send(request_text("POST", kSessions, "", session_text("web"))));
    CHECK(client.read_until("\"status\"").starts_with("HTTP/1.1 201 "));
    REQUIRE(client.send(request_text("GET", kSessions + "/web/events")));
    (void)client.read_until("x-ndjson");
    auto& control = secured.rest.control;
    const SessionKey key{.namespace_name = "shop", .name = "web"};
    control.tell(key, "{\"seq\":1,\"x\":\"" + std::string(100'000, 'x') + "\"}");
    CHECK(client.read_until("xxx\"}\n").find("{\"seq\":1,") != std::string::npos);
    REQUIRE(control.remove(key));
    CHECK(client.sees_end());
    CHECK(client.read_until("").ends_with("\r\n0\r\n\r\n"));
  }
  CHECK(TlsClient{port, TLS1_2_VERSION}.is_done());
  CHECK_FALSE(TlsClient{port, TLS1_1_VERSION}.is_done());
}

TEST_CASE("a certificate that is replaced is shown to the next client, without a restart") {
  Secured secured;
  CHECK(secured.shown() == "first");
  TlsClient open{secured.server->port()};
  secured.write(make_certificate("second"));
  CHECK(secured.shown() == "second");
  // As Kubernetes does it: another file in the place of the old one.
  const auto third = make_certificate("third");
  secured.folder.write("new.crt", third.cert);
  secured.folder.write("new.key", third.key);
  for (const char* end : {"crt", "key"})
    std::filesystem::rename(secured.folder.path(std::string("new.") + end),
                            secured.folder.path(std::string("tls.") + end));
  CHECK(secured.shown() == "third");
  // Connections that are open go on.
  REQUIRE(open.send(request_text("GET", "/healthz", "Connection: close\r\n")));
  CHECK(open.read_until("passed").starts_with("HTTP/1.1 200 "));
}

TEST_CASE("a certificate that is half replaced, wrong or gone leaves the old one, which is told once") {
  Secured secured;
  const auto second = make_certificate("second");
  secured.folder.write("tls.crt", second.cert);
  for (int i = 0; i < 3; ++i)
    CHECK(secured.shown() == "first");
  std::filesystem::remove(secured.folder.path("tls.key"));
  CHECK(secured.shown() == "first");
  secured.folder.write("tls.key", second.key);
  CHECK(secured.shown() == "second");
  const std::lock_guard lock{secured.mutex};
  REQUIRE(secured.told.size() == 2);
  CHECK(secured.told[0].find("stays as it was") != std::string::npos);
  CHECK(secured.told[1].find("taken over") != std::string::npos);
}

TEST_CASE("who does not speak TLS, or stops in the middle of it, is let go and holds up nobody") {
  RestServer::Limits limits;
  limits.patience.head = 2s;
  Secured secured{limits};
  HttpClient silent{secured.server->port()};
  HttpClient plain{secured.server->port()};
  REQUIRE(plain.send(request_text("GET", "/healthz")));
  CHECK(secured.shown() == "first");
  CHECK(plain.sees_end());
  CHECK(plain.read_all().find("HTTP") == std::string::npos);
  CHECK(silent.sees_end());
}

TEST_CASE("connections beyond the bound are told so through TLS") {
  RestServer::Limits limits;
  limits.connections = 1;
  Secured secured{limits};
  TlsClient first{secured.server->port()};
  REQUIRE(first.is_done());
  TlsClient second{secured.server->port()};
  REQUIRE(second.is_done());
  REQUIRE(second.send(request_text("GET", "/healthz")));
  CHECK(second.read_until("\n}").starts_with("HTTP/1.1 503 "));
}
