#include "shipper/push_ask.h"
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/wire/delivery.h"
#include "shipper/push_letters.h"
#include "shipper/push_turns.h"
#include "shipper/shipper_metrics.h"

static const char *const push_names[CW_PUSH_NSTATES] = {"stopped", "asking", "idle", "sending",
                                                        "backoff"};
#define TO(state) (1u << CW_PUSH_##state)
static const unsigned push_edges[CW_PUSH_NSTATES] = {
    [CW_PUSH_STOPPED] = TO(ASKING),
    [CW_PUSH_ASKING] = TO(IDLE) | TO(BACKOFF) | TO(ASKING) | TO(SENDING) | TO(STOPPED),
    [CW_PUSH_IDLE] = TO(SENDING) | TO(ASKING) | TO(STOPPED),
    [CW_PUSH_SENDING] = TO(IDLE) | TO(BACKOFF) | TO(ASKING) | TO(STOPPED),
    [CW_PUSH_BACKOFF] = TO(ASKING) | TO(STOPPED),
};
/* An answer to a push is short; a longer one is cut off by the client. */
#define PUSH_ANSWER_BYTES (1u << 20)
/* Confirms in one push: 40 bytes each. */
#define PUSH_CONFIRMS_MAX 1000
/* The first refusals are logged one by one, then one of so many. */
#define PUSH_REFUSALS_TOLD 20
#define PUSH_REFUSALS_EACH 1000
/* A server may ask for a long pause; a longer one than this is a mistake. */
#define PUSH_RETRY_AFTER_MAX_S 600
/* A batch of so many bytes leaves memory behind, which is given back after a time without a push. */
#define PUSH_LARGE_BYTES (64u << 10)
#define PUSH_REST_NS (5 * CW_NS_PER_S)

/* With very many files that grow, it takes a while to find out whether a batch is full: that is done this seldom, for each of them. */
#define PUSH_LOOK_NS (10 * CW_NS_PER_US)

static void push_next(struct cw_push_client *pc);
static void confirms_drop(struct cw_push_client *pc);
static void on_timer(uv_timer_t *timer);

void cw_push_client_enter(struct cw_push_client *pc, enum cw_push_state next)
{
    CW_ASSERT(push_edges[pc->state] & (1u << next));
    cw_log_debug("push %s: %s -> %s", pc->target.name, push_names[pc->state], push_names[next]);
    pc->state = next;
}

void cw_push_client_count(struct cw_push_client *pc, enum cw_shipper_metric metric, uint64_t n)
{
    struct cw_str labels[] = {cw_str_of(pc->target.name)};
    cw_metric_add(cw_metrics_child(pc->host->metrics, metric, labels), (int64_t)n);
}

struct cw_tally_output *cw_push_client_tally(struct cw_push_client *pc, struct cw_source *source)
{
    struct cw_ledger_row *row = &source->rows[pc->output];
    struct cw_tally *tally = cw_source_tally(source);
    if (row->tally_at == 0) { /* it stays there, though the block of all may move */
        const struct cw_tally_output *found = cw_tally_output(tally, pc->config->name);
        row->tally_at = (uint32_t)(found - tally->outputs) + 1;
    }
    return &tally->outputs[row->tally_at - 1];
}

/* ---- waiting ---- */

/* min, 2 min, 4 min, .. max, of which a random part of up to a half is taken off; never less than
 * the server asks for. */
static int64_t backoff_ms(struct cw_push_client *pc, int64_t retry_after_s)
{
    const struct cw_backoff_config *backoff = &pc->config->backoff;
    int64_t ns = backoff->min_period_ns;
    for (unsigned i = 1; i < pc->nfailures && ns < backoff->max_period_ns; i++)
        ns *= 2;
    ns = CW_MIN(ns, backoff->max_period_ns);
    pc->random = pc->random * 6364136223846793005u + 1442695040888963407u;
    ns -= (int64_t)((double)ns / 2 * (double)(pc->random >> 33) / (double)(UINT64_C(1) << 31));
    int64_t asked_s = CW_MIN(retry_after_s, PUSH_RETRY_AFTER_MAX_S);
    return CW_MAX(ns, asked_s * CW_NS_PER_S) / CW_NS_PER_MS + 1;
}

