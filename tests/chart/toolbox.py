"""Programs and schemas for the tests of the chart: Helm 4 and 3 and kubeconform, built from the Go modules that
tools/go.mod pins, and JSON schemas made from what Kubernetes, the Prometheus operator and cert-manager ship in theirs.
All of it lives in the cache folder, keyed by what it is made from, and is made once."""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import yaml

HERE = pathlib.Path(__file__).resolve().parent
# Ours, by the kubeconform template that is used for all.
WHERE = "{{.Group}}_{{.ResourceAPIVersion}}_{{.ResourceKind}}.json"
CACHE = pathlib.Path(os.environ.get("SKBTRAIL_CACHE", pathlib.Path.home() / ".cache/skbtrail"))
PROGRAMS = {
    "kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform",
    "helm4": "helm.sh/helm/v4/cmd/helm",
    "helm3": "helm.sh/helm/v3/cmd/helm",
}
# The oldest Kubernetes that Chart.yaml allows, and the one of the tests with a real API server. Sums are go.sum's.
KUBERNETES = {
    "1.30.14": "h1:MrlKXh9uhLIJpyxOeXhcndzRVSvwiV9iJ8NgH8nqPsg=",
    "1.36.3": "h1:qDQdoMiluAE2Eab6Fa52YV+WjiGz9mZFFoagEA6cI+o=",
}
# Modules with definitions of others' objects: version, sum, files.
DEFINITIONS = {
    "github.com/prometheus-operator/prometheus-operator": (
        "0.85.0", "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        ["example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
         "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
         "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml"]),
    "github.com/cert-manager/cert-manager": (
        "1.21.2", "h1:UWgoYM+KLNtRlqmoWOKjKBOBUPVHeepQ6/ac3ERJW68=", ["deploy/crds/cert-manager.io_certificates.yaml"]),
}


class Lacking(Exception):
    """What this machine does not have; for the line of a skipped test."""


def go(*arguments, **options):
    if not shutil.which("go"):
        raise Lacking("Go, which builds Helm and kubeconform")
    done = subprocess.run(["go", *map(str, arguments)], capture_output=True, text=True, **options)
    if done.returncode:
        raise Lacking(f"`go {arguments[0]}` failed: {(done.stderr or done.stdout).strip()[-400:]}")
    return done.stdout


def made_once(folder, make):
    """`folder`, filled by make(temporary) the first time; a run that is cut off leaves nothing half made."""
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = pathlib.Path(tempfile.mkdtemp(prefix=folder.name + ".", dir=folder.parent))
    try:
        make(temporary)
        try:
            temporary.rename(folder)
        except OSError:  # another run was faster
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def built_once(name, module, packages, *flags):
    """The folder with a program of each {program: package}, built of the Go module in the folder `module`."""
    pinned = hashlib.sha256((module / "go.mod").read_bytes() + (module / "go.sum").read_bytes()).hexdigest()[:12]

    def build(folder):
        for program, package in packages.items():
            go("build", "-trimpath", "-ldflags", "-s -w", *flags, "-o", folder / program, package, cwd=module)

    return made_once(CACHE / f"{name}-{pinned}", build)


def programs():
    """The folder with helm4, helm3 and kubeconform."""
    return built_once("chart-tools", HERE / "tools", PROGRAMS)


def module(name, version, checksum):
    """The folder of a Go module, if it is the one that is meant."""
    with tempfile.TemporaryDirectory() as empty:
        found = json.loads(go("mod", "download", "-json", f"{name}@v{version}", cwd=empty))
    if found["Sum"] != checksum:
        raise AssertionError(f"{name} {version} has the sum {found['Sum']}, not {checksum}")
    return pathlib.Path(found["Dir"])


