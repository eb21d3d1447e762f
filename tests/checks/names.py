#!/usr/bin/env python3
"""Checks names of types: names.py [ROOT]. Exits with 1 and one line for each fault.

All of agent/ is one namespace, and a type that two headers define differently is no error for compiler or linker: the
program then runs the code of one with the data of the other.
"""

import collections
import pathlib
import re
import sys

# A definition at the left edge, which is where those of the namespace are; one of an unnamed namespace stays in a .cpp.
DEFINITION = re.compile(r"^(?:template <[^\n]*>\n)?(?:class|struct|union|enum class|enum)\s+(?:\[\[\w+\]\]\s+)?(\w+)[^;{]*\{",
                        re.MULTILINE)


def faults(root):
    places = collections.defaultdict(list)
    for path in sorted((root / "agent").rglob("*.h")):
        for name in DEFINITION.findall(path.read_text()):
            places[name].append(path.relative_to(root).as_posix())
    if not places:
        yield f"{root}: no types to check"
    for name, files in sorted(places.items()):
        if len(files) > 1:
            yield f"{name} is defined more than once: {', '.join(files)}"


def main():
    found = list(faults(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2])))
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
