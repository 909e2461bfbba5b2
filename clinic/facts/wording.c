// SPDX-License-Identifier: Apache-2.0
// See wording.h. Numbers are written from the row itself, never rounded: what a reader sees must be
// what the table has.
#include "clinic/facts/wording.h"

#include "clinic/facts/lab_quote.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(struct wording *wording, size_t more) {
    if (wording->failed || more > WORDING_BYTES_MAX ||
        wording->bytes + more + 1 > WORDING_BYTES_MAX) {
        wording->failed = true;
        return false;
    }
    size_t needed = wording->bytes + more + 1;
    if (needed <= wording->capacity) return true;
    size_t capacity = wording->capacity ? wording->capacity : 128;
    while (capacity < needed)
        capacity *= 2;
    char *text = realloc(wording->text, capacity);
    if (!text) {
        wording->failed = true;
        return false;
    }
    wording->text = text;
    wording->capacity = capacity;
    return true;
}

void wording_add_bytes(struct wording *wording, const char *text, size_t bytes) {
    if (!reserve(wording, bytes)) return;
    if (bytes) memcpy(wording->text + wording->bytes, text, bytes);
    wording->bytes += bytes;
    wording->text[wording->bytes] = '\0';
}

void wording_add(struct wording *wording, const char *text) {
    if (text) wording_add_bytes(wording, text, strlen(text));
}

void wording_add_int(struct wording *wording, int64_t number) {
    char digits[32];
    snprintf(digits, sizeof digits, "%lld", (long long)number);
    wording_add(wording, digits);
}

bool wording_ends_with(const struct wording *wording, const char *end) {
    size_t bytes = strlen(end);
    return wording->bytes >= bytes &&
           memcmp(wording->text + wording->bytes - bytes, end, bytes) == 0;
}

void wording_cut(struct wording *wording, size_t bytes) {
    if (wording->text && bytes < wording->bytes) {
        wording->bytes = bytes;
        wording->text[bytes] = '\0';
    }
}

char *wording_take(struct wording *wording) {
    reserve(wording, 0);
    char *text = NULL;
    if (!wording->failed) {
        wording->text[wording->bytes] = '\0';
        text = wording->text;
        wording->text = NULL;
    }
    wording_deinit(wording);
    return text;
}

void wording_deinit(struct wording *wording) {
    free(wording->text);
    *wording = (struct wording){0};
}

void wording_add_month_day(struct wording *wording, struct moment moment) {
    struct calendar_day day = moment_day(moment);
    char text[48];
    snprintf(text, sizeof text, "%d月%d日", day.month, day.day);
    wording_add(wording, text);
}

void wording_add_date(struct wording *wording, struct moment moment) {
    wording_add_int(wording, moment_day(moment).year);
    wording_add(wording, "年");
    wording_add_month_day(wording, moment);
}

void wording_add_dose(struct wording *wording, const struct order *order) {
    if (!order->has_dose) return;
    char number[40];
    bool is_gram = order->dose_unit && strcmp(order->dose_unit, "g") == 0;
    bool is_whole = fabs(order->dose - round(order->dose)) < 1e-9;
    snprintf(number, sizeof number, is_gram && is_whole ? "%.1f" : "%.10g", order->dose);
    wording_add(wording, number);
    if (order->dose_unit && order->dose_unit[0]) {
        wording_add(wording, " ");
        wording_add(wording, order->dose_unit);
    }
}

void wording_add_regimen(struct wording *wording, const struct order *order) {
    wording_add_dose(wording, order);
    if (order->route) wording_add(wording, order->route);
    if (order->frequency && strcmp(order->frequency, "立即") != 0) {
        wording_add(wording, order->route ? "、" : "");
        wording_add(wording, order->frequency);
    }
}

void wording_add_prescription(struct wording *wording, const struct order *order) {
    wording_add(wording, order->name);
    wording_add_dose(wording, order);
    if (order->route) {
        wording_add(wording, "，");
        wording_add(wording, order->route);
    }
    if (order->frequency) {
        wording_add(wording, "，");
        wording_add(wording, order->frequency);
    }
    // A single dose to be kept for an emergency has no days.
    bool is_kept = order->course_days == 1 && order->frequency && strstr(order->frequency, "时") &&
                   !strstr(order->frequency, "每");
    if (order->course_days > 0 && !is_kept) {
        wording_add(wording, "，");
        wording_add_int(wording, order->course_days);
        wording_add(wording, "天");
    }
}

void wording_add_plain_name(struct wording *wording, const char *name) {
    const char *open = strstr(name, "（");
    wording_add_bytes(wording, name, open && open > name ? (size_t)(open - name) : strlen(name));
}

void wording_add_temperature(struct wording *wording, double celsius) {
    char number[32];
    snprintf(number, sizeof number, "%.1f℃", celsius);
    wording_add(wording, number);
}

void wording_add_lab_value(struct wording *wording, const struct episode *episode, int lab_row) {
    const struct lab *lab = &episode->labs[lab_row];
    struct lab_quote quote;
    if (lab_quote_find(episode, lab_row, &quote))
        wording_add_bytes(wording, quote.number, quote.number_bytes);
    else
        wording_add(wording, lab->text);
    if (!lab->is_number) return;
    const char *unit = lab->unit ? lab->unit : "";
    bool is_letter = (unit[0] >= 'A' && unit[0] <= 'Z') || (unit[0] >= 'a' && unit[0] <= 'z') ||
                     strncmp(unit, "μ", strlen("μ")) == 0 || strncmp(unit, "µ", strlen("µ")) == 0;
    wording_add(wording, is_letter ? " " : "");
    wording_add(wording, unit);
}
