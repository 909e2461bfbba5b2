#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""From an episode (examples/episodes/README.md) to what a small model is asked, and to the fields
that no model may write.

Dates, length of stay, diagnoses and discharge drugs are copied from data; the conditions on
admission and at discharge are quoted from the signed notes. The model gets one job, 诊疗经过: a
timeline of the stay, built by rule from orders, results and the chart, becomes prose one day at a
time. A model of half a billion parameters copies whole notes when it is shown notes and loses the
day when it is shown the whole stay; one day at a time, it stays inside the facts, and each sentence
can be compared with the very line it came from (docs/decisions/0001-demo-model.md).

    episode_prompt.py EPISODE.json            the prompts, one a day, in the ChatML form of Qwen
    episode_prompt.py --timeline EPISODE.json the timeline alone
    episode_prompt.py --fields EPISODE.json   the fields from data, as JSON
"""

import json
import re
import sys
from datetime import datetime, timedelta

SYSTEM = ("你是住院医师，为出院记录撰写诊疗经过。把一天的病程要点改写成一句通顺的话，"
          "只写要点中有的内容，数字、药名、剂量一个不改。")

# Worked examples about another illness. They show the form; nothing of them can slip into an answer
# unseen, because every number of an answer is compared with the day's line afterwards.
EXAMPLES = (
    ("6月2日：入院；最高体温38.6℃；送检尿培养；予左氧氟沙星0.5 g静脉滴注、每日1次",
     "6月2日入院，最高体温38.6℃，送检尿培养，并予左氧氟沙星0.5 g静脉滴注、每日1次治疗。"),
    ("6月4日：最高体温38.9℃；尿培养回报大肠埃希菌，左氧氟沙星耐药，头孢他啶敏感；停左氧氟沙星；"
     "予头孢他啶1.0 g静脉滴注、每8小时1次",
     "6月4日最高体温38.9℃，尿培养回报大肠埃希菌，左氧氟沙星耐药，头孢他啶敏感，遂停左氧氟沙星，"
     "改予头孢他啶1.0 g静脉滴注、每8小时1次。"),
)

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


def prompts(episode):
    """For each line of the timeline: (line, what the model is asked)."""
    shown = turn("system", SYSTEM) + "".join(turn("user", line) + turn("assistant", answer)
                                             for line, answer in EXAMPLES)
    return [(line, shown + turn("user", line) + "<|im_start|>assistant\n")
            for line in timeline(episode).splitlines()]


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


def compare(written, line):
    """A sentence against the day's line that it came from. Returns (numbers written, those of them
    that the line does not have, items of the line that the sentence does not have)."""
    known = {float(number) for number in numbers_of(line)}
    numbers = numbers_of(written)
    strangers = [number for number in numbers if float(number) not in known]
    items = re.split("[：；，]", line)
    return len(numbers), strangers, [item for item in items if item and item not in written]


def main():
    arguments = sys.argv[1:]
    what = arguments.pop(0) if arguments and arguments[0].startswith("--") else "--prompt"
    writers = {"--prompt": lambda e: "\n\n".join(prompt for _, prompt in prompts(e)), "--timeline": timeline,
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
