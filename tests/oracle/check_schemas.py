#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""JSON Schemas: enforced or refused, never ignored.

1. schema_cases.json: schemas as people write them. At least 100 texts that a random model writes
   through the masks must satisfy an independent validator (Python's jsonschema); schemas that are
   refused must be refused for the stated keyword.
2. The official JSON-Schema-Test-Suite (2020-12): every schema is enforced, by the same test, and
   none of the suite's invalid instances is derived, however it is spaced; or it is refused with a
   keyword's name.

Usage: check_schemas.py GRAMMAR_TOOL [--samples N]. Prints seeds, counts and a closing line.
"""
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SEED = 20261123
counts = {"passed": 0, "failed": 0, "skipped": 0}


def closing():
    print(f"schemas: {counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if counts["failed"] else 77 if not counts["passed"] else 0


def skip(what, why):
    counts["skipped"] += 1
    print(f"skip {what} ({why})")


def fail(what, why):
    counts["failed"] += 1
    print(f"FAIL {what}: {why}")


def inputs():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.environ.get("XINGLIN_INPUTS") or os.path.join(cache, "xinglin", "inputs")


class Tool:
    """One grammar_tool, asked line by line."""

    def __init__(self, program, model):
        self.process = subprocess.Popen([program, model], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, encoding="utf-8")
        self.seed = SEED

    def ask(self, schema, instances=(), samples=0):
        self.seed += 1
        request = {"schema": json.dumps(schema, ensure_ascii=False), "samples": samples,
                   "instances": list(instances), "seed": self.seed}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("grammar_tool ended")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


def reject_constant(text):
    raise ValueError(f"{text} is no JSON")


def sample_problem(validator, answer, n_wanted):
    """Why the samples of an answer do not prove the schema enforced; None if they do."""
    ended = [text for text in answer["samples"] if text is not None]
    if len(ended) < n_wanted:
        return f"only {len(ended)} of {len(answer['samples'])} generations ended: {answer.get('trouble')}"
    for text in ended:
        try:
            value = json.loads(text, parse_constant=reject_constant)
        except ValueError as problem:
            return f"no JSON ({problem}): {text[:200]}"
        for error in validator.iter_errors(value):
            return f"invalid: {text[:200]}: {error.message[:200]}"
    return None


KEYWORD = re.compile(r'^JSON Schema: "([^"]+)" at (#[^ ]*): ')


def check_cases(tool, jsonschema, samples):
    with open(os.path.join(ROOT, "tests", "oracle", "schema_cases.json"), encoding="utf-8") as file:
        cases = json.load(file)
    n_samples = 0
    for case in cases["enforced"]:
        schema = case["schema"]
        validator = jsonschema.Draft202012Validator(
            schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
        texts = [json.dumps(value, ensure_ascii=False, separators=separators)
                 for value in case.get("derives", []) for separators in ((",", ":"), (", ", ": "))]
        wrong = [json.dumps(value, ensure_ascii=False) for value in case.get("excludes", [])]
        answer = tool.ask(schema, texts + wrong, samples)
        if answer["status"] != "ok":
            fail(case["name"], answer["message"])
            continue
        problem = sample_problem(validator, answer, samples)
        for text, accepted in zip(texts + wrong, answer["accepted"]):
            if accepted != (text in texts):
                problem = problem or f"{'does not derive' if text in texts else 'derives'} {text}"
        n_samples += sum(text is not None for text in answer["samples"])
        if problem:
            fail(case["name"], f"seed {tool.seed}: {problem}")
        else:
            counts["passed"] += 1
    for case in cases["refused"]:
        answer = tool.ask(case["schema"])
        match = KEYWORD.match(answer["message"])
        if answer["status"] == "ok" or not match or match.group(1) != case["keyword"]:
            fail(case["name"], f"{answer['status']}: {answer['message']}")
        else:
            counts["passed"] += 1
    print(f"cases: {len(cases['enforced'])} enforced with {n_samples} samples, "
          f"{len(cases['refused'])} refused; seed {SEED}")


def suite_groups(folder):
    for name in sorted(os.listdir(folder)):
        if name.endswith(".json"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                for group in json.load(file):
                    yield name[:-5], group


def check_group(tool, jsonschema, name, group, samples, tally):
    schema = group["schema"]
    tests = [(json.dumps(test["data"], ensure_ascii=False, separators=separators), test["valid"])
             for test in group["tests"] for separators in ((",", ":"), (", ", ": "))]
    answer = tool.ask(schema, [text for text, _ in tests], samples)
    if answer["status"] != "ok":
        match = KEYWORD.match(answer["message"])
        if answer["status"] == "bad input" and (" satisfies it" in answer["message"]):
            if any(valid for _, valid in tests):
                # Valid instances exist, but none that is ever written: refused, not ignored.
                tally["refused"] += 1
            else:
                tally["empty"] += 1
            return None
        if not match:
            return f"refused without a keyword: {answer['message']}"
        tally["refused"] += 1
        tally["keywords"][match.group(1)] = tally["keywords"].get(match.group(1), 0) + 1
        return None
    tally["enforced"] += 1
    for (text, valid), accepted in zip(tests, answer["accepted"]):
        if accepted and not valid:
            return f"derives the invalid {text}"
        tally["valid" if accepted else "underived"] += valid
    tally["samples"] += sum(text is not None for text in answer["samples"])
    return sample_problem(jsonschema.Draft202012Validator(schema), answer, samples)


def check_suite(tool, jsonschema, samples):
    folder = os.path.join(inputs(), "json-schema-test-suite")
    if not os.path.isdir(folder):
        skip("JSON-Schema-Test-Suite", "scripts/fetch-inputs json-schema-test-suite")
        return
    tally = {"enforced": 0, "refused": 0, "empty": 0, "valid": 0, "underived": 0, "samples": 0,
             "keywords": {}}
    n_groups = n_ignored = 0
    for name, group in suite_groups(folder):
        n_groups += 1
        problem = check_group(tool, jsonschema, name, group, samples, tally)
        if problem:
            n_ignored += 1
            fail(f"{name}: {group['description']}", f"seed {tool.seed}: {problem}")
        else:
            counts["passed"] += 1
    print(f"suite: {n_groups} schemas: {tally['enforced']} enforced ({tally['samples']} samples), "
          f"{tally['refused']} refused, {tally['empty']} refused because nothing satisfies them, "
          f"{n_ignored} ignored; of the valid instances of enforced ones "
          f"{tally['valid']} spellings are derived, {tally['underived']} are not")
    print("refused for: " + ", ".join(f"{keyword} {n}" for keyword, n in
                                      sorted(tally["keywords"].items(), key=lambda item: -item[1])))


def main():
    if len(sys.argv) < 2 or not os.path.exists(sys.argv[1]):
        skip("all", "no grammar_tool")
        return closing()
    samples = int(sys.argv[sys.argv.index("--samples") + 1]) if "--samples" in sys.argv else 100
    try:
        import jsonschema
    except ImportError:
        skip("all", "no Python package jsonschema (tests/oracle/requirements.txt)")
        return closing()
    model = os.path.join(inputs(), "models", "smollm2-135m-instruct-q4_1.gguf")
    if not os.path.exists(model):
        model = os.path.join(ROOT, "tests", "golden", "models", "qwen2")
    tool = Tool(sys.argv[1], model)
    check_cases(tool, jsonschema, samples)
    check_suite(tool, jsonschema, samples)
    if tool.close() != 0:
        fail("grammar_tool", "its exit status")
    return closing()


if __name__ == "__main__":
    sys.exit(main())
