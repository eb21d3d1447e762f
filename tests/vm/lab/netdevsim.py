"""The kernel's own module netdevsim, which Debian's kernels are built without: made from Debian's source of that kernel."""

import os
import re
import shutil
import subprocess

from lab.archive import ArchiveError

DRIVER = "drivers/net/netdevsim"
STEP_DEADLINE = 300     # seconds for what takes ten
# What the kernel's compiler knows and an older one does not: then the setting that asks for it is switched off.
NEWER_FLAGS = {"CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT": "-fmin-function-alignment=16"}   # GCC 14
# Programs that make runs; those with another name are chosen by a wrapper, which would not find them here.
PROGRAMS = {
    "scripts/basic/fixdep": "scripts/basic/fixdep.program",
    "scripts/mod/modpost": "scripts/mod/modpost.real-lsb-64",
    "tools/objtool/objtool": "tools/objtool/objtool.real-x86",
}


class BuildError(Exception):
    """Why the module cannot be built here."""


def need_tools():
    """Asked before anything is downloaded."""
    missing = [name for name in ("gcc", "make", "strip", "tar", "xz") if not shutil.which(name)]
    if missing:
        raise BuildError(f"{', '.join(missing)} is missing: apt-get install gcc make binutils tar xz-utils")


def download(suite, kernel, into):
    """What `build` takes. The source, 150 MB, comes last: whatever else is lacking is known before."""
    headers = f"linux-headers-{kernel.release}"
    record = next((record for record in suite.versions(headers) if record["Version"] == kernel.version), {})
    common, kbuild = (re.search(rf"linux-{part}[^ ,]*", record.get("Depends", ""))
                      for part in (r"headers-\d[^ ,]*-common", r"kbuild-\d"))
    if not common or not kbuild:
        raise ArchiveError(f"{suite.name} has no {headers} {kernel.version}; --refresh gets the kernel that it has")
    suite.download(headers, kernel.version, into)
    suite.download(common[0], kernel.version, into)
    suite.download_with_dependencies(kbuild[0], into)
    suite.download(_source_package(kernel), kernel.version, into)


def build(kernel, debs, work):
    """The module, made under `work` of the packages in `debs`."""
    root = work / "root"
    for deb in sorted(debs.iterdir()):
        _run("unpack", "dpkg-deb", "-x", deb, root)
        deb.unlink()
    driver = _driver(kernel, root, work)
    headers = root / "usr/src" / f"linux-headers-{kernel.release}"
    makefile = headers / "Makefile"
    makefile.write_text(makefile.read_text().replace("/usr/src/", f"{root}/usr/src/"))
    for name, program in PROGRAMS.items():
        _wrap(root, (headers / name).resolve(), (headers / program).resolve())
    _make(headers, driver)
    module = driver / "netdevsim.ko"
    _run("shrink", "strip", "--strip-debug", module)
    return module


def _source_package(kernel):
    return "linux-source-" + re.match(r"\d+\.\d+", kernel.release)[0]


def _driver(kernel, root, work):
    """The driver's folder of a source tree that is 1.5 GB when it is unpacked."""
    package = _source_package(kernel)
    source = root / "usr/src" / f"{package}.tar.xz"
    _run("unpack", "tar", "-I", "xz -T0", "-xf", source, "-C", work, f"{package}/{DRIVER}")
    source.unlink()
    return work / package / DRIVER


def _wrap(root, name, program):
    """Makes `name` start `program` with the libraries that it was built for, which may be newer than this machine's."""
    if not program.exists():
        name.rename(program)
    libraries = root / "usr/lib/x86_64-linux-gnu"
    name.write_text(f'#!/bin/sh\nexec "{libraries}/ld-linux-x86-64.so.2" --library-path "{libraries}" "{program}" "$@"\n')
    name.chmod(0o755)


def _make(headers, driver):
    compiler = _compiler(headers)
    # What BTF of a module takes is not here, and nobody asks for it.
    settings = ["CONFIG_NETDEVSIM=m", f"CC={compiler}", "CONFIG_DEBUG_INFO_BTF_MODULES="]
    settings += [f"{setting}=" for setting, flag in NEWER_FLAGS.items() if not _knows(compiler, flag)]
    _run(f"compile with {compiler}", "make", "-C", headers, f"M={driver}", f"-j{len(os.sched_getaffinity(0))}", "modules",
         *settings)


def _run(what, *command):
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, stdin=subprocess.DEVNULL,
                          timeout=STEP_DEADLINE, env={**os.environ, "LC_ALL": "C"})
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if re.search(r"error|not found|No such", line)]
        raise BuildError(f"cannot {what} ({command[0]}): {'; '.join((errors or lines)[:3]) or f'status {done.returncode}'}")


def _compiler(headers):
    """The one that the kernel was built with, or else this machine's."""
    own = re.search(r'^CONFIG_CC_VERSION_TEXT="\S*?(gcc-\d+) ', (headers / ".config").read_text(), re.MULTILINE)
    return own[1] if own and shutil.which(own[1]) else "gcc"


def _knows(compiler, flag):
    return subprocess.run([compiler, flag, "-fsyntax-only", "-x", "c", os.devnull], capture_output=True,
                          check=False).returncode == 0
