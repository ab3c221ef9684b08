#include "shipper/inspect.h"
#include <stdlib.h>
#include "common/base/clock.h"

/* The column where what a stage did begins. */
enum { NAME_WIDTH = 20, EXTRACTED_MAX = 1000 };

struct cw_inspect {
    FILE *out;
    const struct cw_stages_run *run;
    struct cw_arena *arena;                   /* of `extracted` */
    struct cw_label extracted[EXTRACTED_MAX]; /* as of the last stage that was shown */
    size_t nextracted;
    struct cw_str reason; /* of a drop that the next trace tells */
};

struct cw_inspect *cw_inspect_new(FILE *out)
{
    struct cw_inspect *inspect = cw_mem_new(sizeof *inspect);
    inspect->out = out;
    inspect->arena = cw_arena_new();
    return inspect;
}

void cw_inspect_free(struct cw_inspect **inspect)
{
    if (*inspect == NULL)
        return;
    cw_arena_free(&(*inspect)->arena);
    free(*inspect);
    *inspect = NULL;
}

void cw_inspect_run(struct cw_inspect *inspect, const struct cw_stages_run *run)
{
    inspect->run = run;
    inspect->nextracted = 0;
}

static void extracted_take(struct cw_inspect *inspect, const struct cw_stage_entry *entry)
{
    struct cw_str name, value;
    size_t n = 0;
    cw_arena_reset(inspect->arena);
    while (n < EXTRACTED_MAX && cw_stages_extracted(inspect->run, entry, n, &name, &value)) {
        inspect->extracted[n++] = (struct cw_label){cw_arena_dup(inspect->arena, name),
                                                    cw_arena_dup(inspect->arena, value)};
    }
    inspect->nextracted = n;
}

static struct cw_str pair_get(const struct cw_label *pairs, size_t n, struct cw_str name)
{
    for (size_t i = 0; i < n; i++)
        if (cw_str_eq(pairs[i].name, name))
            return pairs[i].value;
    return CW_STR_NONE;
}

/* name="value" */
static void pair_add(struct cw_buf *out, struct cw_str name, struct cw_str value)
{
    cw_buf_addc(out, ' ');
    cw_buf_adds(out, name);
    cw_buf_addc(out, '=');
    cw_quote_go(value, out);
}

/* " kind a="1" b gone" of what differs; nothing when nothing does. */
static void pairs_diff(struct cw_buf *out, const char *kind, const struct cw_label *before,
                       size_t nbefore, const struct cw_label *after, size_t nafter)
{
    size_t start = out->len;
    for (size_t i = 0; i < nafter; i++)
        if (!cw_str_eq(pair_get(before, nbefore, after[i].name), after[i].value))
            pair_add(out, after[i].name, after[i].value);
    for (size_t i = 0; i < nbefore; i++)
        if (pair_get(after, nafter, before[i].name).ptr == NULL)
            cw_buf_addf(out, " %.*s is gone", CW_STR_ARG(before[i].name));
    if (out->len == start)
        return;
    struct cw_buf said;
    cw_buf_init(&said, SIZE_MAX);
    cw_buf_adds(&said, cw_str_sub(cw_buf_str(out), start, out->len));
    out->len = start;
    cw_buf_addf(out, " %s", kind);
    cw_buf_adds(out, cw_buf_str(&said));
    cw_buf_fini(&said);
}

static void extracted_diff(struct cw_inspect *inspect, struct cw_buf *out,
                           const struct cw_stage_entry *after)
{
    struct cw_str name, value;
    bool any = false;
    for (size_t i = 0; cw_stages_extracted(inspect->run, after, i, &name, &value); i++) {
        if (cw_str_eq(pair_get(inspect->extracted, inspect->nextracted, name), value))
            continue;
        if (!any)
            cw_buf_addz(out, " extracted");
        any = true;
        pair_add(out, name, value);
    }
}

static void changes_add(struct cw_inspect *inspect, struct cw_buf *out,
                        const struct cw_stage_entry *before, const struct cw_stage_entry *after)
{
    extracted_diff(inspect, out, after);
    pairs_diff(out, "label", before->labels, before->nlabels, after->labels, after->nlabels);
    pairs_diff(out, "metadata", before->metadata, before->nmetadata, after->metadata,
               after->nmetadata);
    if (before->ts_ns != after->ts_ns) {
        cw_buf_addz(out, " time ");
        cw_time_format_rfc3339(after->ts_ns, out);
    }
    if (!cw_str_eq(before->tenant, after->tenant))
        pair_add(out, CW_STR("tenant"), after->tenant);
    if (!cw_str_eq(before->line, after->line)) {
        cw_buf_addz(out, " line ");
        cw_buf_adds(out, after->line);
    }
}

void cw_inspect_line(struct cw_inspect *inspect, const struct cw_stage_entry *entry)
{
    fprintf(inspect->out, "line  %.*s\n", CW_STR_ARG(entry->line));
    inspect->nextracted = 0;
}

void cw_inspect_trace(void *arg, size_t depth, struct cw_str stage,
                      const struct cw_stage_entry *before, const struct cw_stage_entry *after)
{
    struct cw_inspect *inspect = arg;
    struct cw_buf out;
    cw_buf_init(&out, SIZE_MAX);
    if (before == NULL)
        cw_buf_addz(&out, " what it held goes on");
    else if (after != NULL)
        changes_add(inspect, &out, before, after);
    else if (inspect->reason.len > 0)
        cw_buf_addf(&out, " dropped: %.*s", CW_STR_ARG(inspect->reason));
    else
        cw_buf_addz(&out, " held until more is there");
    inspect->reason = CW_STR_NONE;
    if (out.len == 0)
        cw_buf_addz(&out, " nothing");
    int indent = (int)(2 * depth + 2);
    fprintf(inspect->out, "%*s%-*.*s%.*s\n", indent, "", NAME_WIDTH - indent, CW_STR_ARG(stage),
            CW_STR_ARG(cw_buf_str(&out)));
    cw_buf_fini(&out);
    if (after != NULL)
        extracted_take(inspect, after);
}

void cw_inspect_dropped(struct cw_inspect *inspect, struct cw_str reason)
{
    inspect->reason = reason;
}

void cw_inspect_entry(struct cw_inspect *inspect, const struct cw_stage_entry *entry)
{
    struct cw_buf out;
    cw_buf_init(&out, SIZE_MAX);
    cw_buf_addz(&out, "entry ");
    cw_time_format_rfc3339(entry->ts_ns, &out);
    cw_buf_addc(&out, ' ');
    cw_labels_format((struct cw_labels){entry->labels, entry->nlabels}, &out);
    if (entry->nmetadata > 0) {
        cw_buf_addz(&out, " metadata ");
        cw_labels_format((struct cw_labels){entry->metadata, entry->nmetadata}, &out);
    }
    if (entry->tenant.len > 0)
        pair_add(&out, CW_STR("tenant"), entry->tenant);
    fprintf(inspect->out, "%.*s %.*s\n", CW_STR_ARG(cw_buf_str(&out)), CW_STR_ARG(entry->line));
    cw_buf_fini(&out);
}
