// SPDX-License-Identifier: Apache-2.0
// See bench_report.h.
#include "tools/bench_report.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const phase_names[] = {"prefill", "decode"};

bool bench_report_format(const char *format) {
    return strcmp(format, "table") == 0 || strcmp(format, "csv") == 0 ||
           strcmp(format, "json") == 0;
}

bool bench_report_init(struct bench_report *report, int n_rows_max, const char *format) {
    *report = (struct bench_report){.format = format, .n_rows_max = n_rows_max};
    report->rows = calloc((size_t)n_rows_max + 1, sizeof *report->rows);
    return report->rows != NULL;
}

void bench_report_deinit(struct bench_report *report) {
    free(report->rows);
    xl_free(report->machine_json);
    *report = (struct bench_report){0};
}

void bench_report_machine(struct bench_report *report) {
    if (!report->machine_json) xl_machine_describe(&report->machine_json, NULL);
}

static double resident_bytes(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long long total = 0, resident = 0;
    if (!file) return 0;
    if (fscanf(file, "%llu %llu", &total, &resident) != 2) resident = 0;
    fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static int compare_times(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *sorted, int n, double part) {
    int index = (int)(part * n + 0.999999) - 1;
    return sorted[index < 0 ? 0 : index >= n ? n - 1 : index];
}

void bench_report_add(struct bench_report *report, const xl_engine_info *info,
                      enum bench_phase phase, int depth, int n_tokens, double *times_s,
                      int n_repeats) {
    if (report->n_rows >= report->n_rows_max) return;
    struct bench_row *row = &report->rows[report->n_rows++];
    snprintf(row->model, sizeof row->model, "%s", info->name);
    snprintf(row->weight_type, sizeof row->weight_type, "%s", info->weight_type);
    snprintf(row->isa, sizeof row->isa, "%s", info->isa);
    snprintf(row->kv_type, sizeof row->kv_type, "%s", info->kv_type);
    row->phase = phase;
    row->threads = info->threads;
    row->depth = depth;
    row->n_tokens = n_tokens;
    row->weight_bytes = (double)info->weight_bytes;
    row->load_s = info->load_s;
    row->resident_bytes = resident_bytes();
    int n_times = phase == BENCH_DECODE ? n_repeats * n_tokens : n_repeats;
    double *runs_s = malloc((size_t)n_repeats * sizeof *runs_s);
    for (int i = 0; runs_s && i < n_repeats; i++) {
        runs_s[i] = phase == BENCH_DECODE ? 0 : times_s[i];
        for (int t = 0; phase == BENCH_DECODE && t < n_tokens; t++)
            runs_s[i] += times_s[(size_t)i * (size_t)n_tokens + (size_t)t];
    }
    if (runs_s) {
        qsort(runs_s, (size_t)n_repeats, sizeof *runs_s, compare_times);
        row->tokens_per_s = n_tokens / quantile(runs_s, n_repeats, 0.5);
        row->tokens_per_s_min = n_tokens / runs_s[n_repeats - 1];
        row->tokens_per_s_max = n_tokens / runs_s[0];
    }
    free(runs_s);
    qsort(times_s, (size_t)n_times, sizeof *times_s, compare_times);
    row->ms_p50 = 1e3 * quantile(times_s, n_times, 0.50);
    row->ms_p99 = 1e3 * quantile(times_s, n_times, 0.99);
}

// Bytes of weights per second against what the machine can read.
static double bandwidth_share(const struct bench_report *report, const struct bench_row *row) {
    if (row->phase != BENCH_DECODE || report->speed.read_bytes_per_s <= 0) return 0;
    return row->tokens_per_s * row->weight_bytes / report->speed.read_bytes_per_s;
}

static json_t *machine_of(const struct bench_report *report) {
    json_t *machine = report->machine_json ? json_loads(report->machine_json, 0, NULL) : NULL;
    if (!machine) machine = json_object();
    json_object_set_new(machine, "read_bytes_per_s", json_real(report->speed.read_bytes_per_s));
    json_object_set_new(machine, "float_ops_per_s", json_real(report->speed.float_ops_per_s));
    return machine;
}

static void print_table(const struct bench_report *report, const char *cpu) {
    printf("%s, %d threads, %s kernels; memory reads %.1f GB/s, float multiply-adds %.0f GFLOP/s\n",
           cpu, report->rows[0].threads, report->rows[0].isa, report->speed.read_bytes_per_s * 1e-9,
           report->speed.float_ops_per_s * 1e-9);
    printf("%-24s %-6s %-8s %6s %6s %9s %9s %9s %9s %9s %6s %8s %6s\n", "model", "type", "phase",
           "tokens", "depth", "tokens/s", "worst", "best", "ms p50", "ms p99", "of bw", "RSS MB",
           "load s");
    for (int i = 0; i < report->n_rows; i++) {
        const struct bench_row *row = &report->rows[i];
        char share[16] = "";
        if (row->phase == BENCH_DECODE)
            snprintf(share, sizeof share, "%.0f %%", 100 * bandwidth_share(report, row));
        printf("%-24.24s %-6s %-8s %6d %6d %9.2f %9.2f %9.2f %9.2f %9.2f %6s %8.0f %6.2f\n",
               row->model, row->weight_type, phase_names[row->phase], row->n_tokens, row->depth,
               row->tokens_per_s, row->tokens_per_s_min, row->tokens_per_s_max, row->ms_p50,
               row->ms_p99, share, row->resident_bytes * 1e-6, row->load_s);
    }
}

// A CSV field: quoted, quotes doubled, no line breaks.
static void print_field(const char *text) {
    putchar('"');
    for (; *text; text++) {
        if (*text == '"') putchar('"');
        putchar((unsigned char)*text < ' ' ? ' ' : *text);
    }
    putchar('"');
}

static void print_csv(const struct bench_report *report, const char *cpu) {
    printf("cpu,isa,threads,read_gb_per_s,float_gflop_per_s,model,type,kv_type,phase,tokens,depth,"
           "tokens_per_s,tokens_per_s_min,tokens_per_s_max,ms_p50,ms_p99,bandwidth_share,"
           "weight_mb,resident_mb,load_s\n");
    for (int i = 0; i < report->n_rows; i++) {
        const struct bench_row *row = &report->rows[i];
        print_field(cpu);
        printf(",%s,%d,%.2f,%.1f,", row->isa, row->threads, report->speed.read_bytes_per_s * 1e-9,
               report->speed.float_ops_per_s * 1e-9);
        print_field(row->model);
        printf(",%s,%s,%s,%d,%d,%.3f,%.3f,%.3f,%.3f,%.3f,%.4f,%.2f,%.1f,%.3f\n", row->weight_type,
               row->kv_type, phase_names[row->phase], row->n_tokens, row->depth, row->tokens_per_s,
               row->tokens_per_s_min, row->tokens_per_s_max, row->ms_p50, row->ms_p99,
               bandwidth_share(report, row), row->weight_bytes * 1e-6, row->resident_bytes * 1e-6,
               row->load_s);
    }
}

static void print_json(const struct bench_report *report, json_t *machine) {
    json_t *rows = json_array();
    for (int i = 0; i < report->n_rows; i++) {
        const struct bench_row *row = &report->rows[i];
        json_array_append_new(
            rows,
            json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f,"
                      " s:f, s:f}",
                      "model", row->model, "type", row->weight_type, "kv_type", row->kv_type, "isa",
                      row->isa, "threads", row->threads, "phase", phase_names[row->phase], "tokens",
                      row->n_tokens, "depth", row->depth, "tokens_per_s", row->tokens_per_s,
                      "tokens_per_s_min", row->tokens_per_s_min, "tokens_per_s_max",
                      row->tokens_per_s_max, "ms_p50", row->ms_p50, "ms_p99", row->ms_p99,
                      "bandwidth_share", bandwidth_share(report, row), "weight_bytes",
                      row->weight_bytes, "resident_bytes", row->resident_bytes, "load_s",
                      row->load_s));
    }
    json_t *root = json_pack("{s:O, s:o}", "machine", machine, "rows", rows);
    char *text = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(8)) : NULL;
    if (text) printf("%s\n", text);
    free(text);
    json_decref(root);
}

void bench_report_print(const struct bench_report *report) {
    json_t *machine = machine_of(report);
    const char *cpu = json_string_value(json_object_get(machine, "cpu"));
    if (report->n_rows == 0) {
        json_decref(machine);
        return;
    }
    if (strcmp(report->format, "json") == 0)
        print_json(report, machine);
    else if (strcmp(report->format, "csv") == 0)
        print_csv(report, cpu ? cpu : "");
    else
        print_table(report, cpu ? cpu : "unknown CPU");
    json_decref(machine);
}
