/*
 * receiver_journal.c - entries of the systemd journal, from the cursor in the spool on.
 *
 *             has entries          BATCH of them, or no room           durable, room
 *   WAITING -------------> READING ----------------------> COMMITTING ---------------> READING
 *      ^   its descriptor, a tick    no more: all is put                   no more: WAITING
 *
 * Every record has the cursor of its entry: what is durable is never read again, what is not always.
 */
#include <inttypes.h>
#include <stdlib.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/wire/json_writer.h"
#include "shipper/receiver.h"
#include "shipper/systemd_journal.h"

/* Entries that are read in one go: the loop does nothing else meanwhile. */
enum { BATCH = 256, FIELDS_MAX = 512, TICK_MS = 1000 };

struct journal {
    struct cw_receiver receiver;
    struct cw_systemd_journal sd;
    struct cw_sd_journal *handle;
    struct cw_arena *arena;
    uv_poll_t poll;
    uv_timer_t tick;
    bool poll_open, tick_open;
    bool committing, more; /* a batch is not durable yet; there may be more behind it */
    bool at_end;
};

/* ---- one entry ---- */

struct fields {
    struct cw_label *items; /* as the journal has them */
    size_t n;
};

static struct fields fields_read(struct journal *journal)
{
    struct fields fields = {CW_ARENA_ARRAY(journal->arena, struct cw_label, FIELDS_MAX), 0};
    const void *data;
    size_t len;
    journal->sd.restart_data(journal->handle);
    while (fields.n < FIELDS_MAX && journal->sd.enumerate_data(journal->handle, &data, &len) > 0) {
        struct cw_str value = cw_arena_dup(journal->arena, cw_str_make(data, len)), name;
        if (cw_str_split(&value, '=', &name))
            fields.items[fields.n++] = (struct cw_label){name, value};
    }
    return fields;
}

static struct cw_str field_get(const struct fields *fields, const char *name)
{
    for (size_t i = 0; i < fields->n; i++)
        if (cw_str_eqz(fields->items[i].name, name))
            return fields->items[i].value;
    return CW_STR_NONE;
}

static struct cw_str priority_keyword(struct cw_str priority)
{
    static const char *const names[] = {"emerg",   "alert",  "crit", "error",
                                        "warning", "notice", "info", "debug"};
    bool known = priority.len == 1 && priority.ptr[0] >= '0' && priority.ptr[0] <= '7';
    return known ? cw_str_of(names[priority.ptr[0] - '0']) : CW_STR_NONE;
}

/* __journal_<field> in small letters. */
static size_t labels_make(struct journal *journal, const struct fields *fields,
                          struct cw_label *labels)
{
    size_t n = 0;
    for (size_t i = 0; i < fields->n; i++) {
        struct cw_str name =
            cw_arena_printf(journal->arena, "__journal_%.*s", CW_STR_ARG(fields->items[i].name));
        for (char *at = (char *)name.ptr; *at != '\0'; at++)
            if (*at >= 'A' && *at <= 'Z')
                *at += 'a' - 'A';
        labels[n++] = (struct cw_label){name, fields->items[i].value};
    }
    struct cw_str keyword = priority_keyword(field_get(fields, "PRIORITY"));
    if (keyword.len > 0)
        labels[n++] = (struct cw_label){CW_STR("__journal_priority_keyword"), keyword};
    return n;
}

static struct cw_str json_of(struct journal *journal, const struct fields *fields)
{
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    struct cw_json_writer writer = cw_json_writer_make(&text);
    cw_json_begin_object(&writer);
    for (size_t i = 0; i < fields->n; i++) {
        cw_json_key(&writer, fields->items[i].name);
        cw_json_string(&writer, fields->items[i].value);
    }
    cw_json_end_object(&writer);
    struct cw_str out = cw_arena_dup(journal->arena, cw_buf_str(&text));
    cw_buf_fini(&text);
    return out;
}

static void entry_put(struct journal *journal)
{
    const struct cw_journal_config *config = journal->receiver.config;
    struct cw_label *labels = CW_ARENA_ARRAY(journal->arena, struct cw_label, FIELDS_MAX + 1);
    struct fields fields = fields_read(journal);
    uint64_t usec = 0;
    char *cursor = NULL;
    struct cw_received_entry entry = {.ts_ns = CW_PUSH_TS_NONE};
    size_t nlabels = labels_make(journal, &fields, labels);
    entry.line = config->json ? json_of(journal, &fields) : field_get(&fields, "MESSAGE");
    if (journal->sd.get_realtime_usec(journal->handle, &usec) >= 0 && usec <= INT64_MAX / 1000)
        entry.ts_ns = (int64_t)usec * CW_NS_PER_US;
    if (journal->sd.get_cursor(journal->handle, &cursor) >= 0)
        entry.cursor = cw_str_of(cursor);
    if (entry.line.ptr == NULL)
        cw_received_bad(&journal->receiver.received, CW_RECEIVED_DROPPED,
                        "an entry of the journal without MESSAGE");
    else if (cw_received_stream(&journal->receiver.received, labels, nlabels))
        cw_received_put(&journal->receiver.received, &entry);
    free(cursor);
    cw_arena_reset(journal->arena);
}

/* ---- reading ---- */

static void read_some(struct journal *journal);

static void on_durable(void *ctx, int rc)
{
    struct journal *journal = ctx;
    journal->committing = false;
    if (rc == 0 && journal->more && !journal->receiver.stopped)
        read_some(journal);
}

