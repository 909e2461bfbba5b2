#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""From an episode (examples/episodes/README.md) to what a small model is asked, and to the fields
that no model may write.

Dates, length of stay, diagnoses and discharge drugs are copied from data; the conditions on
admission and at discharge are quoted from the signed notes. The model gets one job, 诊疗经过: a
timeline of the stay, built by rule from orders, results and the chart, becomes prose. A model of
half a billion parameters copies whole notes when it is shown notes; shown a short timeline and one
worked example, it stays inside the facts (docs/decisions/0001-demo-model.md).

    episode_prompt.py EPISODE.json            the prompt, in the ChatML form of Qwen
    episode_prompt.py --timeline EPISODE.json the timeline alone
    episode_prompt.py --fields EPISODE.json   the fields from data, as JSON
"""

import json
import re
import sys
from datetime import datetime, timedelta

SYSTEM = ("你是住院医师。把病程要点写成出院记录的“诊疗经过”：一段通顺的话，按时间顺序，"
          "只写要点中有的内容，不增加任何内容。")

# One worked example about another illness: it shows the form and cannot leak into the answer
# unseen, because every number of an answer is compared with the episode afterwards.
EXAMPLE_TIMELINE = """6月2日：入院；最高体温38.6℃；送检尿培养；予左氧氟沙星0.5 g静脉滴注、每日1次
6月4日：尿培养回报大肠埃希菌，左氧氟沙星耐药，头孢他啶敏感；停左氧氟沙星；予头孢他啶1.0 g静脉滴注、每8小时1次
6月6日：最高体温36.8℃；白细胞8.1×10⁹/L
6月9日：停头孢他啶；出院"""
EXAMPLE_ANSWER = ("6月2日入院，最高体温38.6℃，送检尿培养，予左氧氟沙星0.5 g静脉滴注、每日1次抗感染。"
                  "6月4日尿培养回报大肠埃希菌，对左氧氟沙星耐药，对头孢他啶敏感，遂停左氧氟沙星，"
                  "改予头孢他啶1.0 g静脉滴注、每8小时1次。6月6日最高体温36.8℃，白细胞8.1×10⁹/L。"
                  "6月9日停头孢他啶，病情好转出院。")

KEY_LABS = ("WBC", "CRP", "PCT", "HBA1C")


def moment(text):
    return datetime.fromisoformat(text)


def load(path):
    with open(path, encoding="utf-8") as source:
        episode = json.load(source)
    if episode.get("format") != "xinglin-episode":
        raise ValueError(f"{path}: not an episode (no \"format\": \"xinglin-episode\")")
    return episode


def stay(episode):
    events = {event["type"]: moment(event["time"]) for event in episode["encounter"]["events"]}
    return events["admit"], events["discharge"]


def chinese_date(day):
    return f"{day.year}年{day.month}月{day.day}日"


def dose_of(order):
    return f"{order['dose']['value']} {order['dose']['unit']}"


# --- the timeline ---------------------------------------------------------------------------------

def plain_conclusion(text):
    """A report's conclusion without its numbering and its advice."""
    parts = [re.sub(r"^\d+\. ", "", part) for part in text.rstrip("。").split("；")]
    return "，".join(re.sub(r"，建议随访$", "", part) for part in parts)


def is_course_drug(order):
    return (order["class"] == "drug" and order["kind"] == "长期" and "dose" in order
            and "必要时" not in order["frequency"])


def result_items(episode, day):
    for report in episode["reports"]:
        if report["type"] not in ("imaging", "microbiology"):
            continue
        if moment(report["report_time"]).date() == day:
            verb = "示" if report["type"] == "imaging" else "回报"
            name = re.sub("（.*）|及药敏", "", report["name"])
            yield f"{name}{verb}{plain_conclusion(report['conclusion'])}"
    values = [f"{lab['name']}{lab['value']}{' ' if lab['unit'][0].isalpha() else ''}{lab['unit']}"
              for code in KEY_LABS for lab in episode["labs"]
              if lab["code"] == code and moment(lab["report_time"]).date() == day]
    if values:
        yield "，".join(values)


def order_items(episode, day, discharged):
    drugs = [order for order in episode["orders"] if is_course_drug(order)]
    care = [order for order in episode["orders"] if "吸氧" in order["name"]]
    started = [order for order in drugs if moment(order["start"]).date() == day]
    stopped = [order for order in drugs if moment(order["stop"]).date() == day
               and moment(order["stop"]) < discharged]
    changed = {order["name"] for order in started} & {order["name"] for order in stopped}

    sent = [order["name"] for order in episode["orders"]
            if "培养" in order["name"] and moment(order["start"]).date() == day]
    if sent:
        yield "送检" + "、".join(re.sub("（.*）|及药敏", "", name) for name in sent)
    for order in episode["orders"]:
        if order["class"] == "consult" and moment(order["start"]).date() == day:
            yield order["name"]
    names = [order["name"] for order in stopped if order["name"] not in changed]
    if names:
        yield "停" + "、".join(names)
    for order in started:
        if order["name"] in changed:
            yield f"{order['name']}调整为{dose_of(order)}"
    given = [f"{order['name']}{dose_of(order)}{order['route']}、{order['frequency']}"
             for order in started if order["name"] not in changed]
    if given:
        yield "予" + "，".join(given)
    for order in care:
        if moment(order["start"]).date() == day:
            yield "予" + order["name"]
        if moment(order["stop"]).date() == day and moment(order["stop"]) < discharged:
            yield "停吸氧"


