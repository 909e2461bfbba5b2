# SPDX-License-Identifier: Apache-2.0
"""Rules of the ward that a bundled episode keeps: documents and their deadlines, operations, who the
patient is, doses by weight, results that are still out.

scripts/check_episode.py runs them. Each is a generator of complaints about one episode; an id in
brackets is the rule of record quality that it stands for, so that a planted defect can say which
check must see it.
"""

import re
from datetime import datetime, timedelta

DAY, HOUR = timedelta(days=1), timedelta(hours=1)

# WS/T 500 document types; X-… where it has none.
DOC_TYPES = {
    "C0008": ("treatment_record",), "C0009": ("operation_record",),
    "C0013": ("transfusion_record",), "C0026": ("operation_consent",),
    "C0027": ("anaesthesia_consent",), "C0028": ("transfusion_consent",),
    "C0029": ("treatment_consent",), "C0030": ("critical_notice",),
    "C0034": ("admission_note",), "C0035": ("day_stay_note",), "C0037": ("first_progress_note",),
    "C0038": ("progress_note",), "C0039": ("ward_round",), "C0040": ("case_discussion",),
    "C0042": ("transfer_out", "transfer_in"),
    "C0043": ("stage_summary",), "C0044": ("rescue_record",), "C0045": ("consultation",),
    "C0046": ("preop_summary",), "C0047": ("preop_discussion",), "C0048": ("post_op_note",),
    "C0050": ("death_record",), "C0051": ("death_discussion",), "C0032": ("front_page",), "X-TALK": ("communication",), "X-CRIT": ("critical_value",),
}
# Course notes: what a gap in the record is measured by.
NOTES = ("first_progress_note", "progress_note", "ward_round", "post_op_note", "transfer_out",
         "transfer_in", "rescue_record", "stage_summary", "critical_value")
SECTIONS = {
    "admission_note": ("一般情况", "主诉", "现病史", "既往史", "个人史", "家族史", "体格检查",
                       "专科情况", "辅助检查", "初步诊断"),
    "first_progress_note": ("病例特点", "拟诊讨论", "诊疗计划"),
    "operation_record": ("一般项目", "术前诊断", "术中诊断", "手术名称", "手术经过", "术中情况及处理"),
    "consultation": ("申请理由", "会诊意见"),
    "ward_round": ("病程", "上级医师意见"),
    "day_stay_note": ("一般情况", "主诉", "入院情况", "入院诊断", "诊疗经过", "出院情况",
                      "出院诊断", "出院医嘱"),
    "rescue_record": ("病情变化", "抢救措施", "抢救结果", "参加抢救人员"),
    "stage_summary": ("入院情况", "入院诊断", "诊疗经过", "目前情况", "目前诊断", "诊疗计划"),
    "death_record": ("入院情况", "入院诊断", "诊疗经过", "抢救经过", "死亡原因", "死亡诊断", "死亡时间"),
    "death_discussion": ("参加人员", "讨论意见", "主持人总结"),
    "case_discussion": ("参加人员", "讨论意见", "主持人总结"),
}
# Written after the stay has ended.
AFTERWARDS = ("death_record", "death_discussion")
FEMALE_ONLY = r"子宫|卵巢|月经|绝经|阴道|孕\d产\d"
MALE_ONLY = r"前列腺|睾丸|阴囊|精囊"
TIMES_A_DAY = {"每日1次": 1, "每日2次": 2, "每日3次": 3, "每6小时1次": 4, "每8小时1次": 3,
               "每12小时1次": 2, "每晚1次": 1}
PLAUSIBLE = (("体温", r"体温(\d+(?:\.\d+)?)℃", 34, 42), ("脉搏", r"脉搏(\d+)次/分", 30, 220),
             ("呼吸", r"呼吸(\d+)次/分", 8, 70), ("体重", r"(?<!出生)体重(\d+(?:\.\d+)?) kg", 2, 200),
             ("身高", r"身高(\d+(?:\.\d+)?) cm", 45, 220))


def moment(text):
    return datetime.fromisoformat(text)


def of_type(episode, *types):
    return [doc for doc in episode.data["docs"] if doc["type"] in types]


def text_of(doc):
    return "".join(section["text"] for section in doc["sections"])


