"""The kubectl plugin with a kubectl that is not one: it writes down how it is called and says what it was told to. So
arguments and objects are tested, and nothing of a cluster."""

import base64
import contextlib
import http.server
import json
import os
import pathlib
import signal
import ssl
import subprocess
import tempfile
import threading
import time

PLUGIN = pathlib.Path(__file__).resolve().parents[2] / "k8s/plugin/kubectl-skbtrail"
FAKE = r"""#!/bin/bash
{ printf '%s\x1f' "$@"; echo; } >>"$FAKE_LOG"
case "$*" in
  *'config view --raw'*) printf '%s' "${FAKE_TOKEN-}" ;;
  *'config view'*) printf 'of-context' ;;
  create*) cat >"$FAKE_LOG.object"; echo tracesession.skbtrail.dev/trace-abcde ;;
  *'{.status.phase}'*) printf '%s' "${FAKE_PHASE-Completed}" ;;
  # As kubectl, it follows until it is ended.
  *'logs '*) cat "$FAKE_EVENTS"; exec sleep 300 ;;
  *'get pod web-0'*) echo n1 ;;
  *'get secret '"${FAKE_SECRET-}"' '*) printf '%s' "${FAKE_CA-}" ;;
  *'port-forward pod/agent-1 :9465') echo "Forwarding from 127.0.0.1:$FAKE_PORT -> 9465"; exec sleep 300 ;;
  *'get pods -l app.kubernetes.io/name=skbtrail --field-selector spec.nodeName=n1'*)
    printf 'agent-1 %s' "${FAKE_REST-}" ;;
  *'get pods -l app.kubernetes.io/name=skbtrail'*) printf 'agent-1 n1 9464\nagent-2 n2 9464\n' ;;
  *'get --raw'*agent-1*) printf '%s\n' "$FAKE_METRICS" ;;
  *'get --raw'*) exit 1 ;;
esac
"""
METRICS = """# TYPE skbtrail_drops_total counter
skbtrail_drops_total{namespace="shop",pod="web-0",reason="NETFILTER_DROP",subsystem="core",protocol="tcp",direction="ingress"} 7
skbtrail_drops_total{namespace="shop",pod="web-0",reason="NETFILTER_DROP",subsystem="core",protocol="udp",direction="ingress"} 3
skbtrail_drops_total{namespace="",pod="",reason="NO_SOCKET",subsystem="core",protocol="udp",direction="ingress"} 40"""
EVENTS = [
    {"ts": "2026-11-24T09:00:00.123456789Z", "type": "drop", "node": "n1", "session": "shop/trace-abcde",
     "pod": {"namespace": "shop", "name": "web-0", "side": "host"}, "func": "kfree_skb",
     "tuple": {"saddr": "10.9.0.1", "daddr": "10.9.0.2", "sport": 1, "dport": 80, "l4": "tcp"},
     "drop": {"reason": "NETFILTER_DROP", "location": "nf_hook_slow+0x9f"}},
    {"ts": "2026-11-24T09:00:00.1Z", "type": "hop", "node": "n1", "session": "shop/another", "func": "ip_rcv"},
]


@contextlib.contextmanager
def fake_kubectl(environment):
    """A folder where it writes what it is called with, and an environment that finds it."""
    with tempfile.TemporaryDirectory() as folder:
        home = pathlib.Path(folder)
        (home / "kubectl").write_text(FAKE)
        (home / "kubectl").chmod(0o755)
        (home / "events").write_text("".join(json.dumps(one, separators=(",", ":")) + "\n" for one in EVENTS))
        env = {**os.environ, "PATH": f"{home}:{os.environ['PATH']}", "FAKE_LOG": str(home / "log"),
               "FAKE_EVENTS": str(home / "events"), "FAKE_METRICS": METRICS, **environment}
        for name in {"SKBTRAIL_TOKEN", "SKBTRAIL_CA"} - set(environment):
            env.pop(name, None)
        yield home, env


def calls_in(home):
    log = home / "log"
    return [line.rstrip("\x1f").split("\x1f") for line in log.read_text().splitlines()] if log.exists() else []


class Called:
    def __init__(self, *arguments, **environment):
        with fake_kubectl(environment) as (home, env):
            done = subprocess.run([PLUGIN, *arguments], env=env, capture_output=True, text=True, timeout=60)
            self.status, self.out, self.err = done.returncode, done.stdout, done.stderr
            self.calls, made = calls_in(home), home / "log.object"
            self.object = json.loads(made.read_text()) if made.exists() else None


