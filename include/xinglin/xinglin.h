// SPDX-License-Identifier: Apache-2.0
// Xinglin 杏林: large language models on CPUs. The only public header; C11, also compiles as C++.
//
// Two objects. An xl_engine is a loaded model: immutable, shared by any number of threads. An
// xl_session is one timeline of tokens on it: mutable, one caller at a time. Callers see text,
// token ids and logits, never tensors, layouts or threads. examples/generate.c is a whole program.
//
// Every call that can fail returns an xl_status and fills *error if it is not NULL. Options structs
// carry their size, so that a program compiled against an older header keeps working: start from
// the _default() function and change fields. Strings are UTF-8. Nothing here prints, exits or logs.
#ifndef XINGLIN_H
#define XINGLIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define XL_API __attribute__((visibility("default")))
#else
#define XL_API
#endif

#define XL_VERSION_MAJOR 0
#define XL_VERSION_MINOR 1
#define XL_VERSION_PATCH 0

// ---- Errors ------------------------------------------------------------------------------------
typedef enum xl_status {
    XL_OK = 0,
    XL_FAILED,       // went wrong while running
    XL_USAGE,        // the call makes no sense
    XL_BAD_INPUT,    // a file or text is damaged or not what it claims
    XL_UNSUPPORTED,  // well-formed, but of a kind not handled
    XL_NOT_FOUND,    // no such file or name
    XL_NO_MEMORY,    // out of memory, or over a memory budget
    XL_NO_SPACE,     // the disk is full
    XL_CONTEXT_FULL, // more tokens than the context holds
    XL_CANCELLED,    // a callback asked to stop
    XL_VERIFY        // a check of results failed
} xl_status;

typedef struct xl_error {
    xl_status status;
    char message[512]; // one line: what, where, what to do
} xl_error;

XL_API const char *xl_version(void);                 // "0.1.0"
XL_API const char *xl_status_name(xl_status status); // "bad input"
XL_API int xl_status_exit_code(xl_status status);    // exit status of the commands: 0 1 2 3 4 5
XL_API void xl_free(void *memory);                   // for everything documented as xl_free()

// ---- Engine: a loaded model --------------------------------------------------------------------
typedef struct xl_engine xl_engine;
typedef struct xl_session xl_session;

typedef enum xl_kv_type { XL_KV_AUTO, XL_KV_F32, XL_KV_F16, XL_KV_BF16, XL_KV_I8 } xl_kv_type;

typedef struct xl_engine_options {
    size_t size;        // sizeof(xl_engine_options)
    const char *family; // NULL or "auto": what the file says; else must agree with it
    const char *isa;    // NULL: $XINGLIN_ISA or the best of this CPU; "scalar", "avx2", …
    int threads;        // 0: what affinity and cgroup quota allow; never more than can run at once
    int context;        // tokens a session holds; 0: min(4096, what the model was trained for)
    int chunk;          // prompt tokens processed at once; 0: 512
    xl_kv_type kv_type; // auto: as float weights; else BF16 if the CPU has it, F16
    int threads_batch;  // for prompts; 0: as many as `threads`
    // Reads no weights, which need not be there: for xl_tokenize, xl_detokenize, xl_token_is_end
    // and xl_chat_format. Opening a session or embedding is then XL_UNSUPPORTED.
    bool tokenizer_only;
} xl_engine_options;
XL_API xl_engine_options xl_engine_options_default(void);

// Opens a GGUF file, a Hugging Face directory, or a .safetensors/.bin/.pth file with its
// config.json beside it. The engine keeps the files mapped.
XL_API xl_status xl_engine_open(const char *path, const xl_engine_options *options,
                                xl_engine **engine, xl_error *error);
XL_API void xl_engine_close(xl_engine *engine); // after all its sessions; NULL is allowed

typedef struct xl_engine_info {
    size_t size;             // sizeof(xl_engine_info), set by the caller
    const char *family;      // "llama", "qwen2", … ; strings live as long as the engine
    const char *name;        // the model's own name
    const char *weight_type; // most common type of its matrices: "q4_0"
    const char *isa;         // kernels in use
    const char *kv_type;     // "f32", "f16", "bf16" or "i8"
    uint64_t weight_bytes;   // read for one decoded token
    uint64_t kv_bytes;       // of one session
    int n_vocab, n_layers, n_embd, context, context_train, threads;
    bool has_chat_template;
    double load_s;            // seconds that xl_engine_open took
    const char *weights_from; // "mapped from the cache in 0.05 s"
} xl_engine_info;
XL_API xl_status xl_engine_describe(const xl_engine *engine, xl_engine_info *info);

