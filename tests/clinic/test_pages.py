#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The clinic's pages in a headless Chromium: against the real `xinglin serve --clinic` (pages_live),
and against a mock of the routes where a test needs slow or broken streams, hostile records or other
roles (pages_workspace, pages_embedding, pages_safety). In every test: nothing is asked elsewhere,
nothing is refused by the policy, nothing is kept.
Needs chromium (scripts/setup more) and playwright (fetched into build/venv-page); else skipped.
Usage: test_pages.py [--screenshots DIR] [NAME ...]
"""
import os
import sys
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pages_embedding  # noqa: E402
import pages_safety  # noqa: E402
import pages_workspace  # noqa: E402
from clinic_mock import ClinicMock  # noqa: E402
from clinic_visit import CHROMIUM, Missing, Visit, run_in_environment, skip  # noqa: E402


def run_tests(browser, wanted):
    tests = {name[5:]: run for module in (pages_workspace, pages_embedding, pages_safety)
             for name, run in sorted(vars(module).items()) if name.startswith("test_")}
    counts = {"ok  ": 0, "FAIL": 0, "skip": 0}
    for name, run in tests.items():
        if wanted and name not in wanted:
            continue
        mock, how, why = ClinicMock(), "ok  ", ""
        visit = Visit(browser, mock.url)
        try:
            run(visit, mock)
            visit.close()
        except Missing as reason:
            how, why = "skip", f" ({reason})"
        except Exception:  # noqa: BLE001
            how, why = "FAIL", ": " + traceback.format_exc(limit=-2) + str(visit.problems[:3])
        counts[how] += 1
        print(f"{how} clinic-pages.{name}{why}", flush=True)
        visit.context.close()
        mock.close()
    return counts


def main():
    arguments = sys.argv[1:]
    if not CHROMIUM:
        return skip("no chromium; scripts/setup more")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return run_in_environment()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        counts = run_tests(browser, arguments)
        browser.close()
    print(f"clinic-pages: {counts['ok  ']} passed, {counts['FAIL']} failed, {counts['skip']} skipped")
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