def refused(*arguments):
    def test():
        called = Called(*arguments)
        assert called.status == 2 and called.err.startswith("kubectl skbtrail: "), (called.status, called.err)
        assert called.object is None, "made an object"
    return test


def test_pod():
    called = Called("trace", "-n", "shop", "--pod", "web-0", "--probes", "drops", "--duration", "5m", "tcp", "port 80")
    assert called.status == 0, called.err
    assert called.object["kind"] == "TraceSession" and called.object["metadata"] == {"generateName": "trace-",
                                                                                      "namespace": "shop"}
    assert called.object["spec"] == {"podNames": ["web-0"], "filter": "tcp port 80", "probes": "Drops",
                                     "duration": "5m", "maxEvents": 10000}, called.object
    assert called.out == "tracesession.skbtrail.dev/trace-abcde\n"
    assert not any("delete" in call for call in called.calls)


def test_selector():
    spec = Called("trace", "-l", "app=web,tier=a.b").object
    assert spec["metadata"]["namespace"] == "of-context"
    assert spec["spec"]["podSelector"] == {"matchLabels": {"app": "web", "tier": "a.b"}}, spec


def test_namespace_of_pod():
    assert Called("trace", "--pod", "shop/web-0").object["metadata"]["namespace"] == "shop"


def test_quotes():
    text = r'''udp and "x" \ $(touch /tmp/no) `id`'''
    assert Called("trace", "--pod", "web-0", text).object["spec"]["filter"] == text


def test_follow():
    called = Called("trace", "-n", "shop", "--pod", "web-0", "--follow")
    assert called.status == 0, called.err
    assert "nf_hook_slow" in called.out and "ip_rcv" not in called.out, called.out
    assert "events are from the agents' logs" in called.err
    (logs,) = [call for call in called.calls if "logs" in call]
    assert "--tail=-1" in logs and any(word.startswith("--since=") for word in logs), logs
    assert any(call[:4] == ["-n", "shop", "delete", "tracesession.skbtrail.dev/trace-abcde"] for call in called.calls)
    kept = Called("trace", "-n", "shop", "--pod", "web-0", "--follow", "--keep")
    assert not any("delete" in call for call in kept.calls)


class Agent(http.server.BaseHTTPRequestHandler):
    """An agent's REST: the events of a session, to who has the token."""

    asked = []

    def do_GET(self):
        self.asked.append(self.path)
        allowed = self.headers["Authorization"] == "Bearer of-user"
        self.send_response(200 if allowed else 401)
        self.end_headers()
        self.wfile.write(json.dumps(EVENTS[0]).encode() + b"\n" if allowed else b"")

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def rest_agent():
    """(its port, the certificate that it is to be trusted by)"""
    with tempfile.TemporaryDirectory() as folder, http.server.ThreadingHTTPServer(("127.0.0.1", 0), Agent) as server:
        key, certificate = pathlib.Path(folder) / "key", pathlib.Path(folder) / "crt"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                        "2", "-subj", "/CN=agent", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out",
                        certificate], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1], certificate
        finally:
            server.shutdown()
            thread.join()


def test_follow_rest():
    """The Secret is the one that the agent's pod says, whatever the release is called."""
    follow = ("trace", "-n", "shop", "--pod", "web-0", "--follow")
    with rest_agent() as (port, certificate):
        served = {"FAKE_TOKEN": "of-user", "FAKE_REST": "9465 tracer-tls", "FAKE_PORT": str(port)}
        there = base64.b64encode(certificate.read_bytes()).decode()
        called = Called(*follow, **served, FAKE_SECRET="tracer-tls", FAKE_CA=there)
        assert "nf_hook_slow" in called.out and "from the agents' logs" not in called.err, (called.out, called.err)
        assert Agent.asked == ["/apis/skbtrail.dev/v1alpha1/namespaces/shop/tracesessions/trace-abcde/events?tail=1000"], Agent.asked
        # Nobody may read that Secret, or it has no certificate of an authority: a file, or else the logs.
        called = Called(*follow, **served, SKBTRAIL_CA=str(certificate))
        assert "from the agents' logs" not in called.err and not any("secret" in call for call in called.calls), called.err
        called = Called(*follow, **served)
        assert "in the Secret tracer-tls" in called.err and "SKBTRAIL_CA=" in called.err, called.err
        assert "nf_hook_slow" in called.out and "events are from the agents' logs" in called.err, called.err
        assert len(Agent.asked) == 2, Agent.asked
    called = Called(*follow, **served, SKBTRAIL_CA="/nonexistent")
    assert called.status == 1 and "/nonexistent" in called.err and called.object is None, called.err


