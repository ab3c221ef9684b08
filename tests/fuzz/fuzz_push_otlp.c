/* Any bytes are decoded or refused, as protobuf and as JSON; labels that were decoded are sorted, unique and valid. */
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/wire/push.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct cw_push *push)
{
    size_t nentries = 0;
    for (size_t i = 0; i < push->nstreams; i++) {
        struct cw_labels labels = push->streams[i].labels;
        CW_ASSERT(push->streams[i].nentries > 0);
        nentries += push->streams[i].nentries;
        for (size_t j = 0; j < labels.n; j++) {
            CW_ASSERT(cw_label_name_valid(labels.items[j].name) && labels.items[j].value.len > 0);
            CW_ASSERT(j == 0 || cw_str_cmp(labels.items[j - 1].name, labels.items[j].name) < 0);
        }
        for (size_t e = 0; e < push->streams[i].nentries; e++)
            for (uint32_t m = 0; m < push->streams[i].entries[e].nmetadata; m++)
                CW_ASSERT(push->streams[i].entries[e].metadata[m].name.ptr != NULL);
    }
    CW_ASSERT(nentries == push->nentries);
}

static void decode(struct cw_str body, const struct cw_otlp_options *options)
{
    static struct cw_err err;
    struct cw_arena *arena = cw_arena_new();
    struct cw_push push;
    int rc = body.len > 0 && body.ptr[0] == '{'
                 ? cw_push_otlp_json_decode(body, options, arena, 1, &push, &err)
                 : cw_push_otlp_protobuf_decode(body, options, arena, 1, &push, &err);
    if (rc == 0)
        check(&push);
    cw_arena_free(&arena);
}

/* Every other name is a label, of resources and of records. */
static struct cw_otlp_mapping *make_mapping(void)
{
    const struct cw_otlp_rule rule = {.action = CW_OTLP_LABEL, .regex = CW_STR("(..)*")};
    struct cw_otlp_mapping *mapping = cw_otlp_mapping_new(true);
    struct cw_err err;
    CW_ASSERT(cw_otlp_mapping_add(mapping, CW_OTLP_RESOURCE, &rule, &err) == 0);
    CW_ASSERT(cw_otlp_mapping_add(mapping, CW_OTLP_LOG, &rule, &err) == 0);
    return mapping;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cw_otlp_mapping *mapping;
    if (mapping == NULL)
        mapping = make_mapping();
    const struct cw_otlp_options options = {.mapping = mapping};
    struct cw_str body = cw_str_make(data, size);
    decode(body, NULL);
    decode(body, &options);
    return 0;
}
