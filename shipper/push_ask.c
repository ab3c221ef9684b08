#include "shipper/push_ask.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/wire/delivery.h"
#include "shipper/push_turns.h"

static int mark_cmp(const void *a, const void *b)
{
    const struct cw_delivery_mark *x = a, *y = b;
    int c = memcmp(x->source.bytes, y->source.bytes, sizeof x->source.bytes);
    return c ? c : (x->generation > y->generation) - (x->generation < y->generation);
}

/* Each tenant has a mark of its own, for the same bytes. */
static void adopted_count(struct cw_push_client *pc, struct cw_source *source, uint64_t mark)
{
    const struct cw_ledger_row *row = &source->rows[pc->output];
    struct cw_tally_output *tally = cw_push_client_tally(pc, source);
    uint64_t from = CW_MAX(CW_MAX(cw_ledger_next(row), row->told_to), tally->adopted_to);
    if (mark <= from)
        return;
    tally->adopted += mark - from;
    tally->adopted_to = mark;
}

void cw_push_ask_adopt(struct cw_push_client *pc, struct cw_source *source, uint64_t mark)
{
    struct cw_ledger_row *row = &source->rows[pc->output];
    if (mark > CW_MAX(cw_ledger_next(row), row->told_to))
        adopted_count(pc, source, mark);
    cw_ledger_adopt(row, mark);
    pc->confirmed_save = 0;
}

/* Every source's mark is what the store said, 0 where it said nothing. */
static void marks_adopt(struct cw_push_client *pc, struct cw_delivery_answer *answer)
{
    if (answer->nmarks > 0)
        qsort(answer->marks, answer->nmarks, sizeof *answer->marks, mark_cmp);
    for (size_t i = 0; i < pc->host->sources->n; i++) {
        struct cw_source *source = pc->host->sources->items[i];
        struct cw_delivery_mark key = {source->id, source->generation, 0};
        const struct cw_delivery_mark *mark =
            answer->nmarks ? bsearch(&key, answer->marks, answer->nmarks, sizeof key, mark_cmp)
                           : NULL;
        cw_push_ask_adopt(pc, source, mark ? mark->offset : 0);
        source->rows[pc->output].held_size = 0;
    }
}

/* Whether the batch that is kept may be sent as it is. */
static bool batch_still_due(const struct cw_push_client *pc)
{
    if (pc->forget_batch)
        return false;
    for (size_t i = 0; i < pc->batch->nparts; i++) {
        const struct cw_batch_part *part = &pc->batch->parts[i];
        const struct cw_ledger_row *row = &part->source->rows[pc->output];
        if (row->done >= part->to)
            return false;
        if (!pc->plain && (row->mark != part->from || part->source->generation != part->generation))
            return false;
    }
    return pc->batch->nparts > 0;
}

static void ask_answered(struct cw_push_client *pc)
{
    pc->ready = true;
    if (batch_still_due(pc)) { /* nfailures stays: the push itself has not succeeded */
        cw_push_client_send(pc);
        return;
    }
    if (pc->batch->nparts == 0)
        pc->nfailures = 0;
    cw_batch_drop(pc->batch);
    pc->forget_batch = false;
    cw_push_client_enter(pc, CW_PUSH_IDLE);
    pc->host->on_settled(pc->host->arg);
}

static bool status_is_of_the_way(int status)
{
    /* Credentials, a proxy, too many requests, too early: nothing about what was sent. */
    return status == 401 || status == 403 || status == 407 || status == 408 || status == 421 ||
           status == 425 || status == 429;
}

/* A page for people comes from a proxy on the way there, not from a log server: a certificate that it misses, a host that it
 * does not know. But for a size that it does not let through. */
bool cw_push_ask_answer_is_of_the_way(const struct cw_http_answer *answer)
{
    return status_is_of_the_way(answer->status) ||
           (answer->status >= 400 && answer->status != 413 &&
            cw_str_starts(answer->content_type, CW_STR("text/html")));
}

/* The server serves tenants alone, and this output is that of entries which name none. */
static bool answer_wants_tenant(const struct cw_push_client *pc,
                                const struct cw_http_answer *answer)
{
    return answer->status == 401 && pc->config->tenant_id.len == 0 &&
           pc->host->sources->outputs[pc->output].tenant[0] == '\0' &&
           cw_str_find(answer->body, CW_STR("no org id")) >= 0;
}

