# SPDX-License-Identifier: Apache-2.0
"""`xinglin clinic` as an operator uses it: what it prints, refuses and keeps private."""
import csv
import io
import json
import os
import pathlib
import pty
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
XINGLIN = pathlib.Path(os.environ.get("XINGLIN_BIN", ROOT / "build/release/bin")) / "xinglin"
EPISODES = ROOT / "examples/episodes"
OK, FAILED, USAGE, BAD_INPUT, DISK, BROKEN = range(6)

pytestmark = pytest.mark.skipif(not XINGLIN.exists(), reason="xinglin is not built")


def clinic(*arguments, status=OK, **options):
    done = subprocess.run([XINGLIN, "clinic", *map(str, arguments)], capture_output=True, text=True,
                          **options)
    assert done.returncode == status, done.stdout + done.stderr
    if status in (FAILED, USAGE, BAD_INPUT, DISK):
        assert done.stderr.count("\n") == 1 and done.stderr.startswith("xinglin clinic: ")
        return done.stderr
    return done.stdout


@pytest.fixture(name="store")
def new_store(tmp_path):
    assert clinic("init", tmp_path / "store").strip() == str(tmp_path / "store")
    return tmp_path / "store"


def test_init_is_private_and_can_be_repeated(store):
    key = (store / "launch.key").read_text()
    clinic("init", store)
    assert (store / "launch.key").read_text() == key and len(key) == 65
    assert all(file.stat().st_mode & 0o077 == 0 for file in [store, *store.iterdir()])
    store.chmod(0o750)
    assert "chmod 700" in clinic("list", store, status=FAILED)


def test_import_is_idempotent(store):
    first = clinic("import", store, EPISODES).splitlines()
    assert len(first) >= 9 and all(line.endswith("\t1\tnew") for line in first)
    again = clinic("import", store, EPISODES).splitlines()
    assert again == [line.replace("\tnew", "\tunchanged") for line in first]
    assert "\t张示安\t男\t呼吸内科\t12\t" in clinic("list", store, "--text", "E-2025-000001")


def test_import_of_fhir(store, tmp_path):
    """A Bundle becomes the same row of the list as the episode that it was made of."""
    bundle = tmp_path / "bundle.json"
    source = EPISODES / "02-stemi-pci/episode.json"
    subprocess.run([sys.executable, ROOT / "tests/clinic/fhir_bundle.py", source, bundle], check=True)
    assert clinic("import", store, bundle).endswith("\t1\tnew\n")
    assert clinic("import", store, bundle).endswith("\t1\tunchanged\n")
    from_fhir = json.loads(clinic("list", store, "--json"))
    clinic("import", store, source)
    from_json = json.loads(clinic("list", store, "--json"))
    for name in ("id", "patient", "department", "admit", "discharge", "stay_days", "main_diagnosis", "n_docs"):
        assert from_fhir[name] == from_json[name], name
    assert clinic("verify-audit", store).startswith("whole: ")
    bundle.write_text('{"resourceType": "Bundle", "type": "collection", "entry": []}')
    assert "bundle.json" in clinic("import", store, bundle, status=BAD_INPUT)


def test_bad_files(store, tmp_path):
    text = (EPISODES / "01-pneumonia/episode.json").read_text()
    cases = {"cut.json": text[:1000], "twice.json": text.replace('"bed"', '"ward"', 1), "list.json": "[1]",
             "empty.json": "", "unknown.json": text.replace('"author": "p-res"', '"author": "p-nobody"', 1)}
    for name, content in cases.items():
        (tmp_path / name).write_text(content)
        message = clinic("import", store, tmp_path / name, status=BAD_INPUT)
        assert name in message and "示安" not in message
    clinic("import", store, tmp_path / "absent.json", status=BAD_INPUT)
    clinic("import", store, EPISODES / "01-pneumonia/gold.json", status=BAD_INPUT)
    (tmp_path / "nothing").mkdir()
    clinic("import", store, tmp_path / "nothing", status=BAD_INPUT)
    assert clinic("list", store) == ""


