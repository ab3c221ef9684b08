/* files_source.c - the files: opened, loaded, labelled, planned. */
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/limits.h"
#include "common/store/listing.h"
#include "querier/local/files_source_priv.h"
#include "querier/local/spool.h"

/* The key of a unit: file and chunk. */
enum { CHUNK_BITS = 40 };

void files_tell(struct files_source *source, const struct cw_err *why)
{
    pthread_mutex_lock(&source->lock);
    atomic_store(&source->is_bad, true);
    source->bad(source->ctx, why);
    pthread_mutex_unlock(&source->lock);
}

/* ---- memory of cursors ---- */

struct files_room *files_room_take(struct files_source *source)
{
    pthread_mutex_lock(&source->lock);
    struct files_room *room = source->idle;
    if (room != NULL)
        source->idle = room->next;
    pthread_mutex_unlock(&source->lock);
    if (room == NULL) {
        room = cw_mem_new(sizeof *room);
        cw_buf_init(&room->text, SIZE_MAX);
    }
    room->n = 0;
    return room;
}

void files_room_give(struct files_source *source, struct files_room *room)
{
    pthread_mutex_lock(&source->lock);
    room->next = source->idle;
    source->idle = room;
    pthread_mutex_unlock(&source->lock);
}

static void rooms_free(struct files_source *source)
{
    while (source->idle != NULL) {
        struct files_room *room = source->idle;
        source->idle = room->next;
        cw_buf_fini(&room->text);
        free(room->rows);
        free(room);
    }
}

/* ---- plan ---- */

bool files_chunk_touches(const struct files_chunk *chunk, int64_t start_ns, int64_t end_ns)
{
    switch (atomic_load(&chunk->bounds)) {
    case BOUNDS_EMPTY: return false;
    case BOUNDS_KNOWN:
        return atomic_load(&chunk->max_ns) >= start_ns && atomic_load(&chunk->min_ns) < end_ns;
    default: return true;
    }
}

static void plan_file(struct files_source *source, size_t idx, const struct cw_scan *scan,
                      struct cw_units *out)
{
    const struct files_file *file = &source->files[idx];
    for (size_t i = 0; i < file->nchunks; i++) {
        const struct files_chunk *chunk = &file->chunks[i];
        if (!files_chunk_touches(chunk, scan->start_ns, scan->end_ns))
            continue;
        bool known = atomic_load(&chunk->bounds) == BOUNDS_KNOWN;
        cw_units_add(out, (struct cw_unit){
                              .source = &source->base,
                              .key = (uint64_t)idx << CHUNK_BITS | i,
                              .min_ns = known ? atomic_load(&chunk->min_ns) : INT64_MIN,
                              .max_ns = known ? atomic_load(&chunk->max_ns) : INT64_MAX,
                              .bytes = CW_LOG_FILE_CHUNK_BYTES,
                          });
    }
}

static int source_plan(struct cw_source *base, const struct cw_scan *scan, struct cw_units *out,
                       struct cw_err *err)
{
    struct files_source *source = CW_CONTAINER_OF(base, struct files_source, base);
    for (size_t i = 0; i < source->n; i++) {
        const struct files_file *file = &source->files[i];
        int rc = scan->selector != NULL
                     ? cw_selector_match(scan->selector, file->stream.labels, err)
                     : 1;
        if (rc < 0)
            return rc;
        if (rc == 0 || file->nchunks == 0)
            continue;
        if (scan->stats != NULL)
            atomic_fetch_add(&scan->stats->streams_matched, 1);
        plan_file(source, i, scan, out);
    }
    return 0;
}

static int source_open(struct cw_source *base, const struct cw_scan *scan,
                       const struct cw_unit *unit, struct cw_cursor **out, struct cw_err *err)
{
    struct files_source *source = CW_CONTAINER_OF(base, struct files_source, base);
    struct files_file *file = &source->files[unit->key >> CHUNK_BITS];
    size_t chunk = (size_t)(unit->key & ((UINT64_C(1) << CHUNK_BITS) - 1));
    return files_cursor_open(source, file, chunk, scan, out, err);
}

/* ---- what else is asked of a source: no query does, a listing may ---- */

