"""A real API server of its own: etcd and kube-apiserver in this process' network namespace, with everything that they
write in one temporary folder, and the agents that are its nodes. Nothing of it is left when the namespaces end."""

import collections
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

SERVER = "https://127.0.0.1:6443"
ETCD = "http://127.0.0.1:2379"
READY_WITHIN = 60
# Who may come, in the form of --token-auth-file.
TOKENS = {"admin": "system:masters", "agent": "skbtrail:agents", "reader": "readers"}


def wait_until(holds, seconds, what, every=0.05):
    """What `holds` gave, as soon as it is true."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(every)
    return found


def answers(port):
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start(command, log, **options):
    with open(log, "ab") as out:
        return subprocess.Popen([str(word) for word in command], stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                **options)


def stop(process, how=signal.SIGTERM):
    if process is None or process.poll() is not None:
        return
    process.send_signal(how)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def openssl(*words, stdin=None):
    subprocess.run(["openssl", *words], check=True, capture_output=True, text=True, input=stdin)


class Cluster:
    """`programs` is the folder with kube-apiserver and kubectl."""

    def __init__(self, home, programs):
        self.home, self.programs = home, programs
        self.certs = home / "certs"
        self.etcd = self.server = None
        self.write_files()

    def write_files(self):
        for name in ("etcd", "certs"):
            (self.home / name).mkdir()
        openssl("genrsa", "-out", self.home / "account.key", "2048")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=lab", "-days", "2",
                "-keyout", self.certs / "ca.key", "-out", self.certs / "ca.crt")
        self.renew_certificate()
        lines = [f'token-of-{name},{name},uid-{name},"{group}"' for name, group in TOKENS.items()]
        (self.home / "tokens.csv").write_text("\n".join(lines) + "\n")
        for name in TOKENS:
            (self.home / f"{name}.kubeconfig").write_text(json.dumps(self.kubeconfig(name)))

    def renew_certificate(self):
        """Another key and certificate for the server, of the same authority; it serves them when it starts next."""
        request = self.certs / "server.csr"
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=kube-apiserver",
                "-keyout", self.certs / "server.key", "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.certs / "ca.crt", "-CAkey", self.certs / "ca.key",
                "-CAcreateserial", "-days", "2", "-extfile", "/dev/stdin", "-out", self.certs / "server.crt",
                stdin="subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")

    def kubeconfig(self, user):
        return {"apiVersion": "v1", "kind": "Config", "current-context": "lab",
                "clusters": [{"name": "lab", "cluster": {"server": SERVER,
                                                         "certificate-authority": "certs/ca.crt"}}],
                "users": [{"name": user, "user": {"token": f"token-of-{user}"}}],
                "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": user}}]}

    def start(self):
        self.etcd = start(["etcd", "--data-dir", self.home / "etcd", "--listen-client-urls", ETCD,
                           "--advertise-client-urls", ETCD, "--listen-peer-urls", "http://127.0.0.1:2380",
                           "--unsafe-no-fsync"], self.home / "etcd.log")
        wait_until(lambda: answers(2379), 20, "etcd listens")
        self.start_server()

    def start_server(self):
        key = self.home / "account.key"
        self.server = start(
            [self.programs / "kube-apiserver", "--etcd-servers", ETCD, "--bind-address=127.0.0.1",
             "--secure-port=6443", "--tls-cert-file", self.certs / "server.crt", "--tls-private-key-file",
             self.certs / "server.key", "--token-auth-file", self.home / "tokens.csv",
             "--authorization-mode=RBAC", "--service-account-issuer=https://kubernetes.default.svc",
             "--service-account-signing-key-file", key, "--service-account-key-file", key,
             "--service-cluster-ip-range=10.96.0.0/24", "--endpoint-reconciler-type=none",
             "--disable-admission-plugins=ServiceAccount", "--advertise-address=127.0.0.1"],
            self.home / "apiserver.log")
        wait_until(self.is_ready, READY_WITHIN, "the API server is ready", every=0.2)

    @staticmethod
    def served_certificate():
        return ssl.get_server_certificate(("127.0.0.1", 6443))

    def is_ready(self):
        if self.server.poll() is not None:
            raise RuntimeError(f"kube-apiserver ended: {(self.home / 'apiserver.log').read_text()[-2000:]}")
        return answers(6443) and self.kubectl("get", "--raw", "/readyz", check=False).returncode == 0

    def stop_server(self, how=signal.SIGKILL):
        stop(self.server, how)

    def compact(self):
        """Forgets all that etcd knows of the past."""
        revision = self.ask_etcd("range", {"key": "AA=="})["header"]["revision"]
        self.ask_etcd("compaction", {"revision": revision, "physical": True})

    @staticmethod
    def ask_etcd(what, body):
        request = urllib.request.Request(f"{ETCD}/v3/kv/{what}", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def stop(self):
        stop(self.server)
        stop(self.etcd)

    def kubectl(self, *words, user="admin", stdin=None, check=True):
        done = subprocess.run([self.programs / "kubectl", "--kubeconfig", self.home / f"{user}.kubeconfig",
                               "--cache-dir", self.home / "cache", *words], input=stdin, capture_output=True, text=True)
        if check and done.returncode != 0:
            raise RuntimeError(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
        return done

    def apply(self, *objects):
        text = "\n---\n".join(one if isinstance(one, str) else json.dumps(one) for one in objects)
        return self.kubectl("apply", "-f", "-", stdin=text)

    def get(self, kind, name, space=None):
        """None: there is no such object."""
        where = ["-n", space] if space else []
        done = self.kubectl("get", kind, name, *where, "-o", "json", "--ignore-not-found")
        return json.loads(done.stdout) if done.stdout.strip() else None


class Agent:
    """An agent that takes this machine for the node `name`."""

    def __init__(self, cluster, build, name, port, options=()):
        self.cluster, self.build, self.name, self.port, self.options = cluster, build, name, port, options
        self.log = cluster.home / f"{name}.log"
        self.out = cluster.home / f"{name}.out"
        self.process = None

    def start(self):
        with open(self.out, "ab") as out, open(self.log, "ab") as log:
            if out.tell() and not self.out.read_bytes().endswith(b"\n"):
                out.write(b"\n")  # one before it was killed within a line
                out.flush()
            self.process = subprocess.Popen(
                [str(word) for word in (self.build / "agent/skbtrail", "agent", "--node", self.name, "--kubernetes",
                                        "true", "--kubeconfig", self.cluster.home / "agent.kubeconfig",
                                        "--kubernetes-namespace", "skbtrail", "--metrics-listen",
                                        f"127.0.0.1:{self.port}", *self.options)],
                stdout=out, stderr=log, stdin=subprocess.DEVNULL)
        wait_until(lambda: self.process.poll() is not None or answers(self.port), 30, f"agent {self.name} serves")
        if self.process.poll() is not None:
            raise RuntimeError(f"agent {self.name} ended: {self.log.read_text()[-2000:]}")
        return self

    def stop(self, how=signal.SIGTERM):
        started = time.monotonic()
        stop(self.process, how)
        return time.monotonic() - started

    def metric(self, name, **labels):
        """The sum of all series with these labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as page:
            lines = page.read().decode().splitlines()
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines
                   if re.match(re.escape(name) + r"[ {]", line) and all(one in line for one in wanted))

    def page(self, path):
        """Status and text."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as page:
                return page.status, page.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def holds(self):
        """What it has of the kernel: threads, and open files by kind, among them all BPF objects, which end with these."""
        kinds = collections.Counter()
        for link in pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir():
            try:
                target = os.readlink(link)
            except FileNotFoundError:
                continue
            kinds[target.partition(":[")[0] if target.startswith(("socket:", "pipe:")) else target] += 1
        kinds["threads"] = len(os.listdir(f"/proc/{self.process.pid}/task"))
        return dict(kinds)

    def own_lines(self):
        """Its own log, where that is JSON."""
        whole = self.out.read_text().rpartition("\n")[0]  # the last one may still be written
        return [json.loads(line) for line in whole.splitlines() if '"type":"agent"' in line]

    def requests(self, **labels):
        return self.metric("skbtrail_kube_requests_total", **labels)


class Traffic:
    """Datagrams to a port that nobody listens at: the kernel gives each of them up."""

    def __init__(self, every=0.02):
        self.every = every
        self.sent = 0
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.send, daemon=True)
        self.thread.start()

    def send(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while not self.ending.wait(self.every):
                sender.sendto(b"x", ("127.0.0.1", 9))
                self.sent += 1

    def stop(self):
        self.ending.set()
        self.thread.join()


class Runtime:
    """The scripted container runtime, and what it says; see tests/vm/suite/41_monitor_pods.py."""

    def __init__(self, home, build, node):
        self.socket, self.script = home / f"{node}.sock", home / f"{node}-pods.json"
        self.publish([])
        self.process = start([build / "tests/scripted_runtime", self.socket, self.script], home / "runtime.log")
        wait_until(self.socket.exists, 20, "the scripted runtime listens")

    def publish(self, pods):
        half = self.script.with_suffix(".half")
        half.write_text(json.dumps(pods))
        half.rename(self.script)

    def stop(self):
        stop(self.process)


class Pod:
    """A network namespace as a pod's, in which datagrams are dropped."""

    # To a port that nobody listens at.
    SENDER = ("import socket, time\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
              "while True: s.sendto(b'x', ('127.0.0.1', 9)); time.sleep(0.02)")
    # To a socket that nobody reads.
    FULL = ("import socket, time\nr = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            "r.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)\nr.bind(('127.0.0.1', 9))\n" + SENDER)

    def __init__(self, name, home, sender=SENDER):
        self.name = name
        subprocess.run(["ip", "netns", "add", name], check=True)
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        self.sender = start(["ip", "netns", "exec", name, sys.executable, "-c", sender], home / "sender.log")
        self.said = {"id": name, "namespace": "shop", "name": name, "uid": f"uid-{name}",
                     "netns": f"/run/netns/{name}", "ips": ["10.1.0.1"], "labels": {"app": "web"}}

    def stop(self):
        stop(self.sender, signal.SIGKILL)
        subprocess.run(["ip", "netns", "delete", self.name], check=True)


