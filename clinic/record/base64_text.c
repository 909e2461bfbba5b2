// SPDX-License-Identifier: Apache-2.0
#include "clinic/record/base64_text.h"

#include <stdint.h>

static int sextet(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    return c == '/' ? 63 : -1;
}

bool base64_text_decode(const char *text, size_t text_bytes, char *out, size_t *out_bytes) {
    uint32_t bits = 0;
    size_t n_sextets = 0, n_padding = 0;
    *out_bytes = 0;
    for (size_t i = 0; i < text_bytes; i++) {
        char c = text[i];
        if (c == ' ' || c == '\n' || c == '\r' || c == '\t') continue;
        if (c == '=') {
            if (++n_padding > 2) return false;
            continue;
        }
        int value = sextet(c);
        if (value < 0 || n_padding > 0) return false;
        bits = (bits << 6 | (uint32_t)value) & 0xFFFFFF;
        n_sextets++;
        if (n_sextets % 4 == 0) {
            out[(*out_bytes)++] = (char)(bits >> 16);
            out[(*out_bytes)++] = (char)(bits >> 8 & 0xFF);
            out[(*out_bytes)++] = (char)(bits & 0xFF);
        }
    }
    size_t rest = n_sextets % 4;
    if (rest == 1 || (n_padding > 0 && (rest + n_padding) != 4)) return false;
    if (rest >= 2) out[(*out_bytes)++] = (char)(bits >> (rest == 2 ? 4 : 10) & 0xFF);
    if (rest == 3) out[(*out_bytes)++] = (char)(bits >> 2 & 0xFF);
    return true;
}