int64_t cw_push_client_wait(struct cw_push_client *pc, int64_t retry_after_s)
{
    pc->nfailures++;
    int64_t ms = backoff_ms(pc, retry_after_s);
    cw_push_client_enter(pc, CW_PUSH_BACKOFF);
    uv_timer_start(&pc->timer, on_timer, (uint64_t)ms, 0);
    return ms;
}

void cw_push_client_back_off(struct cw_push_client *pc, const char *what, const char *why,
                             int64_t retry_after_s)
{
    int64_t ms = cw_push_client_wait(pc, retry_after_s);
    cw_log_warn("client %s: %s failed: %s; again in %" PRId64 " ms", pc->target.name, what, why,
                ms);
    cw_push_client_count(pc, CW_M_RETRIES, 1);
    if (pc->host->once && pc->nfailures > pc->config->backoff.max_retries)
        cw_push_client_give_up(pc);
}

void cw_push_client_give_up(struct cw_push_client *pc)
{
    cw_log_error("client %s: giving up after %u failures in a row: what it has not delivered is "
                 "left to the next run",
                 pc->target.name, pc->nfailures);
    uv_timer_stop(&pc->timer);
    cw_push_client_enter(pc, CW_PUSH_STOPPED);
    confirms_drop(pc);
    cw_batch_drop(pc->batch);
    pc->host->sources->outputs[pc->output].gave_up = true;
    pc->host->on_give_up(pc->host->arg);
}

static void on_timer(uv_timer_t *timer)
{
    struct cw_push_client *pc = CW_CONTAINER_OF(timer, struct cw_push_client, timer);
    CW_CHECK(pc, CW_PUSH_CLIENT_MAGIC);
    if (pc->state == CW_PUSH_BACKOFF)
        cw_push_ask_start(pc);
    else if (pc->state == CW_PUSH_IDLE)
        pc->host->on_settled(pc->host->arg);
}

/* ---- answers to a push ---- */

static void over_streams_tell(struct cw_push_client *pc, uint64_t nentries)
{
    cw_push_client_count(pc, CW_M_STREAM_LIMITED, nentries);
    if (!pc->over_streams_told)
        cw_log_error("client %s: a push has more than limits_config.max_streams (%zu) streams: the "
                     "entries of further ones are dropped",
                     pc->target.name, pc->batch->options.max_streams);
    pc->over_streams_told = true;
}

void cw_push_client_left_out(struct cw_push_client *pc, struct cw_source *source,
                             const struct cw_batch_counts *counts)
{
    if (counts->skipped + counts->unselected + counts->over_streams + counts->pairs == 0)
        return; /* as with nearly all of very many small parts */
    struct cw_tally_reasons *left_out = &cw_push_client_tally(pc, source)->left_out;
    cw_tally_count(left_out, CW_STR("line too long"), counts->skipped);
    cw_tally_count(left_out, CW_STR("selector"), counts->unselected);
    cw_tally_count(left_out, CW_STR("stream_limited"), counts->over_streams);
    if (counts->over_streams > 0)
        over_streams_tell(pc, counts->over_streams);
    if (counts->pairs > 0 && !pc->pairs_told)
        cw_log_warn(
            "client %s: structured metadata of %s has names that no server takes (without a "
            "letter or digit of ASCII): it is left out, its lines are not",
            pc->target.name, source->path_now);
    pc->pairs_told |= counts->pairs > 0;
}

/* The store knows that positions passed these marks. */
static void confirms_settle(struct cw_push_client *pc)
{
    for (size_t i = 0; i < pc->nconfirms; i++)
        pc->confirmed[i]->rows[pc->output].confirmed = pc->confirms[i].offset;
}

