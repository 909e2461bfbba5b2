# SPDX-License-Identifier: Apache-2.0
"""pytest with the lines of our other steps: `ok`, `FAIL` and `skip` a test, and a closing count. For
a process that has pytest; python_environment.py makes one."""
import sys

import pytest


class Lines:
    def __init__(self, step):
        self.step, self.counts = step, {"passed": 0, "failed": 0, "skipped": 0}

    def say(self, kind, word, report, detail=""):
        path, _, rest = report.nodeid.partition("::")
        name = path.split("/")[-1].removesuffix(".py") + "." * bool(rest) + rest.replace("::", ".")
        self.count(kind, word, name, detail)

    def count(self, kind, word, name, detail=""):
        self.counts[kind] += 1
        print(f"{word:4s} {self.step}.{name}{': ' + detail if detail else ''}", flush=True)

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.say("failed", "FAIL", report)
            print(report.longreprtext, flush=True)
        elif report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else "expected failure"
            self.say("skipped", "skip", report, reason.removeprefix("Skipped: "))
        elif report.when == "call":
            self.say("passed", "ok", report)

    def pytest_collectreport(self, report):
        if report.failed:
            self.say("failed", "FAIL", report)
            print(report.longreprtext, flush=True)
        elif report.skipped:
            self.say("skipped", "skip", report, str(report.longrepr[2]).removeprefix("Skipped: "))


def run(step, arguments, at_end=None):
    """The exit status of pytest's run; at_end(lines) may count more."""
    lines = Lines(step)
    status = pytest.main(["-p", "no:terminal", "-p", "no:cacheprovider", *arguments], [lines])
    if at_end:
        at_end(lines)
    c = lines.counts
    print(f"{step}: {c['passed']} passed, {c['failed']} failed, {c['skipped']} skipped")
    return 1 if c["failed"] or status not in (0, 1, 5) else 0 if c["passed"] else 77


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2:]))
