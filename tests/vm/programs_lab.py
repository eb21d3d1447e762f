"""BPF programs of ours for suites that trace them: loaded, attached, and counted afterwards."""

import contextlib
import ctypes
import json
import pathlib
import resource
import struct
import tempfile

import suite_lib as lab

BUILD = pathlib.Path(__file__).resolve().parents[2] / "build/release/tests"
SYS_BPF, PROG_LOAD, OBJ_GET, LINK_CREATE = 321, 5, 7, 28   # the first is x86-64's
SCHED_CLS, TCX_INGRESS = 3, 46
_syscall = ctypes.CDLL(None, use_errno=True).syscall


def bpf(command, attributes):
    """The descriptor that bpf(2) makes of these attributes."""
    space = ctypes.create_string_buffer(attributes, max(len(attributes), 128))
    got = _syscall(SYS_BPF, command, space, len(space))
    if got < 0:
        raise OSError(ctypes.get_errno(), f"bpf command {command}")
    return got


def load_without_types(name):
    """A program of TC that says TC_ACT_OK and has no BTF; its descriptor."""
    # Before 5.11 programs count as locked memory.
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    code = ctypes.create_string_buffer(struct.pack("<BBhi", 0xb7, 0, 0, 0) + struct.pack("<BBhi", 0x95, 0, 0, 0))
    licence = ctypes.create_string_buffer(b"GPL")
    return bpf(PROG_LOAD, struct.pack("<IIQQIIQII16s", SCHED_CLS, 2, ctypes.addressof(code), ctypes.addressof(licence),
                                      0, 0, 0, 0, 0, name.encode()))


@contextlib.contextmanager
def loaded(name):
    """The programs of an object, pinned by name in the folder that this hands out.

    Not below /sys, of which a command in another network namespace sees another one.
    """
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-", dir="/dev/shm"))
    lab.run("mount", "-t", "bpf", "bpf", folder)
    try:
        # bpftool mounts over whatever the parent of its folder is, unless that is a BPF file system.
        lab.run("bpftool", "prog", "loadall", BUILD / f"{name}.bpf.o", folder / "programs")
        yield folder / "programs"
    finally:
        lab.run("umount", folder)
        folder.rmdir()


def attach_tc(end, direction, pin):
    end.run("tc", "qdisc", "replace", "dev", end.device, "clsact")
    end.run("tc", "filter", "replace", "dev", end.device, direction, "prio", "1", "handle", "1", "bpf", "direct-action",
            "pinned", pin)


def detach_tc(end):
    end.run("tc", "qdisc", "del", "dev", end.device, "clsact", check=False)


def attach_tcx(end, pin):
    """Lasts as long as the descriptor that it hands back."""
    path = ctypes.create_string_buffer(str(pin).encode())
    program = bpf(OBJ_GET, struct.pack("<QII", ctypes.addressof(path), 0, 0))
    with lab.inside(end.netns):
        return bpf(LINK_CREATE, struct.pack("<IIII", program, end.ifindex, TCX_INGRESS, 0))


def set_xdp(netns, device, pin, mode="xdp"):
    """In the place of the one that is there, if any."""
    netns.ip("-force", "link", "set", "dev", device, mode, "pinned", pin)


@contextlib.contextmanager
def xdp(netns, device, pin, mode="xdp"):
    """An XDP program on a device as long as the block lasts; `mode` may be xdpgeneric."""
    set_xdp(netns, device, pin, mode)
    try:
        yield
    finally:
        netns.ip("link", "set", "dev", device, mode, "off")


def shown():
    """Names of the programs that the kernel has."""
    return [one["name"] for one in json.loads(lab.run("bpftool", "-j", "prog", "show").stdout) if "name" in one]


def steps(events):
    """The events at BPF programs."""
    return [event for event in events if event.get("program")]


def verdicts(events, name):
    """What the program of this name said, step by step: None at its entry."""
    return [event["program"]["verdict"] for event in steps(events) if event["func"] == name]
