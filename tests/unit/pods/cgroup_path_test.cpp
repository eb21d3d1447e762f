#include "pods/cgroup_path.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace skbtrail;

namespace {

const std::string kUid = "0f3c5b0e-6a1d-4a39-9c1e-1b2c3d4e5f60";
const std::string kUidOfSlice = "0f3c5b0e_6a1d_4a39_9c1e_1b2c3d4e5f60";
const std::string kStaticUid = "8d1bb2bd8ae4bba5e8b6a4dd1ec1e6b1";
const std::string kId = std::string(60, 'a') + "0123";
const std::string kInner = std::string(60, 'b') + "4567";

const CgroupOwner kContainer{.pod_uid = kUid, .container_id = kId};
const CgroupOwner kPodOnly{.pod_uid = kUid, .container_id = {}};
const CgroupOwner kIdOnly{.pod_uid = {}, .container_id = kId};

}  // namespace

TEST_CASE("a path that is nobody's has no owner") {
  for (const std::string& path : std::vector<std::string>{
           std::string(),
           std::string("/"),
           std::string("////"),
           std::string("/init.scope"),
           std::string("/system.slice/sshd.service"),
           std::string("/runtime.slice/containerd.service"),
           std::string("/reserved.slice/kubelet.service"),
           std::string("/kube.slice/kubelet.service"),
           std::string("/azure.slice/walinuxagent.service"),
           std::string("/podruntime.slice/kubelet.service"),
           std::string("/podruntime/kubelet"),
           std::string("/system/udevd"),
           std::string("/user.slice/user-1000.slice/session-3.scope"),
           std::string("/lxc/web"),
           std::string("/lxc.payload.web/init.scope"),
           std::string("/kubepods"),
           std::string("/kubepods/burstable"),
           std::string("/kubepods.slice/kubepods-burstable.slice"),
           std::string("/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice"),
       }) {
    INFO(path);
    CHECK_FALSE(parse_cgroup_path(path));
  }
}

TEST_CASE("what looks like a uid or an id and is none has no owner") {
  for (const std::string& path : std::vector<std::string>{
           "/kubepods/pod" + kUidOfSlice,                                    // underscores are systemd's
           "/kubepods/pod" + kUid.substr(1),                                 // too short
           "/kubepods/pod" + kUid + "0",                                     // too long
           "/kubepods/podZf3c5b0e-6a1d-4a39-9c1e-1b2c3d4e5f60",              // not a digit
           "/kubepods/pod0F3C5B0E-6A1D-4A39-9C1E-1B2C3D4E5F60",              // kubelets write small letters
           "/kubepods/pod0f3c5b0e-6a1d-4a39-9c1e-1b2c-d4e5f60",              // a dash too many
           "/kubepods.slice/kubepods-pod" + kUid + ".slice",                 // systemd would have made levels of it
           "/machine.slice/machine-pod" + kUidOfSlice + ".slice",            // not a kubelet's
           "/docker/" + kId.substr(1),                                       // 63 digits
           "/docker/" + kId + "0",                                           // 65 digits
           "/docker/" + std::string(64, 'g'),                                // not digits
           "/system.slice/x" + kId + ".scope",                               // no runtime's name in front
           "/machine.slice/machine-libpod_pod_" + kId + ".slice",            // podman's own pod, not a container
           "/" + std::string(kMaxCgroupPath, 'a') + "/kubepods/pod" + kUid,  // too long
       }) {
    INFO(path);
    CHECK_FALSE(parse_cgroup_path(path));
  }
}

TEST_CASE("the cgroupfs driver's paths name pod and container at every quality of service") {
  for (const std::string parent : {"/kubepods/", "/kubepods/burstable/", "/kubepods/besteffort/"}) {
    INFO(parent);
    CHECK(parse_cgroup_path(parent + "pod" + kUid) == kPodOnly);
    CHECK(parse_cgroup_path(parent + "pod" + kUid + "/" + kId) == kContainer);
    CHECK(parse_cgroup_path(parent + "pod" + kUid + "/" + kId + "/") == kContainer);
  }
}

