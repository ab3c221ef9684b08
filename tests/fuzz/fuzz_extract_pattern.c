/* The first line of the input as a pattern, the rest as a line; and the rest without its colours. */
#include "common/base/assert.h"
#include "common/extract/decolorize.h"
#include "common/extract/extract_pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_str line = cw_str_make(data, size), text;
    struct cw_label_hints hints = {0};
    struct cw_label_builder builder;
    cw_label_builder_init(&builder, &hints);
    if (!cw_str_split(&line, '\n', &text))
        text = CW_STR("<a> <b>");
    struct cw_extract_pattern *pattern = cw_extract_pattern_new(text);
    cw_label_builder_begin(&builder, CW_LABELS_NONE, CW_LABELS_NONE);
    cw_extract_pattern_run(pattern, line, &builder);
    size_t captured = 0;
    struct cw_labels all = cw_label_builder_get_all(&builder);
    for (size_t i = 0; i < all.n; i++)
        captured += all.items[i].value.len;
    CW_ASSERT(captured <= line.len);
    struct cw_str plain = cw_decolorize(line, builder.scratch);
    CW_ASSERT(plain.len <= line.len);
    cw_extract_pattern_free(&pattern);
    cw_label_builder_fini(&builder);
    return 0;
}
