# SPDX-License-Identifier: Apache-2.0
"""A canonical episode as a FHIR R4 Bundle of type collection: what an integrator's adapter does.

    fhir_bundle.py EPISODE.json [BUNDLE.json]

Written after the FHIR specification, not after the import, so that a test of both says something.
"""

import base64
import json
import re
import sys

LOINC = "http://loinc.org"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
VITALS = {"temperature_c": ("8310-5", "Cel"), "pulse_per_min": ("8867-4", "/min"),
          "respiration_per_min": ("9279-1", "/min"), "spo2_percent": ("59408-5", "%"),
          "oxygen_l_per_min": ("3151-8", "L/min")}
REPORTS = {"imaging": "RAD", "ecg": "EC", "microbiology": "MB", "pathology": "SP",
           "endoscopy": "END"}
SERVICES = {"lab": ("108252007", "Laboratory procedure"), "exam": ("363679005", "Imaging"),
            "consult": ("11429006", "Consultation"), "care": ("9632001", "Nursing procedure"),
            "blood": ("116859006", "Transfusion of blood product")}


def concept(text, code=None, system=None):
    if code is None:
        return {"text": text}
    return {"coding": [{"system": system, "code": code, "display": text}], "text": text}


def reference(kind, identifier):
    return {"reference": f"{kind}/{identifier}"}


def attachment(text, kind="text/plain", **more):
    data = base64.b64encode(text.encode("utf-8")).decode("ascii")
    return {"contentType": f"{kind}; charset=utf-8", "data": data, **more}


