#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an administrator gets: the Debian packages (built, unpacked into an empty root, used there,
lintian), the systemd unit (verify, security score), the nginx example (nginx -t), the container's
build file and health command, the dashboard. Root is needed to unpack; else that part is skipped.
"""
import glob
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PACKAGING = os.path.join(ROOT, "packaging")
PACKAGES = os.path.join(ROOT, "build", "deb", "packages")
NAMES = ["libxinglin0", "libxinglin-dev", "xinglin", "xinglin-server"]
counts = {"ok": 0, "FAIL": 0, "skip": 0}


def report(word, name, detail=""):
    counts[word] += 1
    print(f"{word:4s} deb.{name}" + (f": {detail}" if detail else ""), flush=True)


def check(name, problems):
    report("FAIL" if problems else "ok", name, "; ".join(str(p) for p in problems[:6])[:600])


def run(*command, **options):
    options.setdefault("timeout", 600)
    return subprocess.run(command, text=True, capture_output=True, **options)


def has(tool):
    if shutil.which(tool) or os.path.exists("/usr/sbin/" + tool):
        return True
    report("skip", tool, f"{tool} is not installed")
    return False


def read(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as file:
        return file.read()


def build():
    out = run(os.path.join(ROOT, "scripts", "deb"))
    found = sorted(os.path.basename(path).split("_")[0] for path in glob.glob(PACKAGES + "/*.deb"))
    problems = [out.stdout[-300:] + out.stderr[-300:]] if out.returncode else []
    check("builds", problems + ([f"packages: {found}"] if found != sorted(NAMES) else []))
    return not problems


def package(name):
    return glob.glob(f"{PACKAGES}/{name}_*.deb")[0]


def check_contents():
    wanted = {
        "libxinglin0": [r"/lib/[^/]+-linux-gnu/libxinglin\.so\.0\.\d+$"],
        "libxinglin-dev": ["/include/xinglin/xinglin.h", r"/pkgconfig/xinglin\.pc", r"libxinglin\.a$"],
        "xinglin": ["/usr/bin/xinglin$", r"/man1/llm-cli\.1\.gz", r"/man7/xinglin\.7\.gz",
                    "bash-completion/completions/xinglin", "zsh/vendor-completions/_xinglin",
                    r"fish/vendor_completions\.d/xinglin\.fish"],
        "xinglin-server": [r"/lib/systemd/system/xinglin\.service", r"/etc/xinglin/server\.conf",
                           r"/man5/xinglin-server\.conf\.5\.gz", r"/man1/xinglin-serve\.1\.gz",
                           r"examples/xinglin\.json", "SERVER.md"],
    }
    for name, patterns in wanted.items():
        listing = run("dpkg-deb", "-c", package(name)).stdout
        problems = [p for p in patterns if not re.search(p.rstrip("$") + r"(\s|$)", listing, re.M)]
        problems += [line for line in listing.splitlines() if " root/root " not in line]
        problems += [line for line in listing.splitlines() if re.match(r".{5}w|.{8}w", line)
                     and not line.startswith("l")]
        fields = run("dpkg-deb", "-f", package(name)).stdout
        if name in ("xinglin", "libxinglin0") and not re.search("^Depends: .*libc6", fields, re.M):
            problems.append("no Depends")
        check(f"contents.{name}", problems)
    conffiles = run("dpkg-deb", "-I", package("xinglin-server"), "conffiles").stdout
    check("conffiles", [] if conffiles.strip() == "/etc/xinglin/server.conf" else [conffiles])


def check_unpacked(scratch):
    if os.geteuid() != 0:
        report("skip", "unpack", "only root can unpack packages")
        return
    root = os.path.join(scratch, "root")
    os.makedirs(root + "/var/lib/dpkg/updates")
    open(root + "/var/lib/dpkg/status", "w").close()
    out = run("dpkg", "--root=" + root, "--force-depends", "--force-script-chrootless", "--unpack",
              *[package(name) for name in NAMES])
    listed = run("dpkg", "--root=" + root, "-l").stdout
    check("unpack", [out.stderr[-300:]] if out.returncode or "xinglin-server" not in listed else [])
    program = root + "/usr/bin/xinglin"
    version = run(program, "--version")
    check("runs", [] if version.stdout.startswith("xinglin ") else [version.stderr])
    alias = run(root + "/usr/bin/llm-cli", "--help")
    check("alias", [] if "usage: llm-cli" in alias.stdout else [alias.stderr])
    values = run(program, "serve", "--config", root + "/etc/xinglin/server.conf.dpkg-new", "--check-config",
                 env={"PATH": os.environ["PATH"]})
    check("config", [values.stderr] if values.returncode else [])
    check_library(root, scratch)
    removed = run("dpkg", "--root=" + root, "--force-depends", "--force-script-chrootless",
                  "--purge", *NAMES)
    left = [p for p in glob.glob(root + "/**/*xinglin*", recursive=True) if "/var/lib/dpkg" not in p]
    check("purge", left + ([removed.stderr] if removed.returncode else []))


def check_library(root, scratch):
    folder = os.path.dirname(glob.glob(root + "/usr/lib/*/libxinglin.a")[0])
    environment = {**os.environ, "PKG_CONFIG_PATH": folder + "/pkgconfig",
                   "LD_LIBRARY_PATH": folder}
    program = os.path.join(scratch, "example")
    flags = run("pkg-config", "--cflags", "--libs", "xinglin", env=environment)
    built = run("cc", "-std=c11", "-o", program, ROOT + "/examples/generate.c",
                *flags.stdout.split())
    if flags.returncode or built.returncode:
        check("development", [flags.stderr, built.stderr[-300:]])
        return
    none = run(program, "/nonexistent.gguf", "x", env=environment)
    check("development", [] if "/nonexistent.gguf" in none.stderr else [none.stderr])


def check_lintian():
    if not has("lintian"):
        return
    out = run("lintian", "--tag-display-limit", "0", "--fail-on", "error", "--allow-root",
              *[package(name) for name in NAMES])
    for line in out.stdout.splitlines():
        print("      " + line)
    check("lintian", [line for line in out.stdout.splitlines() if line.startswith("E:")])


def check_unit(scratch):
    if not has("systemd-analyze"):
        return
    path = os.path.join(scratch, "xinglin.service")
    text = read(PACKAGING, "systemd", "xinglin.service")
    with open(path, "w", encoding="utf-8") as file:  # a program that is there on this machine
        file.write(text.replace("/usr/bin/xinglin", "/bin/true"))
    out = run("systemd-analyze", "verify", "--man=no", path)
    lines = [line for line in (out.stdout + out.stderr).splitlines() if "xinglin" in line]
    check("unit.verify", lines if out.returncode or lines else [])
    out = run("systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager", path)
    score = re.search(r"Overall exposure level for .*: ([\d.]+)", out.stdout)
    report("ok" if out.returncode == 0 else "FAIL", "unit.security",
           score.group(0) if score else out.stderr[-200:])
    drain = 30
    stop = int(re.search(r"TimeoutStopSec=(\d+)", text).group(1))
    check("unit.drain", [] if stop > drain else [f"{stop} s to stop, {drain} s to drain"])
    drop_in = read(PACKAGING, "systemd", "keys.conf")
    variables = re.findall(r"XINGLIN_([A-Z_]+)=", drop_in + text)
    table = read(ROOT, "server", "config_table.c")
    check("unit.variables", [v for v in variables if v != "CACHE"
                             and f'"{v.lower().replace("_", "-")}"' not in table])


def check_nginx(scratch):
    if not has("nginx"):
        return
    if not shutil.which("openssl"):
        report("skip", "nginx", "openssl is not installed")
        return
    key, cert = scratch + "/llm.key", scratch + "/llm.crt"
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=llm", "-keyout",
        key, "-out", cert)
    text = read(PACKAGING, "nginx", "xinglin.conf")
    text = text.replace("/etc/nginx/tls/llm.crt", cert).replace("/etc/nginx/tls/llm.key", key)
    text = text.replace("/var/log/nginx/xinglin.log", scratch + "/access.log")
    with open(scratch + "/nginx.conf", "w", encoding="utf-8") as file:
        file.write(f"pid {scratch}/nginx.pid;\nerror_log {scratch}/error.log;\nevents {{}}\n"
                   f"http {{\n{text}\n}}\n")
    out = run(shutil.which("nginx") or "/usr/sbin/nginx", "-t", "-q", "-c", scratch + "/nginx.conf",
              "-p", scratch)
    check("nginx", [out.stderr.strip()[-300:]] if out.returncode else [])


def health(port, host="127.0.0.1"):
    return run("bash", os.path.join(PACKAGING, "oci", "healthy"), timeout=120,
               env={"PATH": os.environ["PATH"], "XINGLIN_PORT": str(port), "XINGLIN_HOST": host})


def check_container():
    """There is no container tool here: what the build file names must exist."""
    text = read(PACKAGING, "oci", "Containerfile").replace("\\\n", " ")
    problems = []
    for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.M):
        problems += [p for p in line.split()[:-1] if not os.path.exists(os.path.join(ROOT, p))]
    known = run("apt-cache", "pkgnames").stdout.split() if shutil.which("apt-cache") else []
    for names in re.findall(r"--no-install-recommends ([^&]*)&&", text):
        problems += [n for n in names.split() if known and n not in known]
    depends = run("dpkg-deb", "-f", package("xinglin"), "Depends").stdout
    for name in re.findall(r"(lib[\w.+-]+)", depends):
        if name != "libc6" and name not in text:
            problems.append(f"{name} is a dependency of the package only")
    for wanted in ("USER 10001", "HEALTHCHECK", 'VOLUME ["/models"]', "STOPSIGNAL SIGTERM"):
        if wanted not in text:
            problems.append(f"no {wanted}")
    check("container.file", problems)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(self.server.status if self.path == "/health" else 404)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port, problems = server.server_address[1], []
    for status, expected in ((200, 0), (503, 1)):
        server.status = status
        if health(port, "0.0.0.0").returncode != expected:
            problems.append(f"answer {status} is not {expected}")
    server.shutdown()
    server.server_close()
    if health(port).returncode == 0:
        problems.append("a closed port is healthy")
    check("container.health", problems)


def check_dashboard():
    dashboard = json.loads(read(PACKAGING, "grafana", "xinglin.json"))
    used = set(re.findall(r"xinglin_\w+", json.dumps(dashboard["panels"])))
    used = {re.sub("_(bucket|sum|count)$", "", name) for name in used}
    source = read(ROOT, "server", "metrics.c")
    made = {"xinglin_" + name for name in re.findall(r'"([a-z_]+)"', source)}
    check("dashboard.metrics", sorted(used - made))
    ids = [panel["id"] for panel in dashboard["panels"]]
    check("dashboard.panels", [] if len(ids) == len(set(ids)) > 20 else [ids])
    cells = set()
    for panel in dashboard["panels"]:
        pos = panel["gridPos"]
        for x in range(pos["x"], pos["x"] + pos["w"]):
            for y in range(pos["y"], pos["y"] + pos["h"]):
                if (x, y) in cells or x >= 24:
                    check("dashboard.layout", [panel["title"]])
                    return
                cells.add((x, y))
    check("dashboard.layout", [])


def main():
    with tempfile.TemporaryDirectory() as scratch:
        check_unit(scratch)
        check_nginx(scratch)
        check_dashboard()
        if not shutil.which("dpkg-deb"):
            report("skip", "packages", "dpkg-deb is not installed")
        elif build():
            check_contents()
            check_unpacked(scratch)
            check_lintian()
            check_container()
    print(f"deb: {counts['ok']} passed, {counts['FAIL']} failed, {counts['skip']} skipped")
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
