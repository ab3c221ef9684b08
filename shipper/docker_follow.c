#include "shipper/docker_follow.h"
#include <stdlib.h>
#include "common/base/assert.h"
#include "common/base/file_tree.h"
#include "common/base/log.h"
#include "shipper/docker_frames.h"
#include "shipper/docker_place.h"
#include "shipper/spool_record.h"
#include "shipper/spool_writer.h"

enum { STREAM_MAGIC = 0x646c6f67 };
/* Lines that wait for the end of one whose pieces come slowly. */
#define HELD_BYTES (1u << 20)

struct held {
    unsigned stream;
    int64_t ts_ns;
    struct cw_buf text;
    bool partial;
};

struct cw_docker_follow {
    uint32_t magic;
    struct cw_docker_follow_options options;
    char *folder, *id;
    struct cw_target *target; /* in the table of sources */
    struct cw_labels labels[CW_SOURCE_STREAMS];
    char *tenants[CW_SOURCE_STREAMS];
    bool off[CW_SOURCE_STREAMS];
    struct cw_spool_writer *spool;
    struct cw_http_call_handle *call;
    struct cw_docker_frames frames;
    struct cw_buf url;
    struct cw_arena *call_arena;
    struct cw_buf records;
    size_t nrecords;
    struct held *held;
    size_t nheld, held_cap, held_bytes;
    struct cw_docker_place place; /* of the call under way */
    int64_t back_ns, newest_ns;   /* it stepped back there, from there; 0: it did not */
    char cursor[CW_DOCKER_CURSOR_BYTES];
    bool begun, ended, told;
};

/* ---- messages into records ---- */

static void held_put(struct cw_docker_follow *stream, const struct held *held, struct cw_str cursor)
{
    struct cw_spool_record record = {.ts_ns = held->ts_ns,
                                     .labels = stream->labels[held->stream],
                                     .tenant = cw_str_of(stream->tenants[held->stream]),
                                     .cursor = cursor,
                                     .line = cw_buf_str(&held->text)};
    struct cw_err err = {0};
    int n = cw_spool_record_encode(&record, &stream->records, &err);
    if (n < 0)
        cw_log_warn("docker: container %s: a line is left out: %s", stream->id, err.text);
    else
        stream->nrecords += (size_t)n;
}

/* All that is held, whole or not, with the place behind it. */
static void held_flush(struct cw_docker_follow *stream)
{
    size_t last = stream->nheld;
    for (size_t i = 0; i < stream->nheld; i++)
        if (!stream->off[stream->held[i].stream])
            last = i;
    cw_docker_place_format(&stream->place, stream->cursor);
    for (size_t i = 0; i < stream->nheld; i++) {
        if (!stream->off[stream->held[i].stream])
            held_put(stream, &stream->held[i], i == last ? cw_str_of(stream->cursor) : CW_STR_NONE);
        cw_buf_fini(&stream->held[i].text);
    }
    stream->nheld = stream->held_bytes = 0;
}

static void held_drop(struct cw_docker_follow *stream)
{
    for (size_t i = 0; i < stream->nheld; i++)
        cw_buf_fini(&stream->held[i].text);
    stream->nheld = stream->held_bytes = 0;
}

static struct held *held_of(struct cw_docker_follow *stream, const struct cw_docker_line *message)
{
    for (size_t i = 0; i < stream->nheld; i++)
        if (stream->held[i].partial && stream->held[i].stream == message->stream)
            return &stream->held[i];
    if (stream->nheld == stream->held_cap) {
        stream->held_cap = stream->held_cap ? 2 * stream->held_cap : 4;
        stream->held = cw_mem_resize(stream->held, stream->held_cap * sizeof *stream->held);
    }
    struct held *held = &stream->held[stream->nheld++];
    *held = (struct held){.stream = message->stream, .ts_ns = message->ts_ns};
    cw_buf_init(&held->text, SIZE_MAX);
    return held;
}

