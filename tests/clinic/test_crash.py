#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The clinic's store under kill -9, full disks and tampering. Processes of store_driver work on a
store and say what was acknowledged; after each kill everything that was said must be there, the
chain must be whole, and nothing may be half. The database is read with Python's own SQLite.
"""
import contextlib
import hashlib
import hmac
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ.get("XINGLIN_BIN", ROOT / "build/release/bin"))
XINGLIN, DRIVER = BIN / "xinglin", BIN / "store_driver"
EPISODES = ROOT / "examples/episodes"
EPISODE = EPISODES / "01-pneumonia/episode.json"
KILLS, KILLS_A_STORE = 220, 20

pytestmark = pytest.mark.skipif(not XINGLIN.exists() or not DRIVER.exists(),
                                reason="the clinic's programs are not built")


def clinic(*arguments, status=0):
    done = subprocess.run([XINGLIN, "clinic", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def start(store, name, **options):
    return subprocess.Popen([DRIVER, store, EPISODE, name], stdout=subprocess.PIPE, text=True, **options)


def acknowledged(output):
    """(what, id, version, mark) of each whole line."""
    lines = [line.split() for line in output.split("\n")[:-1]]
    return [(what, name, int(version), mark) for what, name, version, mark in
            (line for line in lines if line[0] != "failed")]


def states(store):
    """{object: {version: state}} as the database has it."""
    found = {}
    with sqlite3.connect(store / "clinic.db") as database:
        for name, version, text in database.execute(
                "SELECT object, version, text FROM audit JOIN contents USING(seq)"
                " WHERE version>0 AND side=2"):
            found.setdefault(name, {})[version] = json.loads(text)
    database.close()
    return found


def check_form(kept, name, version, mark):
    for field in ("course", "discharge_orders", "stay_days"):
        assert kept[f"form/{name}/discharge-record/{field}"][version]["text"] == mark


def check_acknowledged(store, lines):
    kept = states(store)
    for what, name, version, mark in lines:
        if what == "import":
            assert kept[f"episode/{name}"][version]["encounter"]["bed"] == mark
        elif what == "document":
            assert kept[f"episode/{name}"][version]["docs"][-1]["sections"][0]["text"] == mark
        elif what == "draft":
            assert kept[f"draft/{name}"][version]["mark"] == mark
        else:
            check_form(kept, name, version, mark)
    # All fields of a fill or none, also of those that nobody heard of.
    for episode in {name.split("/")[1] for name in kept if name.startswith("form/")}:
        versions = {len(kept.get(f"form/{episode}/discharge-record/{field}", {}))
                    for field in ("course", "discharge_orders", "stay_days")}
        assert len(versions) == 1
    assert all(sorted(of) == list(range(1, len(of) + 1)) for of in kept.values())


def test_kills(tmp_path):
    """Many kills at random moments, of one process or of two that work at once."""
    chance, kills, said, store, lines = random.Random(2026), 0, 0, None, []
    while kills < KILLS:
        if kills % KILLS_A_STORE == 0:
            store, lines = tmp_path / f"store{kills}", []
            clinic("init", store)
        running = [start(store, f"{kills + i}") for i in range(1 + (kills % 4 == 0))]
        heard = [running[0].stdout.readline() for _ in range(chance.choice((0, 0, 1, 4, 9, 16)))]
        time.sleep(chance.choice((0, 0.001, 0.004, 0.01)) * chance.random())
        for process in running:
            process.send_signal(signal.SIGKILL)
        for process in running:
            output = process.communicate()[0]
            assert process.returncode == -signal.SIGKILL, output
            lines += acknowledged("".join(heard) + output)
            heard = []
        assert clinic("verify-audit", store).startswith("whole: ")
        check_acknowledged(store, lines)
        kills, said = kills + len(running), said + len(lines)
    assert kills >= 200 and said > 1000, f"only {kills} kills, {said} acknowledged"


def test_kill_of_an_import(tmp_path):
    """The command itself: a killed import goes on where it was, and every printed line holds."""
    store = tmp_path / "store"
    clinic("init", store)
    total = sum(json.loads(path.read_text()).get("format") == "xinglin-episode"
                for path in EPISODES.rglob("*.json"))
    for milliseconds in range(0, 60, 4):
        process = subprocess.Popen([XINGLIN, "clinic", "import", store, EPISODES],
                                   stdout=subprocess.PIPE, text=True)
        time.sleep(milliseconds / 1000)
        process.kill()
        process.communicate()
        assert clinic("verify-audit", store).startswith("whole: ")
    assert len(clinic("import", store, EPISODES).splitlines()) == total
    kept = states(store)
    assert len(kept) == total and all(list(versions) == [1] for versions in kept.values())


@pytest.mark.parametrize("room", [40_000, 150_000, 400_000, 900_000])
def test_files_that_cannot_grow(tmp_path, room):
    """A write that fails leaves what was acknowledged, and the store works again with room."""
    store = tmp_path / "store"
    clinic("init", store)

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    process = start(store, "a", preexec_fn=limit, restore_signals=False)
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 4 and "\nfailed 8 " in "\n" + output, output
    assert clinic("verify-audit", store).startswith("whole: ")
    check_acknowledged(store, acknowledged(output))
    clinic("import", store, EPISODE)
    assert clinic("verify-audit", store).startswith("whole: ")


def test_full_disk(tmp_path):
    """The same with a real disk that is full, where this user may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    script = (f"mount -t tmpfs -o size=1500k,mode=700 none {disk} && {XINGLIN} clinic init {disk}/s &&"
              f" {{ {DRIVER} {disk}/s {EPISODE} a >{tmp_path}/said; echo $? >{tmp_path}/status;"
              f" df --output=avail {disk} | tail -1 >{tmp_path}/avail;"
              f" mount -o remount,size=64m {disk} && {XINGLIN} clinic verify-audit {disk}/s"
              f" >{tmp_path}/verified && cp -r {disk}/s {tmp_path}/copy; }}")
    done = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True)
    if not (tmp_path / "status").exists():
        pytest.skip("no tmpfs can be mounted here: " + done.stderr.strip()[:80])
    said = (tmp_path / "said").read_text()
    assert (tmp_path / "status").read_text() == "4\n" and "disk is full" in said
    assert (tmp_path / "verified").read_text().startswith("whole: ")
    check_acknowledged(tmp_path / "copy", acknowledged(said))