def age_of(episode):
    born = datetime.fromisoformat(episode.data["patient"]["birth_date"])
    day = episode.admitted
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def check_documents(episode):
    """documents have a known type and the sections it needs (C01, C05, C09, C14)"""
    for doc in episode.data["docs"]:
        if doc["type"] not in DOC_TYPES.get(doc["c_code"], ()):
            yield f"{doc['id']}: {doc['c_code']} is no {doc['type']}"
        names = [section["name"] for section in doc["sections"]]
        for name in SECTIONS.get(doc["type"], ()):
            if name not in names:
                yield f"{doc['id']}: no section {name}"
        for section in doc["sections"]:
            if not section["text"].strip() or re.search(r"＿|__|\*\*|【】", section["text"]):
                yield f"{doc['id']} {section['name']}: empty, or with a blank of its template"
        if doc["type"] != "admission_note":
            continue
        adult, female = age_of(episode) >= 18, episode.data["patient"]["sex"] == "女"
        if ("婚育史" in names) != adult:
            yield f"{doc['id']}: 婚育史 does not fit the age"
        if ("月经史" in names) != (female and age_of(episode) >= 12):
            yield f"{doc['id']}: 月经史 does not fit sex and age"
        fed = all(word in text_of(doc) for word in ("喂养", "接种"))
        if not adult and age_of(episode) < 14 and not fed:
            yield f"{doc['id']}: a child without 喂养史 or 预防接种史"


def check_deadlines(episode):
    """documents of the admission are in time (T01, T02, T04, T05, T07-T10)"""
    if episode.discharged - episode.admitted < DAY:
        notes = of_type(episode, "day_stay_note")
        if len(notes) != 1 or moment(notes[0]["sign_time"]) > episode.discharged + DAY:
            yield "24小时内入出院记录 is missing or was not signed within 24 hours"
        return
    admission, first = of_type(episode, "admission_note"), of_type(episode, "first_progress_note")
    if len(admission) != 1 or moment(admission[0]["sign_time"]) > episode.admitted + DAY:
        yield "入院记录 is missing or was not signed within 24 hours"
    if len(first) != 1 or moment(first[0]["create_time"]) > episode.admitted + 8 * HOUR:
        yield "首次病程记录 is missing or was not written within 8 hours"
    rounds = [moment(doc["event_time"]) for doc in of_type(episode, "ward_round")]
    if not rounds or min(rounds) > episode.admitted + 2 * DAY:
        yield "no ward round of a senior doctor within 48 hours"
    notes = sorted(moment(doc["event_time"]) for doc in of_type(episode, *NOTES))
    stops = notes + [episode.discharged]
    spans = [(3, episode.admitted, episode.discharged)]
    for order in episode.data["orders"]:
        if order["name"] in ("病重", "病危"):
            spans.append((2 if order["name"] == "病重" else 1, moment(order["start"]),
                          moment(order["stop"])))
            if not any("通知书" in doc["local_title"] and order["name"] in doc["local_title"]
                       for doc in of_type(episode, "critical_notice")):
                yield f"{order['id']}: no {order['name']}通知书"
    for days, start, stop in spans:
        for before, after in zip(stops, stops[1:]):
            if start <= after and before <= stop and \
                    (min(after, stop).date() - max(before, start).date()).days > days:
                yield f"no note between {before:%m-%d} and {after:%m-%d}, allowed are {days} days"
    summaries = [moment(doc["event_time"])
                 for doc in of_type(episode, "stage_summary", "transfer_in")]
    marks = [episode.admitted, *summaries, episode.discharged]
    for before, after in zip(marks, marks[1:]):
        if after - before > 31 * DAY:
            yield f"no 阶段小结 (or transfer) between {before:%m-%d} and {after:%m-%d}"


def check_events(episode):
    """critical values, consultations, transfusions, transfers are answered (T18, T20, T26, T27)"""
    data = episode.data
    for lab in data["labs"]:
        if not lab.get("critical"):
            continue
        reported = moment(lab["report_time"])
        if not any("危急值" in text_of(doc) and lab["name"] in text_of(doc) and
                   reported <= moment(doc["create_time"]) <= reported + 6 * HOUR
                   for doc in of_type(episode, *NOTES)):
            yield f"{lab['id']}: critical {lab['name']} without a note within 6 hours"
    for order in data["orders"]:
        start = moment(order["start"])
        if order["class"] == "consult":
            if not any(doc["local_title"].startswith(order["name"]) and
                       start <= moment(doc["event_time"]) <= start + DAY
                       for doc in of_type(episode, "consultation")):
                yield f"{order['id']}: {order['name']} was not held within 24 hours"
        if order["class"] == "blood":
            if not any(moment(doc["sign_time"]) <= start
                       for doc in of_type(episode, "transfusion_consent")):
                yield f"{order['id']}: transfusion without consent"
            if not any(start <= moment(doc["event_time"]) <= moment(order["stop"]) + DAY
                       for doc in of_type(episode, "transfusion_record")):
                yield f"{order['id']}: no evaluation within 24 hours after the transfusion"
    for event in data["encounter"]["events"]:
        if event["type"] != "transfer":
            continue
        time = moment(event["time"])
        if not any(moment(doc["create_time"]) <= time and time - moment(doc["create_time"]) <= DAY
                   for doc in of_type(episode, "transfer_out")):
            yield f"transfer {event['time']}: 转出记录 is missing or late"
        if not any(time <= moment(doc["create_time"]) <= time + DAY
                   for doc in of_type(episode, "transfer_in")):
            yield f"transfer {event['time']}: 转入记录 is missing or late"


