#!/usr/bin/env python3
"""Names of pods in events, and traces of pods only: with a container runtime that says what the test says.

Pods are namespaces with a veth pair into a bridge, as the CNI plugin `bridge` makes them. The runtime is
tests/support/scripted_runtime, behind the socket that containerd would have.
"""

import collections
import contextlib
import json
import os
import pathlib
import socket
import subprocess
import time

import suite_lib as lab

ROOT = pathlib.Path(__file__).resolve().parents[3]
RUNTIME = ROOT / "build/release/tests/scripted_runtime"
SOCKET = pathlib.Path("/run/containerd/containerd.sock")
SCRIPT = pathlib.Path("/dev/shm/pods.json")
HOST = os.stat("/proc/self/ns/net").st_ino
GATEWAY = "10.88.0.1"
# One function for each step of a way across a bridge, from socket to socket.
STEPS = "__ip_local_out|dev_hard_start_xmit|br_handle_frame|__br_forward|ip_rcv|udp_rcv|udp_queue_rcv_one_skb"
IN_TIME = 10     # seconds for what takes a tenth of one; emulation is slow
TRIES = 5        # for what a trace waits half a second for


class Pod:
    """One pod of the bridge network: its namespace, its link, and what the runtime says of it."""

    def __init__(self, number, name, **labels):
        self.name, self.link, self.ip = name, f"vh{number}", f"10.88.0.{number + 1}"
        self.netns = lab.Netns()
        lab.run("ip", "link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", self.netns)
        lab.run("ip", "link", "set", self.link, "master", "cni0", "up")
        self.netns.ip("addr", "add", f"{self.ip}/24", "dev", "eth0")
        self.netns.ip("link", "set", "eth0", "up")
        self.netns.ip("route", "add", "default", "via", GATEWAY)
        self.said = {"id": name, "namespace": "shop", "name": name, "uid": f"uid-{name}", "netns": self.netns.path,
                     "ips": [self.ip], "labels": labels}

    def send(self, address, port=9999):
        with lab.socket_in(self.netns, socket.AF_INET) as sender:
            sender.sendto(b"x", (address, port))

    def receiver(self, port=9999):
        receiver = lab.socket_in(self.netns, socket.AF_INET)
        receiver.bind((self.ip, port))
        receiver.settimeout(IN_TIME)
        return receiver

    def delete(self):
        self.netns.delete()


@contextlib.contextmanager
def runtime():
    SOCKET.parent.mkdir(parents=True, exist_ok=True)
    with lab.background(RUNTIME, SOCKET, SCRIPT, stderr=subprocess.STDOUT):
        if not lab.wait_until(SOCKET.exists, IN_TIME):
            raise RuntimeError("the scripted runtime does not listen")
        yield
    SOCKET.unlink(missing_ok=True)


def publish(*pods):
    """What the runtime says from now on."""
    half = SCRIPT.with_suffix(".half")
    half.write_text(json.dumps([pod.said if isinstance(pod, Pod) else pod for pod in pods]))
    half.rename(SCRIPT)


def named(event, field="pod"):
    """(name, side) of an event's pod, or None."""
    pod = event.get(field)
    return pod and (pod["name"], pod.get("side"))


def wait_for_scope(trace):
    """Until the trace has said how many pods it follows: a runtime that is slow to answer is not waited for."""
    said = trace.stdout_path.parent / "stderr"
    lab.wait_until(lambda: " on this node" in said.read_text(errors="replace"), IN_TIME)


def ports(trace):
    return {event["tuple"]["dport"] for event in hops(trace) if event["tuple"]}


def hops(trace):
    return [event for event in trace.events if event["type"] in ("hop", "drop")]


def place(event, pods):
    """Where an event is, as (pod, side) by what the test knows of namespaces and links."""
    for pod in pods:
        if event["netns"] == pod.netns.inode:
            return (pod.name, "inside")
        if event["netns"] == HOST and event["ifname"] == pod.link:
            return (pod.name, "host")
    return None


def bridge():
    if not lab.load_module("bridge"):
        return False
    lab.run("ip", "link", "add", "cni0", "type", "bridge")
    lab.run("ip", "addr", "add", f"{GATEWAY}/24", "dev", "cni0")
    lab.run("ip", "link", "set", "cni0", "up")
    return True


