#include "kube/tls_client.h"

#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <charconv>
#include <string>
#include <string_view>
#include <utility>

namespace skbtrail {
namespace {

// How long a peer may be silent to the kernel's own probes and to what we sent.
constexpr int kKeepIdleSeconds = 15;
constexpr int kKeepIntervalSeconds = 5;
constexpr int kKeepCount = 3;
constexpr int kUserTimeoutMs = 30'000;

struct Address {
  bool is_tls = true;
  std::string host;
  int port = 443;
  std::string path;
};

Result<Address> address_of(const std::string& server) {
  Address address{.is_tls = server.starts_with("https://"), .host = {}, .port = 443, .path = {}};
  address.port = address.is_tls ? 443 : 80;
  std::string_view rest(server);
  rest.remove_prefix(std::min(server.find("://") + 3, server.size()));
  const auto slash = rest.find('/');
  if (slash != std::string_view::npos)
    address.path = rest.substr(slash);
  while (address.path.ends_with('/'))
    address.path.pop_back();
  rest = rest.substr(0, slash);
  const auto bracket = rest.rfind(']');
  const auto colon = rest.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos) {
    const auto port = rest.substr(colon + 1);
    const auto parsed = std::from_chars(port.data(), port.data() + port.size(), address.port);
    if (parsed.ec != std::errc{} || parsed.ptr != port.data() + port.size())
      return refuse(EINVAL, "server '" + server + "': its port is no number");
  }
  rest = rest.substr(0, colon);
  if (rest.starts_with('[') && rest.ends_with(']'))
    rest = rest.substr(1, rest.size() - 2);
  address.host = rest;
  if (address.host.empty())
    return refuse(EINVAL, "server '" + server + "' has no host");
  return address;
}

// The library takes certificates as files only.
Result<std::string> file_of(const std::string& text, const std::string& file, std::vector<UniqueFd>& texts) {
  if (text.empty())
    return file;
  UniqueFd memory(::memfd_create("certificate", MFD_CLOEXEC));
  if (!memory)
    return fail(errno, "keep a certificate");
  if (::write(memory.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return fail(EIO, "keep a certificate");
  texts.push_back(std::move(memory));
  return "/proc/self/fd/" + std::to_string(texts.back().get());
}

// A node that is cut off sends no FIN: the kernel notices within half a minute.
void notice_dead_peers(int socket) {
  const auto set = [&](int level, int option, int value) {
    (void)::setsockopt(socket, level, option, &value, sizeof(value));  // without it, timeouts notice later
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, kKeepIdleSeconds);
  set(IPPROTO_TCP, TCP_KEEPINTVL, kKeepIntervalSeconds);
  set(IPPROTO_TCP, TCP_KEEPCNT, kKeepCount);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeoutMs);
}

}  // namespace

Result<TlsClient> make_client(const KubeConfig& config) {
  auto address = TRY(address_of(config.server));
  TlsClient client;
  client.base_path = address.path;
  if (!address.is_tls) {
    client.http = std::make_unique<httplib::ClientImpl>(address.host, address.port);
  } else {
    const auto cert = TRY(file_of(config.cert_pem, config.cert_file, client.texts));
    const auto key = TRY(file_of(config.key_pem, config.key_file, client.texts));
    auto tls = std::make_unique<httplib::SSLClient>(address.host, address.port, cert, key);
    if (!tls->is_valid())
      return refuse(EINVAL, "the client's certificate and key cannot be used" +
                                (config.cert_file.empty() ? "" : ": '" + config.cert_file + "'"));
    tls->set_ca_cert_path(TRY(file_of(config.ca_pem, config.ca_file, client.texts)));
    tls->enable_server_certificate_verification(!config.insecure);
    client.http = std::move(tls);
  }
  client.http->set_keep_alive(true);
  client.http->set_url_encode(false);
  client.http->set_tcp_nodelay(true);
  client.http->set_socket_options(notice_dead_peers);
  return client;
}

}  // namespace skbtrail