static void push_stored(struct cw_push_client *pc)
{
    pc->host->sources->nsettled += pc->batch->nparts;
    pc->look_ns = 0;
    for (size_t i = 0; i < pc->batch->nparts; i++) {
        const struct cw_batch_part *part = &pc->batch->parts[i];
        CW_ASSERT(part->source->generation ==
                  part->generation); /* it is not raised while we name it */
        struct cw_ledger_row *row = &part->source->rows[pc->output];
        cw_metrics_add(pc->host->metrics, CW_M_READ_BYTES,
                       (int64_t)(part->to - cw_ledger_next(row)));
        cw_ledger_stored(row, part->to, part->last_ts_ns);
        if (pc->plain)
            row->confirmed = row->mark; /* there is nobody to be told */
        cw_sightings_prune(&part->source->seen, cw_source_position(part->source));
        cw_push_client_left_out(pc, part->source, &part->counts);
        cw_push_client_tally(pc, part->source)->acknowledged += part->counts.fresh;
    }
    cw_push_client_count(pc, CW_M_ENTRIES, pc->batch->nentries);
    cw_push_client_count(pc, CW_M_ENTRY_BYTES, pc->batch->line_bytes);
    confirms_settle(pc);
    cw_push_refusals_taken(&pc->refusals, pc->batch->nentries);
    cw_batch_drop(pc->batch);
}

static void part_give_up(struct cw_push_client *pc, const struct cw_batch_part *part, int status,
                         struct cw_str why)
{
    char reason[24];
    snprintf(reason, sizeof reason, "HTTP status %d", status);
    /* A source whose every line is refused must not fill the log: the rest is in the dead letters. */
    uint64_t before = pc->nrefused;
    pc->nrefused += part->nentries;
    if (before < PUSH_REFUSALS_TOLD ||
        before / PUSH_REFUSALS_EACH != pc->nrefused / PUSH_REFUSALS_EACH)
        cw_log_warn("client %s refuses %zu of the entries of %s for good (status %d: %.*s); "
                    "%" PRIu64 " so far",
                    pc->target.name, part->nentries, part->source->path_now, status,
                    CW_STR_ARG(cw_str_sub(cw_str_trim(why), 0, 300)), pc->nrefused);
    cw_tally_count(&cw_push_client_tally(pc, part->source)->refused, cw_str_of(reason),
                   part->counts.fresh);
    cw_push_client_count(pc, CW_M_REJECTED, part->nentries);
    cw_push_client_left_out(pc, part->source, &part->counts);
    cw_ledger_refused(&part->source->rows[pc->output], part->to, part->last_ts_ns);
}

/* The whole batch is refused for good: written down, counted, settled. False: it could not be written down. */
static bool batch_give_up(struct cw_push_client *pc, int status, struct cw_str why)
{
    const struct cw_batch *batch = pc->batch;
    const struct cw_dead_letter like = {.client = pc->config->name,
                                        .tenant = batch->options.tenant,
                                        .status = status,
                                        .error = why};
    struct cw_err err = {0};
    if (cw_push_letters_write(pc->host->dead_letters, batch, &like, &err) < 0) {
        cw_push_client_back_off(pc, "writing down refused entries", err.text, -1);
        return false;
    }
    for (size_t i = 0; i < batch->nparts; i++)
        part_give_up(pc, &batch->parts[i], status, why);
    cw_batch_drop(pc->batch);
    return true;
}

