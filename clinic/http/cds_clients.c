// SPDX-License-Identifier: Apache-2.0
#include "clinic/http/cds_clients.h"

#include "clinic/record/utf8_text.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLIENTS_MAX = 64,
    KEYS_MAX = 256,
    RSA_BITS_MIN = 2048,
    P384_BYTES = 48,
    NUMBER_BYTES = 1024
};

struct client_key {
    const char *issuer, *id; // of the file's JSON
    gnutls_pubkey_t key;
    bool is_rsa;
};

struct cds_clients {
    json_t *root;
    pthread_mutex_t mutex; // of GnuTLS' key objects
    struct client_key keys[KEYS_MAX];
    int n_keys;
};

// ---- The file

struct key_numbers { // two of them: x and y, or modulus and exponent
    unsigned char bytes[2][NUMBER_BYTES];
    gnutls_datum_t data[2];
};

static bool read_number(const json_t *key, const char *name, struct key_numbers *numbers, int at) {
    const json_t *value = json_object_get(key, name);
    int n = json_is_string(value)
                ? base64url_read(json_string_value(value), json_string_length(value),
                                 numbers->bytes[at], NUMBER_BYTES)
                : -1;
    numbers->data[at] = (gnutls_datum_t){numbers->bytes[at], n > 0 ? (unsigned)n : 0};
    return n > 0;
}

static bool is_word(const json_t *key, const char *name, const char *word) {
    const char *text = json_string_value(json_object_get(key, name));
    return text && strcmp(text, word) == 0;
}

static bool is_absent_or(const json_t *key, const char *name, const char *word) {
    return !json_object_get(key, name) || is_word(key, name, word);
}

static const char *import_ec(const json_t *key, gnutls_pubkey_t out) {
    struct key_numbers point;
    if (!is_word(key, "crv", "P-384") || !is_absent_or(key, "alg", "ES384"))
        return "an EC key must be of P-384, for ES384";
    if (!read_number(key, "x", &point, 0) || !read_number(key, "y", &point, 1) ||
        point.data[0].size != P384_BYTES || point.data[1].size != P384_BYTES ||
        gnutls_pubkey_import_ecc_raw(out, GNUTLS_ECC_CURVE_SECP384R1, &point.data[0],
                                     &point.data[1]) != 0 ||
        gnutls_pubkey_verify_params(out) != 0)
        return "x and y are no point of P-384";
    return NULL;
}

static const char *import_rsa(const json_t *key, gnutls_pubkey_t out) {
    struct key_numbers numbers;
    unsigned bits = 0;
    if (!is_absent_or(key, "alg", "RS384")) return "an RSA key must be for RS384";
    if (!read_number(key, "n", &numbers, 0) || !read_number(key, "e", &numbers, 1) ||
        gnutls_pubkey_import_rsa_raw(out, &numbers.data[0], &numbers.data[1]) != 0 ||
        gnutls_pubkey_get_pk_algorithm(out, &bits) != GNUTLS_PK_RSA)
        return "n and e are no RSA key";
    return bits < RSA_BITS_MIN ? "an RSA key needs 2048 bits" : NULL;
}

// What is wrong with the key, or NULL.
static const char *read_key(struct cds_clients *clients, const char *issuer, const json_t *key) {
    struct client_key *out = &clients->keys[clients->n_keys];
    if (clients->n_keys == KEYS_MAX) return "there are too many keys";
    *out = (struct client_key){.issuer = issuer, .id = jwt_text(key, "kid", JWT_NAME_BYTES_MAX)};
    if (!out->id) return "kid is missing";
    if (json_object_get(key, "d")) return "this is a private key; it belongs to its owner only";
    if (!is_absent_or(key, "use", "sig")) return "use is not sig";
    out->is_rsa = is_word(key, "kty", "RSA");
    if (!out->is_rsa && !is_word(key, "kty", "EC")) return "kty is neither EC nor RSA";
    if (gnutls_pubkey_init(&out->key) != 0) return "out of memory";
    clients->n_keys++; // from here it is closed with the others
    return out->is_rsa ? import_rsa(key, out->key) : import_ec(key, out->key);
}

static bool read_client(struct cds_clients *clients, const json_t *client, size_t number,
                        struct clinic_error *error) {
    const char *issuer = jwt_text(client, "iss", JWT_NAME_BYTES_MAX);
    const json_t *keys = json_object_get(client, "keys"), *key;
    size_t i;
    if (!issuer || !utf8_text_is_plain(issuer, strlen(issuer)))
        return clinic_fail(error, CLINIC_BAD_INPUT, "clients[%zu].iss is no name", number);
    if (json_array_size(keys) == 0)
        return clinic_fail(error, CLINIC_BAD_INPUT, "clients[%zu].keys is no list of keys", number);
    json_array_foreach((json_t *)keys, i, key) {
        const char *why = read_key(clients, issuer, key);
        if (why)
            return clinic_fail(error, CLINIC_BAD_INPUT, "clients[%zu].keys[%zu]: %s", number, i,
                               why);
    }
    return true;
}

