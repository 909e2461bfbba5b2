// SPDX-License-Identifier: Apache-2.0
// Chinese words for dates, doses and results, as they stand in a record, in a text that grows.
// A wording that ran out of memory stays failed; the last step asks once.
#ifndef XL_CLINIC_WORDING_H
#define XL_CLINIC_WORDING_H

#include "clinic/record/episode.h"

#define WORDING_BYTES_MAX (1u << 20)

struct wording {
    char *text; // NUL-terminated; NULL while empty
    size_t bytes, capacity;
    bool failed;
};

void wording_add(struct wording *wording, const char *text);
void wording_add_bytes(struct wording *wording, const char *text, size_t bytes);
void wording_add_int(struct wording *wording, int64_t number);
bool wording_ends_with(const struct wording *wording, const char *end);
void wording_cut(struct wording *wording, size_t bytes); // shortens to that many bytes
// The text, malloc'd ("" when empty), and an empty wording; NULL: it failed.
char *wording_take(struct wording *wording);
void wording_deinit(struct wording *wording);

void wording_add_date(struct wording *wording, struct moment moment);      // 2025年11月3日
void wording_add_month_day(struct wording *wording, struct moment moment); // 11月3日
// "4.5 g": a dose in g always has a decimal, as prescriptions are written.
void wording_add_dose(struct wording *wording, const struct order *order);
// "4.5 g静脉滴注、每8小时1次"
void wording_add_regimen(struct wording *wording, const struct order *order);
// "左氧氟沙星片0.5 g，口服，每日1次，5天"
void wording_add_prescription(struct wording *wording, const struct order *order);
// "15.62×10⁹/L", "142.6 mg/L", "88.4%": as the notes wrote the number if they quote it ("7.40").
void wording_add_lab_value(struct wording *wording, const struct episode *episode, int lab_row);
// The name without what stands in parentheses: "空腹血糖（指尖）" is 空腹血糖.
void wording_add_plain_name(struct wording *wording, const char *name);
void wording_add_temperature(struct wording *wording, double celsius); // 39.0℃

#endif
