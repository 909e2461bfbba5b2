// SPDX-License-Identifier: Apache-2.0
// See json_text.h.
#include "engine/json_text.h"

#include "base/buffer.h"
#include "base/utf8.h"

#include <stdlib.h>

json_t *json_text_create(const char *data, size_t size_bytes, size_t max_bytes) {
    struct buffer buffer;
    size_t shown = size_bytes < max_bytes ? size_bytes : max_bytes;
    buffer_init(&buffer, max_bytes * 3 + 64); // a bad byte becomes three
    if (shown < size_bytes) shown = utf8_complete_prefix(data, shown);
    for (size_t at = 0; at < shown;) {
        uint32_t code;
        size_t n = utf8_decode(data + at, shown - at, &code);
        if (code == UTF8_INVALID || code == 0)
            buffer_append_text(&buffer, "\xef\xbf\xbd");
        else
            buffer_append(&buffer, data + at, n);
        at += n;
    }
    if (shown < size_bytes) buffer_append_format(&buffer, "… (%zu bytes)", size_bytes);
    json_t *text = buffer.status == STATUS_OK
                       ? json_stringn(buffer.data ? buffer.data : "", buffer.size_bytes)
                       : NULL;
    buffer_deinit(&buffer);
    return text;
}

enum status json_text_finish(json_t *root, char **text, struct error *err) {
    *text = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(root);
    return *text ? STATUS_OK : error_no_memory(err, "JSON text", 0);
}
