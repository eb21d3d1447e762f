#include "api/loki_client.h"

#include <httplib.h>

#include <catch2/catch.hpp>
#include <mutex>
#include <string>
#include <thread>

#include "support/scratch_folder.h"

using namespace skbtrail;
using namespace skbtrail::test;

namespace {

using Answer = LogStore::Answer;

// A store of the test's own, in this process.
class Store {
public:
  Store() {
    server_.Post("/push", [this](const httplib::Request& request, httplib::Response& response) {
      const std::lock_guard lock{mutex_};
      last_ = request;
      response.status = status;
      response.set_header("Retry-After", retry_after);
      if (status != 204)
        response.set_content("because of this\nand more", "text/plain");
    });
    server_.Post("/hang", [this](const httplib::Request&, httplib::Response&) {
      hangs = true;
      while (hangs)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running())
      std::this_thread::yield();
  }
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  ~Store() {
    hangs = false;
    server_.stop();
    thread_.join();
  }

  std::string url(const std::string& path = "/push") const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  httplib::Request last() {
    const std::lock_guard lock{mutex_};
    return last_;
  }

  std::atomic<int> status = 204;
  std::string retry_after = "0";
  std::atomic<bool> hangs = false;

private:
  httplib::Server server_;
  int port_ = 0;
  std::mutex mutex_;
  httplib::Request last_;
  std::thread thread_;
};

// Writes a file of the folder, and gives its path.
std::string written(const ScratchFolder& folder, const std::string& name, const std::string& text) {
  folder.write(name, text);
  return folder.path(name);
}

std::unique_ptr<LogStore> opened(const LokiPlace& place) {
  auto store = open_loki(place);
  if (!store)
    FAIL(store.error().message);
  return std::move(*store);
}

}  // namespace

TEST_CASE("a body goes out compressed, with tenant and user") {
  Store store;
  const ScratchFolder folder;
  const auto client =
      opened({.url = store.url(), .tenant = "team", .basic_auth_file = written(folder, "auth", "u:p\n")});
  const std::string body = R"({"streams":[]})" + std::string(1000, ' ');
  CHECK(client->push(body).answer == Answer::Taken);
  const auto request = store.last();
  CHECK(request.body == body);  // the server has unpacked it
  CHECK(request.get_header_value("Content-Encoding") == "gzip");
  CHECK(request.get_header_value("Content-Type") == "application/json");
  CHECK(request.get_header_value("X-Scope-OrgID") == "team");
  CHECK(request.get_header_value("Authorization") == "Basic dTpw");
}

TEST_CASE("a token is read for each request") {
  Store store;
  const ScratchFolder folder;
  const auto client = opened({.url = store.url(), .bearer_token_file = written(folder, "token", "one")});
  CHECK(client->push("{}").answer == Answer::Taken);
  CHECK(store.last().get_header_value("Authorization") == "Bearer one");
  folder.write("token", "two\n");
  CHECK(client->push("{}").answer == Answer::Taken);
  CHECK(store.last().get_header_value("Authorization") == "Bearer two");
}

TEST_CASE("what the store answers decides what becomes of the lines") {
  Store store;
  const auto client = opened({.url = store.url()});
  for (const int later : {408, 429, 500, 503}) {
    store.status = later;
    store.retry_after = "7";
    const auto reply = client->push("{}");
    CHECK(reply.answer == Answer::Later);
    CHECK(reply.wait == std::chrono::seconds(7));
    CHECK(reply.why == "log store '" + store.url() + "' answers " + std::to_string(later) + ": because of this");
  }
  store.retry_after = "tomorrow";
  CHECK(client->push("{}").wait == std::chrono::seconds(0));
  for (const int refused : {400, 401, 404, 413}) {
    store.status = refused;
    CHECK(client->push("{}").answer == Answer::Refused);
  }
}

TEST_CASE("a store that is not there is asked later") {
  std::string url;
  {
    const Store store;
    url = store.url();
  }
  const auto reply = opened({.url = url})->push("{}");
  CHECK(reply.answer == Answer::Later);
  CHECK(reply.why.find("does not answer") != std::string::npos);
}

TEST_CASE("a push that waits for an answer ends when it is cancelled") {
  Store store;
  const auto client = opened({.url = store.url("/hang")});
  std::thread canceller([&] {
    while (!store.hangs)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    client->cancel();
  });
  CHECK(client->push("{}").answer == Answer::Later);
  canceller.join();
  CHECK(client->push("{}").why == "cancelled");
}

TEST_CASE("what cannot work is refused at the start") {
  const ScratchFolder folder;
  for (const char* url : {"loki:3100/push", "ftp://loki/push", "http://loki:3100", "http:///push"}) {
    const auto store = open_loki({.url = url});
    REQUIRE_FALSE(store);
    CHECK(store.error().message.find(url) != std::string::npos);
  }
  const std::string url = "http://127.0.0.1:1/push";
  CHECK_FALSE(open_loki({.url = url, .bearer_token_file = folder.path("absent")}));
  CHECK_FALSE(open_loki({.url = url, .basic_auth_file = written(folder, "auth", "nocolon")}));
  CHECK_FALSE(open_loki({.url = url, .bearer_token_file = written(folder, "empty", "")}));
  CHECK_FALSE(open_loki({.url = url, .ca_file = folder.path("absent")}));
}
