#!/usr/bin/env python3
"""Checks that docs/functions.md names the same entry points, roles and path functions as the code does."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CODE = "agent/session/known_functions.cpp"
PAGE = "docs/functions.md"
# A heading of the page, and what the code has between these two words.
LISTS = {
    "Entry points": ("kLocalOut4", "kEntryPlaces"),
    "The path set": ("kPath", "static_assert"),
    "Roles": ("kRoles", "struct NamedMove"),
    "Moves": ("kMoves", "entry_places()"),
}


def in_code(text, first, last):
    begin = text.index(first)
    return set(re.findall(r'"(\w+)"', text[begin:text.index(last, begin)]))


def in_page(text, heading):
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return {name for name in re.findall(r"`(\w+)`", section) if "_" in name}


def faults(code, page):
    for heading, (first, last) in LISTS.items():
        true, said = in_code(code, first, last), in_page(page, heading)
        if not true:
            yield f"{CODE}: nothing between {first} and {last}"
        for name in sorted(true - said):
            yield f"{PAGE}: '{heading}' lacks {name}"
        for name in sorted(said - true - {"sk_buff"}):
            yield f"{PAGE}: '{heading}' has {name}, which the code has not"


def main():
    found = list(faults((ROOT / CODE).read_text(), (ROOT / PAGE).read_text()))
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