// JSON text about this machine: CPU, kernel levels with the reason why one is missing, thread
// budget, memory. *json: xl_free().
XL_API xl_status xl_machine_describe(char **json, xl_error *error);

// ---- Text and tokens ---------------------------------------------------------------------------
// Ids of `text`; add_special puts what the model wants at the ends (BOS …), parse_special lets text
// like "<|im_end|>" become control tokens. *tokens: xl_free().
XL_API xl_status xl_tokenize(const xl_engine *engine, const char *text, size_t text_bytes,
                             bool add_special, bool parse_special, int32_t **tokens,
                             size_t *n_tokens, xl_error *error);
// Text of a sequence; with_special shows control tokens. *text: xl_free(), terminated.
XL_API xl_status xl_detokenize(const xl_engine *engine, const int32_t *tokens, size_t n_tokens,
                               bool with_special, char **text, size_t *text_bytes, xl_error *error);
XL_API bool xl_token_is_end(const xl_engine *engine, int32_t token); // generation ends there
// How the vocabulary spells a token ("ĠHello", "<|im_end|>"), in GGUF's way; *text: xl_free().
XL_API xl_status xl_token_text(const xl_engine *engine, int32_t token, char **text,
                               size_t *text_bytes, xl_error *error);
// The token that is spelled so; -1 if there is none.
XL_API int32_t xl_token_find(const xl_engine *engine, const char *text, size_t text_bytes);
// The tokenizer as JSON: {"model", "pre", "tokens", "bos", "eos", "eot", "eom", "unk", "sep",
// "pad", "mask" (ids or null), "ends": [ids], "control": [ids], "chat_template", "add_bos",
// "add_eos"}. *json: xl_free().
XL_API xl_status xl_tokenizer_describe(const xl_engine *engine, char **json, xl_error *error);

typedef struct xl_message {
    const char *role; // "system", "user", "assistant", …
    const char *content;
} xl_message;

// The model's own chat template over messages. template_text NULL: the model's; else this Jinja
// text. *text: xl_free(). XL_NOT_FOUND if the model has no template.
XL_API xl_status xl_chat_format(const xl_engine *engine, const char *template_text,
                                const xl_message *messages, size_t n_messages,
                                bool add_generation_prompt, char **text, size_t *text_bytes,
                                xl_error *error);
// The same with a whole JSON context ({"messages": […], "tools": […], …}) and without an engine.
XL_API xl_status xl_template_render(const char *template_text, const char *context_json,
                                    char **text, size_t *text_bytes, xl_error *error);

// ---- Session: one timeline ---------------------------------------------------------------------
// Allocates the whole KV cache (see xl_engine_info.kv_bytes).
XL_API xl_status xl_session_open(xl_engine *engine, xl_session **session, xl_error *error);
XL_API void xl_session_close(xl_session *session); // wipes what it held; NULL is allowed
// Appends tokens. After it the logits of the last token can be read. A call refused with XL_USAGE
// or XL_CONTEXT_FULL changes nothing; one that was cancelled leaves the chunks that were computed;
// any other failure breaks the session until xl_session_rewind(session, 0).
XL_API xl_status xl_session_feed(xl_session *session, const int32_t *tokens, size_t n_tokens,
                                 xl_error *error);
// As feed, and writes the logits of every fed token to logits [n_tokens][n_vocab].
XL_API xl_status xl_session_feed_all(xl_session *session, const int32_t *tokens, size_t n_tokens,
                                     float *logits, xl_error *error);
// Logits [n_vocab] after the last fed token; NULL if nothing was fed since open or rewind. Valid
// until the next call on this session.
XL_API const float *xl_session_logits(const xl_session *session);
XL_API int xl_session_position(const xl_session *session); // tokens held
// Forgets everything from `position` on.
XL_API xl_status xl_session_rewind(xl_session *session, int position, xl_error *error);
// Ends a generation or a feed that runs in another thread (the only call allowed beside it): at the
// next layer of whatever is computed; a token or chunk that is not complete counts as not fed. One
// that begins later is not ended.
XL_API void xl_session_cancel(xl_session *session);

