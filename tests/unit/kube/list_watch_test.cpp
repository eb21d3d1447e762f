#include "kube/list_watch.h"

#include <catch2/catch.hpp>
#include <set>

#include "kube/line_splitter.h"
#include "unit/kube/api_fake.h"

using namespace skbtrail;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

// What a ListWatch says, as names.
class Names final : public WatchHandler {
public:
  void replaced(std::vector<json> objects) override {
    const std::lock_guard lock{mutex_};
    ++lists_;
    names_.clear();
    for (const auto& object : objects)
      names_.insert(object["metadata"]["name"].get<std::string>());
  }
  void changed(const json& object) override {
    const std::lock_guard lock{mutex_};
    names_.insert(object["metadata"]["name"].get<std::string>());
  }
  void removed(const json& object) override {
    const std::lock_guard lock{mutex_};
    names_.erase(object["metadata"]["name"].get<std::string>());
  }
  std::set<std::string> names() const {
    const std::lock_guard lock{mutex_};
    return names_;
  }
  int lists() const {
    const std::lock_guard lock{mutex_};
    return lists_;
  }

private:
  mutable std::mutex mutex_;
  std::set<std::string> names_;
  int lists_ = 0;
};

ListWatch::Settings quick() {
  return {.path = "/things", .name = "test", .watch_time = 100s, .least_wait = 5ms, .most_wait = 20ms};
}

std::string event(const std::string& type, const std::string& name, const std::string& version) {
  return json{{"type", type}, {"object", {{"metadata", {{"name", name}, {"resourceVersion", version}}}}}}.dump() + "\n";
}

void stream(httplib::Response& response, const std::string& lines, const std::atomic<bool>* until = nullptr) {
  response.set_chunked_content_provider("application/json",
                                        [lines, until](std::size_t offset, httplib::DataSink& sink) {
                                          if (offset == 0)
                                            sink.write(lines.data(), lines.size());
                                          while (until != nullptr && !*until && sink.is_writable())
                                            std::this_thread::sleep_for(2ms);
                                          sink.done();
                                          return true;
                                        });
}

}  // namespace

TEST_CASE("lines are put together from pieces, and one that is too long ends it") {
  LineSplitter lines(8);
  std::vector<std::string> taken;
  const auto take = [&](std::string_view line) {
    taken.emplace_back(line);
    return true;
  };
  CHECK(lines.add("on", take));
  CHECK(lines.add("e\ntwo\n\nth", take));
  CHECK(taken == std::vector<std::string>{"one", "two"});
  CHECK_FALSE(lines.is_too_long());
  CHECK_FALSE(lines.add("ree-and-more", take));
  CHECK(lines.is_too_long());
}

TEST_CASE("waits grow to their bound, by chance, and begin anew") {
  Backoff backoff(500ms, 30s, 1);
  auto most = 500ms;
  for (int i = 0; i < 12; ++i, most = std::min<std::chrono::milliseconds>(most * 2, 30s)) {
    const auto wait = backoff.next();
    CHECK(wait >= most / 2);
    CHECK(wait <= most);
  }
  backoff.reset();
  CHECK(backoff.next() <= 500ms);
}

TEST_CASE("a watch goes on where the list, and then a bookmark, left it") {
  std::atomic<int> watches = 0;
  std::atomic<bool> ending = false;
  ApiFake server([&](const Asked& asked, httplib::Response& response) {
    if (asked.target.starts_with("/things?limit"))
      return give(response, R"({"metadata":{"resourceVersion":"5"},"items":[{"metadata":{"name":"a"}}]})");
    if (++watches == 1)
      return stream(response, event("ADDED", "b", "6") + event("DELETED", "a", "7") +
                                  R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}})"
                                  "\n");
    stream(response, "", &ending);
  });
  Names names;
  const ListWatch watch(server.endpoint(), quick(), names);
  REQUIRE(comes([&] { return watches == 2; }));
  CHECK(names.names() == std::set<std::string>{"b"});
  CHECK(names.lists() == 1);
  const auto asked = server.asked();
  REQUIRE(asked.size() == 3);
  CHECK(asked[1].target.find("resourceVersion=5") != std::string::npos);
  CHECK(asked[1].target.find("allowWatchBookmarks=true") != std::string::npos);
  CHECK(asked[2].target.find("resourceVersion=9") != std::string::npos);
  ending = true;
}

TEST_CASE("a server that knows no such version is listed again") {
  const bool within_stream = GENERATE(true, false);
  std::atomic<int> watches = 0;
  std::atomic<bool> ending = false;
  ApiFake server([&](const Asked& asked, httplib::Response& response) {
    if (asked.target.starts_with("/things?limit"))
      return give(response, R"({"metadata":{"resourceVersion":"5"},"items":[]})");
    if (++watches > 1)
      return stream(response, "", &ending);
    const std::string status = R"({"kind":"Status","code":410,"message":"too old resource version"})";
    if (within_stream)
      return stream(response, R"({"type":"ERROR","object":)" + status + "}\n");
    give(response, status, 410);
  });
  Names names;
  const ListWatch watch(server.endpoint(), quick(), names);
  REQUIRE(comes([&] { return watches == 2; }));
  CHECK(names.lists() == 2);
  CHECK(watch.trouble().empty());
  ending = true;
}