static bool read_clients(struct cds_clients *clients, struct clinic_error *error) {
    const json_t *list = json_object_get(clients->root, "clients"), *client;
    size_t i;
    if (!is_word(clients->root, "format", "xinglin-cds-clients") ||
        json_integer_value(json_object_get(clients->root, "version")) != 1)
        return clinic_fail(error, CLINIC_BAD_INPUT,
                           "it has not \"format\": \"xinglin-cds-clients\", \"version\": 1");
    if (json_array_size(list) == 0 || json_array_size(list) > CLIENTS_MAX)
        return clinic_fail(error, CLINIC_BAD_INPUT, "clients is no list of 1 to %d", CLIENTS_MAX);
    json_array_foreach((json_t *)list, i, client) {
        if (!read_client(clients, client, i, error)) return false;
    }
    return true;
}

struct cds_clients *cds_clients_open(const char *path, struct clinic_error *error) {
    struct cds_clients *clients = calloc(1, sizeof *clients);
    struct clinic_error problem = {.message = "out of memory"};
    json_error_t where;
    if (clients) {
        pthread_mutex_init(&clients->mutex, NULL);
        clients->root = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
        if (!clients->root)
            clinic_fail(&problem, CLINIC_BAD_INPUT, "it is not there or no JSON (line %d)",
                        where.line);
        if (clients->root && read_clients(clients, &problem)) return clients;
    }
    clinic_fail(error, CLINIC_BAD_INPUT, "%.100s: %.140s", path, problem.message);
    cds_clients_close(clients);
    return NULL;
}

void cds_clients_close(struct cds_clients *clients) {
    if (!clients) return;
    for (int i = 0; i < clients->n_keys; i++)
        gnutls_pubkey_deinit(clients->keys[i].key);
    json_decref(clients->root);
    pthread_mutex_destroy(&clients->mutex);
    free(clients);
}

// ---- Tokens

static bool is_right_rsa(const struct client_key *key, const struct json_web_token *token,
                         const gnutls_datum_t *text) {
    gnutls_datum_t signature = {(unsigned char *)token->signature,
                                (unsigned)token->signature_bytes};
    return strcmp(token->algorithm, "RS384") == 0 &&
           gnutls_pubkey_verify_data2(key->key, GNUTLS_SIGN_RSA_SHA384, 0, text, &signature) >= 0;
}

// Its two numbers stand there one behind the other; GnuTLS wants them in ASN.1.
static bool is_right_ec(const struct client_key *key, const struct json_web_token *token,
                        const gnutls_datum_t *text) {
    unsigned char *bytes = (unsigned char *)token->signature;
    gnutls_datum_t r = {bytes, P384_BYTES}, s = {bytes + P384_BYTES, P384_BYTES}, signature;
    if (strcmp(token->algorithm, "ES384") != 0 || token->signature_bytes != 2 * P384_BYTES ||
        gnutls_encode_rs_value(&signature, &r, &s) != 0)
        return false;
    bool is_right =
        gnutls_pubkey_verify_data2(key->key, GNUTLS_SIGN_ECDSA_SHA384, 0, text, &signature) >= 0;
    gnutls_free(signature.data);
    return is_right;
}

// Two clients may have given their keys the same name.
static const struct client_key *find_signer(struct cds_clients *clients,
                                            const struct json_web_token *token) {
    gnutls_datum_t text = {(unsigned char *)token->text, (unsigned)token->text_bytes};
    const struct client_key *signer = NULL;
    pthread_mutex_lock(&clients->mutex);
    for (int i = 0; i < clients->n_keys && token->key_id && !signer; i++) {
        const struct client_key *key = &clients->keys[i];
        if (strcmp(key->id, token->key_id) != 0) continue;
        if (key->is_rsa ? is_right_rsa(key, token, &text) : is_right_ec(key, token, &text))
            signer = key;
    }
    pthread_mutex_unlock(&clients->mutex);
    return signer;
}

static bool read_claims(const json_t *claims, const char *issuer, const char *audience,
                        int64_t now_s, struct cds_caller *caller, struct jwt_refusal *refusal) {
    const char *named = jwt_text(claims, "iss", JWT_NAME_BYTES_MAX),
               *nonce = jwt_text(claims, "jti", JWT_NAME_BYTES_MAX);
    if (!named || strcmp(named, issuer) != 0)
        return jwt_refuse(refusal, "iss is not the client whose key has signed it");
    if (!jwt_is_for(claims, audience))
        return jwt_refuse(refusal, "aud is not the address that was called");
    if (!nonce) return jwt_refuse(refusal, "jti is missing or too long");
    snprintf(caller->issuer, sizeof caller->issuer, "%s", issuer);
    snprintf(caller->nonce, sizeof caller->nonce, "%s", nonce);
    return jwt_check_times(claims, now_s, &caller->expires_s, refusal);
}

bool cds_clients_check(struct cds_clients *clients, const char *token, const char *audience,
                       int64_t now_s, struct cds_caller *caller, struct jwt_refusal *refusal) {
    struct json_web_token parts;
    *caller = (struct cds_caller){.expires_s = 0};
    if (!json_web_token_init(&parts, token, refusal)) return false;
    const struct client_key *signer = find_signer(clients, &parts);
    json_t *claims = signer ? json_web_token_claims(&parts) : NULL;
    bool ok = claims ? read_claims(claims, signer->issuer, audience, now_s, caller, refusal)
                     : jwt_refuse(refusal, signer ? "its claims are no JSON object"
                                                  : "no client's key named by kid has signed it");
    json_decref(claims);
    json_web_token_deinit(&parts);
    return ok;
}
