// SPDX-License-Identifier: Apache-2.0
#include "clinic/http/launch_token.h"

#include "clinic/http/json_web_token.h"
#include "clinic/record/utf8_text.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>

enum { MAC_BYTES = 32, ORIGIN_BYTES_MAX = 256 };

// Constant time; the algorithm is this one, whatever the token says.
static bool is_signed(const struct json_web_token *token, const unsigned char *key,
                      size_t key_bytes) {
    unsigned char right[MAC_BYTES];
    return strcmp(token->algorithm, "HS256") == 0 && token->signature_bytes == MAC_BYTES &&
           gnutls_hmac_fast(GNUTLS_MAC_SHA256, key, key_bytes, token->text, token->text_bytes,
                            right) == 0 &&
           gnutls_memcmp(token->signature, right, MAC_BYTES) == 0;
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

static bool read_claims(const json_t *root, int64_t now_s, struct launch_claims *claims,
                        struct jwt_refusal *refusal) {
    claims->user = jwt_text(root, "sub", 64);
    claims->display = jwt_text(root, "name", JWT_NAME_BYTES_MAX);
    claims->role = jwt_text(root, "role", 16);
    claims->episode = jwt_text(root, "episode", JWT_NAME_BYTES_MAX);
    claims->template = jwt_text(root, "template", 64);
    claims->nonce = jwt_text(root, "jti", JWT_NAME_BYTES_MAX);
    claims->messaging_handle = jwt_text(root, "smart_web_messaging_handle", JWT_NAME_BYTES_MAX);
    claims->messaging_origin = jwt_text(root, "smart_web_messaging_origin", ORIGIN_BYTES_MAX);
    if (!jwt_is_for(root, LAUNCH_AUDIENCE))
        return jwt_refuse(refusal, "aud is not " LAUNCH_AUDIENCE);
    if (!claims->user || !claims->episode || !claims->nonce)
        return jwt_refuse(refusal, "sub, episode or jti is missing or too long");
    if (!claims->role || (strcmp(claims->role, "doctor") != 0 && strcmp(claims->role, "qc") != 0))
        return jwt_refuse(refusal, "role is neither doctor nor qc");
    if (claims->display && !utf8_text_is_plain(claims->display, strlen(claims->display)))
        return jwt_refuse(refusal, "name has characters that show nothing");
    if (!read_departments(json_object_get(root, "departments"), claims))
        return jwt_refuse(refusal, "departments is not a list of names");
    if (claims->messaging_origin && !is_origin(claims->messaging_origin))
        return jwt_refuse(refusal, "smart_web_messaging_origin is no origin");
    return jwt_check_times(root, now_s, &claims->expires_s, refusal);
}

bool launch_token_read(const char *token, const unsigned char *key, size_t key_bytes, int64_t now_s,
                       struct launch_claims *claims, struct jwt_refusal *refusal) {
    struct json_web_token parts;
    *claims = (struct launch_claims){0};
    if (!json_web_token_init(&parts, token, refusal)) return false;
    bool ok = is_signed(&parts, key, key_bytes) ||
              jwt_refuse(refusal, "it is not signed with launch.key by HS256");
    if (ok) claims->root = json_web_token_claims(&parts);
    json_web_token_deinit(&parts);
    if (!ok) return false;
    if (claims->root && read_claims(claims->root, now_s, claims, refusal)) return true;
    if (!claims->root) jwt_refuse(refusal, "its claims are no JSON object");
    launch_claims_deinit(claims);
    return false;
}

void launch_claims_deinit(struct launch_claims *claims) {
    json_decref(claims->root);
    *claims = (struct launch_claims){0};
}

bool launch_token_sign(const json_t *claims, const unsigned char *key, size_t key_bytes,
                       char *token, size_t token_bytes) {
    unsigned char mac[MAC_BYTES];
    size_t n = json_web_token_write("{\"alg\":\"HS256\",\"typ\":\"JWT\"}", claims, MAC_BYTES, token,
                                    token_bytes);
    if (n == 0 || gnutls_hmac_fast(GNUTLS_MAC_SHA256, key, key_bytes, token, n, mac) != 0)
        return false;
    json_web_token_sign(token, n, mac, MAC_BYTES);
    return true;
}
