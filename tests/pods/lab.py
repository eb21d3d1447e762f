"""A real containerd of its own: in this process' mount, network and pid namespaces, with a CNI bridge and an image
that was made by hand. Nothing of it is left when the namespaces end, but for the cgroups, which stop() removes."""

import hashlib
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tarfile
import time

import cri

IMAGE = "localhost/pause:1"
CNI_PLUGINS = "/usr/lib/cni"
NETWORK = {
    "cniVersion": "0.4.0", "name": "lab",
    "plugins": [{"type": "bridge", "bridge": "cni0", "isGateway": True,
                 "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.22.0.0/16"}]]}}],
}
# Version 2 of its form, which containerd 2 reads too. Without restrict_oom_score_adj a root that lacks
# CAP_SYS_RESOURCE starts no container.
CONFIG = """
version = 2
root = "{home}/root"
state = "{home}/state"
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{image}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni}"
    conf_dir = "{home}/cni"
"""


def wait_until(holds, seconds, what):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.02)


def enter():
    """What containerd writes to, private to this mount namespace."""
    for folder in ("/run", "/var/lib/cni"):
        os.makedirs(folder, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def put(archive, name, content, mode=0o644):
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def write_image(path):
    """busybox that sleeps, as `docker save` would write it."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        put(archive, "busybox", pathlib.Path("/bin/busybox").read_bytes(), 0o755)
    content = layer.getvalue()
    config = json.dumps({
        "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/busybox", "sleep", "2147483647"]},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(content).hexdigest()]}}).encode()
    with tarfile.open(path, "w") as image:
        put(image, "layer.tar", content)
        put(image, "config.json", config)
        put(image, "manifest.json", json.dumps(
            [{"Config": "config.json", "RepoTags": [IMAGE], "Layers": ["layer.tar"]}]).encode())


class Containerd:
    """`programs` has containerd, its shim and ctr; None: those on PATH."""

    def __init__(self, name, programs=None):
        self.name = name
        self.home = pathlib.Path("/run/lab-" + name)
        self.socket = str(self.home / "containerd.sock")
        self.cgroup_root = f"/skbtrail-lab-{os.stat('/proc/self/ns/pid').st_ino}"
        self.path = (f"{programs}:" if programs else "") + os.environ["PATH"]
        self.process = None
        self.cri = None
        self.write_files()
        self.start()
        write_image(self.home / "image.tar")
        self.execute("ctr", "-a", self.socket, "-n", "k8s.io", "images", "import", str(self.home / "image.tar"))
        wait_until(self.cri.is_ready, 30, f"{name} says that runtime and network are ready")

    def write_files(self):
        (self.home / "cni").mkdir(parents=True)
        (self.home / "cni/10-lab.conflist").write_text(json.dumps(NETWORK))
        (self.home / "config.toml").write_text(
            CONFIG.format(home=self.home, socket=self.socket, image=IMAGE, cni=CNI_PLUGINS))

    def execute(self, *command):
        done = subprocess.run(command, env={**os.environ, "PATH": self.path}, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def start(self):
        # A killed one leaves its socket, and the old connection ends in the middle of the next call.
        pathlib.Path(self.socket).unlink(missing_ok=True)
        with open(self.home / "log", "ab") as log:
            self.process = subprocess.Popen(
                [shutil.which("containerd", path=self.path), "--config", str(self.home / "config.toml")],
                env={**os.environ, "PATH": self.path}, stdout=log, stderr=log)
        wait_until(lambda: os.path.exists(self.socket) or self.process.poll() is not None, 30, "containerd's socket")
        if self.process.poll() is not None:
            raise RuntimeError(f"containerd ended: {(self.home / 'log').read_text()[-2000:]}")
        self.cri = cri.Cri(self.socket, self.cgroup_root)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        if self.process.poll() is None:
            self.resume()
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        for folder in pathlib.Path("/sys/fs/cgroup").glob("**" + self.cgroup_root):
            for one in sorted(folder.glob("**/"), reverse=True):
                try:
                    one.rmdir()
                except OSError:
                    pass  # of a pod that is still there; the machine loses an empty name, no more
