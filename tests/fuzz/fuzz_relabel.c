/*
 * fuzz_relabel.c - lines of an input as labels and rules: "name=value" is a label; "action|sources|regex|target|replacement"
 * a rule. Names stay unique, values not empty, and the bounds hold.
 */
#include <stddef.h>
#include <stdint.h>
#include "common/base/assert.h"
#include "common/config/yaml_load.h"
#include "shipper/relabel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct cw_str field(struct cw_str *rest)
{
    struct cw_str out;
    if (cw_str_split(rest, '|', &out))
        return out;
    out = *rest;
    *rest = CW_STR_NONE;
    return out;
}

static struct cw_str copy(struct cw_arena *arena, struct cw_str s)
{
    return cw_arena_dup(arena, s);
}

static bool rule_read(struct cw_str line, struct cw_arena *arena, struct cw_relabel_config *out)
{
    struct cw_err err;
    cw_schema_defaults(&cw_relabel_table, arena, out);
    out->action = copy(arena, field(&line));
    struct cw_str sources = field(&line), name;
    out->source_labels.items = CW_ARENA_ARRAY(arena, struct cw_str, sources.len + 1);
    while (sources.len > 0 && cw_str_split(&sources, ',', &name))
        out->source_labels.items[out->source_labels.n++] = name;
    if (sources.len > 0)
        out->source_labels.items[out->source_labels.n++] = sources;
    out->regex = copy(arena, field(&line));
    out->target_label = copy(arena, field(&line));
    out->replacement = copy(arena, line);
    out->modulus = 7;
    for (size_t i = 0; i < cw_relabel_table.nkeys; i++) {
        const struct cw_key_def *key = &cw_relabel_table.keys[i];
        if (key->check != NULL && key->check((char *)out + key->offset, &err) < 0)
            return false;
    }
    if (cw_relabel_action_of(out->action) != CW_RELABEL_HASHMOD)
        out->modulus = 0;
    return cw_relabel_table.check(out, &err) == 0;
}

static void set_check(const struct cw_target_labels *labels)
{
    CW_ASSERT(labels->n <= CW_RELABEL_LABELS_MAX);
    for (size_t i = 0; i < labels->n; i++) {
        CW_ASSERT(labels->items[i].value.len > 0);
        for (size_t k = 0; k < i; k++)
            CW_ASSERT(!cw_str_eq(labels->items[i].name, labels->items[k].name));
    }
    struct cw_labels public = cw_target_labels_public(labels);
    CW_ASSERT(public.n <= labels->n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_relabel_config *configs = CW_ARENA_ARRAY(arena, struct cw_relabel_config, 16);
    struct cw_target_labels labels = cw_target_labels_make(arena);
    struct cw_config_tables tables = {configs, 0};
    struct cw_str rest = cw_str_make(data, size), line, name;
    struct cw_err err;
    while (rest.len > 0 && labels.n < 64) {
        if (!cw_str_split(&rest, '\n', &line)) {
            line = rest;
            rest = CW_STR_NONE;
        }
        if (cw_str_find_byte(line, '|') >= 0) {
            if (tables.n < 16 && rule_read(line, arena, &configs[tables.n]))
                tables.n++;
        } else if (cw_str_split(&line, '=', &name) && cw_label_name_valid(name)) {
            cw_target_labels_set(&labels, name, line);
        }
    }
    struct cw_relabel *rules;
    if (cw_relabel_new(&tables, &rules, &err) == 0 && cw_relabel_apply(rules, &labels, &err) == 1)
        set_check(&labels);
    cw_relabel_free(&rules);
    cw_arena_free(&arena);
    return 0;
}