TEST_CASE("the systemd driver's paths name pod and container for every runtime") {
  for (const std::string qos : {"", "-burstable", "-besteffort"}) {
    const std::string parent = "/kubepods.slice/" + (qos.empty() ? "" : "kubepods" + qos + ".slice/");
    const std::string pod = parent + "kubepods" + qos + "-pod" + kUidOfSlice + ".slice";
    INFO(pod);
    CHECK(parse_cgroup_path(pod) == kPodOnly);
    for (const std::string runtime : {"cri-containerd-", "crio-", "docker-", "nerdctl-"})
      CHECK(parse_cgroup_path(pod + "/" + runtime + kId + ".scope") == kContainer);
  }
}

TEST_CASE("paths below a kubelet's own root name pod and container") {
  const std::string slices = "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/";
  CHECK(parse_cgroup_path("/kubelet/kubepods/besteffort/pod" + kUid + "/" + kId) == kContainer);
  CHECK(parse_cgroup_path(slices + "kubelet-kubepods-burstable-pod" + kUidOfSlice + ".slice/cri-containerd-" + kId +
                          ".scope") == kContainer);
  CHECK(parse_cgroup_path("/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" + kUidOfSlice + ".slice") ==
        kPodOnly);
}

TEST_CASE("a node that is itself a container (kind) does not hide its pods") {
  CHECK(parse_cgroup_path("/docker/" + kInner + "/kubelet/kubepods/pod" + kUid + "/" + kId) == kContainer);
  CHECK(parse_cgroup_path("/system.slice/docker-" + kInner + ".scope/kubelet.slice/kubelet-kubepods.slice/" +
                          "kubelet-kubepods-pod" + kUidOfSlice + ".slice/cri-containerd-" + kId + ".scope") ==
        kContainer);
}

TEST_CASE("of pods and containers within a pod's container the outermost counts") {
  const std::string container = "/kubepods/pod" + kUid + "/" + kId;
  CHECK(parse_cgroup_path(container + "/docker/" + kInner) == kContainer);
  CHECK(parse_cgroup_path(container + "/kubelet/kubepods/pod11111111-2222-3333-4444-555555555555/" + kInner) ==
        kContainer);
  CHECK(parse_cgroup_path(container + "/system.slice/sshd.service") == kContainer);
}

