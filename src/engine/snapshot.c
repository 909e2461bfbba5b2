// SPDX-License-Identifier: Apache-2.0
// A session as bytes: header, tokens, logits, then the used part of every head's keys and values.
// The header names the model by a fingerprint and closes with a checksum over everything else, so a
// damaged or foreign snapshot is refused before a byte of it is used.
//
//   magic[8] version fingerprint checksum            u64 each but the magic
//   kv_dtype n_layers n_kv_heads head_dim            i32 each
//   n_used n_vocab has_logits unfed                  i32 each
//   tokens i32[n_used]   logits f32[n_vocab] if has_logits
//   per layer and head: keys, values and scales of whole tiles (numeric/kv_tiles.h), with zeros
//   from n_used on
#include "base/hash64.h"
#include "engine/engine.h"
#include "model/family.h"

#include <stdlib.h>
#include <string.h>

static const char SNAPSHOT_MAGIC[8] = "XLSNAP\r\n";
enum { SNAPSHOT_VERSION = 2 };

struct snapshot_header {
    char magic[8];
    uint64_t version, fingerprint;
    uint64_t checksum; // of the whole snapshot with this field 0
    int32_t kv_dtype, n_layers, n_kv_heads, head_dim;
    int32_t n_used, n_vocab, has_logits, unfed;
};
_Static_assert(sizeof(struct snapshot_header) == 64, "no padding in a file format");

static uint64_t hash_tensor(const struct checkpoint_tensor *tensor, uint64_t hash) {
    enum { SAMPLE_BYTES = 64 }; // of both ends: reading all weights would cost seconds
    hash = hash64(tensor->name, strlen(tensor->name), hash);
    hash = hash64(&tensor->dtype, sizeof tensor->dtype, hash);
    hash = hash64(tensor->shape, (size_t)tensor->n_dims * sizeof *tensor->shape, hash);
    if (!tensor->data || tensor->size_bytes < SAMPLE_BYTES) return hash;
    hash = hash64(tensor->data, SAMPLE_BYTES, hash);
    return hash64(tensor->data + tensor->size_bytes - SAMPLE_BYTES, SAMPLE_BYTES, hash);
}

// The same weights read by another blueprint (rotary scaling, window) fill a cache differently. The
// blueprint was zeroed before it was filled, so its padding is the same every time.
static uint64_t hash_blueprint(const struct model_config *config, uint64_t hash) {
    struct model_config copy;
    memcpy(&copy, config, sizeof copy); // with its padding
    hash = hash64(config->family->name, strlen(config->family->name), hash);
    copy.family = NULL; // an address
    memset(copy.name, 0, sizeof copy.name);
    return hash64(&copy, sizeof copy, hash);
}

uint64_t engine_fingerprint(const struct xl_engine *engine) {
    size_t n_tensors = checkpoint_n_tensors(engine->checkpoint);
    // Levels round differently: a cache made by one is not continued by another.
    uint64_t hash = hash64(&engine->kernels.isa, sizeof engine->kernels.isa, n_tensors);
    hash = hash_blueprint(model_configuration(engine->model), hash);
    for (size_t i = 0; i < n_tensors; i++)
        hash = hash_tensor(checkpoint_tensor_at(engine->checkpoint, i), hash);
    return hash;
}

static enum status hash_weights(const struct checkpoint *checkpoint,
                                const struct checkpoint_tensor *tensor, uint64_t *hash,
                                struct error *err) {
    if (tensor->data) {
        *hash = hash64(tensor->data, tensor->size_bytes, *hash);
        checkpoint_release(checkpoint, tensor);
        return STATUS_OK;
    }
    void *copy = malloc(tensor->size_bytes ? tensor->size_bytes : 1);
    if (!copy) return error_no_memory(err, "a tensor to be hashed", tensor->size_bytes);
    enum status status = checkpoint_read(checkpoint, tensor, copy, err);
    if (status == STATUS_OK) *hash = hash64(copy, tensor->size_bytes, *hash);
    free(copy);
    return status;
}

enum status engine_fingerprint_whole(const struct xl_engine *engine, uint64_t *fingerprint,
                                     struct error *err) {
    uint64_t hash = engine_fingerprint(engine);
    for (size_t i = 0; i < checkpoint_n_tensors(engine->checkpoint); i++)
        TRY(hash_weights(engine->checkpoint, checkpoint_tensor_at(engine->checkpoint, i), &hash,
                         err));
    *fingerprint = hash;
    return STATUS_OK;
}

