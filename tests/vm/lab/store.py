"""Unpacked kernels, a module for one of them and the peer tracer, kept in a cache outside the tree.

An entry is built in a temporary folder and renamed into place, so what is there is whole; a manifest of every file's
size, made before the rename, finds what was damaged afterwards. One lock an entry keeps concurrent runs apart.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from lab import netdevsim
from lab.archive import ArchiveError, Suite

# Where each kernel comes from; the second suite is asked when the first has none to give.
KERNELS = {
    "5.10": ["bullseye"],
    "6.1": ["bookworm"],
    "6.12": ["trixie", "bookworm-backports"],
    "latest": ["sid", "forky"],
}
MODULE_KERNELS = ["6.12"]     # those that netdevsim is built for: one shows it, and each costs a download of 180 MB
PEER_SUITE = "trixie"
CHECK_AGAIN_AFTER = 7 * 24 * 3600
DOWNLOAD_TRIES = 6


def tell(text):
    print(f"lab: {text}", file=sys.stderr, flush=True)


def cache_folder():
    base = os.environ.get("SKBTRAIL_CACHE")
    if not base:
        base = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "skbtrail")
    return pathlib.Path(base).absolute()


class Kernel:
    """One unpacked kernel: `image`, and `modules` which is laid over /lib/modules."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        facts = json.loads((self.folder / "entry.json").read_text())
        self.release = facts["release"]
        self.version = facts["version"]
        self.suite = facts["suite"]
        self.image = self.folder / "vmlinuz"
        self.modules = self.folder / "lib/modules"


def kernel(name, refresh=False):
    """The kernel called `name`, from the cache or else from Debian."""
    with _locked(cache_folder() / "kernels" / name) as folder:
        return Kernel(_entry(folder, refresh, lambda: _fetch_from_suites(name, folder)))


def netdevsim_for(name, booted):
    """The file of the module netdevsim for the kernel `booted`, which is called `name`; built once."""
    if name not in MODULE_KERNELS:
        raise netdevsim.BuildError(f"it is built for Linux {', '.join(MODULE_KERNELS)} only")
    with _locked(cache_folder() / "netdevsim" / name) as folder:
        ready = folder / f"netdevsim_{booted.release}_{booted.version}"
        if not _is_whole(ready):
            shutil.rmtree(ready, ignore_errors=True)
            before = _any_whole(folder)
            _build_netdevsim(name, booted, ready)
            _forget_old(folder, keep={ready, before})
        return ready / "netdevsim.ko"


def _build_netdevsim(name, booted, ready):
    netdevsim.need_tools()
    started = time.monotonic()
    with _building(ready.parent) as building:
        debs, entry = building / "debs", building / "entry"
        debs.mkdir()
        entry.mkdir()
        tell(f"{name}: building netdevsim for {booted.release}: downloading its source and headers, 180 MB")
        netdevsim.download(_suite_with_source(name, booted), booted, debs)
        shutil.move(netdevsim.build(booted, debs, building), entry)
        _finish(entry, ready, release=booted.release, version=booted.version)
    tell(f"{name}: netdevsim was built in {time.monotonic() - started:.0f} s")


def _suite_with_source(name, booted):
    """The suite that the kernel came from, with an index that knows its version if there is any."""
    suite = Suite(booted.suite, cache_folder() / "index" / name / booted.suite)
    with _locked(cache_folder() / "kernels" / name):      # the index is that of the kernels
        if not suite.has_index() or not any(record["Version"] == booted.version
                                            for record in suite.versions(f"linux-headers-{booted.release}")):
            _update(suite)
    return suite


def peer(refresh=False):
    """The wrapper that starts pwru with the libraries it was built for."""
    with _locked(cache_folder() / "peer") as folder:
        return _entry(folder, refresh, lambda: _fetch_peer(folder)) / "pwru"


