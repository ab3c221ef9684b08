/* Any bytes are decoded or refused; labels that were decoded are sorted, unique and valid. */
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/wire/push.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cw_err err;
    struct cw_arena *arena = cw_arena_new();
    struct cw_push push;
    if (cw_push_loki_json_decode(cw_str_make(data, size), arena, &push, &err) == 0) {
        size_t nentries = 0;
        for (size_t i = 0; i < push.nstreams; i++) {
            struct cw_labels labels = push.streams[i].labels;
            nentries += push.streams[i].nentries;
            for (size_t j = 0; j < labels.n; j++) {
                CW_ASSERT(cw_label_name_valid(labels.items[j].name) &&
                          labels.items[j].value.len > 0);
                CW_ASSERT(j == 0 || cw_str_cmp(labels.items[j - 1].name, labels.items[j].name) < 0);
            }
        }
        CW_ASSERT(nentries == push.nentries);
    }
    cw_arena_free(&arena);
    return 0;
}
