#include "kube/kube_config.h"

#include <openssl/evp.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <utility>

namespace skbtrail {
namespace {

constexpr std::size_t kMaxFile = 1U << 20;

std::string without_newline(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
    text.pop_back();
  return text;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// ---- kubeconfig

// What stands where: a part of the file, and how messages call it ("users[admin].user").
struct Section {
  YAML::Node node;
  std::string name;
};

class Reader final {
public:
  explicit Reader(std::filesystem::path file) : file_(std::move(file)) {}

  Error wrong(const std::string& field, const std::string& what, int code = EINVAL) const {
    return refuse(code, "kubeconfig '" + file_.string() + "': " + field + ": " + what);
  }

  // Empty: not there.
  Result<std::string> text(const Section& section, const char* field) const {
    const auto value = section.node[field];
    if (!value || value.IsNull())
      return std::string();
    if (!value.IsScalar())
      return wrong(section.name + "." + field, "must be text");
    return value.Scalar();
  }

  Result<std::string> needed(const Section& section, const char* field) const {
    auto value = TRY(text(section, field));
    if (value.empty())
      return wrong(section.name + "." + field, "is missing");
    return value;
  }

  Result<bool> flag(const Section& section, const char* field) const {
    const auto value = TRY(text(section, field));
    if (value.empty() || value == "false")
      return false;
    if (value != "true")
      return wrong(section.name + "." + field, "must be true or false");
    return true;
  }

  Result<std::string> path(const Section& section, const char* field) const {
    const std::filesystem::path value = TRY(text(section, field));
    return value.empty() || value.is_absolute() ? value.string() : (file_.parent_path() / value).string();
  }

  // Text in base64.
  Result<std::string> data(const Section& section, const char* field) const {
    const auto encoded = TRY(text(section, field));
    auto decoded = decode(encoded);
    if (!decoded)
      return wrong(section.name + "." + field, "is no base64");
    return std::move(*decoded);
  }

  // The `part` ("cluster") of the item of `list` ("clusters") that has this name.
  Result<Section> item(const YAML::Node& root, const std::string& list, const std::string& part,
                       const std::string& name) const {
    const auto items = root[list];
    if (!items || !items.IsSequence())
      return wrong(list, "is missing");
    for (const auto& one : items)
      if (one.IsMap() && one["name"] && one["name"].IsScalar() && one["name"].Scalar() == name && one[part] &&
          one[part].IsMap())
        return Section{.node = one[part], .name = std::string(list).append("[").append(name).append("].").append(part)};
    return wrong(list, "there is no '" + name + "'");
  }

private:
  static std::optional<std::string> decode(std::string text) {
    std::erase_if(text, [](char c) { return c == '\n' || c == ' ' || c == '\r'; });
    if (text.size() % 4 != 0)
      return std::nullopt;
    std::string decoded(text.size() / 4 * 3, '\0');
    const int length =
        EVP_DecodeBlock(reinterpret_cast<unsigned char*>(decoded.data()),
                        reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    if (length < 0)
      return std::nullopt;
    // The library counts the padding as zeros.
    decoded.resize(static_cast<std::size_t>(length) - std::min<std::size_t>(padding(text), 2));
    return decoded;
  }

  static std::size_t padding(const std::string& text) {
    return text.size() - (text.find_last_not_of('=') == std::string::npos ? 0 : text.find_last_not_of('=') + 1);
  }

  std::filesystem::path file_;
};

Result<> refuse_unsupported(const Reader& reader, const Section& section, std::initializer_list<const char*> fields) {
  for (const char* field : fields)
    if (section.node[field] && !section.node[field].IsNull())
      return reader.wrong(section.name + "." + field,
                          "is not supported: use a token, tokenFile or a client certificate", ENOTSUP);
  return {};
}

Result<> read_cluster(const Reader& reader, const Section& cluster, KubeConfig& config) {
  config.server = TRY(reader.needed(cluster, "server"));
  if (!config.server.starts_with("https://") && !config.server.starts_with("http://"))
    return reader.wrong(cluster.name + ".server", "'" + config.server + "' does not begin with https://");
  config.ca_pem = TRY(reader.data(cluster, "certificate-authority-data"));
  if (config.ca_pem.empty())
    config.ca_file = TRY(reader.path(cluster, "certificate-authority"));
  config.insecure = TRY(reader.flag(cluster, "insecure-skip-tls-verify"));
  for (const char* field : {"tls-server-name", "proxy-url"})
    if (cluster.node[field] && !cluster.node[field].IsNull())
      return reader.wrong(cluster.name + "." + field, "is not supported", ENOTSUP);
  return {};
}

Result<> read_user(const Reader& reader, const Section& user, KubeConfig& config) {
  TRY(refuse_unsupported(reader, user, {"exec", "auth-provider", "username", "as"}));
  config.cert_pem = TRY(reader.data(user, "client-certificate-data"));
  if (config.cert_pem.empty())
    config.cert_file = TRY(reader.path(user, "client-certificate"));
  config.key_pem = TRY(reader.data(user, "client-key-data"));
  if (config.key_pem.empty())
    config.key_file = TRY(reader.path(user, "client-key"));
  const bool has_cert = !config.cert_pem.empty() || !config.cert_file.empty();
  const bool has_key = !config.key_pem.empty() || !config.key_file.empty();
  if (has_cert != has_key)
    return reader.wrong(user.name + (has_cert ? ".client-key" : ".client-certificate"), "is missing");
  config.token_file = TRY(reader.path(user, "tokenFile"));
  config.token = TRY(reader.text(user, "token"));
  return {};
}

Result<KubeConfig> config_of(const YAML::Node& root, const Reader& reader) {
  if (!root.IsMap())
    return reader.wrong("file", "is no map");
  const auto current = TRY(reader.text({.node = root, .name = ""}, "current-context"));
  if (current.empty())
    return reader.wrong("current-context", "is missing");
  const auto context = TRY(reader.item(root, "contexts", "context", current));
  KubeConfig config;
  config.namespace_name = TRY(reader.text(context, "namespace"));
  const auto cluster = TRY(reader.needed(context, "cluster"));
  const auto cluster_section = TRY(reader.item(root, "clusters", "cluster", cluster));
  TRY(read_cluster(reader, cluster_section, config));
  const auto user = TRY(reader.text(context, "user"));
  if (user.empty())
    return config;
  const auto user_section = TRY(reader.item(root, "users", "user", user));
  TRY(read_user(reader, user_section, config));
  return config;
}

}  // namespace

Result<std::string> read_small_file(const std::filesystem::path& file) {
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  const int err = errno;
  if (!stream)
    return fail(err ? err : EIO, "read '" + file.string() + "'");
  std::string text(kMaxFile + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (text.size() > kMaxFile)
    return fail(EFBIG, "read '" + file.string() + "'");
  return text;
}

Result<KubeConfig> in_cluster_config(const std::string& host, const std::string& port,
                                     const std::filesystem::path& account) {
  if (host.empty() || port.empty())
    return refuse(ENOENT, "this is no pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set");
  KubeConfig config;
  config.server = "https://" + (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + port;
  config.ca_file = account / "ca.crt";
  config.token_file = account / "token";
  for (const auto& file : {config.ca_file, config.token_file})
    if (std::error_code ec; !std::filesystem::exists(file, ec))
      return refuse(ENOENT, "this pod has no service account: there is no '" + file + "'");
  if (const auto name = read_small_file(account / "namespace"))
    config.namespace_name = without_newline(*name);
  return config;
}

Result<KubeConfig> in_cluster_config() {
  return in_cluster_config(environment("KUBERNETES_SERVICE_HOST"), environment("KUBERNETES_SERVICE_PORT"),
                           kServiceAccount);
}

Result<KubeConfig> read_kubeconfig(const std::filesystem::path& file) {
  auto text = read_small_file(file);
  if (!text)
    return within("kubeconfig", std::move(text.error()));
  return parse_kubeconfig(*text, file);
}

Result<KubeConfig> parse_kubeconfig(const std::string& text, const std::filesystem::path& file) {
  const Reader reader{file};
  try {
    return config_of(YAML::Load(text), reader);
  } catch (const YAML::Exception& error) {
    return reader.wrong("line " + std::to_string(error.mark.line + 1), error.msg);
  }
}

Result<std::string> current_token(const KubeConfig& config) {
  if (config.token_file.empty())
    return config.token;
  auto token = read_small_file(config.token_file);
  if (!token)
    return within("token", std::move(token.error()));
  return without_newline(std::move(*token));
}

}  // namespace skbtrail