def check_rescues(episode):
    """a rescue is written down within 6 hours, to the minute, with those who took part (T11, C21)"""
    for doc in of_type(episode, "rescue_record"):
        parts = {section["name"]: section["text"] for section in doc["sections"]}
        span = re.search(r"抢救起止时间：(\d+)年(\d+)月(\d+)日(\d+)时(\d+)分至(?:(\d+)月(\d+)日)?"
                         r"(\d+)时(\d+)分", text_of(doc))
        if not span:
            yield f"{doc['id']}: no times of the rescue to the minute"
        else:
            year, month, day, _, _, *rest = (int(part) if part else None for part in span.groups())
            end = datetime(year, rest[0] or month, rest[1] or day, rest[2], rest[3],
                           tzinfo=episode.admitted.tzinfo)
            if not end <= moment(doc["create_time"]) <= end + 6 * HOUR:
                yield f"{doc['id']}: not written within 6 hours after the rescue"
        if len(re.findall(r"\d+时\d+分", parts.get("抢救措施", ""))) < 3:
            yield f"{doc['id']}: measures without times to the minute"
        if len(re.findall(r"[一-龥]示[一-龥](?:副?主[任治]|住院)医师", parts.get("参加抢救人员", ""))) < 2:
            yield f"{doc['id']}: people without name and title"


def check_death(episode):
    """a death has its record within 24 hours and its discussion within 7 days (T22, T23, C28, C29)"""
    records, discussions = (of_type(episode, kind) for kind in AFTERWARDS)
    died = [moment(event["time"]) for event in episode.data["encounter"]["events"]
            if event["type"] == "death"]
    if (episode.data["encounter"]["disposition"] == "死亡") != bool(died) or \
            len(records) != len(died) or len(discussions) != len(died):
        yield "disposition, event, 死亡记录 and 死亡病例讨论记录 do not fit each other"
        return
    for end, record, discussion in zip(died, records, discussions):
        minute = f"{end.year}年{end.month}月{end.day}日{end.hour}时{end.minute:02d}分"
        told = [part["text"] for part in record["sections"] if part["name"] == "死亡时间"]
        if not told or minute not in told[0]:
            yield f"{record['id']}: 死亡时间 is not {minute}"
        if not end <= moment(record["sign_time"]) <= end + DAY:
            yield f"{record['id']}: not signed within 24 hours after death"
        if not end <= moment(discussion["sign_time"]) <= end + 7 * DAY:
            yield f"{discussion['id']}: not within 7 days after death"
        if not re.search(r"主任医师（主持）", text_of(discussion)):
            yield f"{discussion['id']}: no 主任 or 副主任医师 in the chair"


def check_front_page(episode):
    """the front page counts rescues and gives the stay as the record does (X09, X31)"""
    days = (episode.discharged.date() - episode.admitted.date()).days
    for doc in of_type(episode, "front_page"):
        rescues = len(of_type(episode, "rescue_record"))
        for told in re.findall(r"抢救(\d+)次", text_of(doc)):
            if int(told) != rescues:
                yield f"{doc['id']}: {told} rescues, there are {rescues} 抢救记录"
        for told in re.findall(r"实际住院(\d+)天", text_of(doc)):
            if int(told) != days:
                yield f"{doc['id']}: a stay of {told} days, computed {days}"


