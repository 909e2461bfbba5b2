#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that bundled episodes are well formed and agree with themselves.

A synthetic record is only useful if a careful reader finds no contradiction in it: dates in order,
length of stay, flags against ranges, every number that a note quotes against the laboratory and the
temperature chart, every dose against an order, and every source span of gold.json against the
document it points into. The rules of the ward (deadlines, operations, sides, doses by weight) are in
episode_rules.py. The defective variant of an episode (defects.json) is made in memory, and each
defect must make exactly the checks fail that it names. Needs nothing but the standard library.

    check_episode.py [FOLDER...]      default: every folder below examples/episodes
"""

import json
import re
import sys
from datetime import date, datetime, timedelta
from pathlib import Path

import episode_defects
import episode_rules

# What a note may call a laboratory value, and the code it is filed under.
LAB_NAMES = {
    "白细胞": ("WBC", "×10⁹/L"), "中性粒细胞百分比": ("NEUT%", "%"), "血红蛋白": ("HGB", "g/L"),
    "血小板": ("PLT", "×10⁹/L"), "C反应蛋白": ("CRP", "mg/L"), "降钙素原": ("PCT", "ng/mL"),
    "随机血糖": ("GLU", "mmol/L"), "尿素": ("UREA", "mmol/L"), "肌酐": ("CREA", "μmol/L"),
    "钠": ("NA", "mmol/L"), "钾": ("K", "mmol/L"), "白蛋白": ("ALB", "g/L"),
    "氧分压": ("PO2", "mmHg"), "二氧化碳分压": ("PCO2", "mmHg"), "乳酸": ("LAC", "mmol/L"),
    "糖化血红蛋白": ("HBA1C", "%"), "谷丙转氨酶": ("ALT", "U/L"),
    "空腹血糖": (("FPG", "FBG"), "mmol/L"), "早餐后2小时血糖": ("PBG2", "mmol/L"),
    "肌钙蛋白I": ("TNI", "ng/mL"), "肌酸激酶同工酶": ("CKMB", "ng/mL"),
    "肌酸激酶": ("CK", "U/L"), "肌红蛋白": ("MYO", "ng/mL"), "总胆固醇": ("TC", "mmol/L"),
    "甘油三酯": ("TG", "mmol/L"), "低密度脂蛋白胆固醇": ("LDL", "mmol/L"), "红细胞": ("RBC", "×10¹²/L"),
    "谷草转氨酶": ("AST", "U/L"), "总胆红素": ("TBIL", "μmol/L"), "直接胆红素": ("DBIL", "μmol/L"),
    "γ-谷氨酰转肽酶": ("GGT", "U/L"), "碱性磷酸酶": ("ALP", "U/L"), "淀粉酶": ("AMY", "U/L"),
    "D-二聚体": ("DD", "mg/L"), "凝血酶原时间": ("PT", "s"), "活化部分凝血活酶时间": ("APTT", "s"),
    "纤维蛋白原": ("FIB", "g/L"), "同型半胱氨酸": ("HCY", "μmol/L"), "铁蛋白": ("FERR", "μg/L"),
    "糖类抗原125": ("CA125", "U/mL"), "淋巴细胞百分比": ("LYM%", "%"), "钙": ("CA", "mmol/L"),
    "磷": ("P", "mmol/L"), "甲状旁腺激素": ("PTH", "pg/mL"), "N末端脑钠肽前体": ("BNP", "pg/mL"),
    "血沉": ("ESR", "mm/h"), "碳酸氢根": ("HCO3", "mmol/L"), "β-羟丁酸": ("BHB", "mmol/L"),
    "中性粒细胞绝对值": ("NEUT", "×10⁹/L"), "癌胚抗原": ("CEA", "ng/mL"),
}
REQUIRED = {
    "docs": ("id", "c_code", "type", "local_title", "author", "event_time", "create_time",
             "sign_time", "format", "sections"),
    "orders": ("id", "kind", "class", "name", "start", "prescriber"),
    "labs": ("id", "panel", "code", "name", "value", "unit", "specimen", "collect_time",
             "report_time", "flag"),
    "vitals": ("time", "temperature_c", "pulse_per_min", "respiration_per_min", "spo2_percent"),
    "reports": ("id", "type", "name", "order", "report_time", "findings", "conclusion"),
    "diagnoses": ("stage", "rank", "name", "icd10", "time"),
}
# The document that gold.json stands for, and its fields.
GOLD_FIELDS = {
    "出院记录": ("入院日期", "出院日期", "住院天数", "入院诊断", "入院情况", "诊疗经过", "出院诊断",
                 "出院情况", "出院医嘱"),
    "24小时内入出院记录": ("入院时间", "出院时间", "主诉", "入院情况", "入院诊断", "诊疗经过", "出院情况",
                           "出院诊断", "出院医嘱"),
    "死亡记录": ("入院日期", "死亡时间", "住院天数", "入院诊断", "入院情况", "诊疗经过", "死亡原因",
                 "死亡诊断"),
}


def moment(text):
    return datetime.fromisoformat(text)


def chinese_date(day):
    return f"{day.year}年{day.month}月{day.day}日"


def chinese_minute(time):
    return f"{chinese_date(time)}{time.hour}时{time.minute:02d}分"


class Episode:
    """One folder, with what the checks ask for again and again."""

    def __init__(self, folder):
        self.gold = json.loads((folder / "gold.json").read_text(encoding="utf-8"))
        self.planted = json.loads((folder / "defects.json").read_text(encoding="utf-8"))
        self.read(episode_defects.load(folder))
        before = folder / "first-stay" / "episode.json"
        self.before = json.loads(before.read_text(encoding="utf-8")) if before.exists() else None

    def read(self, data):
        self.data = data
        events = {event["type"]: moment(event["time"])
                  for event in self.data["encounter"]["events"]}
        self.admitted, self.discharged = events["admit"], events["discharge"]
        self.sections = {(doc["id"], section["name"]): section["text"]
                         for doc in self.data["docs"] for section in doc["sections"]}

    def diagnoses(self, stage):
        return [d["name"] for d in sorted(self.data["diagnoses"], key=lambda d: d["rank"])
                if d["stage"] == stage]


def check_shape(episode):
    """required members are there and ids are unique"""
    data = episode.data
    if data.get("format") != "xinglin-episode" or data.get("synthetic") is not True:
        yield "format or synthetic mark is missing"
    for table, names in REQUIRED.items():
        for row in data[table]:
            missing = [name for name in names if name not in row]
            if missing:
                yield f"{table} {row.get('id', row)}: no {', '.join(missing)}"
    for table in ("docs", "orders", "labs", "reports", "staff"):
        ids = [row["id"] for row in data[table]]
        if len(ids) != len(set(ids)):
            yield f"{table}: an id is used twice"


def check_identity(episode):
    """the identity number, birth date, sex and age agree"""
    patient = episode.data["patient"]
    number = patient["id_card"]
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    if number[17] != "10X98765432"[sum(int(d) * w for d, w in zip(number, weights)) % 11]:
        yield "identity number: wrong check digit"
    if not number.startswith("99"):
        yield "identity number: not in a region that is never issued"
    if number[6:14] != patient["birth_date"].replace("-", ""):
        yield "identity number: another birth date"
    if (int(number[16]) % 2 == 1) != (patient["sex"] == "男"):
        yield "identity number: another sex"
    born, admitted = date.fromisoformat(patient["birth_date"]), episode.admitted.date()
    age = admitted.year - born.year - ((admitted.month, admitted.day) < (born.month, born.day))
    for (doc, section), text in episode.sections.items():
        for found in re.findall(r"(?<![≥≤>＜潮至\d])(\d+)岁(?!结婚|绝经|以)", text):
            if int(found) not in (age, 65):  # 65: the threshold of the CURB-65 score
                yield f"{doc} {section}: age {found}, computed {age}"


def check_times(episode):
    """dates are in order and inside the stay"""
    data, day = episode.data, timedelta(days=1)
    if episode.admitted >= episode.discharged:
        yield "discharge is not after admission"
    times = [doc["event_time"] for doc in data["docs"]]
    if times != sorted(times):
        yield "docs are not in order of event_time"
    for doc in data["docs"]:
        event, create, sign = (moment(doc[name])
                               for name in ("event_time", "create_time", "sign_time"))
        if not episode.admitted <= event <= create <= sign:
            yield f"{doc['id']}: event, creation and signature are out of order"
        late = event > episode.discharged and doc["type"] not in episode_rules.AFTERWARDS
        if late or sign > event + day:
            yield f"{doc['id']}: after discharge, or signed more than 24 hours late"
    for lab in data["labs"]:
        if not moment(lab["collect_time"]) <= moment(lab["report_time"]) <= episode.discharged:
            yield f"{lab['id']}: reported before it was collected, or after discharge"
    for order in data["orders"]:
        start, stop = moment(order["start"]), moment(order.get("stop", order["start"]))
        early = start < episode.admitted and order.get("setting") not in ("急诊", "门诊")
        if early or not start <= stop <= episode.discharged:
            yield f"{order['id']}: starts before admission, or stops before it starts"
    stamps = [moment(vital["time"]) for vital in data["vitals"]]
    if stamps != sorted(stamps) or stamps[0] < episode.admitted or \
            stamps[-1] > episode.discharged:
        yield "vitals are out of order or outside the stay"


def check_references(episode):
    """authors, prescribers and the orders of reports exist"""
    staff = {person["id"] for person in episode.data["staff"]}
    orders = {order["id"]: order for order in episode.data["orders"]}
    for doc in episode.data["docs"]:
        if not {doc["author"], doc.get("cosigner", doc["author"])} <= staff:
            yield f"{doc['id']}: unknown author or cosigner"
    for order in orders.values():
        if order["prescriber"] not in staff:
            yield f"{order['id']}: unknown prescriber"
    for report in episode.data["reports"]:
        done = moment(report.get("exam_time") or report["collect_time"])
        if report["order"] not in orders:
            yield f"{report['id']}: no order {report['order']}"
        elif not moment(orders[report["order"]]["start"]) <= done <= \
                moment(report["report_time"]):
            yield f"{report['id']}: ordered, done and reported out of order"


def check_flags(episode):
    """every laboratory flag agrees with its range"""
    for lab in episode.data["labs"]:
        value = lab["value"]
        if isinstance(value, str):
            flag = "N" if value == lab["expected"] else "A"
        else:
            flag = "H" if value > lab["high"] else "L" if value < lab["low"] else "N"
        if flag != lab["flag"]:
            yield f"{lab['id']} {lab['name']}: flag {lab['flag']}, computed {flag}"


def check_quoted_labs(episode):
    """laboratory values in notes are those of the laboratory, already reported"""
    names = sorted(LAB_NAMES, key=len, reverse=True)
    pattern = re.compile("(" + "|".join(names) + 
                         r") ?(\d+(?:\.\d+)?) ?(×10⁹/L|×10¹²/L|[a-zμA-Z]+/m?L|mm/h|s(?![a-z])|%|mmHg)")
    for doc in episode.data["docs"]:
        written = moment(doc["create_time"])
        for section in doc["sections"]:
            for name, value, unit in pattern.findall(section["text"]):
                codes, expected_unit = LAB_NAMES[name]
                codes = codes if isinstance(codes, tuple) else (codes,)
                known = [lab["value"] for lab in episode.data["labs"] if lab["code"] in codes
                         and moment(lab["report_time"]) <= written]
                if float(value) not in known or unit != expected_unit:
                    yield f"{doc['id']} {section['name']}: {name}{value} {unit} is no result"


def check_quoted_vitals(episode):
    """temperatures and pulses in notes are those of the chart"""
    vitals = episode.data["vitals"]
    for doc in episode.data["docs"]:
        written, text = moment(doc["create_time"]), "".join(s["text"] for s in doc["sections"])
        known = [v for v in vitals if moment(v["time"]) <= written]
        for label, key, unit in (("脉搏", "pulse_per_min", "次/分"),
                                 ("呼吸", "respiration_per_min", "次/分")):
            for value in re.findall(rf"{label}(\d+){unit}", text):
                if int(value) not in [v[key] for v in known]:
                    yield f"{doc['id']}: {label}{value}{unit} is not on the chart"
        for high, low in re.findall(r"血压(\d+)/(\d+) mmHg", text):
            if (int(high), int(low)) not in [(v.get("systolic_mmhg"), v.get("diastolic_mmhg"))
                                             for v in known]:
                yield f"{doc['id']}: blood pressure {high}/{low} is not on the chart"
        for value in re.findall(r"(?:今晨|查体：)(?:体温)?(\d\d\.\d)℃", text):
            if float(value) not in [v["temperature_c"] for v in known]:
                yield f"{doc['id']}: temperature {value} is not on the chart"
        yesterday = (written - timedelta(days=1)).date()
        for value in re.findall(r"(?:昨日|昨晚)最高体温(\d\d\.\d)℃", text):
            highest = max(v["temperature_c"] for v in vitals
                          if moment(v["time"]).date() == yesterday)
            if float(value) != highest:
                yield f"{doc['id']}: highest temperature {value}, chart {highest}"


def check_quoted_doses(episode):
    """every dose in a note was ordered"""
    doses = {}
    for order in episode.data["orders"]:
        if "dose" in order:
            stem = re.sub(r"(注射液|片|钠)$", "", order["name"])
            doses.setdefault(stem, set()).add((float(order["dose"]["value"]),
                                               order["dose"]["unit"]))
    history = ("现病史", "既往史")
    for (doc, section), text in episode.sections.items():
        if section in history:
            continue
        for stem, known in doses.items():
            for value, unit in re.findall(
                    re.escape(stem) + r"(?:注射液|片|钠)?(?:睡前皮下注射|由\d+ U调整为)?"
                    r"(\d+(?:\.\d+)?) ?(mg|g|U)(?![A-Za-z/])", text):
                if (float(value), unit) not in known:
                    yield f"{doc} {section}: {stem} {value} {unit} was never ordered"


def check_quoted_susceptibility(episode):
    """what notes and reports call resistant or susceptible is what the culture found"""
    word = {"R": "耐药", "S": "敏感", "I": "中介"}
    found = {row["drug"]: word[row["result"]] for report in episode.data["reports"]
             for row in report.get("susceptibility", ())}
    texts = dict(episode.sections)
    texts.update({(report["id"], "conclusion"): report["conclusion"]
                  for report in episode.data["reports"]})
    for (name, section), text in texts.items():
        for drugs, said in re.findall(r"([^，；。]+?)(耐药|敏感|中介)", text):
            for drug, result in found.items():
                if drug in drugs and said != result:
                    yield f"{name} {section}: {drug} {said}, culture {result}"


def check_gold_fields(episode):
    """the reference record's data fields follow from the episode"""
    fields = {field["field"]: field["text"] for field in episode.gold["fields"]}
    if tuple(fields) != GOLD_FIELDS.get(episode.gold["document"]):
        yield f"fields are {', '.join(fields)}"
        return
    days = (episode.discharged.date() - episode.admitted.date()).days
    expected = {
        "入院日期": chinese_date(episode.admitted), "出院日期": chinese_date(episode.discharged),
        "住院天数": f"{days}天", "入院时间": chinese_minute(episode.admitted),
        "出院时间": chinese_minute(episode.discharged), "死亡时间": chinese_minute(episode.discharged)}
    for stage, field in (("admission", "入院诊断"), ("discharge", "出院诊断"),
                         ("discharge", "死亡诊断")):
        names = episode.diagnoses(stage)
        expected[field] = "；".join(f"{i}. {name}" for i, name in enumerate(names, 1)) + "。"
    for field, text in expected.items():
        if fields.get(field, text) != text:
            yield f"{field}: {fields[field]!r}, computed {text!r}"
    for order in episode.data["orders"]:
        if order["kind"] != "出院带药":
            continue
        dose = f"{order['dose']['value']} {order['dose']['unit']}"
        line = f"{order['name']}{dose}，{order['route']}，{order['frequency']}"
        if line not in fields["出院医嘱"]:
            yield f"出院医嘱: {line} is missing"


