#pragma once
// A container runtime in memory: a test says what there is, and how it fails. Its calls may come from any thread.

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "pods/container_runtime.h"

namespace skbtrail {

class FakeRuntime final : public ContainerRuntime {
public:
  struct Content {
    std::vector<ListedSandbox> sandboxes = {};
    std::map<std::string, SandboxStatus> statuses = {};
    std::map<std::string, Error> broken = {};  // by sandbox: what asking for its status answers
    std::vector<ListedContainer> containers = {};
    std::map<std::string, RuntimePlace> places = {};  // of containers
    int error = 0;                                    // errno: of every call
    bool has_events = false;
    RuntimeVersion version = {.name = "containerd", .version = "v2.4.2"};
  };

  void change(const std::function<void(Content&)>& how) {
    const std::scoped_lock lock{mutex_};
    how(content_);
  }
  void add(const std::string& id, const SandboxStatus& status) {
    change([&](Content& content) {
      content.sandboxes.push_back({.id = id, .namespace_name = "shop", .name = id, .uid = "uid-" + id});
      content.statuses[id] = status;
    });
  }
  void remove(const std::string& id) {
    change([&](Content& content) {
      std::erase_if(content.sandboxes, [&](const ListedSandbox& one) { return one.id == id; });
      content.statuses.erase(id);
    });
  }
  int calls(const std::string& name) {
    const std::scoped_lock lock{mutex_};
    return calls_[name];
  }
  void send_event() {
    const std::scoped_lock lock{mutex_};
    ++events_;
    changed_.notify_all();
  }

  const std::string& socket() const override { return socket_; }
  Result<RuntimeVersion> version() override { return answer<RuntimeVersion>("version", content_.version); }
  Result<std::vector<ListedSandbox>> list_sandboxes() override { return answer("list", content_.sandboxes); }
  Result<std::vector<ListedContainer>> list_containers() override {
    return answer("list_containers", content_.containers);
  }
  Result<SandboxStatus> sandbox_status(const std::string& id) override {
    const std::scoped_lock lock{mutex_};
    ++calls_["status"];
    if (content_.error != 0)
      return fail(content_.error, "fake runtime");
    if (const auto broken = content_.broken.find(id); broken != content_.broken.end())
      return broken->second;
    const auto found = content_.statuses.find(id);
    return found == content_.statuses.end() ? Result<SandboxStatus>(fail(ENOENT, "fake sandbox")) : found->second;
  }
  Result<RuntimePlace> container_place(const std::string& id) override {
    const std::scoped_lock lock{mutex_};
    const auto found = content_.places.find(id);
    return found == content_.places.end() ? Result<RuntimePlace>(fail(ENOENT, "fake container")) : found->second;
  }
  Result<> follow_events(const std::function<void()>& on_event) override {
    std::unique_lock lock{mutex_};
    ++calls_["follow"];
    if (!content_.has_events)
      return fail(ENOTSUP, "fake events");
    while (!cancelled_) {
      changed_.wait(lock, [&] { return cancelled_ || events_ > 0; });
      const int events = std::exchange(events_, 0);
      lock.unlock();
      for (int i = 0; i < events; ++i)
        on_event();
      lock.lock();
    }
    return fail(ECANCELED, "fake events");
  }
  void cancel() override {
    const std::scoped_lock lock{mutex_};
    cancelled_ = true;
    changed_.notify_all();
  }

private:
  template <class T>
  Result<T> answer(const char* name, const T& value) {
    const std::scoped_lock lock{mutex_};
    ++calls_[name];
    if (cancelled_ || content_.error != 0)
      return fail(cancelled_ ? ECANCELED : content_.error, "fake runtime");
    return value;
  }

  std::string socket_ = "/run/fake.sock";
  std::mutex mutex_;
  std::condition_variable changed_;
  Content content_;
  std::map<std::string, int> calls_;
  int events_ = 0;
  bool cancelled_ = false;
};

}  // namespace skbtrail
