#include "querier/engine/field_rows.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/assert.h"
#include "common/store/format_slot.h"
#include "querier/engine/field_uses.h"
#include "querier/engine/label_filter.h"
#include "querier/engine/row_context.h"
#include "querier/engine/slot_source.h"

enum {
    ENDS_MAX = 1 << 18, /* of one block's templates together */
    ENDS_MIN = 256,     /* a template may have so many, however few rows it has */
    COMPARES_MAX = 8,
    PLANS_KEEP_BYTES = 16 << 20, /* of streams with other names */
};

/* A label: text of the template, with slots in it. */
struct field {
    struct cw_str name, text;
    uint32_t first_slot, nslots;    /* of the template */
    struct cw_slot_source *sources; /* of those */
};

/* What of a row leads to its end: a small value ... */
struct key {
    struct cw_slot_source source;
    int64_t least;
    uint64_t weight;
};
/* ... or the answer to a comparison. */
struct number {
    struct cw_slot_source source;
    bool negative;
};
struct compare {
    struct number number;
    const struct cw_label_filter *filter;
};

struct end {
    uint32_t epoch; /* of the stream that it is of; else not known */
    uint32_t end;
    double value;
};

enum plan_state {
    PLAN_LINES,
    PLAN_EACH, /* each row runs through the pipeline */
    PLAN_ENDS,
};

/* A template, and what it is on the way to. */
struct plan {
    uint32_t names; /* the plan is for contexts of these; else there is none yet */
    enum plan_state state;
    struct field *fields;
    size_t nfields;
    struct key *keys;
    size_t nkeys;
    struct compare *compares;
    size_t ncompares;
    bool unwraps; /* a number; else the end has the value */
    struct number unwrapped;
    size_t nends;
    struct end **ends; /* by context; NULL: none is known */
};

struct cw_field_rows {
    struct cw_pipeline_run *run;
    const struct cw_stage *parser;
    cw_field_settle_fn settle;
    void *arg;
    struct cw_field_uses uses;
    struct cw_slot_sources sources;
    struct cw_arena *arena; /* plans */
    struct cw_arena *scratch;
    struct cw_row_contexts *contexts;
    bool begun;                           /* false: the next batch is of another block */
    struct plan *plans[CW_ROW_NAMES_MAX]; /* by template; NULL: nobody asked for one */
    size_t nends;                         /* that plans may still have */
    uint32_t epoch;                       /* number of the stream */
    const struct cw_entry_batch *batch;
    struct cw_buf text; /* of a label */
    struct cw_buf lines;
    struct cw_allowance *allowance;
    size_t taken;
    struct cw_scan_stats *stats; /* of the cursor; may be NULL */
};

struct cw_field_rows *cw_field_rows_new(const struct cw_expr *expr,
                                        const struct cw_grouping *grouping,
                                        struct cw_pipeline_run *run, cw_field_settle_fn settle,
                                        void *arg, struct cw_allowance *allowance)
{
    struct cw_field_rows *r = cw_mem_new(sizeof *r);
    r->run = run;
    r->parser = cw_pipeline_parser(run->pipeline);
    CW_ASSERT(r->parser != NULL);
    r->settle = settle;
    r->arg = arg;
    r->allowance = allowance;
    cw_field_uses_init(&r->uses, expr, grouping);
    cw_slot_sources_init(&r->sources);
    r->contexts = cw_row_contexts_new(cw_pipeline_hints(run->pipeline), r->parser);
    r->arena = cw_arena_new();
    r->scratch = cw_arena_new();
    cw_buf_init(&r->text, SIZE_MAX);
    cw_buf_init(&r->lines, SIZE_MAX);
    return r;
}

void cw_field_rows_free(struct cw_field_rows **rows)
{
    struct cw_field_rows *r = *rows;
    *rows = NULL;
    if (r == NULL)
        return;
    cw_allowance_give(r->allowance, r->taken);
    cw_field_uses_fini(&r->uses);
    cw_slot_sources_fini(&r->sources);
    cw_row_contexts_free(&r->contexts);
    cw_arena_free(&r->arena);
    cw_arena_free(&r->scratch);
    cw_buf_fini(&r->text);
    cw_buf_fini(&r->lines);
    free(r);
}

void cw_field_rows_forget(struct cw_field_rows *r, struct cw_scan_stats *stats)
{
    r->begun = false;
    r->stats = stats;
}