static bool any_partial(const struct cw_docker_follow *stream)
{
    for (size_t i = 0; i < stream->nheld; i++)
        if (stream->held[i].partial)
            return true;
    return false;
}

static void on_message(void *arg, const struct cw_docker_line *message)
{
    struct cw_docker_follow *stream = arg;
    if (stream->back_ns != 0)
        return; /* it is asked for again */
    if (cw_docker_place_steps_back(&stream->place, message)) {
        stream->back_ns = message->ts_ns;
        stream->newest_ns = CW_MAX(stream->place.newest_ns[0], stream->place.newest_ns[1]);
        return;
    }
    if (!cw_docker_place_take(&stream->place, message))
        return;
    struct held *held = held_of(stream, message);
    cw_buf_adds(&held->text, message->text);
    held->partial = message->partial;
    stream->held_bytes += message->text.len;
    if (!any_partial(stream) || stream->held_bytes > HELD_BYTES)
        held_flush(stream);
}

static void records_add(struct cw_docker_follow *stream)
{
    if (stream->nrecords == 0)
        return;
    cw_spool_writer_add(stream->spool, cw_buf_str(&stream->records), stream->nrecords,
                        cw_str_of(stream->cursor));
    cw_spool_writer_commit(stream->spool, NULL, NULL);
    cw_buf_clear(&stream->records);
    stream->nrecords = 0;
}

/* ---- following ---- */

static int on_data(void *arg, struct cw_str bytes, struct cw_err *err)
{
    struct cw_docker_follow *stream = arg;
    CW_CHECK(stream, STREAM_MAGIC);
    int rc = cw_docker_frames_feed(&stream->frames, bytes, on_message, stream, err);
    records_add(stream);
    if (rc == 0 && stream->back_ns != 0)
        rc = cw_err_set(err, CW_E_CONFLICT, "messages come again");
    if (rc == 0 && !cw_spool_writer_room(stream->spool))
        rc = cw_err_set(err, CW_E_OVERLOAD,
                        "its spool is full"); /* begun again when there is room */
    return rc;
}

static void on_end(void *arg, int rc, const struct cw_http_answer *answer, const struct cw_err *err)
{
    struct cw_docker_follow *stream = arg;
    CW_CHECK(stream, STREAM_MAGIC);
    stream->call = NULL;
    bool all = rc == 0 && answer->status == 200;
    if (all && stream->nheld > 0) { /* the container ended within a line */
        held_flush(stream);
        records_add(stream);
    }
    held_drop(stream);
    stream->ended = rc == 0;
    if (!all && !stream->told && rc != CW_E_OVERLOAD && rc != CW_E_CONFLICT &&
        !(rc == 0 && answer->status == 404)) {
        if (rc < 0)
            cw_log_warn("docker: the log of container %s: %s", stream->id, err->text);
        else
            cw_log_warn("docker: the log of container %s: status %d: its log driver may not be "
                        "read",
                        stream->id, answer->status);
        stream->told = true;
    }
    stream->options.host->on_targets(stream->options.host->arg);
}