static void push_refused(struct cw_push_client *pc, int status, struct cw_str why)
{
    struct cw_batch *batch = pc->batch;
    if (batch->nparts == 0) { /* confirms alone: said again when the mark is another */
        confirms_settle(pc);
        push_next(pc);
        return;
    }
    const struct cw_push_refused refused = {.status = status,
                                            .text = why,
                                            .plain = pc->plain,
                                            .nentries = batch->nentries,
                                            .nfirst = batch->parts[0].nentries,
                                            .source = batch->parts[0].source->id};
    if (cw_push_refusals_refused(&pc->refusals, &refused) == CW_PUSH_GIVE_UP) {
        if (batch_give_up(pc, status, why))
            push_next(pc);
        return;
    }
    cw_push_turns_back(pc, batch->parts[0].source);
    cw_batch_drop(batch);
    push_next(pc);
}

/* Nothing was stored; the answer tells the marks of the ranges. */
static void push_conflict(struct cw_push_client *pc, const struct cw_delivery_answer *answer)
{
    bool moved = false;
    for (size_t i = 0; i < pc->batch->nparts; i++) {
        const struct cw_batch_part *part = &pc->batch->parts[i];
        for (size_t m = 0; m < answer->nmarks; m++) {
            if (memcmp(answer->marks[m].source.bytes, part->source->id.bytes,
                       sizeof part->source->id.bytes) != 0 ||
                answer->marks[m].generation != part->generation)
                continue;
            moved |= answer->marks[m].offset != part->from;
            cw_push_ask_adopt(pc, part->source, answer->marks[m].offset);
        }
    }
    cw_batch_drop(pc->batch);
    if (moved)
        push_next(pc);
    else
        cw_push_client_back_off(pc, "a push",
                                "refused by its ranges, which are at the server's marks", -1);
}

static void push_failed(struct cw_push_client *pc, const struct cw_http_answer *answer)
{
    char why[400];
    snprintf(why, sizeof why, "HTTP status %d: %.*s", answer->status,
             CW_STR_ARG(cw_str_sub(cw_str_trim(answer->body), 0, 300)));
    cw_push_client_back_off(pc, "a push", why, answer->retry_after_s);
}

static void push_status(struct cw_push_client *pc, const struct cw_http_answer *answer)
{
    int status = answer->status;
    if (status >= 200 && status < 300) {
        pc->nfailures = 0;
        push_stored(pc);
        push_next(pc);
        return;
    }
    if (status == 409) {
        struct cw_arena *arena = cw_arena_new();
        struct cw_delivery_answer said = {0};
        struct cw_err err = {0};
        int rc = cw_delivery_answer_decode(answer->body, arena, &said, &err);
        bool of_ranges = rc == 0 && cw_str_eqz(said.code, CW_DELIVERY_CODE_RANGE);
        bool of_session = rc == 0 && cw_str_eqz(said.code, CW_DELIVERY_CODE_SESSION);
        if (of_ranges)
            push_conflict(pc, &said);
        else if (of_session)
            cw_push_ask_start(pc);
        else if (!pc->plain) /* cordwood says 409 of nothing else: the answer is not its own */
            push_failed(pc, answer);
        cw_arena_free(&arena);
        if (of_ranges || of_session || !pc->plain)
            return;
    }
    if (status == 429 && pc->config->drop_rate_limited && pc->batch->nparts > 0) {
        if (batch_give_up(pc, status, answer->body))
            push_next(pc);
        return;
    }
    /* Not about the entries: a wrong path or method, or the way there. They wait until somebody has
     * repaired it. */
    bool of_the_way = cw_push_ask_answer_is_of_the_way(answer) || status == 404 || status == 405;
    if (status >= 400 && status < 500 && !of_the_way)
        push_refused(pc, status, answer->body);
    else
        push_failed(pc, answer);
}

static void on_push_done(void *arg, int rc, const struct cw_http_answer *answer,
                         const struct cw_err *err)
{
    struct cw_push_client *pc = arg;
    CW_CHECK(pc, CW_PUSH_CLIENT_MAGIC);
    char status[16] = "error";
    if (rc == 0)
        snprintf(status, sizeof status, "%d", answer->status);
    struct cw_str labels[] = {cw_str_of(pc->target.name), cw_str_of(status)};
    cw_metric_add(cw_metrics_child(pc->host->metrics, CW_M_PUSHES, labels), 1);
    cw_metrics_observe(pc->host->metrics, CW_M_PUSH_SECONDS, cw_clock_mono_ns() - pc->started_ns);
    if (rc < 0)
        cw_push_client_back_off(pc, "a push", err->text, -1);
    else
        push_status(pc, answer);
}