def without_a_runtime():
    with lab.test("without a runtime a trace is as it was, without a word about pods"), lab.NetnsPair() as pair:
        with lab.Trace("--probes", "path", "icmp") as trace:
            pair.left.run("ping", "-c1", pair.right.v4)
        assert hops(trace) and not any(key in event for event in hops(trace) for key in ("pod", "src", "cgroup_id"))
        assert "pod" not in trace.stderr, trace.stderr
    with lab.test("without a runtime a trace of a pod is refused, with the sockets that were looked for"):
        done = lab.run("skbtrail", "trace", "--pod", "shop/a", check=False)
        assert done.returncode == 3, done
        assert "--pod" in done.stderr and "/run/containerd/containerd.sock" in done.stderr, done.stderr


def bridge_modules():
    """The flags with which a trace knows the bridge's functions; before 5.11 modules have no types."""
    return ["--kmods", "bridge"] if pathlib.Path("/sys/kernel/btf/bridge").exists() else []


def hop_by_hop(a, b):
    publish(a, b)
    modules = bridge_modules()
    functions = STEPS if modules else "|".join(step for step in STEPS.split("|") if "br_" not in step)
    with b.receiver() as receiver, lab.Trace(*modules, "--filter-func", functions, f"udp and dst host {b.ip}") as trace:
        # The first packet asks for the neighbour's address; the second one goes its way in one go.
        for _ in range(2):
            a.send(b.ip)
            receiver.recv(16)
        trace.wait_for(lambda event: event.get("func", "").startswith("udp_queue") and event["netns"] == b.netns.inode)
    events = hops(trace)
    print(collections.Counter((event["func"], event["ifname"], named(event)) for event in events))
    with lab.test("from pod to pod each hop has the right pod at the right side"):
        wrong = [event for event in events if named(event) != place(event, (a, b))]
        assert events and not wrong, wrong[:3]
        assert not any("kernel_socket" in event for event in events)
    with lab.test("the way is seen at the sender's socket, at both links from inside and outside, and at the receiver"):
        seen = {(place(event, (a, b)), event["ifname"]) for event in events}
        wanted = {(("a", "inside"), None), (("a", "inside"), "eth0"), (("b", "host"), b.link), (("b", "inside"), "eth0")}
        wanted |= {(("a", "host"), a.link)} if modules else set()
        assert wanted <= seen, (wanted - seen, seen)
        assert any(event["func"].startswith("udp_queue") for event in events)
    with lab.test("both addresses have the names of their pods at every hop"):
        wrong = [event for event in events if (named(event, "src"), named(event, "dst")) != (("a", None), ("b", None))]
        assert not wrong, wrong[:3]


def scopes(a, b):
    with lab.test("only packets of the pod that was asked for are met"):
        publish(a, b)
        with lab.Trace("--probes", "path", "--pod", "shop/b", "udp") as trace:
            wait_for_scope(trace)
            a.send(GATEWAY, 9001)
            b.send(GATEWAY, 9002)
            trace.wait_for(lambda event: (event.get("tuple") or {}).get("dport") == 9002)
        assert ports(trace) == {9002}, (ports(trace), trace.functions(), trace.stderr)
        assert "pod 'shop/b': 1 on this node" in trace.stderr, trace.stderr
    with lab.test("a packet to the pod is met at the node's end of its link"):
        with lab.Trace("--probes", "path", "--pod-selector", "app notin (web)", "-n", "shop", "udp") as trace:
            wait_for_scope(trace)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"x", (a.ip, 9003))
                sender.sendto(b"x", (b.ip, 9004))
            trace.wait_for(lambda event: (event.get("tuple") or {}).get("dport") == 9004)
        assert ports(trace) == {9004}, (ports(trace), trace.functions(), trace.stderr)
        assert named(hops(trace)[0]) == ("b", "host"), hops(trace)[0]
    with lab.test("a pod that is not there yet is waited for, and met once it is"):
        publish(a)
        with lab.Trace("--probes", "path", "--pod", "shop/b", "udp") as trace:
            b.send(GATEWAY, 9005)
            publish(a, b)
            met = False
            for _ in range(20):
                b.send(GATEWAY, 9006)
                met = met or trace.wait_for(lambda event: (event.get("tuple") or {}).get("dport") == 9006, deadline=1)
                if met:
                    break
        assert met and "no pod 'shop/b' on this node: waiting for it" in trace.stderr, trace.stderr
        assert ports(trace) == {9006}, (ports(trace), trace.functions(), trace.stderr)


