#!/usr/bin/env python3
"""Checks licence marks: spdx.py [ROOT]. Exits with 1 and one line for each fault.

The programs that run in the kernel say in their first line that they may be had under either of two licences; all else
is under the licence in LICENSE and needs no mark. The text of every licence named is in LICENSES.
"""

import pathlib
import re
import sys

KERNEL_SIDE = "/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */"
MARK = re.compile(r"SPDX-License-Identifier:\s*(.+?)\s*(?:\*/)?\s*$", re.MULTILINE)
WORDS = re.compile(r"[\w.+-]+")


def texts(root):
    return {path.stem for path in (root / "LICENSES").glob("*.txt")}


def faults(root):
    sources = sorted(path for path in (root / "bpf").rglob("*") if path.suffix in (".c", ".h"))
    if not sources:
        yield f"{root}: no BPF sources to check"
    for path in sources:
        if path.read_text().splitlines()[:1] != [KERNEL_SIDE]:
            yield f"{path.relative_to(root)}: the first line is not {KERNEL_SIDE}"
    if "Apache License" not in (root / "LICENSE").read_text():
        yield "LICENSE: not the Apache licence"
    for path in sorted((root / "agent").rglob("*")):
        if path.suffix in (".h", ".cpp"):
            for licence in MARK.findall(path.read_text()):
                if licence != "Apache-2.0":
                    yield f"{path.relative_to(root)}: is under {licence}; the agent is under Apache-2.0"
    named = {word for word in WORDS.findall(KERNEL_SIDE.split(":")[1]) if word != "OR"}
    for licence in sorted(named - texts(root)):
        yield f"LICENSES/{licence}.txt is missing"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2])
    found = list(faults(root))
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
