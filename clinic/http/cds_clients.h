// SPDX-License-Identifier: Apache-2.0
// Systems that call CDS Hooks with tokens they sign themselves (CDS Hooks 2.0, "Trusting CDS
// Clients"): names and public keys from a file of the operator's. Nothing is fetched: what a token
// says of where its key is ("jku") counts for nothing. The key decides the algorithm: ES384 of
// P-384, RS384 of RSA. Any thread.
#ifndef XL_CLINIC_CDS_CLIENTS_H
#define XL_CLINIC_CDS_CLIENTS_H

#include "clinic/http/json_web_token.h"
#include "clinic/record/clinic_error.h"

struct cds_clients;

// {"format": "xinglin-cds-clients", "version": 1, "clients": [{"iss": "https://his.example.org",
// "keys": [JSON Web Keys with "kid"]}]}. NULL with an error that names the file and the place.
struct cds_clients *cds_clients_open(const char *path, struct clinic_error *error);
void cds_clients_close(struct cds_clients *clients); // NULL is allowed

struct cds_caller {
    char issuer[JWT_NAME_BYTES_MAX + 1], nonce[JWT_NAME_BYTES_MAX + 1]; // iss, jti
    int64_t expires_s;
};
// Signature by a client's key, iss that client, aud this address, times. Whether the nonce was used
// before is for the caller to ask.
bool cds_clients_check(struct cds_clients *clients, const char *token, const char *audience,
                       int64_t now_s, struct cds_caller *caller, struct jwt_refusal *refusal);

#endif
