#pragma once
// KubeConfig: where the API server is and who we are to it, from a kubeconfig or from what a pod is given.

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace skbtrail {

// Of each pair of file and text one is set at most. Files are read when they are needed, since they are renewed.
struct KubeConfig {
  std::string server = {};  // "https://10.96.0.1:443", perhaps with a path
  std::string ca_file = {};
  std::string ca_pem = {};
  bool insecure = false;  // the server's certificate is not checked
  std::string cert_file = {};
  std::string cert_pem = {};
  std::string key_file = {};
  std::string key_pem = {};
  std::string token_file = {};
  std::string token = {};
  std::string namespace_name = {};  // empty: not said

  friend bool operator==(const KubeConfig&, const KubeConfig&) = default;
};

constexpr std::string_view kServiceAccount = "/var/run/secrets/kubernetes.io/serviceaccount";

// As a pod reaches it: `host` and `port` are KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT, `account` is the
// folder of its service account. ENOENT: this is no pod, or has no service account; the message says what is missing.
Result<KubeConfig> in_cluster_config(const std::string& host, const std::string& port,
                                     const std::filesystem::path& account);
// Of the process itself.
Result<KubeConfig> in_cluster_config();

// The current context of a kubeconfig. The message names the file and the field. EINVAL: it is wrong; ENOTSUP: it asks
// for what we do not do, such as another program that makes tokens. Another code: it could not be read.
Result<KubeConfig> read_kubeconfig(const std::filesystem::path& file);
// The same of its text; paths in it are relative to the folder of `file`.
Result<KubeConfig> parse_kubeconfig(const std::string& text, const std::filesystem::path& file);

// The token to send now; empty: none. Tokens of pods are renewed every hour, by a new file.
Result<std::string> current_token(const KubeConfig& config);

// A whole file of at most 1 MiB.
Result<std::string> read_small_file(const std::filesystem::path& file);

}  // namespace skbtrail
