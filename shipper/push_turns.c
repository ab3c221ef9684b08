#include "shipper/push_turns.h"
#include "common/base/assert.h"
#include "common/base/log.h"

static struct cw_output *output_of(const struct cw_push_client *pc)
{
    return &pc->host->sources->outputs[pc->output];
}

/* ---- when ---- */

static uint64_t bytes_pending(const struct cw_push_client *pc, const struct cw_source *source)
{
    return cw_source_pending(source, pc->output)
               ? source->tail.size - cw_ledger_next(&source->rows[pc->output])
               : 0;
}

/* Sightings are joined, to the later one, where a file grows in many small steps: the first time that was told for
 * what waits is the one that counts, or such a file's lines would never be due. */
static void wait_note(struct cw_push_client *pc, int64_t now_ns, int64_t *at_ns)
{
    if (*at_ns == INT64_MAX) {
        pc->waiting_since_ns = 0;
        return;
    }
    int64_t oldest_ns = CW_MIN(*at_ns - pc->config->batch_wait_ns, now_ns);
    if (pc->waiting_since_ns == 0 || oldest_ns < pc->waiting_since_ns)
        pc->waiting_since_ns = oldest_ns;
    *at_ns = pc->waiting_since_ns + pc->config->batch_wait_ns;
}

/* Asked of the sources that a batch would take: of very many there is no need to look at the rest, whose turn comes later. */
static bool turn_due(struct cw_push_client *pc, int64_t now_ns, int64_t *at_ns)
{
    const struct cw_source_list *active = &pc->host->sources->active;
    const size_t next = output_of(pc)->next;
    uint64_t bytes = 0;
    size_t npending = 0;
    *at_ns = INT64_MAX;
    for (size_t i = 0; i < active->n && npending < CW_BATCH_SOURCES_MAX; i++) {
        const struct cw_source *source = active->items[(next + i) % active->n];
        cw_sources_ahead(active->items, active->n, (next + i) % active->n);
        uint64_t pending = bytes_pending(pc, source);
        if (pending == 0)
            continue;
        uint64_t from = cw_ledger_next(&source->rows[pc->output]);
        int64_t seen_ns = cw_sightings_time(&source->seen, from + 1, now_ns);
        *at_ns = CW_MIN(*at_ns, seen_ns + pc->config->batch_wait_ns);
        if (*at_ns <= now_ns)
            return true;
        bytes += pending;
        npending++;
    }
    wait_note(pc, now_ns, at_ns);
    return bytes > 0 && (bytes >= (uint64_t)pc->config->batch_bytes || *at_ns <= now_ns ||
                         pc->host->once || pc->host->hurry);
}

bool cw_push_turns_due(struct cw_push_client *pc, int64_t now_ns, int64_t *at_ns)
{
    const struct cw_source *greedy = output_of(pc)->greedy;
    if (turn_due(pc, now_ns, at_ns))
        return true;
    pc->greedy_turn = greedy != NULL && pc->refusals.suspects == 0 &&
                      bytes_pending(pc, greedy) >= (uint64_t)pc->config->batch_bytes;
    return pc->greedy_turn;
}

/* ---- who ---- */

static void on_cut_error(void *arg, struct cw_source *source, const struct cw_err *err)
{
    (void)arg;
    cw_log_warn("reading %s: %s", source->path_now, err->text);
}

static void on_cut_changed(void *arg, struct cw_source *source)
{
    struct cw_push_client *pc = arg;
    (void)source;
    pc->host->on_changed(pc->host->arg);
}

static bool on_cut_tenant(void *arg, struct cw_str tenant)
{
    struct cw_push_client *pc = arg;
    return pc->host->on_tenant(pc->host->arg, tenant);
}

static void on_cut_dropped(void *arg, struct cw_source *source,
                           const struct cw_batch_counts *counts)
{
    struct cw_push_client *pc = arg;
    cw_push_client_left_out(pc, source, counts);
    pc->scout_passed = true;
}

/* The source that filled the batch alone and has more; NULL: there is none. */
static struct cw_source *filled_alone(const struct cw_push_client *pc)
{
    const struct cw_batch *batch = pc->batch;
    const struct cw_source_list *active = &pc->host->sources->active;
    if (batch->nparts != 1 || batch->resume >= active->n ||
        active->items[batch->resume] != batch->parts[0].source)
        return NULL;
    return batch->parts[0].source;
}

size_t cw_push_turns_cut(struct cw_push_client *pc, int64_t now_ns)
{
    const struct cw_batch_report report = {on_cut_error, on_cut_changed, on_cut_tenant,
                                           on_cut_dropped, pc};
    struct cw_batch *batch = pc->batch;
    struct cw_sources *sources = pc->host->sources;
    sources->last_output = pc->output;
    bool greedy_turn =
        pc->greedy_turn && cw_sources_active_find(sources, output_of(pc)->greedy, &batch->resume);
    if (!greedy_turn)
        batch->resume = output_of(pc)->next;
    pc->greedy_turn = false;
    size_t nentries =
        cw_batch_cut(batch, &sources->active, pc->refusals.max_entries, now_ns, &report);
    struct cw_output *output = output_of(pc); /* there may be more than before */
    struct cw_source *alone = filled_alone(pc);
    if (greedy_turn) {
        output->greedy = alone;
    } else if (alone != NULL && pc->refusals.suspects == 0) {
        output->greedy = alone;
        output->next = batch->resume + 1;
    } else {
        output->next = batch->resume;
    }
    return nentries;
}

void cw_push_turns_back(struct cw_push_client *pc, const struct cw_source *source)
{
    size_t at;
    if (cw_sources_active_find(pc->host->sources, source, &at))
        output_of(pc)->next = at;
}
