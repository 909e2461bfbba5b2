// SPDX-License-Identifier: Apache-2.0
// The built-in page (server/page/) inside the program: cmake/embed_page.cmake makes the table. The
// page loads nothing from elsewhere, runs no script that is not a file of its own and keeps
// nothing.
#ifndef XL_SERVER_PAGE_FILES_H
#define XL_SERVER_PAGE_FILES_H

#include <stddef.h>

// Headers of every answer with a file of the page.
#define PAGE_SECURITY_POLICY                                                                       \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src "        \
    "'self'; "                                                                                     \
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
#define PAGE_CACHE_CONTROL "no-cache" // asks each time, by ETag: a new program has a new page

struct page_file {
    const char *path, *content_type;
    const char *etag; // with its quotation marks
    const unsigned char *data;
    size_t size_bytes;
};

extern const struct page_file page_files[];
extern const size_t n_page_files;

// NULL: there is no such file.
const struct page_file *page_file_find(const char *path);

#endif
