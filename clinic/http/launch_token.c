// SPDX-License-Identifier: Apache-2.0
#include "clinic/http/launch_token.h"

#include "clinic/record/utf8_text.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAC_BYTES = 32,
    LIFETIME_SECONDS_MAX = 300,
    CLOCK_SKEW_SECONDS = 30,
    ORIGIN_BYTES_MAX = 256,
    NAME_BYTES_MAX = 128
};

static bool refuse(char *why, size_t why_bytes, const char *text) {
    snprintf(why, why_bytes, "%s", text);
    return false;
}

static int value_of(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

// Base64url without padding; strict: no other byte, no bits left over. Returns bytes, or -1.
static int decode(const char *text, size_t n, unsigned char *out, size_t out_bytes) {
    size_t n_out = 0;
    unsigned bits = 0;
    int n_bits = 0;
    for (size_t i = 0; i < n; i++) {
        int value = value_of(text[i]);
        if (value < 0) return -1;
        bits = (bits << 6 | (unsigned)value) & 0xFFFF;
        n_bits += 6;
        if (n_bits < 8) continue;
        n_bits -= 8;
        if (n_out == out_bytes) return -1;
        out[n_out++] = (unsigned char)(bits >> n_bits);
    }
    bool is_whole = n % 4 != 1 && (bits & ((1u << n_bits) - 1)) == 0;
    return is_whole ? (int)n_out : -1;
}

static size_t encode(const unsigned char *bytes, size_t n, char *out) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t n_out = 0;
    unsigned bits = 0;
    int n_bits = 0;
    for (size_t i = 0; i < n; i++) {
        bits = (bits << 8 | bytes[i]) & 0xFFFF;
        for (n_bits += 8; n_bits >= 6; n_bits -= 6)
            out[n_out++] = letters[bits >> (n_bits - 6) & 63];
    }
    if (n_bits > 0) out[n_out++] = letters[bits << (6 - n_bits) & 63];
    return n_out;
}

static json_t *decode_json(const char *text, size_t n) {
    unsigned char bytes[LAUNCH_TOKEN_BYTES_MAX];
    int n_bytes = decode(text, n, bytes, sizeof bytes);
    if (n_bytes < 0) return NULL;
    json_t *root = json_loadb((char *)bytes, (size_t)n_bytes, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(root)) return root;
    json_decref(root);
    return NULL;
}

static bool is_signed(const char *token, size_t n_signed, const char *signature,
                      const unsigned char *key, size_t key_bytes) {
    unsigned char given[MAC_BYTES], right[MAC_BYTES];
    return decode(signature, strlen(signature), given, sizeof given) == MAC_BYTES &&
           gnutls_hmac_fast(GNUTLS_MAC_SHA256, key, key_bytes, token, n_signed, right) == 0 &&
           gnutls_memcmp(given, right, MAC_BYTES) == 0;
}

// The header has to say what is done anyway; a header of another meaning is no token of ours.
static bool is_our_header(const char *text, size_t n) {
    json_t *header = decode_json(text, n);
    const char *alg = json_string_value(json_object_get(header, "alg")),
               *typ = json_string_value(json_object_get(header, "typ"));
    bool ok = alg && strcmp(alg, "HS256") == 0 && (!typ || strcmp(typ, "JWT") == 0) &&
              !json_object_get(header, "crit");
    json_decref(header);
    return ok;
}

static const char *text_claim(const json_t *root, const char *name, size_t bytes_max) {
    const json_t *value = json_object_get(root, name);
    const char *text = json_string_value(value);
    size_t n = json_string_length(value);
    return text && n > 0 && n <= bytes_max && strlen(text) == n ? text : NULL;
}

static bool is_for_us(const json_t *audience) {
    const json_t *each;
    size_t i;
    if (json_is_string(audience)) return strcmp(json_string_value(audience), LAUNCH_AUDIENCE) == 0;
    json_array_foreach((json_t *)audience, i, each) {
        if (json_is_string(each) && strcmp(json_string_value(each), LAUNCH_AUDIENCE) == 0)
            return true;
    }
    return false;
}

static bool read_times(const json_t *root, int64_t now_s, struct launch_claims *claims, char *why,
                       size_t why_bytes) {
    const json_t *issued = json_object_get(root, "iat"), *expires = json_object_get(root, "exp");
    if (!json_is_integer(issued) || !json_is_integer(expires))
        return refuse(why, why_bytes, "iat and exp must be whole seconds");
    int64_t from_s = json_integer_value(issued), to_s = json_integer_value(expires);
    // Bounds first: differences of wild numbers would overflow.
    if (from_s < 0 || to_s < from_s || to_s > now_s + (1 << 20) ||
        to_s - from_s > LIFETIME_SECONDS_MAX)
        return refuse(why, why_bytes, "exp is more than five minutes after iat, or before it");
    if (from_s > now_s + CLOCK_SKEW_SECONDS) return refuse(why, why_bytes, "iat lies ahead");
    const json_t *begins = json_object_get(root, "nbf");
    if (begins &&
        (!json_is_integer(begins) || json_integer_value(begins) > now_s + CLOCK_SKEW_SECONDS))
        return refuse(why, why_bytes, "nbf lies ahead, or is no whole second");
    if (to_s <= now_s) return refuse(why, why_bytes, "it has expired");
    claims->expires_s = to_s;
    return true;
}

