// The client against a real gRPC server on a unix socket, which answers as a test wants.
#include "pods/cri_client.h"

#include <grpcpp/grpcpp.h>
#include <runtime_v1.grpc.pb.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <thread>

#include "unit/pods/test_pods.h"

// Debian's gRPC is not built for the thread sanitizer, which then sees races that are none.
#ifndef __SANITIZE_THREAD__

using namespace skbtrail;
using namespace std::chrono_literals;

namespace {

namespace cri = runtime::v1;

class Service final : public cri::RuntimeService::Service {
public:
  cri::PodSandboxStatusResponse sandbox;
  std::size_t padding = 0;
  std::atomic<int> events{0};
  std::atomic<bool> hangs{false};

  grpc::Status Version(grpc::ServerContext* context, const cri::VersionRequest*, cri::VersionResponse* out) override {
    while (hangs && !context->IsCancelled())
      std::this_thread::sleep_for(1ms);
    out->set_runtime_name("containerd");
    out->set_runtime_version("v2.4.2");
    return grpc::Status::OK;
  }
  grpc::Status ListPodSandbox(grpc::ServerContext*, const cri::ListPodSandboxRequest*,
                              cri::ListPodSandboxResponse* out) override {
    auto* item = out->add_items();
    item->set_id("abc");
    item->mutable_metadata()->set_namespace_("shop");
    item->mutable_metadata()->set_name("web" + std::string(padding, 'x'));
    item->mutable_metadata()->set_uid("u1");
    item->set_state(cri::SANDBOX_NOTREADY);
    item->set_created_at(77);
    (*item->mutable_labels())["app"] = "web";
    return grpc::Status::OK;
  }
  grpc::Status PodSandboxStatus(grpc::ServerContext*, const cri::PodSandboxStatusRequest* in,
                                cri::PodSandboxStatusResponse* out) override {
    if (in->pod_sandbox_id() != "abc" || !in->verbose())
      return {grpc::StatusCode::NOT_FOUND, "no such\nsandbox"};
    *out = sandbox;
    return grpc::Status::OK;
  }
  grpc::Status GetContainerEvents(grpc::ServerContext* context, const cri::GetEventsRequest*,
                                  grpc::ServerWriter<cri::ContainerEventResponse>* out) override {
    for (int i = 0; i < events; ++i)
      out->Write({});
    while (hangs && !context->IsCancelled())
      std::this_thread::sleep_for(1ms);
    return grpc::Status::OK;
  }
};

struct Lab {
  std::filesystem::path folder;
  Service service;
  std::unique_ptr<grpc::Server> server;

  Lab() {
    std::string name = (std::filesystem::temp_directory_path() / "skbtrail-cri-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder = name;
    start();
  }
  ~Lab() {
    stop();
    std::filesystem::remove_all(folder);
  }
  Lab(const Lab&) = delete;
  Lab& operator=(const Lab&) = delete;

  std::string socket() const { return (folder / "cri.sock").string(); }
  void start() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("unix:" + socket(), grpc::InsecureServerCredentials());
    builder.SetMaxSendMessageSize(-1);
    builder.RegisterService(&service);
    server = builder.BuildAndStart();
    REQUIRE(server);
  }
  void stop() {
    if (server)
      server->Shutdown(std::chrono::system_clock::now());
    server.reset();
  }
  std::unique_ptr<ContainerRuntime> client(std::chrono::milliseconds deadline = 10s) const {
    auto client = make_cri_client({.socket = socket(), .call_deadline = deadline});
    REQUIRE(client);
    return std::move(*client);
  }
};

}  // namespace

TEST_CASE("a path that is too long for a unix socket is refused") {
  const auto client = make_cri_client({.socket = "/" + std::string(108, 'x')});
  REQUIRE_FALSE(client);
  CHECK(client.error().code == EINVAL);
}

TEST_CASE("a socket nobody listens at is an error that names it") {
  const auto version = (*make_cri_client({.socket = "/nowhere.sock"}))->version();
  REQUIRE_FALSE(version);
  CHECK(version.error().code == ECONNREFUSED);
  CHECK(version.error().message.starts_with("container runtime '/nowhere.sock': Version: "));
}

