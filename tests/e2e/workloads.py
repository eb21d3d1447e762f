"""Pods that talk to each other, and what goes wrong between them."""

import contextlib
import json

from cluster import lab
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
FILES_HOME = "/run/e2e/files"
GANESHA = f"""
NFS_CORE_PARAM {{ Protocols = 4; Enable_NLM = false; Enable_RQUOTA = false; }}
NFSv4 {{ Graceless = true; RecoveryRoot = {FILES_HOME}; }}
EXPORT {{ Export_Id = 1; Path = /; Pseudo = /; Access_Type = RW; Squash = No_Root_Squash; SecType = sys; FSAL {{ Name = MEM; }} }}
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
    def __init__(self, cluster, machine):
        self.cluster, self.machine = cluster, machine
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
        self.do("mkdir", FILES_HOME)
        self.machine.hands.write(f"{FILES_HOME}/ganesha.conf", GANESHA)
        inside = ["ip", "netns", "exec", self.netns("nfs-server")]
        self.machine.hands.launch("ganesha", *inside, "ganesha.nfsd", "-F", "-f", f"{FILES_HOME}/ganesha.conf", "-L",
                                  "/dev/stderr", "-p", f"{FILES_HOME}/pid")
        lab.wait_until(lambda: "2049" in self.do(*inside, "ss", "-Hltn"), 60, "the server of files listens", every=0.5)

    def do(self, *command):
        """On the node."""
        return self.machine.hands.do(*command)

    def netns(self, name):
        """Name of the pod's namespace in the node's /run/netns."""
        return self.machine.hands.netns_with(self.addresses[name])

    def node_link(self, name):
        """The node's end of the pod's link."""
        (link,) = [one for one in json.loads(self.do("ip", "-n", self.netns(name), "-j", "link", "show", "eth0"))]
        (peer,) = [one["ifname"] for one in json.loads(self.do("ip", "-j", "link")) if one["ifindex"] == link["link_index"]]
        return peer

    @contextlib.contextmanager
    def packet_filter(self, name, port, protocol="tcp", which=""):
        """Drops what comes to the pod's port, as a network policy's implementation would; all of it, or what `which` says."""
        inside = ["ip", "netns", "exec", self.netns(name), "nft"]
        rule, table = f"{protocol} dport {port} {which} drop", f"faults_{port}"
        self.do(*inside, f"table inet {table} {{ chain input {{ type filter hook input priority 0; {rule}; }}; }}")
        try:
            yield
        finally:
            self.do(*inside, "delete", "table", "inet", table)

    @contextlib.contextmanager
    def small_mtu(self, name):
        """On the node's end of the pod's link alone: neither end of a connection hears of it."""
        link = self.node_link(name)
        self.do("ip", "link", "set", link, "mtu", str(MTU))
        try:
            yield link
        finally:
            self.do("ip", "link", "set", link, "mtu", "1500")

    @contextlib.contextmanager
    def slow_link(self, name):
        """Holds back what the node sends to the pod."""
        link = self.node_link(name)
        self.do("tc", "qdisc", "add", "dev", link, "root", "netem", "delay", f"{DELAY_MS}ms")
        try:
            yield
        finally:
            self.do("tc", "qdisc", "delete", "dev", link, "root")