def enter():
    """The network namespace is new: nothing in it is up."""
    os.makedirs("/run/netns", exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run/netns"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    os.environ.pop("KUBECONFIG", None)


def processes(name):
    """Ids of all that run this program, in this namespace."""
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if os.path.basename(os.readlink(folder / "exe")) == name:
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def newest_kubernetes(folder, cache):
    """The folder with Kubernetes' programs, built from its Go module once; or why there is none."""
    version = re.search(r"^(?:require)?\s+k8s.io/kubernetes (v\S+)", (folder / "go.mod").read_text(), re.MULTILINE).group(1)
    home = cache / f"kubernetes-{version}"
    if (home / "kubectl").exists():
        return home, None
    partial = cache / f"kubernetes-{version}.{os.getpid()}"
    partial.mkdir(parents=True)
    major, minor, _ = version.removeprefix("v").split(".", 2)
    stamps = [f"-X k8s.io/{where}.git{what}={value}" for where in ("component-base/version", "client-go/pkg/version")
              for what, value in (("Version", version), ("Major", major), ("Minor", minor))]
    built = subprocess.run(["go", "build", "-trimpath", "-ldflags", " ".join(["-s -w", *stamps]), "-o",
                            partial / "kubernetes", "."], cwd=folder, capture_output=True, text=True)
    if built.returncode != 0:
        (partial / "kubernetes").unlink(missing_ok=True)
        partial.rmdir()
        return None, f"Kubernetes: {built.stderr.strip().splitlines()[-1] if built.stderr.strip() else 'go failed'}"
    for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubectl"):
        (partial / name).symlink_to("kubernetes")
    partial.rename(home)
    return home, None