/* All that it holds now is from the allowance. */
static int memory_count(struct cw_field_rows *r, struct cw_err *err)
{
    size_t bytes = cw_arena_bytes(r->arena) + cw_arena_bytes(r->scratch) +
                   cw_arena_bytes(r->sources.arena) + cw_row_contexts_bytes(r->contexts) +
                   r->text.cap + r->lines.cap;
    if (bytes < r->taken) {
        cw_allowance_give(r->allowance, r->taken - bytes);
    } else {
        int rc = cw_allowance_take(r->allowance, bytes - r->taken, err);
        if (rc < 0)
            return rc;
    }
    r->taken = bytes;
    return 0;
}

/* ---- blocks and streams ---- */

static void plans_drop(struct cw_field_rows *r)
{
    cw_arena_reset(r->arena);
    memset(r->plans, 0, sizeof r->plans);
    r->nends = ENDS_MAX;
}

int cw_field_rows_begin(struct cw_field_rows *r, const struct cw_entry_batch *batch,
                        struct cw_err *err)
{
    CW_ASSERT(batch->templates != NULL);
    r->batch = batch;
    if (!r->begun) {
        int rc = cw_slot_sources_begin(&r->sources, batch->templates, err);
        if (rc < 0)
            return rc;
        plans_drop(r);
        r->begun = true;
    }
    enum cw_row_stream stream = cw_row_contexts_begin(r->contexts, batch);
    r->epoch += stream != CW_ROW_STREAM_SAME;
    if (stream == CW_ROW_STREAM_NAMES && cw_arena_bytes(r->arena) > PLANS_KEEP_BYTES)
        plans_drop(r);
    return 0;
}

/* ---- where labels come from ---- */

static const struct cw_slot *slots_of(const struct cw_field_rows *r, uint32_t t)
{
    return r->sources.layout->slots + r->sources.layout->templates[t].first_slot;
}

/* Are the columns' strings such that they change nothing of what the parser does? */
static bool strings_fit(struct cw_field_rows *r, uint32_t t)
{
    const struct cw_template *template = &r->sources.layout->templates[t];
    /* Of a `--strict` one every escape is looked at. */
    enum cw_string_form worst = r->parser->strict ? CW_STRINGS_PLAIN : CW_STRINGS_ENCODED;
    if (r->parser->strict && cw_str_find_byte(template->text, '\\') >= 0)
        return false;
    for (uint32_t s = 0; s < template->nslots; s++) {
        const struct cw_slot *slot = slots_of(r, t) + s;
        if (cw_slot_is_string(slot->type) &&
            cw_slot_sources_form(&r->sources, slot->column) > worst)
            return false;
    }
    return true;
}

/* What the parser took of the sample as a field; false: it cannot be told where that is from. */
static bool field_set(struct cw_field_rows *r, uint32_t t, struct cw_str sample,
                      const struct cw_built_label *label, struct field *out)
{
    const struct cw_template *template = &r->sources.layout->templates[t];
    const struct cw_slot *slots = slots_of(r, t);
    struct cw_err why;
    *out = (struct field){.name = cw_arena_dup(r->arena, label->name), .text = CW_STR("")};
    if (label->value.len == 0)
        /* An escape that is wrong gives no text, and may be right with the slot's value. */
        return cw_str_find_byte(sample, '\\') < 0;
    uintptr_t at = (uintptr_t)label->value.ptr, from = (uintptr_t)sample.ptr;
    if (at < from || at >= from + sample.len)
        return false;
    uint32_t first = (uint32_t)(at - from), end = first + (uint32_t)label->value.len;
    out->text = cw_str_sub(template->text, first, end);
    while (out->first_slot < template->nslots && slots[out->first_slot].at < first)
        out->first_slot++;
    while (out->first_slot + out->nslots < template->nslots &&
           slots[out->first_slot + out->nslots].at < end)
        out->nslots++;
    out->sources = CW_ARENA_ARRAY(r->arena, struct cw_slot_source, out->nslots);
    for (uint32_t i = 0; i < out->nslots; i++)
        if (cw_slot_sources_get(&r->sources, t, out->first_slot + i, &out->sources[i], &why) < 0)
            return false;
    return true;
}

