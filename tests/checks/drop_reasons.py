#!/usr/bin/env python3
"""Checks that the table of docs/drop-reasons.md is that of the code, and that the page speaks of no other reason:
drop_reasons.py [--write]. With --write the table is written first."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CODE = "agent/sink/drop_reason_text.inc"
PAGE = "docs/drop-reasons.md"
# Words of C++ that stand behind one another are one.
ROW = re.compile(r'\{("(?:[^"\\]|\\.)*"(?:[\s,]+"(?:[^"\\]|\\.)*")*)\}')
TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
TABLE = re.compile(r"(?<=<!-- reasons -->\n).*?(?=<!-- end of reasons -->)", re.DOTALL)
# What a guide for people names in capitals beside reasons.
OTHERS = {"DROP"}


def rows(code):
    """(subsystem, reason, meaning, check) of each row."""
    for row in ROW.findall(code):
        cells = ["".join(TEXT.findall(cell)) for cell in re.split(r'(?<="),\s*(?=")', row)]
        yield [re.sub(r"\\(.)", r"\1", cell) for cell in cells]


def table(code):
    head = "| reason | what it usually means | what to check |\n|---|---|---|\n"
    parts = []
    for subsystem, reason, meaning, check in rows(code):
        if not parts or parts[-1][0] != subsystem:
            parts.append((subsystem, []))
        parts[-1][1].append(f"| `{reason}` | {meaning} | {check} |\n".replace("<", "&lt;"))
    return "\n" + "\n".join(f"Of the subsystem `{name}`:\n\n{head}{''.join(lines)}" for name, lines in parts) + "\n"


def faults(code, page):
    known = {reason for _, reason, _, _ in rows(code)}
    if not known:
        yield f"{CODE}: no rows"
    found = TABLE.search(page)
    if not found or found.group() != table(code):
        yield f"{PAGE}: its table is not that of {CODE}: tests/checks/drop_reasons.py --write"
    for name in re.findall(r"`([A-Z][A-Z0-9_]+)`", TABLE.sub("", page)):
        if name not in known | OTHERS:
            yield f"{PAGE}: no reason {name} in {CODE}"


def main():
    code, page = (ROOT / CODE).read_text(), ROOT / PAGE
    if "--write" in sys.argv:
        page.write_text(TABLE.sub(lambda _: table(code), page.read_text()))
    found = list(faults(code, page.read_text()))
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