def test_backups_while_somebody_writes(tmp_path):
    """Each copy is a whole store with at least what had been acknowledged before."""
    store = tmp_path / "store"
    clinic("init", store)
    process, lines = start(store, "a"), []
    for i in range(4):
        lines += [process.stdout.readline() for _ in range(10)]
        restored = tmp_path / f"restored{i}"
        restored.mkdir(mode=0o700)
        clinic("backup", store, restored / "clinic.db")
        clinic("init", restored)
        assert clinic("verify-audit", restored).startswith("whole: ")
        check_acknowledged(restored, acknowledged("".join(lines)))
    process.kill()
    process.communicate()


def field(value):
    """As docs/CLINIC_STORE.md says: eight bytes of length, little-endian, and the bytes."""
    if value is None:
        return b"\xff" * 8
    data = value.to_bytes(8, "little", signed=True) if isinstance(value, int) else value
    data = data.encode() if isinstance(data, str) else data
    return len(data).to_bytes(8, "little") + data


def test_chain_by_its_description(worked):
    """The format is not a secret of the program: the chain and all texts, computed here."""
    with sqlite3.connect(worked / "clinic.db") as database:
        meta = dict(database.execute("SELECT name, value FROM meta"))
        rows = list(database.execute(
            "SELECT seq, at, user, role, address, session, action, episode, object, version,"
            " before, after, state, hash FROM audit ORDER BY seq"))
        texts = {(seq, side): text for seq, side, text in database.execute("SELECT * FROM contents")}
    database.close()
    previous = meta["genesis"]
    for *values, digest in rows:
        previous = hashlib.sha256(b"".join(map(field, [previous, *values]))).digest()
        assert previous == digest
        for side, kept in enumerate(values[-3:]):
            text = texts.pop((values[0], side), None)
            assert (text is None) == (kept is None)
            if text is not None:
                assert hmac.digest(meta["digest_key"], text.encode(), "sha256") == kept
    assert not texts and len(rows) >= 12
    assert (worked / "audit.head").read_text() == f"{len(rows):020} {previous.hex()}\n"


