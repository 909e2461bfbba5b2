#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Installs the release build into a scratch prefix and uses it as a stranger would: pkg-config,
find_package(xinglin), the exported symbols, the commands under their three names."""
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
counts = {"ok": 0, "FAIL": 0, "skip": 0}


def report(word, name, detail=""):
    counts[word] += 1
    print(f"{word:4s} package.{name}{': ' + detail if detail else ''}")


def run(command, **options):
    return subprocess.run(command, text=True, capture_output=True, **options)


def check(name, result, wanted=""):
    good = result.returncode == 0 and wanted in result.stdout
    tail = (result.stderr or result.stdout).strip().splitlines()[-1:] or [""]
    report("ok" if good else "FAIL", name, "" if good else f"exit {result.returncode}: {tail[0][:200]}")
    return good


def check_pkg_config(prefix, scratch):
    environment = {**os.environ, "PKG_CONFIG_PATH": f"{prefix}/lib/pkgconfig",
                   "LD_LIBRARY_PATH": f"{prefix}/lib"}
    for kind, option in [("shared", []), ("static", ["--static"])]:
        flags = run(["pkg-config", "--cflags", "--libs", *option, "xinglin"], env=environment)
        if not check(f"pkg-config-{kind}", flags, "xinglin"):
            continue
        words = flags.stdout.split()
        if kind == "static":  # ours from the archive, Debian's libraries as they are
            words = [f"{prefix}/lib/libxinglin.a" if w == "-lxinglin" else w for w in words]
        program = os.path.join(scratch, f"example-{kind}")
        built = run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-o", program,
                     f"{ROOT}/examples/generate.c", *words])
        if check(f"example-{kind}-builds", built):
            none = run([program, "/nonexistent.gguf", "x"], env=environment)
            good = none.returncode != 0 and "/nonexistent.gguf" in none.stderr
            report("ok" if good else "FAIL", f"example-{kind}-reports-a-missing-file")


def check_cmake_package(prefix, scratch):
    source = os.path.join(scratch, "consumer")
    os.makedirs(source)
    with open(os.path.join(source, "CMakeLists.txt"), "w", encoding="utf-8") as file:
        file.write("cmake_minimum_required(VERSION 3.25)\nproject(consumer C)\n"
                   "find_package(xinglin 0.1 REQUIRED)\n"
                   f"add_executable(consumer {ROOT}/examples/generate.c)\n"
                   "target_link_libraries(consumer PRIVATE xinglin::xinglin)\n")
    build = os.path.join(scratch, "consumer-build")
    if check("cmake-configures", run(["cmake", "-S", source, "-B", build,
                                      f"-DCMAKE_PREFIX_PATH={prefix}"])):
        check("cmake-builds", run(["cmake", "--build", build]))


def check_symbols(prefix):
    out = run(["nm", "-D", "--defined-only", f"{prefix}/lib/libxinglin.so"])
    names = [line.split()[-1].split("@")[0] for line in out.stdout.splitlines()]
    foreign = [n for n in names if not n.startswith("xl_")]
    if out.returncode or not names:
        report("FAIL", "exports", out.stderr.strip()[:200] or "no symbols")
    else:
        report("FAIL" if foreign else "ok", "exports", " ".join(foreign[:8]))
    header = open(f"{prefix}/include/xinglin/xinglin.h", encoding="utf-8").read()
    unknown = [n for n in names if n + "(" not in header]
    report("FAIL" if unknown else "ok", "exports-are-documented", " ".join(unknown[:8]))


def check_commands(prefix):
    for name in ("xinglin", "llm-convert", "llm-cli", "llm-chat"):
        check(f"{name}-version", run([f"{prefix}/bin/{name}", "--version"]), "0.1.0")
        check(f"{name}-help", run([f"{prefix}/bin/{name}", "--help"]), "-")


def main():
    scratch = tempfile.mkdtemp(prefix="xinglin-package-")
    prefix = os.path.join(scratch, "prefix")
    try:
        if check("installs", run(["cmake", "--install", f"{ROOT}/build/release", "--prefix", prefix])):
            check_pkg_config(prefix, scratch)
            check_cmake_package(prefix, scratch)
            check_symbols(prefix)
            check_commands(prefix)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"package: {counts['ok']} passed, {counts['FAIL']} failed, {counts['skip']} skipped")
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
