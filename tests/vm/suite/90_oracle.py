#!/usr/bin/env python3
"""The oracle: pwru and skbtrail watch the same packets at the same time, and what pwru shows, ours must show too.

Three tracers run while each exchange is made once: pwru, `--filter-at all` (which filters at every function as pwru
does) and the default `--filter-at entry`. A packet is told by the address of its skb within one exchange. All three
are hit by the same calls, except that the kernel skips a hit while another BPF program runs on that CPU; therefore a
function that is missing is looked for in up to two repetitions of the exchange, and counts when it is missing in all.

pwru follows an address until kfree_skbmem(). Where the kernel keeps the struct sk_buff for its next packet instead,
pwru follows that one too, whatever it is: netlink messages, neighbour discovery, and packets that have no header yet.
Such a hit is told by pwru's own line (its tuple is not what the filter asks for) and by its place (no packet of ours
is at that address then). They are counted and printed as left over, and skbtrail is not asked for them.
"""

import collections
import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import tempfile
import time

import suite_lib as lab

REPETITIONS = 3
READY_DEADLINE = 500    # seconds: on 5.10 three tracers put 1,300 single kprobes each in place
DOC = pathlib.Path(__file__).parents[3] / "docs/functions.md"

FILTER = ("icmp or tcp port 7101 or udp portrange 7102-7104 or udp port 4789 "
          "or (icmp6 and (ip6[40] == 128 or ip6[40] == 129))")

# Traced too where they have types of their own (5.11).
MODULES = ("veth", "vxlan", "8021q", "udp_tunnel", "ip6_udp_tunnel")

# Where the life of a struct sk_buff may end.
ENDS = {"kfree_skbmem", "napi_skb_cache_put", "kfree_skb_partial", "skb_attempt_defer_free", "__kfree_skb",
        "__kfree_skb_defer", "napi_skb_free_stolen_head"}

ECHO_SERVER = r"""
import select, socket
tcp = socket.create_server(("::", 7101), family=socket.AF_INET6, dualstack_ipv6=True)
udp = []
for port in (7102, 7103, 7104):
    one = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    one.bind(("::", port))
    udp.append(one)
print("ready", flush=True)
while True:
    for ready in select.select([tcp, *udp], [], [])[0]:
        if ready is tcp:
            peer = tcp.accept()[0]
            while data := peer.recv(65536):
                peer.sendall(data)
            peer.close()
        else:
            data, address = ready.recvfrom(65536)
            ready.sendto(data, address)
"""
TCP_CLIENT = r"""
import socket, sys
with socket.create_connection((sys.argv[1], 7101), 20) as tcp:
    tcp.sendall(b"x" * 3000)
    got = 0
    while got < 3000:
        got += len(tcp.recv(65536))
"""
UDP_CLIENT = r"""
import socket, sys
address, port = sys.argv[1], int(sys.argv[2])
with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as udp:
    udp.settimeout(20)
    udp.sendto(b"y" * 100, (address, port))
    udp.recv(65536)
"""


