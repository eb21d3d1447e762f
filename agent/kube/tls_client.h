#pragma once
// A connection to the API server as the library makes it, with certificates from files or from text.

#include <httplib.h>

#include <memory>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "kube/kube_config.h"

namespace skbtrail {

struct TlsClient {
  // What the library reads certificates from when it connects.
  std::vector<UniqueFd> texts;
  std::unique_ptr<httplib::ClientImpl> http;
  std::string base_path;  // of the server's URL, without '/' at its end
};

// Connects with the first request. Only certificates that the configuration's authority has signed are accepted, or
// one of the system's when it names none. EINVAL: the URL or a certificate is wrong.
Result<TlsClient> make_client(const KubeConfig& config);

}  // namespace skbtrail
