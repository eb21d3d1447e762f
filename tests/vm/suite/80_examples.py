#!/usr/bin/env python3
"""Every example in README.md and docs/ that begins with `$ skbtrail` runs as it is printed, only shorter.

They run in a folder with the files that they name: agent.yaml is the whole file of docs/configuration.md."""

import contextlib
import os
import pathlib
import re
import tempfile

import pod_lab
import suite_lib as lab

ROOT = pathlib.Path(__file__).resolve().parents[3]
lab.load_module("nf_tables")
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLE = re.compile(r"^\$ ((?:[A-Z_]+=\S+ )*skbtrail (?:trace|check|top|agent)\b.*)$", re.MULTILINE)
CLOSING = re.compile(r"^packets \d+, events \d+, lost \d+ .*, backend \S+$", re.MULTILINE)
MODULE_BTF = [file for file in pathlib.Path("/sys/kernel/btf").glob("*") if file.name != "vmlinux"]
DEADLINE = 300  # single kprobes attach slowly, and those of the example before may still be on their way out


def examples():
    """(page, command) of each example, once."""
    found = {}
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for block in BLOCK.findall(page.read_text()):
            for command in EXAMPLE.findall(block):
                found.setdefault(command, page.name)
    return [(page, command) for command, page in found.items()]


def write_files():
    """What examples name as a file of theirs, in the folder in which they run."""
    whole, = re.findall(r"^## A whole file\n```yaml\n(.*?)^```$", (ROOT / "docs/configuration.md").read_text(),
                        re.MULTILINE | re.DOTALL)
    pathlib.Path("agent.yaml").write_text(whole)


def shortened(command):
    """What runs until it is interrupted ends by itself after a second."""
    if "--check-config" in command:
        return command
    if "skbtrail agent" in command:
        # Ended by SIGTERM, its status is what counts.
        return f"{command} & sleep 3; kill $!; wait $!"
    if command == "skbtrail top":
        return f"{command} --count 1"
    if not command.startswith("skbtrail trace"):
        return command
    return re.sub(r"^skbtrail trace", "skbtrail trace --duration 1s", re.sub(r" --duration \S+", "", command))


def try_example(command):
    done = lab.run("bash", "-c", shortened(command), check=False, timeout=DEADLINE)
    missing = re.search(r"backend '(\S+)' is not available", done.stderr)
    if done.returncode == 3 and missing:
        raise lab.Skip(missing.group(1))
    no_module = "has no BTF" in done.stderr or ("--all-kmods" in command and "has such a name" in done.stderr)
    if done.returncode == 2 and no_module and not MODULE_BTF:
        raise lab.Skip("BTF of modules (Linux 5.11)")
    assert done.returncode == 0, f"status {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    if command.startswith("skbtrail trace"):
        assert CLOSING.search(done.stderr), done.stderr[-2000:]


@contextlib.contextmanager
def runtime():
    """A container runtime with no pods, where containerd would be: examples name pods."""
    socket = pathlib.Path("/run/containerd/containerd.sock")
    socket.parent.mkdir(parents=True, exist_ok=True)
    with pod_lab.Runtime() as scripted:
        socket.symlink_to(scripted.socket)
        try:
            yield
        finally:
            socket.unlink()


os.chdir(tempfile.mkdtemp(prefix="examples-", dir="/dev/shm"))
write_files()
with lab.Netns("blue") as blue, lab.Netns() as other:
    ends = lab.veth(blue, other, devices=("eth0", "eth0"))
    found = examples()
    lab.check("there are examples to run", len(found) >= 10, found)
    with runtime(), lab.background("ping", "-i", "0.2", ends[1].v4, netns=blue):
        for page, command in found:
            with lab.test(f"{page}: {command}"):
                try_example(command)
lab.finish()
