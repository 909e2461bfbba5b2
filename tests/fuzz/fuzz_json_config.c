// SPDX-License-Identifier: Apache-2.0
// libFuzzer target (or replayer, see fuzz_replay.c).
#include "format_probe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error err = {0};
    probe_json("fuzz", data, size, &err);
    return 0;
}
