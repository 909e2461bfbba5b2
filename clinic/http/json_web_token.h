// SPDX-License-Identifier: Apache-2.0
// JSON Web Tokens in their compact form (RFC 7515, 7519): taking one apart and putting one
// together, and claims that every kind of token has. Who signed it, with which algorithm and key,
// is for the kinds: launch_token.h (the host's shared key) and cds_token.h (public keys of
// issuers). Whatever fails says why without a word of the token.
#ifndef XL_CLINIC_JSON_WEB_TOKEN_H
#define XL_CLINIC_JSON_WEB_TOKEN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    JWT_BYTES_MAX = 4096,
    JWT_SIGNATURE_BYTES_MAX = 1024,
    JWT_NAME_BYTES_MAX = 128,
    JWT_LIFETIME_SECONDS_MAX = 300,
    JWT_CLOCK_SKEW_SECONDS = 30
};

struct json_web_token {
    const char *text, *claims_text;
    size_t text_bytes, claims_bytes; // what is signed: text, up to the second dot
    unsigned char signature[JWT_SIGNATURE_BYTES_MAX];
    size_t signature_bytes;
    json_t *header;
    const char *algorithm, *key_id; // the header's; key_id may be NULL
};

struct jwt_refusal { // why; borrowed words of the program
    const char *why;
};

// Takes the token apart; its claims are not looked at before somebody has checked the signature.
// `text` must live longer.
bool json_web_token_init(struct json_web_token *token, const char *text,
                         struct jwt_refusal *refusal);
void json_web_token_deinit(struct json_web_token *token);
// A new reference, NULL if they are no JSON object.
json_t *json_web_token_claims(const struct json_web_token *token);
// Writes header and claims with their dots, and room for a signature of so many bytes to come.
// Returns how many bytes are to be signed, 0 if it does not fit.
size_t json_web_token_write(const char *header, const json_t *claims, size_t signature_bytes,
                            char *text, size_t text_bytes);
void json_web_token_sign(char *text, size_t n_signed, const unsigned char *signature,
                         size_t signature_bytes);

// Base64url without padding; strict: no other byte, no bits left over. Returns bytes, or -1.
int base64url_read(const char *text, size_t n, unsigned char *out, size_t out_bytes);

bool jwt_refuse(struct jwt_refusal *refusal, const char *why); // false
// A claim that is a text of 1 to bytes_max bytes, else NULL.
const char *jwt_text(const json_t *claims, const char *name, size_t bytes_max);
// "aud" is this text, or a list with it.
bool jwt_is_for(const json_t *claims, const char *audience);
// iat, exp at most five minutes after it, nbf if it is there.
bool jwt_check_times(const json_t *claims, int64_t now_s, int64_t *expires_s,
                     struct jwt_refusal *refusal);

#endif