static bool read_departments(const json_t *list, struct launch_claims *claims) {
    const json_t *each;
    size_t i;
    json_array_foreach((json_t *)list, i, each) {
        const char *name = json_string_value(each);
        if (!name || !*name || claims->n_departments == LAUNCH_DEPARTMENTS_MAX) return false;
        claims->departments[claims->n_departments++] = name;
    }
    return claims->n_departments > 0;
}

// "https://his.example.org", "http://localhost:8080"
static bool is_origin(const char *text) {
    const char *host = strncmp(text, "https://", 8) == 0  ? text + 8
                       : strncmp(text, "http://", 7) == 0 ? text + 7
                                                          : NULL;
    return host && *host && !strpbrk(host, "/?#@*\\ \"'<>");
}

static bool read_claims(const json_t *root, int64_t now_s, struct launch_claims *claims, char *why,
                        size_t why_bytes) {
    claims->user = text_claim(root, "sub", 64);
    claims->display = text_claim(root, "name", NAME_BYTES_MAX);
    claims->role = text_claim(root, "role", 16);
    claims->episode = text_claim(root, "episode", NAME_BYTES_MAX);
    claims->template = text_claim(root, "template", 64);
    claims->nonce = text_claim(root, "jti", NAME_BYTES_MAX);
    claims->messaging_handle = text_claim(root, "smart_web_messaging_handle", NAME_BYTES_MAX);
    claims->messaging_origin = text_claim(root, "smart_web_messaging_origin", ORIGIN_BYTES_MAX);
    if (!is_for_us(json_object_get(root, "aud")))
        return refuse(why, why_bytes, "aud is not " LAUNCH_AUDIENCE);
    if (!claims->user || !claims->episode || !claims->nonce)
        return refuse(why, why_bytes, "sub, episode or jti is missing or too long");
    if (!claims->role || (strcmp(claims->role, "doctor") != 0 && strcmp(claims->role, "qc") != 0))
        return refuse(why, why_bytes, "role is neither doctor nor qc");
    if (claims->display && !utf8_text_is_plain(claims->display, strlen(claims->display)))
        return refuse(why, why_bytes, "name has characters that show nothing");
    if (!read_departments(json_object_get(root, "departments"), claims))
        return refuse(why, why_bytes, "departments is not a list of names");
    if (claims->messaging_origin && !is_origin(claims->messaging_origin))
        return refuse(why, why_bytes, "smart_web_messaging_origin is no origin");
    return read_times(root, now_s, claims, why, why_bytes);
}

bool launch_token_read(const char *token, const unsigned char *key, size_t key_bytes, int64_t now_s,
                       struct launch_claims *claims, char *why, size_t why_bytes) {
    *claims = (struct launch_claims){0};
    const char *first = strchr(token, '.'), *second = first ? strchr(first + 1, '.') : NULL;
    if (!second || strchr(second + 1, '.') || strlen(token) >= LAUNCH_TOKEN_BYTES_MAX)
        return refuse(why, why_bytes, "it is no JSON Web Token");
    if (!is_our_header(token, (size_t)(first - token)))
        return refuse(why, why_bytes, "its header is not HS256");
    if (!is_signed(token, (size_t)(second - token), second + 1, key, key_bytes))
        return refuse(why, why_bytes, "its signature is wrong");
    claims->root = decode_json(first + 1, (size_t)(second - first - 1));
    if (claims->root && read_claims(claims->root, now_s, claims, why, why_bytes)) return true;
    if (!claims->root) refuse(why, why_bytes, "its claims are no JSON object");
    launch_claims_deinit(claims);
    return false;
}

void launch_claims_deinit(struct launch_claims *claims) {
    json_decref(claims->root);
    *claims = (struct launch_claims){0};
}

bool launch_token_sign(const json_t *claims, const unsigned char *key, size_t key_bytes,
                       char *token, size_t token_bytes) {
    static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
    unsigned char mac[MAC_BYTES];
    char *body = json_dumps(claims, JSON_COMPACT);
    size_t n_body = body ? strlen(body) : 0;
    bool ok = body && (sizeof header + n_body + MAC_BYTES) * 4 / 3 + 8 <= token_bytes;
    if (ok) {
        size_t n = encode((const unsigned char *)header, sizeof header - 1, token);
        token[n++] = '.';
        n += encode((const unsigned char *)body, n_body, token + n);
        ok = gnutls_hmac_fast(GNUTLS_MAC_SHA256, key, key_bytes, token, n, mac) == 0;
        token[n++] = '.';
        n += encode(mac, MAC_BYTES, token + n);
        token[n] = '\0';
    }
    free(body);
    return ok;
}
