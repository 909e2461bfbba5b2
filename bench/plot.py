#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws the pictures of a comparison: compare.csv in, PNG files beside it out. Needs matplotlib.

Per model two grouped bar charts, and for the largest model the four charts with which the talk
that this project answers made its case: next-token latency by type at 1K input, int4 next token
by input length, first token and remaining tokens at 2K input."""

import csv
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend must be chosen first)

COLOURS = {"xinglin": "#c0392b", "llama.cpp": "#7f8c8d", "ik_llama.cpp": "#34495e",
           "openvino": "#2980b9", "ipex-llm": "#27ae60", "transformers": "#e67e22"}
TYPES = ["int4", "int8", "bf16"]


def read_rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        for name, value in row.items():
            if name not in ("model", "type", "isa", "engine"):
                row[name] = float(value)
    return rows


def engines_in(rows):
    present = {row["engine"] for row in rows}
    return [name for name in COLOURS if name in present]


def grouped_bars(axes, rows, groups, group_of, column, label_format):
    """One cluster a group, one bar an engine, the value above each bar."""
    names = engines_in(rows)
    width = 0.8 / max(len(names), 1)
    for i, name in enumerate(names):
        at, heights = [], []
        for g, group in enumerate(groups):
            found = [row for row in rows if row["engine"] == name and group_of(row) == group]
            if found:
                at.append(g - 0.4 + width * (i + 0.5))
                heights.append(found[0][column])
        bars = axes.bar(at, heights, width * 0.94, color=COLOURS[name], label=name)
        axes.bar_label(bars, [label_format.format(h) for h in heights], fontsize=6.5, padding=1)
    axes.set_xticks(range(len(groups)), groups)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(y=0.12)


def save(figure, path):
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    plt.close(figure)
    print(path)


def draw_model(rows, model, folder, suffix, length=512):
    rows = [row for row in rows if row["model"] == model and row["length"] == length]
    types = [name for name in TYPES if any(row["type"] == name for row in rows)]
    if not types:
        return
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
    grouped_bars(left, rows, types, lambda row: row["type"], "prefill_tokens_per_s", "{:.0f}")
    grouped_bars(right, rows, types, lambda row: row["type"], "decode_tokens_per_s", "{:.1f}")
    for g, name in enumerate(types):  # what one pass over the weights allows
        ours = [r for r in rows if r["type"] == name and r["decode_of_bound"] > 0]
        if ours:
            bound = ours[0]["decode_tokens_per_s"] / ours[0]["decode_of_bound"]
            right.hlines(bound, g - 0.42, g + 0.42, color="black", linestyles="dotted",
                         label="memory bandwidth" if g == 0 else None)
    left.set_title(f"{model}: prefill of {length} tokens, tokens/s")
    right.set_title(f"{model}: decode after {length} tokens, tokens/s")
    right.legend(frameon=False, fontsize=8)
    save(figure, folder / f"compare-{model}{suffix}.png")


def draw_lengths(rows, model, folder, suffix):
    """int4 at every length: prefill and decode rates as lines."""
    rows = [row for row in rows if row["model"] == model and row["type"] == "int4"]
    if len({row["length"] for row in rows}) < 2:
        return
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
    for name in engines_in(rows):
        mine = sorted((r for r in rows if r["engine"] == name), key=lambda r: r["length"])
        lengths = [r["length"] for r in mine]
        for axes, column in ((left, "prefill_tokens_per_s"), (right, "decode_tokens_per_s")):
            axes.plot(lengths, [r[column] for r in mine], "o-", color=COLOURS[name], label=name)
    ticks = sorted({row["length"] for row in rows})
    for axes, title in ((left, "prefill, tokens/s"), (right, "decode, tokens/s")):
        axes.set_xscale("log", base=2)
        axes.set_xticks(ticks, [f"{int(tick)}" for tick in ticks])
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
        axes.set_title(f"{model} int4: {title}")
        axes.set_xlabel("tokens in the context")
        axes.spines[["top", "right"]].set_visible(False)
    left.legend(frameon=False, fontsize=8)
    save(figure, folder / f"lengths-{model}{suffix}.png")


def nearest(rows, wanted):
    lengths = {row["length"] for row in rows}
    return min(lengths, key=lambda length: abs(length - wanted)) if lengths else None


def draw_talk_charts(rows, model, folder, suffix):
    rows = [row for row in rows if row["model"] == model]
    at_1k, at_2k = nearest(rows, 1024), nearest(rows, 2048)
    if at_1k is None:
        return
    figure, axes = plt.subplots(2, 2, figsize=(11, 7.5))
    types = [name for name in TYPES if any(row["type"] == name for row in rows)]
    by_type = [row for row in rows if row["length"] == at_1k]
    grouped_bars(axes[0, 0], by_type, types, lambda r: r["type"], "next_token_ms_p50", "{:.3g}")
    axes[0, 0].set_title(f"Next token by type, {at_1k:.0f} tokens of input, ms")
    int4 = [row for row in rows if row["type"] == "int4"]
    lengths = sorted({row["length"] for row in int4})
    grouped_bars(axes[0, 1], int4, lengths, lambda r: r["length"], "next_token_ms_p50", "{:.3g}")
    axes[0, 1].set_xticks(range(len(lengths)), [f"{int(length)}" for length in lengths])
    axes[0, 1].set_title("int4 next token by tokens of input, ms")
    long = [row for row in rows if row["length"] == at_2k]
    grouped_bars(axes[1, 0], long, types, lambda r: r["type"], "first_token_ms", "{:.0f}")
    axes[1, 0].set_title(f"First token, {at_2k:.0f} tokens of input, ms")
    grouped_bars(axes[1, 1], long, types, lambda r: r["type"], "next_token_ms_p50", "{:.3g}")
    axes[1, 1].set_title(f"Each remaining token, {at_2k:.0f} tokens of input, ms")
    axes[0, 0].legend(frameon=False, fontsize=8)
    figure.suptitle(f"{model}: lower is better")
    save(figure, folder / f"talk-charts{suffix}.png")


def main():
    path = Path(sys.argv[1])
    suffix = path.stem.removeprefix("compare")
    rows = read_rows(path)
    models = list(dict.fromkeys(row["model"] for row in rows))
    for model in models:
        draw_model(rows, model, path.parent, suffix)
        draw_lengths(rows, model, path.parent, suffix)
    if models:
        draw_talk_charts(rows, models[0], path.parent, suffix)
    return 0


if __name__ == "__main__":
    sys.exit(main())
