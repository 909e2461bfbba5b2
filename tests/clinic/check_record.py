#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The forms of an episode outside the program: FHIR in and out, and the examples of docs/EPISODES.md.

  check_record.py EPISODE_TOOL

The bundled episodes become FHIR Bundles (fhir_bundle.py) and come back; the Composition is looked at
member by member, and both are given to fhir.resources (R4B models) where it can be installed.
"""
import copy
import json
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(ROOT / "tests/server")]
import fhir_bundle  # noqa: E402 (found by the line above)
import pytest_step  # noqa: E402

EPISODES = sorted(path.parent for path in ROOT.glob("examples/episodes/*/episode.json"))
# What R4 has no place for, or the adapter does not send.
LOST = {"present_on_admission", "specimen", "setting", "urgency", "result", "result_time",
        "anaesthesia", "emergency", "implants", "volume", "blood_type", "per_kg", "fixed_dose",
        "chemotherapy", "collect_time", "susceptibility", "transfer"}
KEPT = {
    "patient": ("id", "name", "sex", "birth_date", "id_card", "allergies", "weight_kg",
                "blood_type"),
    "encounter": ("id", "hospital", "department", "ward", "bed", "route", "disposition"),
}
ROWS = ("staff", "diagnoses", "operations", "docs", "orders", "labs", "vitals", "reports")
FIELDS = [
    {"id": "admit_date", "name": "入院日期", "text": "2025年11月3日", "element": "DE06.00.092.00"},
    {"id": "course", "name": "诊疗经过", "loinc": "8648-8", "element": "DE06.00.296.00", "draft": True,
     "text": "入院后查白细胞>15×10⁹/L & <script>alert(1)</script>\n第二段“引号\"”。"},
    {"id": "discharge_orders", "name": "出院医嘱", "text": ""},
]
ORACLE = """
import json, sys
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.composition import Composition
for path in sys.argv[1:]:
    data = json.load(open(path, encoding="utf-8"))
    {"Bundle": Bundle, "Composition": Composition}[data["resourceType"]].model_validate(data)
