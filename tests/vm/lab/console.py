"""Finds what a kernel complains about in its log. A run with a complaint fails, whatever its command said."""

import re

_STAMP = r"^(?:<\d+>)?\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? *"
_COMPLAINTS = re.compile(_STAMP + r"(?:"
                         r"Oops\b"
                         r"|.*\bOops: "
                         r"|BUG: "
                         r"|kernel BUG at "
                         r"|WARNING: "
                         r"|.*: [0-9a-f]{4} \[#\d+\]"
                         r"|general protection fault"
                         r"|Kernel panic "
                         r"|Unable to handle kernel "
                         r"|watchdog: BUG: "
                         r"|rcu: INFO: .* (?:detected|self-detected) "
                         r"|INFO: rcu_\w+ (?:self-)?detected "
                         r"|INFO: task .* blocked for more than "
                         r"|refcount_t: "
                         r"|unregister_netdevice: waiting for "
                         r")", re.MULTILINE)


def complaints(log):
    """The lines of a kernel log which begin a complaint, without repeats."""
    lines = (line.rstrip() for line in log.replace("\r", "").split("\n") if _COMPLAINTS.match(line))
    return list(dict.fromkeys(lines))


def excerpt(log, before=5, after=40):
    """The first complaint with what led to it and the trace that follows it."""
    lines = log.replace("\r", "").splitlines()
    first = next((number for number, line in enumerate(lines) if _COMPLAINTS.match(line)), None)
    return "" if first is None else "\n".join(lines[max(0, first - before):first + after])
