#include "pods/cri_client.h"

#include <arpa/inet.h>
#include <grpcpp/grpcpp.h>
#include <runtime_v1.grpc.pb.h>
#include <sys/un.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "pods/verbose_info.h"

namespace skbtrail {
namespace {

namespace cri = runtime::v1;

constexpr int kMaxAnswerBytes = 16 << 20;
// A runtime that was restarted is met again within this time.
constexpr int kFirstReconnectMs = 100;
constexpr int kLastReconnectMs = 2'000;
// What an attempt may take, on a machine that is busy: gRPC would give it no more than it waits before the next.
constexpr int kConnectWithinMs = 5'000;

std::map<std::string, std::string> as_map(const google::protobuf::Map<std::string, std::string>& labels) {
  return {labels.begin(), labels.end()};
}

// Empty for "" and whatever else is no address.
std::optional<IpAddress> parse_address(const std::string& text) {
  IpAddress address;
  if (::inet_pton(AF_INET, text.c_str(), address.bytes) == 1)
    address.version = 4;
  else if (::inet_pton(AF_INET6, text.c_str(), address.bytes) == 1)
    address.version = 6;
  return address.version == 0 ? std::nullopt : std::optional(address);
}

std::vector<IpAddress> addresses_of(const cri::PodSandboxNetworkStatus& network) {
  std::vector<IpAddress> addresses;
  const auto add = [&](const std::string& text) {
    if (const auto address = parse_address(text))
      addresses.push_back(*address);
  };
  add(network.ip());
  for (const auto& more : network.additional_ips())
    add(more.ip());
  return addresses;
}

int code_of(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::NOT_FOUND: return ENOENT;
    case grpc::StatusCode::UNIMPLEMENTED: return ENOTSUP;
    case grpc::StatusCode::DEADLINE_EXCEEDED: return ETIMEDOUT;
    case grpc::StatusCode::UNAVAILABLE: return ECONNREFUSED;
    case grpc::StatusCode::PERMISSION_DENIED: return EACCES;
    case grpc::StatusCode::CANCELLED: return ECANCELED;
    default: return EIO;
  }
}

// What the runtime said, on one line.
std::string reason_of(const grpc::Status& status) {
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED)
    return "no answer in time";
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED)
    return "it does not offer this call of CRI v1 (containerd 1.6, CRI-O 1.23 and newer do)";
  std::string text = status.error_message().substr(0, 300);
  for (char& letter : text)
    if (static_cast<unsigned char>(letter) < ' ' || letter == '\x7f')
      letter = ' ';
  return text.empty() ? "error " + std::to_string(status.error_code()) : text;
}

class CriClient final : public ContainerRuntime {
public:
  explicit CriClient(CriOptions options) : options_(std::move(options)), stub_(connect(options_.socket)) {}

  const std::string& socket() const override { return options_.socket; }

  Result<RuntimeVersion> version() override {
    cri::VersionRequest request;
    request.set_version("v1");
    const auto answer = TRY(call(&Stub::Version, request, "Version"));
    return RuntimeVersion{.name = answer.runtime_name(), .version = answer.runtime_version()};
  }

  Result<std::vector<ListedSandbox>> list_sandboxes() override {
    const auto answer = TRY(call(&Stub::ListPodSandbox, cri::ListPodSandboxRequest{}, "ListPodSandbox"));
    std::vector<ListedSandbox> sandboxes;
    for (const auto& item : answer.items())
      sandboxes.push_back({.id = item.id(),
                           .namespace_name = item.metadata().namespace_(),
                           .name = item.metadata().name(),
                           .uid = item.metadata().uid(),
                           .ready = item.state() == cri::SANDBOX_READY,
                           .created_ns = item.created_at(),
                           .labels = as_map(item.labels())});
    return sandboxes;
  }