TEST_CASE("a runtime that hangs costs one deadline") {
  Lab lab;
  lab.service.hangs = true;
  const auto version = lab.client(50ms)->version();
  REQUIRE_FALSE(version);
  CHECK(version.error().code == ETIMEDOUT);
  CHECK(version.error().message.ends_with("no answer in time"));
}

TEST_CASE("what the runtime does not know or offer has errors of its own, on one line") {
  Lab lab;
  const auto client = lab.client();
  const auto status = client->sandbox_status("gone");
  REQUIRE_FALSE(status);
  CHECK(status.error().code == ENOENT);
  CHECK(status.error().message.ends_with("no such sandbox"));
  const auto containers = client->list_containers();
  REQUIRE_FALSE(containers);
  CHECK(containers.error().code == ENOTSUP);
}

TEST_CASE("an answer of more than 16 MiB is refused") {
  Lab lab;
  lab.service.padding = 17 << 20;
  CHECK_FALSE(lab.client()->list_sandboxes());
}

TEST_CASE("verbose info that makes no sense is an error of that sandbox") {
  Lab lab;
  (*lab.service.sandbox.mutable_info())["info"] = "{";
  const auto status = lab.client()->sandbox_status("abc");
  REQUIRE_FALSE(status);
  CHECK(status.error().code == EBADMSG);
}

TEST_CASE("the version and the list are read") {
  Lab lab;
  const auto client = lab.client();
  CHECK(client->version()->version == "v2.4.2");
  const auto list = client->list_sandboxes();
  REQUIRE(list);
  REQUIRE(list->size() == 1);
  const auto& one = list->front();
  CHECK(one.id == "abc");
  CHECK(one.namespace_name == "shop");
  CHECK(one.name == "web");
  CHECK(one.uid == "u1");
  CHECK_FALSE(one.ready);
  CHECK(one.created_ns == 77);
  CHECK(one.labels.at("app") == "web");
}

TEST_CASE("addresses, namespace and the host's network are read, and an address that is none is left out") {
  Lab lab;
  auto* network = lab.service.sandbox.mutable_status()->mutable_network();
  network->set_ip("10.0.0.1");
  network->add_additional_ips()->set_ip("fd00::1");
  network->add_additional_ips()->set_ip("ten");
  (*lab.service.sandbox.mutable_info())["info"] = R"({"pid": 5})";
  const auto status = lab.client()->sandbox_status("abc");
  REQUIRE(status);
  CHECK(status->addresses == std::vector{an_address("10.0.0.1"), an_address("fd00::1")});
  CHECK(status->place.pid == 5);
  CHECK_FALSE(status->host_network);
  lab.service.sandbox.mutable_status()->mutable_linux()->mutable_namespaces()->mutable_options()->set_network(
      cri::NODE);
  CHECK(lab.client()->sandbox_status("abc")->host_network);
}

TEST_CASE("events are told one by one, and the end of the stream is no error") {
  Lab lab;
  lab.service.events = 3;
  int heard = 0;
  CHECK(lab.client()->follow_events([&] { ++heard; }));
  CHECK(heard == 3);
}

TEST_CASE("cancelling ends the stream of events and all that comes after") {
  Lab lab;
  lab.service.events = 1;
  lab.service.hangs = true;
  const auto client = lab.client();
  const auto ended = client->follow_events([&] { client->cancel(); });
  REQUIRE_FALSE(ended);
  CHECK(ended.error().code == ECANCELED);
  lab.service.hangs = false;
  CHECK(client->version().error().code == ECANCELED);
}

TEST_CASE("a runtime that was restarted is met again by the same client") {
  Lab lab;
  const auto client = lab.client();
  REQUIRE(client->version());
  lab.stop();
  CHECK_FALSE(client->version());
  lab.start();
  bool answers = false;
  for (int i = 0; i < 200 && !answers; ++i) {
    answers = static_cast<bool>(client->version());
    if (!answers)
      std::this_thread::sleep_for(50ms);
  }
  CHECK(answers);
}

#endif
