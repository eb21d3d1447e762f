"""Whether the clock of a virtual machine runs as time does.

A kernel measures its time stamp counter at boot. On a busy host that can go wrong under emulation, and then every
timeout, delay and rate inside is wrong by the same factor.
"""

import re
import time

MOST = 1.6              # a clock that is so many times too fast or too slow is no good; scheduling costs it some tenths
_MARK = re.compile(rb"lab\.clock (\d+\.\d+)\r?\n")


class Clock:
    """Compares the kernel's seconds with ours, from a mark early in its boot on."""

    def __init__(self, now=time.monotonic):
        self._now = now
        self._mark = None

    def read_console(self, console):
        """To be called whenever the console said something; `console` is all of it."""
        if self._mark is None and (found := _MARK.search(console)):
            self._mark = float(found.group(1)), self._now()

    def fault(self, uptime, complaint):
        """What is wrong, in a sentence, or None. `uptime` is what the kernel's clock says now."""
        if complaint:
            return f"its clock may be wrong: {complaint}"
        if self._mark is None:
            return "it did not say the time early in its boot"
        theirs, ours = float(uptime) - self._mark[0], self._now() - self._mark[1]
        if theirs > ours * MOST:
            return f"its clock is too fast: {theirs:.1f} s in {ours:.1f} s"
        if ours > theirs * MOST:
            return f"its clock is too slow: {theirs:.1f} s in {ours:.1f} s"
        return None
