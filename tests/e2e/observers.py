"""What people look through at the agents: Prometheus and a log store."""

import collections
import json
import pathlib
import urllib.parse
import urllib.request

import yaml

from cluster import CONTROL_PLANE, lab

RELEASE = "skbtrail"
ROOT = pathlib.Path(__file__).resolve().parents[2]
PROMETHEUS = 9090
STORE = 9428
# The store would take JSON lines apart; whole lines can be compared.
PUSH = f"http://{CONTROL_PLANE}:{STORE}/insert/loki/api/v1/push?disable_message_parsing=1"


def ask(port, path, **query):
    words = f"?{urllib.parse.urlencode(query)}" if query else ""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}{words}", timeout=60) as answer:
        return answer.read().decode()


def may_see_pods(namespace):
    """What a Prometheus needs."""
    api = "rbac.authorization.k8s.io"
    named = {"apiVersion": f"{api}/v1", "metadata": {"name": "prometheus", "namespace": namespace}}
    return [{**named, "kind": "Role", "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]},
            {**named, "kind": "RoleBinding", "roleRef": {"apiGroup": api, "kind": "Role", "name": "prometheus"},
             "subjects": [{"apiGroup": api, "kind": "User", "name": "prometheus"}]}]


def is_ready():
    """It listens before it answers questions."""
    try:
        return bool(ask(PROMETHEUS, "/-/ready"))
    except OSError:
        return False


class Prometheus:
    """It finds the agents as docs/prometheus/scrape.yaml tells it to, as a user who may look at their pods."""

    def __init__(self, cluster, program):
        cluster.apply(*may_see_pods(RELEASE))
        config = yaml.safe_load((ROOT / "docs/prometheus/scrape.yaml").read_text())
        config |= {"global": {"scrape_interval": "2s", "evaluation_interval": "2s"},
                   "rule_files": [str(ROOT / "docs/prometheus/alerts.yaml")]}
        # It runs beside the cluster and not in it.
        config["scrape_configs"][0]["kubernetes_sd_configs"][0]["kubeconfig_file"] = str(
            cluster.home / "prometheus.kubeconfig")
        path = cluster.home / "prometheus.json"
        path.write_text(json.dumps(config))
        cluster.launch("prometheus", program, f"--config.file={path}", f"--storage.tsdb.path={cluster.home}/prometheus",
                       f"--web.listen-address=127.0.0.1:{PROMETHEUS}")
        lab.wait_until(is_ready, 60, "Prometheus is ready", every=0.5)

    @staticmethod
    def query(expression):
        """[(labels, number)]"""
        found = json.loads(ask(PROMETHEUS, "/api/v1/query", query=expression))["data"]["result"]
        return [(one["metric"], float(one["value"][1])) for one in found]

    @staticmethod
    def dashboard():
        """{title of a panel: how many series its queries have}, as Grafana would ask them for all nodes and ten minutes."""
        found = collections.Counter()
        for panel in json.loads((ROOT / "docs/prometheus/dashboard.json").read_text())["panels"]:
            for target in panel.get("targets", []):
                expression = target["expr"].replace("$instance", ".*").replace("$__rate_interval", "10m")
                found[panel["title"]] += len(Prometheus.query(expression))
        return found

    @staticmethod
    def targets():
        found = json.loads(ask(PROMETHEUS, "/api/v1/targets"))["data"]["activeTargets"]
        return {(one["labels"]["job"], one["labels"]["instance"]): one["health"] for one in found}

    @staticmethod
    def faulty_rules():
        groups = json.loads(ask(PROMETHEUS, "/api/v1/rules"))["data"]["groups"]
        return [(rule["name"], rule.get("lastError")) for group in groups for rule in group["rules"]
                if rule["health"] != "ok"]


class Store:
    """The log store of tests/logs."""

    def __init__(self, cluster, program):
        cluster.launch("store", program, f"-storageDataPath={cluster.home}/store",
                       f"-httpListenAddr=0.0.0.0:{STORE}", "-inmemoryDataFlushInterval=1s")
        lab.wait_until(lambda: lab.answers(STORE), 60, "the store listens", every=0.5)

    @staticmethod
    def lines():
        """{stream's labels: lines in the order of their times}"""
        found = collections.defaultdict(list)
        for line in ask(STORE, "/select/logsql/query", query="* | sort by (_time)", limit=1000000).splitlines():
            entry = json.loads(line)
            found[entry["_stream"]].append(entry["_msg"])
        return found
