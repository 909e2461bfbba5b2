// SPDX-License-Identifier: Apache-2.0
// Small good inputs that fuzz_episode damages; each list ends with NULL. Every text of a patient
// has 示 in it, so that one is known wherever it turns up.
#ifndef XL_TESTS_EPISODE_SEEDS_H
#define XL_TESTS_EPISODE_SEEDS_H

extern const char *const episode_seeds[], *const fhir_seeds[], *const html_seeds[],
                                                                   *const text_seeds[];

#endif
