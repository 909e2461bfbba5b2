#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The house style as a test (CONTRIBUTING.md says why each rule exists).

Checks tracked and new files of the working tree. One line a finding, `ok`/`FAIL`/`skip` a rule, and
a closing line `tidy: N passed, N failed, N skipped`. No exemption list: a rule that resists is
changed for everybody or obeyed.
"""
import collections
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Who may include whom inside src/. A folder may always include itself.
LAYERS = {
    "base": set(),
    "numeric": {"base"},
    "kernels": {"base", "numeric"},
    "format": {"base", "numeric"},
    "cache": {"base", "numeric"},
    "tokenizer": {"base"},
    "template": {"base"},
    "sampler": {"base"},
    "grammar": {"base"},
    "quantize": {"base", "numeric", "kernels", "format"},
    "model": {"base", "numeric", "kernels", "format", "cache", "tokenizer"},
    "engine": {"base", "numeric", "kernels", "format", "cache", "tokenizer", "template",
               "sampler", "grammar", "quantize", "model", "xinglin"},
}
# Who may include whom inside clinic/. Only writer and http know the server.
CLINIC_LAYERS = {
    "record": set(),
    "text": {"record"},
    "facts": {"record", "text"},
    "verify": {"record", "text", "facts"},
    "store": {"record"},
    "draft": {"record", "text", "facts", "verify"},
    "writer": {"record", "draft", "server"},
    "http": {"record", "text", "facts", "verify", "store", "draft", "writer", "server"},
}
LINE_COLUMNS_MAX = 100
FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
KERNEL_LINES_MAX = 120
BANNED_CALLS = {
    "strcpy": "snprintf", "strcat": "buffer_append", "sprintf": "snprintf", "vsprintf": "vsnprintf",
    "gets": "fgets", "strtok": "strspn", "atoi": "strtol", "atol": "strtol", "atof": "strtod",
    "alloca": "a bounded buffer", "system": "a library", "popen": "a library",
    "rand": "the sampler's generator", "srand": "the sampler's generator", "setjmp": "a status",
    "longjmp": "a status", "gmtime": "gmtime_r", "localtime": "localtime_r",
}
# Below the commands nothing may end the process or write to a terminal.
BANNED_IN_LIBRARY = {"exit": "a status", "abort": "a status", "_exit": "a status",
                     "printf": "a status", "puts": "a status", "perror": "a status"}
LEFTOVERS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
FOREIGN_PATHS = re.compile(r"(^|[^A-Za-z0-9_.])/(work|farm)/")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
SHARED_STEMS = {"CMakeLists.txt", "README.md", "__init__.py", "index.md"}


def tracked_files():
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True,
                         capture_output=True, check=True).stdout
    return sorted(p for p in set(out.splitlines()) if os.path.isfile(os.path.join(ROOT, p)))


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def is_c(path):
    return path.endswith((".c", ".h"))


def strip_comments_and_strings(text):
    """Blanks comments and string/char literals, keeping line numbers."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

    def blank(match):
        token = match.group(0)
        keep = '""' if token[0] == '"' else " "
        return keep + "\n" * token.count("\n")

    return pattern.sub(blank, text)