static void read_some(struct journal *journal)
{
    if (journal->committing || journal->receiver.stopped || !cw_receiver_room(&journal->receiver))
        return;
    int n = 0, rc = 0;
    while (n < BATCH && (rc = journal->sd.next(journal->handle)) > 0) {
        entry_put(journal);
        n++;
    }
    if (rc < 0)
        cw_log_warn("%s: the journal cannot be read: %s", journal->receiver.name, strerror(-rc));
    journal->more = n == BATCH;
    journal->at_end = rc == 0;
    if (n == 0 && journal->receiver.received.n == 0)
        return;
    journal->committing = true;
    cw_receiver_flush(&journal->receiver, on_durable, journal);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct journal *journal = CW_CONTAINER_OF(poll, struct journal, poll);
    (void)status;
    (void)events;
    (void)journal->sd.process(journal->handle);
    read_some(journal);
}

/* Where nothing is told (the journal of a container, a network file system). */
static void on_tick(uv_timer_t *tick)
{
    struct journal *journal = CW_CONTAINER_OF(tick, struct journal, tick);
    (void)journal->sd.process(journal->handle);
    read_some(journal);
}

/* ---- the beginning ---- */

static int matches_add(struct journal *journal, struct cw_str matches, struct cw_err *err)
{
    struct cw_str match;
    while (cw_str_split(&matches, ' ', &match)) {
        if (match.len == 0)
            continue;
        int rc = journal->sd.add_match(journal->handle, match.ptr, match.len);
        if (rc < 0)
            return cw_err_set(err, CW_E_INVALID, "the match \"%.*s\": %s", CW_STR_ARG(match),
                              strerror(-rc));
    }
    return 0;
}

/* Behind the last entry in the spool; at the very first start so far back as max_age says. */
static int seek(struct journal *journal, struct cw_err *err)
{
    const struct cw_journal_config *config = journal->receiver.config;
    struct cw_str known = cw_spool_writer_cursor(journal->receiver.spool);
    if (known.len == 0) /* promtail's, if it was here before us */
        known = cw_sources_promtail_cursor(journal->receiver.host->sources,
                                           journal->receiver.scrape->config->job_name);
    char *cursor = cw_str_dupz(known);
    int64_t from_ns = cw_clock_now_ns() - config->max_age_ns;
    int rc = known.len > 0 ? journal->sd.seek_cursor(journal->handle, cursor)
                           : journal->sd.seek_realtime_usec(
                                 journal->handle, (uint64_t)CW_MAX(from_ns / CW_NS_PER_US, 0));
    if (rc >= 0 && known.len > 0) {
        rc = journal->sd.next(journal->handle);
        if (rc > 0 && journal->sd.test_cursor(journal->handle, cursor) <= 0)
            entry_put(journal); /* that one is gone: this is the next */
    }
    free(cursor);
    return rc < 0 ? cw_err_set(err, CW_E_IO, "the journal: %s", strerror(-rc)) : 0;
}

static int watch(struct journal *journal, struct cw_err *err)
{
    uv_loop_t *loop = journal->receiver.host->loop;
    uv_timer_init(loop, &journal->tick);
    journal->tick_open = true;
    uv_timer_start(&journal->tick, on_tick, 0, TICK_MS);
    int fd = journal->sd.get_fd(journal->handle);
    if (fd < 0)
        return cw_err_set(err, CW_E_IO, "the journal: %s", strerror(-fd));
    if (uv_poll_init(loop, &journal->poll, fd) < 0)
        return 0; /* the tick looks */
    journal->poll_open = true;
    (void)uv_poll_start(&journal->poll, UV_READABLE, on_poll);
    return 0;
}

static int journal_start(struct cw_receiver *receiver, struct cw_err *err)
{
    struct journal *journal = CW_CONTAINER_OF(receiver, struct journal, receiver);
    const struct cw_journal_config *config = receiver->config;
    journal->arena = cw_arena_new();
    int rc = cw_systemd_journal_load(&journal->sd, err);
    if (rc < 0)
        return rc;
    int sd = config->path.len > 0
                 ? journal->sd.open_directory(&journal->handle, config->path.ptr, 0)
                 : journal->sd.open(&journal->handle, CW_SD_JOURNAL_LOCAL_ONLY);
    if (sd < 0) {
        journal->handle = NULL;
        return cw_err_set(err, CW_E_IO, "open the journal%s%s: %s",
                          config->path.len > 0 ? " of " : "", config->path.ptr, strerror(-sd));
    }
    (void)journal->sd.set_data_threshold(journal->handle, 0);
    rc = matches_add(journal, config->matches, err);
    if (rc == 0)
        rc = seek(journal, err);
    return rc < 0 ? rc : watch(journal, err);
}

static void journal_resume(struct cw_receiver *receiver)
{
    read_some(CW_CONTAINER_OF(receiver, struct journal, receiver));
}

static void journal_stop(struct cw_receiver *receiver)
{
    struct journal *journal = CW_CONTAINER_OF(receiver, struct journal, receiver);
    if (journal->poll_open)
        uv_close((uv_handle_t *)&journal->poll, NULL);
    if (journal->tick_open)
        uv_close((uv_handle_t *)&journal->tick, NULL);
}

static bool journal_ended(const struct cw_receiver *receiver)
{
    const struct journal *journal = CW_CONTAINER_OF(receiver, const struct journal, receiver);
    return journal->at_end && !journal->committing;
}

static void journal_fini(struct cw_receiver *receiver)
{
    struct journal *journal = CW_CONTAINER_OF(receiver, struct journal, receiver);
    if (journal->handle != NULL)
        journal->sd.close(journal->handle);
    cw_arena_free(&journal->arena);
}

const struct cw_receiver_def cw_receiver_journal = {
    .kind = "journal",
    CW_RECEIVER_OFFSETS(journal),
    .size = sizeof(struct journal),
    .failure = CW_SPOOL_RETRY,
    .start = journal_start,
    .resume = journal_resume,
    .stop = journal_stop,
    .ended = journal_ended,
    .fini = journal_fini,
};