def test_users(store, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("correct horse battery\n")
    add = ("user", "add", store, "chen")
    assert "--role" in clinic(*add, "--password-file", secret, status=USAGE)
    clinic(*add, "--password-file", tmp_path / "absent", "--role", "doctor", status=BAD_INPUT)
    assert "terminal" in clinic(*add, "--role", "doctor", status=USAGE, stdin=subprocess.DEVNULL)
    clinic(*add, "--password-file", "-", "--role", "doctor", "--department", "呼吸内科", "--display",
           "陈示医", input="correct horse battery\n")
    clinic(*add, "--role", "qc")
    assert clinic("user", "list", store) == "chen\tqc\t陈示医\tactive\t呼吸内科\n"
    clinic("user", "disable", store, "chen")
    assert "\tdisabled\t" in clinic("user", "list", store)
    clinic("user", "disable", store, "li", status=FAILED)
    secret.write_text("short\n")
    assert "10 characters" in clinic(*add, "--password-file", secret, status=BAD_INPUT)
    assert "user.put" in clinic("export-audit", store)


def test_password_from_a_terminal(store):
    """It is asked for twice and does not come back."""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(XINGLIN, ["xinglin", "clinic", "user", "add", str(store), "wu", "--role", "auditor"])
    shown = b""
    for prompt in (b"password: ", b"again: "):
        while not shown.endswith(prompt):
            shown += os.read(terminal, 1)
        os.write(terminal, "十个汉字的密码就够长了\n".encode())
    while True:
        try:
            more = os.read(terminal, 1000)
        except OSError:
            break
        if not more:
            break
        shown += more
    assert os.waitpid(child, 0)[1] == 0 and "汉字".encode() not in shown
    assert clinic("user", "list", store).startswith("wu\tauditor\t")
    assert '"action":"read"' in clinic("export-audit", store)


def test_export(store, tmp_path):
    clinic("import", store, EPISODES / "01-pneumonia")
    rows = list(csv.DictReader(io.StringIO(clinic("export-audit", store, "--format", "csv"))))
    lines = [json.loads(line) for line in clinic("export-audit", store).splitlines()]
    assert rows[0]["action"] == lines[0]["action"] == "import" and rows[0]["hash"] == lines[0]["hash"]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    clinic("export-audit", store, "-o", tmp_path / "audit.jsonl")
    text = (tmp_path / "audit.jsonl").read_text()
    assert "示安" not in text and len(text.splitlines()) == len(lines) + 1
    clinic("export-audit", store, "--format", "xml", status=USAGE)
    clinic("export-audit", store, "-o", tmp_path / "no/such/folder", status=FAILED)


def test_backup(store, tmp_path):
    clinic("import", store, EPISODES / "01-pneumonia")
    restored = tmp_path / "restored"
    restored.mkdir(mode=0o700)
    clinic("backup", store, restored / "clinic.db")
    clinic("backup", store, restored / "clinic.db", status=FAILED)
    clinic("init", restored)
    assert clinic("verify-audit", restored).startswith("whole: 2 lines")
    assert clinic("list", restored) == clinic("list", store)
    assert (restored / "launch.key").read_text() != (store / "launch.key").read_text()


def test_usage(store, tmp_path):
    clinic("lost", store, status=USAGE)
    clinic("list", status=USAGE)
    clinic("user", "add", store, status=USAGE)
    clinic("user", "shout", store, "x", status=USAGE)
    clinic("list", tmp_path / "nothing", status=FAILED)
    clinic("list", store, "--state", "odd", status=BAD_INPUT)
    clinic("verify-audit", store, "--expect", "12", status=BAD_INPUT)
    (tmp_path / "file").write_text("x")
    clinic("list", tmp_path / "file", status=BAD_INPUT)