/* ---- pushing ---- */

/* What the store may forget: positions on disk have passed its mark. */
static void confirms_collect(struct cw_push_client *pc)
{
    pc->nconfirms = 0;
    const struct cw_sources *sources = pc->host->sources;
    if (pc->confirmed_save == sources->nsaves)
        return;
    for (size_t i = 0; i < sources->n && pc->nconfirms < PUSH_CONFIRMS_MAX && !pc->plain; i++) {
        struct cw_source *source = sources->items[i];
        const struct cw_ledger_row *row = &source->rows[pc->output];
        if (!source->durable || !cw_ledger_confirm_due(row, source->durable_offset))
            continue;
        pc->confirmed[pc->nconfirms] = source;
        pc->confirms[pc->nconfirms++] =
            (struct cw_push_confirm){source->id, source->generation, row->mark};
        source->nbusy++;
    }
    if (pc->nconfirms == 0)
        pc->confirmed_save = sources->nsaves;
}

static void confirms_drop(struct cw_push_client *pc)
{
    for (size_t i = 0; i < pc->nconfirms; i++)
        pc->confirmed[i]->nbusy--;
    pc->nconfirms = 0;
}

/* An entry counts as sent once, however often it is tried. */
static void part_count_sent(struct cw_push_client *pc, const struct cw_batch_part *part)
{
    struct cw_ledger_row *row = &part->source->rows[pc->output];
    struct cw_tally_output *tally = cw_push_client_tally(pc, part->source);
    uint64_t nagain = 0;
    for (size_t i = 0; i < part->nentries; i++)
        nagain += pc->batch->entries[part->first + i].from < row->sent_to;
    tally->sent += part->nentries - nagain;
    tally->retried += nagain;
    row->sent_to = CW_MAX(row->sent_to, part->to);
}

void cw_push_client_send(struct cw_push_client *pc)
{
    struct cw_err err = {0};
    cw_push_client_enter(pc, CW_PUSH_SENDING);
    uv_timer_stop(&pc->timer);
    pc->started_ns = pc->sent_ns = cw_clock_mono_ns();
    pc->large |= pc->batch->line_bytes >= PUSH_LARGE_BYTES;
    cw_push_client_count(pc, CW_M_PUSH_BYTES, pc->batch->body.len);
    for (size_t i = 0; i < pc->batch->nparts; i++)
        part_count_sent(pc, &pc->batch->parts[i]);
    if (cw_push_target_start(&pc->target, pc->host->http, CW_PUSH_TARGET_PUSH,
                             cw_buf_str(&pc->batch->body), PUSH_ANSWER_BYTES, on_push_done, pc,
                             &err) < 0)
        cw_push_client_back_off(pc, "a push", err.text, -1);
}

static void batch_send(struct cw_push_client *pc)
{
    const struct cw_push_host *host = pc->host;
    struct cw_push_delivery delivery = {.present = !pc->plain,
                                        .shipper = cw_client_uuid(&host->shipper, &pc->id),
                                        .session = host->sessions[host->nsessions - 1],
                                        .confirms = pc->confirms,
                                        .nconfirms = pc->nconfirms};
    struct cw_err err = {0};
    if (cw_batch_encode(pc->batch, &delivery, &err) < 0) {
        cw_push_client_enter(pc, CW_PUSH_SENDING);
        cw_push_client_back_off(pc, "encoding a batch", err.text, -1);
        return;
    }
    cw_push_client_send(pc);
}