TEST_CASE("a kind that is not defined is told, and asked for with growing waits") {
  ApiFake server([&](const Asked&, httplib::Response& response) {
    give(response, R"({"message":"the server could not find the requested resource"})", 404);
  });
  Names names;
  auto settings = quick();
  settings.least_wait = 20ms;
  settings.most_wait = 100ms;
  const ListWatch watch(server.endpoint(), settings, names);
  REQUIRE(comes([&] { return !watch.trouble().empty(); }));
  CHECK(watch.trouble().find("kubectl apply") != std::string::npos);
  std::this_thread::sleep_for(400ms);
  // Waits of 10, 20, 40 and then 50 ms at least: a try for each, and the first.
  CHECK(server.asked().size() <= 11);
  CHECK_FALSE(watch.has_listed());
}

TEST_CASE("a watch that says nothing at all is taken for dead") {
  std::atomic<bool> ending = false;
  std::atomic<int> watches = 0;
  ApiFake server([&](const Asked& asked, httplib::Response& response) {
    if (asked.target.starts_with("/things?limit"))
      return give(response, R"({"metadata":{"resourceVersion":"5"},"items":[]})");
    ++watches;
    stream(response, "", &ending);
  });
  Names names;
  auto settings = quick();
  settings.watch_time = 1s;
  settings.grace = 1s;
  const ListWatch watch(server.endpoint(), settings, names);
  CHECK(comes([&] { return watches == 2; }));
  ending = true;
}

TEST_CASE("a ListWatch that is told to end does so at once, also in the middle of a watch") {
  std::atomic<bool> ending = false;
  ApiFake server([&](const Asked& asked, httplib::Response& response) {
    if (asked.target.starts_with("/things?limit"))
      return give(response, R"({"metadata":{"resourceVersion":"5"},"items":[]})");
    stream(response, "", &ending);
  });
  Names names;
  auto watch = std::make_unique<ListWatch>(server.endpoint(), quick(), names);
  REQUIRE(comes([&] { return server.asked().size() == 2; }));
  const auto started = std::chrono::steady_clock::now();
  watch.reset();
  CHECK(std::chrono::steady_clock::now() - started < 2s);
  ending = true;
}

TEST_CASE("events of a strange form are no end of the agent: it lists again") {
  const std::string line = GENERATE(R"({"type":"ERROR","object":{"code":"410"}})", R"({"type":7,"object":7})", "[]",
                                    R"({"type":"ERROR","object":{"code":{},"message":[]}})");
  std::atomic<int> watches = 0;
  std::atomic<bool> ending = false;
  ApiFake server([&](const Asked& asked, httplib::Response& response) {
    if (asked.target.starts_with("/things?limit"))
      return give(response, R"({"metadata":{"resourceVersion":"5"},"items":[]})");
    if (++watches > 1)
      return stream(response, "", &ending);
    stream(response, line + "\n");
  });
  Names names;
  const ListWatch watch(server.endpoint(), quick(), names);
  REQUIRE(comes([&] { return watches == 2; }));
  CHECK(names.lists() == 2);
  ending = true;
}

TEST_CASE("an object whose metadata is of another type leaves the watch where it was") {
  std::atomic<int> watches = 0;
  std::atomic<bool> ending = false;
  ApiFake server([&](const Asked& asked, httplib::Response& response) {
    if (asked.target.starts_with("/things?limit"))
      return give(response, R"({"metadata":{"resourceVersion":"5"},"items":[]})");
    if (++watches > 1)
      return stream(response, "", &ending);
    stream(response, R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":9}}})"
                     "\n");
  });
  Names names;
  const ListWatch watch(server.endpoint(), quick(), names);
  REQUIRE(comes([&] { return watches == 2; }));
  CHECK(server.asked().back().target.find("resourceVersion=5") != std::string::npos);
  ending = true;
}

TEST_CASE("watches that end at once and tell nothing come with growing waits") {
  std::atomic<int> watches = 0;
  ApiFake server([&](const Asked& asked, httplib::Response& response) {
    if (asked.target.starts_with("/things?limit"))
      return give(response, R"({"metadata":{"resourceVersion":"5"},"items":[]})");
    ++watches;
    give(response, "");
  });
  Names names;
  auto settings = quick();
  settings.least_wait = 10ms;
  settings.most_wait = 400ms;
  const ListWatch watch(server.endpoint(), settings, names);
  std::this_thread::sleep_for(800ms);
  // Waits of 5, 10, 20, 40, 80 and then 160 and 200 ms at least.
  CHECK(watches >= 2);
  CHECK(watches <= 10);
}

TEST_CASE("a line that is too long is no end as any other: all is listed again") {
  std::atomic<int> watches = 0;
  std::atomic<bool> ending = false;
  ApiFake server([&](const Asked& asked, httplib::Response& response) {
    if (asked.target.starts_with("/things?limit"))
      return give(response, R"({"metadata":{"resourceVersion":"5"},"items":[]})");
    if (++watches > 1)
      return stream(response, "", &ending);
    stream(response, std::string(5U << 20, 'x'));
  });
  Names names;
  const ListWatch watch(server.endpoint(), quick(), names);
  REQUIRE(comes([&] { return watches == 2; }));
  CHECK(names.lists() == 2);
  ending = true;
}