def _entry(folder, refresh, fetch):
    """The current entry of `folder`; `fetch` gets a newer one when it is absent, damaged or has not been checked lately."""
    current = folder / "current"
    present = current.resolve() if current.exists() else None
    if present and not _is_whole(present):
        tell(f"{present}: damaged, fetching it again")
        shutil.rmtree(present, ignore_errors=True)
        present = None
    if present and not refresh and time.time() - current.lstat().st_mtime < CHECK_AGAIN_AFTER:
        return present
    try:
        fetched = fetch()
    except ArchiveError as error:
        present = present or _any_whole(folder)
        if not present:
            raise
        tell(f"{error}; using {present.name} from the cache")
        return present
    _point(current, fetched)
    _forget_old(folder, keep={fetched, present})
    return fetched


def _fetch_from_suites(name, folder):
    reasons = []
    for suite in KERNELS[name]:
        try:
            return _fetch_kernel(Suite(suite, cache_folder() / "index" / name / suite), folder)
        except ArchiveError as error:
            tell(str(error))
            reasons.append(str(error))
    raise ArchiveError(f"no kernel {name}: " + "; ".join(reasons))


def _fetch_kernel(suite, folder):
    _update(suite)
    tried = []
    for package, version in _candidates(suite)[:DOWNLOAD_TRIES]:
        ready = folder / f"{package}_{version}"
        if ready.exists() and _is_whole(ready):
            return ready
        shutil.rmtree(ready, ignore_errors=True)
        try:
            return _unpack_kernel(suite, package, version, ready)
        except ArchiveError as error:
            # The index may be ahead of the pool (404) or behind it: ask for it anew once, then take an older version.
            tell(f"{error}; trying an older version")
            tried.append(f"{package} {version}")
            if len(tried) == 1:
                _update(suite)
    raise ArchiveError(f"{suite.name}: no kernel could be downloaded (tried {', '.join(tried) or 'none: no candidate'})")


def _update(suite):
    for attempt in range(3):
        try:
            suite.update()
            return
        except ArchiveError as error:
            if attempt == 2:
                if not suite.has_index():
                    raise
                tell(f"{error}; going on with the index from before")
            else:
                time.sleep(2 * (attempt + 1))


def _candidates(suite):
    """(package, version) newest first: what the meta package wants, then the other kernels of the suite."""
    wanted = []
    for record in suite.versions("linux-image-amd64"):
        wanted += re.findall(r"(linux-image-[0-9][^ ,]*-amd64)", record.get("Depends", ""))
    others = sorted((name for name in suite.names(r"linux-image-[0-9][0-9.+~a-z-]*-amd64")
                     if not re.search(r"-(cloud|rt|dbg|unsigned)\b", name)), key=_natural, reverse=True)
    found = []
    for package in dict.fromkeys(wanted + others):
        found += [(package, record["Version"]) for record in suite.versions(package)]
    return found


def _natural(text):
    return [int(part) if part.isdigit() else 0 for part in re.split(r"(\d+)", text)]


def _unpack_kernel(suite, package, version, ready):
    with _building(ready.parent) as building:
        debs = building / "debs"
        debs.mkdir()
        tell(f"{suite.name}: downloading {package} {version}")
        _download_kernel(suite, package, version, debs, set())
        unpacked = building / "unpacked"
        for deb in sorted(debs.iterdir()):
            subprocess.run(["dpkg-deb", "-x", deb, unpacked], check=True)
        shutil.rmtree(debs)

        entry = building / "entry"
        (entry / "lib").mkdir(parents=True)
        images = sorted(unpacked.glob("boot/vmlinuz-*")) + sorted(unpacked.glob("usr/lib/modules/*/vmlinuz"))
        if not images:
            raise ArchiveError(f"{suite.name}: {package} {version} has no image")
        shutil.move(images[0], entry / "vmlinuz")
        for part in ("lib/modules", "usr/lib/modules"):   # since the split, some files lie here and some there
            if (unpacked / part).is_dir():
                shutil.copytree(unpacked / part, entry / "lib/modules", dirs_exist_ok=True, symlinks=True,
                                copy_function=os.rename)
        release = next((path.name for path in (entry / "lib/modules").glob("*") if (path / "modules.builtin").exists()),
                       None)
        if not release:
            raise ArchiveError(f"{suite.name}: {package} {version} has no modules")
        for link in ("build", "source"):
            (entry / "lib/modules" / release / link).unlink(missing_ok=True)
        subprocess.run([_program("depmod"), "-b", entry, release], check=True)
        return _finish(entry, ready, release=release, version=version, package=package, suite=suite.name)