class Bench:
    """Two namespaces joined by a veth pair, a VLAN and a VXLAN on top of it, and an echo server in the right one."""

    VLAN = ("10.41.0.1", "10.41.0.2")
    VXLAN = ("10.42.0.1", "10.42.0.2")

    def __enter__(self):
        self._stack = contextlib.ExitStack()
        self.pair = self._stack.enter_context(lab.NetnsPair(40))
        for module in ("8021q", "vxlan"):
            lab.load_module(module)
        for end, other, host in ((self.pair.left, self.pair.right, 0), (self.pair.right, self.pair.left, 1)):
            ip = end.netns.ip
            ip("link", "add", "link", end.device, "name", "vlan7", "type", "vlan", "id", 7)
            ip("link", "add", "vx0", "type", "vxlan", "id", 9, "remote", other.v4, "local", end.v4, "dstport", 4789,
               "dev", end.device)
            for device, address in (("vlan7", self.VLAN[host]), ("vx0", self.VXLAN[host])):
                # No router solicitations between the exchanges.
                end.netns.sysctl(f"net/ipv6/conf/{device}/disable_ipv6", 1)
                ip("addr", "add", f"{address}/24", "dev", device)
                ip("link", "set", device, "up")
        server = self._stack.enter_context(
            lab.background("python3", "-c", ECHO_SERVER, netns=self.pair.right, stdout=-1))
        server.stdout.readline()
        for address in (self.pair.right.v4, self.pair.right.v6, self.VLAN[1], self.VXLAN[1]):
            self.ping(address)
        for end in (self.pair.left, self.pair.right):
            self._keep_neighbours(end.netns)
        return self

    @staticmethod
    def _keep_neighbours(netns):
        """What the pings have found out stays, so that nobody asks again during an exchange."""
        for family in ("-4", "-6"):
            for one in json.loads(netns.ip("-j", family, "neigh").stdout or "[]"):
                if "lladdr" in one:
                    netns.ip("neigh", "replace", one["dst"], "lladdr", one["lladdr"], "dev", one["dev"], "nud",
                             "permanent")

    def __exit__(self, *_):
        self._stack.close()

    def ping(self, address):
        self.pair.left.run("ping", "-c1", "-W20", address)

    def tcp(self, address):
        self.pair.left.run("python3", "-c", TCP_CLIENT, address)

    def udp(self, address, port):
        self.pair.left.run("python3", "-c", UDP_CLIENT, address, port)

    def exchanges(self):
        """Name, what is done, and how pwru writes the tuple of a packet that belongs to it."""
        v4, v6 = self.pair.right.v4, self.pair.right.v6
        return [
            ("ICMP", lambda: self.ping(v4), r"\(icmp\)$"),
            ("ICMPv6", lambda: self.ping(v6), r"^\[fd00:40::[12]\].*->\[fd00:40::[12]\].*\(icmp6\)$"),
            ("UDP", lambda: self.udp(v4, 7102), r":7102(->|\(udp\))"),
            ("UDP over IPv6", lambda: self.udp(v6, 7102), r":7102(->|\(udp\))"),
            ("TCP", lambda: self.tcp(v4), r":7101(->|\(tcp\))"),
            ("TCP over IPv6", lambda: self.tcp(v6), r":7101(->|\(tcp\))"),
            ("VLAN", lambda: self.udp(self.VLAN[1], 7103), r":7103(->|\(udp\))"),
            ("VXLAN", lambda: self.udp(self.VXLAN[1], 7104), r":(7104|4789)(->|\(udp\))"),
        ]


# What one tracer said of one call: enough to find the same call in what another said.
Hit = collections.namedtuple("Hit", "skb func packet tuple", defaults=(None, None))


class Peer:
    """pwru, from attached to killed: where it sits on single kprobes its own end takes the kernel minutes."""

    LINE = re.compile(r"^\s*(0x[0-9a-f]+)\s+\d+\s.*?([\w.]+)(?:\([A-Z_0-9]*\))?(?:\s+\[\w+\])?"
                      r"\s+netns=\d+.*?(?:\s(\S+->\S+))?\s*$")

    def __init__(self, *arguments):
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="pwru-", dir="/dev/shm"))
        self.stdout_path = self._folder / "stdout"
        self.command = [lab.pwru(), "--ready-file", self._folder / "ready", "--output-meta", "--output-tuple",
                        *arguments]
        self.unparsed = []

    def __enter__(self):
        started = time.monotonic()
        with open(self.stdout_path, "wb") as out, open(self._folder / "stderr", "wb") as err:
            self.process = lab.start(*self.command, stdout=out, stderr=err)
        ready = self._folder / "ready"
        lab.wait_until(lambda: ready.exists() or self.process.poll() is not None, READY_DEADLINE)
        if not ready.exists():
            self.process.kill()
            raise RuntimeError(f"pwru did not get ready:\n{self.stderr}")
        self.attach_seconds = time.monotonic() - started
        return self

    def __exit__(self, *_):
        self.process.kill()

    @property
    def stderr(self):
        return (self._folder / "stderr").read_text(errors="replace")[-2000:]

    def hits(self, text):
        for line in text.splitlines():
            if found := self.LINE.match(line):
                yield Hit(found.group(1), found.group(2), tuple=found.group(3))
            elif "0x" in line and "netns=" in line:
                self.unparsed.append(line)


def our_hits(text):
    for event in map(json.loads, text.splitlines()):
        if event["type"] == "hop":
            yield Hit(event["skb"], event["func"], event["packet"])


class Tail:
    """What a growing file got since the last look."""

    def __init__(self, path):
        self._path, self._at = path, 0

    def size(self):
        return self._path.stat().st_size

    def take(self):
        with open(self._path, "rb") as file:
            file.seek(self._at)
            content = file.read()
        whole = content[:content.rfind(b"\n") + 1]
        self._at += len(whole)
        return whole.decode(errors="replace")


