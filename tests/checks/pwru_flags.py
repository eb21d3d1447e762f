#!/usr/bin/env python3
"""Checks docs/pwru.md: pwru_flags.py [--build BUILD] [--pwru PROGRAM].

Every flag that the table calls `same` or `always` is one of `skbtrail trace`, and none that it calls `not needed` is. With
--pwru, every flag that this program's own --help prints must be in the table. Exits with 77 when skbtrail is not built.
"""

import argparse
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = "docs/pwru.md"
SKIPPED = 77
ANSWERS = {"same", "always", "other flag", "not needed"}
FLAG = re.compile(r"(?<![\w-])(--[a-z][a-z0-9-]*)")
ROW = re.compile(r"^\| `(--[a-z0-9-]+)` \| ([a-z ]+) \|(.*)\|$", re.MULTILINE)


def flags_of_pwru(text):
    """The flags that begin a line of `pwru --help`."""
    return set(re.findall(r"^ +(?:-\w, )?(--[a-z][a-z0-9-]*)", text, re.MULTILINE))


def table_of(text):
    return {flag: answer for flag, answer, _ in ROW.findall(text)}


def faults_of_table(table, own):
    """Where the table and our --help disagree."""
    for flag, answer in sorted(table.items()):
        if answer not in ANSWERS:
            yield f"{PAGE}: {flag}: '{answer}' is none of {', '.join(sorted(ANSWERS))}"
        if answer in ("same", "always") and flag not in own:
            yield f"{PAGE}: {flag} is no flag of `skbtrail trace`"
        if answer in ("not needed", "other flag") and flag in own:
            yield f"{PAGE}: {flag} is a flag of `skbtrail trace`, and the table says '{answer}'"


def faults_of_pwru(table, theirs):
    if len(theirs) < 10:
        yield f"only {len(theirs)} flags in pwru's help: {sorted(theirs)}"
    for flag in sorted(theirs - table.keys()):
        yield f"{PAGE}: no word about pwru's {flag}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--pwru")
    options = parser.parse_args()
    binary = options.build / "agent/skbtrail"
    if not binary.exists():
        print(f"skipped: {binary} is not built (./dev build)")
        return SKIPPED
    table = table_of((ROOT / PAGE).read_text())
    own = set(FLAG.findall(subprocess.run([binary, "trace", "--help"], check=True, capture_output=True, text=True).stdout))
    found = list(faults_of_table(table, own))
    if options.pwru:
        done = subprocess.run([options.pwru, "--help"], check=False, capture_output=True, text=True)
        found += faults_of_pwru(table, flags_of_pwru(done.stdout + done.stderr))
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
