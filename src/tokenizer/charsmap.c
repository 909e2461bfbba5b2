// SPDX-License-Identifier: Apache-2.0
// A unit of the double array: bit 31 with bits 0-7 is the label, bit 8 says that a value hangs
// below, bits 10-30 (shifted by 8 if bit 9 is set) lead to the children; a value unit holds 31
// bits.
#include "tokenizer/charsmap.h"

#include "base/bytes.h"

#include <string.h>

enum status charsmap_open(struct charsmap *map, const uint8_t *data, size_t size_bytes,
                          struct error *err) {
    memset(map, 0, sizeof *map);
    if (size_bytes == 0) return STATUS_OK;
    struct bytes_reader reader = {data, size_bytes, 0};
    uint32_t trie_bytes;
    if (!bytes_read_u32(&reader, &trie_bytes) || trie_bytes % 4 != 0 || trie_bytes == 0 ||
        trie_bytes >= bytes_left(&reader))
        return error_set(err, STATUS_BAD_INPUT,
                         "precompiled_charsmap: its trie does not fit into its %zu bytes",
                         size_bytes);
    map->units = data + 4;
    map->n_units = trie_bytes / 4;
    map->forms = (const char *)data + 4 + trie_bytes;
    map->forms_bytes = size_bytes - 4 - trie_bytes;
    if (map->forms[map->forms_bytes - 1] != '\0')
        return error_set(err, STATUS_BAD_INPUT, "precompiled_charsmap: its last text has no end");
    return STATUS_OK;
}

static bool read_unit(const struct charsmap *map, size_t index, uint32_t *unit) {
    struct bytes_reader reader = {map->units, map->n_units * 4, index * 4};
    return index < map->n_units && bytes_read_u32(&reader, unit);
}

static size_t children_of(uint32_t unit) {
    return (size_t)(unit >> 10) << ((unit & 0x200u) >> 6);
}

size_t charsmap_match(const struct charsmap *map, const char *text, size_t text_bytes, bool longest,
                      const char **form, size_t *form_bytes) {
    uint32_t unit;
    size_t length = 0;
    if (!read_unit(map, 0, &unit)) return 0;
    size_t node = children_of(unit);
    for (size_t i = 0; i < text_bytes; i++) {
        uint8_t byte = (uint8_t)text[i];
        node ^= byte;
        if (byte == 0 || !read_unit(map, node, &unit) || (unit & 0x800000ffu) != byte) break;
        node ^= children_of(unit);
        uint32_t value;
        if ((unit & 0x100u) == 0 || !read_unit(map, node, &value)) continue;
        value &= 0x7fffffffu;
        if (value >= map->forms_bytes) continue;
        *form = map->forms + value;
        *form_bytes = strlen(*form);
        length = i + 1;
        if (!longest) break;
    }
    return length;
}