def settle(tails):
    """Until no tracer has written anything for a while."""
    sizes, since = None, time.monotonic()
    end = since + 30
    while time.monotonic() < end:
        now = [tail.size() for tail in tails]
        if now != sizes:
            sizes, since = now, time.monotonic()
        elif time.monotonic() - since > 0.7:
            return
        time.sleep(0.1)


def same_names():
    """Functions by one name each: a tracer may choose any of several that stand for one address."""
    names, chosen = collections.defaultdict(set), {}
    for line in pathlib.Path("/proc/kallsyms").read_text().splitlines():
        address, kind, name, *_ = line.split()
        if kind in "tTwW":
            names[address].add(name)
    for aliases in names.values():
        if len(aliases) > 1:
            chosen.update((alias, min(aliases)) for alias in aliases)
    return chosen


def by_skb(hits):
    found = collections.defaultdict(list)
    for hit in hits:
        found[hit.skb].append(hit)
    return found


def aligned(left, right):
    """For each hit of `left`, both about one skb: the number of the same call in `right`, or None."""
    left, right = ([hit.func for hit in side] for side in (left, right))
    # longest[i][j]: the longest common subsequence of left[i:] and right[j:].
    longest = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i in range(len(left) - 1, -1, -1):
        row, below, name = longest[i], longest[i + 1], left[i]
        for j in range(len(right) - 1, -1, -1):
            row[j] = below[j + 1] + 1 if name == right[j] else max(below[j], row[j + 1])
    partner, i, j = [None] * len(left), 0, 0
    while i < len(left) and j < len(right):
        if longest[i][j] == longest[i + 1][j]:
            i += 1      # skipped as early as possible: what is missing comes before what is there
        elif longest[i][j] == longest[i][j + 1]:
            j += 1
        else:
            partner[i] = j
            i, j = i + 1, j + 1
    return partner


def lacking(theirs, ours, is_of_exchange):
    """What pwru shows and ours does not: (hits that count, hits left over from an address's earlier packet)."""
    missing, left_over = [], []
    ours = by_skb(ours)
    for skb, hits in by_skb(theirs).items():
        own = ours.get(skb, [])
        own_names, their_names = (collections.Counter(hit.func for hit in side) for side in (own, hits))
        partner = aligned(hits, own)
        for i, hit in enumerate(hits):
            # Two CPUs may be seen in different order: then the numbers agree although the sequences do not.
            if partner[i] is not None or their_names[hit.func] <= own_names[hit.func]:
                continue
            before = next((p for p in reversed(partner[:i]) if p is not None), None)
            between_packets = before is None or own[before].func in ENDS or (
                before + 1 < len(own) and own[before + 1].packet != own[before].packet)
            strange = not (hit.tuple and is_of_exchange(hit.tuple))
            (left_over if strange and between_packets else missing).append(hit)
    return missing, left_over


def before_entry(everywhere, entry):
    """Hits of `everywhere` that `entry` lacks: (before the packet's first hit there, after that, of other packets)."""
    entry = by_skb(entry)
    partners = {skb: iter(aligned(hits, entry.get(skb, []))) for skb, hits in by_skb(everywhere).items()}
    early, late, found = [], [], set()
    for hit in everywhere:
        if next(partners[hit.skb]) is not None:
            found.add(hit.packet)
        else:
            (late if hit.packet in found else early).append(hit)
    return [hit for hit in early if hit.packet in found], late, [hit for hit in early if hit.packet not in found]


def names_of(hits):
    return {hit.func for hit in hits}


def probed_functions():
    """How many probes each function has now."""
    probes = collections.Counter()
    for line in pathlib.Path("/sys/kernel/debug/kprobes/list").read_text().splitlines():
        probes[line.split()[2].partition("+")[0]] += 1
    for line in pathlib.Path("/sys/kernel/tracing/enabled_functions").read_text().splitlines():
        if found := re.match(r"(\S+)(?: \[\S+\])? \((\d+)\)", line):
            probes[found.group(1)] += int(found.group(2))
    return probes


def listed(names):
    names = sorted(names)
    return ", ".join(names[:60]) + (f" and {len(names) - 60} more" if len(names) > 60 else "") or "none"


