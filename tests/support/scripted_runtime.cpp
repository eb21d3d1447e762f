// A container runtime that says what a file says: scripted_runtime SOCKET FILE. The file is a JSON list of sandboxes,
// {"id":…,"namespace":…,"name":…,"uid":…,"netns":PATH,"ips":[…],"labels":{…}}, read anew for every call; one without
// "netns" shares the host's network. For kernel tests of what is between the runtime and an event.

#include <grpcpp/grpcpp.h>
#include <runtime_v1.grpc.pb.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

namespace {

namespace cri = runtime::v1;
using nlohmann::json;

class ScriptedRuntime final : public cri::RuntimeService::Service {
public:
  explicit ScriptedRuntime(std::string file) : file_(std::move(file)) {}

  grpc::Status Version(grpc::ServerContext*, const cri::VersionRequest*, cri::VersionResponse* out) override {
    out->set_runtime_name("scripted");
    out->set_runtime_version("1");
    return grpc::Status::OK;
  }
  grpc::Status ListPodSandbox(grpc::ServerContext*, const cri::ListPodSandboxRequest*,
                              cri::ListPodSandboxResponse* out) override {
    for (const json& one : sandboxes()) {
      auto* item = out->add_items();
      item->set_id(one.at("id"));
      item->mutable_metadata()->set_namespace_(one.at("namespace"));
      item->mutable_metadata()->set_name(one.at("name"));
      item->mutable_metadata()->set_uid(one.at("uid"));
      item->set_state(cri::SANDBOX_READY);
      item->set_created_at(1);
      const json labels = one.value("labels", json::object());
      for (const auto& label : labels.items())
        (*item->mutable_labels())[label.key()] = label.value();
    }
    return grpc::Status::OK;
  }
  grpc::Status PodSandboxStatus(grpc::ServerContext*, const cri::PodSandboxStatusRequest* in,
                                cri::PodSandboxStatusResponse* out) override {
    for (const json& one : sandboxes())
      if (one.at("id") == in->pod_sandbox_id()) {
        describe(one, *out);
        return grpc::Status::OK;
      }
    return {grpc::StatusCode::NOT_FOUND, "no such sandbox"};
  }
  grpc::Status ListContainers(grpc::ServerContext*, const cri::ListContainersRequest*,
                              cri::ListContainersResponse*) override {
    return grpc::Status::OK;
  }

private:
  // What is half written is no list yet.
  json sandboxes() const {
    std::ifstream file(file_);
    json read = json::parse(std::string{std::istreambuf_iterator<char>(file), {}}, nullptr, false);
    return read.is_array() ? read : json::array();
  }

  static void describe(const json& one, cri::PodSandboxStatusResponse& out) {
    auto* status = out.mutable_status();
    status->set_id(one.at("id"));
    status->set_state(cri::SANDBOX_READY);
    const bool host_network = !one.contains("netns");
    if (host_network) {
      status->mutable_linux()->mutable_namespaces()->mutable_options()->set_network(cri::NODE);
      return;
    }
    const auto ips = one.value("ips", std::vector<std::string>{});
    if (!ips.empty())
      status->mutable_network()->set_ip(ips.front());
    for (std::size_t at = 1; at < ips.size(); ++at)
      status->mutable_network()->add_additional_ips()->set_ip(ips[at]);
    // As the real ones do, in a text of its own.
    const json info = {
        {"runtimeSpec",
         {{"linux", {{"namespaces", json::array({{{"type", "network"}, {"path", one.at("netns")}}})}}}}}};
    (*out.mutable_info())["info"] = info.dump();
  }

  std::string file_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "scripted_runtime SOCKET FILE\n");
    return 2;
  }
  ScriptedRuntime runtime(argv[2]);
  grpc::ServerBuilder builder;
  builder.AddListeningPort(std::string("unix:") + argv[1], grpc::InsecureServerCredentials());
  builder.RegisterService(&runtime);
  const auto server = builder.BuildAndStart();
  if (!server) {
    std::fprintf(stderr, "scripted_runtime: cannot listen at %s\n", argv[1]);
    return 1;
  }
  server->Wait();
}