TEST_CASE("a static pod's uid has no dashes") {
  CHECK(parse_cgroup_path("/kubepods/burstable/pod" + kStaticUid + "/" + kId) ==
        CgroupOwner{.pod_uid = kStaticUid, .container_id = kId});
  CHECK(parse_cgroup_path("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + kStaticUid + ".slice") ==
        CgroupOwner{.pod_uid = kStaticUid, .container_id = {}});
}

TEST_CASE("containerd's colons (a systemd path under the cgroupfs driver) are taken as levels") {
  CHECK(parse_cgroup_path("/system.slice/containerd.service/kubepods-burstable-pod" + kUidOfSlice +
                          ".slice:cri-containerd:" + kId) == kContainer);
  CHECK(parse_cgroup_path("/kubepods-pod" + kUidOfSlice + ".slice:cri-containerd:" + kId) == kContainer);
  CHECK(parse_cgroup_path("/system.slice:docker:" + kId) == kIdOnly);
  CHECK(parse_cgroup_path("/k8s.io/cri-containerd:" + kId) == kIdOnly);
}

TEST_CASE("CRI-O's container is the scope or the folder, not the process that watches it") {
  const std::string pod = "/kubepods.slice/kubepods-pod" + kUidOfSlice + ".slice";
  CHECK(parse_cgroup_path(pod + "/crio-" + kId + ".scope") == kContainer);
  CHECK(parse_cgroup_path(pod + "/crio-" + kId + ".scope/container") == kContainer);
  CHECK(parse_cgroup_path("/kubepods/pod" + kUid + "/crio-" + kId) == kContainer);
  CHECK_FALSE(parse_cgroup_path(pod + "/crio-conmon-" + kId + ".scope"));
  CHECK_FALSE(parse_cgroup_path("/system.slice/crio-conmon-" + kId + ".scope"));
  CHECK_FALSE(parse_cgroup_path("/kubepods/pod" + kUid + "/crio-conmon-" + kId));
}

TEST_CASE("containers outside of pods are known by their id") {
  CHECK(parse_cgroup_path("/docker/" + kId) == kIdOnly);
  CHECK(parse_cgroup_path("/system.slice/docker-" + kId + ".scope") == kIdOnly);
  CHECK(parse_cgroup_path("/machine.slice/libpod-" + kId + ".scope/container") == kIdOnly);
  CHECK(parse_cgroup_path("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + kId + ".scope") ==
        kIdOnly);
  CHECK_FALSE(parse_cgroup_path("/machine.slice/libpod-conmon-" + kId + ".scope"));
}

TEST_CASE("sysbox's own root below a container belongs to that container") {
  CHECK(parse_cgroup_path("/kubepods/besteffort/pod" + kUid + "/" + kId + "/syscont-cgroup-root/init.scope") ==
        kContainer);
  CHECK(parse_cgroup_path("/docker/" + kId + "/syscont-cgroup-root/system.slice") == kIdOnly);
}

TEST_CASE("a path without its first slash is the same path") {
  CHECK(parse_cgroup_path("kubepods/pod" + kUid + "/" + kId) == kContainer);
}

TEST_CASE("of /proc/PID/cgroup the line is taken that tells containers apart") {
  CHECK(cgroup_path_of("").empty());
  CHECK(cgroup_path_of("nonsense\n:\n::\n").empty());
  CHECK(cgroup_path_of("0::/\n").empty());
  CHECK(cgroup_path_of("0::/a:b/c\n") == "/a:b/c");
  CHECK(cgroup_path_of("0::/kubepods/x") == "/kubepods/x");
  CHECK(cgroup_path_of("12:cpu,cpuacct:/cpu\n1:name=systemd:/systemd\n") == "/systemd");
  CHECK(cgroup_path_of("12:cpu,cpuacct:/cpu\n11:memory:/memory\n") == "/cpu");
  SECTION("on a hybrid machine cgroup2 counts, unless everything sits in its root") {
    CHECK(cgroup_path_of("12:cpu:/cpu\n1:name=systemd:/systemd\n0::/unified\n") == "/unified");
    CHECK(cgroup_path_of("12:cpu:/cpu\n1:name=systemd:/systemd\n0::/\n") == "/systemd");
  }
}

TEST_CASE("the mount of cgroup2 is found on every layout, and only that of the whole tree") {
  CHECK_FALSE(cgroup2_mount(""));
  CHECK_FALSE(cgroup2_mount("nonsense\n1 2 3\n"));
  CHECK_FALSE(
      cgroup2_mount("31 29 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
                    "33 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"));
  CHECK(cgroup2_mount("30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n") ==
        "/sys/fs/cgroup");
  CHECK(cgroup2_mount("33 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
                      "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n") ==
        "/sys/fs/cgroup/unified");
  CHECK(cgroup2_mount("40 31 0:38 /kubepods/pod1 /run/one rw - cgroup2 cgroup2 rw\n"
                      "41 31 0:38 / /host/with\\040space rw - cgroup2 cgroup2 rw\n") == "/host/with space");
}

TEST_CASE("in a container the host's tree of cgroup2 is found before the container's own") {
  const std::string own = "700 690 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n";
  const std::string host = "710 690 0:26 /../../../.. /host/cgroup ro,nosuid - cgroup2 cgroup2 rw\n";
  CHECK(cgroup2_mount(own + host) == "/host/cgroup");
  CHECK(cgroup2_mount(host + own) == "/host/cgroup");
  CHECK(cgroup2_mount("709 690 0:26 /../.. /part ro - cgroup2 cgroup2 rw\n" + host) == "/host/cgroup");
  CHECK_FALSE(cgroup2_mount("710 690 0:26 /../other.slice /host/cgroup ro - cgroup2 cgroup2 rw\n"));
  CHECK_FALSE(cgroup2_mount("710 690 0:26 /..other /host/cgroup ro - cgroup2 cgroup2 rw\n"));
}