class Adapter:
    """One episode; every method yields resources of one kind."""

    def __init__(self, data):
        self.data = data
        self.patient = reference("Patient", data["patient"]["id"])
        self.encounter = reference("Encounter", data["encounter"]["id"])

    def base(self, kind, identifier, subject="subject", **members):
        return {"resourceType": kind, "id": identifier, subject: self.patient,
                "encounter": self.encounter, **members}

    def people(self):
        patient = self.data["patient"]
        yield {"resourceType": "Patient", "id": patient["id"],
               "identifier": [{"system": "urn:oid:2.16.156.10011.1.3", "value": patient["id_card"]}],
               "name": [{"use": "official", "text": patient["name"]}],
               "gender": {"男": "male", "女": "female"}[patient["sex"]],
               "birthDate": patient["birth_date"]}
        for person in self.data["staff"]:
            yield {"resourceType": "Practitioner", "id": person["id"],
                   "name": [{"family": person["name"][0], "given": [person["name"][1:]]}],
                   "qualification": [{"code": concept(person["title"])}]}
        for number, row in enumerate(patient["allergies"], 1):
            yield {"resourceType": "AllergyIntolerance", "id": f"allergy-{number}",
                   "patient": self.patient, "code": concept(row["substance"]),
                   "reaction": [{"substance": concept(part),
                                 "manifestation": [concept(row["reaction"])]}
                                for part in row["avoid"]]}

    def stay(self):
        encounter = self.data["encounter"]
        times = {event["type"]: event["time"] for event in encounter["events"]}
        uses = {"admission": "AD", "discharge": "DD"}
        system = "http://terminology.hl7.org/CodeSystem/diagnosis-role"
        yield {"resourceType": "Encounter", "id": encounter["id"], "status": "finished",
               "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
               "subject": self.patient, "serviceType": concept(encounter["department"]),
               "period": {"start": times["admit"], "end": times["discharge"]},
               "hospitalization": {"admitSource": concept(encounter["route"]),
                                   "dischargeDisposition": concept(encounter["disposition"])},
               "location": [
                   {"location": {"display": encounter["ward"]}, "physicalType":
                    concept("Ward", "wa", "http://terminology.hl7.org/CodeSystem/location-physical-type")},
                   {"location": {"display": encounter["bed"]}, "physicalType":
                    concept("Bed", "bd", "http://terminology.hl7.org/CodeSystem/location-physical-type")}],
               "serviceProvider": {"display": encounter["hospital"]},
               "diagnosis": [{"condition": reference("Condition", f"dx{number}"),
                              "use": concept(uses[row["stage"]], uses[row["stage"]], system),
                              "rank": row["rank"]}
                             for number, row in enumerate(self.data["diagnoses"], 1)]}

        moves = [event for event in encounter["events"] if event["type"] == "transfer"]
        starts = [times["admit"]] + [event["time"] for event in moves]
        names = [event["from"] for event in moves[:1]] + [event["to"] for event in moves]
        for number, (start, name) in enumerate(zip(starts, names), 1):
            yield {"resourceType": "Encounter", "id": f"{encounter['id']}-{number}",
                   "status": "finished", "subject": self.patient, "partOf": self.encounter,
                   "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                             "code": "IMP"},
                   "serviceType": concept(name), "period": {"start": start}}

    def diagnoses(self):
        outcome = "http://hl7.org/fhir/StructureDefinition/condition-outcome"
        for number, row in enumerate(self.data["diagnoses"], 1):
            condition = self.base(
                "Condition", f"dx{number}", recordedDate=row["time"],
                category=[concept("Encounter Diagnosis", "encounter-diagnosis",
                                  "http://terminology.hl7.org/CodeSystem/condition-category")],
                code=concept(row["name"], row["icd10"], "http://hl7.org/fhir/sid/icd-10"))
            if "outcome" in row:
                condition["extension"] = [{"url": outcome,
                                           "valueCodeableConcept": concept(row["outcome"])}]
            yield condition

    def operations(self):
        for row in self.data.get("operations", []):
            yield self.base(
                "Procedure", row["id"], status="completed",
                category=concept("Surgical procedure", "387713003", "http://snomed.info/sct"),
                code=concept(row["name"], row["icd9cm3"], "http://hl7.org/fhir/sid/icd-9-cm"),
                performedPeriod={"start": row["start"], "end": row["end"]},
                performer=[{"actor": reference("Practitioner", row["operator"])}],
                report=[reference("DocumentReference", row["record"])])

    def orders(self):
        for row in self.data["orders"]:
            if row["class"] == "drug":
                yield self.medication(row)
                continue
            code, display = SERVICES[row["class"]]
            yield self.base(
                "ServiceRequest", row["id"], status="active", intent="order",
                category=[concept(display, code, "http://snomed.info/sct"), concept(row["kind"])],
                code=concept(row["name"]), authoredOn=row["start"],
                requester=reference("Practitioner", row["prescriber"]),
                **({"occurrencePeriod": {"start": row["start"], "end": row["stop"]}}
                   if "stop" in row else {}))
            if row.get("pending"):
                yield self.base("DiagnosticReport", f"pending-{row['id']}", status="registered",
                                code=concept(row["pending_name"]),
                                basedOn=[reference("ServiceRequest", row["id"])])

    def medication(self, row):
        dosage = {"timing": {"repeat": {"boundsPeriod": {"start": row["start"]}}}}
        if "stop" in row:
            dosage["timing"]["repeat"]["boundsPeriod"]["end"] = row["stop"]
        if "frequency" in row:
            dosage["timing"]["code"] = concept(row["frequency"])
        if "route" in row:
            dosage["route"] = concept(row["route"])
        if "dose" in row:
            dosage["doseAndRate"] = [{"doseQuantity": row["dose"]}]
        resource = self.base("MedicationRequest", row["id"], status="completed", intent="order",
                             category=[concept(row["kind"])], authoredOn=row["start"],
                             medicationCodeableConcept=concept(
                                 row["name"], *(("J01", "http://www.whocc.no/atc")
                                                if row.get("antibacterial") else ())),
                             requester=reference("Practitioner", row["prescriber"]),
                             dosageInstruction=[dosage])
        if row.get("purpose"):
            resource["reasonCode"] = [concept(row["purpose"])]
        if "course_days" in row:
            resource["dispenseRequest"] = {"expectedSupplyDuration": {
                "value": row["course_days"], "unit": "d", "code": "d",
                "system": "http://unitsofmeasure.org"}}
        return resource

    def labs(self):
        panels = {}
        for row in self.data["labs"]:
            flag = ("HH" if row["flag"] == "H" else "LL" if row["flag"] == "L" else "AA") \
                if row.get("critical") else row["flag"]
            resource = self.base(
                "Observation", row["id"], status="final",
                category=[concept("Laboratory", "laboratory", CATEGORY)],
                code=concept(row["name"], row["code"], "urn:hospital:lab"),
                effectiveDateTime=row["collect_time"], issued=row["report_time"],
                specimen={"display": row["specimen"]},
                interpretation=[concept(
                    flag, flag, "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation")])
            bound = re.fullmatch(r"([<>]=?)([0-9.]+)", str(row["value"]))
            if bound:
                resource["valueQuantity"] = {"comparator": bound[1], "unit": row["unit"],
                                             "value": json.loads(bound[2])}
                resource["referenceRange"] = [{"text": row["expected"]}]
            elif isinstance(row["value"], str):
                resource["valueString"] = row["value"]
                resource["referenceRange"] = [{"text": row["expected"]}]
            else:
                resource["valueQuantity"] = {"value": row["value"]}
                if row["unit"]:
                    resource["valueQuantity"]["unit"] = row["unit"]
                resource["referenceRange"] = [{"low": {"value": row["low"]},
                                               "high": {"value": row["high"]}}]
            panels.setdefault((row["panel"], row["collect_time"]), []).append(row["id"])
            yield resource
        for number, ((name, time), rows) in enumerate(panels.items(), 1):
            yield self.base("DiagnosticReport", f"panel-{number}", status="final",
                            category=[concept("Laboratory", "LAB",
                                              "http://terminology.hl7.org/CodeSystem/v2-0074")],
                            code=concept(name), effectiveDateTime=time,
                            result=[reference("Observation", row) for row in rows])

    def vitals(self):
        patient = self.data["patient"]
        vital = [concept("Vital Signs", "vital-signs", CATEGORY)]
        for number, row in enumerate(self.data["vitals"], 1):
            for member, (code, unit) in VITALS.items():
                if member in row:
                    yield self.base("Observation", f"vital-{number}-{code}", status="final",
                                    category=vital, code=concept(member, code, LOINC),
                                    effectiveDateTime=row["time"],
                                    valueQuantity={"value": row[member], "unit": unit})
            if "systolic_mmhg" in row:
                yield self.base(
                    "Observation", f"vital-{number}-bp", status="final", category=vital,
                    code=concept("Blood pressure", "85354-9", LOINC), effectiveDateTime=row["time"],
                    component=[{"code": concept(member, code, LOINC),
                                "valueQuantity": {"value": row[member], "unit": "mmHg"}}
                               for member, code in (("systolic_mmhg", "8480-6"),
                                                    ("diastolic_mmhg", "8462-4"))])
        if "weight_kg" in patient:
            yield self.base("Observation", "weight", status="final", category=vital,
                            code=concept("Body weight", "29463-7", LOINC),
                            effectiveDateTime=self.data["vitals"][0]["time"],
                            valueQuantity={"value": patient["weight_kg"], "unit": "kg"})
        if "blood_type" in patient:
            yield self.base("Observation", "blood-type", status="final",
                            category=[concept("Laboratory", "laboratory", CATEGORY)],
                            code=concept("ABO and Rh group", "882-1", LOINC),
                            effectiveDateTime=self.data["vitals"][0]["time"],
                            valueCodeableConcept=concept(patient["blood_type"]))

    def reports(self):
        for row in self.data["reports"]:
            resource = self.base(
                "DiagnosticReport", row["id"], status="final", code=concept(row["name"]),
                category=[concept(row["type"], REPORTS[row["type"]],
                                  "http://terminology.hl7.org/CodeSystem/v2-0074")],
                basedOn=[reference("ServiceRequest", row["order"])], issued=row["report_time"],
                effectiveDateTime=row.get("exam_time") or row["collect_time"],
                conclusion=row["conclusion"], presentedForm=[attachment(row["findings"])])
            if row.get("organism"):
                resource["result"] = [reference("Observation", f"organism-{row['id']}")]
                yield self.base("Observation", f"organism-{row['id']}", status="final",
                                code=concept("Bacteria identified", "6463-4", LOINC),
                                effectiveDateTime=row["collect_time"],
                                valueCodeableConcept=concept(row["organism"]))
            yield resource

    def documents(self):
        for row in self.data["docs"]:
            html = "".join(f"<p><b>{section['name']}：</b><span>{self.escape(section['text'])}"
                           "</span></p>" for section in row["sections"])
            resource = {
                "resourceType": "DocumentReference", "id": row["id"], "status": "current",
                "docStatus": "final", "subject": self.patient, "date": row["sign_time"],
                "type": concept(row["local_title"], row["c_code"], "urn:oid:2.16.156.10011.2.4"),
                "author": [reference("Practitioner", row["author"])],
                "content": [{"attachment": attachment(html, "text/html", title=row["local_title"],
                                                      creation=row["create_time"])}],
                "context": {"encounter": [self.encounter],
                            "period": {"start": row["event_time"]}}}
            if "cosigner" in row:
                resource["authenticator"] = reference("Practitioner", row["cosigner"])
            yield resource

    @staticmethod
    def escape(text):
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    def bundle(self):
        kinds = (self.people, self.stay, self.diagnoses, self.operations, self.orders, self.labs,
                 self.vitals, self.reports, self.documents)
        return {"resourceType": "Bundle", "type": "collection",
                "entry": [{"fullUrl": f"https://his.example.org/fhir/{resource['resourceType']}/"
                                      f"{resource['id']}", "resource": resource}
                          for kind in kinds for resource in kind()]}


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        bundle = Adapter(json.load(file)).bundle()
    text = json.dumps(bundle, ensure_ascii=False, indent=1)
    if len(sys.argv) > 2:
        with open(sys.argv[2], "w", encoding="utf-8") as file:
            file.write(text)
    else:
        print(text)


if __name__ == "__main__":
    main()