def check_first_stay(episode):
    """an earlier stay is that of the same patient, has ended, and is told at readmission"""
    if not episode.before:
        return
    before, data = episode.before, episode.data
    if before["patient"] != data["patient"] or before["encounter"]["id"] == data["encounter"]["id"]:
        yield "the first stay is another patient's, or has the same id"
    ended = max(moment(event["time"]) for event in before["encounter"]["events"])
    told = [text for (_, section), text in episode.sections.items() if section == "现病史"]
    if ended >= episode.admitted:
        yield "the first stay ends after the readmission"
    if not any(f"{ended.month}月{ended.day}日" in text for text in told):
        yield "现病史 does not tell the first stay"


def check_gold_spans(episode):
    """every source of every fact is where gold.json says"""
    reports = {report["id"]: report for report in episode.data["reports"]}
    rows = {"order": {order["id"] for order in episode.data["orders"]},
            "lab": {lab["id"] for lab in episode.data["labs"]},
            "operation": {op["id"] for op in episode.data.get("operations", ())}}
    for fact in episode.gold["facts"]:
        if not fact["sources"] or fact["need"] not in ("must", "may"):
            yield f"{fact['id']}: no source, or need is neither must nor may"
        for source in fact["sources"]:
            kind, name = source["kind"], source["id"]
            if kind in rows:
                if name not in rows[kind]:
                    yield f"{fact['id']}: no {kind} {name}"
                continue
            text = episode.sections.get((name, source["section"]), "") if kind == "doc" else \
                reports.get(name, {}).get(source["section"], "")
            if text[source["start"]:source["end"]] != source["quote"] or not source["quote"]:
                yield f"{fact['id']}: span in {name} {source['section']} is another text"


