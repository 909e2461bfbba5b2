// SPDX-License-Identifier: Apache-2.0
#include "server/json_dump.h"

#include <stdio.h>
#include <stdlib.h>

enum { DIGITS_MIN = 15, DIGITS_MAX = 17 }; // the first keeps any decimal, the last any double

static size_t digits_of(double number) {
    char text[40];
    size_t digits = DIGITS_MIN;
    for (; digits < DIGITS_MAX; digits++) {
        snprintf(text, sizeof text, "%.*g", (int)digits, number);
        if (strtod(text, NULL) == number) break;
    }
    return digits;
}

// Digits that the longest of all numbers needs. As deep as the parser went.
static size_t digits_wanted(const json_t *value) {
    const char *key;
    json_t *each;
    size_t i, digits = DIGITS_MIN;
    if (json_is_real(value)) return digits_of(json_real_value(value));
    json_array_foreach((json_t *)value, i, each) {
        size_t n = digits_wanted(each);
        if (n > digits) digits = n;
    }
    json_object_foreach((json_t *)value, key, each) {
        size_t n = digits_wanted(each);
        if (n > digits) digits = n;
    }
    return digits;
}

char *json_dump(const json_t *value) {
    return json_dumps(value,
                      JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits_wanted(value)));
}
