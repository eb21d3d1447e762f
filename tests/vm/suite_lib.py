"""What kernel suites share: reporting, waiting, network namespaces, and a trace that is started, read and checked.

    import suite_lib as lab

    with lab.NetnsPair() as pair, lab.Trace("icmp", "--netns", pair.left.path) as trace:
        lab.run("ping", "-c1", pair.right.v4, netns=pair.left)
    lab.check("every packet is counted", trace.totals.packets == 2, trace.totals)
    lab.finish()
"""

import collections
import contextlib
import ctypes
import dataclasses
import itertools
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request

OUT = pathlib.Path(os.environ.get("SKBTRAIL_OUT") or tempfile.gettempdir())
READY_DEADLINE = 120    # seconds until probes are attached; 5.10 attaches them one by one, under emulation
STOP_DEADLINE = 240     # and detaches them likewise
USUAL_PACE = 0.9        # seconds for the work of `pace`, on a machine where the bounds of suites hold with half to spare
_failures = []
_libc = ctypes.CDLL(None, use_errno=True)


# ---- reporting

def ok(name):
    print(f"ok - {name}", flush=True)


def not_ok(name, *why):
    """Reports a failed test; `why` says what was seen instead."""
    _failures.append(name)
    print(f"not ok - {name}", flush=True)
    for part in why:
        for line in str(part).splitlines() or [""]:
            print(f"    {line}", flush=True)


def skip(name, lacked):
    print(f"skip - {name}: lacked {lacked}", flush=True)


def check(name, passed, *why):
    """Reports `name` as passed or failed, and hands `passed` back."""
    if passed:
        ok(name)
    else:
        not_ok(name, *why)
    return bool(passed)


@contextlib.contextmanager
def test(name):
    """One test as a block: it fails by an exception or a failed assert, and the suite goes on with the next."""
    try:
        yield
    except Skip as reason:
        skip(name, reason)
    except Exception as error:  # pylint: disable=broad-except
        not_ok(name, "".join(traceback.format_exception(error)))
    else:
        ok(name)


class Skip(Exception):
    """Raised inside `test` with what the machine lacks."""


def finish():
    """Ends the suite: with status 1 when a test failed."""
    sys.exit(1 if _failures else 0)


# ---- waiting and running