def check_defects(episode):
    """each planted defect applies and makes exactly the checks fail that it names"""
    clean, by_name = episode.data, {check.__name__: check for check in EPISODE_CHECKS}

    def broken(defects):
        other = object.__new__(Episode)
        other.gold = episode.gold
        other.read(episode_defects.apply(clean, defects))
        return {name for name, check in by_name.items() if next(iter(check(other)), None)}

    defects, ids = episode.planted["defects"], set()
    for defect in defects:
        if not re.fullmatch(r"[TCXB]\d\d", defect["rule"]) or defect["severity"] not in "VHMLA" \
                or not defect["find"] or not defect["edits"] or defect["id"] in ids:
            yield f"{defect['id']}: rule, severity, find, edits or id is wrong"
        ids.add(defect["id"])
        try:
            failing = broken([defect])
        except episode_defects.EditError as error:
            yield f"{defect['id']}: {error}"
            continue
        if failing != set(defect["breaks"]):
            yield f"{defect['id']}: breaks {sorted(failing)}, says {defect['breaks']}"
    if broken(defects) != {name for defect in defects for name in defect["breaks"]}:
        yield "all defects together break other checks than each alone"


EPISODE_CHECKS = (check_shape, check_identity, check_times, check_references, check_flags,
                  check_quoted_labs, check_quoted_vitals, check_quoted_doses,
                  check_quoted_susceptibility) + episode_rules.RULES
CHECKS = EPISODE_CHECKS + (check_first_stay, check_gold_fields, check_gold_spans, episode_rules.check_gold_numbers,
                           check_defects)


def main():
    root = Path(__file__).resolve().parent.parent / "examples" / "episodes"
    folders = [Path(name) for name in sys.argv[1:]] or sorted(
        path.parent for name in ("episode.json", "variant.json") for path in root.rglob(name))
    passed = failed = 0
    for folder in folders:
        name = folder.resolve().relative_to(root) if root in folder.resolve().parents else folder
        try:
            episode = Episode(folder)
        except (OSError, ValueError, KeyError) as error:
            print(f"FAIL {name}: {error}")
            failed += 1
            continue
        for check in CHECKS:
            try:
                problems = list(check(episode))
            except (KeyError, ValueError, TypeError, IndexError) as error:
                problems = [f"{type(error).__name__}: {error}"]
            for problem in problems:
                print(f"FAIL {name}: {problem}")
            if not problems:
                print(f"ok   {name}: {check.__doc__}")
            failed += bool(problems)
            passed += not problems
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not folders else 0


if __name__ == "__main__":
    sys.exit(main())