def check_includes(files):
    for path in (p for p in files if is_c(p)):
        parts = path.split("/")
        for number, line in enumerate(read(path).splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            target = match.group(1).split("/")[0] if "/" in match.group(1) else None
            if parts[0] == "src" and len(parts) > 2:
                allowed = LAYERS[parts[1]] | {parts[1], None}
                if target not in allowed:
                    yield f"{path}:{number}: {parts[1]} may not include {match.group(1)}"
            elif parts[0] == "clinic" and len(parts) > 2:
                part = match.group(1).split("/")[1] if target == "clinic" else target
                if part not in CLINIC_LAYERS[parts[1]] | {parts[1], "xinglin", None}:
                    yield f"{path}:{number}: clinic/{parts[1]} may not include {match.group(1)}"
            elif parts[0] in ("tools", "server", "clinic", "examples", "bindings"):
                if parts[0] == "tools" and target in ("server", "clinic"):
                    continue  # the commands start them
                if target not in (None, "xinglin", parts[0]):
                    yield f"{path}:{number}: {parts[0]} sees xinglin/xinglin.h only, not {match.group(1)}"


def find_circle(needs):
    """Names that need each other in turn, the first one again at the end; None if there are none."""
    done = set()

    def walk(name, way):
        if name in way:
            return way[way.index(name):] + [name]
        if name in done:
            return None
        done.add(name)
        circles = (walk(other, way + [name]) for other in sorted(needs[name]))
        return next(filter(None, circles), None)

    return next(filter(None, (walk(name, []) for name in sorted(needs))), None)


def check_circles(files):
    """Inside a part of clinic/ a source needs those whose headers it includes: never in a circle.

    Headers that include a header of their part do not count: they only borrow its types.
    """
    parts = collections.defaultdict(dict)
    for path in files:
        if path.startswith("clinic/") and path.endswith(".c"):
            parts[os.path.dirname(path)][os.path.basename(path)[:-2]] = set()
    for part, needs in sorted(parts.items()):
        for name in needs:
            for line in read(f"{part}/{name}.c").splitlines():
                match = INCLUDE.match(line)
                folder, base = os.path.split(match.group(1)) if match else ("", "")
                other = os.path.splitext(base)[0]
                if folder == part and other in needs and other != name:
                    needs[name].add(other)
        circle = find_circle(needs)
        if circle:
            yield f"{part}: {' needs '.join(circle)}"


def check_lengths(files):
    for path in (p for p in files if is_c(p) or p.endswith((".py", ".cmake")) or p.startswith("scripts/")):
        lines = read(path).splitlines()
        table = any("pure table" in line for line in lines[:12])
        if len(lines) > FILE_LINES_MAX and not table:
            yield f"{path}: {len(lines)} lines (max {FILE_LINES_MAX})"
        for number, line in enumerate(lines, 1):
            if len(line) > LINE_COLUMNS_MAX and is_c(path):
                yield f"{path}:{number}: {len(line)} columns (max {LINE_COLUMNS_MAX})"


def check_functions(files):
    opening = re.compile(r"^[A-Za-z_].*\)\s*\{$|^[^\s#/}].*[^=]\s\{$")
    for path in (p for p in files if is_c(p)):
        limit = KERNEL_LINES_MAX if path.startswith("src/kernels/") else FUNCTION_LINES_MAX
        start, name = None, ""
        lines = strip_comments_and_strings(read(path)).splitlines()
        for number, line in enumerate(lines, 1):
            if start is None and opening.match(line) and ")" in (line + " ".join(lines[max(0, number - 4):number])):
                if re.match(r"^(static\s+)?(const\s+)?(struct|enum|union)\b[^()]*\{$", line) or "=" in line:
                    continue
                start, name = number, line
            elif start is not None and line.startswith("}"):
                if number - start + 1 > limit:
                    yield f"{path}:{start}: function of {number - start + 1} lines (max {limit}): {name[:60]}"
                start = None


def check_banned(files):
    call = re.compile(r"(?<![A-Za-z0-9_>.])([A-Za-z_][A-Za-z0-9_]*)\s*\(")
    for path in (p for p in files if is_c(p)):
        banned = dict(BANNED_CALLS)
        if path.startswith("src/"):
            banned.update(BANNED_IN_LIBRARY)
        for number, line in enumerate(strip_comments_and_strings(read(path)).splitlines(), 1):
            for name in call.findall(line):
                if name in banned:
                    yield f"{path}:{number}: {name}() is banned; use {banned[name]}"


def check_leftovers(files):
    for path in files:
        if path.endswith((".c", ".h", ".py", ".js", ".cmake", ".txt", ".sh", ".md")) or path.startswith("scripts/"):
            if path.startswith("tests/tidy/"):
                continue
            for number, line in enumerate(read(path).splitlines(), 1):
                if LEFTOVERS.search(line) and not path.endswith((".md", ".txt")):
                    yield f"{path}:{number}: leftover: {line.strip()[:60]}"
                if FOREIGN_PATHS.search(line):
                    yield f"{path}:{number}: path of one machine: {line.strip()[:60]}"


def check_licence(files):
    for path in files:
        source = is_c(path) or path.endswith((".py", ".cmake", "CMakeLists.txt", ".sh"))
        if source or (path.startswith("scripts/") and "." not in os.path.basename(path)):
            if "SPDX-License-Identifier: Apache-2.0" not in "\n".join(read(path).splitlines()[:4]):
                yield f"{path}: no SPDX-License-Identifier in its first lines"


def check_names(files):
    stems = collections.defaultdict(set)
    for path in (p for p in files if is_c(p)):
        base = os.path.basename(path)
        if re.match(r"src/kernels/(scalar|avx2|avx512|amx)/", path) or base in SHARED_STEMS:
            continue
        if re.search(r"(^|_)(utils?|helpers?|common|misc)(_|\.|$)", base):
            yield f"{path}: the name says nothing about what it owns"
        stems[os.path.splitext(base)[0]].add(os.path.dirname(path).replace("include/xinglin", "src/engine"))
    for stem, folders in stems.items():
        if len(folders) > 1:
            yield f"{stem}: used in several folders: {', '.join(sorted(folders))}"


def check_sizes(files):
    for path in files:
        size = os.path.getsize(os.path.join(ROOT, path))
        if size > 1_500_000:
            yield f"{path}: {size} bytes is no source file"


def compile_header(arguments):
    path, compiler, language = arguments
    standard = "c11" if language == "c" else "c++17"
    with tempfile.NamedTemporaryFile("w", suffix="." + language.replace("++", "pp")) as file:
        file.write(f'#include "{path.split("/", 1)[1]}"\n#include "{path.split("/", 1)[1]}"\n')
        file.flush()
        run = subprocess.run(
            [compiler, f"-std={standard}", "-x", language, "-D_GNU_SOURCE", "-mavx2", "-mfma",
             "-mf16c", "-Wall", "-Wextra", "-Wno-unused-function", "-Werror", "-I", "src", "-I",
             "include", "-fsyntax-only", file.name], cwd=ROOT, text=True, capture_output=True)
    return "" if run.returncode == 0 else f"{path} as {language}: {run.stderr.strip().splitlines()[0][:160]}"


def check_headers(files):
    jobs = []
    for path in files:
        if not path.endswith(".h") or not path.startswith(("src/", "include/")):
            continue
        jobs.append((path, os.environ.get("CC", "cc"), "c"))
        # Kernel bodies use C only idioms; every other header is also fit for C++ callers.
        if not re.match(r"src/kernels/.*/", path) and shutil.which("c++"):
            jobs.append((path, os.environ.get("CXX", "c++"), "c++"))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from filter(None, pool.map(compile_header, jobs))


def check_format(files):
    sources = [p for p in files if is_c(p)]
    run = subprocess.run(["clang-format", "--dry-run", "-Werror", *sources], cwd=ROOT, text=True,
                         capture_output=True)
    seen = set()
    for line in run.stderr.splitlines():
        match = re.match(r"^([^:]+):(\d+):.*clang-format-violations", line)
        if match and match.group(1) not in seen:
            seen.add(match.group(1))
            yield f"{match.group(1)}:{match.group(2)}: not formatted (make format)"


RULES = [
    ("includes", "includes go down only", check_includes),
    ("circles", "inside a part of the clinic, needs go one way", check_circles),
    ("lengths", "files and lines stay short", check_lengths),
    ("functions", "functions fit a screen", check_functions),
    ("banned", "no banned calls", check_banned),
    ("leftovers", "no leftovers, no paths of one machine", check_leftovers),
    ("licence", "every source file has its SPDX tag", check_licence),
    ("names", "file names are unique and mean something", check_names),
    ("sizes", "no weights, nothing downloaded", check_sizes),
    ("headers", "headers compile alone, as C and as C++", check_headers),
    ("format", "clang-format", check_format),
]


def main():
    files = tracked_files()
    passed = failed = skipped = 0
    for name, description, check in RULES:
        if name == "format" and not shutil.which("clang-format"):
            print(f"skip tidy.{name} (clang-format is not installed)")
            skipped += 1
            continue
        findings = list(check(files))
        for finding in findings:
            print("    " + finding)
        print(f"{'FAIL' if findings else 'ok  '} tidy.{name}: {description}")
        failed, passed = (failed + 1, passed) if findings else (failed, passed + 1)
    print(f"tidy: {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
