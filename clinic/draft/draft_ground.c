// SPDX-License-Identifier: Apache-2.0
#include "clinic/draft/draft_ground.h"

#include "clinic/draft/text_buffer.h"
#include "clinic/facts/episode_facts.h"
#include "clinic/text/evidence_document.h"
#include "clinic/text/instruction_text.h"
#include "clinic/text/sentence.h"

#include <stdlib.h>
#include <string.h>

// Sentences that speak to a program are no part of a chart, nor what stands behind a mark of a
// chat in the same section: the conflicts list shows them.
static void append_section(struct text_buffer *page, const struct section *section) {
    size_t start = 0;
    text_buffer_add(page, section->name);
    text_buffer_add(page, "：");
    size_t before = page->bytes; // where the sentence before begins
    size_t trusted = text_trusted_bytes(section->text, section->text_bytes);
    while (start < trusted) {
        size_t end = sentence_end(section->text, trusted, start), bytes = end - start;
        const char *sentence = section->text + start;
        bool is_instruction = text_is_instruction(sentence, bytes, NULL);
        if (is_instruction && instruction_looks_back(sentence, bytes))
            text_buffer_cut(page, before);
        if (!is_instruction) {
            before = page->bytes;
            text_buffer_add_bytes(page, sentence, bytes);
        }
        start = end;
    }
    text_buffer_add(page, "\n");
}

static bool write_page(const struct document *document, struct chart_page *page) {
    struct text_buffer text = {0};
    char time[32];
    moment_write(document->event, time);
    text_buffer_add(&text, "【");
    text_buffer_add(&text, document->local_title);
    text_buffer_add(&text, " ");
    text_buffer_add_bytes(&text, time, strcspn(time, "T"));
    text_buffer_add(&text, "】\n");
    for (int i = 0; i < document->n_sections; i++)
        append_section(&text, &document->sections[i]);
    text_buffer_add(&text, "\n");
    page->text_bytes = text.bytes;
    page->text = text_buffer_take(&text);
    return page->text != NULL;
}

struct signed_row {
    int64_t signed_at;
    int row;
};

static int compare_signed(const void *a, const void *b) {
    const struct signed_row *x = a, *y = b;
    if (x->signed_at != y->signed_at) return x->signed_at < y->signed_at ? -1 : 1;
    return x->row - y->row;
}

static bool write_pages(struct draft_ground *ground) {
    const struct episode *episode = ground->episode;
    size_t n = (size_t)episode->n_docs;
    struct signed_row *rows = calloc(n ? n : 1, sizeof *rows);
    ground->pages = calloc(n ? n : 1, sizeof *ground->pages);
    bool is_done = rows && ground->pages;
    int n_rows = 0;
    for (int i = 0; is_done && i < episode->n_docs; i++)
        if (document_is_evidence(&episode->docs[i]))
            rows[n_rows++] = (struct signed_row){episode->docs[i].sign.seconds, i};
    if (n_rows) qsort(rows, (size_t)n_rows, sizeof *rows, compare_signed);
    for (int i = 0; is_done && i < n_rows; i++) {
        struct chart_page *page = &ground->pages[ground->n_pages++];
        page->doc_row = rows[i].row;
        is_done = write_page(&episode->docs[rows[i].row], page);
    }
    free(rows);
    return is_done;
}

struct draft_ground *draft_ground_open(const struct episode *episode, struct clinic_error *error) {
    struct draft_ground *ground = calloc(1, sizeof *ground);
    if (!ground) {
        clinic_fail_memory(error);
        return NULL;
    }
    ground->episode = episode;
    bool is_open = facts_of_episode(episode, &ground->facts, error);
    if (is_open) is_open = (ground->lexicon = lexicon_create(episode, error)) != NULL;
    if (is_open) is_open = (ground->verifier = verifier_create(episode, error)) != NULL;
    if (is_open && !write_pages(ground)) is_open = clinic_fail_memory(error);
    if (is_open) return ground;
    draft_ground_close(ground);
    return NULL;
}

void draft_ground_close(struct draft_ground *ground) {
    if (!ground) return;
    for (int i = 0; i < ground->n_pages; i++) {
        if (ground->pages[i].text)
            explicit_bzero(ground->pages[i].text, ground->pages[i].text_bytes);
        free(ground->pages[i].text);
    }
    free(ground->pages);
    verifier_free(ground->verifier);
    lexicon_free(ground->lexicon);
    fact_list_deinit(&ground->facts);
    free(ground);
}
