// SPDX-License-Identifier: Apache-2.0
#include "clinic/http/json_web_token.h"

#include <stdlib.h>
#include <string.h>

bool jwt_refuse(struct jwt_refusal *refusal, const char *why) {
    refusal->why = why;
    return false;
}

static int value_of(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

int base64url_read(const char *text, size_t n, unsigned char *out, size_t out_bytes) {
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
    unsigned char bytes[JWT_BYTES_MAX];
    int n_bytes = base64url_read(text, n, bytes, sizeof bytes);
    if (n_bytes < 0) return NULL;
    json_t *root = json_loadb((char *)bytes, (size_t)n_bytes, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(root)) return root;
    json_decref(root);
    return NULL;
}

// What the header asks to be understood ("crit") nobody here understands.
static bool read_header(struct json_web_token *token, const char *text, size_t bytes) {
    token->header = decode_json(text, bytes);
    const json_t *type = json_object_get(token->header, "typ");
    token->algorithm = json_string_value(json_object_get(token->header, "alg"));
    token->key_id = jwt_text(token->header, "kid", JWT_NAME_BYTES_MAX);
    return token->algorithm &&
           (!type || (json_is_string(type) && strcmp(json_string_value(type), "JWT") == 0)) &&
           !json_object_get(token->header, "crit");
}

bool json_web_token_init(struct json_web_token *token, const char *text,
                         struct jwt_refusal *refusal) {
    *token = (struct json_web_token){.text = text};
    const char *first = strchr(text, '.'), *second = first ? strchr(first + 1, '.') : NULL;
    if (!second || strchr(second + 1, '.') || strlen(text) >= JWT_BYTES_MAX)
        return jwt_refuse(refusal, "it is no JSON Web Token");
    token->text_bytes = (size_t)(second - text);
    token->claims_text = first + 1;
    token->claims_bytes = (size_t)(second - first - 1);
    int n =
        base64url_read(second + 1, strlen(second + 1), token->signature, sizeof token->signature);
    if (n > 0) token->signature_bytes = (size_t)n;
    if (n > 0 && read_header(token, text, (size_t)(first - text))) return true;
    json_web_token_deinit(token);
    return jwt_refuse(refusal, "it has no header of a JSON Web Token, or no signature");
}

void json_web_token_deinit(struct json_web_token *token) {
    json_decref(token->header);
    *token = (struct json_web_token){0};
}

json_t *json_web_token_claims(const struct json_web_token *token) {
    return decode_json(token->claims_text, token->claims_bytes);
}

size_t json_web_token_write(const char *header, const json_t *claims, size_t signature_bytes,
                            char *text, size_t text_bytes) {
    char *body = json_dumps(claims, JSON_COMPACT);
    size_t n_header = strlen(header), n_body = body ? strlen(body) : 0, n = 0;
    if (body && (n_header + n_body + signature_bytes) * 4 / 3 + 16 <= text_bytes) {
        n = encode((const unsigned char *)header, n_header, text);
        text[n++] = '.';
        n += encode((const unsigned char *)body, n_body, text + n);
        text[n] = '\0';
    }
    free(body);
    return n;
}

void json_web_token_sign(char *text, size_t n_signed, const unsigned char *signature,
                         size_t signature_bytes) {
    text[n_signed] = '.';
    size_t n = n_signed + 1 + encode(signature, signature_bytes, text + n_signed + 1);
    text[n] = '\0';
}

const char *jwt_text(const json_t *claims, const char *name, size_t bytes_max) {
    const json_t *value = json_object_get(claims, name);
    const char *text = json_string_value(value);
    size_t n = json_string_length(value);
    return text && n > 0 && n <= bytes_max && strlen(text) == n ? text : NULL;
}

static bool is_text(const json_t *value, const char *text) {
    return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

bool jwt_is_for(const json_t *claims, const char *audience) {
    const json_t *named = json_object_get(claims, "aud"), *each;
    size_t i;
    if (is_text(named, audience)) return true;
    json_array_foreach((json_t *)named, i, each) {
        if (is_text(each, audience)) return true;
    }
    return false;
}

bool jwt_check_times(const json_t *claims, int64_t now_s, int64_t *expires_s,
                     struct jwt_refusal *refusal) {
    const json_t *issued = json_object_get(claims, "iat"),
                 *expires = json_object_get(claims, "exp"),
                 *begins = json_object_get(claims, "nbf");
    if (!json_is_integer(issued) || !json_is_integer(expires))
        return jwt_refuse(refusal, "iat and exp must be whole seconds");
    int64_t from_s = json_integer_value(issued), to_s = json_integer_value(expires);
    // Bounds first: differences of wild numbers would overflow.
    if (from_s < 0 || to_s < from_s || to_s > now_s + (1 << 20) ||
        to_s - from_s > JWT_LIFETIME_SECONDS_MAX)
        return jwt_refuse(refusal, "exp is more than five minutes after iat, or before it");
    if (from_s > now_s + JWT_CLOCK_SKEW_SECONDS) return jwt_refuse(refusal, "iat lies ahead");
    if (begins &&
        (!json_is_integer(begins) || json_integer_value(begins) > now_s + JWT_CLOCK_SKEW_SECONDS))
        return jwt_refuse(refusal, "nbf lies ahead, or is no whole second");
    if (to_s <= now_s) return jwt_refuse(refusal, "it has expired");
    *expires_s = to_s;
    return true;
}
