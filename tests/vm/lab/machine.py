"""One run of one command inside one kernel under QEMU."""

import ctypes
import json
import pathlib
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from lab import clock, console, initramfs
from lab.store import tell

BOOT_DEADLINE = 180     # seconds; a boot takes 3 to 6 on an idle machine
POWER_OFF_DEADLINE = 30
BOOT_TRIES = 3

LAB_FAILED = 125        # exit statuses as env(1) and timeout(1) have them
TIMED_OUT = 124


class Job:
    """What to run inside, and how the machine around it looks."""

    def __init__(self, command, env, cwd, out, timeout, memory=4096, threads="single", counts=False, tap=None):
        self.command = command
        self.env = env
        self.cwd = cwd
        self.out = pathlib.Path(out)
        self.timeout = timeout
        self.memory = memory
        self.threads = threads
        self.counts = counts    # time inside is instructions, not seconds
        self.tap = tap          # a device of this network namespace that is the other end of the machine's eth0


class Run:
    """How it went: the status to exit with, and every reason why it is not the command's own."""

    def __init__(self):
        self.status = None
        self.release = None
        self.boot_seconds = None
        self.failures = []


def run(name, kernel, job, stdout=None, stderr=None):
    """Boots `kernel` and runs `job`, repeating boots that die before the command starts or have a wrong clock."""
    for attempt in range(1, BOOT_TRIES + 1):
        machine = _Machine(name, kernel, job, stdout or sys.stdout.buffer, stderr or sys.stderr.buffer)
        outcome = machine.run()
        if outcome.release:
            if attempt > 1:
                tell(f"{name}: {attempt - 1} boots had to be repeated")
            return outcome
        tell(f"{name}: boot {attempt} of {BOOT_TRIES} did not get to the command: {'; '.join(outcome.failures)}")
        tell(f"{name}: console ends with\n" + machine.console_tail())
    return outcome


