#include "querier/engine/gather_key.h"

#include <math.h>
#include <string.h>

#include "common/base/assert.h"
#include "querier/engine/label_number.h"

static struct cw_str value_of(const struct cw_label_builder *builder, struct cw_str name)
{
    struct cw_str value;
    enum cw_label_category category;
    if (cw_str_eqz(name, "__error__"))
        return builder->error;
    return cw_label_builder_get(builder, name, &value, &category) ? value : CW_STR_NONE;
}

/* Each value behind its length: no two combinations give the same bytes. */
static struct cw_hash128 combination_of(const struct cw_stage *stage,
                                        struct cw_label_builder *builder)
{
    size_t len = 0, at = 0;
    for (size_t i = 0; i < stage->nkeys; i++)
        len += sizeof(uint64_t) + value_of(builder, stage->keys[i].name).len;
    char *bytes = cw_arena_alloc(builder->scratch, len);
    for (size_t i = 0; i < stage->nkeys; i++) {
        struct cw_str value = value_of(builder, stage->keys[i].name);
        uint64_t value_len = value.len;
        memcpy(bytes + at, &value_len, sizeof value_len);
        at += sizeof value_len;
        if (value.len > 0)
            memcpy(bytes + at, value.ptr, value.len);
        at += value.len;
    }
    return cw_hash128(bytes, len);
}

/* Only these can begin what has a unit: a text is not parsed to be refused. */
static bool may_have_unit(struct cw_str text)
{
    char c = text.ptr[0];
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == ',';
}

static struct cw_sort_value sort_value_of(struct cw_str text, struct cw_arena *scratch)
{
    double number;
    int64_t ns;
    uint64_t bytes;
    struct cw_str why;
    if (text.len == 0)
        return (struct cw_sort_value){.kind = CW_SORT_NONE};
    if (cw_str_to_f64(text, &number) && !isnan(number))
        return (struct cw_sort_value){.kind = CW_SORT_NUMBER, .number = number};
    if (may_have_unit(text)) {
        if (cw_label_duration(text, &ns, scratch, &why))
            return (struct cw_sort_value){.kind = CW_SORT_DURATION, .number = (double)ns};
        if (cw_label_bytes(text, &bytes, scratch, &why))
            return (struct cw_sort_value){.kind = CW_SORT_BYTES, .number = (double)bytes};
    }
    return (struct cw_sort_value){.kind = CW_SORT_TEXT, .text = text};
}

void cw_gather_key_note(const struct cw_stage *stage, struct cw_label_builder *builder,
                        struct cw_gather_key *key)
{
    if (stage->kind == CW_STAGE_DISTINCT) {
        key->reached_distinct = true;
        key->combination = combination_of(stage, builder);
        return;
    }
    CW_ASSERT(stage->kind == CW_STAGE_SORT);
    struct cw_sort_value *values =
        CW_ARENA_ARRAY(builder->scratch, struct cw_sort_value, stage->nkeys);
    for (size_t i = 0; i < stage->nkeys; i++)
        values[i] = sort_value_of(value_of(builder, stage->keys[i].name), builder->scratch);
    key->values = values;
}

static int compare(const struct cw_sort_value *a, const struct cw_sort_value *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->kind == CW_SORT_TEXT)
        return cw_str_cmp(a->text, b->text);
    return a->kind == CW_SORT_NONE ? 0 : (a->number > b->number) - (a->number < b->number);
}

int cw_sort_values_cmp(const struct cw_stage *sort, const struct cw_sort_value *a,
                       const struct cw_sort_value *b)
{
    for (size_t i = 0; i < sort->nkeys; i++) {
        int order = compare(&a[i], &b[i]);
        bool missing = a[i].kind == CW_SORT_NONE || b[i].kind == CW_SORT_NONE;
        if (order != 0)
            return sort->keys[i].descending && !missing ? -order : order;
    }
    return 0;
}

size_t cw_sort_values_bytes(const struct cw_sort_value *values, size_t n)
{
    size_t bytes = n * sizeof *values;
    for (size_t i = 0; i < n; i++)
        bytes += values[i].text.len;
    return bytes;
}

struct cw_sort_value *cw_sort_values_copy_into(void *block, const struct cw_sort_value *values,
                                               size_t n)
{
    struct cw_sort_value *copy = block;
    char *texts = (char *)(copy + n);
    for (size_t i = 0; i < n; i++) {
        copy[i] = values[i];
        copy[i].text.ptr = texts;
        if (values[i].text.len > 0)
            memcpy(texts, values[i].text.ptr, values[i].text.len);
        texts += values[i].text.len;
    }
    return copy;
}
