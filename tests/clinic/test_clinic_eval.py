#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`xinglin clinic draft` and `xinglin eval --clinic` as programs: what they print, twice the same,
their exit statuses; without a model, and with a small one for the plumbing.

    test_clinic_eval.py PROGRAM
"""
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
EPISODES = [ROOT / "examples/episodes" / name for name in ("01-pneumonia", "05-gallstones")]
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "xinglin"
INPUTS = Path(os.environ.get("XINGLIN_INPUTS", CACHE / "inputs"))
MODELS = ("bench/gguf/smollm2-135m-instruct-sym_int4.gguf", "models/smollm2-135m-instruct-q4_1.gguf")
SECONDS = ("first_token_cold_s", "first_token_warm_s", "total_s")
TIMES = ("first_token_ms", "total_ms")


def run(program, *arguments, status=0):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == status, f"{arguments}: {done.returncode}\n{done.stderr}"
    assert "Sanitizer" not in done.stderr, done.stderr
    return done.stdout if status == 0 else done.stderr


def without(members, value):
    if isinstance(value, dict):
        return {name: without(members, item) for name, item in value.items()
                if name not in members}
    return [without(members, item) for item in value] if isinstance(value, list) else value


def evaluate(program, *arguments):
    return json.loads(run(program, "eval", "--clinic", "--json", *arguments, *EPISODES))


def check_report(report, model):
    assert report["model"] == model and report["template"] == "discharge-record"
    assert [Path(row["episode"]).name for row in report["episodes"]] == [p.name for p in EPISODES]
    gold = [json.loads((folder / "gold.json").read_text()) for folder in EPISODES]
    recall = report["all"]["fact_recall"]
    assert recall["all"]["of"] == sum(len(g["facts"]) for g in gold)
    assert recall["must"]["of"] == sum(f["need"] == "must" for g in gold for f in g["facts"])
    assert report["all"]["section_completeness"]["of"] == sum(len(g["fields"]) for g in gold)
    assert report["all"]["section_completeness"]["rate"] == 1
    for name in ("precision_record", "precision_gold", "recall_gold"):
        assert set(report["all"][name]) == {"number", "date", "drug"}
        for rate in report["all"][name].values():
            assert 0 <= rate["n"] <= rate["of"] and rate["of"] > 0


def check_without_model(program):
    first = evaluate(program, "--no-model")
    check_report(first, None)
    assert first["all"]["first_token_cold_s"] is None
    # Rules copy: what they write is in the record, and most of what gold says is there.
    assert first["all"]["precision_record"]["drug"]["rate"] == 1
    assert first["all"]["fact_recall"]["drug"]["rate"] > 0.9
    assert without(SECONDS, evaluate(program, "--no-model")) == without(SECONDS, first)
    table = run(program, "eval", "--clinic", "--no-model", *EPISODES)
    for words in ("fact recall: must", "unsupported sentences", "precision against gold: date",
                  "citation precision", "section completeness"):
        assert words in table, words


def check_drafts(program):
    shown = run(program, "clinic", "draft", EPISODES[0])
    for words in ("出院记录", "2025年11月3日", "诊疗经过", "核对", "AI辅助生成，须经医师审核"):
        assert words in shown, words
    first = json.loads(run(program, "clinic", "draft", "--json", EPISODES[0] / "episode.json"))
    again = json.loads(run(program, "clinic", "draft", "--json", EPISODES[0]))
    assert first["state"] == "done" and without(TIMES, first) == without(TIMES, again)
    assert first["verified"]["all"] > 50
    assert first["verified"] == {
        "ok": sum(field["verified"]["ok"] for field in first["fields"]),
        "all": sum(field["verified"]["all"] for field in first["fields"])}
    small = json.loads(run(program, "clinic", "draft", "--json", "--template", "stage-summary",
                           EPISODES[1]))
    assert small["template_name"] == "阶段小结" and any(f["text"] for f in small["fields"])


def check_mistakes(program):
    assert "no template" in run(program, "clinic", "draft", "--template", "x", EPISODES[0],
                                status=2)
    run(program, "clinic", "draft", "/no/such/file", status=3)
    run(program, "eval", "--clinic", "--no-model", ROOT / "docs", status=3)
    run(program, "eval", "--clinic", EPISODES[0], status=2)


def check_with_model(program, model):
    report = evaluate(program, "-m", model, "-c", "4096")
    check_report(report, model.stem)
    assert report["all"]["first_token_cold_s"] > 0 and report["all"]["first_token_warm_s"] > 0
    draft = json.loads(run(program, "clinic", "draft", "--json", "-m", model, EPISODES[1]))
    plain = json.loads(run(program, "clinic", "draft", "--json", EPISODES[1]))
    for field, rule in zip(draft["fields"], plain["fields"], strict=True):
        assert field["state"] == "done" and field["text"]
        # No model writes the fields of data.
        assert field["from"] == "model" or field["text"] == rule["text"]


def main():
    program = sys.argv[1]
    check_without_model(program)
    check_drafts(program)
    check_mistakes(program)
    model = next((INPUTS / name for name in MODELS if (INPUTS / name).is_file()), None)
    if model:
        check_with_model(program, model)
    print("ok   clinic_eval" if model else "ok   clinic_eval (no small chat model: without one)")


if __name__ == "__main__":
    main()
