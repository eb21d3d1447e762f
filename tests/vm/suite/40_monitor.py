#!/usr/bin/env python3
"""The monitor against drops whose number is known: the counter with that reason rises by exactly so much, others by
none; a real Prometheus scrapes it and answers a query.

Runs on any kernel that takes the monitor, also outside of the lab.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/checks"))

import queries  # noqa: E402  pylint: disable=wrong-import-position
import suite_lib as lab  # noqa: E402
from drop_lab import BURST, CAUSES, V4, V6, Network, Traffic  # noqa: E402

HAS_REASONS = lab.kernel_version() >= (5, 17)
ROUNDS = 3
SUFFIX = f"_{os.getpid() % 100000}"     # of interfaces: tells this run's from anybody else's
NODE = "skbtrail_node_drops_total"
PODS = "skbtrail_drops_total"


class Group:
    """Drops that a kernel may not tell apart: one reason, one interface, places that overlap."""

    def __init__(self, reasons, device, places):
        self.reasons, self.device, self.places = set(reasons), device, set(places)
        self.count = 0

    def __str__(self):
        return f"{'/'.join(sorted(self.reasons))} in {'/'.join(sorted(self.places))} at {self.device}"

    def meets(self, other):
        return self.device == other.device and self.reasons & other.reasons and self.places & other.places

    def has(self, reason, place, device):
        return reason in self.reasons and place.split(".")[0] in self.places and device == self.device


def expected_groups(network, traffics):
    """What these rounds of traffic lost."""
    groups = []
    for cause in CAUSES:
        if cause.lacked or not cause.device:
            continue
        for family, places in cause.places.items():
            found = Group(cause.reason.split() if HAS_REASONS else ["NOT_SPECIFIED"], network.device(cause.device), places)
            for traffic in traffics:
                found.count += {"rcvbuf": BURST - len(traffic.kept[family]),
                                "qdisc": traffic.overlimit[family]}.get(cause.key, 1)
            for other in [group for group in groups if group.meets(found)]:
                groups.remove(other)
                found.count += other.count
                found.places |= other.places
            groups.append(found)
    return groups


# What the network's own upkeep loses in these namespaces, whatever the test does: reports of multicast membership
# that nobody listens to; before 5.17 also echo replies that raw sockets took copies of.
UPKEEP = {"ip6_mc_input"} if HAS_REASONS else {"ip6_mc_input", "icmp_rcv"}


def test_ground_truth(agent, network):
    before = agent.scrape()
    traffics = [Traffic(network) for _ in range(ROUNDS)]
    after = agent.scrape()
    grown = lab.growth(before, after, NODE, "reason", "location", "interface")
    groups = expected_groups(network, traffics)
    for group in groups:
        seen = sum(count for key, count in grown.items() if group.has(*key))
        lab.check(f"{group.count} drops: {group}".replace(SUFFIX, ""), seen == group.count, f"counted {seen:g}", grown)
    other = {key: count for key, count in grown.items() if key[2].endswith(SUFFIX) and key[1] not in UPKEEP
             and not any(group.has(*key) for group in groups)}
    lab.check("no other drops at these interfaces", not other, other)
    output = lab.growth(before, after, NODE, "reason", "interface").get(
        ("NETFILTER_DROP" if HAS_REASONS else "NOT_SPECIFIED", ""), 0)
    lab.check("drops before there is an interface", output >= 2 * ROUNDS, output)
    lab.check("drops by pod and by place are the same drops",
              sum(lab.growth(before, after, PODS, "reason").values()) == sum(grown.values()), grown)
    places = {location for location, in lab.growth(before, after, NODE, "location")}
    known = {place for cause in CAUSES if not cause.lacked for places in cause.places.values() for place in places}
    lab.check("locations are functions", all(not place.startswith("0x") for place in places) and places & known, places)
    return before, after


def raw_packet(netns, family, protocol, address, payload):
    with lab.socket_in(netns, family, socket.SOCK_RAW, protocol) as raw:
        raw.sendto(payload, (address, 0))


def test_protocols(agent, network):
    """What has no socket at all: any IP protocol, told apart by name."""
    cases = [("sctp", 132), ("gre", 47), ("other", 253)]
    for word, protocol in cases:
        if word == "sctp" and os.path.exists("/proc/net/sctp") or word == "gre" and os.path.exists("/sys/module/gre"):
            lab.skip(f"{word} packets", "a kernel without its module")
            continue
        before = agent.scrape()
        for _ in range(ROUNDS):
            raw_packet(network.client, V4, protocol, "10.2.0.2", bytes(32))
            raw_packet(network.client, V6, protocol, "fd00:2::2", bytes(32))
        after = agent.scrape()
        grown = lab.growth(before, after, PODS, "protocol", "reason", "direction")
        mine = {key: count for key, count in grown.items() if key[0] == word}
        reason = "IP_NOPROTO" if HAS_REASONS else "NOT_SPECIFIED"
        lab.check(f"{word} packets that nobody takes", mine == {(word, reason, "ingress"): 2 * ROUNDS}, mine)


def test_directions(agent, network):
    before = agent.scrape()
    traffic = Traffic(network)
    after = agent.scrape()
    grown = lab.growth(before, after, PODS, "reason", "direction")
    del traffic
    if not HAS_REASONS:
        lab.skip("directions", "drop reasons")
        return
    sent = {reason for reason, direction in grown if direction == "egress"}
    received = {reason for reason, direction in grown if direction == "ingress"}
    lab.check("what a socket or a port refuses was received", {"NO_SOCKET", "SOCKET_RCVBUFF", "TCP_CSUM"} <= received - sent,
              grown)
    lab.check("what a queue of a device refuses was sent", sent & {"QDISC_OVERLIMIT", "QDISC_DROP"} - received, grown)
    lab.check("a filter drops in both directions", ("NETFILTER_DROP", "ingress") in grown
              and ("NETFILTER_DROP", "egress") in grown, grown)


OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


def fresh_exemplars(agent, since):
    """Exemplars of a page that was made after `since`."""
    page = lab.wait_until(lambda: (text := agent.page(OPEN_METRICS)) and lab.Agent.parse(text).get(
        lab.Sample("skbtrail_collect_timestamp_seconds", frozenset()), 0) > since and text, 30, every=0.2)
    return lab.Agent.exemplars(page)


def test_exemplars(agent, network):
    """The last packet of a counter is the one that was sent last."""
    cases = [("an IPv4 datagram", V4, "10.1.0.1", "10.2.0.2"), ("an IPv6 datagram", V6, "fd00:1::1", "fd00:2::2")]
    device = network.device("veth0")
    for name, family, mine, theirs in cases:
        places = {place for cause in CAUSES if cause.key == "closed-udp" for place in cause.places[family]}
        with lab.socket_in(network.client, family) as sender:
            sender.bind((mine, 0))
            for number in range(ROUNDS):
                time.sleep(0.02)     # another tick of the kernel's timer
                sender.sendto(b"lost", (theirs, 24000 + number))
            sent = time.time()
            wanted = {"saddr": mine, "daddr": theirs, "sport": str(sender.getsockname()[1]),
                      "dport": str(24000 + ROUNDS - 1)}
        seen = {sample: one for sample, one in fresh_exemplars(agent, sent).items() if one[0].get("dport") == wanted["dport"]
                and one[0]["saddr"] == mine}
        of_node = [(one, when) for sample, (one, when) in seen.items() if sample.name == NODE and
                   ("interface", device) in sample.labels and dict(sample.labels)["location"].split(".")[0] in places]
        lab.check(f"{name} is the exemplar of the place that dropped it", len(of_node) == 1 and of_node[0][0] == wanted,
                  wanted, seen)
        of_pod = [one for sample, (one, _) in seen.items() if sample.name == PODS]
        lab.check(f"{name} is the exemplar of whose it is, with the place", len(of_pod) == 1 and
                  of_pod[0].pop("location", "").split(".")[0] in places and of_pod[0] == wanted, wanted, seen)
        lab.check(f"{name} has the time when it was dropped", all(abs(when - sent) < 1 for _, when in of_node), sent, seen)
    lab.check("text has no exemplars", not re.search("^[^#].* # ", agent.page(), re.MULTILINE))


def test_pages(agent):
    page = agent.page()
    if not shutil.which("promtool"):
        lab.skip("promtool finds no fault in the page", "promtool")
    else:
        checked = lab.run("promtool", "check", "metrics", stdin=page, check=False)
        lab.check("promtool finds no fault in the page", checked.returncode == 0, checked.stdout, checked.stderr)
    open_page = agent.page(OPEN_METRICS)
    lab.check("OpenMetrics ends as it must", open_page.endswith("# EOF\n"), open_page[-200:])
    stable = [name for name in ("skbtrail_node_drops_total", "skbtrail_series_limit")]
    texts, opens = lab.Agent.parse(page), lab.Agent.parse(open_page)
    lab.check("both forms have the same series", all(
        {sample for sample in texts if sample.name == name} == {sample for sample in opens if sample.name == name}
        for name in stable))


def test_names(agent):
    """What docs/metrics.md says is what is served; alert rules and dashboard are checked against that page."""
    said = queries.metrics_of_page((ROOT / "docs/metrics.md").read_text())
    served = {}
    for sample in lab.Agent.parse(agent.page()):
        histogram = re.sub(r"_(?:bucket|sum|count)$", "", sample.name)
        served.setdefault(histogram, set()).update(label for label, _ in sample.labels if label != "le")
    wrong = {name: sorted(labels) for name, labels in served.items() if said.get(name) != labels}
    lab.check("every metric served is in docs/metrics.md, with its labels", not wrong, wrong)
    # Of pods, of sessions, of devices with traps, of log stores and of API servers there are none here.
    needing_some = ("skbtrail_path_", "skbtrail_device_trap_", "skbtrail_session_", "skbtrail_events_lost_", "skbtrail_probes",
                    "skbtrail_push_", "skbtrail_kube_")
    absent = {name for name in said.keys() - served.keys() if not name.startswith(needing_some)}
    lab.check("every metric in docs/metrics.md is served", not absent, absent)


class Prometheus:
    """Debian's Prometheus, scraping one agent every second."""

    def __init__(self, agent):
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="prometheus-", dir="/dev/shm"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (self._folder / "prometheus.yml").write_text(json.dumps({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [{"job_name": "skbtrail",
                                "static_configs": [{"targets": [f"127.0.0.1:{agent.port}"]}]}]}))

    def __enter__(self):
        with open(self._folder / "log", "wb") as log:
            self.process = lab.start("prometheus", f"--config.file={self._folder}/prometheus.yml",
                                     f"--storage.tsdb.path={self._folder}/data", "--enable-feature=exemplar-storage",
                                     f"--web.listen-address=127.0.0.1:{self.port}", stdout=log, stderr=log)
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self._folder)

    def query(self, expression):
        """{labels: value}, None while it does not answer."""
        found = self._ask("query", query=expression)
        return found and {frozenset(one["metric"].items()): float(one["value"][1]) for one in found["result"]}

    def exemplars(self, expression):
        """Labels of each exemplar of the last hour, None while it does not answer."""
        now = time.time()
        found = self._ask("query_exemplars", query=expression, start=now - 3600, end=now + 60)
        return found and [exemplar["labels"] for one in found for exemplar in one["exemplars"]]

    def _ask(self, what, **parameters):
        address = f"http://127.0.0.1:{self.port}/api/v1/{what}?" + urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(address, timeout=20) as answer:
                return json.load(answer)["data"]
        except OSError:
            return None