/* A burst is over: its buffers go back to the system. */
static void batch_rest(struct cw_push_client *pc)
{
    if (!pc->large || pc->batch->nparts > 0 || cw_clock_mono_ns() - pc->sent_ns < PUSH_REST_NS)
        return;
    struct cw_batch_options options = pc->batch->options;
    cw_batch_free(&pc->batch);
    pc->batch = cw_batch_new(&options);
    pc->large = false;
    (void)malloc_trim(0);
}

/* With nothing else to send, confirms go alone. */
static void confirms_send(struct cw_push_client *pc)
{
    confirms_drop(pc);
    confirms_collect(pc);
    if (pc->nconfirms > 0)
        batch_send(pc);
}

void cw_push_client_pump(struct cw_push_client *pc)
{
    CW_CHECK(pc, CW_PUSH_CLIENT_MAGIC);
    if (pc->state == CW_PUSH_BACKOFF && pc->scout)
        cw_push_ask_scout(pc);
    if (pc->state != CW_PUSH_IDLE)
        return;
    if (pc->restart) {
        cw_push_ask_start(pc);
        return;
    }
    if (pc->host->sources->unsaved)
        return; /* new ids and generations first */
    int64_t now_ns = cw_clock_now_ns(), mono_ns = cw_clock_mono_ns(), at_ns;
    if (mono_ns < pc->look_ns && uv_is_active((uv_handle_t *)&pc->timer) && !pc->host->once &&
        !pc->host->hurry)
        return; /* the timer ends what waits; it may do so early, by the loop's clock */
    uv_timer_stop(&pc->timer);
    if (cw_push_turns_due(pc, now_ns, &at_ns)) {
        confirms_drop(pc);
        if (cw_push_turns_cut(pc, now_ns) > 0) {
            pc->waiting_since_ns = 0;
            confirms_collect(pc);
            batch_send(pc);
        } else { /* left out, or without an end yet: look again soon, when there may be more */
            uint64_t ms = (uint64_t)(pc->batch->blocked_ns / CW_NS_PER_MS);
            uv_timer_start(&pc->timer, on_timer, CW_MAX(ms, 1u), 0);
        }
    } else if (at_ns != INT64_MAX) {
        int64_t wait_ns = at_ns - now_ns,
                cost_ns = PUSH_LOOK_NS * (int64_t)pc->host->sources->active.n;
        pc->look_ns = mono_ns + CW_MIN(cost_ns, wait_ns);
        uv_timer_start(&pc->timer, on_timer, (uint64_t)(wait_ns / CW_NS_PER_MS + 1), 0);
    } else {
        confirms_send(pc);
        if (pc->state == CW_PUSH_IDLE)
            batch_rest(pc);
    }
}

/* Idle, and let the host pump: it may have something to do between two pushes. */
static void push_next(struct cw_push_client *pc)
{
    confirms_drop(pc);
    cw_push_client_enter(pc, CW_PUSH_IDLE);
    pc->host->on_settled(pc->host->arg);
}

/* ---- life ---- */

