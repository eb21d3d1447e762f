#!/usr/bin/env python3
"""The checks themselves: each fault that they are there for is put into a small tree, and must be told."""

import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True

import bpf_arm64  # noqa: E402
import drop_reasons  # noqa: E402
import flags  # noqa: E402
import includes  # noqa: E402
import names  # noqa: E402
import pwru_flags  # noqa: E402
import queries  # noqa: E402
import spdx  # noqa: E402
import words  # noqa: E402

SOUND = {
    "agent/base/result.h": "#pragma once\n",
    "agent/model/event.h": '#pragma once\n#include "base/result.h"\n',
    "agent/kernel/ring.h": '#pragma once\n#include <bpf/libbpf.h>\n#include "model/event.h"\n',
    "agent/kernel/ring.cpp": '#include "kernel/ring.h"\n#include "trace_abi.h"\n',
    "agent/decode/decoder.h": '#pragma once\n#include "model/event.h"\n',
    "agent/session/loop.cpp": '#include "session/loop.h"\n#include "kernel/ring.h"\n',
    "agent/main.cpp": '#include "session/loop.h"\n#include <CLI/CLI.hpp>\n',
    "agent/session/loop.h": "#pragma once\n",
    "bpf/include/trace_abi.h": spdx.KERNEL_SIDE + "\n",
    "bpf/tracer.bpf.c": spdx.KERNEL_SIDE + '\n#include "trace_abi.h"\n',
    "LICENSE": "Apache License\n",
    "LICENSES/BSD-2-Clause.txt": "",
    "LICENSES/GPL-2.0-only.txt": "",
}