// Everything the session holds, as bytes that only the same model and options can restore.
// *data: xl_free(). A damaged or foreign snapshot is XL_BAD_INPUT and leaves the session empty.
XL_API xl_status xl_session_snapshot(const xl_session *session, void **data, size_t *size_bytes,
                                     xl_error *error);
XL_API xl_status xl_session_restore(xl_session *session, const void *data, size_t size_bytes,
                                    xl_error *error);

// ---- Grammars: what an output may look like ----------------------------------------------------
// Immutable once compiled, shared by any number of generations of its engine.
typedef struct xl_grammar xl_grammar;

// From a JSON Schema (2020-12; docs/SCHEMA.md lists what is enforced; anything else is
// XL_UNSUPPORTED and names the keyword and its place) or from GBNF. Depth, states and time are
// limited: XL_BAD_INPUT or XL_UNSUPPORTED says which limit and where.
XL_API xl_status xl_grammar_from_json_schema(xl_engine *engine, const char *schema,
                                             size_t schema_bytes, xl_grammar **grammar,
                                             xl_error *error);
XL_API xl_status xl_grammar_from_gbnf(xl_engine *engine, const char *gbnf, size_t gbnf_bytes,
                                      xl_grammar **grammar, xl_error *error);
XL_API void xl_grammar_close(xl_grammar *grammar); // generations keep theirs; NULL is allowed

// ---- Generation --------------------------------------------------------------------------------
typedef struct xl_logit_bias {
    int32_t token;
    float bias;
} xl_logit_bias;

typedef enum xl_finish {
    XL_FINISH_NONE,
    XL_FINISH_END,     // an end token
    XL_FINISH_STOP,    // a stop string
    XL_FINISH_LENGTH,  // max_tokens
    XL_FINISH_CONTEXT, // the context is full
    XL_FINISH_CANCELLED
} xl_finish;

typedef struct xl_generate_options {
    size_t size;                               // sizeof(xl_generate_options)
    int max_tokens;                            // < 0: until the model ends or the context is full
    bool add_special, parse_special;           // how the prompt is tokenized
    bool ignore_end;                           // go on after end tokens (benchmarks)
    float temperature;                         // 0: greedy
    int top_k;                                 // 0: off
    float top_p;                               // 1: off
    float min_p;                               // 0: off
    float repetition_penalty;                  // 1: off
    float presence_penalty, frequency_penalty; // 0: off
    int penalty_window;                        // < 0: the whole text
    uint64_t seed;
    const xl_logit_bias *biases;
    size_t n_biases;
    const char *const *stops; // generation ends before any of these; never shown
    size_t n_stops;
    // Called with whole UTF-8 characters as they are certain; not 0 stops with XL_CANCELLED.
    int (*on_text)(void *user, const char *text, size_t text_bytes);
    // Called for every chosen token, end token included; not 0 stops.
    int (*on_token)(void *user, int32_t token);
    void *user;
    // Tokens guessed from earlier text and verified together (prompt lookup); the output is the
    // same with any value. < 0: as many as pay by measurement; 0: none.
    int draft_max;
    // Only what the grammar derives is chosen; then the generation ends. NULL: anything.
    const xl_grammar *grammar;
    // The grammar binds from the end of this text on ("</think>"); before it anything is allowed.
    // NULL: from the first token.
    const char *grammar_begin;
} xl_generate_options;

XL_API xl_generate_options xl_generate_options_default(void); // greedy, 128 tokens

typedef struct xl_generate_result {
    size_t size; // sizeof(xl_generate_result), set by the caller
    xl_finish finish;
    int prompt_tokens, generated_tokens;
    double tokenize_s, first_token_s; // first_token: from feeding to the first chosen token
    double decode_s;                  // all later tokens
    double next_token_mean_s, next_token_p50_s, next_token_p99_s;
    int drafted_tokens, accepted_tokens; // guessed by prompt lookup, and how many were right
} xl_generate_result;

// Appends the prompt to the session and generates after it. result may be NULL. A cancelled
// generation returns XL_CANCELLED with the result filled; the session stays usable. Afterwards the
// session holds the prompt and every chosen token but the last; a call with an empty prompt feeds
// that one first (but never an end token) and so goes on seamlessly.
XL_API xl_status xl_session_generate(xl_session *session, const char *prompt,
                                     const xl_generate_options *options, xl_generate_result *result,
                                     xl_error *error);