void cw_docker_follow_start(struct cw_docker_follow *stream)
{
    CW_CHECK(stream, STREAM_MAGIC);
    if (stream->call != NULL || !cw_spool_writer_room(stream->spool))
        return;
    const char *socket;
    stream->begun = true;
    stream->ended = false;
    cw_docker_place_begin(&stream->place, stream->cursor[0]
                                              ? cw_str_of(stream->cursor)
                                              : cw_spool_writer_cursor(stream->spool));
    int64_t promtail_s;
    if (stream->place.since_s == 0 &&
        cw_str_to_i64(
            cw_sources_promtail_cursor(stream->options.host->sources, cw_str_of(stream->id)),
            &promtail_s))
        stream->place.since_s = promtail_s;
    if (stream->back_ns != 0)
        cw_docker_place_widen(&stream->place, stream->back_ns, stream->newest_ns);
    stream->back_ns = 0;
    cw_docker_frames_fini(&stream->frames);
    cw_docker_frames_init(&stream->frames, stream->options.tty);
    cw_buf_clear(&stream->url);
    cw_docker_base_url(stream->options.config, &stream->url, &socket);
    cw_docker_logs_url(cw_str_of(stream->id), stream->place.since_s, !stream->options.host->once,
                       &stream->url);
    struct cw_http_call call = {.method = "GET",
                                .url = cw_buf_z(&stream->url),
                                .unix_socket = socket,
                                .max_answer_bytes = CW_DOCKER_ANSWER_BYTES};
    struct cw_err err = {0};
    cw_arena_reset(stream->call_arena);
    int rc = cw_http_access_apply(&stream->options.config->access, stream->call_arena, &call, &err);
    if (rc == 0)
        rc = cw_http_client_start(stream->options.host->http, &call, on_data, on_end, stream,
                                  &stream->call, &err);
    if (rc < 0)
        cw_log_warn("docker: the log of container %s: %s", stream->id, err.text);
}

static void on_room(void *arg)
{
    struct cw_docker_follow *stream = arg;
    if (!stream->ended)
        cw_docker_follow_start(stream);
}

static void on_segment(void *arg)
{
    const struct cw_docker_follow *stream = arg;
    stream->options.host->on_targets(stream->options.host->arg);
}

/* ---- what it is labelled with ---- */

static int target_set(struct cw_docker_follow *stream, struct cw_stages *stages, struct cw_str name,
                      struct cw_err *err)
{
    struct cw_target *fresh = cw_mem_new(sizeof *fresh);
    struct cw_buf pattern;
    cw_buf_init(&pattern, 2 * CW_GLOB_PATTERN_BYTES);
    cw_glob_escape(cw_str_of(stream->folder), &pattern);
    cw_buf_addz(&pattern, "/*" CW_SPOOL_SUFFIX);
    int rc = cw_glob_compile(cw_buf_str(&pattern), &fresh->glob, err);
    cw_buf_fini(&pattern);
    fresh->name = cw_str_dupz(name);
    fresh->format = CW_SOURCE_SPOOL;
    fresh->stages = stages;
    if (rc < 0) {
        cw_target_free(&fresh);
    } else if (stream->target != NULL) {
        cw_sources_target_update(stream->options.host->sources, stream->target, &fresh);
    } else {
        cw_sources_target_add(stream->options.host->sources, fresh);
        stream->target = fresh;
    }
    return rc;
}

void cw_docker_follow_labels(struct cw_docker_follow *stream, const struct cw_found *found)
{
    CW_CHECK(stream, STREAM_MAGIC);
    struct cw_arena *arena = cw_arena_new();
    struct cw_err err = {0};
    struct cw_stages *stages;
    int rc = cw_found_stages(stream->options.scrape, found, &stages, &err);
    for (unsigned i = 0; rc >= 0 && i < CW_SOURCE_STREAMS; i++) {
        struct cw_target_labels labels;
        rc = cw_found_relabel(stream->options.scrape, found, (int)i, arena, &labels, &err);
        if (rc < 0)
            break;
        free((void *)stream->labels[i].items);
        free(stream->tenants[i]);
        stream->off[i] = rc == 0;
        stream->labels[i] = cw_labels_dup_heap(cw_target_labels_public(&labels));
        stream->tenants[i] = cw_str_dupz(cw_target_labels_get(&labels, CW_STR("__tenant_id__")));
    }
    if (rc >= 0)
        rc = target_set(stream, stages, found->name, &err);
    if (rc < 0 && !stream->told)
        cw_log_warn("docker: container %.*s: %s", CW_STR_ARG(found->name), err.text);
    stream->told |= rc < 0;
    cw_arena_free(&arena);
}

/* ---- life ---- */

