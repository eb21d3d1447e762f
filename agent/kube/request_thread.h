#pragma once
// RequestThread: a thread that waits for answers of the API server, and how it is ended in the midst of one.

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include "kube/api_client.h"

namespace skbtrail {

// To be joined before it is destroyed.
class RequestThread final {
public:
  // Once. Of the name 15 characters are shown.
  template <class Run>
  void start(const std::string& name, Run run) {
    thread_ = std::thread([this, shown = name.substr(0, 15), run = std::move(run)] {
      ::pthread_setname_np(::pthread_self(), shown.c_str());
      run();
      ended_ = true;
    });
  }
  bool is_started() const { return thread_.joinable(); }

  // Whoever calls has told it to stop; `client` is the one whose answers it waits for. An interruption may come just
  // before a request begins to read, and be lost: it is repeated.
  void join(ApiClient& client) {
    while (!ended_) {
      client.interrupt();
      std::this_thread::sleep_for(kTellAgain);
    }
    thread_.join();
  }

private:
  static constexpr std::chrono::milliseconds kTellAgain{10};

  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

}  // namespace skbtrail
