#!/usr/bin/env python3
"""Checks JSON lines against docs/event.schema.json.

    json_schema_test.py COMMAND [ARGUMENT...]    the lines that a command writes to stdout
    json_schema_test.py < FILE                   the lines of a trace
"""
import json
import pathlib
import subprocess
import sys

SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "docs" / "event.schema.json"

# Lines that must not pass: a schema that takes everything proves nothing.
REFUSED = [
    ("no type", lambda line: line.pop("type")),
    ("an unknown type", lambda line: line.update(type="jump")),
    ("a time without nanoseconds", lambda line: line.update(ts="2026-11-24T09:00:00Z")),
    ("an empty name", lambda line: line.update(comm="")),
    ("a packet that is a number", lambda line: line.update(packet=7)),
    ("a zero protocol", lambda line: line.update(proto=0)),
    ("a hop with a drop", lambda line: line.update(drop={"reason": None, "subsystem": None, "location": None})),
    ("a port beyond 65535", lambda line: line["tuple"].update(sport=65536)),
    ("a tuple without addresses", lambda line: line["tuple"].pop("saddr")),
]


def lines():
    if len(sys.argv) > 1:
        return subprocess.run(sys.argv[1:], check=True, capture_output=True).stdout.decode("utf-8").splitlines()
    return sys.stdin.buffer.read().decode("utf-8").splitlines()


def main():
    try:
        import jsonschema
    except ImportError:
        print("skipped: python3-jsonschema is not installed")
        return 77
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    wrong, kinds, sample = 0, {}, None
    for number, line in enumerate(lines(), 1):
        event = json.loads(line)
        for error in sorted(validator.iter_errors(event), key=str):
            wrong += 1
            print(f"line {number}: {error.json_path}: {error.message}\n  {line}")
            for inner in error.context:
                print(f"    {inner.json_path}: {inner.message}")
        kinds[event.get("type")] = kinds.get(event.get("type"), 0) + 1
        if event.get("type") == "hop" and event.get("tuple"):
            sample = line
    if not kinds:
        print("no lines to check")
        return 1
    for what, spoil in REFUSED if sample else []:
        event = json.loads(sample)
        spoil(event)
        if validator.is_valid(event):
            wrong += 1
            print(f"the schema takes {what}")
    print(", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())), "checked:", wrong, "wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