def _download_kernel(suite, package, version, debs, seen):
    """`package` and those of its dependencies that hold image, modules and their lists since Debian splits them."""
    seen.add(package)
    suite.download(package, version, debs)
    record = next(record for record in suite.versions(package) if record["Version"] == version)
    depends = record.get("Depends", "") + ", " + record.get("Pre-Depends", "")
    for name, wanted in re.findall(r"(linux-(?:base|binary|modules|image)-[0-9][^ ,|(]*)(?: \(= ([^)]+)\))?", depends):
        if name not in seen:
            _download_kernel(suite, name, wanted or suite.versions(name)[0]["Version"], debs, seen)


def _fetch_peer(folder):
    suite = Suite(PEER_SUITE, cache_folder() / "index" / "peer")
    _update(suite)
    records = suite.versions("pwru")
    if not records:
        raise ArchiveError(f"{PEER_SUITE}: no package pwru")
    version = records[0]["Version"]
    ready = folder / f"pwru_{version}"
    if ready.exists() and _is_whole(ready):
        return ready
    shutil.rmtree(ready, ignore_errors=True)
    with _building(folder) as building:
        debs, entry = building / "debs", building / "entry"
        debs.mkdir()
        tell(f"{suite.name}: downloading pwru {version} and the libraries it needs")
        suite.download_with_dependencies("pwru", debs)
        for deb in sorted(debs.iterdir()):
            subprocess.run(["dpkg-deb", "-x", deb, entry], check=True)
        # Its own libc too: it is built for a newer one than the oldest machine this runs on.
        wrapper = entry / "pwru"
        wrapper.write_text('#!/bin/sh\nhere=$(dirname "$(readlink -f "$0")")\n'
                           'lib=$here/usr/lib/x86_64-linux-gnu\n'
                           'exec "$lib/ld-linux-x86-64.so.2" --library-path "$lib" "$here/usr/bin/pwru" "$@"\n')
        wrapper.chmod(0o755)
        return _finish(entry, ready, version=version, package="pwru", suite=suite.name)


def _finish(entry, ready, **facts):
    (entry / "entry.json").write_text(json.dumps({**facts, "manifest": _manifest(entry)}, indent=1))
    entry.rename(ready)
    return ready


def _manifest(entry):
    """A digest over the name and size of every file, and the content of the image; 30 ms for a kernel."""
    digest = hashlib.sha256()
    for folder, names, files in os.walk(entry):
        names.sort()
        for name in sorted(files):
            path = os.path.join(folder, name)
            if name != "entry.json":
                digest.update(f"{os.path.relpath(path, entry)} {os.lstat(path).st_size}\n".encode())
            if name == "vmlinuz":
                digest.update(pathlib.Path(path).read_bytes())
    return digest.hexdigest()


def _is_whole(entry):
    try:
        return json.loads((entry / "entry.json").read_text())["manifest"] == _manifest(entry)
    except (OSError, ValueError, KeyError):
        return False


def _any_whole(folder):
    entries = sorted((path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()
                      and not path.name.startswith(".")), key=lambda path: path.stat().st_mtime, reverse=True)
    return next((entry for entry in entries if _is_whole(entry)), None)


def _point(link, target):
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target.name)
    fresh.replace(link)


def _forget_old(folder, keep):
    """Keeps the entry in use and the one before it, which is what a lost download falls back to."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink() and not path.name.startswith(".") and path not in keep:
            shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _building(folder):
    for left in folder.glob(".building-*"):   # we hold the lock, so whoever made it is gone
        shutil.rmtree(left, ignore_errors=True)
    path = pathlib.Path(tempfile.mkdtemp(prefix=".building-", dir=folder))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder):
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(f"waiting for another run that uses {folder}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _program(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") or name