def wait_until(condition, deadline, every=0.05):
    """Polls `condition` until it gives something true, for `deadline` seconds at most; hands its last value back."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value or time.monotonic() >= end:
            return value
        time.sleep(every)


def pace():
    """How many times slower than a usual one this machine is now, beside all that it does: 1 at least."""
    started = time.monotonic()
    for _ in range(20):
        subprocess.run(["true"], check=True)
    return max(1.0, (time.monotonic() - started) / USUAL_PACE)


def slowed(seconds):
    """A bound of so many seconds as it is on this machine now. For what would take many times longer, or for ever, if it
    failed; how long something takes is for tests/bench to tell."""
    factor = pace()
    if factor > 1:
        print(f"# this machine is {factor:.1f} times slower than usual: {seconds * factor:.1f} s instead of {seconds} s",
              flush=True)
    return seconds * factor


def run(*command, netns=None, check=True, timeout=60, stdin=None, env=None):  # pylint: disable=redefined-outer-name
    """Runs a command, in a network namespace if one is given; hands back returncode, stdout and stderr as text."""
    done = subprocess.run(_inside(netns, command), capture_output=True, text=True, errors="replace", check=False,
                          timeout=timeout, input=stdin, env={**os.environ, **(env or {})})
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def start(*command, netns=None, **options):
    """Starts a command and hands the Popen back; the caller ends it."""
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options}
    return subprocess.Popen(_inside(netns, command), **options)


@contextlib.contextmanager
def background(*command, netns=None, **options):
    """A command that runs as long as the block does."""
    process = start(*command, netns=netns, **options)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _inside(netns, command):
    prefix = ["ip", "netns", "exec", str(netns)] if netns else []
    return prefix + [str(part) for part in command]


def socket_in(netns, family, kind=socket.SOCK_DGRAM, protocol=0):
    """A socket that lives in another network namespace: only its creation must happen there."""
    with inside(netns):
        return socket.socket(family, kind, protocol)


def udp_losses(netns):
    """Datagrams that found no reader (NoPorts) or no room at one (RcvbufErrors), since the namespace exists."""
    names, values = [line.split()[1:] for line in run("cat", "/proc/net/snmp", netns=netns).stdout.splitlines()
                     if line.startswith("Udp:")]
    return collections.Counter({name: int(value) for name, value in zip(names, values)
                                if name in ("NoPorts", "RcvbufErrors")})


def send(pair, port, count=1):
    """Datagrams from the left end to a port of the right one, where perhaps nobody listens."""
    with socket_in(pair.left.netns, socket.AF_INET) as udp:
        for _ in range(count):
            with contextlib.suppress(ConnectionRefusedError):
                udp.sendto(b"x" * 40, (pair.right.v4, port))


@contextlib.contextmanager
def inside(netns):
    """This thread in another network namespace."""
    with open("/proc/thread-self/ns/net", "rb") as home, open(netns.path, "rb") as there:
        _set_netns(there.fileno())
        try:
            yield
        finally:
            _set_netns(home.fileno())


def _set_netns(number):
    if _libc.setns(number, 0x40000000):     # CLONE_NEWNET
        raise OSError(ctypes.get_errno(), "setns")


def load_module(*names):
    """Whether one of these modules is there (the first that loads; a name may be built in)."""
    return any(subprocess.run(["modprobe", "-q", name], check=False).returncode == 0 for name in names)


def kernel_version():
    """(major, minor) of the kernel that runs."""
    return tuple(int(part) for part in re.match(r"(\d+)\.(\d+)", os.uname().release).groups())


def pwru():
    """The wrapper that starts the peer tracer, or None."""
    return os.environ.get("SKBTRAIL_PWRU")


# ---- network namespaces

class Netns:
    """A network namespace with loopback up; deleted by `delete` or at the end of a `with` block."""

    _numbers = itertools.count()

    def __init__(self, name=None):
        self.name = name or f"lab{os.getpid()}-{next(self._numbers)}"
        self.path = f"/run/netns/{self.name}"
        run("ip", "netns", "add", self.name)
        self.ip("link", "set", "lo", "up")

    def __str__(self):
        return self.name

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.delete()

    @property
    def inode(self):
        """The number by which events name this namespace."""
        return os.stat(self.path).st_ino

    def ip(self, *arguments, **options):
        return run("ip", "-n", self.name, *arguments, **options)

    def run(self, *command, **options):
        return run(*command, netns=self, **options)

    def sysctl(self, name, value):
        """sysctl("net/ipv4/ip_forward", 1); with slashes, since device names may have dots."""
        self.run("sh", "-c", 'echo "$2" >"/proc/sys/$1"', "sysctl", name, value)

    def ifindex(self, device):
        return int(self.run("cat", f"/sys/class/net/{device}/ifindex").stdout)

    def delete(self):
        run("ip", "netns", "delete", self.name, check=False)


@dataclasses.dataclass
class End:
    """One end of a veth pair: its namespace, device and addresses."""

    netns: Netns
    device: str
    v4: str
    v6: str

    def __str__(self):
        return self.netns.name

    @property
    def path(self):
        return self.netns.path

    @property
    def ifindex(self):
        return self.netns.ifindex(self.device)

    def run(self, *command, **options):
        return self.netns.run(*command, **options)


def veth(left, right, devices=("veth0", "veth0"), number=1):
    """Joins two namespaces by a veth pair with addresses of both families, usable at once; the two Ends."""
    ends = [End(netns, device, f"10.{number}.0.{host}", f"fd00:{number}::{host}")
            for netns, device, host in zip((left, right), devices, (1, 2))]
    run("ip", "link", "add", devices[0], "netns", left, "type", "veth", "peer", "name", devices[1], "netns", right)
    for end in ends:
        end.netns.ip("addr", "add", f"{end.v4}/24", "dev", end.device)
        end.netns.ip("addr", "add", f"{end.v6}/64", "dev", end.device, "nodad")
        end.netns.ip("link", "set", end.device, "up")
    if not wait_until(lambda: all("LOWER_UP" in end.netns.ip("link", "show", end.device).stdout for end in ends), 10):
        raise RuntimeError("a veth pair did not come up in 10 s")
    return ends


class NetnsPair:
    """Two namespaces with a veth pair between them: `left` and `right` are its Ends."""

    def __init__(self, number=1):
        self._namespaces = [Netns(), Netns()]
        self.left, self.right = veth(*self._namespaces, number=number)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for netns in self._namespaces:
            netns.delete()


# ---- tracing

@dataclasses.dataclass
class Totals:
    """The last line of a trace's stderr."""

    packets: int
    events: int
    lost: int
    lost_ring: int
    lost_budget: int
    lost_tracking: int
    attached: int
    rejected: int
    backend: str

    _FORM = re.compile(r"^packets (\d+), events (\d+), lost (\d+) \(ring (\d+), budget (\d+), tracking (\d+)\), "
                       r"probes (\d+) attached / (\d+) rejected, backend (\S.*)$")

    @classmethod
    def parse(cls, stderr):
        """From a whole stderr; None when its last line is something else."""
        lines = stderr.strip().splitlines()
        found = cls._FORM.match(lines[-1].strip()) if lines else None
        return cls(*map(int, found.groups()[:-1]), found.group(9)) if found else None


