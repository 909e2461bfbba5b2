# SPDX-License-Identifier: Apache-2.0
"""Makes false statements out of true ones: single errors put into gold discharge records.

Knows nothing of the verifier. Every error is proved false here, against the record itself: either
what it says stands nowhere in the episode, or the episode's tables say otherwise, or it denies what
the gold record (which is true of its time) affirms. Same seed, same errors.
"""
import datetime
import json
import os
import random
import re
import unicodedata

FIELD_IDS = {
    "入院日期": "admit_date", "出院日期": "discharge_date", "住院天数": "stay_days",
    "入院诊断": "admission_diagnoses", "出院诊断": "discharge_diagnoses",
    "入院情况": "admission_condition", "诊疗经过": "course", "出院情况": "discharge_condition",
    "出院医嘱": "discharge_orders"}
KINDS = ["number", "unit", "date", "drug", "dose", "frequency", "side", "negation", "denied item",
         "affirmed item", "diagnosis", "other patient"]
FREQUENCIES = ["每日1次", "每日2次", "每日3次", "每日4次", "每8小时1次", "每12小时1次", "每晚1次",
               "每6小时1次", "隔日1次"]
PER_DAY = {"每日1次": 1, "每晚1次": 1, "每日2次": 2, "每12小时1次": 2, "每日3次": 3,
           "每8小时1次": 3, "每日4次": 4, "每6小时1次": 4, "隔日1次": 0.5}
UNITS = ["×10⁹/L", "×10¹²/L", "mmol/L", "μmol/L", "ng/mL", "pg/mL", "μg/L", "mg/L", "g/L", "U/L",
         "mmHg", "次/分", "mg/m²", "mg", "μg", "ml", "kg", "cm", "mm", "L/min", "℃", "%", "g", "U",
         "小时", "分钟", "个月", "天", "周", "年", "级", "分"]
NUMBER = re.compile(r"(?<![\d.A-Za-z/×第])(\d+(?:\.\d+)?)( ?)(" +
                    "|".join(re.escape(u) for u in UNITS) + ")")
OTHER_UNITS = {
    "×10⁹/L": ["×10¹²/L"], "mmol/L": ["μmol/L", "g/L"], "μmol/L": ["mmol/L"], "ng/mL": ["mg/L"],
    "mg/L": ["g/L", "mmol/L"], "g/L": ["mg/L"], "U/L": ["g/L"], "mmHg": ["kPa"], "mg": ["g", "μg"],
    "g": ["mg"], "μg": ["mg"], "U": ["mg", "ml"], "ml": ["L"], "cm": ["mm"], "mm": ["cm"],
    "小时": ["天"], "天": ["周", "个月"], "周": ["个月", "天"], "个月": ["年", "周"], "年": ["个月"],
    "℃": [], "%": ["g/L"], "L/min": ["ml/min"], "分钟": ["小时"]}
DATE = re.compile(r"(?:(\d{4})年)?(\d{1,2})月(\d{1,2})日")
FORMS = re.compile(r"(肠溶|缓释|控释|分散|软)?(片|胶囊|注射液|颗粒|口服溶液|混悬液|口服液|糖浆|雾化吸入溶液"
                   r"|吸入溶液|干混悬剂|滴剂|凝胶|乳膏|散)$")
SALTS = re.compile(r"^(注射用|盐酸|硫酸|琥珀酸|苯磺酸|枸橼酸|富马酸|酒石酸|马来酸|甲磺酸|重酒石酸)")
# A denial: its word, and the list behind it up to the end of the clause, whatever the words.
AFFIRMED = {"未闻及": "可闻及", "未触及": "可触及", "未见": "可见", "未发现": "发现", "未出现": "出现",
            "未发生": "发生", "未诉": "诉", "否认": "有", "没有": "有", "无": "有"}
NO_DENIAL = "无创|无菌|无效|无痛|无法|无需|无论|无线|无关|无溶|无水|无机|肢体无力"
DENIAL = re.compile("(?:" + NO_DENIAL + ")|(?<![有并尿])(" + "|".join(AFFIRMED) +
                    ")(?:明显)?((?:[\u4e00-\u9fffA-Za-z]{2,}?[、及或])*[\u4e00-\u9fffA-Za-z]{2,}?)"
                    "(?=[，；。（])")
