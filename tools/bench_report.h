// SPDX-License-Identifier: Apache-2.0
// Rows of `xinglin bench`, and their three forms: a table for people, CSV and JSON for programs.
#ifndef XL_TOOLS_BENCH_REPORT_H
#define XL_TOOLS_BENCH_REPORT_H

#include "tools/machine_speed.h"
#include "xinglin/xinglin.h"

enum bench_phase { BENCH_PREFILL, BENCH_DECODE };

struct bench_row {
    char model[128], weight_type[16], isa[16], kv_type[8];
    enum bench_phase phase;
    int threads, depth, n_tokens;
    double tokens_per_s, tokens_per_s_min, tokens_per_s_max; // median, worst and best run
    // Prefill: until the first token can be chosen. Decode: from one token to the next.
    double ms_p50, ms_p99;
    double weight_bytes, load_s, resident_bytes;
};

struct bench_report {
    const char *format;
    char *machine_json; // xl_machine_describe
    struct machine_speed speed;
    struct bench_row *rows;
    int n_rows, n_rows_max;
};

bool bench_report_format(const char *format); // is there such a form?
bool bench_report_init(struct bench_report *report, int n_rows_max, const char *format);
void bench_report_deinit(struct bench_report *report);
// Asks for a description of the machine, once.
void bench_report_machine(struct bench_report *report);
// times_s: [n_repeats] for prefill, [n_repeats][n_tokens] for decode; sorted by this call.
void bench_report_add(struct bench_report *report, const xl_engine_info *info,
                      enum bench_phase phase, int depth, int n_tokens, double *times_s,
                      int n_repeats);
void bench_report_print(const struct bench_report *report); // to stdout

#endif
