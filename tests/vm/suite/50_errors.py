#!/usr/bin/env python3
"""Every way to ask for the impossible: one line on stderr that says what, why and what to do; the right exit code."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import suite_lib as lab

PROGRAM = shutil.which("skbtrail")
USAGE, FAILED, UNSUPPORTED = 2, 1, 3
NOBODY = 65534
work = pathlib.Path(tempfile.mkdtemp(prefix="errors-", dir="/dev/shm"))
work.chmod(0o755)


def trace(*arguments, prefix=(), **options):
    """A trace that is expected to fail soon; returncode, stdout and stderr."""
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True,
               "timeout": 120, "check": False, **options}
    return subprocess.run([*prefix, PROGRAM, "trace", *map(str, arguments)], **options)


def refuses(name, done, status, *words):
    """One line on stderr with all of `words` (regular expressions), nothing on stdout, this exit status."""
    lines = done.stderr.splitlines()
    missing = [word for word in words if not re.search(word, done.stderr)]
    print(f"    # {done.returncode}: {done.stderr.strip()}", flush=True)
    lab.check(name, done.returncode == status and len(lines) == 1 and not missing and not done.stdout
              and lines[0].startswith("skbtrail trace: "),
              f"status {done.returncode} instead of {status}", f"missing: {missing}", done.stderr, done.stdout)


def in_mount_namespace(script):
    """A prefix that runs a command behind `script`, in mounts of its own."""
    return ["unshare", "--mount", "sh", "-c", f'{script} && exec "$@"', "sh"]


def without(*capabilities):
    names = ",".join(f"-{name}" for name in capabilities)
    return ["setpriv", f"--bounding-set={names}", f"--inh-caps={names}", "--"]


# ---- what the user wrote

for name, arguments, words in (
    ("an unknown flag", ["--no-such-flag"], ["--no-such-flag", "--help"]),
    ("an unknown probe set", ["--probes", "some"], ["--probes", "some", "path"]),
    ("an unknown backend", ["--backend", "xdp"], ["--backend", "xdp", "kprobe"]),
    ("an unknown output", ["--output", "xml"], ["--output", "xml", "json"]),
    ("a count that is none", ["--max-events", "many"], ["--max-events", "many"]),
    ("too many packets", ["--max-packets", "2000000"], ["--max-packets", "1048576"]),
    ("a flag without its value", ["--duration"], ["--duration"]),
    ("a duration that is none", ["--duration", "soon"], ["--duration", "'soon'", "30s"]),
    ("a duration that is too long", ["--duration", "1000h"], ["--duration", "1000h", "168h"]),
    ("a ring of an odd size", ["--ring-size", "48K"], ["--ring-size", "48K", "power of two"]),
    ("a ring that is too large", ["--ring-size", "4G"], ["--ring-size", "4G", "1G"]),
    ("a mark that is none", ["--filter-mark", "red"], ["--filter-mark", "'red'", "0x10/0xff"]),
    ("a mask that keeps nothing", ["--filter-mark", "1/0"], ["--filter-mark", "1/0"]),
    ("a wrong pcap expression", ["tcp", "prot", "80"], ["'tcp prot 80'", "syntax error", "pcap-filter"]),
    ("a pcap expression with an unknown host", ["host", "no.such.host.invalid"], ["no.such.host.invalid"]),
    ("a pcap expression that is too long", ["tcp or " * 300 + "udp"], ["1024", "shorten"]),
    ("a field that does not exist", ["--filter-skb-expr", "skb->lne > 5"],
     ["--filter-skb-expr", "column 6", "struct sk_buff", "did you mean len"]),
    ("an expression that does not end", ["--filter-skb-expr", "skb->len > (1"], ["column 14", r"'\)' is missing"]),
    ("an expression that is too long", ["--filter-skb-expr", "skb->len && " * 100 + "1"], ["1024", "shorten"]),
    ("too many values", ["--output-skb-metadata", "skb->len,skb->mark,skb->hash,skb->sk,skb->dev"], ["--output-skb-metadata", "at most 4"]),
    ("a value that is none", ["--output-skb-metadata", "skb->users"], ["column 6", "name one of its fields"]),
    ("a wrong pattern", ["--filter-func", "ip_("], [r"ip_\("]),
    ("an unknown function", ["--filter-func", "no_such_function"], ["--filter-func", "no_such_function", "functions"]),
    ("a function beyond the probe set", ["--probes", "path", "--filter-func", "ip_rcv_core"],
     ["ip_rcv_core", "--probes all"]),
    ("an unknown network namespace", ["--filter-netns", "nowhere"], ["--filter-netns", "'nowhere'", "ip netns"]),
    ("a network namespace without a number", ["--filter-netns", "inode:x"], ["inode:x", "number"]),
    ("a network namespace nobody is in", ["--filter-netns", "inode:7", "--filter-ifname", "lo"], ["inode:7"]),
    ("an unknown interface", ["--filter-ifname", "eth77"], ["--filter-ifname", "'eth77'"]),
    ("an unknown module", ["--kmods", "no_such_module"], ["no_such_module", "load the module"]),
    ("a BTF file that is not there", ["--kernel-btf", "/no/such/file"], ["--kernel-btf", "/no/such/file"]),
):
    refuses(f"{name} is wrong usage", trace(*arguments), USAGE, *words)

garbage = work / "garbage"
garbage.write_bytes(b"no BTF in here\n" * 100)
refuses("a BTF file without BTF is wrong usage", trace("--kernel-btf", garbage), USAGE, "garbage", "no BTF")
shutil.copy("/sys/kernel/btf/vmlinux", work / "cut")
os.truncate(work / "cut", 100_000)
refuses("a BTF file that was cut is wrong usage", trace("--kernel-btf", work / "cut"), USAGE, "cut", "no BTF")

for arguments in ([], ["trase"], ["trace", "--help"]):
    done = lab.run(PROGRAM, *arguments, check=False)
    if "--help" in arguments:
        lab.check("help goes to stdout and is no failure", done.returncode == 0 and "--filter-func" in done.stdout
                  and not done.stderr, done)
    else:
        lab.check(f"skbtrail {arguments} is wrong usage, in one line", done.returncode == USAGE and not done.stdout
                  and len(done.stderr.splitlines()) == 1 and "--help" in done.stderr, done)


# ---- privileges

# Not on a shared folder or behind /root: another user has to reach it.
program_for_all = work / "skbtrail"
shutil.copy(PROGRAM, program_for_all)
program_for_all.chmod(0o755)
done = subprocess.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", program_for_all, "trace"],
                      capture_output=True, text=True, timeout=120, check=False, cwd="/")
refuses("an ordinary user learns which capabilities are missing", done, UNSUPPORTED, "CAP_BPF", "CAP_PERFMON", "root")

for missing in (["bpf", "sys_admin"], ["perfmon", "sys_admin"]):
    refuses(f"root without {missing[0]} learns that", trace(prefix=without(*missing)), UNSUPPORTED,
            f"CAP_{missing[0].upper()}", "root")
if pathlib.Path("/proc/sys/kernel/kptr_restrict").read_text().strip() != "0":
    refuses("root without syslog learns why addresses are hidden", trace(prefix=without("syslog", "sys_admin")),
            UNSUPPORTED, "CAP_SYSLOG", "kptr_restrict")
else:
    pathlib.Path("/proc/sys/kernel/kptr_restrict").write_text("1")
    refuses("root without syslog learns why addresses are hidden", trace(prefix=without("syslog", "sys_admin")),
            UNSUPPORTED, "CAP_SYSLOG", "kptr_restrict")
    pathlib.Path("/proc/sys/kernel/kptr_restrict").write_text("0")


# ---- what the machine lacks

refuses("a kernel without BTF is said to be one",
        trace(prefix=in_mount_namespace("mount -t tmpfs none /sys/kernel/btf")), UNSUPPORTED,
        "/sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF", "--kernel-btf")
shutil.copy("/sys/kernel/btf/vmlinux", work / "vmlinux.btf")
done = trace("--kernel-btf", work / "vmlinux.btf", "--probes", "path", "--duration", "1s",
             prefix=in_mount_namespace("mount -t tmpfs none /sys/kernel/btf"))
lab.check("with --kernel-btf such a kernel is traced", done.returncode == 0 and lab.Totals.parse(done.stderr), done)

refuses("tracefs that is not mounted is missed",
        trace(prefix=in_mount_namespace("umount -R /sys/kernel/tracing; umount -R /sys/kernel/debug; true")),
        UNSUPPORTED, "mount -t tracefs", "/sys/kernel/tracing")

refuses("a backend that this kernel lacks is named with one that it has",
        trace("--backend", "fentry.multi") if lab.kernel_version() < (7, 2) else
        trace("--backend", "kprobe", prefix=in_mount_namespace("mount -t tmpfs none /sys/kernel")),
        UNSUPPORTED, "kprobe|CONFIG_DEBUG_INFO_BTF")


# ---- output

@contextlib.contextmanager
def traffic():
    """Pings on loopback, so that there is something to write."""
    with lab.Netns() as netns, lab.background("ping", "-i0.002", "-q", "127.0.0.1", netns=netns):
        yield


QUICK = ("--probes", "path", "--output", "json")

refuses("an output file in a folder that is not there is refused", trace(*QUICK, "--output-file", "/no/such/file"),
        FAILED, "/no/such/file", "No such file")
refuses("an output file that is a folder is refused", trace(*QUICK, "--output-file", work), FAILED, str(work))


def fails_while_running(name, done, *words):
    """The reason, then the closing line, which is the last."""
    lines = done.stderr.splitlines()
    print(f"    # {done.returncode}: {done.stderr.strip()}", flush=True)
    reasons = [line for line in lines if line.startswith("skbtrail trace: ")]
    lab.check(name, done.returncode == FAILED and len(reasons) == 1 and lab.Totals.parse(done.stderr)
              and all(re.search(word, reasons[0]) for word in words), done)


done = subprocess.run(["sh", "-c", f"exec {PROGRAM} trace {' '.join(QUICK)} >&-"], stdin=subprocess.DEVNULL,
                      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
done.stdout = ""
refuses("a closed stdout is refused", done, FAILED, "stdout is closed", "--output-file")

done = subprocess.run(["sh", "-c", f"exec {PROGRAM} trace --probes path --duration 1s <&- 2>&-"],
                      stdout=subprocess.PIPE, text=True, timeout=120, check=False)
lab.check("closed stdin and stderr are no failure, and nothing of them gets into stdout",
          done.returncode == 0 and "packets " not in done.stdout, done)

with traffic():
    full = work / "full"
    full.mkdir()
    lab.run("mount", "-t", "tmpfs", "-o", "size=64k", "none", full)
    done = trace(*QUICK, "--output-file", full / "events")
    fails_while_running("a full disk ends the trace and says after which event", done, "full/events", "No space",
                        r"events after \d+ were not written", "free some space")
    with lab.test("what was written before the disk was full is whole, up to the event that is named"):
        content = (full / "events").read_bytes()
        named = int(re.search(r"events after (\d+)", done.stderr).group(1))
        assert content.count(b"\n") in (named, named + 1), (content.count(b"\n"), named)
    lab.run("umount", full)

    with open("/dev/full", "wb") as device:
        fails_while_running("a full stdout ends the trace", trace(*QUICK, stdout=device), "stdout", "No space")

    shell = f"({PROGRAM} trace {' '.join(QUICK)}; echo status $? >&2) | head -n 3"
    done = subprocess.run(["sh", "-c", shell], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
                          check=False)
    status = int(re.search(r"status (\d+)", done.stderr).group(1))
    done.stderr = re.sub(r"status \d+\n", "", done.stderr)
    done.returncode = status
    lab.check("the reader of a pipe gets what it asked for", len(done.stdout.splitlines()) == 3, done.stdout)
    fails_while_running("a pipe whose reader ended ends the trace", done, "stdout", "reader has gone")

    with lab.test("a reader that does not read does not keep SIGINT from ending the trace"):
        ready = work / "ready"
        reading, writing = os.pipe()
        process = lab.start(PROGRAM, "trace", *QUICK, "--ready-file", ready, stdout=writing, stderr=subprocess.PIPE)
        os.close(writing)
        assert lab.wait_until(ready.exists, lab.READY_DEADLINE)
        time.sleep(2)     # nothing to wait for: what is tested is a pipe that stays full
        asked = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
        took = time.monotonic() - asked
        os.close(reading)
        assert process.returncode == FAILED and "does not read" in stderr.decode(), stderr
        assert took < lab.slowed(10), took

shutil.rmtree(work)
lab.finish()
