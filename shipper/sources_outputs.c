/*
 * sources_outputs.c - sources.c, the part that gives each output its row in every source's ledger.
 */
#include <stdlib.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/pipeline/stages.h"
#include "shipper/sources_priv.h"

bool cw_output_takes(const struct cw_output *output, struct cw_str tenant)
{
    if (output->vacant)
        return false;
    if (cw_str_eqz(tenant, output->own_tenant))
        tenant = CW_STR_NONE;
    return output->tenant == NULL || cw_str_eqz(tenant, output->tenant);
}

/* Whether its entries may be for other tenants than its own. */
static bool tenant_varies(const struct cw_source *source)
{
    return source->format == CW_SOURCE_SPOOL ||
           (source->stages != NULL && cw_stages_sets_tenant(source->stages));
}

/* Where no stage and no record names a tenant, all entries are for the same one: other outputs need
 * not look into the source. */
void cw_sources_rows_set(const struct cw_sources *sources, struct cw_source *source)
{
    bool varies = tenant_varies(source);
    uint64_t position = cw_source_position(source); /* of the rows as they were */
    for (size_t i = 0; i < source->nrows; i++) {
        struct cw_ledger_row *row = &source->rows[i];
        const struct cw_output *output = &sources->outputs[i];
        bool off =
            output->vacant || (!varies && !cw_output_takes(output, cw_str_of(source->tenant)));
        if (row->off && !off) /* what the others settled so far was not for it */
            row->done = CW_MAX(row->done, position);
        row->off = off;
    }
}

/* ---- coming ---- */

static size_t vacant_output(const struct cw_sources *sources)
{
    size_t at = 0;
    while (at < sources->noutputs && !sources->outputs[at].vacant)
        at++;
    return at;
}

size_t cw_sources_output_add(struct cw_sources *sources, struct cw_str client, struct cw_str tenant,
                             struct cw_str own_tenant)
{
    size_t output = vacant_output(sources);
    bool appended = output == sources->noutputs;
    if (appended)
        sources->outputs =
            cw_mem_resize(sources->outputs, ++sources->noutputs * sizeof *sources->outputs);
    sources->outputs[output] = (struct cw_output){.client = cw_str_dupz(client),
                                                  .tenant = tenant.ptr ? cw_str_dupz(tenant) : NULL,
                                                  .own_tenant = cw_str_dupz(own_tenant)};
    for (size_t i = 0; i < sources->n; i++) {
        struct cw_source *source = sources->items[i];
        if (appended)
            cw_source_row_add(source);
        else
            source->rows[output] = (struct cw_ledger_row){.done = cw_source_position(source)};
        if (source->tail.fd >= 0)
            cw_sources_rows_set(sources, source);
        cw_sources_activate(sources, source);
    }
    return output;
}

/* ---- leaving ---- */

/* How far any output has looked for tenants' entries, in this run or, by its mark, in one before. */
static uint64_t met_to(const struct cw_source *source)
{
    uint64_t to = source->met_to;
    for (size_t i = 0; i < source->nrows; i++)
        if (!source->rows[i].off)
            to = CW_MAX(to, cw_ledger_next(&source->rows[i]));
    return to;
}

bool cw_sources_output_idle(const struct cw_sources *sources, size_t output)
{
    for (size_t i = 0; i < sources->n; i++) {
        const struct cw_source *source = sources->items[i];
        const struct cw_ledger_row *row = &source->rows[output];
        bool read = source->tail.fd >= 0 || source->asleep;
        if (row->off)
            continue;
        if ((read && !tenant_varies(source)) || source->changed || row->confirmed < row->mark ||
            cw_ledger_next(row) < met_to(source))
            return false;
    }
    return true;
}

bool cw_sources_output_passed(const struct cw_sources *sources, size_t output)
{
    for (size_t i = 0; i < sources->n; i++) {
        const struct cw_source *source = sources->items[i];
        const struct cw_ledger_row *row = &source->rows[output];
        if (!row->off && row->done > cw_source_position(source))
            return false;
    }
    return true;
}

void cw_sources_output_vacate(struct cw_sources *sources, size_t output)
{
    CW_ASSERT(cw_sources_output_passed(sources, output));
    for (size_t i = 0; i < sources->n; i++) {
        struct cw_source *source = sources->items[i];
        source->rows[output] =
            (struct cw_ledger_row){.done = cw_source_position(source), .off = true};
    }
    free(sources->outputs[output].client);
    free(sources->outputs[output].tenant);
    free(sources->outputs[output].own_tenant);
    sources->outputs[output] = (struct cw_output){.vacant = true};
    sources->dirty = true;
}

static bool taken_by_some(const struct cw_sources *sources, struct cw_str tenant)
{
    bool taken = false;
    for (size_t i = 0; i < sources->noutputs && !taken; i++)
        taken = cw_output_takes(&sources->outputs[i], tenant);
    return taken;
}

void cw_sources_outputs_retry(struct cw_sources *sources)
{
    for (size_t i = 0; i < sources->n; i++) {
        struct cw_source *source = sources->items[i];
        cw_source_release(source);
        if (source->tail.fd >= 0 && !taken_by_some(sources, cw_str_of(source->tenant)))
            cw_sources_tenant_meet(sources, source);
    }
}

void cw_sources_tenant_meet(struct cw_sources *sources, struct cw_source *source)
{
    const struct cw_sources_options *options = &sources->options;
    struct cw_str tenant = cw_str_of(source->tenant);
    if (tenant.len > 0 && options->on_tenant != NULL)
        (void)options->on_tenant(options->arg, tenant);
    cw_sources_rows_set(sources, source);
    cw_sources_activate(sources, source);
}

/* ---- positions ---- */

void cw_sources_tenants(const struct cw_sources *sources, struct cw_arena *arena,
                        struct cw_positions *out)
{
    out->ntenants = 0;
    out->tenants = CW_ARENA_ARRAY(arena, struct cw_str, sources->noutputs);
    for (size_t i = 0; i < sources->noutputs; i++) {
        const char *tenant = sources->outputs[i].tenant;
        bool listed = tenant == NULL || tenant[0] == '\0';
        for (size_t k = 0; k < out->ntenants && !listed; k++)
            listed = cw_str_eqz(out->tenants[k], tenant);
        if (!listed)
            out->tenants[out->ntenants++] = cw_str_of(tenant);
    }
}