def test_prometheus(agent, network):
    name = "a real Prometheus scrapes it and answers a query"
    if not shutil.which("prometheus"):
        lab.skip(name, "prometheus")
        return
    reason = "NO_SOCKET" if HAS_REASONS else "NOT_SPECIFIED"
    device = network.device("veth0")
    wanted = agent.scrape()
    total = sum(value for sample, value in wanted.items() if sample.name == NODE and
                {("reason", reason), ("interface", device)} <= sample.labels)
    expression = f'sum by (reason, interface) ({NODE}{{reason="{reason}",interface="{device}"}})'
    with Prometheus(agent) as prometheus:
        answer = lab.wait_until(lambda: prometheus.query(expression), 120, every=0.5)
        labels = frozenset({("reason", reason), ("interface", device)})
        lab.check(name, total > 0 and answer == {labels: total}, answer, total)
        found = lab.wait_until(lambda: prometheus.exemplars(f'{NODE}{{interface="{device}"}}'), 60, every=0.5)
        lab.check("and has the exemplars", found and any("dport" in one for one in found), found)


def test_interface_losses(agent):
    """What an interface of the agent's own namespace loses is told by its statistics, and as a drop."""
    ours, theirs = f"h{SUFFIX}", f"i{SUFFIX}"
    with lab.Netns() as other:
        lab.run("ip", "link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", other)
        try:
            lab.run("ip", "link", "set", ours, "up")
            other.ip("link", "set", theirs, "up")
            other.sysctl(f"net/ipv6/conf/{theirs}/disable_ipv6", 1)
            address = pathlib.Path(f"/sys/class/net/{ours}/address").read_text().strip()
            before = agent.scrape()
            with lab.socket_in(other, socket.AF_PACKET, socket.SOCK_RAW) as sender:
                sender.bind((theirs, 0))
                # 88b5 is for local experiments: nobody here takes it.
                frame = bytes.fromhex(address.replace(":", "")) + bytes(6) + bytes.fromhex("88b5") + bytes(46)
                for _ in range(ROUNDS):
                    sender.send(frame)
            after = agent.scrape()
        finally:
            lab.run("ip", "link", "delete", ours)
    lost = lab.growth(before, after, "skbtrail_interface_losses_total", "interface", "counter")
    mine = {key: count for key, count in lost.items() if key[0] == ours}
    lab.check("the interface counts frames of an unknown protocol", mine == {(ours, "rx_dropped"): ROUNDS}, mine)
    drops = lab.growth(before, after, NODE, "reason", "location", "interface")
    reason = "UNHANDLED_PROTO" if HAS_REASONS else "NOT_SPECIFIED"
    mine = {key: count for key, count in drops.items() if key[2] == ours and key[0] == reason and
            key[1].startswith("__netif_receive_skb")}
    lab.check("and they are drops there", sum(mine.values()) == ROUNDS, drops)