  Result<SandboxStatus> sandbox_status(const std::string& id) override {
    cri::PodSandboxStatusRequest request;
    request.set_pod_sandbox_id(id);
    request.set_verbose(true);
    const auto answer = TRY(call(&Stub::PodSandboxStatus, request, "PodSandboxStatus"));
    const auto& status = answer.status();
    return SandboxStatus{.host_network = status.linux().namespaces().options().network() == cri::NODE,
                         .addresses = addresses_of(status.network()),
                         .place = TRY(parse_verbose_info(as_map(answer.info())))};
  }

  Result<std::vector<ListedContainer>> list_containers() override {
    const auto answer = TRY(call(&Stub::ListContainers, cri::ListContainersRequest{}, "ListContainers"));
    std::vector<ListedContainer> containers;
    for (const auto& one : answer.containers())
      containers.push_back(
          {.id = one.id(), .sandbox_id = one.pod_sandbox_id(), .running = one.state() == cri::CONTAINER_RUNNING});
    return containers;
  }

  Result<RuntimePlace> container_place(const std::string& id) override {
    cri::ContainerStatusRequest request;
    request.set_container_id(id);
    request.set_verbose(true);
    const auto answer = TRY(call(&Stub::ContainerStatus, request, "ContainerStatus"));
    return parse_verbose_info(as_map(answer.info()));
  }

  Result<> follow_events(const std::function<void()>& on_event) override {
    grpc::ClientContext context;
    const Cancellable guard{*this, context};
    const auto stream = stub_->GetContainerEvents(&context, cri::GetEventsRequest{});
    cri::ContainerEventResponse event;
    while (stream->Read(&event))
      on_event();
    return checked(stream->Finish(), "GetContainerEvents");
  }

  void cancel() override {
    const std::scoped_lock lock{mutex_};
    cancelled_ = true;
    for (grpc::ClientContext* context : under_way_)
      context->TryCancel();
  }

private:
  using Stub = cri::RuntimeService::Stub;

  // Lets cancel() reach a call for as long as it is under way.
  class Cancellable final {
  public:
    Cancellable(CriClient& client, grpc::ClientContext& context) : client_(client), context_(context) {
      const std::scoped_lock lock{client_.mutex_};
      client_.under_way_.insert(&context_);
      if (client_.cancelled_)
        context_.TryCancel();
    }
    ~Cancellable() {
      const std::scoped_lock lock{client_.mutex_};
      client_.under_way_.erase(&context_);
    }
    Cancellable(const Cancellable&) = delete;
    Cancellable& operator=(const Cancellable&) = delete;

  private:
    CriClient& client_;
    grpc::ClientContext& context_;
  };

  static std::unique_ptr<Stub> connect(const std::string& socket) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(kMaxAnswerBytes);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstReconnectMs);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectWithinMs);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kLastReconnectMs);
    // A proxy of the environment has no business with a unix socket.
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    // Channels of one address share their connection otherwise, and a hung one with it.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return cri::RuntimeService::NewStub(
        grpc::CreateCustomChannel("unix:" + socket, grpc::InsecureChannelCredentials(), arguments));
  }

  template <class Request, class Answer>
  Result<Answer> call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Answer*),
                      const Request& request, const char* name) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + options_.call_deadline);
    const Cancellable guard{*this, context};
    Answer answer;
    TRY(checked((stub_.get()->*method)(&context, request, &answer), name));
    return answer;
  }

  Result<> checked(const grpc::Status& status, const char* name) const {
    if (status.ok())
      return {};
    return refuse(code_of(status), "container runtime '" + options_.socket + "': " + name + ": " + reason_of(status));
  }

  CriOptions options_;
  std::unique_ptr<Stub> stub_;
  std::mutex mutex_;
  bool cancelled_ = false;
  std::set<grpc::ClientContext*> under_way_;
};

}  // namespace

Result<std::unique_ptr<ContainerRuntime>> make_cri_client(const CriOptions& options) {
  if (options.socket.size() >= sizeof(sockaddr_un::sun_path))
    return refuse(EINVAL, "container runtime '" + options.socket + "': a unix socket's path has at most " +
                              std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " bytes; name a shorter one");
  return std::unique_ptr<ContainerRuntime>{std::make_unique<CriClient>(options)};
}

}  // namespace skbtrail
