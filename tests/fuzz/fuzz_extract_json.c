/* Any line through json, its expressions and unpack: it ends, and labels are sorted and unique. */
#include "common/base/assert.h"
#include "common/extract/extract_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct cw_label_builder *builder)
{
    struct cw_labels all = cw_label_builder_get_all(builder);
    for (size_t i = 1; i < all.n; i++)
        CW_ASSERT(cw_str_cmp(all.items[i - 1].name, all.items[i].name) < 0);
    for (size_t i = 0; i < all.n; i++)
        CW_ASSERT(cw_label_name_valid(all.items[i].name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const texts[] = {"a", "a.b", "a[0]", "[1].c", "b[\"x y\"][2].d"};
    static const struct cw_label stream[] = {{{"a", 1}, {"1", 1}}};
    const struct cw_labels labels = {stream, 1};
    struct cw_str line = cw_str_make(data, size), required = CW_STR("a_b");
    struct cw_label_hints hints = {0};
    struct cw_label_builder builder;
    struct cw_json_expression expressions[CW_COUNT(texts)];
    struct cw_arena *arena = cw_arena_new();
    static struct cw_err err;
    for (size_t i = 0; i < CW_COUNT(texts); i++) {
        expressions[i].name = cw_str_of("x");
        CW_ASSERT(cw_extract_path_json(cw_str_of(texts[i]), arena, &expressions[i].path, &err) ==
                  0);
    }
    cw_label_builder_init(&builder, &hints);
    for (int round = 0; round < 2; round++) {
        cw_label_builder_begin(&builder, labels, CW_LABELS_NONE);
        cw_extract_json(line, NULL, &builder);
        check(&builder);
        cw_label_builder_begin(&builder, labels, CW_LABELS_NONE);
        cw_extract_json_arrays(line, &builder);
        check(&builder);
        cw_label_builder_begin(&builder, labels, CW_LABELS_NONE);
        cw_extract_json_paths(line, expressions, CW_COUNT(texts), &builder);
        check(&builder);
        cw_label_builder_begin(&builder, labels, CW_LABELS_NONE);
        cw_extract_json(cw_extract_unpack(line, &builder), NULL, &builder);
        check(&builder);
        hints.required = &required;
        hints.nrequired = 1;
    }
    struct cw_json_path path;
    if (cw_extract_path_json(line, arena, &path, &err) == 0)
        CW_ASSERT(path.n > 0);
    cw_label_builder_fini(&builder);
    cw_arena_free(&arena);
    return 0;
}
