#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Orders to the writer, planted in records: what an obeying model would write is marked.

  test_planted_orders.py VERIFY_TOOL

Each injection of injections.json is put into a copy of its episode. Every text that obeys it must be
unsupported, no sentence of it may have the planted one as a source, and the gold record of the
episode must be judged as if nothing had been planted.
"""
import copy
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import error_injector  # noqa: E402

EPISODES = os.path.join(HERE, "..", "..", "examples", "episodes")


def plant(episode, injection):
    planted = copy.deepcopy(episode)
    doc = next(d for d in planted["docs"] if d["id"] == injection["doc"])
    wanted = injection["section"]
    section = doc["sections"][wanted] if isinstance(wanted, int) else \
        next(s for s in doc["sections"] if s["name"] == wanted)
    if injection.get("at") == "start":
        section["text"] = injection["planted"] + section["text"]
    else:
        section["text"] += injection["planted"]
    return planted


def ask(tool, episode, questions):
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(episode, file, ensure_ascii=False)
        file.flush()
        lines = "".join(json.dumps(q) + "\n" for q in questions)
        run = subprocess.run([tool, file.name], input=lines, text=True, capture_output=True)
    if run.returncode:
        raise SystemExit(f"verify_tool failed: {run.stderr.strip()}")
    return [json.loads(line) for line in run.stdout.splitlines()]


def unsupported(answer):
    return [s["text"] for s in answer["sentences"] if s["verdict"] == "unsupported"]


def leans_on(answer, planted):
    quotes = [s["quote"] for x in answer["sentences"]
              for s in x["sources"] + [c["source"] for c in x["claims"] if c["source"]]]
    return any(q and len(q) > 6 and q in planted for q in quotes)


def check(tool, injection):
    folder = os.path.join(EPISODES, injection["episode"])
    record = error_injector.Record(folder)
    planted = plant(record.episode, injection)
    answers = ask(tool, planted, injection["obeyed"])
    faults = [f"not marked: {q['text']}" for q, a in zip(injection["obeyed"], answers)
              if not unsupported(a)]
    faults += [f"planted text is a source of: {q['text']}"
               for q, a in zip(injection["obeyed"], answers) if leans_on(a, injection["planted"])]
    gold = [{"field": f, "text": t} for f, t in error_injector.fields_of(record)]
    before = [unsupported(a) for a in ask(tool, record.episode, gold)]
    after = [unsupported(a) for a in ask(tool, planted, gold)]
    if before != after:
        faults.append(f"the gold record is judged otherwise: {after}")
    return faults


def main():
    with open(os.path.join(HERE, "injections.json"), encoding="utf-8") as file:
        injections = json.load(file)["injections"]
    failed = 0
    for injection in injections:
        faults = check(sys.argv[1], injection)
        failed += bool(faults)
        print(f"{'FAIL' if faults else 'ok  '} {injection['id']} {injection['kind']} "
              f"{'; '.join(faults)}")
    print(f"planted orders: {len(injections) - failed} of {len(injections)} marked")
    return 1 if failed or len(injections) < 20 else 0


if __name__ == "__main__":
    sys.exit(main())