AFFIRMATION = re.compile("(?<![未无没不可所具如持含])(可闻及|可触及|可见|出现|伴|有)"
                         "(?![无效关创限助机序时力待意]|明显好)([\u4e00-\u9fff]{2,})")
DENIED = {"可闻及": "未闻及", "可触及": "未触及", "可见": "未见", "出现": "未出现", "伴": "无", "有": "无"}
STRANGERS = ["环孢素软胶囊", "丙戊酸钠缓释片", "胺碘酮片", "华法林钠片", "地高辛片", "利福平胶囊",
             "甲氨蝶呤片", "奥氮平片", "左甲状腺素钠片", "吗替麦考酚酯胶囊"]


def plain(text):
    """One writing for one thing: no blanks, half width, superscripts as digits."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text))


def by_length(name):
    """To sort a set in one order, whatever the hashes of this run."""
    return len(name), name


def stem(name):
    name = re.sub(r"（.*?）", "", name)
    name = re.sub(r"^[\d.%]+", "", name)
    short = FORMS.sub("", FORMS.sub("", name))
    short = SALTS.sub("", short)
    return re.sub(r"(?<![酸化])[钠钾钙]$", "", short) if len(short) > 3 else short


def day_of(time):
    return datetime.date.fromisoformat(time[:10])


class Record:
    """One episode as its texts by day and its tables."""

    def __init__(self, folder):
        with open(os.path.join(folder, "episode.json"), encoding="utf-8") as file:
            self.episode = json.load(file)
        with open(os.path.join(folder, "gold.json"), encoding="utf-8") as file:
            self.gold = json.load(file)
        e = self.episode
        self.number = int(os.path.basename(folder.rstrip("/"))[:2])
        self.name = e["patient"]["name"]
        self.admit = next(day_of(x["time"]) for x in e["encounter"]["events"] if x["type"] == "admit")
        ends = [day_of(x["time"]) for x in e["encounter"]["events"]
                if x["type"] in ("discharge", "death")]
        self.discharge = ends[0] if ends else None
        self.texts = []  # (day, text)
        for doc in e["docs"]:
            for section in doc["sections"]:
                self.texts.append((day_of(doc["event_time"]), section["text"]))
        for report in e["reports"]:
            day = day_of(report.get("exam_time") or report["report_time"])
            self.texts.append((day, report["name"] + "：" + report["findings"]))
            self.texts.append((day, report["name"] + "：" + report["conclusion"]))
        for order in e["orders"]:
            self.texts.append((day_of(order["start"]), self.order_words(order)))
        for lab in e["labs"]:
            self.texts.append((day_of(lab["collect_time"]),
                               f"{lab['name']}{lab['value']}{lab.get('unit') or ''}"))
        for diagnosis in e["diagnoses"]:
            self.texts.append((day_of(diagnosis["time"]), diagnosis["name"]))
        for operation in e.get("operations", []):
            self.texts.append((day_of(operation["start"]), json.dumps(operation, ensure_ascii=False)))
        for vital in e["vitals"]:
            self.texts.append((day_of(vital["time"]), self.vital_words(vital)))
        self.all = plain("\n".join(text for _, text in self.texts) +
                         json.dumps(e["patient"], ensure_ascii=False))
        self.drugs = [o for o in e["orders"] if o["class"] in ("drug", "blood")]

    @staticmethod
    def order_words(order):
        dose = order.get("dose") or {}
        return (f"{order['name']}{dose.get('value', '')}{dose.get('unit', '')}"
                f"{order.get('route', '')}{order.get('frequency', '')}"
                f"{order.get('course_days', '')}天{order.get('purpose', '')}")

    @staticmethod
    def vital_words(vital):
        return (f"体温{vital.get('temperature_c')}℃脉搏{vital.get('pulse_per_min')}次/分呼吸"
                f"{vital.get('respiration_per_min')}次/分血压{vital.get('systolic_mmhg')}/"
                f"{vital.get('diastolic_mmhg')}mmHg指脉氧饱和度{vital.get('spo2_percent')}%")

    def says(self, text):
        return plain(text) in self.all

    def has_number(self, value, unit):
        """The value with that unit, in any way of writing its zeros."""
        number = re.escape(f"{float(value):g}") + r"(?:\.?0+)?"
        return re.search(r"(?<![\d.])" + number + re.escape(plain(unit)), self.all) is not None or \
            (unit in ("天", "小时") and re.search(r"(?<![\d.])" + number + "(?:天|日|小时|h|d)", self.all)
             is not None)

    def near(self, name, value, unit, reach=24):
        """The value stands within reach behind the name."""
        number = re.escape(f"{float(value):g}") + r"(?:\.?0+)?" + re.escape(plain(unit))
        return re.search(re.escape(plain(name)) + ".{0,%d}(?<![\\d.])" % reach + number,
                         self.all) is not None

    def doses(self, drug):
        return {(float(o["dose"]["value"]), o["dose"]["unit"]) for o in self.drugs
                if stem(drug) in o["name"] and o.get("dose")}

    def frequencies(self, drug):
        found = set()
        for order in self.drugs:
            if stem(drug) in order["name"]:
                found.update(v for k, v in PER_DAY.items() if k in (order.get("frequency") or ""))
        for match in re.finditer(re.escape(plain(stem(drug))) + "(.{0,40})", self.all):
            found.update(v for k, v in PER_DAY.items() if k in match.group(1))
        return found


def fields_of(record):
    return [(FIELD_IDS.get(f["field"]), f["text"]) for f in record.gold["fields"]
            if FIELD_IDS.get(f["field"])]


def edited(record, field, text, start, end, new, kind):
    return {"episode": record.number, "field": field, "text": text[:start] + new + text[end:],
            "start": start, "end": start + max(len(new), 1), "kind": kind, "from": text[start:end],
            "to": new}


def drug_before(record, text, at):
    """The ordered drug whose name stands last before `at` in its sentence."""
    begin = max(text.rfind(mark, 0, at) for mark in "。；") + 1
    best = None
    for order in record.drugs:
        for name in {order["name"], stem(order["name"])}:
            found = text.rfind(name, begin, at)
            if found >= 0 and len(name) > 1 and (best is None or found + len(name) > best[0]):
                best = (found + len(name), stem(order["name"]))
    return best[1] if best and at - best[0] <= 24 else None


def quantity_before(record, text, at):
    names = sorted({lab["name"] for lab in record.episode["labs"]} |
                   {"体温", "脉搏", "呼吸", "指脉氧饱和度", "心率"}, key=by_length, reverse=True)
    return next((name for name in names if text[:at].endswith(name)), None)


def change_number(value, rng):
    places = len(value.split(".")[1]) if "." in value else 0
    factor = rng.choice([0.5, 0.7, 0.8, 1.2, 1.3, 1.5, 2.0])
    new = float(value) * factor
    if places == 0 and int(round(new)) == int(value):
        new = float(value) + rng.choice([1, 2, 3])
    return f"{new:.{places}f}"


def make_numbers(record, field, text, rng):
    for match in NUMBER.finditer(text):
        value, unit = match.group(1), match.group(3)
        if drug_before(record, text, match.start()) and unit in ("g", "mg", "U", "ml", "μg"):
            continue
        new = change_number(value, rng)
        if float(new) != float(value) and not record.has_number(new, unit):
            yield edited(record, field, text, match.start(1), match.end(1), new, "number")
        name = quantity_before(record, text, match.start())
        counted = [lab for lab in record.episode["labs"]
                   if isinstance(lab["value"], (int, float))]
        others = [str(lab["value"]) for lab in counted
                  if (lab.get("unit") or "") == unit and name and lab["name"] != name]
        rng.shuffle(others)
        for other in others[:6]:  # another quantity's true value: true nowhere of this one
            mine = {float(lab["value"]) for lab in counted if name in lab["name"] or lab["name"] in name}
            if float(other) not in mine and not record.near(name, other, unit):
                yield edited(record, field, text, match.start(1), match.end(1), other, "number")
                break


def make_units(record, field, text, rng):
    for match in NUMBER.finditer(text):
        for unit in OTHER_UNITS.get(match.group(3), []):
            if not record.has_number(match.group(1), unit):
                yield edited(record, field, text, match.start(3), match.end(3), unit, "unit")


def date_is_false(record, text, match, day):
    """Why a date is false; None if that is not certain."""
    if day < record.admit - datetime.timedelta(days=1):
        told = f"{day.month}月{day.day}日"
        return None if told in record.all else "before the stay"
    if record.discharge and day > record.discharge:
        return None if f"{day.month}月{day.day}日" in record.all else "after the stay"
    behind = re.split(r"[。；]|\d+月\d+日", text[match.end():])[0][:30]
    written = f"{day.month}月{day.day}日"
    for operation in record.episode.get("operations", []):
        if operation["name"][:6] in behind and day_of(operation["start"]) != day:
            return "operation"
    if "会诊" in behind and not any(d["c_code"] == "C0045" and day_of(d["event_time"]) == day
                                   for d in record.episode["docs"]):
        return "consultation"
    for lab in record.episode["labs"]:
        token = lab["name"] + str(lab["value"])
        if plain(token) in plain(behind):
            same = [x for x in record.episode["labs"] if x["name"] == lab["name"] and
                    str(x["value"]) == str(lab["value"]) and
                    day in (day_of(x["collect_time"]), day_of(x["report_time"]))]
            told = any(d == day and plain(token) in plain(t) for d, t in record.texts)
            if not same and not told:
                return "laboratory"
    words = [stem(o["name"]) for o in record.drugs if stem(o["name"]) in behind]
    words += [r["name"] for r in record.episode["reports"] if r["name"][:4] in behind]
    spoken = any(d == day and any(w in t for w in words) for d, t in record.texts)
    ordered = any(w in o["name"] and day in (day_of(o["start"]), day_of(o.get("stop") or o["start"]))
                  for w in words for o in record.drugs)
    if words and not spoken and not ordered and written not in record.all:
        return "nothing of it on that day"
    return None


def make_dates(record, field, text, rng):
    for match in DATE.finditer(text):
        year = int(match.group(1) or record.admit.year)
        day = datetime.date(year, int(match.group(2)), int(match.group(3)))
        if field == "discharge_orders":
            continue
        shifts = [s for s in range(-12, 13) if s]
        rng.shuffle(shifts)
        made = 0
        for shift in shifts:
            new = day + datetime.timedelta(days=shift)
            is_stay = field in ("admit_date", "discharge_date")
            if is_stay or date_is_false(record, text, match, new):
                told = f"{new.year}年" if match.group(1) else ""
                told += f"{new.month}月{new.day}日"
                yield edited(record, field, text, match.start(), match.end(), told, "date")
                made += 1
            if made == 2:
                break


def drug_spots(record, text):
    names = sorted({o["name"] for o in record.drugs} | {stem(o["name"]) for o in record.drugs},
                   key=by_length, reverse=True)
    taken = []
    for name in names:
        for match in re.finditer(re.escape(name), text):
            if len(name) > 2 and not any(a < match.end() and match.start() < b for a, b in taken):
                taken.append((match.start(), match.end()))
                yield match.start(), match.end(), name


def make_drugs(record, field, text, rng, others):
    strange = [d for d in others if not record.says(stem(d))]
    for start, end, name in drug_spots(record, text):
        yield edited(record, field, text, start, end, rng.choice(strange), "drug")
        dose = re.match(r" ?(\d+(?:\.\d+)?) ?(mg|g|U|ml|μg)", text[end:])
        mine = [o for o in record.drugs if dose and o.get("dose") and stem(o["name"]) != stem(name) and
                stem(o["name"]) not in text and
                (float(dose.group(1)), dose.group(2)) not in record.doses(o["name"]) and
                not record.near(stem(o["name"]), dose.group(1), dose.group(2), 30)]
        if mine:  # a drug of this patient, but not in that dose
            other = rng.choice(mine)["name"]
            yield edited(record, field, text, start, end, other, "drug")


def make_doses(record, field, text, rng):
    for match in re.finditer(r"(?<![\d.])(\d+(?:\.\d+)?) ?(mg|g|U|ml|μg)(?![/A-Za-z])", text):
        drug = drug_before(record, text, match.start())
        if not drug or not record.doses(drug):
            continue
        factor = rng.choice([0.1, 0.5, 2, 3, 10])
        new = f"{float(match.group(1)) * factor:g}"
        told = {v for v, u in record.doses(drug) if u == match.group(2)}
        if float(new) not in told and not record.near(drug, new, match.group(2), 40):
            yield edited(record, field, text, match.start(1), match.end(1), new, "dose")


def make_frequencies(record, field, text, rng):
    for match in re.finditer("|".join(FREQUENCIES), text):
        drug = drug_before(record, text, match.start())
        known = record.frequencies(drug) if drug else set()
        choices = [f for f in FREQUENCIES if PER_DAY[f] not in known]
        if known and PER_DAY[match.group(0)] in known and choices:
            yield edited(record, field, text, match.start(), match.end(), rng.choice(choices),
                         "frequency")


def make_sides(record, field, text, rng):
    for match in re.finditer("[左右](?![右左旋氧乙甲炔])", text):
        if text[match.start() - 1:match.start()] in ("左", "双"):
            continue
        flipped = "右" if match.group(0) == "左" else "左"
        site = re.match("侧?[\u4e00-\u9fff]{2}", text[match.end():])
        longer = re.match("侧?[\u4e00-\u9fff]{4}", text[match.end():])
        if not site:
            continue
        bare = site.group(0).lstrip("侧")
        never = not record.says(flipped + site.group(0)) and not record.says(flipped + bare) and \
            not record.says(flipped + "侧" + bare) and not record.says("双" + bare) and \
            not record.says("双侧" + bare)
        only = longer and record.says(match.group(0) + longer.group(0)) and \
            not record.says(flipped + longer.group(0)) and \
            not record.says("双" + longer.group(0).lstrip("侧")[:2]) and \
            not record.says("双侧" + longer.group(0).lstrip("侧")[:2])
        if never or only:
            yield edited(record, field, text, match.start(), match.end(), flipped, "side")


def make_negations(record, field, text, rng):
    """Denies what the gold record affirms of its time, or the other way round."""
    if field == "discharge_orders":
        return
    turns = [("未闻及", "可闻及"), ("可闻及", "未闻及"), ("未见", "可见"), ("阴性", "阳性"), ("阳性", "阴性"),
             ("耐药", "敏感"), ("敏感", "耐药"), ("否认", "有"), ("未触及", "可触及")]
    for old, new in turns:
        for match in re.finditer(old, text):
            yield edited(record, field, text, match.start(), match.end(), new, "negation")
    findings = ("发热|腹痛|胸痛|胸闷|气促|咳嗽|咳痰|水肿|压痛|黄疸|黄染|呛咳|输血反应|低血糖|胆漏|恶心|呕吐|皮疹|喘息"
                "|啰音|肿胀|胀痛|出血|头晕|头痛|呼吸困难|反跳痛|血栓|喘鸣")
    for match in re.finditer("(?<![有并])无(?=(?:明显)?(?:" + findings + "))", text):
        yield edited(record, field, text, match.start(), match.end(), "有", "negation")
    for match in re.finditer("(?:出现|仍|伴|示)(?=(?:" + findings + "))", text):
        yield edited(record, field, text, match.start(), match.end(), "无", "negation")


def make_denied_items(record, field, text):
    """Affirms what a denial says, as a whole or one item of its list, whatever the words."""
    if field == "discharge_orders" or field.endswith("_diagnoses"):
        return
    for match in DENIAL.finditer(text):
        cue = match.group(1)
        if not cue:
            continue
        yield edited(record, field, text, match.start(1), match.end(1), AFFIRMED[cue], "denied item")
        items = re.split("[、及或]", match.group(2))
        for item in items:
            if "少量" in item or len(items) == 1:
                continue  # 未见血肿、盆腔少量积液: that one is not denied
            rest = "、".join(i for i in items if i != item)
            yield edited(record, field, text, match.start(), match.end(),
                         f"{cue}{rest}，{AFFIRMED[cue]}{item}", "denied item")
        alone = field == "discharge_condition" and text[:match.start()][-1:] in "，。；者"
        for item in items if alone else []:
            yield edited(record, field, text, len(text), len(text), f"患者{AFFIRMED[cue]}{item}。",
                         "denied item")


def make_affirmed_items(record, field, text):
    """Denies what stands behind a word that affirms, whatever it is."""
    if field == "discharge_orders" or field.endswith("_diagnoses"):
        return
    for match in AFFIRMATION.finditer(text):
        yield edited(record, field, text, match.start(1), match.end(1), DENIED[match.group(1)],
                     "affirmed item")


def make_diagnoses(record, field, text, rng, others):
    if not field.endswith("_diagnoses"):
        return
    strange = [d for d in others if not record.says(re.split("[（，]", d)[0])]
    for match in re.finditer(r"(?<=\d\. )[^；。]+", text):
        yield edited(record, field, text, match.start(), match.end(), rng.choice(strange),
                     "diagnosis")


def is_foreign(record, sentence):
    """The sentence has a value with unit, or a drug, that this record lacks."""
    foreign = [m for m in NUMBER.finditer(sentence) if not record.has_number(m.group(1), m.group(3))]
    return len(foreign) >= 1


def make_strangers(record, field, text, rng, records):
    if field not in ("admission_condition", "course", "discharge_condition"):
        return
    others = [r for r in records if r.number != record.number]
    for _ in range(3):
        other = rng.choice(others)
        theirs = dict(fields_of(other)).get(field, "")
        sentences = [s for s in re.findall("[^。；]+[。；]", theirs) if is_foreign(record, s)]
        if sentences:
            at = rng.choice([0] + [m.end() for m in re.finditer("[。；]", text)])
            yield edited(record, field, text, at, at, rng.choice(sentences), "other patient")
    other = rng.choice(others)
    match = re.search("患者(?![\u4e00-\u9fff]示)", text)
    if match and not record.says(other.name):
        yield edited(record, field, text, match.start(), match.end(), f"患者{other.name}，",
                     "other patient")
    strange = [d["name"] for d in other.episode["diagnoses"]
               if not record.says(re.split("[（，]", d["name"])[0])]
    if strange:
        name = re.split("[（，]", rng.choice(strange))[0]
        at = rng.choice([0] + [m.end() for m in re.finditer("[。；]", text)])
        yield edited(record, field, text, at, at, f"既往有{name}病史。", "other patient")


def rewritten(text, way):
    """The same statements in another way of writing them."""
    if way == 0:  # ASCII, abbreviations
        for old, new in (("×10⁹/L", "*10^9/L"), ("×10¹²/L", "*10^12/L"), ("μ", "u"), ("℃", "°C"),
                         ("每日1次", "qd"), ("每日2次", "bid"), ("每日3次", "tid"),
                         ("每8小时1次", "q8h"), ("每12小时1次", "q12h"), ("静脉滴注", "静滴"),
                         ("，", ", "), ("；", "; "), ("～", "-")):
            text = text.replace(old, new)
        return re.sub(r"(?<=\d) (?=[a-zA-Z])", "", text)
    if way == 1:  # other units and dates
        text = re.sub(r"(?<![\d.])(\d+(?:\.\d+)?) g(?![/A-Za-z])",
                      lambda m: f"{float(m.group(1)) * 1000:g} mg", text)
        text = re.sub(r"(\d{4})年(\d{1,2})月(\d{1,2})日",
                      lambda m: f"{m.group(1)}-{int(m.group(2)):02d}-{int(m.group(3)):02d} ", text)
        return text.replace("每日1次", "1次/日").replace("每日2次", "每12小时1次")
    return "".join(chr(ord(c) + 0xFEE0) if c in "0123456789%/()" else c for c in text)


def inject(records, seed=7, most=12):
    """All errors: for each episode up to `most` of a kind; of denials and affirmations all."""
    drugs = sorted({o["name"] for r in records for o in r.drugs if len(stem(o["name"])) > 2})
    diagnoses = sorted({d["name"] for r in records for d in r.episode["diagnoses"]})
    errors = []
    for record in records:
        rng = random.Random(seed * 1000 + record.number)
        found = {kind: [] for kind in KINDS}
        for field, text in fields_of(record):
            makers = [make_numbers(record, field, text, rng), make_units(record, field, text, rng),
                      make_dates(record, field, text, rng),
                      make_drugs(record, field, text, rng, drugs + STRANGERS),
                      make_doses(record, field, text, rng),
                      make_frequencies(record, field, text, rng),
                      make_sides(record, field, text, rng), make_negations(record, field, text, rng),
                      make_denied_items(record, field, text),
                      make_affirmed_items(record, field, text),
                      make_diagnoses(record, field, text, rng, diagnoses),
                      make_strangers(record, field, text, rng, records)]
            for maker in makers:
                for error in maker:
                    found[error["kind"]].append(error)
        for kind in KINDS:
            rng.shuffle(found[kind])
            errors += found[kind] if kind.endswith(" item") else found[kind][:most]
    return errors
