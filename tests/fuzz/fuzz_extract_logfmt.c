/* Any line through logfmt: it ends; strict and lenient agree where there is no fault. */
#include "common/base/assert.h"
#include "common/extract/extract_logfmt.h"
#include "common/extract/extract_path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t parse(struct cw_label_builder *builder, struct cw_str line, bool strict, bool empty)
{
    cw_label_builder_begin(builder, CW_LABELS_NONE, CW_LABELS_NONE);
    cw_extract_logfmt(line, (struct cw_logfmt_options){strict, empty}, builder);
    struct cw_labels all = cw_label_builder_get_all(builder);
    for (size_t i = 0; i < all.n; i++)
        CW_ASSERT(cw_utf8_valid(all.items[i].value) && cw_label_name_valid(all.items[i].name));
    return all.n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct cw_logfmt_expression expressions[] = {
        {{"x", 1}, {"a", 1}}, {{"y", 1}, {"level", 5}}, {{"z", 1}, {"a", 1}}};
    struct cw_str line = cw_str_make(data, size), key;
    struct cw_label_hints hints = {0};
    struct cw_label_builder builder;
    static struct cw_err err;
    cw_label_builder_init(&builder, &hints);
    for (int i = 0; i < 2; i++) {
        size_t lenient = parse(&builder, line, false, i == 1);
        size_t strict = parse(&builder, line, true, i == 1);
        CW_ASSERT(builder.error.len > 0 || strict == lenient);
    }
    cw_label_builder_begin(&builder, CW_LABELS_NONE, CW_LABELS_NONE);
    cw_extract_logfmt_keys(line, (struct cw_logfmt_options){false, false}, expressions,
                           CW_COUNT(expressions), &builder);
    CW_ASSERT(cw_label_builder_get_all(&builder).n == 3);
    if (cw_extract_path_logfmt(line, builder.scratch, &key, &err) == 0)
        CW_ASSERT(key.len <= size);
    cw_label_builder_fini(&builder);
    return 0;
}