XL_API xl_status xl_session_generate_tokens(xl_session *session, const int32_t *prompt,
                                            size_t n_prompt, const xl_generate_options *options,
                                            xl_generate_result *result, xl_error *error);

// ---- Worker: many requests on one engine -------------------------------------------------------
// A worker has a thread that computes the next tokens of all running requests together and reads
// prompts in between, in pages of KV memory that requests with a common beginning share. What a
// request gets is the same bytes alone and in any company. All calls may come from any thread.
typedef struct xl_worker xl_worker;
typedef struct xl_request xl_request;

typedef struct xl_worker_options {
    size_t size;                // sizeof(xl_worker_options)
    uint64_t kv_bytes;          // for all keys and values; 0: half of the memory that is available
    int running_max;            // requests computed together; 0: 32
    int waiting_max;            // more are refused with XL_NO_MEMORY; 0: 256
    const char *prefix_dir;     // where prefixes that ask for it are kept; NULL: nowhere
    const char *prefix_key;     // file of 32 random bytes; encrypts them. Needed with prefix_dir
    uint64_t prefix_disk_bytes; // the oldest go beyond this; 0: 4 GiB
} xl_worker_options;

typedef enum xl_priority { XL_INTERACTIVE, XL_BACKGROUND } xl_priority;

typedef struct xl_token_logprob {
    int32_t token;
    float logprob; // natural, of the model's own distribution, before any option
} xl_token_logprob;

// One chosen token, or the end. Called in the worker's thread, in order, by one request at a time:
// it must not wait and not close the worker; pointers are valid during the call.
typedef struct xl_request_event {
    bool is_last;     // the end: no token; status, finish, message and counts are valid
    int32_t token;    // end tokens are not reported
    const char *text; // whole characters that are certain now, also at the end; may be empty
    size_t text_bytes;
    float logprob;                    // if logprobs were asked for
    const xl_token_logprob *logprobs; // [n_logprobs] the likeliest, in order
    int n_logprobs;
    xl_status status; // XL_OK, XL_CANCELLED or what went wrong: error_message
    const char *error_message;
    xl_finish finish;
    // Prompt tokens; of them, found in memory and on disk; generated ones; guessed; guessed right.
    int prompt_tokens, memory_tokens, disk_tokens, generated_tokens, drafted_tokens,
        accepted_tokens;
    double waited_s, first_token_s, total_s; // since submission
} xl_request_event;

typedef struct xl_request_options {
    size_t size;           // sizeof(xl_request_options)
    const int32_t *prompt; // copied
    size_t n_prompt;
    const xl_generate_options *generate; // copied, its callbacks are not used; NULL: defaults
    const char *user;                    // users take turns; NULL: one nameless user
    xl_priority priority;
    int n_logprobs; // < 0: none; 0: the chosen token's; up to 20 of the likeliest besides
    bool no_prefix; // neither looks for a known beginning nor leaves one
    // The prompt's keys and values go to prefix_dir, before the end comes; max_tokens 0: only that.
    bool save_prefix;
    void (*on_event)(void *user_data, const xl_request_event *event);
    void *user_data;
} xl_request_options;

typedef struct xl_worker_stats {
    size_t size; // sizeof(xl_worker_stats), set by the caller
    int running, waiting;
    uint64_t kv_bytes, kv_used_bytes, kv_kept_bytes; // all; of running requests; of known prefixes
    uint64_t requests, refused, cancelled, failed;   // since the worker opened
    uint64_t prompt_tokens, memory_tokens, disk_tokens, generated_tokens;
    uint64_t drafted_tokens, accepted_tokens, steps, step_tokens;
    uint64_t prefix_files, prefix_file_bytes, prefix_ignored; // ignored: damaged, foreign or old
    double busy_s;                                            // computing
} xl_worker_stats;

// Makes the file of xl_worker_options.prefix_key, which only its owner can read; XL_USAGE if there
// is a file of that name.
XL_API xl_status xl_prefix_key_create(const char *path, xl_error *error);
XL_API xl_worker_options xl_worker_options_default(void);
XL_API xl_request_options xl_request_options_default(void);
XL_API xl_status xl_worker_open(xl_engine *engine, const xl_worker_options *options,
                                xl_worker **worker, xl_error *error);
