#!/usr/bin/env python3
"""Checks that the pages in docs/ and `--help` name the same flags with the same defaults: flags.py [BUILD].

A page lists a flag in the first cell of a table row, and its default in the second if that column says so. Each flag of
`skbtrail trace` is also in an example of its page, which the kernel tests run. Exits with 77 when the binary is not built.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = {"trace": "docs/trace.md", "check": "docs/check.md", "pods": "docs/pods.md", "agent": "docs/configuration.md",
         "top": "docs/top.md"}
SKIPPED = 77

FLAG = re.compile(r"(?<![\w-])(--[a-z][a-z0-9-]*)")
HELP_ROW = re.compile(r"^  (-\S*)(.*)$", re.MULTILINE)
HELP_DEFAULT = re.compile(r"=(\S+)")
# Of every command, and said once for all.
COMMON = {"--help"}


def flags_of_help(text):
    """{flag: default or None} as CLI11 prints them; `{false}` marks what a negated flag sets."""
    found = {}
    for names, rest in HELP_ROW.findall(text):
        default = HELP_DEFAULT.search(names + rest.split("  ")[0])
        for flag in FLAG.findall(names):
            found[flag] = default.group(1) if default else None
    return {flag: default for flag, default in found.items() if flag not in COMMON}


def names_of_help(text):
    """The names of each flag, those that turn it off included."""
    rows = [tuple(FLAG.findall(names)) for names, _ in HELP_ROW.findall(text)]
    return {names for names in rows if names and not COMMON & set(names)}


def flags_of_page(text):
    """{flag: default, or None where the table has none}, from the rows of its tables."""
    found, has_default = {}, False
    for line in text.splitlines():
        if not line.startswith("|"):
            has_default = False
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        if len(cells) > 1 and cells[1] == "default":
            has_default = True
        for flag in FLAG.findall(cells[0]):
            found[flag] = cells[1].strip("`") if has_default else None
    return found


def faults(command, page, help_flags, page_flags):
    for flag in sorted(help_flags.keys() - page_flags.keys()):
        yield f"{page}: no word about {flag} of `skbtrail {command}`"
    for flag in sorted(page_flags.keys() - help_flags.keys()):
        yield f"{page}: {flag} is no flag of `skbtrail {command}`"
    for flag in sorted(help_flags.keys() & page_flags.keys()):
        said, true = page_flags[flag], help_flags[flag]
        if said is not None and true is not None and said != true:
            yield f"{page}: the default of {flag} is {true}, not {said}"


def without_example(page, help_flags, text):
    """Flags that no command in a console block uses; one that has several names needs one of them."""
    blocks = re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    used = {flag for block in blocks for flag in FLAG.findall(block)}
    for names in sorted(help_flags):
        if not used & set(names):
            yield f"{page}: no example uses {names[0]}"


def main():
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/release")
    binary = build / "agent/skbtrail"
    if not binary.exists():
        print(f"skipped: {binary} is not built (./dev build)")
        return SKIPPED
    found = []
    for command, page in PAGES.items():
        help_text = subprocess.run([binary, command, "--help"], check=True, capture_output=True, text=True).stdout
        help_flags, page_flags = flags_of_help(help_text), flags_of_page((ROOT / page).read_text())
        if not help_flags or not page_flags:
            found.append(f"{page}: {len(help_flags)} flags in --help and {len(page_flags)} in the page")
        found += faults(command, page, help_flags, page_flags)
        if command == "trace":
            found += without_example(page, names_of_help(help_text), (ROOT / page).read_text())
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