/* Entries that name no tenant wait; what else is in their files is looked through, so that tenants get
 * their outputs. */
static void scout_start(struct cw_push_client *pc)
{
    if (!pc->scout)
        cw_log_warn("client %s: the server wants a tenant (tenant_id, or one that entries name): "
                    "entries that name none wait",
                    pc->target.name);
    pc->scout = pc->ready = true;
    (void)cw_push_client_wait(pc, -1);
    pc->host->on_settled(pc->host->arg);
}

static void ask_status(struct cw_push_client *pc, const struct cw_http_answer *answer)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_delivery_answer said = {0};
    struct cw_err err = {0};
    bool is_json = cw_delivery_answer_decode(answer->body, arena, &said, &err) == 0;
    char status[48];
    snprintf(status, sizeof status, "HTTP status %d", answer->status);
    if (answer_wants_tenant(pc, answer)) {
        scout_start(pc);
        cw_arena_free(&arena);
        return;
    }
    pc->scout = false;
    if (answer->status == 200 && is_json) {
        pc->plain = false;
        pc->knows = true;
        marks_adopt(pc, &said);
        ask_answered(pc);
    } else if (answer->status == 409 && cw_str_eqz(said.code, CW_DELIVERY_CODE_SESSION)) {
        cw_log_warn("client %s: another shipper has this state directory's uuid: it was copied; "
                    "going on under a new one",
                    pc->target.name);
        pc->host->on_twin(pc->host->arg);
        cw_push_ask_start(pc);
    } else if (!pc->knows && answer->status < 500 && said.code.len == 0 &&
               (answer->status == 404 || !cw_push_ask_answer_is_of_the_way(answer))) {
        if (!pc->plain)
            cw_log_info("client %s: the server knows no ranges (status %d to %s): delivery is at "
                        "least once",
                        pc->target.name, answer->status, CW_DELIVERY_SOURCES_PATH);
        pc->plain = true;
        ask_answered(pc);
    } else {
        struct cw_str why = said.error.len ? said.error : cw_str_of(status);
        cw_push_client_back_off(pc, "asking what the server has", cw_arena_dup(arena, why).ptr,
                                answer->retry_after_s);
    }
    cw_arena_free(&arena);
}

static void on_ask_done(void *arg, int rc, const struct cw_http_answer *answer,
                        const struct cw_err *err)
{
    struct cw_push_client *pc = arg;
    CW_CHECK(pc, CW_PUSH_CLIENT_MAGIC);
    if (rc < 0)
        cw_push_client_back_off(pc, "asking what the server has", err->text, -1);
    else
        ask_status(pc, answer);
}

void cw_push_ask_start(struct cw_push_client *pc)
{
    struct cw_push_host *host = pc->host;
    struct cw_delivery_ask ask = {cw_client_uuid(&host->shipper, &pc->id), host->sessions,
                                  host->nsessions};
    struct cw_err err = {0};
    cw_push_client_enter(pc, CW_PUSH_ASKING);
    pc->restart = false;
    cw_push_client_count(pc, CW_M_ASKS, 1);
    cw_buf_clear(&pc->ask_body);
    cw_delivery_ask_encode(&ask, &pc->ask_body);
    if (cw_push_target_start(&pc->target, host->http, CW_PUSH_TARGET_ASK, cw_buf_str(&pc->ask_body),
                             CW_DELIVERY_ANSWER_BYTES, on_ask_done, pc, &err) < 0)
        cw_push_client_back_off(pc, "asking what the server has", err.text, -1);
}

/* ---- without a tenant ---- */

void cw_push_ask_scout(struct cw_push_client *pc)
{
    if (pc->batch->nparts > 0 || pc->host->sources->unsaved)
        return;
    pc->scout_passed = false;
    size_t nwaiting = cw_push_turns_cut(pc, cw_clock_now_ns());
    cw_batch_drop(pc->batch);
    if (pc->scout_passed)
        pc->host->on_settled(pc->host->arg);
    else if (nwaiting > 0 && pc->host->once && pc->nfailures > pc->config->backoff.max_retries)
        cw_push_client_give_up(pc);
}