def first_packets_of(pod, *others):
    """Of a pod that the runtime tells of after it has sent: its events, the times of each packet's, what was said."""
    publish(*others)
    with lab.Trace("--probes", "path", f"udp and src host {pod.ip}") as trace:
        pod.send(GATEWAY)
        publish(*others, pod)
        trace.wait_for(lambda event: event["netns"] == pod.netns.inode)
    orders = collections.defaultdict(list)
    for event in hops(trace):
        orders[event["packet"]].append(event["ts"])
    inside = [event for event in hops(trace) if event["netns"] == pod.netns.inode]
    pod.delete()
    return inside, orders, trace.stderr


def unknown_for_a_while(a, b):
    with lab.test("a pod's first packets wait for its name"):
        # The wait is bounded, and this machine may be slower than the bound: one of some new pods shows it.
        for number in range(TRIES):
            inside, orders, said = first_packets_of(Pod(50 + number, f"new{number}"), a, b)
            if inside and all(named(event) == (f"new{number}", "inside") for event in inside):
                break
        else:
            raise AssertionError((inside[:1], said))
        assert all(order == sorted(order) for order in orders.values()), orders
    with lab.test("a namespace that never becomes a pod's goes out without a name, and is counted"):
        with lab.Netns() as stranger, lab.Trace("--probes", "path", "icmp") as trace:
            inode = stranger.inode
            stranger.run("ping", "-c2", "-i", "0.3", "127.0.0.1")
            trace.wait_for(lambda event: event["netns"] == inode)
        inside = [event for event in hops(trace) if event["netns"] == inode]
        assert inside and not any(named(event) for event in inside)
        assert f"{len(inside)} events have no pod" in trace.stderr, (len(inside), trace.stderr)
        assert trace.totals.lost == 0, trace.totals


def container_cgroup(uid):
    """A cgroup as a container of that pod has it; None: there is no cgroup2."""
    mounts = [line.split()[4] for line in open("/proc/self/mountinfo", encoding="ascii") if " - cgroup2 " in line]
    if not mounts:
        return None
    cgroup = pathlib.Path(mounts[0]) / f"kubepods/pod{uid}" / ("a" * 64)
    cgroup.mkdir(parents=True, exist_ok=True)
    return cgroup


def of_the_host(a):
    uid = "0f3c5b0e-6a1d-4a39-9c1e-1b2c3d4e5f60"
    cgroup = container_cgroup(uid)
    if not cgroup:
        lab.skip("a pod of the host's network is told by its cgroup", "cgroup2")
        return
    publish(a, {"id": "proxy", "namespace": "kube", "name": "proxy", "uid": uid})
    send = "echo x >/dev/udp/{}/{}"
    with lab.test("a pod of the host's network is told by its cgroup, and nothing else of the host is met"):
        with lab.Trace("--probes", "path", "--pod", "kube/proxy", "udp") as trace:
            lab.wait_until(lambda: "1 on this node" in (trace.stdout_path.parent / "stderr").read_text(), IN_TIME)
            lab.run("bash", "-c", send.format(a.ip, 9007))
            lab.run("bash", "-c", f"echo $$ >{cgroup}/cgroup.procs; " + send.format(a.ip, 9008))
            trace.wait_for(lambda event: (event.get("tuple") or {}).get("dport") == 9008)
        assert ports(trace) == {9008}, (ports(trace), trace.functions(), trace.stderr)
        first = hops(trace)[0]
        assert named(first) == ("proxy", "inside") and first["cgroup_id"] == cgroup.stat().st_ino, first


