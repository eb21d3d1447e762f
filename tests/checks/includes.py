#!/usr/bin/env python3
"""Checks which file includes which: includes.py [ROOT]. Exits with 1 and one line for each fault.

Includes point down only, neighbours on one level never meet, there is no cycle between files, a source file includes
its own header first, and what a library is to one folder it is to that folder alone.
"""

import pathlib
import re
import sys

# From the bottom up. Folders on one level do not include each other.
LEVELS = [["base"], ["model"], ["kernel", "filter", "decode", "pods", "sink"], ["session", "monitor"], ["api", "kube"],
          ["app"]]
LEVEL = {folder: level for level, folders in enumerate(LEVELS) for folder in folders}

# What only some folders may include, and why.
RESERVED = [
    (re.compile(r"<bpf/|\.skel\.h\""), {"kernel"}, "kernel/ alone knows libbpf"),
    (re.compile(r"<pcap"), {"filter"}, "filter/ alone knows libpcap"),
    (re.compile(r"<re2/"), {"kernel"}, "kernel/ alone knows RE2"),
    (re.compile(r"<libmnl/"), {"kernel", "pods"}, "kernel/ and pods/ alone know netlink's messages"),
    (re.compile(r"<grpc|\.pb\.h[>\"]"), {"pods"}, "pods/ alone knows gRPC"),
    (re.compile(r"<yaml-cpp/"), {"app", "kube"}, "app/ and kube/ alone read files of configuration"),
    (re.compile(r"<CLI/"), {"app", ""}, "app/ alone knows the command line"),
    (re.compile(r"<zlib\.h>"), {"sink"}, "sink/ alone compresses"),
    (re.compile(r"<prometheus/"), {"sink", "monitor"}, "sink/ and monitor/ alone know prometheus-cpp"),
    (re.compile(r"<httplib"), {"api", "kube"}, "api/ and kube/ alone know HTTP"),
    (re.compile(r"<openssl/"), {"api", "kube"}, "api/ and kube/ alone know TLS"),
    (re.compile(r'"(?:monitor|latency)_abi\.h"'), {"kernel", "monitor"}, "the monitor's maps are for kernel/ and monitor/"),
    (re.compile(r'"(?:trace|task)_abi\.h"'), {"kernel", "filter", "decode"}, "the contract with bpf/ is for kernel/, filter/ and decode/"),
]
ABIS = ("trace_abi.h", "task_abi.h", "monitor_abi.h", "latency_abi.h")
INCLUDE = re.compile(r'^\s*#\s*include\s+(<[^>]+>|"[^"]+")', re.MULTILINE)


def includes_of(path):
    return INCLUDE.findall(path.read_text())


def folder_of(name):
    return name.rpartition("/")[0]


def check_levels(name, target):
    source, wanted = folder_of(name), folder_of(target)
    if source == wanted or source == "":
        return None
    if source not in LEVEL or wanted not in LEVEL:
        return f"the folder of {target if wanted not in LEVEL else name} has no level in tests/checks/includes.py"
    if LEVEL[wanted] > LEVEL[source]:
        return f"includes {target}, which stands above {source}/"
    if LEVEL[wanted] == LEVEL[source]:
        return f"includes {target}: {wanted}/ and {source}/ are neighbours"
    return None


def check_agent_file(agent, path):
    name = path.relative_to(agent).as_posix()
    includes = includes_of(path)
    own = path.with_suffix(".h")
    if path.suffix == ".cpp" and own.exists() and includes[:1] != [f'"{own.relative_to(agent).as_posix()}"']:
        yield f"{name}: its own header is not its first include"
    if path.suffix == ".h" and not path.read_text().startswith("#pragma once\n"):
        yield f"{name}: does not begin with #pragma once"
    for include in includes:
        for form, folders, why in RESERVED:
            if form.search(include) and folder_of(name) not in folders:
                yield f"{name}: includes {include}; {why}"
        target = include.strip('"')
        if include.startswith("<") or target in ABIS or target.endswith((".skel.h", ".pb.h")):
            continue
        if not (agent / target).is_file():
            yield f"{name}: includes {include}, which is not a path from agent/"
        elif fault := check_levels(name, target):
            yield f"{name}: {fault}"


def graph_of(root, files):
    """Which of these files includes which, by their path from `root`."""
    names = {path.relative_to(root).as_posix() for path in files}
    return {path.relative_to(root).as_posix(): [target for include in includes_of(path)
                                                if (target := include.strip('"')) in names] for path in files}


def find_cycle(graph):
    """One cycle as a list of names, or None."""
    done, way = set(), []

    def visit(name):
        if name in way:
            return way[way.index(name):] + [name]
        if name in done:
            return None
        way.append(name)
        found = next((cycle for target in graph[name] if (cycle := visit(target))), None)
        way.pop()
        done.add(name)
        return found

    return next((cycle for name in graph if (cycle := visit(name))), None)


def faults(root):
    agent, bpf = root / "agent", root / "bpf/include"
    agent_files = sorted(path for path in agent.rglob("*") if path.suffix in (".h", ".cpp"))
    bpf_files = sorted(bpf.glob("*.h"))
    if not agent_files or not bpf_files:
        yield f"{root}: no sources to check"
        return
    for path in agent_files:
        yield from check_agent_file(agent, path)
    for base, files in ((agent, agent_files), (bpf, bpf_files)):
        if cycle := find_cycle(graph_of(base, files)):
            yield "cycle: " + " -> ".join(cycle)
    for abi in (bpf / "trace_abi.h", bpf / "monitor_abi.h"):
        if abi.exists() and includes_of(abi):
            yield f"bpf/include/{abi.name}: includes something; both languages bring their own integer types"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2])
    found = list(faults(root))
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
