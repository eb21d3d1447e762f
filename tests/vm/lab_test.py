#!/usr/bin/env python3
"""Tests of the lab's own code that need neither QEMU nor a network."""

import contextlib
import importlib.machinery
import importlib.util
import io
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import suite_lib  # noqa: E402
from lab import clock, console, machine, netdevsim, store  # noqa: E402
from lab.archive import ArchiveError  # noqa: E402


def load_script(name):
    loader = importlib.machinery.SourceFileLoader(name, str(HERE / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


class FakeSuite:
    """A suite with two kernels, made of real but tiny packages; what `missing` names is in the index only."""

    name = "fake"

    def __init__(self, missing=(), offline=False):
        self.missing = missing
        self.offline = offline
        self.updates = 0
        self.packages = {"linux-image-amd64": ("9.2", "linux-image-9.2-amd64 (= 9.2-1)"),
                         "linux-image-9.2-amd64": ("9.2-1", "kmod, linux-binary-9.2-amd64 (= 9.2-1), "
                                                   "linux-modules-9.2-amd64 (= 9.2-1)"),
                         "linux-binary-9.2-amd64": ("9.2-1", ""), "linux-modules-9.2-amd64": ("9.2-1", ""),
                         "linux-image-9.1-amd64": ("9.1-4", "kmod")}

    def update(self):
        self.updates += 1
        if self.offline:
            raise ArchiveError("fake: no network")

    def has_index(self):
        return not self.offline

    def versions(self, package):
        if package not in self.packages:
            return []
        version, depends = self.packages[package]
        return [{"Package": package, "Version": version, "Depends": depends}]

    def names(self, _pattern):
        return ["linux-image-9.1-amd64", "linux-image-9.2-amd64"]

    def download(self, package, version, into):
        if package in self.missing:
            raise ArchiveError(f"fake: {package}: 404 Not Found")
        with tempfile.TemporaryDirectory() as folder:
            tree = pathlib.Path(folder)
            self.fill(tree, package)
            self._write(tree / "DEBIAN/control", f"Package: {package}\nVersion: {version}\nArchitecture: all\n"
                        "Maintainer: nobody <nobody@localhost>\nDescription: test\n")
            subprocess.run(["dpkg-deb", "-b", tree, into / f"{package}.deb"], check=True, stdout=subprocess.DEVNULL)

    def fill(self, tree, package):
        _, kind, release = package.split("-", 2)
        if kind == "binary":
            self._write(tree / f"usr/lib/modules/{release}/vmlinuz", "image")
        if kind == "image" and "9.1" in package:
            self._write(tree / f"boot/vmlinuz-{release}", "old image")
        if kind == "modules" or (kind == "image" and "9.1" in package):
            for name in ("modules.builtin", "modules.order", "modules.builtin.modinfo"):
                self._write(tree / f"lib/modules/{release}/{name}", "")

    @staticmethod
    def _write(path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


class SuiteWithSource(FakeSuite):
    """It also has what netdevsim is built of, as small as it can be; the driver is `driver`."""

    # As Debian has it: the Makefile is in another package, at a place where it is not unpacked to.
    HEADERS = {"usr/src/linux-headers-9.2-amd64/Makefile": "include /usr/src/linux-headers-9.2-common/Makefile\n",
               "usr/src/linux-headers-9.2-amd64/.config": 'CONFIG_CC_VERSION_TEXT="x-gcc-99 (Debian) 99.1"\n'}
    COMMON = {"usr/src/linux-headers-9.2-common/Makefile":
              "modules:\n\t[ -x scripts/basic/fixdep ] && [ -x scripts/mod/modpost ] && [ -x tools/objtool/objtool ]\n"
              "\t$(CC) -c -DSETTING=$(CONFIG_NETDEVSIM) $(M)/netdevsim.c -o $(M)/netdevsim.ko\n"}
    PROGRAMS = {f"usr/lib/linux-kbuild-9.2/{name}": ""
                for name in ("scripts/basic/fixdep", "scripts/mod/modpost.real-lsb-64", "tools/objtool/objtool.real-x86")}

    def __init__(self, driver="int m, netdevsim = sizeof SETTING;\n", **options):
        super().__init__(**options)
        self.driver = driver
        self.packages |= {"linux-headers-9.2-amd64": ("9.2-1", "linux-headers-9.2-common (= 9.2-1), linux-kbuild-9.2, x"),
                          "linux-headers-9.2-common": ("9.2-1", ""), "linux-kbuild-9.2": ("9.2-1", "libc6"),
                          "linux-source-9.2": ("9.2-1", "")}

    def download_with_dependencies(self, package, into):
        self.download(package, "9.2-1", into)

    def fill(self, tree, package):
        super().fill(tree, package)
        files = {"linux-headers-9.2-amd64": self.HEADERS, "linux-headers-9.2-common": self.COMMON,
                 "linux-kbuild-9.2": self.PROGRAMS}.get(package, {})
        for name, text in files.items():
            self._write(tree / name, text)
        if package == "linux-headers-9.2-amd64":
            for name in ("scripts", "tools"):
                (tree / f"usr/src/{package}/{name}").symlink_to(f"../../lib/linux-kbuild-9.2/{name}")
        if package == "linux-source-9.2":
            self._write(tree / f"source/{package}/drivers/net/netdevsim/netdevsim.c", self.driver)
            self._write(tree / f"usr/src/{package}.tar.xz", "")
            subprocess.run(["tar", "-C", tree / "source", "-cJf", tree / f"usr/src/{package}.tar.xz", package], check=True)


class KernelStoreTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.said = []
        for patch in (mock.patch.dict(os.environ, SKBTRAIL_CACHE=self.folder.name),
                      mock.patch.object(store, "tell", self.said.append),
                      mock.patch.object(store.time, "sleep", lambda _: None)):
            patch.start()
            self.addCleanup(patch.stop)

    def kernel(self, suite, **options):
        with mock.patch.object(store, "Suite", lambda *_: suite):
            return store.kernel("6.1", **options)


class KernelStore(KernelStoreTest):
    def test_a_kernel_split_over_packages_is_put_together(self):
        kernel = self.kernel(FakeSuite())
        self.assertEqual((kernel.release, kernel.image.read_text()), ("9.2-amd64", "image"))
        self.assertTrue((kernel.modules / "9.2-amd64/modules.dep").exists())

    def test_a_package_ahead_of_its_pool_gives_the_older_kernel_and_says_so(self):
        suite = FakeSuite(missing=["linux-modules-9.2-amd64"])
        kernel = self.kernel(suite)
        self.assertEqual((kernel.release, suite.updates), ("9.1-amd64", 2))
        self.assertIn("404", "".join(self.said))

    def test_a_kernel_in_the_cache_asks_nobody(self):
        self.kernel(FakeSuite())
        suite = FakeSuite()
        self.assertEqual((self.kernel(suite).release, suite.updates), ("9.2-amd64", 0))

    def test_without_a_network_the_cached_kernel_serves(self):
        self.kernel(FakeSuite())
        self.assertEqual(self.kernel(FakeSuite(offline=True), refresh=True).release, "9.2-amd64")
        self.assertIn("from the cache", "".join(self.said))

    def test_without_network_and_cache_it_fails(self):
        with self.assertRaises(ArchiveError):
            self.kernel(FakeSuite(offline=True))

    def test_a_damaged_kernel_is_fetched_again(self):
        damaged = self.kernel(FakeSuite())
        damaged.image.write_text("imagf")
        self.assertEqual(self.kernel(FakeSuite()).image.read_text(), "image")
        (damaged.modules / "9.2-amd64/modules.dep").unlink()
        self.assertTrue((self.kernel(FakeSuite()).modules / "9.2-amd64/modules.dep").exists())

    def test_what_a_killed_run_left_is_removed(self):
        left = pathlib.Path(self.folder.name, "kernels/6.1/.building-left")
        left.mkdir(parents=True)
        self.kernel(FakeSuite())
        self.assertFalse(left.exists())


class Netdevsim(KernelStoreTest):
    """The module that Debian's kernels lack, built of packages in which all is real but the kernel."""

    def setUp(self):
        super().setUp()
        patch = mock.patch.object(store, "MODULE_KERNELS", ["6.1"])
        patch.start()
        self.addCleanup(patch.stop)

    def module(self, suite, name="6.1"):
        booted = self.kernel(suite)
        with mock.patch.object(store, "Suite", lambda *_: suite):
            return store.netdevsim_for(name, booted)

    def lacks(self, suite, *words, error=netdevsim.BuildError):
        with self.assertRaises(error) as raised:
            self.module(suite)
        for word in words:
            self.assertIn(word, str(raised.exception))

    def test_it_is_built_once_and_nothing_else_is_kept(self):
        module = self.module(SuiteWithSource())
        self.assertEqual(module.read_bytes()[:4], b"\x7fELF")
        self.assertEqual(sorted(path.name for path in module.parent.parent.rglob("*") if path.is_file()),
                         [".lock", "entry.json", "netdevsim.ko"])
        built = module.stat().st_mtime_ns
        self.assertEqual(self.module(FakeSuite()).stat().st_mtime_ns, built)

    def test_a_damaged_one_is_built_again(self):
        self.module(SuiteWithSource()).write_bytes(b"")
        self.assertGreater(self.module(SuiteWithSource()).stat().st_size, 0)

    def test_a_kernel_that_it_is_not_built_for_downloads_nothing(self):
        booted = self.kernel(FakeSuite())
        with self.assertRaisesRegex(netdevsim.BuildError, "for Linux 6.1 only"):
            store.netdevsim_for("5.10", booted)

    def test_a_suite_that_has_another_version_by_now_is_named_with_the_cure(self):
        self.lacks(FakeSuite(), "linux-headers-9.2-amd64 9.2-1", "--refresh", error=ArchiveError)

    def test_a_source_that_is_gone_leaves_nothing(self):
        self.lacks(SuiteWithSource(missing=["linux-source-9.2"]), "404", error=ArchiveError)
        self.assertEqual([path.name for path in pathlib.Path(self.folder.name, "netdevsim/6.1").iterdir()], [".lock"])

    def test_what_the_compiler_says_is_told(self):
        self.lacks(SuiteWithSource(driver="int netdevsim = nowhere;\n"), "cannot compile with gcc (make): ", "nowhere")

    def test_without_a_compiler_nothing_is_downloaded(self):
        booted = self.kernel(FakeSuite())
        with mock.patch.object(netdevsim.shutil, "which", lambda name: name != "gcc"), \
                self.assertRaisesRegex(netdevsim.BuildError, "^gcc is missing: apt-get install .*gcc"):
            store.netdevsim_for("6.1", booted)

    def test_a_run_goes_on_without_it_and_hands_the_reason_in(self):
        run = load_script("run")
        lacking = mock.Mock(side_effect=netdevsim.BuildError("cannot compile:\n no space"))
        with mock.patch.object(store, "netdevsim_for", lacking):
            self.assertEqual(run.netdevsim("6.12", None), {"SKBTRAIL_NETDEVSIM_LACK": "cannot compile: no space"})
        self.assertIn("no module netdevsim", "".join(self.said))

    def test_a_flag_that_the_compiler_does_not_know_is_noticed(self):
        self.assertTrue(netdevsim._knows("gcc", "-falign-functions=16"))
        self.assertFalse(netdevsim._knows("gcc", "-fno-such-flag=16"))


class Console(unittest.TestCase):
    def test_complaints_of_every_kernel_are_seen(self):
        for line in ("[   12.345678] Oops: 0002 [#1] SMP NOPTI",
                     "[   12.345678] int3: 0000 [#1] PREEMPT SMP NOPTI",
                     "[    1.000000][  T123] BUG: kernel NULL pointer dereference, address: 0000000000000000",
                     "[    1.000000] kernel BUG at mm/slub.c:305!",
                     "[    1.000000] WARNING: CPU: 1 PID: 7 at net/core/skbuff.c:1 skb_x+0x1/0x2",
                     "[    1.000000] WARNING: net/core/skbuff.c:1 at skb_x+0x1/0x2, CPU#1: ping/7",
                     "[    1.000000] watchdog: BUG: soft lockup - CPU#0 stuck for 22s!",
                     "[    1.000000] rcu: INFO: rcu_preempt self-detected stall on CPU",
                     "[    1.000000] rcu: INFO: rcu_sched detected stalls on CPUs/tasks:",
                     "[    1.000000] INFO: task kworker/0:1:12 blocked for more than 120 seconds."):
            self.assertEqual(len(console.complaints("[    0.5] ok\n" + line)), 1, line)

    def test_ordinary_lines_are_no_complaints(self):
        log = ("[    0.1] Spectre V2 : WARNING is only a word here\n[    0.2] ima: No TPM chip found\n"
               "BUG: printed by a program\n[    0.3] systemd[1]: no Oops here\n")
        self.assertEqual(console.complaints(log), [])

    def test_an_excerpt_begins_before_the_complaint(self):
        log = "\n".join(f"[    {n}.0] line" for n in range(100)) + "\n[  100.0] BUG: x\n[  100.1] Call Trace:\n"
        excerpt = console.excerpt(log).splitlines()
        self.assertEqual(excerpt[-2:], ["[  100.0] BUG: x", "[  100.1] Call Trace:"])
        self.assertEqual(excerpt[0], "[    95.0] line")


class Clock(unittest.TestCase):
    """A kernel says 1.5 s early in its boot and `uptime` when it is ready, which takes `seconds`."""

    def fault(self, uptime, seconds, complaint="", said=b"[ 0.1] x\r\nlab.clock 1.50\r\n"):
        times = iter((100.0, 100.0 + seconds))
        ours = clock.Clock(now=lambda: next(times))
        for length in range(len(said) + 1):
            ours.read_console(said[:length])
        return ours.fault(uptime, complaint)

    def test_a_clock_of_another_speed_is_noticed(self):
        self.assertIn("too fast: 10.0 s in 2.0 s", self.fault("11.50", 2))
        self.assertIn("too slow: 0.5 s in 2.0 s", self.fault("2.00", 2))
        self.assertIn("too slow", self.fault("1.50", 2))

    def test_what_the_kernel_says_of_its_clock_counts(self):
        self.assertIn("PIT calibration deviates", self.fault("3.50", 2, "[    0.0] tsc: PIT calibration deviates from HPET"))

    def test_a_boot_that_said_no_time_is_no_good(self):
        self.assertIn("did not say", self.fault("3.50", 2, said=b"lab.clock 1.5"))

    def test_a_busy_host_is_no_fault(self):
        for uptime in ("3.50", "3.00", "4.40"):
            self.assertIsNone(self.fault(uptime, 2))


class Boots(unittest.TestCase):
    """Machines whose boots end in these ways, one after the other: a fault, or None for a good one."""

    def boot(self, *faults):
        outcomes = []
        for fault in faults:
            outcome = machine.Run()
            outcome.release, outcome.failures = (None, [fault]) if fault else ("9.2-amd64", [])
            outcomes.append(outcome)
        made = mock.Mock(side_effect=[mock.Mock(run=lambda outcome=outcome: outcome, console_tail=lambda: "")
                                      for outcome in outcomes])
        said = []
        with mock.patch.object(machine, "_Machine", made), mock.patch.object(machine, "tell", said.append):
            return machine.run("6.1", None, None), "\n".join(said), made.call_count

    def test_a_boot_with_a_wrong_clock_is_repeated_said_and_counted(self):
        outcome, said, boots = self.boot("its clock is too fast", None)
        self.assertEqual((outcome.release, boots), ("9.2-amd64", 2))
        self.assertIn("boot 1 of 3 did not get to the command: its clock is too fast", said)
        self.assertIn("1 boots had to be repeated", said)

    def test_a_machine_that_never_boots_well_fails(self):
        outcome, said, boots = self.boot("a", "b", "c")
        self.assertEqual((outcome.release, boots), (None, 3))
        self.assertIn("boot 3 of 3", said)

    def test_a_good_boot_is_not_repeated(self):
        self.assertEqual(self.boot(None)[2], 1)


class Summaries(unittest.TestCase):
    def test_a_run_that_died_counts_as_a_failure(self):
        run = load_script("run")
        self.assertEqual(run.summary("ok - a\n3 passed, 0 failed, 1 skipped\n", 0), (3, 0, 1))
        self.assertEqual(run.summary("3 passed, 0 failed, 1 skipped\n", 125), (3, 1, 1))
        self.assertEqual(run.summary("3 passed, 2 failed, 1 skipped\n", 1), (3, 2, 1))
        self.assertEqual(run.summary("", 125), (0, 1, 0))

    def test_the_closing_line_of_a_trace_is_read(self):
        totals = suite_lib.Totals.parse("note\npackets 3, events 71, lost 6 (ring 1, budget 2, tracking 3), "
                                        "probes 1493 attached / 2 rejected, backend kprobe.multi\n")
        self.assertEqual(totals, suite_lib.Totals(3, 71, 6, 1, 2, 3, 1493, 2, "kprobe.multi"))
        self.assertIsNone(suite_lib.Totals.parse("packets 3\n"))


class Repeats(unittest.TestCase):
    """A suite that fails is run once more; what fails again has failed."""

    SUITE = """#!/bin/bash
echo "ok - steady"
[[ -e $0.{mark} ]] && {{ echo "ok - shaky"; exit; }}
{touch}
echo "not ok - shaky"
exit 1
"""

    def run_suites(self, **suites):
        kernel_tests = load_script("kernel_tests")
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "suite").mkdir()
            for name, text in suites.items():
                path = pathlib.Path(folder) / "suite" / f"{name}.sh"
                path.write_text(text)
                path.chmod(0o755)
            said = io.StringIO()
            with mock.patch.multiple(kernel_tests, HERE=pathlib.Path(folder), tidy=lambda own: None, links=set), \
                    mock.patch.object(sys, "argv", ["kernel_tests"]), contextlib.redirect_stdout(said):
                return kernel_tests.main(), said.getvalue()

    def shaky(self):
        return self.SUITE.format(mark="again", touch='touch "$0.again"')

    def broken(self):
        return self.SUITE.format(mark="never", touch=":")

    def test_what_passes_the_second_time_is_told(self):
        status, said = self.run_suites(**{"10_shaky": self.shaky()})
        self.assertEqual(status, 0)
        self.assertIn("# flaky: 10_shaky: shaky\n2 passed, 0 failed, 0 skipped", said)

    def test_what_fails_twice_has_failed(self):
        status, said = self.run_suites(**{"10_broken": self.broken()})
        self.assertEqual(status, 1)
        self.assertNotIn("# flaky", said)
        self.assertIn("1 passed, 1 failed, 0 skipped", said)

    def test_a_run_repeats_few_suites(self):
        status, said = self.run_suites(**{f"1{at}_shaky": self.shaky() for at in range(3)})
        self.assertEqual(status, 1)
        self.assertEqual(said.count("failed, so once more"), 2)


class Oracle(unittest.TestCase):
    """The oracle must not agree by itself: what one tracer lacks has to be noticed, and named for what it is."""

    def setUp(self):
        self.oracle = load_script("suite/90_oracle.py")

    def hits(self, text, skb="0x1", packet="p", tuple_="10.0.0.1:0->10.0.0.2:0(icmp)"):
        return [self.oracle.Hit(skb, func, packet, tuple_) for func in text.split()]

    def lacking(self, theirs, ours):
        parts = self.oracle.lacking(theirs, ours, lambda text: "(icmp)" in text)
        return [[hit.func for hit in part] for part in parts]

    def test_a_hit_that_is_not_there_as_often_is_missing(self):
        self.assertEqual(self.lacking(self.hits("a b a c"), self.hits("a b x c")), [["a"], []])
        self.assertEqual(self.lacking(self.hits("a b"), []), [["a", "b"], []])
        self.assertEqual(self.lacking(self.hits("b a"), self.hits("a b")), [[], []])

    def test_the_same_function_of_another_skb_does_not_stand_in(self):
        self.assertEqual(self.lacking(self.hits("a"), self.hits("a", skb="0x2")), [["a"], []])

    def test_left_over_is_only_a_strange_packet_between_two_of_ours(self):
        strange = self.hits("put", tuple_="10.0.0.1:0->10.0.0.2:0()")
        ours = self.hits("a kfree_skbmem") + self.hits("b", packet="q")
        self.assertEqual(self.lacking(self.hits("a kfree_skbmem") + strange + self.hits("b"), ours), [[], ["put"]])
        self.assertEqual(self.lacking(self.hits("a") + strange + self.hits("kfree_skbmem b"), ours), [["put"], []])
        self.assertEqual(self.lacking(self.hits("a kfree_skbmem put b"), ours), [["put"], []])

    def test_what_the_default_mode_lacks_is_before_or_behind_the_entry_point(self):
        everywhere = self.hits("send out queue free") + self.hits("other", skb="0x2", packet="q")
        parts = self.oracle.before_entry(everywhere, self.hits("out free"))
        self.assertEqual([[hit.func for hit in part] for part in parts], [["send"], ["queue"], ["other"]])


if __name__ == "__main__":
    unittest.main()
