#!/usr/bin/env python3
"""Compiles every BPF object of bpf/CMakeLists.txt for arm64, whatever this machine is: bpf_arm64.py [ROOT].

Exits with 1 and what the compiler said, with 77 when there is no clang or no headers of libbpf.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
SKELETON = re.compile(r"^skbtrail_bpf_skeleton\((\w+) (\S+)((?: \w+=\w+)*)\)$", re.MULTILINE)
# As cmake/bpf.cmake has them. Nothing that is included from there depends on the CPU.
FLAGS = ["-target", "bpf", "-mcpu=v3", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-D__TARGET_ARCH_arm64"]


def system_headers():
    """The folder of asm/, which is no default of a compiler for BPF."""
    return [str(path.parent.parent) for path in pathlib.Path("/usr/include").glob("*/asm/types.h")][:1]


def compiler():
    return shutil.which("clang-16") or shutil.which("clang")


def faults(root):
    objects = SKELETON.findall((root / "bpf/CMakeLists.txt").read_text())
    if not objects:
        yield f"{root}/bpf/CMakeLists.txt: no objects to compile"
    includes = [f"-I{root}/bpf/include", *(word for folder in system_headers() for word in ("-isystem", folder))]
    with tempfile.TemporaryDirectory() as folder:
        for name, source, definitions in objects:
            made = subprocess.run([compiler(), *FLAGS, *(f"-D{one}" for one in definitions.split()), *includes, "-c",
                                   root / "bpf" / source, "-o", f"{folder}/{name}.o"], capture_output=True, text=True,
                                  check=False)
            if made.returncode:
                yield f"{name} does not compile for arm64: {made.stderr.strip()[:2000]}"


def main():
    if not compiler() or not pathlib.Path("/usr/include/bpf/bpf_helpers.h").exists():
        print("clang-16 or libbpf-dev is missing: not compiled for arm64")
        return SKIPPED
    found = list(faults(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2])))
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
