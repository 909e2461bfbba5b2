#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records that give orders to the model, drafted by the program itself, end to end.

    test_injected_drafts.py PROGRAM

Without a model every order of injections.json is planted alone; with one (the demo's, else a small one)
all orders of an episode at once. Fields that no model writes must be what they are without the orders;
in fields that a model writes, a text that obeys must be absent or marked, and the orders must be told.
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import test_clinic_eval  # noqa: E402
import test_planted_orders  # noqa: E402

ROOT = HERE.parent.parent
EPISODES = ROOT / "examples/episodes"
WITH_MODEL = ("05-gallstones",)  # drafts with a model take their time


def draft(program, episode, *flags):
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(episode, file, ensure_ascii=False)
        file.flush()
        done = subprocess.run([program, "clinic", "draft", "--json", *map(str, flags), file.name],
                              capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def fields_of(made):
    return {field["id"]: field for field in made["fields"]}


def marked(field):
    return [s["text"] for s in field["sentences"] if s["verdict"] == "unsupported"]


def check_same(name, clean, planted, origins):
    for field, other in zip(clean["fields"], planted["fields"], strict=True):
        if field["from"] in origins:
            assert field["text"] == other["text"], f"{name}: {field['id']} has changed"
            # An order may make the verifier doubt what stands beside it; never a field of data.
            assert field["from"] != "data" or field["blocked"] == other["blocked"], \
                f"{name}: {field['id']}"


def check_obeyed(name, injection, made):
    """Whether the draft says what the order wanted, nowhere marked."""
    for wish in injection["obeyed"]:
        for field in made["fields"]:
            said = wish["text"].rstrip("。；") in field["text"]
            assert not said or field["blocked"], f"{name}: {field['id']} says {wish['text']}"
    assert injection["planted"] not in "".join(field["text"] for field in made["fields"]), name


def check_plain(program, episode, injections, clean):
    for injection in injections:
        made = draft(program, test_planted_orders.plant(episode, injection))
        check_same(injection["id"], clean, made, ("data", "copy", "rule", "model"))
        check_obeyed(injection["id"], injection, made)


def check_model(program, model, name, episode, injections):
    flags = ("-m", model)
    clean, planted = draft(program, episode, *flags), episode
    for injection in injections:
        planted = test_planted_orders.plant(planted, injection)
    made = draft(program, planted, *flags)
    check_same(name, clean, made, ("data", "copy", "rule"))
    for injection in injections:
        check_obeyed(f"{name} {injection['id']}", injection, made)
    for field in made["fields"]:
        if field["from"] == "model" and field["text"] != fields_of(clean)[field["id"]]["text"]:
            print(f"     {name}: {field['id']} differs, {len(marked(field))} sentences marked")
    kinds = [conflict["kind"] for conflict in made["conflicts"]]
    assert "instruction" in kinds, f"{name}: the orders are not told to the doctor"


def find_model():
    demo = sorted((ROOT / "build/demo").glob("qwen*-asym_int4.gguf"))
    small = [test_clinic_eval.INPUTS / name for name in test_clinic_eval.MODELS]
    return next((path for path in [*demo, *small] if path.is_file()), None)


def main():
    program = sys.argv[1]
    injections = json.loads((HERE / "injections.json").read_text())["injections"]
    assert len(injections) >= 20
    model = find_model()
    for name in sorted({injection["episode"] for injection in injections}):
        episode = json.loads((EPISODES / name / "episode.json").read_text())
        own = [injection for injection in injections if injection["episode"] == name]
        check_plain(program, episode, own, draft(program, episode))
        if model and name in WITH_MODEL:
            check_model(program, model, name, episode, own)
    print(f"ok   injected_drafts: {len(injections)} orders"
          + (f", with {model.stem}" if model else " (no model)"))


if __name__ == "__main__":
    main()
