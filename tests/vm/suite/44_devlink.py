#!/usr/bin/env python3
"""What a device drops by itself, told by devlink traps: the kernel's netdevsim pretends to be one that does."""

import contextlib
import json
import os
import pathlib

import suite_lib as lab

DROPS, FAILURES = "skbtrail_device_trap_drops_total", "skbtrail_device_trap_read_failures_total"
BUS = pathlib.Path("/sys/bus/netdevsim")
DRIVER_FAILS = pathlib.Path("/sys/kernel/debug/netdevsim/netdevsim1/fail_trap_drop_counter_get")
DEVICE = "netdevsim/netdevsim1"
DROP, OTHER_DROP, EXCEPTION = "source_mac_is_multicast", "vlan_tag_mismatch", "fid_miss"
IN_TIME = 30     # seconds for what takes one


@contextlib.contextmanager
def netdevsim():
    """What is lacking for the module, or None while it is loaded. Debian's kernels have none: the lab builds it."""
    built = os.environ.get("SKBTRAIL_NETDEVSIM")
    if BUS.exists() or lab.load_module("netdevsim"):
        yield None
    elif not built:
        yield "the module netdevsim: " + os.environ.get("SKBTRAIL_NETDEVSIM_LACK",
                                                        "the lab builds it for Linux 6.12 (run with --with-netdevsim)")
    else:
        for needed in lab.run("modinfo", "-F", "depends", built).stdout.strip().split(","):
            lab.load_module(needed)
        lab.run("insmod", built)
        try:
            yield None
        finally:
            lab.run("rmmod", "netdevsim")


@contextlib.contextmanager
def device():
    """A device with traps; while a port of it is up, each trap in action `trap` is met ten times a second."""
    (BUS / "new_device").write_text("1 1", encoding="ascii")
    try:
        ports = lab.wait_until(lambda: list(BUS.glob("devices/netdevsim1/net/*")), IN_TIME)
        lab.run("ip", "link", "set", ports[0].name, "up")
        yield ports[0].name
    finally:
        (BUS / "del_device").write_text("1", encoding="ascii")


def set_action(trap, action):
    lab.run("devlink", "trap", "set", DEVICE, "trap", trap, "action", action)


def shown(trap):
    """{counter: packets} as the tool tells it."""
    said = json.loads(lab.run("devlink", "-js", "trap", "show", DEVICE, "trap", trap).stdout)
    return {f"rx_{name}": value for name, value in said["trap"][DEVICE][0]["stats"]["rx"].items()}


def of_trap(samples, trap):
    return {dict(sample.labels)["counter"]: value for sample, value in samples.items() if sample.name == DROPS and
            {("device", DEVICE), ("trap", trap)} <= sample.labels}


def met(agent):
    """The traps are met until there are some packets, and the agent has seen them; what devlink says of each then."""
    for trap in (DROP, EXCEPTION):
        set_action(trap, "trap")
    lab.wait_until(lambda: all(shown(trap)["rx_packets"] >= 5 for trap in (DROP, EXCEPTION)), IN_TIME, every=0.3)
    early = agent.scrape()
    lab.wait_until(lambda: shown(DROP)["rx_packets"] >= 10, IN_TIME, every=0.3)
    set_action(DROP, "drop")
    return early, agent.scrape(), shown(DROP)


def test_counts(agent):
    before = agent.scrape()
    lab.check("without a device there is no series", not any(sample.name == DROPS for sample in before), before)
    with device() as port:
        early, late, truth = met(agent)
        seen = of_trap(late, DROP)
        lab.check("a trap's packets are counted as often as devlink says",
                  truth["rx_packets"] >= 10 and seen.get("rx_packets") == truth["rx_packets"], seen, truth)
        lab.check("and grow with them", 0 < of_trap(early, DROP)["rx_packets"] <= seen["rx_packets"], early, seen)
        lab.check("a trap that nothing meets has no series of packets", "rx_packets" not in of_trap(late, OTHER_DROP),
                  of_trap(late, OTHER_DROP))
        lab.check("packets that the kernel handles after all are no drops", "rx_packets" not in of_trap(late, EXCEPTION),
                  of_trap(late, EXCEPTION))
        name = "what the device does not show is counted too"
        if "rx_dropped" not in truth:
            lab.skip(name, "counters of drops in netdevsim (Linux 5.14)")
        else:       # netdevsim makes one more up for whoever asks
            lab.check(name, 0 < seen.get("rx_dropped", 0) <= truth["rx_dropped"], seen, truth)
        labels = {frozenset(name for name, _ in sample.labels) for sample in late if sample.name == DROPS}
        lab.check("series are by device, trap and counter", labels == {frozenset(("device", "trap", "counter"))}, labels)
        report = json.loads(lab.run("skbtrail", "check", "-o", "json", check=False).stdout)
        lab.check("skbtrail check knows that a device has traps", feature(report)["available"], feature(report))
        lab.run("ip", "link", "set", port, "down")
    gone = agent.scrape()
    lab.check("when the device is gone its counts stay", of_trap(gone, DROP).get("rx_packets") == seen["rx_packets"],
              of_trap(gone, DROP), seen)
    with device():
        _, again, anew = met(agent)
        total = seen["rx_packets"] + anew["rx_packets"]
        lab.check("one of the same name goes on from there", of_trap(again, DROP)["rx_packets"] == total,
                  of_trap(again, DROP), seen, anew)
        lab.check("no reading failed", failures(again) == [0], failures(again))
        test_failing(agent, total)


def test_failing(agent, total):
    """The kernel does not say that a driver failed: it ends its answer as if there were no more traps."""
    names = "a driver that fails is counted", "its traps keep their counts", "and go on from there when it tells again"
    if not DRIVER_FAILS.exists():
        for name in names:
            lab.skip(name, "counters of drops in netdevsim (Linux 5.14)")
        return
    DRIVER_FAILS.write_text("Y", encoding="ascii")
    without = agent.scrape()
    DRIVER_FAILS.write_text("N", encoding="ascii")
    anew = agent.scrape()
    lab.check(names[0], failures(without) > [0], failures(without))
    lab.check(names[1], of_trap(without, DROP).get("rx_packets") == total, of_trap(without, DROP), total)
    lab.check(names[2], of_trap(anew, DROP).get("rx_packets") == total, of_trap(anew, DROP), total)


def failures(samples):
    return [value for sample, value in samples.items() if sample.name == FAILURES]


def feature(report):
    return next(one for one in report["features"] if one["name"] == "device traps")


def main():
    report = json.loads(lab.run("skbtrail", "check", "-o", "json", check=False).stdout)
    lab.check("skbtrail check says why there are no traps", not feature(report)["available"] and
              feature(report)["why_not"] in ("the kernel was built without devlink", "no device here has any"),
              feature(report))
    with netdevsim() as lacked:
        if lacked:
            lab.skip("what a device drops by itself", lacked)
        else:
            with lab.Agent() as agent:
                test_counts(agent)
    lab.finish()


main()
