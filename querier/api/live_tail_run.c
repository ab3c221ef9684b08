/* live_tail_run.c - what the thread of a live tail does until its connection ends. */
#include <poll.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "querier/api/live_tail_priv.h"
#include "querier/engine/log_query.h"

enum {
    FRAME_ENTRIES = 100,     /* as Loki */
    FRAME_BYTES = 256 << 10, /* a frame is full with so many */
    UNSENT_MAX = 256 << 10,  /* no further frame is made while so much is unsent */
    LIVE_TAIL_BYTES =
        1 << 20,   /* entries that wait for the client, and as many that wait for their time */
    POLL_MS = 100, /* how late an entry may be, and the end of the server be seen */
    CLOSE_WAIT_MS = 500, /* for the client's half of the goodbye */
};
#define PING_NS CW_NS_PER_S
/* Clients answer pings: who says nothing for so long is gone, or stopped. */
#define SILENT_NS (60 * CW_NS_PER_S)
#define SERVE_NS (POLL_MS * CW_NS_PER_MS)

/* An entry of the history that the head may show again. */
struct tail_twin {
    uint64_t hash;
    bool met;
};

static int by_hash(const void *a, const void *b)
{
    const struct tail_twin *x = a, *y = b;
    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* Was it sent already? Each entry of the history stands for one. */
static bool take_twin(struct live_tail *tail, struct cw_str text)
{
    struct tail_twin key = {.hash = cw_hash64(text.ptr, text.len)};
    struct tail_twin *at =
        tail->ntwins > 0 ? bsearch(&key, tail->twins, tail->ntwins, sizeof key, by_hash) : NULL;
    if (at == NULL)
        return false;
    while (at > tail->twins && at[-1].hash == key.hash)
        at--;
    for (; at < tail->twins + tail->ntwins && at->hash == key.hash; at++) {
        if (at->met)
            continue;
        at->met = true;
        return true;
    }
    return false;
}

/* ---- sending ---- */

static void drop(struct live_tail *tail, int64_t ts_ns, struct cw_str labels)
{
    cw_tail_drops_add(&tail->drops, ts_ns, labels, tail->form);
    atomic_fetch_add(&tail->api->counters.tail_dropped, 1);
}

/* Entries whose time has come. */
static void ripen(struct live_tail *tail)
{
    int64_t until_ns = cw_clock_now_ns() - tail->params.delay_for_ns;
    const struct cw_tail_item *first;
    while ((first = cw_tail_queue_first(&tail->later)) != NULL && first->ts_ns <= until_ns &&
           cw_tail_queue_fits(&tail->due, first->len)) {
        struct cw_tail_item *item = cw_tail_queue_pop(&tail->later);
        if (cw_tail_queue_put(&tail->due, item))
            continue;
        drop(tail, item->ts_ns, cw_str_make(item->text + item->labels_at, item->labels_len));
        free(item);
    }
}

static void send_frame(struct live_tail *tail)
{
    unsigned n = 0;
    cw_tail_frame_begin(&tail->frame);
    while (n < FRAME_ENTRIES && tail->frame.len < FRAME_BYTES &&
           cw_tail_queue_first(&tail->due) != NULL) {
        struct cw_tail_item *item = cw_tail_queue_pop(&tail->due);
        cw_tail_frame_add(&tail->frame, item);
        free(item);
        n++;
    }
    cw_tail_frame_end(&tail->frame, &tail->drops, tail->form);
    cw_websocket_send(&tail->socket, CW_WEBSOCKET_TEXT, cw_buf_str(&tail->frame));
    atomic_fetch_add(&tail->api->counters.tail_entries, n);
}

static void send_due(struct live_tail *tail)
{
    ripen(tail);
    while (cw_tail_queue_first(&tail->due) != NULL &&
           cw_websocket_unsent(&tail->socket) < UNSENT_MAX) {
        send_frame(tail);
        ripen(tail);
    }
}

/* ---- the connection ---- */

/* A client shows that it is there by what it says, and by taking what waits for it; pings are sent only while nothing does. */
static bool is_silent(struct live_tail *tail, int64_t now_ns)
{
    const struct cw_websocket *socket = &tail->socket;
    tail->alive_mono_ns = CW_MAX(tail->alive_mono_ns, socket->heard_mono_ns);
    if (cw_websocket_unsent(socket) > 0)
        tail->alive_mono_ns = CW_MAX(tail->alive_mono_ns, socket->sent_mono_ns);
    return now_ns - tail->alive_mono_ns > SILENT_NS;
}

/* What the client sent, and what it has room for. Negative: it is over. */
static int serve(struct live_tail *tail, struct cw_err *err)
{
    struct cw_websocket_message message;
    int64_t now_ns = cw_clock_mono_ns();
    int rc;
    tail->served_mono_ns = now_ns;
    while ((rc = cw_websocket_receive(&tail->socket, &message, err)) > 0) {
    }
    if (rc < 0)
        return rc;
    if (atomic_load(cw_http_upgraded_stop(tail->upgraded))) {
        cw_websocket_close(&tail->socket, CW_WEBSOCKET_GOING_AWAY,
                           CW_STR("the server is stopping"));
        return cw_err_set(err, CW_E_UNAVAILABLE, "the server is stopping");
    }
    if (is_silent(tail, now_ns))
        return cw_err_set(err, CW_E_CANCELED, "the client is silent");
    int64_t longest_ns = tail->api->options.tail_max_duration_ns;
    if (longest_ns > 0 && now_ns - tail->begin_mono_ns > longest_ns)
        return cw_err_set(err, CW_E_LIMIT, "reached tail max duration limit");
    if (now_ns - tail->pinged_mono_ns >= PING_NS && cw_websocket_unsent(&tail->socket) == 0) {
        tail->pinged_mono_ns = now_ns;
        cw_websocket_send(&tail->socket, CW_WEBSOCKET_PING, CW_STR_NONE);
    }
    return cw_websocket_flush(&tail->socket, err);
}

static void wait_socket(struct live_tail *tail)
{
    struct pollfd fd = {.fd = tail->socket.transport.fd,
                        .events = cw_websocket_events(&tail->socket)};
    poll(&fd, 1, POLL_MS);
}

/* ---- entries ---- */

/* Lines of no room are not even written down; their labels are, as long as they can be told. */
static void lose(struct live_tail *tail, const struct cw_entry_batch *batch)
{
    cw_buf_clear(&tail->text);
    cw_tail_answer_labels(batch->stream.labels, tail->form, &tail->text);
    for (size_t i = 0; i < batch->n; i++)
        drop(tail, batch->ts_ns[i], cw_buf_str(&tail->text));
}

static bool is_ripe(const struct live_tail *tail, int64_t ts_ns)
{
    return ts_ns <= cw_clock_now_ns() - tail->params.delay_for_ns;
}

/* Into the queue where it belongs; false: there is no room. */
static bool add_text(struct live_tail *tail, int64_t ts_ns, struct cw_str text,
                     struct cw_str labels)
{
    struct cw_tail_queue *queue = is_ripe(tail, ts_ns) ? &tail->due : &tail->later;
    if (cw_tail_queue_add(queue, ts_ns, text, labels))
        return true;
    send_due(tail); /* the client may have room */
    return cw_tail_queue_add(queue, ts_ns, text, labels);
}

/* 1 it stays, as *entry says now; 0 it goes. */
static int process(struct live_tail *tail, struct cw_log_entry *entry, struct cw_err *err)
{
    if (tail->pipeline_run == NULL)
        return 1;
    int rc = cw_pipeline_entry(tail->pipeline_run, entry->ts_ns, entry->stream, entry->metadata,
                               entry->line, err);
    if (rc <= 0)
        return rc;
    struct cw_built_labels labels;
    cw_label_builder_sort(&tail->pipeline_run->builder, &labels);
    entry->line = tail->pipeline_run->line;
    entry->stream = labels.stream;
    entry->metadata = labels.metadata;
    entry->parsed = labels.parsed;
    return 1;
}

static int add_entry(struct live_tail *tail, const struct cw_entry_batch *batch, size_t i,
                     struct cw_err *err)
{
    struct cw_str labels;
    struct cw_log_entry entry = {
        .ts_ns = batch->ts_ns[i],
        .stream = batch->stream.labels,
        .line = batch->lines[i],
        .metadata = batch->metadata != NULL ? batch->metadata[i] : CW_LABELS_NONE,
    };
    int rc = process(tail, &entry, err);
    if (rc <= 0)
        return rc;
    if (!cw_tail_queue_fits(&tail->due, entry.line.len))
        send_due(tail);
    if (!cw_tail_queue_fits(&tail->due, entry.line.len) && !cw_tail_drops_room(&tail->drops)) {
        drop(tail, entry.ts_ns, CW_STR_NONE); /* counted only */
        return 0;
    }
    cw_buf_clear(&tail->text);
    cw_arena_reset(tail->scratch);
    cw_tail_answer_entry(&entry, tail->form, tail->scratch, &tail->text, &labels);
    if (!take_twin(tail, cw_buf_str(&tail->text)) &&
        !add_text(tail, entry.ts_ns, cw_buf_str(&tail->text), labels))
        drop(tail, entry.ts_ns, labels);
    return 0;
}

static int add_batch(struct live_tail *tail, const struct cw_follow_batch *batch,
                     struct cw_err *err)
{
    int rc = 0;
    if (batch->lost)
        lose(tail, &batch->rows);
    for (size_t i = 0; rc == 0 && !batch->lost && i < batch->rows.n; i++)
        rc = add_entry(tail, &batch->rows, i, err);
    return rc;
}

/* What came since the last time. */
static int take_new(struct live_tail *tail, struct cw_err *err)
{
    struct cw_follow_batch batch;
    int rc;
    while ((rc = cw_head_follow_next(tail->follow, &batch, err)) > 0) {
        rc = add_batch(tail, &batch, err);
        if (rc == 0 && cw_clock_mono_ns() - tail->served_mono_ns > SERVE_NS)
            rc = serve(tail, err);
        if (rc < 0)
            return rc;
    }
    if (rc == 0)
        tail->ntwins = 0; /* all that the history may have seen has been met */
    return rc;
}

/* ---- what there is already ---- */

/* Into the queue; waits for the client as long as it takes. */
static int send_old(struct live_tail *tail, const struct cw_log_entry *entry, struct cw_err *err)
{
    struct cw_str labels;
    cw_buf_clear(&tail->text);
    cw_arena_reset(tail->scratch);
    cw_tail_answer_entry(entry, tail->form, tail->scratch, &tail->text, &labels);
    tail->twins[tail->ntwins++].hash = cw_hash64(tail->text.ptr, tail->text.len);
    while (!add_text(tail, entry->ts_ns, cw_buf_str(&tail->text), labels)) {
        if (!is_ripe(tail, entry->ts_ns)) {
            drop(tail, entry->ts_ns, labels); /* nobody knows how long it would take */
            return 0;
        }
        wait_socket(tail);
        int rc = serve(tail, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int send_page(struct live_tail *tail, const struct cw_log_page *page, struct cw_err *err)
{
    int rc = 0;
    tail->twins = cw_mem_array(page->n + 1, sizeof *tail->twins);
    for (size_t i = page->n; rc == 0 && i-- > 0;) /* the newest comes first in it */
        rc = send_old(tail, &page->entries[i], err);
    qsort(tail->twins, tail->ntwins, sizeof *tail->twins, by_hash);
    return rc;
}

/* The newest entries that there are, at most as many as were asked for and as there is memory for. */
static int query_history(struct live_tail *tail, struct cw_query_context *context,
                         struct cw_log_query **log_query, struct cw_log_page *page,
                         struct cw_err *err)
{
    const struct cw_querier_options *options = &tail->api->options;
    struct cw_snapshot snapshot = {0};
    int rc = options->store.snapshot(options->store.ctx, tail->tenant, &snapshot, err);
    if (rc < 0)
        return rc;
    context->snapshot = &snapshot;
    cw_coordinator_watch(tail->api->queries, context);
    /* Entries of the future too: they wait for their time, as those that come. */
    rc = cw_log_query_open(context, tail->query->root, tail->params.start_ns, INT64_MAX, true,
                           log_query, err);
    if (rc == 0)
        rc = cw_log_query_page(*log_query, tail->params.limit,
                               CW_MAX(tail->limits.query_memory_bytes / 4, (uint64_t)1 << 20), page,
                               err);
    cw_coordinator_unwatch(tail->api->queries, context);
    cw_snapshot_fini(&snapshot); /* the client may take its time over the page, which is a copy */
    return rc;
}

static int send_history(struct live_tail *tail, struct cw_err *err)
{
    struct cw_query_context context;
    struct cw_log_query *log_query = NULL;
    struct cw_log_page page;
    cw_query_context_init(&context, tail->api->options.pool, NULL, tail->limits.query_memory_bytes);
    cw_allowance_set_budget(&context.allowance, tail->api->options.memory);
    context.client_gone = cw_http_upgraded_stop(tail->upgraded);
    if (tail->limits.query_timeout_ns > 0)
        context.deadline_mono_ns = cw_clock_mono_ns() + tail->limits.query_timeout_ns;
    int rc = query_history(tail, &context, &log_query, &page, err);
    if (rc == 0)
        rc = send_page(tail, &page, err);
    cw_log_query_close(&log_query);
    cw_allowance_fini(&context.allowance);
    return rc;
}

/* ---- the whole of it ---- */

static int run(struct live_tail *tail, struct cw_err *err)
{
    int rc = send_history(tail, err);
    while (rc == 0) {
        rc = take_new(tail, err);
        if (rc == 0) {
            send_due(tail);
            rc = serve(tail, err);
        }
        if (rc == 0)
            wait_socket(tail);
    }
    return rc;
}

/* Tell the client, if it can still be told, and give it a moment to answer. */
static void say_goodbye(struct live_tail *tail, const struct cw_err *why)
{
    struct cw_websocket *socket = &tail->socket;
    struct cw_websocket_message message;
    struct cw_err ignored;
    cw_websocket_close(socket, CW_WEBSOCKET_INTERNAL, cw_str_of(why->text));
    int64_t until_ns = cw_clock_mono_ns() + CLOSE_WAIT_MS * CW_NS_PER_MS;
    while (cw_websocket_receive(socket, &message, &ignored) >= 0 &&
           cw_websocket_flush(socket, &ignored) == 0 && cw_clock_mono_ns() < until_ns)
        wait_socket(tail);
}

void live_tail_run(struct live_tail *tail)
{
    struct cw_err err = tail->refusal;
    tail->begin_mono_ns = tail->pinged_mono_ns = tail->alive_mono_ns = cw_clock_mono_ns();
    tail->scratch = cw_arena_new();
    cw_tail_queue_init(&tail->due, LIVE_TAIL_BYTES, tail->api->options.memory);
    cw_tail_queue_init(&tail->later, LIVE_TAIL_BYTES, tail->api->options.memory);
    cw_tail_drops_init(&tail->drops);
    cw_buf_init(&tail->frame, SIZE_MAX);
    cw_buf_init(&tail->text, SIZE_MAX);
    atomic_fetch_add(&tail->api->counters.tails, 1);
    if (tail->refusal.code == 0)
        CW_ASSERT(run(tail, &err) < 0); /* it ends with an error, or not at all */
    say_goodbye(tail, &err);
    cw_tail_queue_fini(&tail->due);
    cw_tail_queue_fini(&tail->later);
    cw_tail_drops_fini(&tail->drops);
    cw_buf_fini(&tail->frame);
    cw_buf_fini(&tail->text);
    free(tail->twins);
    cw_arena_free(&tail->scratch);
}