class Tree(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for name, content in SOUND.items():
            self.write(name, content)

    def write(self, name, content):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    def told(self, check, fault):
        found = "\n".join(check.faults(self.root))
        self.assertIn(fault, found)


class Includes(Tree):
    def test_a_sound_tree_passes(self):
        self.assertEqual(list(includes.faults(self.root)), [])

    def test_upwards(self):
        self.write("agent/model/bad.h", '#pragma once\n#include "session/loop.h"\n')
        self.told(includes, "model/bad.h: includes session/loop.h, which stands above model/")

    def test_neighbours(self):
        self.write("agent/decode/bad.h", '#pragma once\n#include "kernel/ring.h"\n')
        self.told(includes, "kernel/ and decode/ are neighbours")

    def test_cycle(self):
        self.write("agent/base/result.h", '#pragma once\n#include "base/other.h"\n')
        self.write("agent/base/other.h", '#pragma once\n#include "base/result.h"\n')
        self.told(includes, "cycle: base/other.h -> base/result.h -> base/other.h")

    def test_reserved_libraries(self):
        self.write("agent/session/bad.cpp", "#include <bpf/bpf.h>\n#include <pcap/pcap.h>\n#include <re2/re2.h>\n"
                                            '#include "tracer.skel.h"\n#include "trace_abi.h"\n#include "monitor_abi.h"\n'
                   '#include <httplib.h>\n#include <libmnl/libmnl.h>\n#include <prometheus/metric_family.h>\n')
        for fault in ("<bpf/bpf.h>", "<pcap/pcap.h>", "<re2/re2.h>", "tracer.skel.h", "trace_abi.h", "monitor_abi.h",
                      "<httplib.h>", "<libmnl/libmnl.h>", "<prometheus/metric_family.h>"):
            self.told(includes, fault)

    def test_own_header_first(self):
        self.write("agent/kernel/ring.cpp", '#include <cstdio>\n#include "kernel/ring.h"\n')
        self.told(includes, "kernel/ring.cpp: its own header is not its first include")

    def test_no_guard_and_no_such_file(self):
        self.write("agent/base/bad.h", '#include "result.h"\n')
        self.told(includes, "does not begin with #pragma once")
        self.told(includes, 'includes "result.h", which is not a path from agent/')

    def test_a_folder_without_level(self):
        self.write("agent/util/bad.h", '#pragma once\n#include "base/result.h"\n')
        self.told(includes, "has no level")

    def test_the_contract_stands_alone(self):
        self.write("bpf/include/trace_abi.h", spdx.KERNEL_SIDE + "\n#include <linux/types.h>\n")
        self.told(includes, "trace_abi.h: includes something")

    def test_an_empty_tree_is_a_fault(self):
        with tempfile.TemporaryDirectory() as empty:
            self.assertTrue(list(includes.faults(pathlib.Path(empty))))


@unittest.skipUnless(bpf_arm64.compiler(), "clang-16")
class Arm64(Tree):
    def test_code_of_another_cpu(self):
        self.write("bpf/CMakeLists.txt", "skbtrail_bpf_skeleton(ring ring.bpf.c SIZE=1)\n")
        self.write("bpf/ring.bpf.c", "int size(void) { return SIZE; }\n")
        self.assertEqual(list(bpf_arm64.faults(self.root)), [])
        self.write("bpf/ring.bpf.c", "#ifndef __TARGET_ARCH_x86\n#error x86 only\n#endif\n")
        self.told(bpf_arm64, "ring does not compile for arm64")

    def test_no_objects(self):
        self.write("bpf/CMakeLists.txt", "# nothing\n")
        self.told(bpf_arm64, "no objects to compile")


class Names(Tree):
    def test_two_types_of_one_name(self):
        self.write("agent/model/drop.h", "#pragma once\nstruct Later;\nstruct Drop {\n  struct Place {};\n};\n")
        self.write("agent/model/place.h", "#pragma once\nstruct Later {};\nenum class Place : int { Here };\n")
        self.assertEqual(list(names.faults(self.root)), [])
        self.write("agent/sink/drop.h", "#pragma once\nclass Drop final : public Later {\n};\n")
        self.told(names, "Drop is defined more than once: agent/model/drop.h, agent/sink/drop.h")

    def test_no_types(self):
        self.told(names, "no types to check")


class DropReasons(unittest.TestCase):
    CODE = '{"core", "NO_SOCKET",\n "nobody " "listens",\n "ss \\"-l\\""},\n'

    def faults(self, text, code=CODE):
        table = drop_reasons.table(self.CODE)
        page = f"{text}\n<!-- reasons -->\n{table}<!-- end of reasons -->\n"
        return "\n".join(drop_reasons.faults(code, page))

    def test_page_of_the_code(self):
        self.assertEqual(self.faults("`NO_SOCKET` is `DROP`"), "")
        self.assertIn('| `NO_SOCKET` | nobody listens | ss "-l" |', drop_reasons.table(self.CODE))

    def test_another_table_and_an_unknown_reason(self):
        self.assertIn("its table is not that of", self.faults("", self.CODE.replace("nobody", "somebody")))
        self.assertIn("no reason NO_SOKET", self.faults("`NO_SOKET`"))
        self.assertIn("no rows", self.faults("", ""))


class Spdx(Tree):
    def test_a_sound_tree_passes(self):
        self.assertEqual(list(spdx.faults(self.root)), [])

    def test_marks(self):
        self.write("bpf/other.bpf.c", "int x;\n")
        self.told(spdx, "bpf/other.bpf.c: the first line is not")
        self.write("agent/main.cpp", "// SPDX-License-Identifier: MIT\n")
        self.told(spdx, "agent/main.cpp: is under MIT")

    def test_missing_text(self):
        (self.root / "LICENSES/GPL-2.0-only.txt").unlink()
        self.told(spdx, "LICENSES/GPL-2.0-only.txt is missing")


class Words(unittest.TestCase):
    def test_each_fault_is_told(self):
        for line in ("see /home/someone/x", "cd /root/x", "curl https://pypi.org/simple", "<<<<<<< HEAD",
                     "// TODO later", "bpf_printk(1);", "trailing ", "dos\r"):
            with self.subTest(line=line):
                self.assertEqual(len(list(words.faults("file", line + "\n"))), 1)

    def test_what_is_fine(self):
        text = "HOME=/root\n=======\nTODO(#12): more\nhttps://no-color.org\n"
        self.assertEqual(list(words.faults("file", text)), [])
        self.assertEqual(len(list(words.faults("file", "no end"))), 1)


class Flags(unittest.TestCase):
    HELP = ("Options:\n  -h,--help                   Print\n  --ring-size TEXT=16M        Buffer, see --help\n"
            "  --a,--b{false}=true         Two\n  --plain                     One\n")

    def test_help_and_page_agree(self):
        help_flags = flags.flags_of_help(self.HELP)
        self.assertEqual(help_flags, {"--ring-size": "16M", "--a": "true", "--b": "true", "--plain": None})
        page = ("| flag | default | meaning |\n|---|---|---|\n| `--ring-size SIZE` | `16M` | not `--other` |\n"
                "| `--a`, `--b` | true | |\n| `--plain` | off | |\n")
        self.assertEqual(list(flags.faults("x", "p", help_flags, flags.flags_of_page(page))), [])

    def test_a_flag_without_an_example_is_told(self):
        names = flags.names_of_help(self.HELP)
        self.assertEqual(names, {("--ring-size",), ("--a", "--b"), ("--plain",)})
        page = "--plain\n```console\n$ skbtrail trace --b --ring-size 8M\n```\n"
        self.assertEqual(list(flags.without_example("p", names, page)), ["p: no example uses --plain"])

    def test_differences_are_told_both_ways(self):
        help_flags = flags.flags_of_help(self.HELP)
        page = "| flag | default |\n|---|---|\n| `--ring-size` | 8M |\n| `--a`, `--b` | true |\n| `--gone` | |\n"
        found = "\n".join(flags.faults("x", "p", help_flags, flags.flags_of_page(page)))
        for fault in ("no word about --plain", "--gone is no flag", "the default of --ring-size is 16M, not 8M"):
            self.assertIn(fault, found)


class PwruFlags(unittest.TestCase):
    HELP = "      --kmods strings   modules\n  -h, --help            help\n      --new-flag uint   see --kmods\n"

    def test_help_is_read_by_its_first_column(self):
        self.assertEqual(pwru_flags.flags_of_pwru(self.HELP), {"--kmods", "--help", "--new-flag"})

    def test_a_flag_without_a_row_is_told(self):
        table = pwru_flags.table_of("| `--kmods` | same | |\n| `--help` | same | |\n")
        self.assertEqual(list(table), ["--kmods", "--help"])
        found = list(pwru_flags.faults_of_pwru(table, pwru_flags.flags_of_pwru(self.HELP)))
        self.assertTrue(any("--new-flag" in fault for fault in found))

    def test_a_table_that_lags_is_told(self):
        table = {"--gone": "same", "--done": "not needed", "--kmods": "same", "--odd": "perhaps"}
        found = "\n".join(pwru_flags.faults_of_table(table, {"--done", "--kmods"}))
        for flag in ("--gone", "--done", "--odd"):
            self.assertIn(flag, found)
        self.assertNotIn("--kmods", found)


class Queries(unittest.TestCase):
    KNOWN = {"skbtrail_drops_total": {"pod", "reason"}, "skbtrail_wait_seconds": {"stage"}}

    def faults(self, expression):
        return "\n".join(queries.faults_of("here", expression, self.KNOWN))

    def test_the_page_is_read(self):
        page = ("| name | type | labels |\n|---|---|---|\n| `skbtrail_a_total`, `skbtrail_b_total` | counter | `pod`, `reason` |\n"
                "| `skbtrail_c` | gauge | |\n| `skbtrail_d_total` | counter | `cause` ([here](x.md#y)) |\n"
                "| `skbtrail_e_total` | counter | `result`: `pod`, `host` |\n\nBesides: `process_open_fds`.\n")
        self.assertEqual(queries.metrics_of_page(page), {
            "skbtrail_a_total": {"pod", "reason"}, "skbtrail_b_total": {"pod", "reason"}, "skbtrail_c": set(),
            "skbtrail_d_total": {"cause"}, "skbtrail_e_total": {"result"}, "process_open_fds": set()})

    def test_sound_queries_pass(self):
        for sound in ('sum by (instance, pod) (rate(skbtrail_drops_total{reason=~"A|B",job="x"}[5m])) > 1', "up == 0",
                      "histogram_quantile(0.9, sum by (le, stage) (rate(skbtrail_wait_seconds_bucket[5m])))"):
            self.assertEqual(self.faults(sound), "")

    def test_what_is_not_there_is_told(self):
        self.assertIn("no metric skbtrail_drop_total", self.faults("rate(skbtrail_drop_total[5m])"))
        self.assertIn("has no label stage", self.faults('skbtrail_drops_total{stage="x"}'))
        self.assertIn("no metric of this query has a label node", self.faults("sum by (node) (skbtrail_drops_total)"))
        self.assertIn("asks for nothing of ours", self.faults("rate(node_cpu_seconds_total[5m])"))


if __name__ == "__main__":
    unittest.main(verbosity=0)