def strict(schema):
    """As kubeconform wants it: no field beyond those that are named."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: strict(value) for key, value in schema.items()}
    if isinstance(made.get("properties"), dict) and "additionalProperties" not in made and \
            not made.get("x-kubernetes-preserve-unknown-fields"):
        made["additionalProperties"] = False
    if made.get("x-kubernetes-int-or-string") or made.get("format") == "int-or-string":
        made.pop("type", None)
        made["oneOf"] = [{"type": "string"}, {"type": "integer"}]
    return made


def inlined(schema, definitions):
    """Without references."""
    if isinstance(schema, list):
        return [inlined(one, definitions) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return inlined(definitions[schema["$ref"].removeprefix("#/definitions/")], definitions)
    return {key: inlined(value, definitions) for key, value in schema.items()}


def schemas_of_document(document, folder):
    """GROUP_VERSION_KIND.json for each kind of an API server's OpenAPI document; kubeconform calls the group of v1 v1."""
    definitions = json.loads(document)["definitions"]
    for name in definitions:
        # Quantities are numbers too, and IntOrString is both.
        if name.endswith((".resource.Quantity", ".intstr.IntOrString")):
            definitions[name] = {"type": ["string", "number"]}
        # A schema of schemas, which refers to itself; the API server looks at ours (tests/kube).
        elif ".JSONSchemaProps" in name:
            definitions[name] = {"type": "object"}
    for definition in definitions.values():
        for kind in definition.get("x-kubernetes-group-version-kind", []):
            name = f"{kind['group'] or kind['version']}_{kind['version']}_{kind['kind']}.json".lower()
            if definition.get("properties", {}).get("metadata"):
                (folder / name).write_text(json.dumps(strict(inlined(definition, definitions))))


def kubernetes_schemas(version, checksum):
    """A folder with a schema for each kind of this Kubernetes, by the document that it is released with."""
    def make(folder):
        source = module("k8s.io/kubernetes", version, checksum) / "api/openapi-spec/swagger.json"
        schemas_of_document(source.read_text(), folder)
    # The second number: of the form that is made here.
    return made_once(CACHE / f"chart-schemas-kubernetes-{version}-1", make)


def schemas_of_definitions(files, folder):
    for path in files:
        for definition in yaml.safe_load_all(path.read_text()):
            spec = definition["spec"]
            for version in spec["versions"]:
                schema = strict(version["schema"]["openAPIV3Schema"])
                # Every object has what its definition leaves to the API server.
                schema["properties"].update({"apiVersion": {"type": "string"}, "kind": {"type": "string"},
                                             "metadata": {"type": "object"}})
                name = f"{spec['group']}_{version['name']}_{spec['names']['kind']}.json".lower()
                (folder / name).write_text(json.dumps(schema))


def foreign_definitions():
    """Files that define the Prometheus operator's kinds and cert-manager's."""
    return [module(name, version, checksum) / path for name, (version, checksum, paths) in DEFINITIONS.items()
            for path in paths]


def foreign_schemas():
    """The same as kubernetes_schemas() for those."""
    key = hashlib.sha256(json.dumps(DEFINITIONS).encode()).hexdigest()[:12]
    return made_once(CACHE / f"chart-schemas-foreign-{key}-1",
                     lambda folder: schemas_of_definitions(foreign_definitions(), folder))


def conforms(tools, text, schemas):
    """What kubeconform has against these objects by these folders of schemas; how many it has judged."""
    places = [word for folder in schemas for word in ("-schema-location", f"{folder}/{WHERE}")]
    done = subprocess.run([tools / "kubeconform", "-strict", "-summary", "-output", "json", *places, "-"], input=text,
                          capture_output=True, text=True, timeout=120)
    told = json.loads(done.stdout)
    faults = [one for one in told.get("resources", []) if one["status"] not in ("statusValid", "VALID")]
    assert done.returncode == 0 and not faults, f"{json.dumps(faults)[:1500]} {done.stderr}"
    summary, count = told["summary"], sum(bool(one) for one in yaml.safe_load_all(text))
    assert summary["valid"] == count and not summary["skipped"], summary
    return f"{count} objects"