/* 1 the fields are set; 0: rows are to be parsed. */
static int fields_find(struct cw_field_rows *r, uint32_t t, const struct cw_row_context *context,
                       struct plan *plan, struct cw_err *err)
{
    struct cw_str text = r->sources.layout->templates[t].text;
    struct cw_label_builder *builder = &r->run->builder;
    enum cw_syntax syntax = r->parser->kind == CW_STAGE_JSON ? CW_SYNTAX_JSON : CW_SYNTAX_LOGFMT;
    char *sample = cw_arena_alloc(r->arena, text.len);
    if (!cw_template_sample(text, syntax, sample) || !strings_fit(r, t))
        return 0;
    int rc = cw_pipeline_parse(r->run, r->batch->stream.labels, context->metadata,
                               cw_str_make(sample, text.len), err);
    if (rc < 0 || builder->error.len > 0)
        return CW_MIN(rc, 0);
    plan->fields = CW_ARENA_ARRAY(r->arena, struct field, builder->n);
    for (size_t i = 0; i < builder->n; i++)
        if (builder->items[i].category == CW_LABEL_PARSED &&
            !field_set(r, t, cw_str_make(sample, text.len), &builder->items[i],
                       &plan->fields[plan->nfields++]))
            return 0;
    return 1;
}

/* ---- what leads to the same end ---- */

/* Is the field the number of one slot, with a sign at most? */
static bool field_number(const struct field *field, struct number *out)
{
    if (field->nslots != 1)
        return false;
    unsigned type = field->sources[0].column->type;
    *out = (struct number){.source = field->sources[0],
                           .negative = field->text.len == 2 && field->text.ptr[0] == '-'};
    return (type == CW_SLOT_NUM || type == CW_SLOT_DEC) &&
           field->text.len == (out->negative ? 2u : 1u);
}

/* The comparisons that ask it. False: there are too many. */
static bool add_compares(const struct cw_field_rows *r, struct plan *plan,
                         const struct field *field, const struct number *number)
{
    for (size_t i = 0; i < r->uses.ncompares; i++) {
        const struct cw_label_filter *filter = r->uses.compares[i];
        if (!cw_str_eq(cw_label_filter_name(filter), field->name))
            continue;
        if (plan->ncompares == COMPARES_MAX)
            return false;
        plan->compares[plan->ncompares++] = (struct compare){*number, filter};
    }
    if (cw_str_eq(r->uses.unwrapped, field->name)) {
        plan->unwraps = true;
        plan->unwrapped = *number;
    }
    return true;
}

/* How many ends the rows may come to; 0: too many. */
static uint64_t add_keys(struct cw_field_rows *r, uint32_t t, struct plan *plan,
                         const struct field *field, uint64_t weight, uint64_t most)
{
    for (uint32_t i = 0; i < field->nslots; i++) {
        struct key key = {.source = field->sources[i], .weight = weight};
        uint64_t n = cw_slot_sources_small(
            &r->sources, slots_of(r, t)[field->first_slot + i].column, &key.least);
        if (n == 0 || n > most || weight * n > most)
            return 0;
        weight *= n;
        plan->keys[plan->nkeys++] = key;
    }
    return weight;
}

static bool ends_find(struct cw_field_rows *r, uint32_t t, struct plan *plan)
{
    uint64_t most =
        CW_MIN(r->nends, ENDS_MIN + 2 * (uint64_t)cw_template_block_counts(r->batch->templates)[t]);
    uint64_t weight = 1;
    plan->keys = CW_ARENA_ARRAY(r->arena, struct key, r->sources.layout->templates[t].nslots + 1);
    plan->compares = CW_ARENA_ARRAY(r->arena, struct compare, COMPARES_MAX);
    for (size_t i = 0; i < plan->nfields && weight > 0; i++) {
        const struct field *field = &plan->fields[i];
        struct number number;
        if (cw_field_uses_number(&r->uses, field->name) && field_number(field, &number)) {
            if (!add_compares(r, plan, field, &number))
                return false;
        } else {
            weight = add_keys(r, t, plan, field, weight, most);
        }
    }
    uint64_t n = weight << plan->ncompares;
    if (weight == 0 || n > most)
        return false;
    plan->nends = n;
    plan->ends = CW_ARENA_ARRAY(r->arena, struct end *, CW_ROW_CONTEXTS_MAX);
    return true;
}