class Trace:
    """`skbtrail trace ARGUMENTS --output json`, from ready to stopped, as a `with` block.

    After the block: `events` (parsed lines), `totals`, `stderr`, `status`, `attach_seconds`, `detach_seconds`.
    `stop()` ends it earlier. `output="text"` or `"pcapng"` leaves `events` empty; `stdout_path` has what was written.
    """

    _numbers = itertools.count()

    def __init__(self, *arguments, output="json", netns=None, ready_deadline=READY_DEADLINE,
                 stop_deadline=STOP_DEADLINE, program="skbtrail"):
        # In memory: a trace that writes fast would otherwise measure the shared folder.
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="trace-", dir="/dev/shm"))
        self._ready = self._folder / "ready"
        self.stdout_path = self._folder / "stdout"
        self.command = [program, "trace", "--output", output, "--ready-file", str(self._ready), *map(str, arguments)]
        self._output, self._netns = output, netns
        self._ready_deadline, self._stop_deadline = ready_deadline, stop_deadline
        self.events, self.totals, self.status = [], None, None
        self.stderr = ""
        self.attach_seconds = self.detach_seconds = None
        self.process = None

    def __enter__(self):
        started = time.monotonic()
        with open(self.stdout_path, "wb") as out, open(self._folder / "stderr", "wb") as err:
            self.process = start(*self.command, netns=self._netns, stdout=out, stderr=err)
        wait_until(lambda: self._ready.exists() or self.process.poll() is not None, self._ready_deadline, every=0.01)
        if not self._ready.exists():
            status = self.process.poll()
            self._end(signal.SIGKILL)
            what = "did not get ready" if status is None else f"ended with status {status} before it was ready"
            raise RuntimeError(f"{' '.join(self.command)}: {what}\n{self.stderr}")
        self.attach_seconds = time.monotonic() - started
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self, number=signal.SIGINT):
        """Ends the trace as a user does and reads what it wrote; once is enough."""
        if self.status is None:
            started = time.monotonic()
            self._end(number)
            self.detach_seconds = time.monotonic() - started

    def wait(self, deadline):
        """Waits for a trace that ends by itself (--duration, --max-events); False when it does not."""
        if not wait_until(lambda: self.process.poll() is not None, deadline):
            return False
        self._end(None)
        return True

    def so_far(self):
        """The events written until now."""
        return self._parse(self.stdout_path.read_bytes(), whole=False)

    def wait_for(self, wanted, deadline=30):
        """Waits until an event for which `wanted(event)` holds has been written; the event or None."""
        return wait_until(lambda: next((event for event in self.so_far() if wanted(event)), None), deadline, every=0.2)

    def packets(self):
        """The hops by packet, in their order."""
        by_packet = {}
        for event in self.events:
            if event.get("packet"):
                by_packet.setdefault(event["packet"], []).append(event)
        return by_packet

    def functions(self):
        return [event["func"] for event in self.events if event.get("func")]

    def _end(self, number):
        if number is not None and self.process.poll() is None:
            self.process.send_signal(number)
        try:
            self.status = self.process.wait(self._stop_deadline)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.status = self.process.wait()
            not_ok(f"{' '.join(self.command)} ends within {self._stop_deadline:g} s")
        self.stderr = (self._folder / "stderr").read_text(errors="replace")
        self.totals = Totals.parse(self.stderr)
        self.events = self._parse(self.stdout_path.read_bytes(), whole=True)

    def _parse(self, content, whole):
        if self._output != "json":
            return []
        lines = content.split(b"\n")
        tail = lines.pop()
        if whole and tail:
            not_ok(f"{' '.join(self.command)} ends its last line", tail[:200])
        return [json.loads(line) for line in lines if line]


