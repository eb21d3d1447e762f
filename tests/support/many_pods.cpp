// A node with 1,000 pods: how long until the index knows them, what a change and a lookup cost, how much memory it
// takes. The runtime is a real gRPC server, the namespaces are the kernel's, in a mount namespace of their own: root.
#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <runtime_v1.grpc.pb.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "pods/pod_directory.h"

using namespace skbtrail;
using std::chrono::duration;
using std::chrono::steady_clock;

namespace {

namespace cri = runtime::v1;

constexpr int kPods = 1'000;
constexpr int kLookups = 2'000'000;

double ms_since(steady_clock::time_point started) {
  return duration<double, std::milli>(steady_clock::now() - started).count();
}

std::string path_of(const std::string& folder, int number) {
  return folder + "/" + std::to_string(number);
}

// As long a text as containerd's.
std::string verbose_info(const std::string& netns) {
  return R"({"pid": 0, "config": {"padding": ")" + std::string(6'000, 'x') +
         R"("}, "runtimeSpec": {"linux": {"namespaces": [{"type": "network", "path": ")" + netns + R"("}]}}})";
}

class Service final : public cri::RuntimeService::Service {
public:
  explicit Service(std::string folder) : folder_(std::move(folder)) {}

  grpc::Status Version(grpc::ServerContext*, const cri::VersionRequest*, cri::VersionResponse* out) override {
    out->set_runtime_name("simulated");
    return grpc::Status::OK;
  }
  grpc::Status ListPodSandbox(grpc::ServerContext*, const cri::ListPodSandboxRequest*,
                              cri::ListPodSandboxResponse* out) override {
    for (int i = 0; i < kPods; ++i) {
      auto* item = out->add_items();
      item->set_id(std::to_string(i) + std::string(60, 'f'));
      item->mutable_metadata()->set_namespace_("shop");
      item->mutable_metadata()->set_name("web-" + std::to_string(i));
      item->mutable_metadata()->set_uid("6f3d0d4e-5b1f-4c39-93b8-" + std::to_string(100'000'000'000 + i));
      for (const char* label : {"app", "tier", "pod-template-hash", "team", "version"})
        (*item->mutable_labels())[label] = "some value of it";
    }
    return grpc::Status::OK;
  }
  grpc::Status PodSandboxStatus(grpc::ServerContext*, const cri::PodSandboxStatusRequest* in,
                                cri::PodSandboxStatusResponse* out) override {
    const int number = std::stoi(in->pod_sandbox_id());
    const auto ip = "10.22." + std::to_string(number / 250) + "." + std::to_string(number % 250 + 1);
    out->mutable_status()->mutable_network()->set_ip(ip);
    (*out->mutable_info())["info"] = verbose_info(path_of(folder_, number));
    return grpc::Status::OK;
  }
  grpc::Status ListContainers(grpc::ServerContext*, const cri::ListContainersRequest*,
                              cri::ListContainersResponse* out) override {
    for (int i = 0; i < 2 * kPods; ++i) {
      auto* one = out->add_containers();
      one->set_id(std::to_string(i) + std::string(60, 'c'));
      one->set_pod_sandbox_id(std::to_string(i % kPods) + std::string(60, 'f'));
    }
    return grpc::Status::OK;
  }

private:
  std::string folder_;
};

// Each a file that holds it, as `ip netns` makes them.
bool make_namespaces(const std::string& folder) {
  bool made = true;
  std::thread([&] {
    for (int i = 0; i < kPods && made; ++i) {
      std::ofstream{path_of(folder, i)};
      made = ::unshare(CLONE_NEWNET) == 0 &&
             ::mount("/proc/thread-self/ns/net", path_of(folder, i).c_str(), nullptr, MS_BIND, nullptr) == 0;
    }
  }).join();
  return made;
}

long resident_kib() {
  std::ifstream file("/proc/self/statm");
  long size = 0;
  long resident = 0;
  file >> size >> resident;
  return resident * (::sysconf(_SC_PAGESIZE) / 1024);
}

double lookup_ns(const PodIndex& index, const std::vector<Sandbox>& sandboxes) {
  const auto started = steady_clock::now();
  int found = 0;
  for (int i = 0; i < kLookups; ++i) {
    const Sandbox& one = sandboxes[static_cast<std::size_t>(i) * 7919 % sandboxes.size()];
    found += index.find({.netns_inum = one.netns_inum, .netns_cookie = one.netns_cookie}).answer == PodAnswer::Pod;
  }
  return found == kLookups ? ms_since(started) * 1e6 / kLookups : -1;
}

int fail_with(const char* what) {
  std::fprintf(stderr, "many_pods: %s\n", what);
  return 1;
}

int run(const std::string& folder) {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      !make_namespaces(folder))
    return fail_with("namespaces could not be made (needs root)");
  Service service{folder};
  grpc::ServerBuilder builder;
  const std::string socket = folder + "/cri.sock";
  builder.AddListeningPort("unix:" + socket, grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  auto options = directory_options({.socket = socket});
  if (!server)
    return fail_with("the simulated runtime could not be started");
  if (!options)
    return fail_with(options.error().message.c_str());
  const long before = resident_kib();
  const auto started = steady_clock::now();
  const auto directory = PodDirectory::start(*options);
  if (!directory || !(*directory)->wait_for_first_answer(std::chrono::seconds{60}))
    return fail_with("no answer within 60 s");
  const double first = ms_since(started);
  const long used = resident_kib() - before;
  const auto sandboxes = (*directory)->sandboxes();
  const auto index = (*directory)->snapshot();
  for (const Sandbox& one : *sandboxes)
    if (index->find({.netns_inum = one.netns_inum}).at.pod == nullptr)
      return fail_with("a pod is not found in its namespace");
  const auto rebuild = steady_clock::now();
  (*directory)->set_interfaces({});
  const double rebuilt = ms_since(rebuild);
  const double lookup = lookup_ns(*index, *sandboxes);
  if (sandboxes->size() != kPods || lookup < 0)
    return fail_with("not every sandbox is known");
  std::printf(
      "%zu sandboxes known %.0f ms after the start; %ld KiB of memory for them and the simulated runtime; a change "
      "published in %.1f ms; a lookup takes %.0f ns\n",
      sandboxes->size(), first, used, rebuilt, lookup);
  return 0;
}

}  // namespace

int main() {
  std::string folder = (std::filesystem::temp_directory_path() / "skbtrail-many-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr)
    return fail_with("no temporary folder");
  const int status = run(folder);
  for (int i = 0; i < kPods; ++i)
    ::umount2(path_of(folder, i).c_str(), MNT_DETACH);
  std::filesystem::remove_all(folder);
  return status;
}