def test_interfaces_that_change():
    """Where pods come and go the list of interfaces changes while it is read: the page is served all the same."""
    many = [f"m{number}{SUFFIX}" for number in range(60)]
    for name in many:
        lab.run("ip", "link", "add", name, "type", "veth", "peer", "name", f"p{name}")
    changing = [f"x{number}{SUFFIX}" for number in range(2)]
    with lab.Agent() as agent, contextlib.ExitStack() as changes:
        for name in changing:
            command = f"while :; do ip link add {name} type veth peer name p{name}; ip link delete {name}; done"
            changes.enter_context(lab.background("sh", "-c", command))
        pages = [agent.scrape() for _ in range(6)]
    for name in [*many, *changing]:
        lab.run("ip", "link", "delete", name, check=False)
    broken_off = [page[lab.Sample("skbtrail_interface_read_failures_total", frozenset())] for page in pages]
    print(f"    # readings that were broken off: {broken_off}", flush=True)
    lab.check("every page is served while interfaces come and go", len(pages) == 6, agent.stderr)


def test_overflow(network):
    """A table with room for 64 rows meets more than that: nothing is lost uncounted, and the overflow says so."""
    protocols = range(143, 243)     # nobody's; each is a row of its own
    reason = "IP_NOPROTO" if HAS_REASONS else "NOT_SPECIFIED"
    with lab.Agent("--drop-entries", 64) as agent:
        before = agent.scrape()
        for _ in range(2):
            for protocol in protocols:
                raw_packet(network.client, V4, protocol, "10.2.0.2", bytes(32))
        full = agent.scrape()
        raw_packet(network.client, V4, protocols[0], "10.2.0.2", bytes(32))
        after = agent.scrape()
    grown = lab.growth(before, full, PODS, "reason", "protocol")
    seen = sum(count for (why, protocol), count in grown.items() if why == reason and
               protocol in ("other", "__overflow__"))
    # Outside of the lab, or where the kernel tells no reasons, there may be others.
    alone = HAS_REASONS and "SKBTRAIL_LAB_KERNEL" in os.environ
    lab.check("no drop is lost when the table is full", seen == 2 * len(protocols) if alone else
              seen >= 2 * len(protocols), grown)
    lost = lab.growth(before, full, "skbtrail_monitor_losses_total", "cause")
    over = sum(count for (_, protocol), count in grown.items() if protocol == "__overflow__")
    lab.check("what found no room is told as such", set(lost) == {("table_full",)} and
              lost[("table_full",)] == over >= 2 * (len(protocols) - 64), lost, grown)
    lab.check("by node and by pod it is the same", sum(lab.growth(before, full, NODE, "reason").values()) ==
              sum(grown.values()), grown)
    back = [sample for first, second in ((before, full), (full, after)) for sample, value in first.items()
            if sample.name in (PODS, NODE) and second.get(sample, 0) < value]
    lab.check("no counter goes backwards when the table is full or exchanged", not back, back)
    again = lab.growth(full, after, PODS, "reason", "protocol")
    lab.check("the full table was exchanged, and there is room again", again.get((reason, "other"), 0) >= 1 and
              lab.growth(before, after, "skbtrail_drop_table_changes_total"), again)


