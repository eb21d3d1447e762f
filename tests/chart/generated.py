"""Files of the tree that are made from others: the chart's copies, its table of values, and the plain manifests.
`tests/chart/run --write` writes them; the test compares."""

import json
import pathlib
import re
import subprocess

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "helm/skbtrail"
TABLE = re.compile(r"(?<=<!-- values -->\n).*?(?=<!-- end of values -->)", re.DOTALL)
KEY = re.compile(r"^( *)([A-Za-z]\w*):")
# Lines that are true of what Helm installed alone.
OF_HELM = re.compile(r"^ *(?:app\.kubernetes\.io/managed-by: Helm|helm\.sh/chart: .*|# Source: .*)\n", re.MULTILINE)
HEAD = "# Made from the chart in helm/skbtrail by `tests/chart/run --write`; the definitions are in crds/.\n"


def described_values(text):
    """(path, description) of every key of values.yaml that has a comment `# -- …`."""
    above, description = [], []
    for line in text.splitlines():
        comment, key = re.match(r"^ *# (?:-- )?(.*)$", line), KEY.match(line)
        if comment and "# -- " in line:
            description = [comment[1]]
        elif comment and description:
            description.append(comment[1])
        elif key:
            depth = len(key[1]) // 2
            above = [*above[:depth], key[2]]
            if description:
                yield tuple(above), " ".join(description)
            description = []


def value_at(values, path):
    for name in path:
        values = values[name]
    return values


def leaves(values, path=()):
    if isinstance(values, dict) and values:
        for name, value in values.items():
            yield from leaves(value, (*path, name))
    else:
        yield path


def undescribed():
    """Keys that no comment speaks of, neither of them nor of what they are in."""
    text = (CHART / "values.yaml").read_text()
    told = {path for path, _ in described_values(text)}
    return [".".join(leaf) for leaf in leaves(yaml.safe_load(text))
            if not any(leaf[:length] in told for length in range(1, len(leaf) + 1))]


def values_table():
    text = (CHART / "values.yaml").read_text()
    values = yaml.safe_load(text)
    rows = "".join(f"| `{'.'.join(path)}` | `{json.dumps(value_at(values, path))}` | {description} |\n"
                   for path, description in described_values(text))
    return f"| value | default | meaning |\n|---|---|---|\n{rows}"


def rendered(helm):
    done = subprocess.run([helm, "template", "skbtrail", CHART, "--namespace", "skbtrail", "--skip-tests",
                           "--kube-version", "1.36.3", "--set", "namespace.create=true,crds.install=false"],
                          capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(f"helm template: {done.stderr.strip()}")
    documents = [one.strip("\n") for one in re.split(r"^---$", OF_HELM.sub("", done.stdout), flags=re.MULTILINE)]
    # The namespace before what is in it.
    documents = sorted(filter(None, documents), key=lambda one: "\nkind: Namespace\n" not in f"\n{one}")
    return HEAD + "---\n" + "\n---\n".join(documents) + "\n"


def all_files(helm, skbtrail=None):
    """{path: what it should hold}. Without the program the definitions are taken as k8s/crds has them."""
    files = {}
    for name in ("tracesessions", "clustertracesessions"):
        files[f"k8s/crds/{name}.yaml"] = (ROOT / f"k8s/crds/{name}.yaml").read_text()
    if skbtrail:
        printed = subprocess.run([skbtrail, "crds"], capture_output=True, text=True, check=True).stdout
        for text in printed.split("---\n"):
            name = yaml.safe_load(text)["spec"]["names"]["plural"]
            files[f"k8s/crds/{name}.yaml"] = text
    for path in list(files):
        files[f"helm/skbtrail/files/crds/{path.rpartition('/')[2]}"] = files[path]
    for name in ("alerts.yaml", "dashboard.json"):
        files[f"helm/skbtrail/files/{name}"] = (ROOT / "docs/prometheus" / name).read_text()
    readme = (CHART / "README.md").read_text()
    files["helm/skbtrail/README.md"] = TABLE.sub(lambda _: values_table(), readme)
    files["k8s/skbtrail.yaml"] = rendered(helm)
    return files


def write(files):
    for name, text in files.items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