def check_operations(episode):
    """an operation has its documents, in time, with operator, date and implants (T12-T16, C19)"""
    staff = {person["id"]: person["name"] for person in episode.data["staff"]}
    events = [event["time"] for event in episode.data["encounter"]["events"]
              if event["type"] == "surgery"]
    operations = episode.data.get("operations", [])
    if sorted(events) != sorted(op["start"] for op in operations):
        yield "events of surgery and operations differ"
    for op in operations:
        start, end, docs = moment(op["start"]), moment(op["end"]), {
            doc["id"]: doc for doc in episode.data["docs"]}
        record = docs.get(op["record"])
        if record is None or record["type"] != "operation_record":
            yield f"{op['id']}: no 手术记录"
            continue
        if moment(record["sign_time"]) > end + DAY or moment(record["event_time"]) < end:
            yield f"{op['id']}: 手术记录 was signed more than 24 hours after the operation"
        text = text_of(record)
        wanted = [op["name"], staff[op["operator"]], op["anaesthesia"],
                  f"{start.year}年{start.month}月{start.day}日"]
        wanted += [item["barcode"] for item in op.get("implants", ())]
        for word in wanted:
            if word not in text:
                yield f"{record['id']}: {word} is not in the 手术记录"
        yield from check_around(episode, op, start, end, staff[op["operator"]])


def check_around(episode, op, start, end, operator):
    """What belongs before and after one operation; a part of check_operations."""
    def signed_before(kind):
        return any(moment(doc["sign_time"]) <= start and moment(doc["sign_time"]) >= start - 10 * DAY
                   for doc in of_type(episode, *kind))

    if not signed_before(("operation_consent",)):
        yield f"{op['id']}: consent was not signed before the operation"
    if op["anaesthesia"] != "局部麻醉" and not signed_before(("anaesthesia_consent",)):
        yield f"{op['id']}: consent to anaesthesia was not signed before the operation"
    if not op.get("emergency") and not signed_before(("preop_summary", "preop_discussion")):
        yield f"{op['id']}: no 术前小结 or 术前讨论 before the operation"
    if not any(end <= moment(doc["create_time"]) <= end + 2 * HOUR
               for doc in of_type(episode, "post_op_note")):
        yield f"{op['id']}: no 术后首次病程记录 within 2 hours"
    if not any(operator in doc["local_title"] and
               end <= moment(doc["event_time"]) <= end + DAY
               for doc in of_type(episode, "ward_round")):
        yield f"{op['id']}: the operator made no round within 24 hours"
    noted = {moment(doc["event_time"]).date() for doc in of_type(episode, *NOTES)}
    for n in (1, 2, 3):
        day = (end + n * DAY).date()
        if day <= episode.discharged.date() and day not in noted:
            yield f"{op['id']}: no note on day {n} after the operation"


def check_operation_count(episode):
    """what a note says of number and dates of operations is what was done (X15)"""
    operations = episode.data.get("operations", [])
    for doc in of_type(episode, *NOTES):
        done = [op for op in operations if moment(op["end"]) <= moment(doc["create_time"])]
        for told in re.findall(r"共(?:手术|行手术)?(\d+)次手术|共手术(\d+)次", text_of(doc)):
            if int("".join(told)) != len(done):
                yield f"{doc['id']}: {''.join(told)} operations, {len(done)} were done"
        if doc["type"] not in ("stage_summary", "transfer_out", "transfer_in"):
            continue
        for op in done:
            start = moment(op["start"])
            for day in re.findall(rf"(\d+月\d+日)[^。；]*?{re.escape(op['name'])}", text_of(doc)):
                if day != f"{start.month}月{start.day}日":
                    yield f"{doc['id']}: {op['name']} on {day}"


def check_sides(episode):
    """left and right are the same in all documents, reports and diagnoses (X06)"""
    texts = dict(episode.sections)
    for report in episode.data["reports"]:
        texts[(report["id"], "report")] = report["findings"] + report["conclusion"]
    for row in episode.data["diagnoses"] + episode.data.get("operations", []):
        texts[(row["name"], "name")] = row["name"]
    for row in episode.gold.get("laterality", ()):
        other = {"左": "右", "右": "左"}[row["side"]]
        seen = False
        for (name, section), text in texts.items():
            seen = seen or row["side"] + row["site"] in text
            if re.search(f"{other}侧?{row['site']}", text):
                yield f"{name} {section}: {other}{row['site']}, the record says {row['side']}"
        if not seen:
            yield f"{row['side']}{row['site']} is nowhere in the record"


