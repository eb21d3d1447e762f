"""A whole cluster of one node. Its control plane (etcd, Kubernetes' programs) is on this machine, in a network namespace
that is its own, as is whatever looks at it: a virtual machine would emulate them, and they are not what is tested. The
node is a virtual machine at the other end of a cable; see tests/e2e/machine.py."""

import json
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "kube"))

import lab  # noqa: E402

NODE = "lab"
# The cable: this end of it, where the control plane is, and the node's.
TAP = "node0"
CONTROL_PLANE = "192.0.2.1"
ADDRESS = "192.0.2.10"
SERVICES = "10.96.0.0/24"
API_SERVICE = "10.96.0.1"
PODS = "10.22.0.0/16"
# Whose kubeconfigs there are, as TOKENS of tests/kube/lab.py.
USERS = {"admin": ("admin", "system:masters"), "manager": ("system:kube-controller-manager", ""),
         "scheduler": ("system:kube-scheduler", ""), "kubelet": (f"system:node:{NODE}", "system:nodes"),
         "prometheus": ("prometheus", "")}


def do(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {(done.stderr or done.stdout).strip()[-800:]}")
    return done.stdout


def lay_cable():
    """In a network namespace that is new."""
    do("ip", "tuntap", "add", TAP, "mode", "tap")
    do("ip", "addr", "add", f"{CONTROL_PLANE}/24", "dev", TAP)
    do("ip", "link", "set", TAP, "up")
    # Where pods look for the API server: there is no kube-proxy.
    do("ip", "addr", "add", f"{API_SERVICE}/32", "dev", "lo")
    do("ip", "route", "add", PODS, "via", ADDRESS)


class Cluster(lab.Cluster):
    """`home` is read by the node, too."""

    def __init__(self, home, programs):
        self.processes = {}
        super().__init__(home, programs)

    # ---- files

    def write_files(self):
        for name in ("etcd", "certs"):
            (self.home / name).mkdir(parents=True)
        self.write_certificates()
        lines = [f'token-of-{name},{user},uid-{name},"{group}"' for name, (user, group) in USERS.items()]
        (self.home / "tokens.csv").write_text("\n".join(lines) + "\n")
        for name in USERS:
            (self.home / f"{name}.kubeconfig").write_text(json.dumps(self.kubeconfig(name)))

    def write_certificates(self):
        """An authority, the API server's certificate, and the one by which it reads logs at the kubelet."""
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        certs = self.home / "certs"
        do("openssl", "req", "-x509", *curve, "-subj", "/CN=lab", "-keyout", certs / "ca.key", "-out", certs / "ca.crt")
        names = ["DNS:kubernetes", "DNS:kubernetes.default", "DNS:kubernetes.default.svc", f"IP:{API_SERVICE}",
                 f"IP:{CONTROL_PLANE}"]
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
        made["clusters"][0]["cluster"] = {"server": f"https://{CONTROL_PLANE}:443", "certificate-authority": "certs/ca.crt"}
        return made

    # ---- programs

    def launch(self, name, *command):
        self.processes[name] = lab.start(command, self.home / f"{name}.log")

    def log(self, name, lines=15):
        path = self.home / f"{name}.log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""

    def start(self, machine):
        """All of it; the node starts while the API server comes up. Tells how long what took."""
        began = time.monotonic()
        lay_cable()
        machine.start()
        self.start_etcd()
        self.start_server()
        lab.wait_until(self.is_ready, 180, "the API server is ready", every=0.5)
        served = time.monotonic() - began
        self.start_rest()
        machine.connect()
        booted = time.monotonic() - began
        machine.hands.start_containers()
        unpacked = time.monotonic() - began
        machine.hands.start_kubelet()
        self.wait_for_node()
        ready = time.monotonic() - began
        return (f"API server {served:.0f} s, virtual machine {booted:.0f} s, images unpacked after {unpacked:.0f} s, "
                f"node {ready:.0f} s")

    def start_etcd(self):
        self.launch("etcd", "etcd", "--data-dir", self.home / "etcd", "--listen-client-urls", lab.ETCD,
                    "--advertise-client-urls", lab.ETCD, "--listen-peer-urls", "http://127.0.0.1:2380",
                    "--unsafe-no-fsync")

    def start_server(self):
        certs, key = self.home / "certs", self.home / "account.key"
        self.launch(
            "apiserver", self.programs / "kube-apiserver", "--etcd-servers", lab.ETCD, "--bind-address=0.0.0.0",
            "--secure-port=443", f"--advertise-address={CONTROL_PLANE}", f"--service-cluster-ip-range={SERVICES}",
            "--tls-cert-file", certs / "apiserver.crt", "--tls-private-key-file", certs / "apiserver.key",
            "--token-auth-file", self.home / "tokens.csv", "--authorization-mode=Node,RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-account-signing-key-file", key, "--service-account-key-file", key,
            "--allow-privileged=true", "--endpoint-reconciler-type=none",
            "--kubelet-preferred-address-types=InternalIP",
            "--kubelet-client-certificate", certs / "to-kubelet.crt", "--kubelet-client-key", certs / "to-kubelet.key")

    def is_ready(self):
        self.expect_running()
        return lab.answers(443) and self.kubectl("get", "--raw", "/readyz", check=False).returncode == 0

    def start_rest(self):
        self.launch("manager", self.programs / "kube-controller-manager", "--kubeconfig",
                    self.home / "manager.kubeconfig", "--leader-elect=false", "--use-service-account-credentials=true",
                    "--service-account-private-key-file", self.home / "account.key",
                    "--root-ca-file", self.home / "certs/ca.crt", "--cert-dir", self.home / "manager")
        self.launch("scheduler", self.programs / "kube-scheduler", "--kubeconfig",
                    self.home / "scheduler.kubeconfig", "--leader-elect=false", "--cert-dir", self.home / "scheduler")

    def expect_running(self):
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended:\n{self.log(name)}")

    def wait_for_node(self):
        def is_there():
            self.expect_running()
            return self.get("node", NODE)
        lab.wait_until(is_there, 180, "the node is known", every=1)
        self.kubectl("wait", "--for=condition=Ready", f"node/{NODE}", "--timeout=180s")

    def stop(self):
        for process in reversed(self.processes.values()):
            lab.stop(process)
