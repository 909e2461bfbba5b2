// SPDX-License-Identifier: Apache-2.0
// Where the fields and records of a good file are. Seeds are our own golden files, so these walks
// need not be defensive beyond staying inside the bytes.
#ifndef XL_TESTS_SEED_MAP_H
#define XL_TESTS_SEED_MAP_H

#include "mutation.h"

// Each takes a document that holds the file's bytes and adds the map.
void seed_map_gguf(struct document *document);
void seed_map_safetensors(struct document *document);
void seed_map_json(struct document *document, size_t begin, size_t end);
// Opcodes from `begin` to STOP; returns the offset behind STOP.
size_t seed_map_pickle(struct document *document, size_t begin, size_t end);
void seed_map_torch_legacy(struct document *document);

// A zip archive as it is: local headers, central directory, end records.
void seed_map_zip(struct document *document);

// A zip archive is taken apart into entries, and put together again around another data.pkl.
enum { ZIP_ENTRIES_MAX = 64 };

struct zip_seed {
    struct document *archive; // the bytes that entries point into
    struct {
        uint32_t name, name_bytes, data, data_bytes;
    } entries[ZIP_ENTRIES_MAX];
    size_t n_entries;
    size_t pickle; // index of data.pkl
};

bool seed_open_zip(struct zip_seed *seed, struct document *archive);
// Writes a stored archive with the map of its headers. `order` picks entries (repeats allowed).
void seed_build_zip(struct document *document, const struct zip_seed *seed, const uint8_t *pickle,
                    size_t pickle_bytes, const size_t *order, size_t n_order);

#endif
