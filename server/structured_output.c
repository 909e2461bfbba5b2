// SPDX-License-Identifier: Apache-2.0
#include "server/structured_output.h"

#include "server/file_digest.h"
#include "server/json_dump.h"
#include "server/json_memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

// What a compiled grammar takes grows with its source and, up to a bound, with its use: estimated.
enum {
    KEPT_MAX = 64,
    KEPT_BYTES_MAX = 64 << 20,
    GRAMMAR_BASE_BYTES = 256 << 10,
    BYTES_A_SOURCE_BYTE = 256,
    GRAMMAR_BYTES_MAX = 20 << 20
};

struct kept_grammar {
    unsigned char digest[DIGEST_BYTES];
    xl_grammar *grammar;
    int references;
    size_t size_bytes;  // estimated
    unsigned long used; // when, by counting
};

struct grammar_cache {
    pthread_mutex_t mutex;
    struct kept_grammar *kept[KEPT_MAX]; // each holds one reference
    size_t kept_bytes;
    unsigned long now;
};

bool output_wish_set(struct output_wish *wish, enum output_form form, const char *source,
                     const char *param, struct openai_error *error) {
    if (wish->form != OUTPUT_TEXT)
        return openai_error_set(error, 400, "invalid_value", param,
                                "%s and %s both say how the answer must look; one can", wish->param,
                                param);
    wish->source = strdup(source);
    if (!wish->source) return openai_error_no_memory(error);
    wish->form = form;
    wish->param = param;
    return true;
}

bool output_wish_read_fields(struct output_wish *wish, const json_t *response_format,
                             const json_t *json_schema, const char *grammar,
                             struct openai_error *error) {
    if (response_format && !output_wish_read(wish, response_format, "response_format", error))
        return false;
    if (json_schema && !output_wish_set_schema(wish, json_schema, "json_schema", error))
        return false;
    return !grammar || output_wish_set(wish, OUTPUT_GBNF, grammar, "grammar", error);
}

void output_wish_free(struct output_wish *wish) {
    free(wish->source);
    *wish = (struct output_wish){0};
}

bool output_wish_set_schema(struct output_wish *wish, const json_t *schema, const char *param,
                            struct openai_error *error) {
    if (!json_is_object(schema) && !json_is_boolean(schema))
        return openai_error_set(error, 400, "invalid_type", param, "%s needs a schema (an object)",
                                param);
    char *text = json_dump(schema);
    bool is_set = text ? output_wish_set(wish, OUTPUT_SCHEMA, text, param, error)
                       : openai_error_no_memory(error);
    free(text);
    return is_set;
}

// Keys of the format that no one knows may change what is asked for, so they are refused.
static bool check_keys(const json_t *object, const char *const *known, const char *param,
                       struct openai_error *error) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value) {
        bool is_known = false;
        for (size_t i = 0; known[i]; i++)
            is_known = is_known || strcmp(known[i], key) == 0;
        if (!is_known)
            return openai_error_set(error, 400, "unknown_field", param,
                                    "%s has a field that this server does not know", param);
    }
    return true;
}

bool output_wish_read(struct output_wish *wish, const json_t *format, const char *param,
                      struct openai_error *error) {
    static const char *const outer[] = {"type", "json_schema", "schema", "strict",
                                        "name", "description", NULL};
    static const char *const inner[] = {"schema", "strict", "name", "description", NULL};
    const char *type = json_string_value(json_object_get(format, "type"));
    if (!type)
        return openai_error_set(error, 400, "invalid_type", param,
                                "%s must be an object with a type", param);
    if (!check_keys(format, outer, param, error)) return false;
    const json_t *nested = json_object_get(format, "json_schema");
    const json_t *schema = json_object_get(format, "schema");
    if (strcmp(type, "text") == 0)
        return (!nested && !schema) ||
               openai_error_set(error, 400, "invalid_value", param,
                                "%s has a schema, but the type text; say json_schema", param);
    if (strcmp(type, "json_object") == 0 && !schema && !nested)
        return output_wish_set(wish, OUTPUT_SCHEMA, "{\"type\":\"object\"}", param, error);
    if (strcmp(type, "json_schema") != 0 && strcmp(type, "json_object") != 0)
        return openai_error_set(error, 400, "unsupported_value", param,
                                "%s.type must be text, json_object or json_schema", param);
    if (nested && schema)
        return openai_error_set(error, 400, "invalid_value", param,
                                "%s has two schemas, nested and flat", param);
    if (nested) {
        if (!json_is_object(nested)) return output_wish_set_schema(wish, NULL, param, error);
        if (!check_keys(nested, inner, param, error)) return false;
        schema = json_object_get(nested, "schema");
    }
    return output_wish_set_schema(wish, schema, param, error);
}