@contextlib.contextmanager
def unlocked(path):
    """The database as a careful forger changes it: the triggers go and come back."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        triggers = database.execute("SELECT name, sql FROM sqlite_schema WHERE type='trigger'").fetchall()
        assert len(triggers) == 4
        database.executescript("".join(f"DROP TRIGGER {name};" for name, _ in triggers))
        yield database
        database.commit()
        database.executescript("".join(f"{sql};" for _, sql in triggers))


def flip(value, chance):
    """The value with one bit changed; None and numbers become something else of their kind."""
    if value is None:
        return "x"
    if isinstance(value, int):
        return value ^ 256 << chance.randrange(16)
    data = bytearray(value.encode() if isinstance(value, str) else value)
    if not data:
        return "x" if isinstance(value, str) else b"x"
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    # As text again, whatever it is now: the column's type is not what gives it away.
    return data.decode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(data)


@pytest.fixture(name="worked")
def worked_store(tmp_path):
    """A store with some work in it, whole, in one file."""
    store = tmp_path / "store"
    clinic("init", store)
    process = start(store, "a")
    for _ in range(12):
        process.stdout.readline()
    process.kill()
    process.communicate()
    secret = tmp_path / "secret"
    secret.write_text("correct horse battery\n")
    clinic("user", "add", store, "chen", "--role", "doctor", "--password-file", secret)
    assert clinic("verify-audit", store).startswith("whole: ")
    return store


def test_any_changed_byte(worked, tmp_path):
    """One bit in a value of each column of each row: verify-audit says so, with status 5."""
    chance, flips = random.Random(7), 0
    pristine = tmp_path / "pristine.db"
    clinic("backup", worked, pristine)
    (worked / "clinic.db").unlink()
    tables = {"audit": None, "contents": ("text",), "episodes": None, "drafts": None, "forms": None,
              "users": None, "passwords": None, "documents": ("digest",), "meta": ("value",)}
    for table, only in tables.items():
        key = {"documents": "document", "meta": "name"}.get(table, "rowid")
        with sqlite3.connect(pristine) as database:
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            rows = [row[0] for row in database.execute(f"SELECT {key} FROM {table} GROUP BY 1 HAVING count(*)=1")]
        database.close()
        for column in only or columns:
            for row in chance.sample(rows, min(3, len(rows))):
                shutil.copyfile(pristine, worked / "clinic.db")
                change(worked / "clinic.db", table, column, key, row, chance)
                out = clinic("verify-audit", worked, status=5)
                assert out.startswith("broken at line "), out
                flips += 1
    assert flips > 120


def change(path, table, column, key, row, chance):
    with unlocked(path) as database:
        where = f"WHERE {key} IS ?"
        value = database.execute(f"SELECT {column} FROM {table} {where} LIMIT 1", (row,)).fetchone()[0]
        changed = flip(value, chance)
        is_text = isinstance(changed, str)
        data = changed.encode("utf-8", "surrogateescape") if is_text else changed
        cast = "CAST(? AS TEXT)" if is_text else "?"
        database.execute(f"UPDATE {table} SET {column}={cast} {where}", (data, row))
        assert database.total_changes >= 1


def test_removed_and_moved_lines(worked, tmp_path):
    n = int(clinic("verify-audit", worked).split()[1])
    head = clinic("verify-audit", worked).split()[-1]
    pristine = tmp_path / "pristine.db"
    clinic("backup", worked, pristine)
    n += 1  # the backup's own line
    (worked / "clinic.db").unlink()
    for seq in range(1, n + 1):
        for also in ("", f"UPDATE audit SET seq=seq-1 WHERE seq>{seq};"):
            shutil.copyfile(pristine, worked / "clinic.db")
            with unlocked(worked / "clinic.db") as database:
                database.executescript(f"DELETE FROM contents WHERE seq={seq};"
                                       f"DELETE FROM audit WHERE seq={seq}; {also}")
            assert clinic("verify-audit", worked, status=5).startswith(f"broken at line {seq}: ")
    # Swapped neighbours.
    shutil.copyfile(pristine, worked / "clinic.db")
    with unlocked(worked / "clinic.db") as database:
        database.executescript("UPDATE audit SET seq=-2 WHERE seq=2;"
                               "UPDATE audit SET seq=2 WHERE seq=3; UPDATE audit SET seq=3 WHERE seq=-2;")
    assert clinic("verify-audit", worked, status=5).startswith("broken at line 2: ")
    shutil.copyfile(pristine, worked / "clinic.db")
    assert clinic("verify-audit", worked, "--expect", head).startswith("whole: ")
    clinic("verify-audit", worked, "--expect", "0" * 64, status=5)


def test_two_hundred_episodes(tmp_path):
    """They are listed from columns: the list does not need a single kept text."""
    store, folder = tmp_path / "store", tmp_path / "variants"
    folder.mkdir()
    names = sorted(EPISODES.glob("*/episode.json"))
    for i in range(200):
        episode = json.loads(names[i % len(names)].read_text())
        episode["encounter"]["id"] = f"V-{i:04}"
        (folder / f"{i:04}.json").write_text(json.dumps(episode, ensure_ascii=False))
    clinic("init", store)
    assert len(clinic("import", store, folder).splitlines()) == 200
    with unlocked(store / "clinic.db") as database:
        database.executescript("UPDATE contents SET text='';")
    listed = [json.loads(line) for line in clinic("list", store, "--json", "--limit", 1000).splitlines()]
    assert len(listed) == 200 and len({entry["id"] for entry in listed}) == 200
    assert [entry["admit"] for entry in listed] == sorted((e["admit"] for e in listed), reverse=True)
    some = clinic("list", store, "--department", "骨科", "--text", "v-00", "--state", "open").splitlines()
    assert some and all("\t骨科\t" in line and line.startswith("V-00") for line in some)