def timeline(episode):
    """One line a day on which something happened, oldest first."""
    admitted, discharged = stay(episode)
    lines, day = [], admitted.date()
    while day <= discharged.date():
        items = list(result_items(episode, day)) + list(order_items(episode, day, discharged))
        if day == admitted.date():
            items.insert(0, "入院")
        if day == discharged.date():
            items.append("出院")
        temperatures = [vital["temperature_c"] for vital in episode["vitals"]
                        if moment(vital["time"]).date() == day]
        if items and temperatures:
            items.insert(1 if items[0] == "入院" else 0, f"最高体温{max(temperatures)}℃")
            lines.append(f"{day.month}月{day.day}日：" + "；".join(items))
        day += timedelta(days=1)
    return "\n".join(lines)


def turn(role, text):
    return f"<|im_start|>{role}\n{text}<|im_end|>\n"


def prompt(episode):
    question = "病程要点：\n"
    return (turn("system", SYSTEM) + turn("user", question + EXAMPLE_TIMELINE)
            + turn("assistant", EXAMPLE_ANSWER) + turn("user", question + timeline(episode))
            + "<|im_start|>assistant\n")


# --- the fields that come from data ---------------------------------------------------------------

def diagnoses(episode, stage):
    rows = sorted((d for d in episode["diagnoses"] if d["stage"] == stage), key=lambda d: d["rank"])
    return [f"{row['rank']}. {row['name']}" for row in rows]


def note_text(episode, kind, section):
    """The named section of the last document of a kind; empty if there is none."""
    texts = [part["text"] for doc in episode["docs"] if doc["type"] == kind
             for part in doc["sections"] if part["name"] == section]
    return texts[-1] if texts else ""


def sentences(text, count):
    return "".join(re.findall(r"[^。]*。", text)[:count])


def discharge_drugs(episode):
    lines = []
    for order in episode["orders"]:
        if order["kind"] != "出院带药":
            continue
        course = f"，{order['course_days']}天" if "course_days" in order else ""
        lines.append(f"{order['name']}{dose_of(order)}，{order['route']}，{order['frequency']}"
                     f"{course}")
    return lines


def follow_up(episode):
    """What senior doctors and consultants said must happen after discharge, word for word."""
    pattern = r"\d(周|个月)后|出院后门诊|须监测"
    said = [clause for doc in episode["docs"] if doc["type"] in ("ward_round", "consultation")
            for section in doc["sections"] for clause in re.split("[。；]", section["text"])
            if re.search(pattern, clause)]
    return [re.sub(r"^\d+\. ", "", clause) for clause in said]


def age(episode):
    born, admitted = datetime.fromisoformat(episode["patient"]["birth_date"]), stay(episode)[0]
    return admitted.year - born.year - ((admitted.month, admitted.day) < (born.month, born.day))


def fields(episode):
    """Field to text; 诊疗经过 is the model's and is None here."""
    admitted, discharged = stay(episode)
    return {
        "入院日期": chinese_date(admitted),
        "出院日期": chinese_date(discharged),
        "住院天数": f"{(discharged.date() - admitted.date()).days}天",
        "入院诊断": "\n".join(diagnoses(episode, "admission")),
        "入院情况": note_text(episode, "admission_note", "主诉")
        + sentences(note_text(episode, "admission_note", "体格检查"), 1)
        + note_text(episode, "admission_note", "专科情况"),
        "诊疗经过": None,
        "出院诊断": "\n".join(diagnoses(episode, "discharge")),
        "出院情况": sentences(note_text(episode, "progress_note", "病程"), 4),
        "出院医嘱": "\n".join(f"{i}. {line}" for i, line in enumerate(
            discharge_drugs(episode) + follow_up(episode), 1)),
    }


def numbers_of(text):
    return re.findall(r"\d+(?:\.\d+)?", text)


def unsupported(text, episode):
    """Compares what was written with the timeline, day by day: a right number under a wrong date is
    a wrong number. Returns (how many numbers were written, the strangers as "date: number")."""
    date = r"(\d{1,2}月\d{1,2}日)"
    known = {}
    for line in timeline(episode).splitlines():
        day, _, items = line.partition("：")
        known[day] = {float(number) for number in numbers_of(items)}
    total, strangers, day = 0, [], ""
    for part in re.split(date, text):
        if re.fullmatch(date, part):
            day = part
            total += 1
            if day not in known:
                strangers.append(day)
            continue
        for number in numbers_of(part):
            total += 1
            if float(number) not in known.get(day, ()):
                strangers.append(f"{day}: {number}" if day else number)
    return total, strangers


def main():
    arguments = sys.argv[1:]
    what = arguments.pop(0) if arguments and arguments[0].startswith("--") else "--prompt"
    writers = {"--prompt": prompt, "--timeline": timeline,
               "--fields": lambda e: json.dumps(fields(e), ensure_ascii=False, indent=1)}
    if len(arguments) != 1 or what not in writers:
        print(__doc__.split("\n\n")[-1], file=sys.stderr)
        return 2
    sys.stdout.write(writers[what](load(arguments[0])))
    if what != "--prompt":
        sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
