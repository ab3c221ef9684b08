#include "querier/engine/field_walk.h"

#include <stdlib.h>
#include <string.h>

#include "common/extract/extract_logfmt.h"
#include "querier/engine/log_group.h"

struct cw_field_path {
    struct cw_str name;
    const struct cw_str *keys;
    size_t nkeys;
};

void cw_field_walk_init(struct cw_field_walk *walk)
{
    memset(walk, 0, sizeof *walk);
    walk->scratch = cw_arena_new();
    cw_label_builder_init(&walk->builder, &walk->hints);
}

void cw_field_walk_fini(struct cw_field_walk *walk)
{
    cw_label_builder_fini(&walk->builder);
    cw_arena_free(&walk->scratch);
}

/* Labels that tell of a parser's fault are no fields. */
static bool is_error(struct cw_str name)
{
    return cw_str_eqz(name, "__error__") || cw_str_eqz(name, "__error_details__") ||
           cw_str_eqz(name, "__preserve_error__");
}

static void on_json_label(void *arg, struct cw_str name, const struct cw_str *keys, size_t nkeys)
{
    struct cw_field_walk *walk = arg;
    struct cw_str *copy = CW_ARENA_ARRAY(walk->scratch, struct cw_str, nkeys);
    memcpy(copy, keys, nkeys * sizeof *copy);
    walk->paths = cw_arena_grow(walk->scratch, walk->paths, walk->npaths, &walk->paths_cap,
                                walk->npaths + 1, sizeof *walk->paths);
    walk->paths[walk->npaths++] = (struct cw_field_path){name, copy, nkeys};
}

/* The stream's labels without those that the query's parsers replaced: the line's are found again. */
static struct cw_labels stream_only(struct cw_field_walk *walk, const struct cw_log_entry *entry)
{
    struct cw_label *items = CW_ARENA_ARRAY(walk->scratch, struct cw_label, entry->stream.n);
    size_t n = 0;
    for (size_t i = 0; i < entry->stream.n; i++)
        if (!cw_labels_has(entry->parsed, entry->stream.items[i].name))
            items[n++] = entry->stream.items[i];
    return (struct cw_labels){items, n};
}

static int by_name(const void *a, const void *b)
{
    return cw_str_cmp(((const struct cw_field_path *)a)->name,
                      ((const struct cw_field_path *)b)->name);
}

/* Which parser reads the line. Its labels are in the builder. */
static enum cw_field_parser parse_line(struct cw_field_walk *walk, const struct cw_log_entry *entry)
{
    static const struct cw_logfmt_options lenient = {0};
    struct cw_json_trace trace = {on_json_label, walk};
    struct cw_labels stream = stream_only(walk, entry);
    cw_label_builder_begin(&walk->builder, stream, CW_LABELS_NONE);
    cw_extract_json(entry->line, &trace, &walk->builder);
    if (walk->builder.error.len == 0) {
        if (walk->npaths > 1)
            qsort(walk->paths, walk->npaths, sizeof *walk->paths, by_name);
        return CW_FIELD_BY_JSON;
    }
    walk->npaths = 0;
    cw_label_builder_begin(&walk->builder, stream, CW_LABELS_NONE);
    cw_extract_logfmt(entry->line, lenient, &walk->builder);
    return walk->builder.error.len == 0 ? CW_FIELD_BY_LOGFMT : CW_FIELD_BY_NONE;
}

/* Labels and paths are both in order of names. */
static void visit_all(struct cw_field_walk *walk, struct cw_labels labels,
                      enum cw_field_parser parser, cw_field_visit_fn visit, void *arg)
{
    size_t at = 0;
    for (size_t i = 0; i < labels.n; i++) {
        struct cw_field_value value = {
            .name = labels.items[i].name, .value = labels.items[i].value, .parser = parser};
        if (is_error(value.name))
            continue;
        while (at < walk->npaths && cw_str_cmp(walk->paths[at].name, value.name) < 0)
            at++;
        if (at < walk->npaths && cw_str_eq(walk->paths[at].name, value.name)) {
            value.json_path = walk->paths[at].keys;
            value.njson_path = walk->paths[at].nkeys;
        }
        visit(arg, &value);
    }
}

void cw_field_walk_entry(struct cw_field_walk *walk, const struct cw_log_entry *entry,
                         cw_field_visit_fn visit, void *arg)
{
    cw_arena_reset(walk->scratch);
    walk->paths = NULL;
    walk->npaths = walk->paths_cap = 0;
    visit_all(walk, cw_log_metadata(entry->stream, entry->metadata, walk->scratch),
              CW_FIELD_BY_NONE, visit, arg);
    struct cw_built_labels labels = {0};
    enum cw_field_parser parser = parse_line(walk, entry);
    visit_all(walk, entry->parsed, parser, visit, arg);
    if (parser == CW_FIELD_BY_NONE)
        return;
    cw_label_builder_sort(&walk->builder, &labels);
    visit_all(walk, labels.parsed, parser, visit, arg);
}