int cw_docker_follow_open(const struct cw_docker_follow_options *options,
                          struct cw_docker_follow **out, struct cw_err *err)
{
    struct cw_docker_follow *stream = cw_mem_new(sizeof *stream);
    stream->magic = STREAM_MAGIC;
    stream->options = *options;
    stream->folder = cw_str_dupz(cw_str_of(options->folder));
    stream->id = cw_str_dupz(cw_str_of(options->id));
    stream->call_arena = cw_arena_new();
    cw_buf_init(&stream->url, SIZE_MAX);
    cw_buf_init(&stream->records, SIZE_MAX);
    cw_docker_frames_init(&stream->frames, options->tty);
    for (unsigned i = 0; i < CW_SOURCE_STREAMS; i++)
        stream->tenants[i] = cw_str_dupz(CW_STR_NONE);
    struct cw_spool_options spool = {
        .loop = options->host->loop,
        .folder = stream->folder,
        .name = "docker",
        .segment_bytes = (uint64_t)CW_MIN(options->host->spool->segment_bytes,
                                          options->host->spool->max_bytes / CW_SPOOL_SEGMENTS_MIN),
        .max_bytes = (uint64_t)options->host->spool->max_bytes,
        .full = CW_SPOOL_WAIT, /* the Engine keeps the rest */
        .failure = CW_SPOOL_RETRY,
        .metrics = options->host->metrics,
        .on_room = on_room,
        .on_segment = on_segment,
        .arg = stream};
    int rc = cw_spool_writer_open(&spool, &stream->spool, err);
    if (rc == 0)
        rc = target_set(stream, options->scrape->stages, cw_str_of(options->id), err);
    if (rc < 0)
        cw_docker_follow_close(&stream, CW_DOCKER_FOLLOW_KEEP);
    *out = stream;
    return rc;
}

bool cw_docker_follow_ended(const struct cw_docker_follow *stream)
{
    return stream->ended && stream->call == NULL && cw_spool_writer_idle(stream->spool);
}

void cw_docker_follow_tick(struct cw_docker_follow *stream, int64_t now_ns)
{
    CW_CHECK(stream, STREAM_MAGIC);
    cw_spool_writer_prune(stream->spool, stream->options.host->sources, now_ns);
    if (stream->begun && !stream->ended)
        cw_docker_follow_start(stream);
}

bool cw_docker_follow_settled(const struct cw_docker_follow *stream)
{
    const struct cw_sources *sources = stream->options.host->sources;
    size_t len = strlen(stream->folder);
    if (stream->call != NULL || !cw_spool_writer_idle(stream->spool))
        return false;
    for (size_t i = 0; i < sources->n; i++) {
        const struct cw_source *source = sources->items[i];
        if (strncmp(source->path, stream->folder, len) == 0 && source->path[len] == '/' &&
            (cw_source_position(source) < source->tail.size || !cw_source_forgettable(source)))
            return false;
    }
    return true;
}

void cw_docker_follow_close(struct cw_docker_follow **stream, enum cw_docker_follow_spool spool)
{
    struct cw_docker_follow *s = *stream;
    struct cw_err err;
    *stream = NULL;
    if (s == NULL)
        return;
    CW_CHECK(s, STREAM_MAGIC);
    if (s->call != NULL)
        cw_http_client_abort(s->options.host->http, &s->call);
    cw_spool_writer_close(&s->spool);
    if (spool == CW_DOCKER_FOLLOW_REMOVE) {
        if (s->target != NULL)
            cw_sources_target_remove(s->options.host->sources, s->target);
        if (cw_file_tree_remove(s->folder, &err) < 0)
            cw_log_warn("docker: %s", err.text);
    }
    held_drop(s);
    for (unsigned i = 0; i < CW_SOURCE_STREAMS; i++) {
        free((void *)s->labels[i].items);
        free(s->tenants[i]);
    }
    cw_docker_frames_fini(&s->frames);
    cw_buf_fini(&s->url);
    cw_buf_fini(&s->records);
    cw_arena_free(&s->call_arena);
    free(s->held);
    free(s->folder);
    free(s->id);
    s->magic = 0;
    free(s);
}