def is_alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_interrupt():
    """As a terminal does on Ctrl-C: to all processes of the group, of which none may be left."""
    with fake_kubectl({"FAKE_PHASE": "Running"}) as (home, env):
        following = subprocess.Popen([PLUGIN, "trace", "-n", "shop", "--pod", "web-0", "--follow"], env=env,
                                     stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                     start_new_session=True)
        try:
            assert "nf_hook_slow" in following.stdout.readline()
            os.killpg(following.pid, signal.SIGINT)
            assert following.wait(30) == 130, following.returncode
            end = time.monotonic() + 10
            while is_alive(following.pid) and time.monotonic() < end:
                time.sleep(0.05)
            assert not is_alive(following.pid), "processes were left"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(following.pid, signal.SIGKILL)
            following.stdout.close()
        (deleted,) = [call for call in calls_in(home) if "delete" in call]
        assert deleted[:4] == ["-n", "shop", "delete", "tracesession.skbtrail.dev/trace-abcde"], deleted


def test_drops():
    called = Called("drops")
    rows = [line.split() for line in called.out.splitlines()]
    assert rows == [["PACKETS", "POD", "REASON", "DIRECTION"], ["40", "(node)", "NO_SOCKET", "ingress"],
                    ["10", "shop/web-0", "NETFILTER_DROP", "ingress"]], called.out
    assert "agent-2 does not answer" in called.err
    assert len(Called("drops", "-n", "shop", "--pod", "web-0").out.splitlines()) == 2
    assert len(Called("drops", "-n", "shop", "--pod", "web").out.splitlines()) == 1


def test_pods():
    calls = Called("pods").calls
    assert ["-n", "skbtrail", "exec", "agent-2", "-c", "agent", "--", "skbtrail", "pods"] in calls, calls
    other = Called("pods", SKBTRAIL_NAMESPACE="net").calls
    assert all(call[:2] == ["-n", "net"] for call in other), other


def test_get():
    assert Called("get", "-n", "shop", "web-debug", "-o", "yaml").calls == [
        ["get", "tracesessions.skbtrail.dev", "web-debug", "-n", "shop", "-o", "yaml"]]
    assert Called("get", "-A").calls == [["get", "tracesessions.skbtrail.dev", "-A"]]


def test_help():
    for words in ((), ("help",), ("--help",)):
        assert "kubectl skbtrail trace" in Called(*words).out


def cases():
    """(what, test) of each."""
    return [
        ("an unknown command is refused", refused("trase")),
        ("a trace of nobody is refused", refused("trace", "tcp")),
        ("pod and selector together are refused", refused("trace", "--pod", "a", "-l", "a=b")),
        ("an option without its value is refused", refused("trace", "--pod")),
        ("an option as a value is refused", refused("trace", "--pod", "--follow")),
        ("an unknown set of probes is refused", refused("trace", "--pod", "a", "--probes", "most")),
        ("an option of another command is refused", refused("drops", "--follow")),
        ("a word too many is refused", refused("pods", "web-0")),
        ("a number that is none is refused", refused("trace", "--pod", "a", "--max-events", "many")),
        ("a selector that is none is refused", refused("trace", "-l", "app in (web)")),
        ("a control character is refused", refused("trace", "--pod", "a", "tcp\nport 80")),
        ("a session of a pod", test_pod),
        ("a session by labels, in the context's namespace", test_selector),
        ("a pod with its namespace", test_namespace_of_pod),
        ("quotes, backslashes and $() stay what they are", test_quotes),
        ("events of the session alone, it is deleted, and nothing goes on", test_follow),
        ("events by REST, by the certificate of the Secret that the agent's pod uses", test_follow_rest),
        ("Ctrl-C deletes the session, and nothing goes on", test_interrupt),
        ("drops are added up", test_drops),
        ("pods of each agent", test_pods),
        ("sessions", test_get),
        ("help", test_help),
    ]