static struct snapshot_header describe(const struct xl_session *session) {
    const struct kv_cache *cache = &session->cache;
    struct snapshot_header header = {
        .version = SNAPSHOT_VERSION,
        .fingerprint = engine_fingerprint(session->engine),
        .kv_dtype = (int32_t)cache->layout.dtype,
        .n_layers = cache->layout.n_layers,
        .n_kv_heads = cache->layout.n_kv_heads,
        .head_dim = cache->layout.head_dim,
        .n_used = cache->n_used,
        .n_vocab = model_configuration(session->engine->model)->n_vocab,
        .has_logits = session->has_logits,
        .unfed = session->unfed,
    };
    memcpy(header.magic, SNAPSHOT_MAGIC, sizeof header.magic);
    return header;
}

// Bytes of one head at n_used positions.
static size_t head_bytes(const struct kv_cache *cache, int n_used) {
    size_t size = 0;
    for (int part = 0; part < KV_PARTS; part++)
        size += kv_layout_part_bytes(&cache->layout, (enum kv_part)part, n_used);
    return size;
}

static size_t snapshot_bytes(const struct kv_cache *cache, const struct snapshot_header *header) {
    size_t heads = (size_t)cache->layout.n_layers * (size_t)cache->layout.n_kv_heads;
    return sizeof *header + (size_t)header->n_used * sizeof(int32_t) +
           (header->has_logits ? (size_t)header->n_vocab * sizeof(float) : 0) +
           heads * head_bytes(cache, header->n_used);
}

// Copies the first n_positions of a part of a head, page by page; returns where the bytes go on.
static uint8_t *copy_part(const struct kv_cache *cache, int layer, int kv_head, enum kv_part part,
                          int n_positions, uint8_t *bytes, bool to_bytes) {
    for (int done = 0; done < n_positions; done += KV_PAGE) {
        int left = n_positions - done;
        size_t size;
        uint8_t *memory = kv_cache_part(cache, done / KV_PAGE, layer, kv_head, part,
                                        left < KV_PAGE ? left : KV_PAGE, &size);
        memcpy(to_bytes ? bytes : memory, to_bytes ? memory : bytes, size);
        bytes += size;
    }
    return bytes;
}

// Copies between the session and the bytes after the header, in either direction.
static void copy_payload(struct xl_session *session, const struct snapshot_header *header,
                         uint8_t *bytes, bool to_bytes) {
    const struct kv_cache *cache = &session->cache;
    size_t part = (size_t)header->n_used * sizeof(int32_t);
    memcpy(to_bytes ? bytes : (void *)session->tokens, to_bytes ? (void *)session->tokens : bytes,
           part);
    bytes += part;
    part = header->has_logits ? (size_t)header->n_vocab * sizeof(float) : 0;
    memcpy(to_bytes ? bytes : (void *)session->logits, to_bytes ? (void *)session->logits : bytes,
           part);
    bytes += part;
    for (int layer = 0; layer < cache->layout.n_layers; layer++)
        for (int head = 0; head < cache->layout.n_kv_heads; head++)
            for (int i = 0; i < KV_PARTS; i++)
                bytes =
                    copy_part(cache, layer, head, (enum kv_part)i, header->n_used, bytes, to_bytes);
}

static uint64_t checksum_of(struct snapshot_header header, const uint8_t *data, size_t size_bytes) {
    header.checksum = 0;
    uint64_t hash = hash64(&header, sizeof header, 0);
    return hash64(data + sizeof header, size_bytes - sizeof header, hash);
}