struct grammar_cache *grammar_cache_create(void) {
    struct grammar_cache *cache = calloc(1, sizeof *cache);
    if (cache) pthread_mutex_init(&cache->mutex, NULL);
    return cache;
}

static void unreference(struct kept_grammar *kept) {
    if (--kept->references > 0) return;
    xl_grammar_close(kept->grammar);
    free(kept);
}

void grammar_cache_destroy(struct grammar_cache *cache) {
    if (!cache) return;
    for (size_t i = 0; i < KEPT_MAX; i++)
        if (cache->kept[i]) unreference(cache->kept[i]);
    pthread_mutex_destroy(&cache->mutex);
    free(cache);
}

static struct kept_grammar *find(struct grammar_cache *cache, const unsigned char *digest) {
    for (size_t i = 0; i < KEPT_MAX; i++) {
        struct kept_grammar *kept = cache->kept[i];
        if (!kept || memcmp(kept->digest, digest, DIGEST_BYTES) != 0) continue;
        kept->references++;
        kept->used = ++cache->now;
        return kept;
    }
    return NULL;
}

static size_t estimate_bytes(size_t source_bytes) {
    size_t most = (GRAMMAR_BYTES_MAX - GRAMMAR_BASE_BYTES) / BYTES_A_SOURCE_BYTE;
    return GRAMMAR_BASE_BYTES +
           (source_bytes < most ? source_bytes : most) * (size_t)BYTES_A_SOURCE_BYTE;
}

static void drop_oldest(struct grammar_cache *cache) {
    size_t oldest = KEPT_MAX;
    for (size_t i = 0; i < KEPT_MAX; i++)
        if (cache->kept[i] &&
            (oldest == KEPT_MAX || cache->kept[i]->used < cache->kept[oldest]->used))
            oldest = i;
    if (oldest == KEPT_MAX) return;
    cache->kept_bytes -= cache->kept[oldest]->size_bytes;
    unreference(cache->kept[oldest]);
    cache->kept[oldest] = NULL;
}

static size_t find_place(const struct grammar_cache *cache) {
    size_t i = 0;
    while (i < KEPT_MAX && cache->kept[i])
        i++;
    return i;
}

static void keep(struct grammar_cache *cache, struct kept_grammar *kept) {
    while (cache->kept_bytes > KEPT_BYTES_MAX - kept->size_bytes || find_place(cache) == KEPT_MAX)
        drop_oldest(cache);
    kept->references++;
    kept->used = ++cache->now;
    cache->kept_bytes += kept->size_bytes;
    cache->kept[find_place(cache)] = kept;
}

static struct kept_grammar *compile(xl_engine *engine, const struct output_wish *wish,
                                    struct openai_error *error) {
    xl_error engine_error;
    struct kept_grammar *kept = calloc(1, sizeof *kept);
    if (!kept) {
        openai_error_no_memory(error);
        return NULL;
    }
    size_t size = strlen(wish->source);
    xl_status status =
        wish->form == OUTPUT_SCHEMA
            ? xl_grammar_from_json_schema(engine, wish->source, size, &kept->grammar, &engine_error)
            : xl_grammar_from_gbnf(engine, wish->source, size, &kept->grammar, &engine_error);
    kept->references = 1;
    kept->size_bytes = estimate_bytes(size);
    if (status == XL_OK && !json_memory_is_lost()) return kept;
    xl_grammar_close(status == XL_OK ? kept->grammar : NULL);
    free(kept);
    if (json_memory_is_lost()) {
        openai_error_no_memory(error);
        return NULL;
    }
    openai_error_from_engine(error, &engine_error, wish->param);
    if (status == XL_UNSUPPORTED)
        openai_error_set(error, 400, "unsupported_schema", wish->param, "%s", engine_error.message);
    return NULL;
}

struct kept_grammar *grammar_cache_get(struct grammar_cache *cache, xl_engine *engine,
                                       const struct output_wish *wish, struct openai_error *error) {
    unsigned char digest[DIGEST_BYTES];
    bytes_digest(wish->source, strlen(wish->source), digest);
    digest[0] ^= (unsigned char)wish->form;
    pthread_mutex_lock(&cache->mutex);
    struct kept_grammar *kept = find(cache, digest);
    pthread_mutex_unlock(&cache->mutex);
    if (kept) return kept;
    kept = compile(engine, wish, error);
    if (!kept) return NULL;
    memcpy(kept->digest, digest, sizeof digest);
    pthread_mutex_lock(&cache->mutex);
    keep(cache, kept);
    pthread_mutex_unlock(&cache->mutex);
    return kept;
}

const xl_grammar *kept_grammar_use(const struct kept_grammar *kept) {
    return kept->grammar;
}

void kept_grammar_release(struct grammar_cache *cache, struct kept_grammar *kept) {
    if (!kept) return;
    pthread_mutex_lock(&cache->mutex);
    unreference(kept);
    pthread_mutex_unlock(&cache->mutex);
}
