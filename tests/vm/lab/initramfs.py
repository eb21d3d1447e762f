"""The few files that carry a kernel to the machine's own root file system: busybox, modules and guest/init."""

import gzip
import lzma
import os
import pathlib
import shutil
import subprocess

GUEST = pathlib.Path(__file__).resolve().parent.parent / "guest"
MODULES = ["virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay"]


def build(kernel, target):
    """Writes the initramfs for `kernel` to `target`."""
    archive = _Cpio()
    for folder in ("bin", "dev", "lib", "mnt", "proc", "root", "sys"):
        archive.folder(folder)
    archive.file("bin/busybox", pathlib.Path(_busybox()).read_bytes(), 0o755)
    archive.file("init", (GUEST / "init").read_bytes(), 0o755)
    names = []
    for path in _module_files(kernel):
        name = os.path.basename(path).split(".ko")[0] + ".ko"
        archive.file(f"lib/{name}", _plain(path), 0o644)
        names.append(name)
    archive.file("modules", "".join(name + "\n" for name in names).encode(), 0o644)
    target.write_bytes(archive.finish())


def _busybox():
    path = shutil.which("busybox")
    if not path:
        raise FileNotFoundError("busybox is missing: apt-get install busybox-static")
    return path


def _module_files(kernel):
    """In the order in which they must be loaded; those built into the kernel are left out."""
    modprobe = shutil.which("modprobe", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not modprobe:
        raise FileNotFoundError("modprobe is missing: apt-get install kmod")
    files = {}
    for name in MODULES:
        shown = subprocess.run([modprobe, "-d", kernel.folder, "-S", kernel.release, "-C", "/dev/null",
                                "--show-depends", name], capture_output=True, text=True, check=True).stdout
        for line in shown.splitlines():
            if line.startswith("insmod "):
                files[line.split()[1]] = None
    return list(files)


def _plain(path):
    content = pathlib.Path(path).read_bytes()
    if path.endswith(".xz"):
        return lzma.decompress(content)
    if path.endswith(".gz"):
        return gzip.decompress(content)
    return content


class _Cpio:
    """A writer of the kernel's initramfs format (cpio "newc")."""

    def __init__(self):
        self._parts = []
        self._inode = 0

    def folder(self, name):
        self._add(name, b"", 0o040755)

    def file(self, name, content, mode):
        self._add(name, content, 0o100000 | mode)

    def finish(self):
        self._add("TRAILER!!!", b"", 0)
        return b"".join(self._parts)

    def _add(self, name, content, mode):
        self._inode += 1
        path = name.encode() + b"\0"
        fields = [self._inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0]
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + path
        self._parts += [head, b"\0" * (-len(head) % 4), content, b"\0" * (-len(content) % 4)]
