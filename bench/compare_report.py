# SPDX-License-Identifier: Apache-2.0
"""Turns the visits that compare.py recorded into compare.csv and compare.md.

A figure is the median over undisturbed visits. Decode is also given as a part of what reading
weights and cache once a token allows at the bandwidth measured in those minutes ("bound"), prefill
as a part of the multiply-adds that the best instruction for the type can do ("roof")."""

import csv
import json
import statistics

import machine

COLUMNS = ["model", "type", "isa", "engine", "length", "visits", "disturbed", "prefill_tokens_per_s",
           "prefill_min", "prefill_max", "first_token_ms", "prefill_of_roof",
           "decode_tokens_per_s", "decode_min", "decode_max", "next_token_ms_p50",
           "next_token_ms_p99", "decode_of_bound", "resident_mb", "load_s", "read_gb_per_s",
           "roof_gop_per_s"]
ROOFS = {"int4": ("avx512_int8", "avx2_int8"), "int8": ("avx512_int8", "avx2_int8"),
         "bf16": ("avx512_bf16", "avx512_float", "avx2_float")}
OURS = "xinglin"


def quantile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


class Log:
    def __init__(self, path):
        self.roofs, self.starts, self.visits, self.skips = [], {}, {}, {}
        shapes = {}
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                key = (row.get("model"), row.get("type"), row.get("engine"))
                if row["kind"] == "roof":
                    self.roofs.append(row)
                elif row["kind"] == "start":
                    self.starts.setdefault(key, []).append(row)
                    shapes[key[0]] = row["shape"]
                elif row["kind"] == "visit":
                    self.visits.setdefault((*key, row["length"]), []).append(row)
                else:
                    self.skips[(*key, row.get("length"))] = row["reason"]
        self.shapes = shapes

    def roof_near(self, times, name):
        """The median of what the machine could do around these moments."""
        first, last = min(times) - 300, max(times) + 60
        near = [r[name] for r in self.roofs if name in r and first <= r["time"] <= last]
        near = near or [r[name] for r in self.roofs if name in r]
        return statistics.median(near) if near else 0

    def weight_bytes(self, model, weight_type):
        rows = self.starts.get((model, weight_type, OURS), [])
        return rows[-1].get("weight_bytes", 0) if rows else 0


def bound_of(log, model, weight_type, length, read):
    """Decoded tokens a second if weights and a 16-bit cache are read once at full speed."""
    shape, weights = log.shapes[model], log.weight_bytes(model, weight_type)
    cache = 2 * 2 * shape["n_layers"] * shape["kv_dim"] * length
    return read / (weights + cache) if weights else 0


def prefill_ops(shape, length):
    return (2 * shape["layer_weights"] * length + 2 * shape["head_weights"] +
            2 * shape["n_layers"] * shape["heads_dim"] * length * length)


def row_of(log, key, visits, isa):
    model, weight_type, engine, length = key
    kept = [v for v in visits if v["kept"]] or visits  # disturbed every time: better than nothing
    prefills = [length / v["prefill_s"] for v in kept if v["prefill_s"]]
    decodes = [len(v["decode_s"]) / sum(v["decode_s"]) for v in kept]
    steps_ms = [1e3 * s for v in kept for s in v["decode_s"]]
    times = [v["time"] for v in kept]
    read = statistics.median(v["read"] for v in kept)
    names = [n for n in ROOFS[weight_type] if isa == "native" or n.startswith(isa)]
    roof = next((r for r in (log.roof_near(times, n) for n in names) if r), 0)
    shares = [len(v["decode_s"]) / sum(v["decode_s"]) / bound
              for v in kept if (bound := bound_of(log, model, weight_type, length, v["read"]))]
    prefill, decode = statistics.median(prefills), statistics.median(decodes)
    ops = prefill_ops(log.shapes[model], length) / length
    loads = [s["load_s"] for s in log.starts[(model, weight_type, engine)]]
    loads = loads[1:] or loads  # the first start of all fills caches
    return {
        "model": model, "type": weight_type, "isa": isa, "engine": engine, "length": length,
        "visits": len(kept), "disturbed": sum(not v["kept"] for v in visits),
        "prefill_tokens_per_s": prefill, "prefill_min": min(prefills),
        "prefill_max": max(prefills), "first_token_ms": 1e3 * length / prefill,
        "prefill_of_roof": prefill * ops / roof if roof else 0,
        "decode_tokens_per_s": decode, "decode_min": min(decodes), "decode_max": max(decodes),
        "next_token_ms_p50": quantile(steps_ms, 0.5), "next_token_ms_p99": quantile(steps_ms, 0.99),
        "decode_of_bound": statistics.median(shares) if shares else 0,
        "resident_mb": statistics.median(v["resident_bytes"] for v in kept) / 1e6,
        "load_s": statistics.median(loads), "read_gb_per_s": read / 1e9,
        "roof_gop_per_s": roof / 1e9,
    }


