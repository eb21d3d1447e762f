"""An agent that is started behind a command which takes something from it, and asked over its socket."""

import http.client
import json
import re
import socket
import urllib.error
import urllib.request

import suite_lib as lab

SESSIONS = "/apis/skbtrail.dev/v1alpha1/namespaces/shop/tracesessions"
IN_TIME = 30     # seconds for what takes one or two; emulation is slow


class UnixConnection(http.client.HTTPConnection):
    """A connection to a socket that is a file."""

    def __init__(self, path):
        super().__init__("localhost", timeout=IN_TIME)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(IN_TIME)
        self.sock.connect(self._path)


class AskedAgent(lab.Agent):
    """Behind `prefix`; its socket is in `folder`."""

    def __init__(self, prefix, folder, *arguments):
        self.socket = folder / "rest.sock"
        super().__init__("--node", "n1", "--rest-socket", self.socket, *arguments)
        self.command = [*prefix, *self.command]

    def ask(self, method, path, body=None):
        connection = UnixConnection(self.socket)
        connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
        return json.loads(connection.getresponse().read())

    def ready(self):
        """(status, page)"""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=IN_TIME) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def value(self, name):
        return value(self.scrape(), name)

    def complaints(self):
        """Its log, but for the lines that say what is served where."""
        return [line for line in self.told().splitlines() if not re.match(r"skbtrail agent: (metrics|REST) on ", line)]

    def begin(self, name, **spec):
        """Starts a session; its status once it runs or has failed."""
        self.ask("POST", SESSIONS, {"apiVersion": "skbtrail.dev/v1alpha1", "kind": "TraceSession",
                                    "metadata": {"name": name, "namespace": "shop"},
                                    "spec": {"filter": "icmp", "duration": "10m", **spec}})
        return lab.wait_until(lambda: (status := self.session(name))["phase"] in ("Running", "Failed") and status,
                              lab.READY_DEADLINE, every=0.2) or self.session(name)

    def session(self, name):
        return self.ask("GET", f"{SESSIONS}/{name}")["status"]

    def remove(self, name):
        self.ask("DELETE", f"{SESSIONS}/{name}")


def value(samples, name):
    """Of a metric without labels; None: it is not there."""
    return samples.get(lab.Sample(name, frozenset()))


# ---- of an agent whose runtime tells of the pod `a`, which lacks something

def told_once(agent, *words):
    """All it says of what it lacks is one line with these words."""
    lines = agent.complaints()
    assert len(lines) == 1 and all(word in lines[0] for word in words), lines
    print(f"    # {lines[0]}", flush=True)


def still_tells(agent):
    """Pods and interfaces are known, whatever else is not."""
    known = lab.wait_until(lambda: agent.value("skbtrail_pods") == 1, lab.READY_DEADLINE)
    names = {sample.name for sample in agent.scrape()}
    assert known and {"skbtrail_softnet_dropped_total", "skbtrail_path_packets_total"} <= names, names


def fails(agent, *words):
    status = agent.begin("blind", podNames=["a"])
    message = status["nodes"][0]["message"]
    assert status["phase"] == "Failed" and all(word in message for word in words), status
    print(f"    # {message}", flush=True)


def uncounted(what, agent, *words):
    """Neither drops nor functions: not ready, for the reason that is in the log."""
    with lab.test(f"{what}: the agent says in one line that drops are not counted, and why"):
        told_once(agent, "drops are not counted", *words)
    with lab.test(f"{what}: it is not ready, for the same reason"):
        status, page = agent.ready()
        assert status == 503 and "[-]monitor failed: " in page and all(word in page for word in words), page
    with lab.test(f"{what}: it tells of pods and interfaces"):
        assert agent.value("skbtrail_monitor_up") == 0
        still_tells(agent)
    with lab.test(f"{what}: a session fails, for the same reason"):
        fails(agent, *words)