# ---- the agent

Sample = collections.namedtuple("Sample", "name labels")


class Agent:
    """`skbtrail agent ARGUMENTS` on a free port, as a `with` block; `scrape()` reads its metrics.

    `lines()` is its log. After the block: `status` and `stderr`.
    """

    _LABELS = r'\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\}'
    _SAMPLE = re.compile(rf"^(\w+)(?:{_LABELS})? (\S+)(?: # {_LABELS} \S+ (\S+))?$", re.MULTILINE)
    _LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

    def __init__(self, *arguments, program="skbtrail"):
        self.command = [program, "agent", "--metrics-listen", "127.0.0.1:0", *map(str, arguments)]
        self._stderr = tempfile.NamedTemporaryFile(prefix="agent-", dir="/dev/shm")  # pylint: disable=consider-using-with
        self._stdout = tempfile.NamedTemporaryFile(prefix="agent-", dir="/dev/shm")  # pylint: disable=consider-using-with
        self.process, self.port, self.status, self.stderr = None, None, None, ""

    def __enter__(self):
        self.process = start(*self.command, stdout=self._stdout, stderr=self._stderr)
        wait_until(lambda: self._listening() or self.process.poll() is not None, READY_DEADLINE)
        found = self._listening()
        if not found:
            self.stop(signal.SIGKILL)
            raise RuntimeError(f"{' '.join(self.command)}: status {self.status}\n{self.stderr}")
        self.port = int(found[1])
        return self

    def __exit__(self, *_):
        self.stop()
        self._stderr.close()
        self._stdout.close()

    def stop(self, number=signal.SIGTERM):
        """Ends the agent; once is enough."""
        if self.status is None:
            if self.process.poll() is None:
                self.process.send_signal(number)
            try:
                self.status = self.process.wait(STOP_DEADLINE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.status = self.process.wait()
                not_ok(f"{' '.join(self.command)} ends within {STOP_DEADLINE:g} s")
            self.stderr = pathlib.Path(self._stderr.name).read_text(errors="replace")

    def told(self):
        """What it has said on stderr until now."""
        return pathlib.Path(self._stderr.name).read_text(errors="replace")

    def lines(self):
        """Its log until now: events of sessions, changes of phases, and what was asked of it."""
        whole = pathlib.Path(self._stdout.name).read_text().rpartition("\n")[0]  # the last one may still be written
        return [json.loads(line) for line in whole.splitlines()]

    def page(self, accept="text/plain"):
        """What is served now; may be as old as a second."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/metrics", headers={"Accept": accept})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"/metrics: {error.code} {error.read().decode(errors='replace')}") from error

    def scrape(self):
        """{Sample(name, frozenset of (label, value)): number} of a page that was made after this call."""
        asked = time.time()
        fresh = Sample("skbtrail_collect_timestamp_seconds", frozenset())
        samples = wait_until(lambda: (found := self.parse(self.page())).get(fresh, 0) > asked and found, 30, every=0.2)
        if not samples:
            raise RuntimeError("no fresh metrics in 30 s")
        return samples

    @classmethod
    def parse(cls, page):
        return {Sample(name, frozenset(cls._LABEL.findall(labels))): float(value)
                for name, labels, value, _, _ in cls._SAMPLE.findall(page)}

    @classmethod
    def exemplars(cls, page):
        """{Sample: ({label: value}, time)} of those that have one; `page` is OpenMetrics."""
        return {Sample(name, frozenset(cls._LABEL.findall(labels))): (dict(cls._LABEL.findall(exemplar)), float(when))
                for name, labels, _, exemplar, when in cls._SAMPLE.findall(page) if when}

    def _listening(self):
        return re.search(r"metrics on \S+:(\d+)$", self.told(), re.MULTILINE)


def growth(before, after, name, *labels):
    """How much each series of `name` grew between two scrapes, as {values of these labels: sum}; only what grew."""
    grown = collections.Counter()
    for sample, value in after.items():
        if sample.name == name:
            values = dict(sample.labels)
            grown[tuple(values[label] for label in labels)] += value - before.get(sample, 0)
    return {key: value for key, value in grown.items() if value}