def check_person(episode):
    """name, sex, age, allergies and blood group fit everything written (X01, X04, X05, X21, X32)"""
    patient = episode.data["patient"]
    foreign = MALE_ONLY if patient["sex"] == "女" else FEMALE_ONLY
    for (doc, section), text in episode.sections.items():
        for name in re.findall(r"(?:患者|患儿|姓名：)((?!表示|提示|显示)[一-龥]示[一-龥])", text):
            if name != patient["name"]:
                yield f"{doc} {section}: the name of another patient"
        for said in re.findall(r"性别：(.)", text):
            if said != patient["sex"]:
                yield f"{doc} {section}: another sex"
        found = section != "家族史" and re.search(foreign, text)
        if found:
            yield f"{doc} {section}: {found.group()} in a patient who is {patient['sex']}"
        if age_of(episode) < 14 and section != "家族史" and \
                re.search(r"已婚|结婚|育有|吸烟\d|饮酒\d", text):
            yield f"{doc} {section}: marriage or habits of an adult in a child"
        group = patient.get("blood_type")
        for said in re.findall(r"(?<![A-Za-z])(AB|A|B|O)型(?=，?Rh|红细胞|血浆|血型)", text):
            if group is None or said != group.split("型")[0]:
                yield f"{doc} {section}: blood group {said}, the patient's is {group}"
        if "过敏" in section or section == "既往史":
            for allergen in patient["allergies"]:
                if allergen["substance"] not in text:
                    yield f"{doc} {section}: says nothing of the allergy to {allergen['substance']}"
            if patient["allergies"] and re.search(r"否认(?:药物|药物及食物|药物、食物)过敏", text):
                yield f"{doc} {section}: denies an allergy that is on file"
    for order in episode.data["orders"]:
        for allergen in patient["allergies"]:
            if order["class"] == "drug" and any(word in order["name"]
                                                for word in allergen["avoid"]):
                yield f"{order['id']}: {order['name']} in allergy to {allergen['substance']}"


def check_doses_by_weight(episode):
    """children get doses that fit their weight (X29)"""
    if age_of(episode) >= 14:
        return
    weight = episode.data["patient"]["weight_kg"]
    for order in episode.data["orders"]:
        if order["class"] != "drug" or "dose" not in order:
            continue
        if "per_kg" not in order:
            if not order.get("fixed_dose"):
                yield f"{order['id']}: neither per_kg nor fixed_dose"
            continue
        rule, dose = order["per_kg"], order["dose"]
        value = dose["value"] * {("g", "mg"): 1000}.get((dose["unit"], rule["unit"]), 1)
        if dose["unit"] != rule["unit"] and (dose["unit"], rule["unit"]) != ("g", "mg"):
            yield f"{order['id']}: dose in {dose['unit']}, rule in {rule['unit']}"
        if rule["per"] == "日":
            value *= TIMES_A_DAY[order["frequency"].split("，")[0]]
        if not rule["low"] * weight * 0.98 <= value <= rule["high"] * weight * 1.02:
            yield f"{order['id']}: {value / weight:.1f} {rule['unit']}/kg, allowed are " \
                  f"{rule['low']} to {rule['high']}"


def check_plausible(episode):
    """numbers in notes are possible in a living patient (X28)"""
    for (doc, section), text in episode.sections.items():
        for what, pattern, low, high in PLAUSIBLE:
            for value in re.findall(pattern, text):
                if not low <= float(value) <= high:
                    yield f"{doc} {section}: {what} {value}"
        weight = episode.data["patient"].get("weight_kg")
        for value in re.findall(PLAUSIBLE[3][1], text):
            if weight and float(value) != weight:
                yield f"{doc} {section}: weight {value} kg, the patient's is {weight} kg"


def check_results_in_notes(episode):
    """each examination and culture is taken up in a note; what is still out is said to be (C36, X44)"""
    def noted(word, since, until=None):
        return any(word in text_of(doc) for doc in episode.data["docs"]
                   if since <= moment(doc["create_time"]) <= (until or episode.discharged))

    reported = {report["order"] for report in episode.data["reports"]}
    for report in episode.data["reports"]:
        name = re.sub(r"（.*?）|平扫$|增强$|细菌|及药敏|检查|24小时", "", report["name"])
        if not noted(name, moment(report["report_time"])):
            yield f"{report['id']}: no note takes up {name}"
    for order in episode.data["orders"]:
        if order.get("pending"):
            word = order["pending_name"]
            said = [text_of(doc) for doc in episode.data["docs"]
                    if moment(doc["event_time"]).date() == episode.discharged.date()]
            if order["id"] in reported:
                yield f"{order['id']}: pending, but it has a report"
            if not any(re.search(f"{word}[^。]*(?:未回报|待回报)", text) for text in said):
                yield f"{order['id']}: the last note does not say that {word} is still out"
        if order.get("antibacterial") and order["kind"] != "出院带药":
            stem, start = re.sub(r"钠.*|注射液|片|颗粒|胶囊", "", order["name"]), moment(order["start"])
            if not noted(stem, start - DAY, start + DAY):
                yield f"{order['id']}: no note gives a reason for {order['name']}"


