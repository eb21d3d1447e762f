#!/usr/bin/env python3
"""The wall clock is set forward and back by an hour while an agent traces: sessions last as long as they should, events
have the time that it is, and nothing stands still or runs wild."""

import calendar
import contextlib
import http.client
import json
import pathlib
import tempfile
import time

import suite_lib as lab
from agent_lab import IN_TIME, UnixConnection

SESSIONS = "/apis/skbtrail.dev/v1alpha1/clustertracesessions"
HOUR = 3600
DURATION = 75
KEPT = 10


class Rest:
    """The agent's API over its socket."""

    def __init__(self, path):
        self._path = path

    def ask(self, method, path, body=None):
        """(status, object)"""
        with contextlib.closing(UnixConnection(self._path)) as connection:
            connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def start(self, name, **spec):
        status, made = self.ask("POST", SESSIONS, {
            "apiVersion": "skbtrail.dev/v1alpha1", "kind": "ClusterTraceSession", "metadata": {"name": name},
            "spec": {"hostNetwork": True, "filter": "icmp", **spec}})
        lab.check(f"session {name} is taken", status == 201, made)

    def phase(self, name):
        """None: it is forgotten."""
        status, found = self.ask("GET", f"{SESSIONS}/{name}")
        return found["status"].get("phase") if status == 200 else None

    def is_over(self, name):
        return self.phase(name) == "Completed"


def set_clock(by):
    time.clock_settime(time.CLOCK_REALTIME, time.time() + by)


def time_of(event):
    return calendar.timegm(time.strptime(event["ts"][:19], "%Y-%m-%dT%H:%M:%S"))


def cpu_seconds(agent):
    fields = pathlib.Path(f"/proc/{agent.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def hops(agent):
    return [line for line in agent.lines() if line["type"] == "hop"]


def events_of_now(agent, when):
    """Events that come from now on have the time that it is."""
    time.sleep(1)  # an agent may take as long to see that the clock was set
    known = len(hops(agent))
    lab.run("ping", "-c2", "-W5", "127.0.0.1")
    new = lab.wait_until(lambda: hops(agent)[known:], IN_TIME) or []
    off = [time_of(event) - time.time() for event in new]
    lab.check(f"{when}: events have the time that it is", new and max(map(abs, off)) < IN_TIME, len(new), off[:5])


def share_of_cpu(agent):
    """What it takes of a CPU now."""
    before, started = cpu_seconds(agent), time.monotonic()
    time.sleep(4)
    return (cpu_seconds(agent) - before) / (time.monotonic() - started)


def at_rest(agent, when, usual):
    """Loops turn, and turn no more often than before."""
    share = share_of_cpu(agent)
    lab.check(f"{when}: nothing runs wild", share < 2 * usual + 0.3, f"{share:.2f} of a CPU, {usual:.2f} before")
    page = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=IN_TIME)
    with contextlib.closing(page):
        page.request("GET", "/healthz")
        answer = page.getresponse()
        text = answer.read()
    lab.check(f"{when}: nothing stands still", answer.status == 200, text)
    lab.check(f"{when}: counters are read", agent.scrape())


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="clock-", dir="/dev/shm"))
    lab.run("ip", "link", "set", "lo", "up")
    rest = Rest(folder / "rest.sock")
    moved = 0
    with lab.Agent("--node", "n1", "--rest-socket", folder / "rest.sock") as agent:
        try:
            rest.start("long", duration=f"{DURATION}s", maxEvents=100000)
            lab.check("it runs", lab.wait_until(lambda: rest.phase("long") == "Running", lab.READY_DEADLINE))
            started = time.monotonic()
            events_of_now(agent, "before")
            usual = share_of_cpu(agent)
            for by, when in ((HOUR, "an hour forward"), (-2 * HOUR, "two hours back")):
                set_clock(by)
                moved += by
                lab.check(f"{when}: the session runs on", rest.phase("long") == "Running")
                events_of_now(agent, when)
                at_rest(agent, when, usual)
            over = lab.wait_until(lambda: rest.is_over("long"), DURATION + IN_TIME)
            took = time.monotonic() - started
            lab.check("the session lasts as long as it should", over and DURATION - 5 < took < DURATION + IN_TIME,
                      f"{took:.1f} s", rest.phase("long"))
            # By REST nobody else deletes what has ended: its time begins with its end.
            rest.start("kept", duration="1s", ttlSecondsAfterFinished=KEPT)
            lab.check("a short one ends", lab.wait_until(lambda: rest.is_over("kept"), lab.READY_DEADLINE))
            ended = time.monotonic()
            set_clock(HOUR)
            moved += HOUR
            time.sleep(KEPT / 3)
            lab.check("what has ended is not forgotten because it is later now", rest.is_over("kept"), rest.phase("kept"))
            gone = lab.wait_until(lambda: rest.phase("kept") is None, KEPT + IN_TIME)
            took = time.monotonic() - ended
            lab.check("it is forgotten when its time is over", gone and KEPT - 2 < took, f"{took:.1f} s")
        finally:
            set_clock(-moved)
    lab.check("the agent ends well", agent.status == 0, agent.status, agent.stderr)
    lab.finish()


main()
