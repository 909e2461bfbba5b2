// SPDX-License-Identifier: Apache-2.0
// A complete program: continues a text with a model.
//     cc generate.c $(pkg-config --cflags --libs xinglin) -o generate
//     ./generate model.gguf "Chief complaint:"
#include <stdio.h>
#include <xinglin/xinglin.h>

static int print_piece(void *user, const char *text, size_t text_bytes) {
    (void)user;
    fwrite(text, 1, text_bytes, stdout);
    return fflush(stdout); // not 0 stops the generation
}

int main(int argc, char **argv) {
    xl_error error;
    xl_engine *engine = NULL;
    xl_session *session = NULL;
    xl_generate_options generate = xl_generate_options_default();
    xl_generate_result result = {.size = sizeof result};

    if (argc != 3) {
        fprintf(stderr, "usage: %s MODEL PROMPT\n", argv[0]);
        return 2;
    }
    generate.max_tokens = 200;
    generate.on_text = print_piece;
    xl_status status = xl_engine_open(argv[1], NULL, &engine, &error);
    if (status == XL_OK) status = xl_session_open(engine, &session, &error);
    if (status == XL_OK) status = xl_session_generate(session, argv[2], &generate, &result, &error);
    if (status == XL_OK)
        printf("\n[%d tokens, %.1f ms a token]\n", result.generated_tokens,
               result.next_token_mean_s * 1e3);
    else
        fprintf(stderr, "%s: %s\n", argv[0], error.message);
    xl_session_close(session);
    xl_engine_close(engine);
    return xl_status_exit_code(status);
}