class Oracle:
    """Compares what the three say about one exchange after the other."""

    def __init__(self, peer, everywhere, entry):
        self._tails = [Tail(one.stdout_path) for one in (peer, everywhere, entry)]
        self._peer = peer
        self._aliases = same_names()
        self.peer_pairs = self.our_pairs = 0
        self.missing, self.beyond, self.before, self.left_over = set(), set(), set(), collections.Counter()

    def _observe(self, exchange):
        settle(self._tails)
        for tail in self._tails:
            tail.take()
        exchange()
        settle(self._tails)
        hits = (parse(tail.take()) for parse, tail in zip((self._peer.hits, our_hits, our_hits), self._tails))
        return [[hit._replace(func=self._aliases.get(hit.func, hit.func)) for hit in one] for one in hits]

    def ask(self, name, exchange, form):
        never_seen, never_late, lost = None, None, None
        for attempt in range(1, REPETITIONS + 1):
            theirs, everywhere, entry = self._observe(exchange)
            missing, left_over = lacking(theirs, everywhere, re.compile(form).search)
            early, late, lost = before_entry(everywhere, entry)
            never_seen = names_of(missing) & (names_of(missing) if never_seen is None else never_seen)
            never_late = names_of(late) & (names_of(late) if never_late is None else never_late)
            print(f"# {name}, {attempt}: hits of pwru {len(theirs)}, all {len(everywhere)}, entry {len(entry)}; "
                  f"missing {listed(names_of(missing))}; missing behind entry {listed(names_of(late))}; "
                  f"left over {len(left_over)}", flush=True)
            explain(theirs, everywhere, entry, missing, left_over)
            self.before |= names_of(early) | names_of(lost)
            self.left_over.update(hit.func for hit in left_over)
            self.beyond |= names_of(everywhere) - names_of(theirs)
            if not never_seen and not never_late and not lost:
                break
        pairs = {hit[:2] for hit in theirs} - {hit[:2] for hit in left_over}
        self.peer_pairs += len(pairs)
        self.our_pairs += len({hit[:2] for hit in everywhere})
        self.missing |= never_seen
        lab.check(f"{name}: pwru shows packets", pairs, self._peer.stderr)
        lab.check(f"{name}: --filter-at all shows all that pwru shows", not never_seen, listed(never_seen))
        lab.check(f"{name}: --filter-at entry lacks nothing behind a packet's entry point", not never_late,
                  listed(never_late))
        lab.check(f"{name}: --filter-at entry follows every packet", not lost, listed(names_of(lost)))


def explain(theirs, everywhere, entry, missing, left_over):
    """Every hit of an exchange, for who wants to know why one is missing."""
    if not os.environ.get("SKBTRAIL_ORACLE_HITS"):
        return
    marks = {**{hit: "+" for hit in left_over}, **{hit: "*" for hit in missing}}
    with open(lab.OUT / "oracle.txt", "a", encoding="utf-8") as file:
        for title, hits in (("pwru", theirs), ("all", everywhere), ("entry", entry)):
            print(f"==== {title}", file=file)
            for hit in hits:
                print(marks.get(hit, " ") if title == "pwru" else " ", *hit, file=file)


def known_before_entry():
    """The functions that the documentation lists as not shown by default."""
    section = DOC.read_text(encoding="utf-8").partition("## Before the entry point")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `(\w+)`", section, re.MULTILINE))


def compare_discovery(probed, modules):
    """Every function that pwru attached to is one that skbtrail can trace."""
    kmods = ["--kmods", ",".join(modules)] if modules else []
    report = json.loads(lab.run("skbtrail", "check", "--functions", "--refused", "-o", "json", *kmods).stdout)
    ours = {one["name"] for one in report["functions"]["attachable_functions"]}
    refused = {one["name"]: one["reason"] for one in report["functions"]["refused_functions"]}
    unknown = sorted(probed - ours)
    print(f"# pwru attached to {len(probed)} functions, skbtrail can trace {len(ours)}", flush=True)
    lab.check("skbtrail can trace every function that pwru attaches to", probed and not unknown,
              *(f"{name}: {refused.get(name, 'not found')}" for name in unknown))