def write_csv(path, rows):
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({name: f"{value:.4g}" if isinstance(value, float) else value
                             for name, value in row.items()})


def ratio(ours, row, column):
    return f"{ours[column] / row[column]:.2f}" if ours and row is not ours and row[column] else ""


def table(rows):
    lines = ["| engine | tokens | prefill t/s | of roof | ours/it | first token ms | decode t/s | "
             "of bound | ours/it | p99 ms | resident MB | load s | visits |",
             "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for length in sorted({row["length"] for row in rows}):
        group = [row for row in rows if row["length"] == length]
        ours = next((row for row in group if row["engine"] == OURS), None)
        for row in group:
            again = f" (+{row['disturbed']} disturbed)" if row["disturbed"] else ""
            lines.append(
                f"| {row['engine']} | {length} | {row['prefill_tokens_per_s']:.1f} | "
                f"{row['prefill_of_roof']:.0%} | {ratio(ours, row, 'prefill_tokens_per_s')} | "
                f"{row['first_token_ms']:.0f} | {row['decode_tokens_per_s']:.2f} | "
                f"{row['decode_of_bound']:.0%} | {ratio(ours, row, 'decode_tokens_per_s')} | "
                f"{row['next_token_ms_p99']:.1f} | {row['resident_mb']:.0f} | "
                f"{row['load_s']:.2f} | {row['visits']}{again} |")
    return lines


def engines_of(log):
    """One line an engine: version and what it says about itself."""
    seen = {}
    for (_, _, engine), rows in log.starts.items():
        row = rows[-1]
        details = [row.get("version", ""), f"kernels {row['kernels']}" if "kernels" in row else "",
                   row.get("system", ""),
                   f"cache {row['kv_type']}" if "kv_type" in row else ""]
        seen[engine] = "; ".join(detail for detail in details if detail)
    return [f"- {engine}: {text}" for engine, text in seen.items()]


def limits_of(log):
    names = sorted({name for row in log.roofs for name in row} - {"kind", "isa", "time"})
    parts = []
    for name in names:
        values = [row[name] / 1e9 for row in log.roofs if name in row]
        unit = "GB/s" if name == "read" else "GOP/s"
        parts.append(f"{name} {statistics.median(values):.0f} {unit} "
                     f"({min(values):.0f} to {max(values):.0f})")
    return parts


def write_markdown(path, log, rows, isa, threads):
    lines = [f"# Engines side by side: {machine.cpu_name()}, {threads} threads, "
             f"{'best instructions' if isa == 'native' else 'AVX2 only'}", "",
             "Made by `make bench`; how to read it is in bench/README.md. Medians; \"ours/it\" above "
             "1 means that Xinglin is faster.", "",
             "Limits measured between the visits: " + "; ".join(limits_of(log)) + ".", "",
             *engines_of(log), ""]
    for model, weight_type in dict.fromkeys((row["model"], row["type"]) for row in rows):
        group = [r for r in rows if r["model"] == model and r["type"] == weight_type]
        weights = log.weight_bytes(model, weight_type) / 1e6
        lines += [f"## {model}, {weight_type} ({weights:.0f} MB read a token)", "", *table(group), ""]
    if log.skips:
        lines += ["## Skipped", ""]
        lines += [f"- {engine}, {model} {weight_type}{f' at {length}' if length else ''}: {reason}"
                  for (model, weight_type, engine, length), reason in log.skips.items()]
        lines.append("")
    path.write_text("\n".join(lines), encoding="utf-8")


def write(raw, results, suffix, threads):
    """Writes both files; returns the markdown's text."""
    log = Log(raw)
    isa = suffix.lstrip("-") or "native"
    rows = [row_of(log, key, visits, isa) for key, visits in log.visits.items()]
    order = {"int4": 0, "int8": 1, "bf16": 2}
    rows.sort(key=lambda r: (r["model"] != "synthetic-8b-8l", r["model"], order[r["type"]],
                             r["length"], r["engine"] != OURS, r["engine"]))
    write_csv(results / f"compare{suffix}.csv", rows)
    path = results / f"compare{suffix}.md"
    write_markdown(path, log, rows, isa, threads)
    return path.read_text(encoding="utf-8")