static int source_list(struct cw_source *base, const struct cw_listing *listing,
                       struct cw_list_cursor **out, struct cw_err *err)
{
    struct files_source *source = CW_CONTAINER_OF(base, struct files_source, base);
    struct cw_stream_ref *streams = cw_mem_array(source->n + 1, sizeof *streams);
    size_t n = 0;
    for (size_t i = 0; i < source->n; i++) {
        int rc = cw_listing_match(listing, source->files[i].stream.labels, err);
        if (rc < 0) {
            free(streams);
            return rc;
        }
        if (rc > 0 && source->files[i].nchunks > 0)
            streams[n++] = source->files[i].stream;
    }
    return cw_list_cursor_of(listing, streams, n, out, err);
}

/* As far as it can be told without reading: bytes and chunks of the files. */
static int source_stats(struct cw_source *base, const struct cw_selector *selector,
                        int64_t start_ns, int64_t end_ns, struct cw_index_stats *out,
                        struct cw_err *err)
{
    struct files_source *source = CW_CONTAINER_OF(base, struct files_source, base);
    for (size_t i = 0; i < source->n; i++) {
        const struct files_file *file = &source->files[i];
        int rc = selector != NULL ? cw_selector_match(selector, file->stream.labels, err) : 1;
        if (rc < 0)
            return rc;
        for (size_t k = 0; rc > 0 && k < file->nchunks; k++)
            out->chunks += files_chunk_touches(&file->chunks[k], start_ns, end_ns);
        out->streams += rc > 0 && file->nchunks > 0;
        out->bytes += rc > 0 ? cw_log_file_bytes(file->log) : 0;
    }
    return 0;
}

static void source_destroy(struct cw_source *base)
{
    struct files_source *source = CW_CONTAINER_OF(base, struct files_source, base);
    for (size_t i = 0; i < source->n; i++) {
        cw_log_file_close(&source->files[i].log);
        cw_line_time_fini(&source->files[i].time);
        free(source->files[i].chunks);
    }
    free(source->files);
    rooms_free(source);
    pthread_mutex_destroy(&source->lock);
    cw_arena_free(&source->arena);
    free(source);
}

static const struct cw_source_ops source_ops = {source_plan, source_open, source_list, source_stats,
                                                source_destroy};

/* ---- new ---- */

/* "access" of /var/log/access.log.2.gz, ".profile" of .profile */
static struct cw_str job_of(struct cw_str path)
{
    while (path.len > 0) {
        ptrdiff_t slash = cw_str_find_byte(path, '/');
        if (slash < 0)
            break;
        path = cw_str_sub(path, (size_t)slash + 1, path.len);
    }
    ptrdiff_t dot = cw_str_find_byte(cw_str_sub(path, 1, path.len), '.');
    return dot < 0 ? path : cw_str_sub(path, 0, (size_t)dot + 1);
}

static void add_label(struct cw_label *pairs, size_t *n, struct cw_labels given, const char *name,
                      struct cw_str value)
{
    if (!cw_labels_has(given, cw_str_of(name)))
        pairs[(*n)++] = (struct cw_label){cw_str_of(name), value};
}

static struct cw_stream_ref stream_of(struct cw_arena *arena, struct cw_labels given,
                                      const char *path)
{
    struct cw_label *pairs = CW_ARENA_ARRAY(arena, struct cw_label, given.n + 2);
    size_t n = given.n;
    for (size_t i = 0; i < n; i++)
        pairs[i] = given.items[i];
    if (path != NULL) {
        struct cw_str text = cw_arena_dup(arena, cw_str_of(path));
        add_label(pairs, &n, given, "filename", text);
        add_label(pairs, &n, given, "job", job_of(text));
    } else {
        add_label(pairs, &n, given, "job", CW_STR("stdin"));
    }
    struct cw_labels labels;
    struct cw_err err;
    CW_ASSERT(cw_labels_from_pairs(pairs, n, &labels, &err) == 0); /* no name is there twice */
    labels = cw_labels_dup(arena, labels);
    return (struct cw_stream_ref){cw_labels_hash(labels), labels};
}

/* The first lines tell what times look like. */
static void learn_times(struct files_source *source, struct files_file *file)
{
    struct cw_buf room;
    struct cw_str lines;
    struct cw_err err = {0};
    cw_buf_init(&room, SIZE_MAX);
    if (file->nchunks > 0 && cw_log_file_read(file->log, 0, &room, &lines, &err) == 0)
        cw_line_time_learn(&file->time, lines); /* what cannot be read is told by the cursor */
    cw_buf_fini(&room);
}

struct load_job {
    struct files_source *source;
    struct files_file *file;
    atomic_uint_fast64_t *loaded_bytes;
};

