// SPDX-License-Identifier: Apache-2.0
// libFuzzer target (or replayer, see fuzz_replay.c): a tokenizer.json is refused or tokenizes.
#include "tokenizer/tokenizer.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char text[] = "Hello  <s> 12\xe5\xae\x89\xff\n";
    struct vocabulary vocabulary;
    struct tokenizer *tokenizer = NULL;
    struct token_list list = {NULL, 0, 0};
    struct error err = {0};
    if (vocabulary_from_tokenizer_json(&vocabulary, (const char *)data, size, NULL, 0, &err) !=
        STATUS_OK)
        return 0;
    if (tokenizer_create(&tokenizer, &vocabulary, &err) != STATUS_OK) return 0;
    (void)tokenizer_encode(tokenizer, text, sizeof text - 1,
                           ENCODE_ADD_SPECIAL | ENCODE_PARSE_SPECIAL, &list, &err);
    char *decoded = NULL;
    size_t decoded_bytes;
    (void)tokenizer_decode(tokenizer, list.ids, list.n_tokens, true, &decoded, &decoded_bytes,
                           &err);
    free(decoded);
    free(list.ids);
    tokenizer_destroy(tokenizer);
    return 0;
}
