// SPDX-License-Identifier: Apache-2.0
// Launch tokens: a JSON Web Token that a hospital's own system signs with the store's launch.key to
// open a draft window for one doctor and one episode. The algorithm is HS256 and nothing else,
// whatever the token says; the signature is compared in constant time before a claim is looked at.
// Docs: docs/CLINIC.md.
#ifndef XL_CLINIC_LAUNCH_TOKEN_H
#define XL_CLINIC_LAUNCH_TOKEN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAUNCH_AUDIENCE "xinglin-clinic"

enum { LAUNCH_DEPARTMENTS_MAX = 32 };

struct jwt_refusal; // json_web_token.h

struct launch_claims {
    json_t *root;                                                   // all strings are its
    const char *user, *display, *role, *episode, *template, *nonce; // display, template may be NULL
    const char *departments[LAUNCH_DEPARTMENTS_MAX];
    int n_departments;
    const char *messaging_handle, *messaging_origin; // of SMART Web Messaging; may be NULL
    int64_t expires_s;
};

// Claims: aud "xinglin-clinic", sub, role (doctor, qc), departments, episode, iat, exp (at most
// five minutes after iat, both in seconds), jti; name, template, nbf, smart_web_messaging_handle
// and _origin if there are any.
bool launch_token_read(const char *token, const unsigned char *key, size_t key_bytes, int64_t now_s,
                       struct launch_claims *claims, struct jwt_refusal *refusal);
void launch_claims_deinit(struct launch_claims *claims);
// Signs any claims; false if they do not fit.
bool launch_token_sign(const json_t *claims, const unsigned char *key, size_t key_bytes,
                       char *token, size_t token_bytes);

#endif