def two_interfaces():
    pod, link, inside_ip, node_ip = Pod(31, "two"), "vi31", "10.99.0.2", "10.99.0.1"
    lab.run("ip", "link", "add", link, "type", "veth", "peer", "name", "net1", "netns", pod.netns)
    lab.run("ip", "addr", "add", f"{node_ip}/24", "dev", link)
    lab.run("ip", "link", "set", link, "up")
    pod.netns.ip("addr", "add", f"{inside_ip}/24", "dev", "net1")
    pod.netns.ip("link", "set", "net1", "up")
    publish(pod)
    with lab.test("of a pod with two interfaces each is the pod's, at both ends"):
        # Newer kernels have no function of their own for a frame from a link whose arguments could be read.
        modules = bridge_modules()
        shown = [*modules, "--filter-func", STEPS] if modules else ["--probes", "path"]
        with lab.Trace(*shown, "--pod", "shop/two", "udp dst port 9011") as trace:
            wait_for_scope(trace)
            for _ in range(2):
                pod.send(GATEWAY, 9011)
                pod.send(node_ip, 9011)
                for end in (link, pod.link):
                    trace.wait_for(lambda event, end=end: event.get("ifname") == end, deadline=5)
        seen = {(event["ifname"], named(event)) for event in hops(trace)}
        wanted = {("eth0", ("two", "inside")), (pod.link, ("two", "host")), ("net1", ("two", "inside")),
                  (link, ("two", "host"))}
        assert wanted <= seen, (wanted - seen, seen)
        assert all(pod == expected for ifname, pod in seen for name, expected in wanted if name == ifname), seen
    pod.delete()


def by_hand(a):
    """A pod that joined another one's namespace, and a container of it that made one of its own."""
    names = ("in a namespace that pods share a packet is the older one's, or by its socket's cgroup the other's",
             "a container's own namespace inside a pod is that pod's, by the cgroup")
    uid = "2e3d4c5b-6a1d-4a39-9c1e-1b2c3d4e5f60"
    cgroup = container_cgroup(uid)
    if not cgroup:
        for name in names:
            lab.skip(name, "cgroup2")
        return
    publish(a, {**a.said, "id": "z", "name": "joined", "uid": uid})
    join, send = f"echo $$ >{cgroup}/cgroup.procs; ", "echo x >/dev/udp/{}/{}"
    with lab.Trace("--probes", "path", "udp and dst portrange 9012-9014") as trace:
        a.send(GATEWAY, 9012)
        # Not by `ip netns exec`, which mounts a /sys without cgroups.
        lab.run("nsenter", f"--net={a.netns.path}", "bash", "-c", join + send.format(GATEWAY, 9013))
        lab.run("bash", "-c", join + "exec unshare --net bash -c 'ip link set lo up; stat -Lc %i /proc/self/ns/net >"
                f"{SCRIPT}.own; {send.format('127.0.0.1', 9014)}'")
        trace.wait_for(lambda event: (event.get("tuple") or {}).get("dport") == 9014)
    of_port = collections.defaultdict(list)
    for event in hops(trace):
        of_port[event["tuple"]["dport"]].append(event)
    with lab.test(names[0]):
        for port, name in ((9012, "a"), (9013, "joined")):
            at_socket = [event for event in of_port[port] if event["netns"] == a.netns.inode][:1]
            assert at_socket and named(at_socket[0]) == (name, "inside"), (port, of_port[port][:2])
    with lab.test(names[1]):
        own = int(pathlib.Path(f"{SCRIPT}.own").read_text())
        first = of_port[9014][:1]
        assert first and first[0]["netns"] == own and named(first[0]) == ("joined", "inside"), first


def wait_for_names(trace, pod):
    """Until the runtime has answered: events of the node do not wait for it."""
    def has_come():
        pod.send(GATEWAY, 2049)
        return trace.wait_for(lambda event: named(event) == (pod.name, "inside"), deadline=1)

    assert lab.wait_until(has_come, IN_TIME), trace.stderr


def mounting(a, server, netns=None):
    """What a mount of NFS sends to a server that refuses it. `-i`: by the kernel alone, without a program of NFS."""
    with lab.Trace("--probes", "path", "port 2049") as trace:
        wait_for_names(trace, a)
        lab.run("mount", "-i", "-t", "nfs4", "-o", f"addr={server},clientaddr=0.0.0.0,vers=4.2,soft,timeo=5,retrans=1",
                f"{server}:/", "/mnt", netns=netns, check=False)
    events = [event for event in hops(trace) if event["tuple"]["l4"] == "tcp" and event["tuple"]["dport"] == 2049]
    assert events, (trace.functions(), trace.stderr)
    return events


