"""A whole cluster of one node: etcd, Kubernetes' programs, containerd and a CNI bridge, in the network and on the
kernel of the machine that it is started on. That is a virtual machine which is thrown away: nothing is cleaned up."""

import json
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "kube"))

import lab  # noqa: E402

NODE = "lab"
ADDRESS = "192.0.2.10"
SERVICES = "10.96.0.0/24"
API_SERVICE = "10.96.0.1"
PODS = "10.22.0.0/16"
RUNTIME = "/run/containerd/containerd.sock"
CGROUP = "/kube"
# Whose kubeconfigs there are, as TOKENS of tests/kube/lab.py.
USERS = {"admin": ("admin", "system:masters"), "manager": ("system:kube-controller-manager", ""),
         "scheduler": ("system:kube-scheduler", ""), "kubelet": (f"system:node:{NODE}", "system:nodes"),
         "prometheus": ("prometheus", "")}
NETWORK = {
    "cniVersion": "0.4.0", "name": "lab",
    "plugins": [{"type": "bridge", "bridge": "cni0", "isGateway": True,
                 "ipam": {"type": "host-local", "ranges": [[{"subnet": PODS}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
CONTAINERD = """
version = 2
root = "{home}/containerd"
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{home}/cni"
"""


def do(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {(done.stderr or done.stdout).strip()[-800:]}")
    return done.stdout


class Cluster(lab.Cluster):
    """`home` has to be on a file system that overlayfs can be stacked on; `pause` is an image that is imported."""

    def __init__(self, home, programs, pause):
        self.pause = pause
        self.processes = {}
        super().__init__(home, programs)

    # ---- files

    def write_files(self):
        for name in ("etcd", "cni", "certs"):
            (self.home / name).mkdir(parents=True)
        self.write_certificates()
        lines = [f'token-of-{name},{user},uid-{name},"{group}"' for name, (user, group) in USERS.items()]
        (self.home / "tokens.csv").write_text("\n".join(lines) + "\n")
        for name in USERS:
            (self.home / f"{name}.kubeconfig").write_text(json.dumps(self.kubeconfig(name)))
        (self.home / "cni/10-lab.conflist").write_text(json.dumps(NETWORK))
        (self.home / "containerd.toml").write_text(CONTAINERD.format(home=self.home, socket=RUNTIME, pause=self.pause))
        (self.home / "resolv.conf").write_text("")
        (self.home / "kubelet.json").write_text(json.dumps(self.kubelet_config()))

    def write_certificates(self):
        """An authority, the API server's certificate, and the one by which it reads logs at the kubelet."""
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        certs = self.home / "certs"
        do("openssl", "req", "-x509", *curve, "-subj", "/CN=lab", "-keyout", certs / "ca.key", "-out", certs / "ca.crt")
        names = ["DNS:kubernetes", "DNS:kubernetes.default", "DNS:kubernetes.default.svc", "DNS:localhost",
                 f"IP:{API_SERVICE}", f"IP:{ADDRESS}", "IP:127.0.0.1"]
        for name, subject, extension in (("apiserver", "/CN=kube-apiserver", f"subjectAltName={','.join(names)}"),
                                         ("to-kubelet", "/O=system:masters/CN=to-kubelet",
                                          "extendedKeyUsage=clientAuth")):
            key, csr, crt = (certs / f"{name}.{kind}" for kind in ("key", "csr", "crt"))
            do("openssl", "req", *curve, "-subj", subject, "-addext", extension, "-keyout", key, "-out", csr)
            do("openssl", "x509", "-req", "-in", csr, "-CA", certs / "ca.crt", "-CAkey", certs / "ca.key",
               "-CAcreateserial", "-days", "2", "-copy_extensions", "copy", "-out", crt)
        do("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.home / "account.key")

    def kubeconfig(self, user):
        made = super().kubeconfig(user)
        made["clusters"][0]["cluster"] = {"server": "https://127.0.0.1:443", "certificate-authority": "certs/ca.crt"}
        return made

    def kubelet_config(self):
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
            "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True},
                               "x509": {"clientCAFile": str(self.home / "certs/ca.crt")}},
            "authorization": {"mode": "Webhook"},
            "containerRuntimeEndpoint": f"unix://{RUNTIME}",
            "cgroupDriver": "cgroupfs", "cgroupRoot": CGROUP, "enforceNodeAllocatable": [],
            "failSwapOn": False, "oomScoreAdj": 0, "resolvConf": str(self.home / "resolv.conf"),
            # `kubectl logs` reads the newest file of a log alone, which the events of some sessions fill.
            "containerLogMaxSize": "500Mi",
            # Of a disk that is memory nothing is ever thrown away.
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {"memory.available": "1Mi", "nodefs.available": "0%", "imagefs.available": "0%"}}

    # ---- programs

    def launch(self, name, *command):
        self.processes[name] = lab.start(command, self.home / f"{name}.log")

    def log(self, name, lines=15):
        path = self.home / f"{name}.log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""

    def start(self, images):
        """All of it; the runtime imports the images while the API server comes up. Tells how long what took."""
        began = time.monotonic()
        prepare_machine()
        self.start_runtime()
        self.start_etcd()
        self.start_server()
        for image in images:
            do("ctr", "-a", RUNTIME, "-n", "k8s.io", "images", "import", image)
        imported = time.monotonic() - began
        lab.wait_until(self.is_ready, 180, "the API server is ready", every=0.5)
        served = time.monotonic() - began
        self.start_rest()
        self.wait_for_node()
        ready = time.monotonic() - began
        return f"images imported after {imported:.0f} s, API server {served:.0f} s, node {ready:.0f} s"

    def start_runtime(self):
        self.launch("containerd", "containerd", "--config", self.home / "containerd.toml")
        lab.wait_until(lambda: os.path.exists(RUNTIME), 60, "containerd's socket")

    def start_etcd(self):
        self.launch("etcd", "etcd", "--data-dir", self.home / "etcd", "--listen-client-urls", lab.ETCD,
                    "--advertise-client-urls", lab.ETCD, "--listen-peer-urls", "http://127.0.0.1:2380",
                    "--unsafe-no-fsync")

    def start_server(self):
        certs, key = self.home / "certs", self.home / "account.key"
        self.launch(
            "apiserver", self.programs / "kube-apiserver", "--etcd-servers", lab.ETCD, "--bind-address=0.0.0.0",
            # Where pods look for it: there is no kube-proxy.
            "--secure-port=443", f"--advertise-address={ADDRESS}", f"--service-cluster-ip-range={SERVICES}",
            "--tls-cert-file", certs / "apiserver.crt", "--tls-private-key-file", certs / "apiserver.key",
            "--token-auth-file", self.home / "tokens.csv", "--authorization-mode=Node,RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-account-signing-key-file", key, "--service-account-key-file", key,
            "--allow-privileged=true", "--endpoint-reconciler-type=none",
            "--kubelet-preferred-address-types=InternalIP",
            "--kubelet-client-certificate", certs / "to-kubelet.crt", "--kubelet-client-key", certs / "to-kubelet.key")

    def is_ready(self):
        if self.processes["apiserver"].poll() is not None:
            raise RuntimeError(f"kube-apiserver ended:\n{self.log('apiserver')}")
        return lab.answers(443) and self.kubectl("get", "--raw", "/readyz", check=False).returncode == 0

    def start_rest(self):
        self.launch("manager", self.programs / "kube-controller-manager", "--kubeconfig",
                    self.home / "manager.kubeconfig", "--leader-elect=false", "--use-service-account-credentials=true",
                    "--service-account-private-key-file", self.home / "account.key",
                    "--root-ca-file", self.home / "certs/ca.crt", "--cert-dir", self.home / "manager")
        self.launch("scheduler", self.programs / "kube-scheduler", "--kubeconfig",
                    self.home / "scheduler.kubeconfig", "--leader-elect=false", "--cert-dir", self.home / "scheduler")
        self.launch("kubelet", self.programs / "kubelet", "--config", self.home / "kubelet.json", "--kubeconfig",
                    self.home / "kubelet.kubeconfig", f"--hostname-override={NODE}", f"--node-ip={ADDRESS}",
                    "--cert-dir", self.home / "kubelet")

    def wait_for_node(self):
        def is_there():
            for name, process in self.processes.items():
                if process.poll() is not None:
                    raise RuntimeError(f"{name} ended:\n{self.log(name)}")
            return self.get("node", NODE)
        lab.wait_until(is_there, 180, "the node is known", every=1)
        self.kubectl("wait", "--for=condition=Ready", f"node/{NODE}", "--timeout=180s")


def prepare_machine():
    """What an init system has done on a node."""
    # Mounts in /run/netns are seen by the agent only when they propagate.
    do("mount", "--make-rshared", "/")
    for module in ("overlay", "bridge", "veth", "dummy", "nf_tables", "sch_netem", "nfsv4"):
        do("modprobe", module)
    do("ip", "link", "add", "node0", "type", "dummy")
    for words in (["addr", "add", f"{ADDRESS}/24", "dev", "node0"], ["link", "set", "node0", "up"],
                  ["addr", "add", f"{API_SERVICE}/32", "dev", "lo"], ["link", "set", "lo", "up"]):
        do("ip", *words)
    pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    own = pathlib.Path("/sys/fs/cgroup" + CGROUP)
    own.mkdir()
    controllers = pathlib.Path("/sys/fs/cgroup/cgroup.controllers").read_text().split()
    for folder in (own.parent, own):
        (folder / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in controllers))