xl_status xl_session_snapshot(const xl_session *session, void **data, size_t *size_bytes,
                              xl_error *error) {
    struct error err = {0};
    if (!session || !data || !size_bytes || session->is_broken)
        return engine_report(
            error, error_set(&err, STATUS_USAGE, "no whole session to take a snapshot of"), &err);
    // What a caller sees of the session stays as it is.
    struct xl_session *own = (struct xl_session *)session;
    enum status status = kv_cache_clear_rest(&own->cache, &err);
    if (status != STATUS_OK) return engine_report(error, status, &err);
    struct snapshot_header header = describe(session);
    size_t size = snapshot_bytes(&session->cache, &header);
    uint8_t *bytes = malloc(size);
    if (!bytes) return engine_report(error, error_no_memory(&err, "a snapshot", size), &err);
    copy_payload(own, &header, bytes + sizeof header, true);
    header.checksum = checksum_of(header, bytes, size);
    memcpy(bytes, &header, sizeof header);
    *data = bytes;
    *size_bytes = size;
    return engine_report(error, STATUS_OK, NULL);
}

static enum status check_snapshot(const struct xl_session *session, const uint8_t *data,
                                  size_t size_bytes, struct snapshot_header *header,
                                  struct error *err) {
    struct snapshot_header expected = describe(session);
    if (!data || size_bytes < sizeof *header)
        return error_set(err, STATUS_BAD_INPUT, "a snapshot of %zu bytes is cut off", size_bytes);
    memcpy(header, data, sizeof *header);
    if (memcmp(header->magic, SNAPSHOT_MAGIC, sizeof header->magic) != 0)
        return error_set(err, STATUS_BAD_INPUT, "these bytes are no snapshot of a session");
    if (header->version != SNAPSHOT_VERSION)
        return error_set(err, STATUS_BAD_INPUT, "a snapshot of version %llu; this program reads %d",
                         (unsigned long long)header->version, SNAPSHOT_VERSION);
    if (header->fingerprint != expected.fingerprint || header->kv_dtype != expected.kv_dtype ||
        header->n_layers != expected.n_layers || header->n_kv_heads != expected.n_kv_heads ||
        header->head_dim != expected.head_dim || header->n_vocab != expected.n_vocab)
        return error_set(err, STATUS_BAD_INPUT,
                         "the snapshot belongs to another model, KV type or kernel level");
    if (header->n_used < 0 || header->n_used > session->engine->context)
        return error_set(err, STATUS_BAD_INPUT,
                         "the snapshot holds %d tokens, but the context holds %d; raise it (-c)",
                         header->n_used, session->engine->context);
    if (header->unfed < -1 || header->unfed >= header->n_vocab || header->has_logits < 0 ||
        header->has_logits > 1 || size_bytes != snapshot_bytes(&session->cache, header))
        return error_set(err, STATUS_BAD_INPUT, "a snapshot of %zu bytes has the wrong length",
                         size_bytes);
    if (header->checksum != checksum_of(*header, data, size_bytes))
        return error_set(err, STATUS_BAD_INPUT, "the snapshot is damaged: its checksum differs");
    return STATUS_OK;
}

// A checksum finds damage, not intent.
static bool tokens_are_known(const uint8_t *data, const struct snapshot_header *header) {
    const uint8_t *bytes = data + sizeof *header;
    for (int i = 0; i < header->n_used; i++) {
        int32_t token;
        memcpy(&token, bytes + (size_t)i * sizeof token, sizeof token);
        if (token < 0 || token >= header->n_vocab) return false;
    }
    return true;
}

xl_status xl_session_restore(xl_session *session, const void *data, size_t size_bytes,
                             xl_error *error) {
    struct error err = {0};
    struct snapshot_header header;
    if (!session)
        return engine_report(error, error_set(&err, STATUS_USAGE, "no session to restore"), &err);
    kv_cache_rewind(&session->cache, 0);
    session->has_logits = session->is_broken = false;
    session->unfed = -1;
    enum status status = check_snapshot(session, data, size_bytes, &header, &err);
    if (status != STATUS_OK) return engine_report(error, status, &err);
    if (!tokens_are_known(data, &header)) {
        status = error_set(&err, STATUS_BAD_INPUT, "the snapshot holds tokens beyond 0 to %d",
                           header.n_vocab - 1);
        return engine_report(error, status, &err);
    }
    status = kv_cache_reserve(&session->cache, header.n_used, &err);
    if (status != STATUS_OK) return engine_report(error, status, &err);
    copy_payload(session, &header, (uint8_t *)data + sizeof header, false);
    session->cache.n_used = header.n_used;
    session->has_logits = header.has_logits;
    session->unfed = header.unfed;
    return engine_report(error, STATUS_OK, NULL);
}
