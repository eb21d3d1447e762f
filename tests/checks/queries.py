#!/usr/bin/env python3
"""Checks that alert rules and dashboard ask for metrics and labels that docs/metrics.md has, and what promtool thinks of
the rules and their tests: queries.py. A kernel test compares that page with what the agent serves.

Exits with 77 when there is no promtool, after everything else was checked.
"""

import json
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/metrics.md"
RULES = ROOT / "docs/prometheus/alerts.yaml"
RULES_TEST = ROOT / "docs/prometheus/alerts_test.yaml"
DASHBOARD = ROOT / "docs/prometheus/dashboard.json"
SKIPPED = 77

# What Prometheus itself adds to each series, and metrics that are not ours.
ADDED = {"instance", "job", "le"}
FOREIGN = {"up"}
SELECTOR = re.compile(r"\b((?:skbtrail|process)_\w+|up)\b(?:\{([^}]*)\})?")
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"")
GROUPING = re.compile(r"\b(?:by|without)\s*\(([^)]*)\)")


def metrics_of_page(text):
    """{name: set of labels} from the rows `name`, `name` | type | `label`, … of the page's tables."""
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("| `skbtrail_") or len(cells) != 3:
            continue
        labels = set(re.findall(r"`(\w+)`", re.split(r"[:;(]", cells[2])[0]))
        found.update({name: labels for name in re.findall(r"`(skbtrail_\w+)`", cells[0])})
    for name in re.findall(r"`(process_\w+)`", text):
        found[name] = set()
    return found


def expressions():
    """(where, PromQL) of every query."""
    for number, line in enumerate(RULES.read_text().splitlines(), 1):
        if found := re.match(r"\s+expr: (.+)$", line):
            yield f"{RULES.name}:{number}", found.group(1)
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", []):
            yield f"{DASHBOARD.name}: {panel['title']}", target["expr"]


def faults_of(where, expression, known):
    asked = set()
    for name, matchers in SELECTOR.findall(expression):
        base = re.sub(r"_(?:bucket|sum|count)$", "", name)
        if name in FOREIGN:
            asked |= ADDED
            continue
        if base not in known and name not in known:
            yield f"{where}: no metric {name} in {PAGE.name}"
            continue
        labels = known.get(name, known.get(base)) | ADDED
        asked |= labels
        for label in MATCHER.findall(matchers):
            if label not in labels:
                yield f"{where}: {name} has no label {label}"
    if not asked:
        yield f"{where}: asks for nothing of ours: {expression}"
    for group in GROUPING.findall(expression):
        for label in filter(None, re.split(r"[\s,]+", group)):
            if label not in asked:
                yield f"{where}: no metric of this query has a label {label}"


def promtool():
    for command in (["check", "rules", RULES], ["test", "rules", RULES_TEST]):
        done = subprocess.run(["promtool", *command], cwd=RULES.parent, capture_output=True, text=True, check=False)
        if done.returncode:
            yield f"promtool {' '.join(map(str, command))}:\n{done.stdout}{done.stderr}"


def main():
    known = metrics_of_page(PAGE.read_text())
    found = [] if known else [f"{PAGE}: no tables of metrics"]
    asked = list(expressions())
    if len(asked) < 10:
        found.append(f"only {len(asked)} queries found")
    for where, expression in asked:
        found += faults_of(where, expression, known)
    has_promtool = shutil.which("promtool")
    if has_promtool:
        found += promtool()
    print("\n".join(found), end="\n" if found else "")
    if not found and not has_promtool:
        print("skipped: promtool is not installed (apt-get install prometheus)")
        return SKIPPED
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