def test_own_cost(network):
    """What the kernel says of our program, while somebody has asked it to keep count."""
    stats = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")
    if not stats.exists():
        lab.skip("the program's runs are told", "kernel.bpf_stats_enabled")
        return
    before = stats.read_text()
    with lab.Agent() as agent:
        first = agent.scrape()
        stats.write_text("1")
        try:
            for _ in range(5):
                raw_packet(network.client, V4, 253, "10.2.0.2", bytes(32))
            second = agent.scrape()
        finally:
            stats.write_text(before)
    runs = lab.growth(first, second, "skbtrail_bpf_runs_total", "program").get(("monitor_drop",), 0)
    spent = lab.growth(first, second, "skbtrail_bpf_run_seconds_total", "program").get(("monitor_drop",), 0)
    lab.check("the program's runs are told", runs >= 5 and 0 < spent < 1, runs, spent)


def test_refusals():
    """One line with the cause and the cure, and the exit status that says whose fault it is."""
    cases = (("an address without a port", ["--metrics-listen", "127.0.0.1"], 2, "such as"),
             ("an address of somebody else", ["--metrics-listen", "203.0.113.1:9464"], 1, "203.0.113.1:9464"),
             ("no room at all", ["--drop-entries", "1"], 2, "64 to 1048576"))
    for name, arguments, status, words in cases:
        done = lab.run("skbtrail", "agent", *arguments, check=False)
        lab.check(f"the agent refuses: {name}", done.returncode == status and done.stderr.count("\n") == 1 and
                  words in done.stderr and not done.stdout, done.returncode, done.stderr)