class _Machine:
    def __init__(self, name, kernel, job, stdout, stderr):
        self._name = name
        self._kernel = kernel
        self._job = job
        self._sinks = {"stdout": stdout, "stderr": stderr}
        self._console = bytearray()
        self._control = bytearray()
        self._clock = clock.Clock()
        self._outcome = Run()
        self._share = None

    def run(self):
        self._job.out.mkdir(parents=True, exist_ok=True)
        self._share = pathlib.Path(tempfile.mkdtemp(prefix="skbtrail-lab-"))
        try:
            self._prepare()
            self._boot_and_follow()
            self._judge()
        finally:
            self._collect()
        return self._outcome

    def console_tail(self, lines=30):
        return "\n".join(self._console.decode(errors="replace").replace("\r", "").splitlines()[-lines:])

    def _prepare(self):
        (self._share / "out").mkdir()
        env = {**self._job.env, "SKBTRAIL_OUT": "/run/skbtrail-lab/out"}
        (self._share / "job.json").write_text(json.dumps({
            "command": self._job.command, "cwd": str(self._job.cwd), "env": env, "modules": str(self._kernel.modules)}))
        initramfs.build(self._kernel, self._share / "initramfs")

    def _boot_and_follow(self):
        ends = {name: socket.socketpair() for name in ("console", "control", "stdout", "stderr")}
        selector = selectors.DefaultSelector()
        for name, (ours, _) in ends.items():
            selector.register(ours, selectors.EVENT_READ, name)
        started = time.monotonic()
        qemu = subprocess.Popen(self._command_line({name: theirs.fileno() for name, (_, theirs) in ends.items()}),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                pass_fds=[theirs.fileno() for _, theirs in ends.values()],
                                start_new_session=True, preexec_fn=_die_with_parent)
        for _, theirs in ends.values():
            theirs.close()
        try:
            self._follow(qemu, selector, started, ends["control"][0])
        finally:
            if qemu.poll() is None:
                qemu.kill()
            said = qemu.communicate()[0].decode(errors="replace").strip()
            for ours, _ in ends.values():
                ours.close()
        if said:
            tell(f"{self._name}: QEMU said: {said}")

    def _follow(self, qemu, selector, started, control):
        deadline, expired = started + BOOT_DEADLINE, f"did not reach the command within {BOOT_DEADLINE} s"
        while selector.get_map():
            for key, _ in selector.select(max(0.0, min(1.0, deadline - time.monotonic()))):
                chunk = key.fileobj.recv(1 << 16)
                if not chunk:
                    selector.unregister(key.fileobj)
                    continue
                phase = self._take(key.data, chunk, started)
                if phase == "ready" and not self._outcome.release:
                    qemu.kill()
                elif phase == "ready":
                    control.sendall(b"\n")
                    deadline = time.monotonic() + (self._job.timeout or float("inf"))
                    expired = f"ran longer than {self._job.timeout:g} s"
                elif phase == "exit":
                    deadline, expired = time.monotonic() + POWER_OFF_DEADLINE, None
            if time.monotonic() >= deadline:
                if expired:
                    self._outcome.failures.append(expired)
                    self._outcome.status = TIMED_OUT if self._outcome.release else LAB_FAILED
                qemu.kill()
                deadline = float("inf")

    def _take(self, source, chunk, started):
        if source == "console":
            self._console += chunk
            self._clock.read_console(self._console)
        elif source in self._sinks:
            sink = self._sinks[source]
            sink.write(chunk)
            sink.flush()
        else:
            self._control += chunk
            while b"\n" in self._control:
                line, _, rest = self._control.partition(b"\n")
                self._control = bytearray(rest)
                return self._said(line.decode(errors="replace"), started)
        return None

    def _said(self, line, started):
        phase, _, rest = line.partition(" ")
        if phase == "ready":
            release, uptime, complaint = rest.split(" ", 2)
            fault = None if self._job.counts else self._clock.fault(uptime, complaint)
            self._begin(release, fault, time.monotonic() - started)
        elif phase == "exit":
            self._outcome.status = int(rest)
        return phase

    def _begin(self, release, fault, seconds):
        if fault:
            self._outcome.failures.append(fault)
            return
        self._outcome.release = release
        self._outcome.boot_seconds = seconds
        tell(f"{self._name}: Linux {release}, booted in {seconds:.1f} s")

    def _judge(self):
        outcome = self._outcome
        if outcome.status is None and outcome.failures:
            outcome.status = LAB_FAILED
        elif outcome.status is None:
            outcome.failures.append("the kernel ended before the command did" if outcome.release else "QEMU ended")
            outcome.status = LAB_FAILED
        log = self._console.decode(errors="replace")
        dmesg = self._share / "dmesg.txt"
        if dmesg.exists():
            log += "\n" + dmesg.read_text(errors="replace")
        found = console.complaints(log)
        if found:
            outcome.failures.append("the kernel complained: " + "; ".join(found[:5]))
            tell(f"{self._name}: kernel log around the first complaint\n{console.excerpt(log)}")
            outcome.status = outcome.status if outcome.status == TIMED_OUT else LAB_FAILED

    def _collect(self):
        (self._job.out / "console.log").write_bytes(self._console)
        for name in ("dmesg.txt", "out"):
            source = self._share / name
            if source.is_dir():
                shutil.copytree(source, self._job.out, dirs_exist_ok=True, symlinks=True)
            elif source.exists():
                shutil.copy(source, self._job.out)
        shutil.rmtree(self._share, ignore_errors=True)

    def _command_line(self, ends):
        job = self._job
        start = initramfs.GUEST / "start"
        arguments = [
            shutil.which("qemu-system-x86_64") or "qemu-system-x86_64",
            "-M", "q35", "-m", str(job.memory), "-smp", "2",
            # thread=multi loses a race when probes patch kernel text the other CPU runs, and the kernel oopses.
            "-accel", f"tcg,thread={job.threads},tb-size=1024",
            *(["-icount", "shift=0"] if job.counts else []),
            # QEMU 7.2 translates cmpxchg16b wrongly, which SLUB notices at boot. With erms the kernel copies by
            # `rep movsb`, which is emulated byte by byte: a file is read in a third of the time without.
            "-cpu", "max,cx16=off,la57=off,erms=off",
            "-display", "none", "-monitor", "none", "-no-reboot",
            *(["-netdev", f"tap,id=net,ifname={job.tap},script=no,downscript=no",
               "-device", "virtio-net-pci,netdev=net,romfile="] if job.tap else ["-nic", "none"]),
            "-kernel", str(self._kernel.image), "-initrd", str(self._share / "initramfs"),
            # What QEMU 7.2 has translated it finds by virtual address: a process that starts elsewhere each time is translated
            # anew. Without that (norandmaps) it starts in 22 ms instead of 60.
            "-append", "console=ttyS0 quiet panic=-1 oops=panic mitigations=off nokaslr norandmaps tsc=reliable "
                       f"lab.start={start}",
            "-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap",
            "-device", "virtio-9p-pci,fsdev=root,mount_tag=root",
            "-fsdev", f"local,id=job,path={self._share},security_model=none,multidevs=remap",
            "-device", "virtio-9p-pci,fsdev=job,mount_tag=job",
            "-chardev", f"socket,id=console,fd={ends['console']}", "-serial", "chardev:console",
            "-device", "virtio-serial-pci",
        ]
        for name in ("control", "stdout", "stderr"):
            arguments += ["-chardev", f"socket,id={name},fd={ends[name]}",
                          "-device", f"virtserialport,chardev={name},name={name}"]
        return arguments


def _die_with_parent():
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
