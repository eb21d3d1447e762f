"""Two pods that talk to each other, and what goes wrong between them."""

import contextlib
import json
import os
import pathlib
import subprocess

from cluster import do, lab
from images import BUSYBOX

SPACE = "shop"
MTU = 1000
# All at once and all the time; what goes wrong with which is a matter of the faults.
CLIENT = """while :; do
timeout 1 wget -q -O /dev/null http://{server}/ 2>/dev/null &
nc -w 1 {server} 81 </dev/null 2>/dev/null &
ping -q -c 1 -W 1 -s 1400 {server} >/dev/null &
wait
sleep 0.3
done"""


def pod(name, command):
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": SPACE, "labels": {"app": name}},
            "spec": {"terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False,
                     "containers": [{"name": "main", "image": BUSYBOX, "imagePullPolicy": "Never",
                                     "command": ["sh", "-c", command]}]}}


class Workloads:
    def __init__(self, cluster):
        self.cluster = cluster
        self.addresses = {}

    def start(self):
        self.cluster.kubectl("create", "namespace", SPACE)
        # The admission of pods waits for the account, and says no until then.
        lab.wait_until(lambda: self.cluster.get("serviceaccount", "default", SPACE), 60, "the namespace's account")
        self.run("server", "echo hello >/tmp/index.html; exec httpd -f -p 80 -h /tmp")
        self.run("client", CLIENT.format(server=self.addresses["server"]))

    def run(self, name, command):
        self.cluster.apply(pod(name, command))
        self.cluster.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "-n", SPACE, "--timeout=120s")
        self.addresses[name] = self.cluster.get("pod", name, SPACE)["status"]["podIP"]

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
    def packet_filter(self, name, port):
        """Drops what comes to the pod's port, as a network policy's implementation would."""
        inside = ["ip", "netns", "exec", self.netns(name), "nft"]
        rule = f"tcp dport {port} drop"
        do(*inside, f"table inet faults {{ chain input {{ type filter hook input priority 0; {rule}; }}; }}")
        try:
            yield
        finally:
            do(*inside, "delete", "table", "inet", "faults")

    @contextlib.contextmanager
    def small_mtu(self, name):
        """On the node's end of the pod's link alone: neither end of a connection hears of it."""
        link = self.node_link(name)
        do("ip", "link", "set", link, "mtu", MTU)
        try:
            yield link
        finally:
            do("ip", "link", "set", link, "mtu", 1500)


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
