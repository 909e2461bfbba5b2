#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The clinic's pages in a headless Chromium: against the real `xinglin serve --clinic` (pages_live),
and against a mock of the routes where a test needs slow or broken streams, hostile records or other
roles (pages_workspace, pages_embedding, pages_safety, pages_resilience). In every test: nothing is asked elsewhere,
nothing is refused by the policy, nothing is kept.
Needs chromium (scripts/setup more) and playwright (fetched into build/venv-page); else skipped.
XINGLIN_PAGES_SLOWER=8 makes the browser that much slower: what then fails depends on time.
Usage: test_pages.py [--screenshots DIR] [NAME ...]
"""
import os
import sys
import textwrap
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
import pages_embedding  # noqa: E402
import pages_live  # noqa: E402
import pages_pictures  # noqa: E402
import pages_resilience  # noqa: E402
import pages_safety  # noqa: E402
import pages_workspace  # noqa: E402
from clinic_mock import ClinicMock  # noqa: E402
from clinic_visit import AXE, CHROMIUM, Missing, Visit  # noqa: E402
from python_environment import rerun_with_playwright, skip_all  # noqa: E402


def find_tests(*modules):
    return {name[5:]: run for module in modules for name, run in sorted(vars(module).items()) if name.startswith("test_")}


def run_one(browser, name, run, server):
    """"ok", "FAIL" or "skip" of one test, in a browser context of its own."""
    visit = Visit(browser, server.url)
    try:
        run(visit, server)
        visit.close()
        how, why = "ok  ", ""
    except Missing as reason:
        how, why = "skip", f" ({reason})"
    except Exception:  # noqa: BLE001
        how, why = "FAIL", ":\n" + textwrap.indent(f"{traceback.format_exc(limit=-5)}{visit.told(server)}", "    ")
    visit.context.close()
    print(f"{how} clinic-pages.{name}{why}", flush=True)
    return how


def run_tests(browser, wanted):
    done = []
    for name, run in find_tests(pages_workspace, pages_embedding, pages_safety, pages_resilience).items():
        if not wanted or name in wanted:
            mock = ClinicMock()
            done.append(run_one(browser, name, run, mock))
            mock.close()
    chosen = {name: run for name, run in find_tests(pages_live).items() if not wanted or name in wanted}
    live = None
    try:
        live = pages_live.LiveServer() if chosen else None
    except Missing as reason:
        print(f"skip clinic-pages.live ({reason})")
        done, chosen = done + ["skip"], {}
    except AssertionError as problem:
        print(f"FAIL clinic-pages.live: {problem}")
        done, chosen = done + ["FAIL"], {}
    done += [run_one(browser, name, run, live) for name, run in chosen.items()]
    if live:
        live.close()
    return done


def main():
    arguments = sys.argv[1:]
    if not CHROMIUM:
        return skip_all("clinic-pages", "no chromium; scripts/setup more")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return rerun_with_playwright("clinic-pages", AXE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        if arguments[:1] == ["--screenshots"]:
            pages_pictures.take_pictures(browser, arguments[1])
            return 0
        done = run_tests(browser, arguments)
        browser.close()
    print(f"clinic-pages: {done.count('ok  ')} passed, {done.count('FAIL')} failed, {done.count('skip')} skipped")
    return 1 if "FAIL" in done else 0


if __name__ == "__main__":
    sys.exit(main())
