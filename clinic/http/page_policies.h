// SPDX-License-Identifier: Apache-2.0
// Content-Security-Policy of the clinic's pages: nothing from elsewhere, no inline script, no frame
// around them but for the draft window, which the listed origins may hold.
#ifndef XL_CLINIC_PAGE_POLICIES_H
#define XL_CLINIC_PAGE_POLICIES_H

struct server_settings;

enum clinic_page { PAGE_WORKPLACE, PAGE_EMBEDDED, PAGE_MOCK_HOST, N_CLINIC_PAGES };
enum { POLICY_BYTES = 4096 };

struct page_policies {
    char texts[N_CLINIC_PAGES][POLICY_BYTES];
};

void page_policies_init(struct page_policies *policies, const struct server_settings *settings);

#endif