def check_chemotherapy(episode):
    """each cytotoxic drug that was ordered is told by name and dose on its day (C34)"""
    for order in episode.data["orders"]:
        if not order.get("chemotherapy"):
            continue
        stem, dose = re.sub(r"二钠|注射液", "", order["name"]), order["dose"]
        told = f"{stem}(?:二钠|注射液)?{dose['value']} {dose['unit']}"
        if not any(re.search(told, text_of(doc)) for doc in of_type(
                episode, "treatment_record", *NOTES)
                if moment(doc["event_time"]).date() == moment(order["start"]).date()):
            yield f"{order['id']}: {order['name']} is in no note of its day"


def check_copies(episode):
    """no note is a copy of another one (B01, B03, B04)"""
    def grams(text):
        return {text[i:i + 8] for i in range(len(text) - 7)}

    parts = [(doc["id"], section["name"], grams(section["text"]))
             for doc in of_type(episode, "admission_note", *NOTES) for section in doc["sections"]
             if len(section["text"]) > 60 and not section["name"].endswith("诊断")]
    for i, (doc, name, ours) in enumerate(parts):
        for other, where, theirs in parts[:i]:
            if other != doc and len(ours & theirs) > 0.7 * len(ours):
                yield f"{doc} {name}: copied from {other} {where}"


def quantities(text):
    """Numbers with the unit that follows, if one does."""
    return {(float(number), unit) for number, unit in re.findall(
        r"(\d+(?:\.\d+)?) ?(×10[⁹¹²]+/L|[A-Za-zμ]+(?:/[A-Za-z]+)?|%|℃|次/分)?", text)}


def check_gold_numbers(episode):
    """every quantity of the reference record is in the episode; every operation is told"""
    data, texts = episode.data, list(episode.sections.values())
    texts += [report["findings"] + report["conclusion"] for report in data["reports"]]
    texts += [f"{lab['value']} {lab['unit']}" for lab in data["labs"]]
    texts += [f"{order['name']} {order['dose']['value']} {order['dose']['unit']}"
              if "dose" in order else order["name"] for order in data["orders"]]
    known = set().union(*(quantities(text) for text in texts))
    stay = (episode.discharged.date() - episode.admitted.date()).days
    days = {f"{day.month}月{day.day}日" for day in (episode.admitted + n * DAY
                                                for n in range(stay + 1))}
    bare = {number for number, _ in known}
    fields = {field["field"]: field["text"] for field in episode.gold["fields"]}
    for name in fields.keys() & {"入院情况", "诊疗经过", "出院情况", "出院医嘱", "死亡原因"}:
        text = re.sub(r"(?:\d+年)?(?:(\d+)月)?(\d+)日", "", fields[name])
        for number, unit in quantities(text):
            listed = name == "出院医嘱" and number < 20
            if (number, unit) not in known and (unit or number not in bare) and not listed:
                yield f"{name}: {number} {unit} is nowhere in the episode"
        for date in re.findall(r"\d+月\d+日", fields[name]):
            if date not in days and not any(date in text for text in texts):
                yield f"{name}: {date} is neither in the stay nor in the episode"
    for op in data.get("operations", ()):
        if op["name"] not in fields["诊疗经过"]:
            yield f"诊疗经过 does not name {op['name']}"
        if not any(source == {"kind": "operation", "id": op["id"]}
                   for fact in episode.gold["facts"] if fact["class"] == "op"
                   for source in fact["sources"]):
            yield f"no fact of class op for {op['id']}"
    for order in data["orders"]:
        known_by = [fact for fact in episode.gold["facts"]
                    if {"kind": "order", "id": order["id"]} in fact["sources"]]
        if order.get("pending") and not any(fact["class"] == "pending" for fact in known_by):
            yield f"{order['id']}: no fact of class pending"
        if order["kind"] == "出院带药" and not known_by:
            yield f"{order['id']}: no fact for this drug at discharge"


RULES = (check_documents, check_deadlines, check_events, check_rescues,
         check_death, check_front_page, check_operations,
         check_operation_count, check_sides,
         check_person, check_doses_by_weight, check_plausible, check_results_in_notes, check_chemotherapy,
         check_copies)
