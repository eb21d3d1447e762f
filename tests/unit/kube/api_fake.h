#pragma once
// ApiFake: an HTTP server in this process that stands in for the API server, and remembers what it was asked.

#include <httplib.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "kube/api_endpoint.h"

namespace skbtrail {

struct Asked {
  std::string method;
  std::string target;  // with its query
  std::string authorization;
  std::string content_type;
  std::string body;
};

class ApiFake final {
public:
  using Answer = std::function<void(const Asked&, httplib::Response&)>;

  explicit ApiFake(Answer answer) : answer_(std::move(answer)) {
    const auto handler = [this](const httplib::Request& request, httplib::Response& response) {
      const Asked asked{.method = request.method,
                        .target = request.target,
                        .authorization = request.get_header_value("Authorization"),
                        .content_type = request.get_header_value("Content-Type"),
                        .body = request.body};
      {
        const std::lock_guard lock{mutex_};
        asked_.push_back(asked);
      }
      answer_(asked, response);
    };
    server_.Get(".*", handler).Post(".*", handler).Put(".*", handler).Patch(".*", handler).Delete(".*", handler);
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running())
      std::this_thread::yield();
  }
  ~ApiFake() {
    server_.stop();
    thread_.join();
  }
  ApiFake(const ApiFake&) = delete;
  ApiFake& operator=(const ApiFake&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::shared_ptr<ApiEndpoint> endpoint() const { return std::make_shared<ApiEndpoint>(KubeConfig{.server = url()}); }
  std::vector<Asked> asked() const {
    const std::lock_guard lock{mutex_};
    return asked_;
  }

private:
  Answer answer_;
  httplib::Server server_;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::vector<Asked> asked_;
  std::thread thread_;
};

inline void give(httplib::Response& response, const std::string& body, int status = 200) {
  response.status = status;
  response.set_content(body, "application/json");
}

// Whether it came true in time.
template <class Holds>
bool comes(Holds holds, std::chrono::milliseconds patience = std::chrono::seconds(10)) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end)
      return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace skbtrail