// Cancels what runs and waits for the thread. All requests must be released afterwards, too.
XL_API void xl_worker_close(xl_worker *worker);
XL_API void xl_worker_describe(xl_worker *worker, xl_worker_stats *stats);
// Returns at once. XL_CONTEXT_FULL or XL_NO_MEMORY: it could never run, or too many wait. If it
// succeeds, on_event is called until is_last, exactly once, even if the worker closes.
XL_API xl_status xl_request_submit(xl_worker *worker, const xl_request_options *options,
                                   xl_request **request, xl_error *error);
XL_API void xl_request_cancel(xl_request *request); // at the next layer; is_last still comes
// Cancels it if it runs; is_last still comes, perhaps after this call. NULL is allowed.
XL_API void xl_request_release(xl_request *request);

// ---- Embeddings --------------------------------------------------------------------------------
typedef enum xl_pooling {
    XL_POOLING_AUTO, // what the model was trained for; of models that say nothing, the mean
    XL_POOLING_MEAN, // of all tokens' states
    XL_POOLING_CLS,  // the first token's
    XL_POOLING_LAST, // the last token's
    XL_POOLING_NONE  // every token's state, a row a token: embeddings is [all tokens][n_embd]
} xl_pooling;

// One vector a text from its tokens' last hidden states (behind the model's final norm).
// tokens[i][0 .. n_tokens[i]) are the ids of text i, special ones included, as xl_tokenize gives
// them; embeddings is the caller's, [n_texts][n_embd]. `normalize` divides every vector by its
// length. The row of a text does not depend on the texts beside it. A text without tokens is
// XL_USAGE, one longer than the context XL_CONTEXT_FULL (nothing is cut silently); on any failure
// the rows are undefined. Needs no session; any number of threads may call it, one is served at a
// time.
XL_API xl_status xl_embed(xl_engine *engine, const int32_t *const *tokens, const size_t *n_tokens,
                          size_t n_texts, xl_pooling pooling, bool normalize, float *embeddings,
                          xl_error *error);

// ---- Files -------------------------------------------------------------------------------------
typedef struct xl_convert_options {
    size_t size;           // sizeof(xl_convert_options)
    const char *family;    // NULL or "auto"
    const char *format;    // NULL or "auto", "pth", "safetensors", "gguf", …
    const char *type;      // "sym_int4", "q4_k_m", "bf16", …; NULL: "sym_int4"
    const char *out_dir;   // NULL: the current directory
    const char *tokenizer; // another place to take the tokenizer from; NULL: the model's
    int threads;           // 0: automatic
    // Called now and then with 0 <= done <= 1; not 0 stops with XL_CANCELLED. May be NULL.
    int (*on_progress)(void *user, double done, const char *tensor);
    void *user;
    // Modules whose matrices keep the type that they have: whole parts of tensors' names, the
    // checkpoint's or GGUF's ("lm_head", "q_proj", "blk.0.attn_q").
    const char *const *keep;
    size_t n_keep;
} xl_convert_options;

XL_API xl_convert_options xl_convert_options_default(void);

// Writes OUT_DIR/<name>-<type>.gguf, whole or not at all. *path: xl_free(), its name.
XL_API xl_status xl_convert(const char *model, const xl_convert_options *options, char **path,
                            xl_error *error);
// What xl_convert makes of a matrix (is_output: of the one for logits, which gets more bits), as
// floats again: values [n_rows][n_columns] may be weights. Converting them loses nothing further;
// types of which that is not true are XL_UNSUPPORTED.
XL_API xl_status xl_quantize_matrix(const char *type, bool is_output, const float *weights,
                                    size_t n_rows, size_t n_columns, float *values,
                                    xl_error *error);
// Names of all types that xl_convert writes and of all families that can be run; NULL is the last.
XL_API const char *const *xl_convert_types(void);
XL_API const char *const *xl_families(void);

// What is in a model file or directory, as JSON: {"format", "family", "parameters", "metadata":
// {…}, "tensors": [{"name","type","shape","bytes"}], "tokenizer": {…}}. *json: xl_free().
XL_API xl_status xl_inspect(const char *path, char **json, xl_error *error);

#ifdef __cplusplus
}
#endif
#endif