static void load_file(void *arg)
{
    struct load_job *job = arg;
    struct files_file *file = job->file;
    struct cw_err err = {0};
    if (cw_log_file_load(file->log, job->loaded_bytes, &err) < 0)
        files_tell(job->source, &err);
    file->nchunks = cw_log_file_chunks(file->log);
    file->chunks = cw_mem_array(file->nchunks + 1, sizeof *file->chunks);
    learn_times(job->source, file);
}

static void load_all(struct files_source *source, const struct cw_files_options *options)
{
    struct load_job *jobs = cw_mem_array(source->n + 1, sizeof *jobs);
    struct cw_pool_group *group =
        options->pool != NULL ? cw_pool_group_new(options->pool, CW_POOL_NORMAL) : NULL;
    for (size_t i = 0; i < source->n; i++) {
        jobs[i] = (struct load_job){source, &source->files[i], options->loaded_bytes};
        if (group != NULL)
            cw_pool_submit(group, load_file, &jobs[i]);
        else
            load_file(&jobs[i]);
    }
    cw_pool_group_free(&group);
    free(jobs);
}

static void open_file(struct files_source *source, const struct cw_files_options *options,
                      const char *path)
{
    struct files_file *file = &source->files[source->n];
    struct cw_err err = {0};
    if (cw_log_file_open(path, &source->spool_room, &file->log, &err) < 0) {
        files_tell(source, &err);
        return;
    }
    file->stream = stream_of(source->arena, options->labels, path);
    cw_line_time_init(&file->time, options->zone, cw_log_file_written_ns(file->log));
    source->n++;
}

struct cw_source *cw_files_source_new(const struct cw_files_options *options)
{
    struct files_source *source = cw_mem_new(sizeof *source);
    source->base = (struct cw_source){.ops = &source_ops, .min_ns = INT64_MIN, .max_ns = INT64_MAX};
    atomic_init(&source->base.refs, 1);
    source->arena = cw_arena_new();
    atomic_init(&source->spool_room, CW_SPOOL_MEMORY_BYTES);
    source->bad = options->bad;
    source->ctx = options->ctx;
    pthread_mutex_init(&source->lock, NULL);
    source->files = cw_mem_array(options->npaths + 1, sizeof *source->files);
    for (size_t i = 0; i < options->npaths; i++)
        open_file(source, options, options->paths[i].ptr);
    if (options->with_stdin)
        open_file(source, options, NULL);
    load_all(source, options);
    return &source->base;
}

bool cw_files_source_bad(struct cw_source *base)
{
    return atomic_load(&CW_CONTAINER_OF(base, struct files_source, base)->is_bad);
}

/* ---- bounds ---- */

struct bounds_run {
    struct files_source *source;
    atomic_size_t next; /* of all chunks of all files */
};

static void learn_chunks(void *arg)
{
    struct bounds_run *run = arg;
    for (;;) {
        size_t at = atomic_fetch_add(&run->next, 1), i = 0;
        while (i < run->source->n && at >= run->source->files[i].nchunks)
            at -= run->source->files[i++].nchunks;
        if (i == run->source->n)
            return;
        struct files_file *file = &run->source->files[i];
        if (atomic_load(&file->chunks[at].bounds) == BOUNDS_UNKNOWN)
            files_chunk_learn(run->source, file, at);
    }
}

bool cw_files_source_bounds(struct cw_source *base, struct cw_pool *pool, int64_t *min_out,
                            int64_t *max_out)
{
    struct files_source *source = CW_CONTAINER_OF(base, struct files_source, base);
    struct bounds_run run = {.source = source};
    if (pool != NULL) {
        struct cw_pool_group *group = cw_pool_group_new(pool, CW_POOL_NORMAL);
        for (unsigned i = 0; i < cw_pool_threads(pool); i++)
            cw_pool_submit(group, learn_chunks, &run);
        cw_pool_group_free(&group);
    } else {
        learn_chunks(&run);
    }
    *min_out = INT64_MAX;
    *max_out = INT64_MIN;
    for (size_t i = 0; i < source->n; i++) {
        for (size_t k = 0; k < source->files[i].nchunks; k++) {
            const struct files_chunk *chunk = &source->files[i].chunks[k];
            if (atomic_load(&chunk->bounds) != BOUNDS_KNOWN)
                continue;
            *min_out = CW_MIN(*min_out, (int64_t)atomic_load(&chunk->min_ns));
            *max_out = CW_MAX(*max_out, (int64_t)atomic_load(&chunk->max_ns));
        }
    }
    return *min_out <= *max_out;
}
