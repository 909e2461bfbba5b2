#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Renders real chat templates with jinja2 and with our renderer: same text or both refuse.

    check_templates.py [TEMPLATE_TOOL] [--inputs DIR] [--only NAME] [--random N] [--seed S]

DIR (default: $XINGLIN_INPUTS or ~/.cache/xinglin/inputs) holds llama.cpp/, whose templates and
expectations are read at test time."""
import argparse
import os
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))

try:
    import template_expectations
    import template_random
    from template_contexts import contexts
    from template_oracle import Renderer, render_python
except ImportError as problem:
    print(f"skip templates ({problem})\ntemplates: 0 passed, 0 failed, 1 skipped")
    sys.exit(77)


# Text that shows where an object lies in memory cannot be compared; complex numbers we leave out.
NOT_OURS = re.compile("cannot be printed|power cannot be computed")
ADDRESS = re.compile(r" at 0x[0-9a-f]+>|<function |<built-in |<Macro |<bound method ", re.I)


def inputs_directory():
    cache = os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))
    return pathlib.Path(os.environ.get("XINGLIN_INPUTS", f"{cache}/xinglin/inputs"))


class Tally:
    def __init__(self):
        self.counts = {"ok": 0, "FAIL": 0, "skip": 0}

    def report(self, verdict, name, detail=""):
        self.counts[verdict] += 1
        print(f"{verdict:4} {name}{' ' + detail if detail else ''}", flush=True)

    def close(self):
        print("templates: {ok} passed, {FAIL} failed, {skip} skipped".format(**self.counts))
        if self.counts["FAIL"]:
            return 1
        return 0 if self.counts["ok"] else 77


def difference(expected, found):
    at = next((i for i, (a, b) in enumerate(zip(expected, found)) if a != b),
              min(len(expected), len(found)))
    return f"at {at}: {expected[max(0, at - 30):at + 40]!r} but {found[max(0, at - 30):at + 40]!r}"


def compare(renderer, template, context):
    """None if both agree, else what differs; and whether Python rendered it."""
    expected, reason = render_python(template, context)
    found, error = renderer.render(template, context)
    if expected is not None and (ADDRESS.search(expected) or NOT_OURS.search(error or "")):
        return None, False
    if expected is None and found is None:
        return None, False
    if expected is None:
        return f"we render what Python refuses ({reason})", False
    if found is None:
        return f"we refuse what Python renders ({error})", True
    return (None if expected == found else difference(expected, found)), True


def check_real(renderer, folder, only, tally):
    files = sorted((folder / "models" / "templates").glob("*.jinja"))
    if not files:
        tally.report("skip", "templates", f"(no templates under {folder})")
    for file in files:
        if only and only not in file.name:
            continue
        template = file.read_text(encoding="utf-8")
        problems, n_rendered, n = [], 0, 0
        for name, context in contexts():
            problem, rendered = compare(renderer, template, context)
            n += 1
            n_rendered += rendered
            if problem:
                problems.append(f"{name}: {problem}")
        if problems:
            tally.report("FAIL", file.name, f"{len(problems)} of {n}: {problems[0]}")
        else:
            tally.report("ok", file.name, f"({n_rendered} rendered, {n - n_rendered} refused)")


def render_expected(renderer, case):
    """Where a template has no place for a system message, the expectations put it before the first
    user message: that is done by the caller of the template, here too."""
    found, error = renderer.render(case.template, case.context)
    system, *rest = case.context["messages"]
    if found is not None and system["content"] in found:
        return found, error
    merged = [{**rest[0], "content": system["content"] + "\n" + rest[0]["content"]}, *rest[1:]]
    return renderer.render(case.template, {**case.context, "messages": merged})


def check_expectations(renderer, folder, only, tally):
    source = folder / "tests" / "test-chat-template.cpp"
    if not source.exists():
        tally.report("skip", "expectations", f"(no {source})")
        return
    for case in template_expectations.read(source.read_text(encoding="utf-8")):
        if only and only not in case.name:
            continue
        if not case.with_jinja:
            problem, rendered = compare(renderer, case.template, case.context)
            tally.report("FAIL" if problem else "ok", case.name,
                         problem or "(not for Jinja: same as Python)")
            continue
        found, error = render_expected(renderer, case)
        if found == case.expected:
            tally.report("ok", case.name)
        else:
            tally.report("FAIL", case.name, error or difference(case.expected, found))


def check_random(renderer, n_cases, seed, tally):
    n_rendered, problems = 0, []
    for template, context in template_random.cases(n_cases, seed):
        problem, rendered = compare(renderer, template, context)
        n_rendered += rendered
        if problem:
            problems.append(f"{template!r}: {problem}")
    for problem in problems[:20]:
        print("    " + problem)
    tally.report("FAIL" if problems else "ok", f"random templates, seed {seed}",
                 f"{len(problems)} of {n_cases} differ" if problems
                 else f"({n_rendered} rendered, {n_cases - n_rendered} refused)")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tool", nargs="?",
                        default=ROOT / "build" / "release" / "bin" / "template_tool")
    parser.add_argument("--inputs", type=pathlib.Path, default=inputs_directory())
    parser.add_argument("--only", help="files and cases whose names contain this; '' for none")
    parser.add_argument("--random", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if not pathlib.Path(options.tool).exists():
        print(f"skip templates (no {options.tool})\ntemplates: 0 passed, 0 failed, 1 skipped")
        return 77
    renderer, tally = Renderer(options.tool), Tally()
    if options.only != "":
        check_real(renderer, options.inputs / "llama.cpp", options.only, tally)
        check_expectations(renderer, options.inputs / "llama.cpp", options.only, tally)
    if not options.only:
        check_random(renderer, options.random, options.seed, tally)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
