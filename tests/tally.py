"""What a test script has to say: a line for each thing that was looked at, and at the end how many there were."""

counts = {"ok": 0, "not ok": 0, "skip": 0}


def say(result, text):
    counts[result] += 1
    print(f"{result} - {text}", flush=True)


def finish():
    """The last line; the status with which the script ends. One that looked at nothing has failed."""
    print(f"{counts['ok']} passed, {counts['not ok']} failed, {counts['skip']} skipped")
    return 1 if counts["not ok"] or not sum(counts.values()) else 0
