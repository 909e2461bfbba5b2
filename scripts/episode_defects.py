# SPDX-License-Identifier: Apache-2.0
"""Makes the variants of an episode: its other course (variant.json), and the defective one, to which
the edits of defects.json are applied.

    episode_defects.py FOLDER [DEFECT...]     the defective episode.json on standard output
    episode_defects.py --clean FOLDER         the episode.json of a folder with a variant.json

An edit names what it expects to find and fails if it finds something else, so that the patch and the
episode cannot drift apart. Spans are characters (Unicode code points) of the clean section.
"""

import copy
import json
import sys
from pathlib import Path


class EditError(ValueError):
    pass


def row_of(data, edit):
    rows = [row for row in data[edit["table"]] if row.get("id") == edit["id"]]
    if len(rows) != 1:
        raise EditError(f"no {edit['table']} {edit['id']}")
    return rows[0]


def replace(data, edit):
    """A span of a section of a document, or of findings or conclusion of a report."""
    row = row_of(data, edit)
    if edit["table"] == "docs":
        place = [part for part in row["sections"] if part["name"] == edit["section"]]
        holder, member = (place[0], "text") if place else (row, edit["section"])
    else:
        holder, member = row, edit["section"]
    text, start, end = holder.get(member, ""), edit["start"], edit["end"]
    if not edit["quote"] or text[start:end] != edit["quote"] or edit["with"] == edit["quote"]:
        raise EditError(f"{edit['id']} {edit['section']}: the span is another text, or stays the same")
    holder[member] = text[:start] + edit["with"] + text[end:]


def change(data, edit):
    row = row_of(data, edit)
    if row.get(edit["member"]) != edit["from"] or edit["from"] == edit["to"]:
        raise EditError(f"{edit['id']} {edit['member']}: is not {edit['from']}, or stays the same")
    row[edit["member"]] = edit["to"]


def remove(data, edit):
    data[edit["table"]].remove(row_of(data, edit))


def add(data, edit):
    if any(row.get("id") == edit["row"]["id"] for row in data[edit["table"]]):
        raise EditError(f"{edit['row']['id']} is already there")
    data[edit["table"]].append(edit["row"])
    if edit["table"] == "docs":
        data["docs"].sort(key=lambda doc: doc["event_time"])


OPERATIONS = {"replace": replace, "set": change, "remove": remove, "add": add}


def apply(data, defects):
    """A changed copy of an episode. Later spans of a section first, so that offsets stay true."""
    result = copy.deepcopy(data)
    edits = [edit for defect in defects for edit in defect["edits"]]
    for edit in sorted(edits, key=lambda e: -e.get("start", -1)):
        OPERATIONS[edit["op"]](result, edit)
    # A change of times can change the order of documents.
    result["docs"].sort(key=lambda doc: doc["event_time"])
    return result


def diverge(data, variant):
    """The same stay up to a moment, and what variant.json adds from there on."""
    result, cut = copy.deepcopy(data), variant["cut"]
    result["encounter"].update(variant["encounter"])
    kept = {"docs": "event_time", "labs": "report_time", "reports": "report_time", "vitals": "time",
            "orders": "start", "operations": "start"}
    for table, member in kept.items():
        result[table] = [row for row in result[table] if row[member] <= cut]
        result[table] += variant["add"].get(table, [])
        result[table].sort(key=lambda row, member=member: row[member])
    result["diagnoses"] = [row for row in result["diagnoses"] if row["stage"] == "admission"]
    result["diagnoses"] += variant["add"]["diagnoses"]
    events = [event for event in result["encounter"]["events"] if event["time"] <= cut]
    result["encounter"]["events"] = events + variant["add"]["events"]
    end = max(event["time"] for event in variant["add"]["events"])
    for order in result["orders"]:
        if order.get("stop", "") > end:
            order["stop"] = end
    return result


def load(folder):
    """The clean episode of a folder."""
    folder = Path(folder)
    if not (folder / "variant.json").exists():
        return json.loads((folder / "episode.json").read_text(encoding="utf-8"))
    data = json.loads((folder.resolve().parent / "episode.json").read_text(encoding="utf-8"))
    return diverge(data, json.loads((folder / "variant.json").read_text(encoding="utf-8")))


def main():
    if len(sys.argv) < 2 or sys.argv[-1] == "--clean":
        print(__doc__.split("\n\n")[1].strip(), file=sys.stderr)
        return 2
    clean = sys.argv[1] == "--clean"
    folder, wanted = Path(sys.argv[1 + clean]), sys.argv[2 + clean:]
    data = load(folder)
    defects = json.loads((folder / "defects.json").read_text(encoding="utf-8"))["defects"]
    chosen = [defect for defect in defects
              if not clean and (not wanted or defect["id"] in wanted)]
    if not clean and len(chosen) < len(set(wanted)):
        print("no such defect", file=sys.stderr)
        return 2
    json.dump(apply(data, chosen), sys.stdout, ensure_ascii=False, indent=1)
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
