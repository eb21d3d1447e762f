#include "kube/kube_config.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace skbtrail;

namespace {

class Folder final {
public:
  Folder() {
    std::string name = "/tmp/kube-config-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::filesystem::path write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
    return path_ / name;
  }
  const std::filesystem::path& path() const { return path_; }

private:
  std::filesystem::path path_;
};

std::string kubeconfig(const std::string& cluster, const std::string& user) {
  return "current-context: b\n"
         "contexts:\n- name: a\n  context: {cluster: x, user: y}\n- name: b\n  context: {cluster: c, user: u, "
         "namespace: shop}\n"
         "clusters:\n- name: c\n  cluster: {" +
         cluster + "}\nusers:\n- name: u\n  user: {" + user + "}\n";
}

std::string fault_of(const std::string& text) {
  const auto config = parse_kubeconfig(text, "/etc/k/config");
  REQUIRE_FALSE(config);
  return config.error().message;
}

}  // namespace

TEST_CASE("a kubeconfig that is wrong is refused with its file and field") {
  CHECK(fault_of("a: [").find("kubeconfig '/etc/k/config': line ") == 0);
  CHECK(fault_of("{}") == "kubeconfig '/etc/k/config': current-context: is missing");
  CHECK(fault_of("current-context: z\ncontexts: []\n") == "kubeconfig '/etc/k/config': contexts: there is no 'z'");
  CHECK(fault_of(kubeconfig("", "")) == "kubeconfig '/etc/k/config': clusters[c].cluster.server: is missing");
  CHECK(fault_of(kubeconfig("server: ftp://x", "")) ==
        "kubeconfig '/etc/k/config': clusters[c].cluster.server: 'ftp://x' does not begin with https://");
  CHECK(fault_of(kubeconfig("server: https://x, certificate-authority-data: '%%%'", "")) ==
        "kubeconfig '/etc/k/config': clusters[c].cluster.certificate-authority-data: is no base64");
  CHECK(fault_of(kubeconfig("server: https://x", "client-certificate: a")) ==
        "kubeconfig '/etc/k/config': users[u].user.client-key: is missing");
  CHECK(fault_of(kubeconfig("server: https://x, insecure-skip-tls-verify: 7", "")) ==
        "kubeconfig '/etc/k/config': clusters[c].cluster.insecure-skip-tls-verify: must be true or false");
  CHECK(fault_of(kubeconfig("server: https://x", "exec: {command: aws}")) ==
        "kubeconfig '/etc/k/config': users[u].user.exec: is not supported: use a token, tokenFile or a client "
        "certificate");
  const auto missing = read_kubeconfig("/nonexistent/config");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == ENOENT);
  CHECK(missing.error().message.find("/nonexistent/config") != std::string::npos);
}

TEST_CASE("a kubeconfig's current context says server, certificates and token") {
  const auto config =
      parse_kubeconfig(kubeconfig("server: https://10.0.0.1:6443, certificate-authority-data: Y2E=",
                                  "client-certificate: c.pem, client-key-data: a2V5, token: t, tokenFile: /run/token"),
                       "/etc/k/config");
  REQUIRE(config);
  CHECK(*config == KubeConfig{.server = "https://10.0.0.1:6443",
                              .ca_pem = "ca",
                              .cert_file = "/etc/k/c.pem",
                              .key_pem = "key",
                              .token_file = "/run/token",
                              .token = "t",
                              .namespace_name = "shop"});
}

TEST_CASE("a pod reaches the API server by its service account, whose token is read anew each time") {
  const Folder account;
  CHECK(in_cluster_config("", "443", account.path()).error().code == ENOENT);
  CHECK(in_cluster_config("10.96.0.1", "443", account.path()).error().message ==
        "this pod has no service account: there is no '" + (account.path() / "ca.crt").string() + "'");
  account.write("ca.crt", "ca");
  account.write("token", "one\n");
  account.write("namespace", "skbtrail\n");
  const auto config = in_cluster_config("fd00::1", "443", account.path());
  REQUIRE(config);
  CHECK(config->server == "https://[fd00::1]:443");
  CHECK(config->namespace_name == "skbtrail");
  CHECK(*current_token(*config) == "one");
  account.write("token", "two");
  CHECK(*current_token(*config) == "two");
}
