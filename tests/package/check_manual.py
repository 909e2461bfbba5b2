#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is made of the option tables: every flag of --help stands in its man page and in all three
completions, pages have no lint, the shells can read the completions (and bash completes), and the
table of docs/SERVER.md is the one that the build made. Usage: check_manual.py [BUILD_DIR]
"""
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build", "release")
MANUAL = os.path.join(BUILD, "manual")
XINGLIN = os.path.join(BUILD, "bin", "xinglin")
ALIASES = {"convert": "llm-convert", "run": "llm-cli", "chat": "llm-chat"}
counts = {"ok": 0, "FAIL": 0, "skip": 0}


def report(word, name, detail=""):
    counts[word] += 1
    print(f"{word:4s} manual.{name}" + (f": {detail}" if detail else ""))


def check(name, problems):
    report("FAIL" if problems else "ok", name, "; ".join(problems[:8]))


def run(*command, **options):
    return subprocess.run(command, text=True, capture_output=True, timeout=300, **options)


def read(name):
    with open(os.path.join(MANUAL, name), encoding="utf-8") as file:
        return file.read()


def commands():
    """Names in the list of `xinglin --help`."""
    return re.findall(r"^  ([a-z]+) ", run(XINGLIN, "--help").stdout, re.M)


def flags(*command):
    """(long names, short names) in --help of a command."""
    text = run(XINGLIN, *command, "--help").stdout
    found = re.findall(r"^  (?:-(\w), |    )--([\w-]+)", text, re.M)
    return [name for _, name in found], [short for short, _ in found if short]


def zsh_section(text, command):
    match = re.search(rf"^_xinglin_{command}\(\) \{{\n(.*?)^\}}", text, re.M | re.S)
    return match.group(1) if match else ""


def bash_section(text, command):
    match = re.search(rf"^    {command}(?: \|[^\n]*)?\)\n(.*?)^        ;;", text, re.M | re.S)
    return match.group(1) if match else ""


def check_flags(names):
    bash, zsh, fish = read("xinglin.bash"), read("_xinglin"), read("xinglin.fish")
    for command in names:
        page = ALIASES.get(command, f"xinglin-{command}") + ".1"
        problems = []
        if not os.path.exists(os.path.join(MANUAL, page)):
            check(f"flags.{command}", [f"{page} is missing"])
            continue
        text = read(page).replace("\\-", "-")
        long_names, short_names = flags(command)
        if command == "clinic":  # a subcommand with flags of its own stands in the same page
            more_long, more_short = flags(command, "draft")
            if not {"model", "template", "warm"} <= set(more_long):
                problems.append("clinic draft --help shows no flags")
            long_names, short_names = long_names + more_long, short_names + more_short
        if len(long_names) < 3:
            problems.append("--help shows no flags")
        for name in long_names:
            if f"\\fB--{name}\\fR" not in text:
                problems.append(f"--{name} is not in {page}")
            if not re.search(rf"[ ']--{name}[ ']", bash_section(bash, command)):
                problems.append(f"--{name} is not in xinglin.bash")
            if not re.search(rf"'\*--{name}=?\[", zsh_section(zsh, command)):
                problems.append(f"--{name} is not in _xinglin")
            if not re.search(rf"seen_subcommand_from {command}' -l {name} ", fish):
                problems.append(f"--{name} is not in xinglin.fish")
        for name in short_names:
            if f"\\fB-{name}\\fR" not in text:
                problems.append(f"-{name} is not in {page}")
        check(f"flags.{command}", problems)


def check_pages():
    pages = sorted(name for name in os.listdir(MANUAL) if re.search(r"\.[157]$", name))
    tools = {"mandoc": ["mandoc", "-Tlint", "-Wwarning"],
             "man": ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8"]}
    for tool, command in tools.items():
        if not shutil.which(tool):
            report("skip", f"lint.{tool}", f"{tool} is not installed")
            continue
        problems = []
        for page in pages:
            out = run(*command, os.path.join(MANUAL, page), env={**os.environ, "MANWIDTH": "90"})
            text = out.stdout + out.stderr if tool == "mandoc" else out.stderr
            if text.strip():
                problems.append(f"{page}: {text.strip().splitlines()[0]}")
        check(f"lint.{tool}", problems)
    missing = [n for n in ("xinglin.1", "xinglin.7", "xinglin-server.conf.5") if n not in pages]
    check("pages", [f"{name} is missing" for name in missing])


def complete(line):
    """What bash would offer after this line."""
    script = f"""source {MANUAL}/xinglin.bash
COMP_WORDS=({line}); [[ {line!r} == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _xinglin; printf '%s\\n' "${{COMPREPLY[@]}}\""""
    return run("bash", "-c", script).stdout.split()


def check_completions():
    for shell, name in (("bash", "xinglin.bash"), ("zsh", "_xinglin"), ("fish", "xinglin.fish")):
        if not shutil.which(shell):
            report("skip", f"completion.{shell}", f"{shell} is not installed")
            continue
        out = run(shell, "-n", os.path.join(MANUAL, name))
        check(f"completion.{shell}", [out.stderr.strip()] if out.returncode or out.stderr else [])
    cases = {
        "xinglin ser": ["serve"],
        "xinglin run --thr": ["--threads", "--threads-batch"],
        "llm-cli --kv-type b": ["bf16"],
        "/usr/bin/xinglin serve --prefix-k": ["--prefix-key"],
        "xinglin convert --outtype sym_int4": ["sym_int4"],
    }
    problems = [f"{line!r}: {complete(line)}" for line, expected in cases.items()
                if complete(line) != expected]
    check("completion.answers", problems)


def check_document():
    path = os.path.join(ROOT, "docs", "SERVER.md")
    if not os.path.exists(path):
        report("FAIL", "document", "docs/SERVER.md is missing")
        return
    with open(path, encoding="utf-8") as file:
        text = file.read()
    check("document", [] if read("server_options.md").strip() in text else
          [f"the table of options is not the one in {MANUAL}/server_options.md; copy it"])


def check_settings():
    """Every field of struct server_settings can be set."""
    with open(os.path.join(ROOT, "server", "settings.h"), encoding="utf-8") as file:
        struct = re.search(r"struct server_settings \{(.*?)\n\};", file.read(), re.S).group(1)
    struct = re.sub("//[^\n]*", "", struct)
    fields = set()
    for declaration in struct.split(";"):
        words = re.sub(r"^\s*(const )?(struct )?\w+ ", "", declaration.strip())
        fields |= set(re.findall(r"\w+", words))
    with open(os.path.join(ROOT, "server", "config_table.c"), encoding="utf-8") as file:
        table = set(re.findall(r"AT\((\w+)\)", file.read()))
    check("settings", [f"{name} is in no row" for name in sorted(fields - table)]
          if len(fields) > 30 else ["settings.h could not be read"])


def main():
    names = commands()
    check("commands", [] if len(names) >= 6 else ["xinglin --help lists too few"])
    check_flags(names)
    check_pages()
    check_completions()
    check_document()
    check_settings()
    print(f"manual: {counts['ok']} passed, {counts['FAIL']} failed, {counts['skip']} skipped")
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
