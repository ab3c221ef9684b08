#include "querier/engine/plan.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/buf.h"

bool cw_plan_holds_back(enum cw_stage_kind kind)
{
    return kind == CW_STAGE_LINE_FORMAT || kind == CW_STAGE_UNPACK ||
           kind == CW_STAGE_LABEL_FILTER || kind == CW_STAGE_DISTINCT;
}

size_t cw_plan_filters(const struct cw_stage *stages, const struct cw_line_filter ***out)
{
    size_t n = 0, cap = 0;
    const struct cw_line_filter **filters = NULL;
    for (const struct cw_stage *stage = stages; stage != NULL && !cw_plan_holds_back(stage->kind);
         stage = stage->next) {
        if (stage->kind != CW_STAGE_LINE_FILTER)
            continue;
        if (n == cap) {
            cap = cap > 0 ? cap * 2 : 4;
            filters = cw_mem_resize(filters, cap * sizeof *filters);
        }
        filters[n++] = stage->filter;
    }
    *out = filters;
    return n;
}

struct meta_filters {
    struct cw_meta_filter *items;
    size_t n, cap;
};

/* Names that the engine gives are no metadata's alone: errors, and what clashes with a stream's label. */
static bool is_given(struct cw_str name)
{
    static const struct cw_str front = {"__", 2}, end = {"_extracted", 10};
    return cw_str_starts(name, front) || cw_str_ends(name, end);
}

/* All of them must hold. */
static void meta_filters_add(struct meta_filters *filters, const struct cw_label_filter *f)
{
    for (size_t i = 0; f->kind == CW_LF_AND && i < f->nparts; i++)
        meta_filters_add(filters, f->parts[i]);
    if (f->kind != CW_LF_MATCHER || is_given(f->matcher.name))
        return;
    if (filters->n == filters->cap) {
        filters->cap = filters->cap > 0 ? filters->cap * 2 : 4;
        filters->items = cw_mem_resize(filters->items, filters->cap * sizeof *filters->items);
    }
    cw_meta_filter_init(&filters->items[filters->n++], &f->matcher);
}

size_t cw_plan_meta_filters(const struct cw_stage *stages, struct cw_meta_filter **out)
{
    struct meta_filters filters = {0};
    for (const struct cw_stage *stage = stages; stage != NULL; stage = stage->next) {
        if (stage->kind == CW_STAGE_LABEL_FILTER)
            meta_filters_add(&filters, stage->label_filter);
        else if (stage->kind != CW_STAGE_LINE_FILTER)
            break;
    }
    *out = filters.items;
    return filters.n;
}

static int plan_sources(struct cw_query_context *query, struct cw_plan *plan, struct cw_err *err)
{
    for (size_t i = 0; i < query->snapshot->n; i++) {
        struct cw_source *source = query->snapshot->sources[i];
        atomic_fetch_add(&query->sources_planned, 1);
        if (source->min_ns >= plan->scan.end_ns || source->max_ns < plan->scan.start_ns) {
            atomic_fetch_add(&query->sources_outside, 1);
            continue;
        }
        int rc = cw_query_context_check(query, err);
        if (rc == 0)
            rc = source->ops->plan(source, &plan->scan, &plan->units, err);
        if (rc < 0)
            return cw_query_context_reason(query, rc, err);
    }
    return 0;
}

uint64_t cw_unit_share(const struct cw_unit *unit, int64_t start_ns, int64_t end_ns,
                       uint64_t amount)
{
    double from = (double)CW_MAX(unit->min_ns, start_ns), to = (double)CW_MIN(unit->max_ns, end_ns),
           span = (double)unit->max_ns - (double)unit->min_ns;
    if (unit->max_ns < start_ns || unit->min_ns >= end_ns)
        return 0;
    if (span <= 0 || (unit->min_ns >= start_ns && unit->max_ns < end_ns))
        return amount;
    return (uint64_t)((double)amount * ((to - from) / span));
}

uint64_t cw_units_bytes(const struct cw_units *units, int64_t start_ns, int64_t end_ns)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < units->n; i++)
        bytes += cw_unit_share(&units->items[i], start_ns, end_ns, units->items[i].bytes);
    return bytes;
}

/* Numbers as Loki prints them: "1.5 MiB". */
static void add_bytes(struct cw_buf *out, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1024 && unit + 1 < CW_COUNT(units); unit++)
        value /= 1024;
    cw_buf_addf(out, unit > 0 && value < 10 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

/* All plans of the query together. */
static int check_bytes(struct cw_query_context *query, const struct cw_plan *plan,
                       struct cw_err *err)
{
    uint64_t bytes = cw_units_bytes(&plan->units, plan->scan.start_ns, plan->scan.end_ns);
    bytes += atomic_fetch_add(&query->bytes_planned, bytes);
    if (query->max_bytes == 0 || bytes <= query->max_bytes)
        return 0;
    struct cw_buf text;
    cw_buf_init(&text, 256);
    cw_buf_addz(&text, "the query would read too many bytes (query: ");
    add_bytes(&text, bytes);
    cw_buf_addz(&text, ", limit: ");
    add_bytes(&text, query->max_bytes);
    cw_buf_addz(&text, "); consider adding more specific stream selectors or reduce the time range "
                       "of the query");
    int rc = cw_err_set(err, CW_E_LIMIT, "%s", cw_buf_z(&text));
    cw_buf_fini(&text);
    return rc;
}

int cw_plan_make(struct cw_query_context *query, const struct cw_expr *expr, int64_t start_ns,
                 int64_t end_ns, unsigned need, bool newest_first, struct cw_plan *out,
                 struct cw_err *err)
{
    struct cw_step_clock begun = cw_step_begin();
    memset(out, 0, sizeof *out);
    size_t nfilters = cw_plan_filters(expr->stages, &out->filters);
    size_t nmeta_filters = 0;
    if ((need & CW_NEED_TEMPLATES) == 0) /* patterns know no label filters */
        nmeta_filters = cw_plan_meta_filters(expr->stages, &out->meta_filters);
    out->scan = (struct cw_scan){
        .selector = &expr->selector,
        .start_ns = start_ns,
        .end_ns = end_ns,
        .filters = out->filters,
        .nfilters = nfilters,
        .meta_filters = out->meta_filters,
        .nmeta_filters = nmeta_filters,
        .need = need,
        .newest_first = newest_first,
        .keep_decoded = true,
        .cancel = &query->stop,
        .stats = &query->stats,
    };
    if (start_ns < end_ns) {
        int rc = plan_sources(query, out, err);
        if (rc == 0)
            rc = check_bytes(query, out, err);
        if (rc < 0) {
            cw_plan_fini(out);
            return rc;
        }
    }
    for (size_t i = 0; i < out->units.n; i++)
        out->bytes += out->units.items[i].bytes;
    out->order = cw_unit_order_new(&out->units, newest_first);
    atomic_fetch_add(&query->units_planned, out->units.n);
    cw_step_end(query, CW_STEP_PLAN, &begun);
    return 0;
}

void cw_plan_fini(struct cw_plan *plan)
{
    cw_units_fini(&plan->units);
    cw_unit_order_free(&plan->order);
    free(plan->filters);
    for (size_t i = 0; i < plan->scan.nmeta_filters; i++)
        cw_meta_filter_fini(&plan->meta_filters[i]);
    free(plan->meta_filters);
    memset(plan, 0, sizeof *plan);
}