struct cw_push_client *cw_push_client_new(struct cw_push_host *host,
                                          const struct cw_push_client_options *options)
{
    struct cw_push_client *pc = cw_mem_new(sizeof *pc);
    const struct cw_client_config *config = options->config;
    const struct cw_output *output = &host->sources->outputs[options->output];
    struct cw_batch_options batch = {.output = options->output,
                                     .pieces = host->pieces,
                                     .tenant = cw_str_of(output->tenant),
                                     .own_tenant = cw_str_of(output->own_tenant),
                                     .external = options->external,
                                     .selector = options->selector,
                                     .metrics = host->metrics,
                                     .bytes = (size_t)config->batch_bytes,
                                     .max_line_bytes = (size_t)host->limits->max_line_bytes,
                                     .max_streams = (size_t)host->limits->max_streams,
                                     .gzip = config->compression == CW_CLIENT_GZIP,
                                     .long_lines = cw_limits_long_lines(host->limits),
                                     .truncated_mark = host->limits->max_line_truncate_mark};
    pc->magic = CW_PUSH_CLIENT_MAGIC;
    pc->host = host;
    pc->config = config;
    pc->id = options->id;
    pc->output = options->output;
    pc->batch = cw_batch_new(&batch);
    pc->sent_ns = cw_clock_mono_ns();
    cw_push_refusals_init(&pc->refusals);
    pc->confirms = cw_mem_array(PUSH_CONFIRMS_MAX, sizeof *pc->confirms);
    pc->confirmed = cw_mem_array(PUSH_CONFIRMS_MAX, sizeof *pc->confirmed);
    cw_push_target_init(&pc->target, config, cw_str_of(output->tenant));
    cw_buf_init(&pc->ask_body, CW_DELIVERY_ASK_BYTES);
    ssize_t got = getrandom(&pc->random, sizeof pc->random, 0);
    CW_ASSERT(got == (ssize_t)sizeof pc->random);
    uv_timer_init(host->loop, &pc->timer);
    return pc;
}

void cw_push_client_start(struct cw_push_client *pc)
{
    CW_CHECK(pc, CW_PUSH_CLIENT_MAGIC);
    cw_push_ask_start(pc);
}

void cw_push_client_restart(struct cw_push_client *pc)
{
    CW_CHECK(pc, CW_PUSH_CLIENT_MAGIC);
    pc->restart = true;
    pc->forget_batch = true; /* it was encoded with the old uuid */
}

void cw_push_client_release_changed(struct cw_push_client *pc)
{
    CW_CHECK(pc, CW_PUSH_CLIENT_MAGIC);
    if (pc->state != CW_PUSH_BACKOFF && pc->state != CW_PUSH_ASKING)
        return;
    bool changed = false;
    for (size_t i = 0; i < pc->batch->nparts; i++)
        changed |= pc->batch->parts[i].source->changed;
    for (size_t i = 0; i < pc->nconfirms; i++)
        changed |= pc->confirmed[i]->changed;
    if (!changed)
        return;
    cw_batch_drop(pc->batch);
    confirms_drop(pc);
}

uint64_t cw_push_client_refused(const struct cw_push_client *pc)
{
    return pc->nrefused;
}

bool cw_push_client_sending(const struct cw_push_client *pc)
{
    return pc->state == CW_PUSH_SENDING;
}

bool cw_push_client_idle(const struct cw_push_client *pc)
{
    return pc->state == CW_PUSH_IDLE && pc->batch->nparts == 0 && pc->nconfirms == 0 &&
           !pc->restart;
}

int64_t cw_push_client_sent_ns(const struct cw_push_client *pc)
{
    return pc->sent_ns;
}

bool cw_push_client_ready(const struct cw_push_client *pc)
{
    return pc->ready;
}

static void on_closed(uv_handle_t *handle)
{
    struct cw_push_client *pc = CW_CONTAINER_OF((uv_timer_t *)handle, struct cw_push_client, timer);
    CW_CHECK(pc, CW_PUSH_CLIENT_MAGIC);
    cw_push_target_fini(&pc->target);
    cw_buf_fini(&pc->ask_body);
    free(pc->confirms);
    free(pc->confirmed);
    pc->magic = 0;
    free(pc);
}

void cw_push_client_close(struct cw_push_client **client)
{
    struct cw_push_client *pc = *client;
    *client = NULL;
    if (pc == NULL)
        return;
    CW_CHECK(pc, CW_PUSH_CLIENT_MAGIC);
    cw_push_target_abort(&pc->target);
    if (pc->state != CW_PUSH_STOPPED)
        cw_push_client_enter(pc, CW_PUSH_STOPPED);
    confirms_drop(pc);
    cw_batch_free(&pc->batch); /* now: the sources that it names go next */
    uv_close((uv_handle_t *)&pc->timer, on_closed);
}
