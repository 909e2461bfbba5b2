// SPDX-License-Identifier: Apache-2.0
// Tokenizes for check_tokenizers.py: tokenize_tool FILE [CONFIG|-] [PRE|-] [bench TEXT]. Requests
// on stdin are u32 flags, u32 size, text; answers are u32 status, u32 n, n ids, u32 size, decoded
// text. FILE is a tokenizer.json, vocab.txt, SentencePiece model, tiktoken text (with PRE) or GGUF
// file.
#include "base/clock.h"
#include "base/mapped_file.h"
#include "model/vocabulary_gguf.h"
#include "tokenizer/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status load(struct vocabulary *vocabulary, const char *path, const char *config_path,
                        const char *pre, struct error *err) {
    struct mapped_file file, config = {0};
    const size_t length = strlen(path);
    if (length > 5 && strcmp(path + length - 5, ".gguf") == 0) {
        static struct gguf *gguf; // stays open: the vocabulary points into it
        TRY(gguf_open(&gguf, path, err));
        return vocabulary_from_gguf(vocabulary, gguf, err);
    }
    TRY(mapped_file_open(&file, path, err));
    if (config_path != NULL) TRY(mapped_file_open(&config, config_path, err));
    if (length > 5 && strcmp(path + length - 5, ".json") == 0) {
        TRY(vocabulary_from_tokenizer_json(vocabulary, (const char *)file.data, file.size_bytes,
                                           (const char *)config.data, config.size_bytes, err));
        if (pre != NULL && vocabulary->pre[0] != '\0') vocabulary->huggingface_json = NULL;
        return STATUS_OK;
    }
    if (length > 9 && strcmp(path + length - 9, "vocab.txt") == 0)
        return vocabulary_from_vocab_txt(vocabulary, (const char *)file.data, file.size_bytes,
                                         (const char *)config.data, config.size_bytes, err);
    if (pre != NULL)
        return vocabulary_from_tiktoken(vocabulary, (const char *)file.data, file.size_bytes, pre,
                                        (const char *)config.data, config.size_bytes, err);
    return vocabulary_from_sentencepiece(vocabulary, file.data, file.size_bytes,
                                         (const char *)config.data, config.size_bytes, err);
}

static void put_u32(uint32_t value) {
    fwrite(&value, sizeof value, 1, stdout);
}

static void answer(const struct tokenizer *tokenizer, unsigned flags, const char *text,
                   size_t text_bytes) {
    struct token_list list = {NULL, 0, 0};
    struct error err = {0};
    char *decoded = NULL;
    size_t decoded_bytes = 0;
    enum status status = tokenizer_encode(tokenizer, text, text_bytes, flags, &list, &err);
    if (status == STATUS_OK)
        status = tokenizer_decode(tokenizer, list.ids, list.n_tokens, false, &decoded,
                                  &decoded_bytes, &err);
    if (status != STATUS_OK) fprintf(stderr, "%s\n", err.message);
    put_u32((uint32_t)status);
    put_u32((uint32_t)list.n_tokens);
    if (list.n_tokens > 0) fwrite(list.ids, sizeof *list.ids, list.n_tokens, stdout);
    put_u32((uint32_t)decoded_bytes);
    if (decoded_bytes > 0) fwrite(decoded, 1, decoded_bytes, stdout);
    fflush(stdout);
    free(decoded);
    free(list.ids);
}

static int serve(const struct tokenizer *tokenizer) {
    uint32_t head[2];
    while (fread(head, sizeof head, 1, stdin) == 1) {
        char *text = malloc((size_t)head[1] + 1);
        if (text == NULL || fread(text, 1, head[1], stdin) != head[1]) return 1;
        answer(tokenizer, head[0], text, head[1]);
        free(text);
    }
    return 0;
}

static int measure(const struct tokenizer *tokenizer, const char *path) {
    struct mapped_file file;
    struct token_list list = {NULL, 0, 0};
    struct error err = {0};
    if (mapped_file_open(&file, path, &err) != STATUS_OK) return 1;
    double start = clock_seconds();
    if (tokenizer_encode(tokenizer, (const char *)file.data, file.size_bytes, 0, &list, &err) !=
        STATUS_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    double seconds = clock_seconds() - start;
    printf("%zu bytes, %zu tokens, %.3f s, %.2f MB/s\n", file.size_bytes, list.n_tokens, seconds,
           (double)file.size_bytes / seconds / 1e6);
    free(list.ids);
    return 0;
}

static const char *optional(int argc, char **argv, int index) {
    return index < argc && strcmp(argv[index], "-") != 0 ? argv[index] : NULL;
}

int main(int argc, char **argv) {
    struct vocabulary vocabulary;
    struct tokenizer *tokenizer = NULL;
    struct error err = {0};
    if (argc < 2) return 2;
    double start = clock_seconds();
    if (load(&vocabulary, argv[1], optional(argc, argv, 2), optional(argc, argv, 3), &err) !=
            STATUS_OK ||
        tokenizer_create(&tokenizer, &vocabulary, &err) != STATUS_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    if (argc > 5) fprintf(stderr, "loaded in %.3f s\n", clock_seconds() - start);
    int result = argc > 5 ? measure(tokenizer, argv[5]) : serve(tokenizer);
    tokenizer_destroy(tokenizer);
    return result;
}