# pwru's flags with a value each, as its users write them.
FLAGS = {
    "--all-kmods": [None],
    "--backend": ["kprobe", "kprobe-multi"],
    "--filter-func": ["ip_.*"],
    "--filter-ifname": ["lo"],
    "--filter-mark": ["7", "0x7", "0x7/0xff"],
    "--filter-netns": ["/proc/self/ns/net", f"inode:{os.stat('/proc/self/ns/net').st_ino}"],
    "--filter-track-skb": [None],
    "--kernel-btf": ["/sys/kernel/btf/vmlinux"],
    "--kmods": ["veth", "veth,vxlan"],
    "--output-file": ["/dev/null"],
    "--output-limit-lines": ["5"],
    "--output-meta": [None],
    "--output-stack": [None],
    "--output-tuple": [None],
    "--timestamp": ["current", "relative", "absolute", "none"],
}
LATER_FLAGS = {     # of newer releases of pwru than Debian's, or not in its --help
    "--output-caller": [None],
    "--output-json": [None],
    "--output-tcp-flags": [None],
    "--ready-file": ["/dev/shm/ready"],
}
NOT_TAKEN = {"--filter-trace-tc", "--output-skb"}


def check_flags():
    usage = lab.run(lab.pwru(), "--help", check=False)
    flags = set(re.findall(r"^\s+(?:-\w, )?(--[\w-]+)", usage.stdout + usage.stderr, re.MULTILINE))
    flags -= {"--help", "--version"}
    known = FLAGS.keys() | NOT_TAKEN
    lab.check("every flag of pwru is one that skbtrail takes, or known not to be", flags == known,
              f"new {listed(flags - known)}, gone {listed(known - flags)}")
    spellings = [[words for value in values for words in spellings_of(flag, value)]
                 for table in (FLAGS, LATER_FLAGS) for flag, values in table.items()]
    misunderstood = []
    for number in range(max(map(len, spellings))):
        words = sum((one[number % len(one)] for one in spellings), [])
        # The duration is what is wrong, and looked at behind the other flags: nothing is attached. The filter stands
        # where a flag that takes more than its value would swallow it.
        said = lab.run("skbtrail", "trace", "--duration", "never", *words, "icmp", check=False)
        if said.returncode == 0 or "duration 'never'" not in said.stderr:
            misunderstood += [" ".join(words), said.stderr]
    lab.check("skbtrail trace takes pwru's flags in pwru's spelling", not misunderstood, *misunderstood)


def spellings_of(flag, value):
    if value is None:
        return [[flag], [f"{flag}=true"]]
    return [[flag, value], [f"{flag}={value}"]]


def main():
    if not lab.pwru():
        lab.skip("the oracle", "SKBTRAIL_PWRU")
        lab.finish()
    check_flags()
    with contextlib.ExitStack() as stack:
        bench = stack.enter_context(Bench())
        modules = [name for name in MODULES if os.path.exists(f"/sys/kernel/btf/{name}")]
        shared = ["--filter-track-skb", *(["--kmods", ",".join(modules)] if modules else []), FILTER]
        ours = [lab.Trace("--probes", "all", "--filter-at", at, *shared, ready_deadline=READY_DEADLINE)
                for at in ("all", "entry")]
        with concurrent.futures.ThreadPoolExecutor(len(ours)) as pool:
            list(pool.map(stack.enter_context, ours))
        for at, trace in zip(("all", "entry"), ours):
            print(f"# --filter-at {at}: attached in {trace.attach_seconds:.1f} s", flush=True)
        before = probed_functions()
        peer = stack.enter_context(Peer(*shared))
        print(f"# pwru attached in {peer.attach_seconds:.1f} s", flush=True)
        compare_discovery(set(probed_functions() - before), modules)
        oracle = Oracle(peer, *ours)
        for name, exchange, form in bench.exchanges():
            with lab.test(f"{name}: the exchange works"):
                oracle.ask(name, exchange, form)
        for trace in ours:
            trace.stop()
            print("# " + trace.stderr.strip().replace("\n", "\n# "), flush=True)
            lab.check("nothing was lost", trace.totals and trace.totals.lost == 0, trace.totals)
        lab.check("every line of pwru was understood", not peer.unparsed, *peer.unparsed[:5])
        print(f"# pairs of packet and function: pwru {oracle.peer_pairs}, skbtrail {oracle.our_pairs}")
        print(f"# missing: {listed(oracle.missing)}")
        print(f"# left over: {listed(oracle.left_over)}")
        print(f"# beyond pwru: {listed(oracle.beyond)}")
        print(f"# before the entry point: {listed(oracle.before)}")
        new = oracle.before - known_before_entry()
        lab.check("docs/functions.md names every function that is met before the entry point", not new, listed(new))
    lab.finish()


if __name__ == "__main__":
    main()
