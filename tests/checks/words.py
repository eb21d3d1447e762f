#!/usr/bin/env python3
"""Checks the text of every file that git tracks: words.py [FILE...]. Exits with 1 and one line for each fault.

Nothing in the tree depends on the machine it was written on, and nothing is left over from a merge or a quick try.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

FAULTS = [
    (re.compile(r"/home/\w|/Users/\w|/root/\w|/mnt/\w"), "a path of somebody's machine"),
    (re.compile(r"\b(?:pypi\.org|pythonhosted\.org|npmjs\.\w+|crates\.io|proxy\.golang\.org|rubygems\.org|"
                r"artifactory|(?:deb|ftp)\.debian\.org)\b"), "the host of a package registry: packages come by name"),
    (re.compile(r"^(?:<{7}|>{7}|\|{7})(?: |$)"), "left over from a merge"),
    (re.compile(r"\b(?:FIXME|XXX)\b|\bTODO\b(?! ?\(?#\d)"), "a TODO without the number of an issue"),
    (re.compile(r"bpf_printk"), "a print for a quick try"),
    (re.compile(r"[ \t]+$"), "space at the end of the line"),
    (re.compile(r"\r"), "a carriage return"),
]
# Texts that others wrote, inputs that look as they must, and this file.
EXEMPT = re.compile(r"LICENSE|tests/fuzz/corpus/|tests/fixtures/|tests/checks/words\.py$|tests/checks/checks_test\.py$")


def tracked():
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [name for name in names.split("\0") if name and not EXEMPT.match(name) and (ROOT / name).is_file()]


def faults(name, content):
    for number, line in enumerate(content.split("\n"), 1):
        for form, what in FAULTS:
            if form.search(line):
                yield f"{name}:{number}: {what}: {line.strip()[:80]}"
    if content and not content.endswith("\n"):
        yield f"{name}: does not end with a new line"


def main():
    names = sys.argv[1:] or tracked()
    found = []
    for name in names:
        try:
            found += faults(name, (ROOT / name).read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            found.append(f"{name}: is not UTF-8 text")
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
