"""A container runtime that says what the test says: tests/support/scripted_runtime."""

import json
import pathlib
import subprocess
import tempfile

import suite_lib as lab

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUNTIME = ROOT / "build/release/tests/scripted_runtime"
IN_TIME = 10     # seconds for what takes a tenth of one; emulation is slow


class Runtime:
    """The scripted runtime, as a `with` block, and what it says."""

    def __init__(self):
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="runtime-", dir="/dev/shm"))
        self.socket, self._script = self._folder / "cri.sock", self._folder / "pods.json"
        self._process = None

    def __enter__(self):
        self.publish([])
        self._process = lab.start(RUNTIME, self.socket, self._script, stderr=subprocess.STDOUT)
        if not lab.wait_until(self.socket.exists, IN_TIME):
            raise RuntimeError("the scripted runtime does not listen")
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(IN_TIME)

    def publish(self, pods):
        half = self._script.with_suffix(".half")
        half.write_text(json.dumps(pods))
        half.rename(self._script)


def said(name, netns, *ips, suffix=""):
    """One pod of namespace `shop`, as `Runtime.publish` takes it."""
    return {"id": f"{name}{suffix}", "namespace": "shop", "name": name, "uid": f"uid-{name}{suffix}",
            "netns": netns.path, "ips": list(ips), "labels": {}}