def of_the_kernel(a):
    names = ("a mount of NFS in a pod is that pod's, from the kernel's socket on",
             "a mount of NFS on the node is nobody's, and said to be the kernel's")
    if not lab.load_module("nfsv4"):
        for name in names:
            lab.skip(name, "the module nfsv4")
        return
    publish(a)
    with lab.test(names[0]):
        events = mounting(a, GATEWAY, a.netns)
        inside = [event for event in events if event["netns"] == a.netns.inode]
        assert inside and all(named(event) == ("a", "inside") for event in inside), inside[:2]
        assert inside[0].get("kernel_socket") is True, inside[0]
    with lab.test(names[1]):
        events = mounting(a, a.ip)
        at_socket = [event for event in events if event["netns"] == HOST and event["ifname"] is None]
        assert at_socket and all(event.get("kernel_socket") is True for event in at_socket), at_socket[:2]
        wrong = [event for event in events if named(event) != place(event, (a,))]
        assert not wrong and not any(named(event) for event in at_socket), wrong[:2]
        assert all(named(event, "dst") == ("a", None) for event in events), events[0]


def by_processes():
    """A pod whose runtime leads to no namespace, as cri-dockerd's answers: its processes do."""
    name = "a pod whose namespace the runtime does not lead to is known by its processes"
    uid = "1d2c3b4a-6a1d-4a39-9c1e-1b2c3d4e5f60"
    cgroup = container_cgroup(uid)
    if not cgroup:
        lab.skip(name, "cgroup2")
        return
    pod = Pod(30, "led-by-nobody")
    publish({**pod.said, "uid": uid, "netns": ""})
    # Not by `ip netns exec`, which mounts a /sys without cgroups.
    with lab.background("nsenter", f"--net={pod.netns.path}", "bash", "-c",
                        f"echo $$ >{cgroup}/cgroup.procs; exec sleep 600"):
        with lab.test(name), lab.Trace("--probes", "path", "udp dst port 9010") as trace:
            met = False
            for _ in range(20):
                pod.send(GATEWAY, 9010)
                met = trace.wait_for(lambda event: named(event) == ("led-by-nobody", "inside"), deadline=1)
                if met:
                    break
            assert met and met["netns"] == pod.netns.inode, (hops(trace)[:1], trace.stderr)
    pod.delete()


def coming_and_going(count=20):
    """Pods come and go while they send. The runtime tells of each after its network is there, as a kubelet's does."""
    truth = {}
    with lab.Trace("--probes", "path", "udp dst port 9009") as trace:
        for number in range(count):
            pod = Pod(100 + number, f"p{number}")
            truth.setdefault(pod.netns.inode, []).append((pod, time.time()))
            publish(pod)
            for _ in range(3):
                pod.send(GATEWAY, 9009)
                time.sleep(0.05)
            pod.delete()
    wrong, nameless, total = [], 0, 0
    for event in hops(trace):
        if event["netns"] not in truth:
            continue
        total += 1
        # Of a namespace number that was given twice, either pod may be meant.
        right = {pod.name for pod, _ in truth[event["netns"]]}
        nameless += named(event) is None
        if named(event) and named(event)[0] not in right:
            wrong.append(event)
    print(f"{count} pods came and went: {total} events inside, {nameless} without a name, {len(wrong)} with a wrong one; "
          f"{trace.stderr.strip().splitlines()[-2:]}")
    with lab.test("no event of a pod that comes and goes has the name of another"):
        assert total >= count and not wrong, wrong[:3]
    with lab.test("at most a tenth of their events has no name"):
        assert nameless * 10 <= total, (nameless, total)


def main():
    without_a_runtime()
    if not RUNTIME.exists():
        lab.skip("names of pods", f"{RUNTIME.relative_to(ROOT)}: cmake --build --preset release")
    elif not bridge():
        lab.skip("names of pods", "the module bridge")
    else:
        with runtime():
            a, b = Pod(1, "a", app="web"), Pod(2, "b", app="db")
            hop_by_hop(a, b)
            scopes(a, b)
            unknown_for_a_while(a, b)
            of_the_host(a)
            two_interfaces()
            by_hand(a)
            of_the_kernel(a)
            by_processes()
            coming_and_going()
    lab.finish()


main()