"""


class Skip(Exception):
    pass


def load(path):
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))


class Checks:
    def __init__(self, tool, folder):
        self.tool, self.folder, self.number = tool, pathlib.Path(folder), 0

    def file(self, data):
        self.number += 1
        path = self.folder / f"{self.number}.json"
        path.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
        return str(path)

    def run(self, command, *values):
        done = subprocess.run([self.tool, command, *map(self.file, values)], text=True,
                              capture_output=True, timeout=600)
        assert done.returncode in (0, 1), done.stderr[-2000:]
        return (json.loads(done.stdout), None) if done.returncode == 0 else (None, done.stdout)

    def made(self, command, *values):
        result, error = self.run(command, *values)
        assert error is None, error
        return result

    def refused(self, part, command, *values):
        result, error = self.run(command, *values)
        assert result is None and part in error, (part, error or "accepted")
        assert "示" not in error, "an error tells a name: " + error

    def test_round_trip(self):
        """every fact of the bundled episodes that R4 has a place for comes back"""
        n_docs = n_same = 0
        for folder in EPISODES:
            data = load(folder / "episode.json")
            back = self.made("import", fhir_bundle.Adapter(data).bundle())
            compare(folder.name, data, back)
            n_docs += len(data["docs"])
            n_same += sum(row["sections"] == other["sections"]
                          for row, other in zip(data["docs"], back["docs"]))
        assert n_same >= 0.9 * n_docs, f"{n_same} of {n_docs} documents have their sections"

    def test_transaction(self):
        """resources without ids, known by their urn:uuid"""
        bundle = fhir_bundle.Adapter(load(EPISODES[0] / "episode.json")).bundle()
        names = {}
        for number, entry in enumerate(bundle["entry"]):
            resource = entry["resource"]
            uuid = f"urn:uuid:00000000-0000-4000-8000-{number:012d}"
            names[f"{resource['resourceType']}/{resource.pop('id')}"] = uuid
            entry.update(fullUrl=uuid, request={"method": "POST", "url": resource["resourceType"]})

        def rename(value):
            if isinstance(value, list):
                return [rename(item) for item in value]
            if isinstance(value, dict):
                return {key: names.get(item, item) if key == "reference" else rename(item)
                        for key, item in value.items()}
            return value
        bundle = rename(bundle)
        bundle["type"] = "transaction"
        back = self.made("import", bundle)
        data = load(EPISODES[0] / "episode.json")
        assert back["patient"]["name"] == data["patient"]["name"]
        assert [row["sections"] for row in back["docs"]] == [row["sections"] for row in data["docs"]]
        assert len(back["orders"]) == len(data["orders"])

    def test_variants(self):
        """other ways to say the same in FHIR"""
        bundle = minimal()
        add(bundle, "Observation", "o1", code={"coding": [{"system": "http://loinc.org",
            "code": "8310-5"}]}, status="final", effectiveDateTime="2025-01-02T01:00:00Z",
            valueQuantity={"value": 101.3, "unit": "°F"})
        add(bundle, "Observation", "o2", code={"text": "肌钙蛋白"}, status="final",
            category=[{"coding": [{"code": "laboratory"}]}], effectiveDateTime="2025-01-02",
            valueQuantity={"value": 0.01, "comparator": "<", "unit": "ng/mL"})
        add(bundle, "Observation", "o3", code={"text": "未回报"}, status="registered",
            category=[{"coding": [{"code": "laboratory"}]}], effectiveDateTime="2025-01-02")
        add(bundle, "MedicationRequest", "m1", status="active", intent="order",
            contained=[{"resourceType": "Medication", "id": "x", "code": {"text": "阿司匹林"}}],
            medicationReference={"reference": "#x"}, authoredOn="2025-01-02T08:00:00+08:00",
            requester={"display": "外院示医"},
            dosageInstruction=[{"timing": {"repeat": {"frequency": 1, "period": 8,
                                                      "periodUnit": "h"}}}])
        add(bundle, "MedicationRequest", "m2", status="cancelled", intent="order",
            medicationCodeableConcept={"text": "取消"}, authoredOn="2025-01-02")
        add(bundle, "Composition", "c1", status="final", title="首次病程记录", date="2025-01-01",
            type={"text": "x"}, section=[{"title": "病例特点", "text": {"status": "additional",
            "div": "<div xmlns='x'><p>一<b>二</b></p><p>三&lt;4</p></div>"}}])
        pdf = {"contentType": "application/pdf", "url": "http://x/"}
        add(bundle, "DocumentReference", "n1", status="current", date="2025-01-02", content=[
            {"attachment": {"title": "会诊记录", **pdf}},
            {"attachment": fhir_bundle.attachment("会诊意见：同意", title="会诊记录")}])
        add(bundle, "DiagnosticReport", "r1", status="final", code={"text": "胸片"},
            issued="2025-01-02", conclusion="未见异常", presentedForm=[pdf])
        back = self.made("import", bundle)
        assert [row["conclusion"] for row in back["reports"]] == ["未见异常"]
        assert back["docs"].pop(0)["sections"] == [{"name": "会诊意见", "text": "同意"}]
        assert back["vitals"] == [{"time": "2025-01-02T09:00:00+08:00", "temperature_c": 38.5}]
        assert [(row["name"], row["value"], row["collect_time"]) for row in back["labs"]] == \
            [("肌钙蛋白", "<0.01", "2025-01-02T00:00:00+08:00")]
        (order,) = back["orders"]
        assert (order["name"], order["frequency"], order["kind"]) == ("阿司匹林", "每8小时1次", "长期")
        assert [row["name"] for row in back["staff"]] == ["外院示医"]
        (doc,) = back["docs"]
        assert (doc["c_code"], doc["sections"]) == \
            ("C0037", [{"name": "病例特点", "text": "一二\n三<4"}])

    def test_units(self):
        """a vital sign or weight comes in with a unit that is known for it, or not at all"""
        for code, value, unit, table, member, ours in (
                ("29463-7", 132, "[lb_av]", "patient", "weight_kg", 59.9),
                ("29463-7", 120, "斤", "patient", "weight_kg", 60.0),
                ("29463-7", 3250, "g", "patient", "weight_kg", 3.25),
                ("29463-7", 61.5, "kg", "patient", "weight_kg", 61.5),
                ("8480-6", 16, "kPa", "vitals", "systolic_mmhg", 120.0),
                ("8462-4", 80, "mm[Hg]", "vitals", "diastolic_mmhg", 80),
                ("8310-5", 38.2, "℃", "vitals", "temperature_c", 38.2),
                ("3151-8", 500, "mL/min", "vitals", "oxygen_l_per_min", 0.5)):
            back = self.made("import", observed(code, {"value": value, "unit": unit}))
            row = back["patient"] if table == "patient" else back["vitals"][0]
            assert row[member] == ours, (code, unit, row[member])
        for quantity, part in (
                ({"value": 70}, "unit: is missing"),
                ({"value": 70, "unit": "stone"}, "unit: is not known"),
                ({"value": 70, "unit": "g", "code": "kg"}, "another unit"),
                ({"value": "70", "unit": "kg"}, "must be a number")):
            self.refused(part, "import", observed("29463-7", quantity))

    def test_lab_values(self):
        """every form of a result is kept as it reads; what has none is counted, not guessed"""
        values = (({"valueRange": {"low": {"value": 3, "unit": "/HP"}, "high": {"value": 5}}}, "3-5"),
                  ({"valueRange": {"high": {"value": 5}}}, "≤5"), ({"valueBoolean": True}, "是"),
                  ({"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 80}}}, "1:80"),
                  ({"dataAbsentReason": {"text": "标本溶血"}}, "无结果：标本溶血"),
                  ({"valueInteger": 4}, 4), ({"valueQuantity": {"value": 3.1}}, 3.1),
                  ({"status": "registered"}, None), ({"dataAbsentReason": {
                      "coding": [{"code": "unknown"}]}}, None))
        for value, expected in values:
            bundle = minimal()
            add(bundle, "Observation", "o", code={"text": "某项"}, effectiveDateTime="2025-01-02",
                category=[{"coding": [{"code": "laboratory"}]}], **value)
            labs = self.made("import", bundle)["labs"]
            assert [row["value"] for row in labs] == ([] if expected is None else [expected]), value
        for more, n_labs in (({}, 0), ({"referenceRange": [{"low": {"value": 1}}]}, 1),
                             ({"specimen": {"display": "血"}}, 1),
                             ({"category": [{"coding": [{"code": "exam"}]}]}, 0)):
            bundle = minimal()
            add(bundle, "Observation", "o", code={"text": "某项"}, effectiveDateTime="2025-01-02",
                valueQuantity={"value": 2}, **more)
            assert len(self.made("import", bundle)["labs"]) == n_labs, more
        bundle = minimal()
        add(bundle, "Observation", "o", code={"text": "某项"}, effectiveDateTime="2025-01-02",
            specimen={"display": "血"}, valueQuantity={"value": "3.1"})
        self.refused("Observation/o: valueQuantity.value", "import", bundle)

    def test_dosages(self):
        """what one dose and one frequency cannot say is kept in words"""
        daily = {"timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}}}
        two = {"doseAndRate": [{"doseQuantity": {"value": 2, "unit": "片"}}]}
        some = {"doseAndRate": [{"doseRange": {"low": {"value": 1}, "high": {"value": 2,
                                                                            "unit": "片"}}}]}
        for dosages, dose, frequency in (
                ([{**two, **daily}], {"value": 2, "unit": "片"}, "每日2次"),
                ([{"text": "早2片晚1片"}], None, "早2片晚1片"),
                ([{**some, **daily}], None, "每次1-2 片 每日2次"),
                ([{**two, "text": "早2片"}, {"text": "晚1片"}], None, "早2片；晚1片")):
            (order,) = self.made("import", ordered(dosages))["orders"]
            assert (order.get("dose"), order.get("frequency")) == (dose, frequency), order
        for dosages, part in (
                ("x", "array of objects"), (["x"], "array of objects"),
                ([{"doseAndRate": [{"doseQuantity": {"value": -5, "unit": "g"}}]}], "above 0"),
                ([{"doseAndRate": [{"doseQuantity": {"value": 5}}]}], "needs value and unit")):
            self.refused(part, "import", ordered(dosages))

    def test_no_stay(self):
        """a stay that was withdrawn or has not begun is none"""
        for status in ("entered-in-error", "cancelled", "planned"):
            bundle = minimal()
            bundle["entry"][1]["resource"]["status"] = status
            self.refused("must have one Encounter", "import", bundle)

    def test_people_of_a_composition(self):
        """who filled a form is its author; the software only where a draft is in it"""
        data = load(EPISODES[0] / "episode.json")
        field = {"id": "course", "name": "诊疗经过", "text": "好转", "by": "li"}
        made = self.made("export", data, [field, {**field, "id": "b", "by": "wang", "draft": True}])
        assert [row["display"] for row in made["author"]] == ["li", "wang", "杏林 Xinglin"]
        assert [row["display"] for row in self.made("export", data, [field])["author"]] == ["li"]
        odd = self.made("export", data, [{**field, "text": "10\t5\r\nb\ufffe"},
                                         {**field, "id": "b", "text": "\t \u3000"}])
        assert [row["text"]["div"] for row in odd["section"]] == [
            '<div xmlns="http://www.w3.org/1999/xhtml"><p>10 5</p><p>b </p></div>']

    def test_refusals(self):
        """what is no Bundle of one stay is refused, without a word of its text"""
        self.refused("must be Bundle", "import", {"resourceType": "Patient"})
        self.refused("exactly one Patient", "import", {"resourceType": "Bundle", "type": "batch"})
        two = minimal()
        two["entry"].append({"resource": {"resourceType": "Patient", "id": "p2"}})
        self.refused("exactly one Patient", "import", two)
        for change, part in (
                (lambda e: e["period"].pop("start"), "period.start"),
                (lambda e: e.pop("serviceType"), "serviceType"),
                (lambda e: e["period"].update(start="yesterday"), "period.start"),
                (lambda e: e.update(id="a b"), "bad id"),
                (lambda e: e.update(subject={"reference": "Patient/other"}), "subject")):
            bundle = minimal()
            change(bundle["entry"][1]["resource"])
            self.refused(part, "import", bundle)
        for kind, members, part in (
                ("Condition", {"subject": {"reference": "Patient/p9"}}, "Condition/r1: subject"),
                ("Procedure", {"code": {"text": "示"}}, "Procedure/r1: performedPeriod.start"),
                ("MedicationRequest", {"authoredOn": "2025-01-01"}, "medicationCodeableConcept"),
                ("DocumentReference", {"date": "2025-01-01", "content": [{"attachment": {
                    "title": "t", "contentType": "application/pdf", "data": "AA=="}}]},
                 "contentType"),
                ("DocumentReference", {"date": "2025-01-01", "content": [{"attachment": {
                    "title": "t", "contentType": "text/plain", "url": "http://x/"}}]}, "data"),
                ("DocumentReference", {"date": "2025-01-01", "content": [{"attachment": {
                    "title": "t", "contentType": "text/plain", "data": "A!"}}]}, "base64")):
            bundle = minimal()
            add(bundle, kind, "r1", **members)
            self.refused(part, "import", bundle)

    def test_damaged(self):
        """no member of a Bundle can be dropped or replaced so that the import fails to answer"""
        whole = fhir_bundle.Adapter(load(EPISODES[1] / "episode.json")).bundle()
        kinds = {}
        for entry in whole["entry"]:
            kinds.setdefault(entry["resource"]["resourceType"], entry)
        small = {**whole, "entry": list(kinds.values())}
        answers = set()
        for number, entry in enumerate(small["entry"]):
            for member in list(entry["resource"]):
                for value in (None, 7, "x", [], {}, [[]], {"coding": 1}):
                    bundle = copy.deepcopy(small)
                    if value is None:
                        del bundle["entry"][number]["resource"][member]
                    else:
                        bundle["entry"][number]["resource"][member] = value
                    answers.add(self.run("import", bundle)[0] is None)
        assert answers == {True, False}

    def test_composition(self):
        """a preliminary Composition with codes, labels and escaped narrative"""
        data = load(EPISODES[0] / "episode.json")
        made = self.made("export", data, FIELDS)
        assert made["status"] == "preliminary" and made["resourceType"] == "Composition"
        assert made["subject"]["reference"] == f"Patient/{data['patient']['id']}"
        assert made["encounter"]["reference"] == f"Encounter/{data['encounter']['id']}"
        assert made["date"] == "2025-11-11T10:30:00+08:00"
        assert {"system": "http://loinc.org", "code": "18842-5"} in made["type"]["coding"]
        assert [row["code"] for row in made["meta"]["security"]] == ["AIAST", "PROCESSINLINELABEL"]
        dates, course = made["section"]  # the empty field is left out
        assert "extension" not in dates and dates["title"] == "入院日期"
        assert course["extension"][0]["valueCoding"]["code"] == "AIAST"
        assert [row["code"] for row in course["code"]["coding"]] == \
            ["8648-8", "course", "DE06.00.296.00"]
        assert course["text"]["div"] == (
            '<div xmlns="http://www.w3.org/1999/xhtml"><p>入院后查白细胞&gt;15×10⁹/L &amp; '
            '&lt;script&gt;alert(1)&lt;/script&gt;</p><p>第二段“引号&quot;”。</p></div>')
        typed = self.made("export", data, [FIELDS[0]])
        assert "meta" not in typed, "nothing of it is from a draft"
        self.refused("no field", "export", data, [FIELDS[2]])

    def test_oracle(self):
        """Bundles and the Composition are valid R4 to fhir.resources"""
        python = pytest_step.PYTHON
        try:
            pytest_step.install(pytest_step.VENV, pytest_step.HERE / "requirements.txt")
            found = subprocess.run([python, "-c", "import fhir.resources.R4B"], capture_output=True)
        except (OSError, subprocess.SubprocessError) as error:
            raise Skip(f"no environment for it ({error})") from error
        if found.returncode != 0:
            raise Skip("fhir.resources could not be installed")
        files = [self.file(self.made("export", load(EPISODES[0] / "episode.json"), FIELDS))]
        files += [self.file(fhir_bundle.Adapter(load(folder / "episode.json")).bundle())
                  for folder in EPISODES]
        done = subprocess.run([python, "-c", ORACLE, *files], text=True, capture_output=True)
        assert done.returncode == 0, done.stderr[-3000:]

    def test_manual(self):
        """every example of docs/EPISODES.md does what the text says"""
        text = (ROOT / "docs/EPISODES.md").read_text(encoding="utf-8")
        blocks = re.findall(r"<!-- (\w+)(?: (refused): (.*?))? -->\n```json\n(.*?)```", text, re.S)
        titles = next(json.loads(block[3]) for block in blocks if block[0] == "titles")
        assert {block[0] for block in blocks} == {"episode", "bundle", "document", "titles", "row"}
        assert text.count("```json") == len(blocks), "an example without a kind"
        row = None
        for kind, refused, part, content in blocks:
            value = json.loads(content)
            command = {"episode": "read", "bundle": "import", "document": "document"}.get(kind)
            if kind == "row":
                assert row == value, row
            elif refused:
                self.refused(part, command, value)
            elif command:
                more = [titles] if kind == "document" else []
                row = self.made(command, value, *more)


def minimal():
    return {"resourceType": "Bundle", "type": "collection", "entry": [
        {"resource": {"resourceType": "Patient", "id": "p1", "gender": "female",
                      "name": [{"family": "某", "given": ["示"]}], "birthDate": "1980-01-01"}},
        {"resource": {"resourceType": "Encounter", "id": "e1", "status": "in-progress",
                      "class": {"code": "IMP"}, "subject": {"reference": "Patient/p1"},
                      "serviceType": {"text": "内科"},
                      "period": {"start": "2025-01-01T08:00:00+08:00"}}}]}


def add(bundle, kind, identifier, **members):
    bundle["entry"].append({"resource": {
        "resourceType": kind, "id": identifier, "subject": {"reference": "Patient/p1"},
        "encounter": {"reference": "Encounter/e1"}, **members}})


def observed(code, quantity):
    """A Bundle with one vital sign or weight."""
    bundle = minimal()
    add(bundle, "Observation", "o", effectiveDateTime="2025-01-02", valueQuantity=quantity,
        code={"coding": [{"system": "http://loinc.org", "code": code}]})
    return bundle


def ordered(dosages):
    bundle = minimal()
    add(bundle, "MedicationRequest", "m", authoredOn="2025-01-02", dosageInstruction=dosages,
        medicationCodeableConcept={"text": "某药"})
    return bundle


def compare(name, data, back):
    for table, members in KEPT.items():
        for member in members:
            assert back[table].get(member) == data[table].get(member), (name, table, member)
    events = [(event["type"], event["time"], event.get("to"))
              for event in data["encounter"]["events"]]
    assert [(event["type"], event["time"], event.get("to"))
            for event in back["encounter"]["events"]] == events, name
    for table in ROWS:
        rows, others = data.get(table, []), back[table]
        assert len(rows) == len(others), (name, table, len(rows), len(others))
        by_key = {row.get("id") or row["time"]: row for row in others}
        for number, row in enumerate(rows, 1):
            key = f"dx{number}" if table == "diagnoses" else row.get("id") or row["time"]
            for member, value in row.items():
                if member == "sections":
                    assert_text(f"{name} {key}", value, by_key[key][member])
                elif table == "labs" and member == "unit" and isinstance(row["value"], str):
                    pass  # a valueString has none
                elif member not in LOST and value not in ("", None):
                    assert by_key[key].get(member) == value, (name, table, key, member)


def assert_text(where, sections, others):
    """Nothing is lost: labels that the title map knows and the adapter did not, or the other way
    round, move text between sections."""
    text = "\n".join(other["name"] + "\n" + other["text"] for other in others)
    for section in sections:
        for piece in re.split(r"[。；：\n]", section["text"]):
            assert piece.strip() in text, (where, section["name"])


def main():
    failed = passed = skipped = 0
    with tempfile.TemporaryDirectory() as folder:
        checks = Checks(sys.argv[1], folder)
        for name in [name for name in dir(checks) if name.startswith("test_")]:
            try:
                getattr(checks, name)()
            except Skip as reason:
                skipped += 1
                print(f"skip record.{name[5:]}: {reason}")
            except AssertionError as error:
                failed += 1
                print(f"FAIL record.{name[5:]}: {error}")
            else:
                passed += 1
                print(f"ok   record.{name[5:]}")
    print(f"record: {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