static int plan_make(struct cw_field_rows *r, uint32_t t, const struct cw_row_context *context,
                     struct plan *plan, struct cw_err *err)
{
    *plan = (struct plan){.names = context->names};
    int rc = fields_find(r, t, context, plan, err);
    if (rc < 0)
        return rc;
    plan->state = rc == 0 ? PLAN_LINES : ends_find(r, t, plan) ? PLAN_ENDS : PLAN_EACH;
    return 0;
}

/* The template's plan for rows of this context. */
static int plan_get(struct cw_field_rows *r, uint32_t t, const struct cw_row_context *context,
                    struct plan **out, struct cw_err *err)
{
    struct plan **plans = &r->plans[context->slot];
    if (*plans == NULL)
        *plans = CW_ARENA_ARRAY(r->arena, struct plan, r->sources.layout->ntemplates);
    *out = &(*plans)[t];
    return (*out)->names != context->names ? plan_make(r, t, context, *out, err) : 0;
}

/* NULL: rows of the context run each. */
static struct end *plan_ends(struct cw_field_rows *r, struct plan *plan,
                             const struct cw_row_context *context)
{
    if (plan->state != PLAN_ENDS || context->number == CW_ROW_CONTEXT_OTHER)
        return NULL;
    struct end **ends = &plan->ends[context->number];
    if (*ends == NULL && plan->nends <= r->nends) {
        r->nends -= plan->nends;
        *ends = CW_ARENA_ARRAY(r->arena, struct end, plan->nends);
    }
    return *ends;
}

/* ---- a row ---- */

/* A quoted value that stands for itself; logfmt takes no empty ones. */
static bool is_itself(const struct cw_field_rows *r, const struct cw_slot_source *source,
                      struct cw_str text)
{
    return source->column->type != CW_SLOT_QUOTED ||
           ((text.len > 0 || r->parser->kind == CW_STAGE_JSON) &&
            cw_string_form(text) == CW_STRINGS_PLAIN);
}

/* 1 the label's text; 0: it is to be parsed. */
static int field_text(struct cw_field_rows *r, uint32_t t, const struct field *field, uint32_t row,
                      struct cw_str *out, struct cw_err *err)
{
    const struct cw_slot *slots = slots_of(r, t) + field->first_slot;
    size_t base = (size_t)(field->text.ptr - r->sources.layout->templates[t].text.ptr), from = 0;
    *out = field->text;
    if (field->nslots == 0)
        return 1;
    cw_buf_clear(&r->text);
    for (uint32_t i = 0; i < field->nslots; i++) {
        char area[CW_SLOT_TEXT_MAX + CW_SLOT_TEXT_SLACK];
        struct cw_str value;
        uint32_t at = cw_slot_source_at(&field->sources[i], row);
        int rc = cw_column_text(field->sources[i].column, at, area, &value, err);
        if (rc < 0 || !is_itself(r, &field->sources[i], value))
            return rc;
        cw_buf_adds(&r->text, cw_str_sub(field->text, from, slots[i].at - base));
        cw_buf_adds(&r->text, value);
        from = slots[i].at - base + 1;
    }
    cw_buf_adds(&r->text, cw_str_sub(field->text, from, field->text.len));
    *out = cw_arena_dup(r->run->builder.scratch, cw_buf_str(&r->text));
    return 1;
}

