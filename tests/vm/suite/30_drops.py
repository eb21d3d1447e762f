#!/usr/bin/env python3
"""Drops whose cause is known: each is reported once, with the reason and the place that the kernel itself gives.

Every cause is produced in each of several traces, which differ in their probes: drops must not depend on those. What
the kernel says is read from its own histogram of the kfree_skb tracepoint, what its reasons are called from the
tracepoint's format.
"""

import collections
import time

import suite_lib as lab
from drop_lab import (BURST, CAUSES, DELIVERED, FIRST_SENDER, HAS_HISTOGRAMS, PORT, REASONS, V4, V6, KernelDrops, Network,
                      Traffic)

def key_of(event):
    return event["drop"]["location"].split(" ")[0], int(event["skb"], 16), event["drop"]["reason"]


# ---- the tests

def family_name(family):
    return "IPv4" if family == V4 else "IPv6"


def expect(label, cause, family, trace, network, traffic):
    """All that holds for the drops of one cause in one trace."""
    drops = [event for event in trace.events if event["type"] == "drop" and event["tuple"]
             and event["tuple"]["dport"] == PORT[family][cause.key]]
    with lab.test(f"{label}: {cause.name}, {family_name(family)}"):
        if cause.lacked:
            raise lab.Skip(cause.lacked)
        check_count(cause, family, traffic, drops)
        for event in drops:
            check_drop(event, cause, family, network)
            check_path(event, label, trace)


def check_count(cause, family, traffic, drops):
    told = sorted(event["tuple"]["sport"] for event in drops)
    if cause.key == "rcvbuf":
        first = FIRST_SENDER["rcvbuf"][family]
        senders = set(range(first, first + BURST))
        assert traffic.kept[family] and traffic.kept[family] < senders, traffic.kept
        lost = sorted(senders - traffic.kept[family])
        assert told == lost, f"told {told}, lost {lost}"
    elif cause.key == "qdisc":
        # Which packets pass is a matter of time; how many did not, the queue itself counts, and with them what the
        # kernel's neighbour and multicast discovery happens to send there meanwhile.
        count = traffic.overlimit[family]
        assert len(told) == len(set(told)), f"told twice: {told}"
        assert 5 < len(told) and count - 2 <= len(told) <= count, f"{count} lost, told {told}"
    else:
        assert len(told) == 1, f"{len(told)} drops: {drops}"


def check_drop(event, cause, family, network):
    name = event["func"].split(".")[0]
    assert name in cause.places[family], f"at {event['func']}, not {cause.places[family]}"
    if REASONS:
        assert event["drop"]["reason"] in cause.reason.split(), event
        assert event["drop"]["subsystem"] == "core", event
    else:
        assert event["drop"]["reason"] is None, event
    assert event["netns"] == getattr(network, cause.where).inode, event
    assert event["ifname"] == cause.device, event
    assert event["drop"]["location"].startswith(f"{event['func']}+0x{event['offset']:x}"), event
    assert event["tuple"]["l4"] == ("tcp" if "tcp" in cause.key else "udp"), event


def check_path(event, label, trace):
    """The drop belongs to the packet that was followed from its sender on, and ends it."""
    hops = trace.packets()[event["packet"]]
    assert [hop["type"] for hop in hops].count("drop") == 1, hops
    if label == "drops":
        assert hops == [event], hops
        return
    assert hops[0]["type"] == "hop", hops
    # Where the filter matched is told when that function is.
    assert hops[0].get("first") or label == "some functions", hops
    later = {hop["func"] for hop in hops if hop["seq"] > event["seq"] and hop["skb"] == event["skb"]}
    assert not {name for name in later if not name.startswith(FREEING)}, later


# What may follow a drop.
FREEING = ("skb_release_", "kfree_skb", "__kfree_skb", "skb_free_head", "napi_skb_cache_put", "sock_wfree")


def run_one(label, network, *arguments):
    with lab.Trace(*arguments) as trace:
        time.sleep(0.3)
        with KernelDrops() as kernel:
            traffic = Traffic(network)
            time.sleep(0.3)
    print(f"# {label}: {len(trace.events)} events, attached in {trace.attach_seconds:.1f} s, "
          f"gone in {trace.detach_seconds:.1f} s; kernel counted {sum(kernel.seen.values())} drops", flush=True)
    for cause in CAUSES:
        for family in cause.places:
            expect(label, cause, family, trace, network, traffic)
    ours = {port for family in (V4, V6) for port in PORT[family].values()}
    mine = collections.Counter(key_of(event) for event in trace.events if event["type"] == "drop" and event["tuple"]
                               and event["tuple"]["dport"] in ours)
    name = f"{label}: the kernel's own tracepoint has every drop, at the same place and for the same reason"
    if HAS_HISTOGRAMS:
        lab.check(name, mine and not mine - kernel.seen, mine - kernel.seen, kernel.seen)
    else:
        lab.skip(name, "CONFIG_HIST_TRIGGERS")
    wrong = [event for event in trace.events if event["type"] == "drop" and event["tuple"]
             and {event["tuple"]["sport"], event["tuple"]["dport"]} & set(DELIVERED.values())]
    lab.check(f"{label}: what was delivered is not a drop", not wrong, *wrong)
    lab.check(f"{label}: nothing was lost", trace.status == 0 and trace.totals and trace.totals.lost == 0, trace.stderr)
    return trace, kernel


def main():
    network = Network()
    ports = "portrange 20000-23999"
    lab.check("the kernel names its drop reasons from 5.17 on", bool(REASONS) == (lab.kernel_version() >= (5, 17)))
    # Without a filter: then the kernel's count and ours are the same.
    trace, kernel = run_one("drops", network, "--probes", "drops")
    mine = collections.Counter(key_of(event) for event in trace.events)
    name = "without a filter every drop that the kernel counts is told"
    if HAS_HISTOGRAMS:
        lab.check(name, kernel.seen and not kernel.seen - mine, kernel.seen - mine)
    else:
        lab.skip(name, "CONFIG_HIST_TRIGGERS")
    run_one("path", network, "--probes", "path", ports)
    if lab.kernel_version() >= (6, 2):
        run_one("all", network, "--probes", "all", ports)
    else:
        run_one("some functions", network, "--probes", "all", "--filter-func", "ip6?_output|ip6?_forward|nf_hook_slow",
                ports)
    network.delete()
    lab.finish()


main()
