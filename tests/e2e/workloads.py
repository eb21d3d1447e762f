"""Pods that talk to each other, and what goes wrong between them."""

import contextlib
import json
import os
import pathlib
import subprocess

from cluster import do, lab
from images import BUSYBOX

SPACE = "shop"
# Of the server of files, as k8s/examples/nfs-from-a-pod.yaml has it.
FILES_SPACE = "storage"
MTU = 1000
DELAY_MS = 200
# All at once and all the time; what goes wrong with which is a matter of the faults.
CLIENT = """while :; do
timeout 1 wget -q -O /dev/null http://{server}/ 2>/dev/null &
nc -w 1 {server} 81 </dev/null 2>/dev/null &
ping -q -c 1 -W 1 -s 1400 {server} >/dev/null &
[ ! -f /tmp/web ] || read -r web </tmp/web
[ -z "$web" ] || timeout 2 wget -q -O /dev/null "http://$web:8080/" 2>/dev/null &
wait
sleep 0.3
done"""
# A service that looks names up; the server stands for the cluster's DNS.
WEB = """echo hello >/tmp/index.html
httpd -p 8080 -h /tmp
while :; do
timeout 1 nslookup db.shop.example {server} >/dev/null 2>&1
sleep 1
done"""
# Its volume is mounted by the kubelet; a file that is written is on its way to the server when it is closed.
READER = """while :; do
echo now >/files/now && : >/tmp/written
sleep 1
done"""
# A server of NFS 4 in user space, which keeps its files in memory and needs no other daemon.
GANESHA = """
NFS_CORE_PARAM { Protocols = 4; Enable_NLM = false; Enable_RQUOTA = false; }
NFSv4 { Graceless = true; RecoveryRoot = %(home)s; }
EXPORT { Export_Id = 1; Path = /; Pseudo = /; Access_Type = RW; Squash = No_Root_Squash; SecType = sys; FSAL { Name = MEM; } }
"""


def pod(name, command, app=None, space=SPACE, files=None):
    """`files` is the address of a server of NFS whose files the pod has in /files."""
    spec = {"terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False,
            "containers": [{"name": "main", "image": BUSYBOX, "imagePullPolicy": "Never", "command": ["sh", "-c", command]}]}
    if files:
        spec["volumes"] = [{"name": "files", "nfs": {"server": files, "path": "/"}}]
        spec["containers"][0]["volumeMounts"] = [{"name": "files", "mountPath": "/files"}]
    return {"apiVersion": "v1", "kind": "Pod", "spec": spec,
            "metadata": {"name": name, "namespace": space, "labels": {"app": app or name}}}


class Workloads:
    def __init__(self, cluster):
        self.cluster = cluster
        self.addresses = {}
        self.spaces = {}

    def start(self):
        for space in (SPACE, FILES_SPACE):
            self.cluster.kubectl("create", "namespace", space)
            # The admission of pods waits for the account, and says no until then.
            lab.wait_until(lambda one=space: self.cluster.get("serviceaccount", "default", one), 60,
                           f"the account of namespace {space}")
        self.run(pod("server", "echo hello >/tmp/index.html; exec httpd -f -p 80 -h /tmp"),
                 pod("nfs-server", "exec sleep 2147483647", space=FILES_SPACE))
        self.serve_files()
        # As k8s/examples has them: the pod web-0 of app=web.
        server = self.addresses["server"]
        self.run(pod("web-0", WEB.format(server=server), app="web"), pod("client", CLIENT.format(server=server)),
                 pod("reader", READER, files=self.addresses["nfs-server"]))
        # Pods one after the other would take longer.
        self.cluster.kubectl("exec", "-n", SPACE, "client", "--", "sh", "-c", f"echo {self.addresses['web-0']} >/tmp/web")

    def run(self, *pods):
        self.cluster.apply(*pods)
        for one in pods:
            name, space = one["metadata"]["name"], one["metadata"]["namespace"]
            self.cluster.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "-n", space, "--timeout=120s")
            self.addresses[name] = self.cluster.get("pod", name, space)["status"]["podIP"]
            self.spaces[name] = space

    def serve_files(self):
        """A server in the network of the pod nfs-server: it is not part of the image."""
        home = self.cluster.home / "files"
        home.mkdir()
        config = home / "ganesha.conf"
        config.write_text(GANESHA % {"home": home})
        self.cluster.launch("ganesha", "ip", "netns", "exec", self.netns("nfs-server"), "ganesha.nfsd", "-F", "-f", config,
                            "-L", "/dev/stderr", "-p", home / "pid")
        lab.wait_until(lambda: "2049" in do("ip", "netns", "exec", self.netns("nfs-server"), "ss", "-Hltn"), 60,
                       "the server of files listens", every=0.5)

    def netns(self, name):
        """Name of the pod's namespace in /run/netns: the one that has its address."""
        for path in pathlib.Path("/run/netns").iterdir():
            told = subprocess.run(["ip", "-n", path.name, "-j", "addr"], capture_output=True, text=True, check=False)
            if told.returncode == 0 and self.addresses[name] in (one["local"] for link in json.loads(told.stdout)
                                                                 for one in link.get("addr_info", [])):
                return path.name
        raise RuntimeError(f"no namespace in /run/netns has {self.addresses[name]}, {name}'s address")

    def node_link(self, name):
        """The node's end of the pod's link."""
        (link,) = [one for one in json.loads(do("ip", "-n", self.netns(name), "-j", "link", "show", "eth0"))]
        (peer,) = [one["ifname"] for one in json.loads(do("ip", "-j", "link")) if one["ifindex"] == link["link_index"]]
        return peer

    @contextlib.contextmanager
    def packet_filter(self, name, port, protocol="tcp", which=""):
        """Drops what comes to the pod's port, as a network policy's implementation would; all of it, or what `which` says."""
        inside = ["ip", "netns", "exec", self.netns(name), "nft"]
        rule, table = f"{protocol} dport {port} {which} drop", f"faults_{port}"
        do(*inside, f"table inet {table} {{ chain input {{ type filter hook input priority 0; {rule}; }}; }}")
        try:
            yield
        finally:
            do(*inside, "delete", "table", "inet", table)

    @contextlib.contextmanager
    def small_mtu(self, name):
        """On the node's end of the pod's link alone: neither end of a connection hears of it."""
        link = self.node_link(name)
        do("ip", "link", "set", link, "mtu", MTU)
        try:
            yield link
        finally:
            do("ip", "link", "set", link, "mtu", 1500)

    @contextlib.contextmanager
    def slow_link(self, name):
        """Holds back what the node sends to the pod."""
        link = self.node_link(name)
        do("tc", "qdisc", "add", "dev", link, "root", "netem", "delay", f"{DELAY_MS}ms")
        try:
            yield
        finally:
            do("tc", "qdisc", "delete", "dev", link, "root")


def processes(words):
    """Ids of processes whose command line begins with these words, of all containers."""
    found = []
    for folder in pathlib.Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                line = (folder / "cmdline").read_bytes().split(b"\0")
                if [os.fsdecode(word) for word in line[:len(words)]] == words:
                    found.append(int(folder.name))
    return found