/* Through the pipeline. */
static int row_run(struct cw_field_rows *r, uint32_t t, const struct cw_row_context *context,
                   const struct plan *plan, size_t i, struct cw_field_row *out, struct cw_err *err)
{
    struct cw_label_builder *builder = &r->run->builder;
    out->end = CW_FIELD_ROW_LINE;
    cw_label_builder_begin(builder, r->batch->stream.labels, context->metadata);
    for (size_t f = 0; f < plan->nfields; f++) {
        struct cw_str text;
        int rc = field_text(r, t, &plan->fields[f], r->batch->rows[i], &text, err);
        if (rc <= 0)
            return rc;
        cw_label_builder_add(builder, plan->fields[f].name, text);
    }
    int rc = cw_pipeline_parsed(r->run, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        out->end = CW_FIELD_ROW_GONE;
    else if (builder->error.len == 0) /* else it is told of the line, as a whole */
        rc = r->settle(r->arg, &out->end, err);
    out->value = r->run->value;
    return CW_MIN(rc, 0);
}

static int number_read(const struct number *number, uint32_t row, double *out, struct cw_err *err)
{
    int rc = cw_slot_number(&number->source, row, out, err);
    if (number->negative)
        *out = -*out;
    return rc;
}

/* The row's place among the ends. */
static int end_find(const struct plan *plan, uint32_t row, struct end *ends, struct end **out,
                    struct cw_err *err)
{
    uint64_t at = 0;
    for (size_t i = 0; i < plan->nkeys; i++) {
        const struct key *key = &plan->keys[i];
        at += ((uint64_t)cw_slot_value(&key->source, row) - (uint64_t)key->least) * key->weight;
    }
    for (size_t i = 0; i < plan->ncompares; i++) {
        double number;
        int rc = number_read(&plan->compares[i].number, row, &number, err);
        if (rc < 0)
            return rc;
        at = at << 1 | cw_label_filter_number(plan->compares[i].filter, number);
    }
    *out = &ends[at];
    return 0;
}

int cw_field_rows_row(struct cw_field_rows *r, size_t i, struct cw_field_row *out,
                      struct cw_err *err)
{
    uint32_t row = r->batch->rows[i], t = r->sources.rows[row];
    const struct cw_labels none = CW_LABELS_NONE;
    const struct cw_row_context *context = cw_row_contexts_find(
        r->contexts, r->batch->metadata != NULL ? &r->batch->metadata[i] : &none);
    struct plan *plan;
    struct end *end;
    *out = (struct cw_field_row){.end = CW_FIELD_ROW_LINE};
    if (context == NULL)
        return 0;
    int rc = plan_get(r, t, context, &plan, err);
    if (rc < 0 || plan->state == PLAN_LINES)
        return rc;
    struct end *ends = plan_ends(r, plan, context);
    if (ends == NULL)
        return row_run(r, t, context, plan, i, out, err);
    rc = end_find(plan, row, ends, &end, err);
    if (rc == 0 && end->epoch != r->epoch) {
        rc = row_run(r, t, context, plan, i, out, err);
        *end = (struct end){r->epoch, out->end, out->value};
    }
    if (rc < 0)
        return rc;
    *out = (struct cw_field_row){end->end, end->value};
    return plan->unwraps && out->end < CW_FIELD_ROW_LINE
               ? number_read(&plan->unwrapped, row, &out->value, err)
               : 0;
}

/* ---- lines ---- */

int cw_field_rows_lines(struct cw_field_rows *r, const struct cw_field_row *ends,
                        struct cw_str *lines_out, struct cw_err *err)
{
    const struct cw_entry_batch *batch = r->batch;
    uint32_t from = UINT32_MAX, to = 0;
    uint64_t nlines = 0;
    cw_arena_reset(r->scratch);
    uint64_t *keep = CW_ARENA_ARRAY(r->scratch, uint64_t, CW_BLOCK_ROWS_MAX / 64);
    for (size_t i = 0; i < batch->n; i++) {
        if (ends[i].end != CW_FIELD_ROW_LINE)
            continue;
        keep[batch->rows[i] / 64] |= UINT64_C(1) << batch->rows[i] % 64;
        from = CW_MIN(from, batch->rows[i]);
        to = CW_MAX(to, batch->rows[i] + 1);
        nlines++;
    }
    if (to == 0)
        return memory_count(r, err);
    uint32_t *offsets = cw_arena_alloc(r->scratch, (to - from + 1) * sizeof *offsets);
    cw_buf_clear(&r->lines);
    cw_buf_reserve(&r->lines, 1); /* an empty line is somewhere too */
    int rc = cw_template_block_lines(batch->templates, keep, from, to, &r->lines, offsets, err);
    if (rc == 0)
        rc = memory_count(r, err);
    if (r->stats != NULL) {
        atomic_fetch_add_explicit(&r->stats->rows_rebuilt, nlines, memory_order_relaxed);
        atomic_fetch_add_explicit(&r->stats->bytes_decompressed, r->lines.len,
                                  memory_order_relaxed);
    }
    for (size_t i = 0; rc == 0 && i < batch->n; i++) {
        uint32_t at = batch->rows[i] - from;
        if (ends[i].end == CW_FIELD_ROW_LINE)
            lines_out[i] = cw_str_make(r->lines.ptr + offsets[at], offsets[at + 1] - offsets[at]);
    }
    return rc;
}
