"""The virtual machine that is the cluster's node, from outside. Its kernel is what is tested; tests/e2e/node runs in it."""

import multiprocessing.managers
import os
import pathlib
import signal
import subprocess
import threading

from cluster import ADDRESS, TAP, lab

HERE = pathlib.Path(__file__).resolve().parent
KERNEL = "6.12"
MEMORY = 8192
TIMEOUT = 2400  # several times what it takes on a machine that is not slow
BOOT_WITHIN = 240
HANDS_PORT = 7000
# Nobody else is on the cable.
KEY = b"lab"


class Manager(multiprocessing.managers.BaseManager):
    """How the two talk; tests/e2e/node says which hands there are."""


Manager.register("hands")


class Machine:
    """`hands` does in it what class Hands of tests/e2e/node has; an exception there is one here."""

    def __init__(self, build, out):
        self.command = [HERE.parent / "vm/run", KERNEL, "--tap", TAP, "--memory", str(MEMORY), "--timeout", str(TIMEOUT),
                        "--build", build, "--out", out, "--", HERE / "node"]
        self.process = self.hands = None  # there is no machine yet, and nobody in it who answers
        self.is_ending = False

    def start(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL)
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self):
        """Who waits for an answer of a machine that is gone would wait for ever."""
        status = self.process.wait()
        if not self.is_ending:
            self.hands = None
            print(f"# the virtual machine ended by itself, with status {status}", flush=True)
            os.kill(os.getpid(), signal.SIGTERM)

    def connect(self):
        manager = Manager((ADDRESS, HANDS_PORT), KEY)

        def is_reached():
            try:
                manager.connect()
                return True
            except OSError:
                return False

        lab.wait_until(is_reached, BOOT_WITHIN, "the virtual machine answers", every=0.5)
        self.hands = manager.hands()

    def stop(self):
        """What it ended with, its kernel's complaints included."""
        self.is_ending = True
        if self.hands is None:
            self.process.terminate()
        else:
            self.hands.end()
        return self.process.wait()