def test_series_limit():
    with lab.Agent("--max-series", 100) as agent:
        first = agent.scrape()
        lab.check("the limit is told", first[lab.Sample("skbtrail_series_limit", frozenset())] == 100)
    lab.check("SIGTERM ends the agent with status 0", agent.status == 0, agent.status, agent.stderr)


def main():
    for module in ("nf_tables",):
        lab.load_module(module)
    network = Network(SUFFIX)
    time.sleep(3)       # the first seconds of an interface lose multicast that nobody listens to yet
    with lab.Agent() as agent:
        test_ground_truth(agent, network)
        test_protocols(agent, network)
        test_directions(agent, network)
        test_interface_losses(agent)
        test_exemplars(agent, network)
        test_pages(agent)
        test_names(agent)
        test_prometheus(agent, network)
        lost = {sample: value for sample, value in agent.scrape().items()
                if sample.name == "skbtrail_monitor_losses_total" and value}
        lab.check("nothing was lost by the monitor itself", not lost, lost)
    lab.check("SIGTERM ends the agent with status 0", agent.status == 0, agent.status, agent.stderr)
    test_interfaces_that_change()
    test_overflow(network)
    test_own_cost(network)
    test_refusals()
    test_series_limit()
    network.delete()
    lab.finish()


main()
