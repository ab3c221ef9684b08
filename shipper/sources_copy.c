/*
 * sources_copy.c - sources.c, the part for logs that are truncated in place.
 *
 * A rotation by copytruncate copies x.log into a new file beside it (x.log.1, x.log-20260105) and
 * then truncates x.log. What was not read yet is in the copy, at the same offsets: the source goes
 * on there as if x.log had been renamed and made anew. A copy is told by its name, its birth and the
 * first bytes that the log had.
 *
 * Its birth tells more than the clock does of when contents came to notice: times of files lag behind that, by the kernel's tick. So
 * copies count that were born since the look before that one (cw_sources_contents_since()). Of two since then that both begin with all
 * that is known of the log's first bytes, nothing tells which it is: the first is taken.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "shipper/rotated_name.h"
#include "shipper/shipper_metrics.h"
#include "shipper/sources_priv.h"

/* A name that is changed while a folder is read may not be met, under neither name: one that was just changed is read so often until
 * the copy is found. */
enum { SEARCHES_MAX = 8 };

struct copy_search {
    struct cw_sources *sources;
    const struct cw_source *source; /* the truncated one */
    int64_t born_after_ns;
    struct cw_tail
        found; /* fd -1: none, or one that is compressed, to be opened when its turn comes */
    char path[PATH_MAX];
};

int64_t cw_sources_contents_since(const struct cw_sources *sources, int64_t now_ns)
{
    return sources->looked_ns > 0 ? sources->looked_ns : now_ns - CW_SOURCES_LOOK_MARGIN_NS;
}

/* Copies of what the log held before its present contents were born before this. */
static int64_t copies_seen_until(struct cw_sources *sources, const struct cw_source *source)
{
    int64_t until_ns = source->since_ns;
    const struct cw_source *other;
    for (size_t at = SIZE_MAX; (other = cw_sources_path_next(sources, source->path, &at)) != NULL;)
        if (strcmp(other->path, source->path) == 0)
            until_ns = CW_MAX(until_ns, other->tail.identity.birth_ns);
    return until_ns;
}

static bool copy_fits(const struct copy_search *search, const struct cw_tail *tail)
{
    int64_t born_ns = tail->identity.birth_ns;
    enum cw_file_verdict verdict;
    struct cw_err err;
    if (cw_sources_has_file(search->sources, &tail->identity) ||
        (born_ns != 0 && born_ns <= search->born_after_ns))
        return false;
    /* Of several the first: the later ones hold what was written after it. */
    if (search->found.fd >= 0 && search->found.identity.birth_ns <= born_ns)
        return false;
    const struct cw_file_identity *known = &search->source->tail.identity;
    if (tail->identity.ino == search->source->copy_ino &&
        born_ns == search->source->copy_birth_ns && tail->identity.dev == known->dev)
        return true;
    return cw_file_identity_check(tail->fd, known, &verdict, &err) == 0 && verdict == CW_FILE_SAME;
}

static void on_rotated(void *arg, const char *path)
{
    struct copy_search *search = arg;
    struct cw_tail tail;
    struct cw_err err;
    if (cw_tail_open(&tail, path, &err) < 0)
        return; /* removed since, no file, or not ours to read: no copy for us */
    if (copy_fits(search, &tail)) {
        cw_tail_close(&search->found);
        search->found = tail;
        snprintf(search->path, sizeof search->path, "%s", path);
    } else {
        cw_tail_close(&tail);
    }
}

static bool was_just_changed(const char *path)
{
    char folder[PATH_MAX];
    struct stat st;
    snprintf(folder, sizeof folder, "%.*s", (int)cw_sources_folder_len(path), path);
    return stat(folder, &st) == 0 &&
           st.st_mtim.tv_sec * CW_NS_PER_S + st.st_mtim.tv_nsec + CW_SOURCES_LOOK_MARGIN_NS >
               cw_clock_now_ns();
}

static bool copy_find(struct copy_search *search)
{
    const struct cw_source *source = search->source;
    bool found = false;
    for (unsigned i = 0;
         !found && (i == 0 || (i < SEARCHES_MAX && was_just_changed(source->path_now))); i++) {
        cw_rotated_walk(source->path_now, on_rotated, search);
        found = search->found.fd >= 0 ||
                cw_sources_packed_copy(search->sources, source, search->born_after_ns, search->path,
                                       sizeof search->path, &search->found.identity);
    }
    return found;
}

static void truncation_count(struct cw_sources *sources, struct cw_source *source, uint64_t from)
{
    uint64_t known =
        CW_MAX((uint64_t)source->tail.identity.prefix_len, cw_sightings_size(&source->seen));
    cw_metrics_add(sources->options.metrics, CW_M_TRUNCATIONS, 1);
    if (known <= from)
        return;
    cw_metrics_add(sources->options.metrics, CW_M_LOST_BYTES, (int64_t)(known - from));
    cw_tally_gap_add(cw_source_tally(source), source->generation, from, known,
                     CW_STR("truncated before it was read"));
    cw_log_warn("%s was truncated: its bytes %" PRIu64 " to %" PRIu64
                " were seen, but are in no copy and lost",
                source->path_now, from, known);
}

/* The source of what is in the truncated file now; it takes over the descriptor. */
static struct cw_source *successor_new(struct cw_source *source,
                                       const struct cw_file_identity *identity, uint64_t size,
                                       int64_t since_ns, int64_t now_mono_ns)
{
    struct cw_source *next = cw_source_new(source->nrows, source->path);
    cw_source_draw_id(next);
    cw_source_path_now_set(next, source->path_now);
    next->tail = source->tail;
    next->tail.identity = *identity;
    next->tail.end = 0; /* if it ends: it came behind that */
    next->tail.size = next->goal = source->tail.ends ? 0 : size;
    next->left = source->left;
    next->format = source->format;
    next->wanted = source->wanted;
    next->scan_number = source->scan_number;
    next->since_ns = since_ns;
    next->quiet_since_ns = now_mono_ns;
    next->watch = source->watch;
    next->stages = source->stages;
    next->encoding = source->encoding;
    cw_source_tenant_set(next, cw_str_of(source->tenant));
    for (size_t i = 0; i < CW_SOURCE_STREAMS; i++)
        if (source->labels[i].items != NULL)
            next->labels[i] = cw_labels_dup_heap(source->labels[i]);
    for (size_t i = 0; i < source->nrows; i++) {
        next->rows[i].done_ts_ns = source->rows[i].done_ts_ns;
        next->rows[i].off = source->rows[i].off;
    }
    return next;
}

/* Go on in the copy that was found. */
static void copy_take(struct copy_search *search, struct cw_source *source,
                      const struct cw_file_identity *identity, uint64_t size, int64_t now_ns,
                      int64_t now_mono_ns)
{
    struct cw_sources *sources = search->sources;
    int64_t since_ns = cw_sources_contents_since(sources, now_ns);
    struct cw_source *next = successor_new(source, identity, size, since_ns, now_mono_ns);
    uint64_t position = cw_source_position(source);
    bool packed = search->found.fd < 0; /* how much it holds is not known yet */
    truncation_count(sources, source, packed ? UINT64_MAX : CW_MAX(position, search->found.size));
    cw_log_info("%s was truncated: what it held is read on from byte %" PRIu64 " of its copy %s",
                source->path_now, position, search->path);
    struct cw_file_identity recorded = source->tail.identity;
    bool ends = source->tail.ends && !packed;
    uint64_t end = source->tail.end;
    source->tail = search->found;
    if (ends) {
        source->tail.ends = true;
        source->tail.end = end;
        source->tail.size = CW_MIN(source->tail.size, end);
    }
    if (packed) {
        source->tail.identity.prefix_len = recorded.prefix_len;
        source->tail.identity.prefix_hash = recorded.prefix_hash;
        sources->deferred = true;
    }
    source->goal = source->tail.size;
    source->changed = source->final = source->waited = source->wanted = false;
    source->rotated = true;
    source->copy_ino = 0;
    source->quiet_since_ns = now_mono_ns;
    source->watch = -1;
    for (size_t i = 0; i < source->nrows; i++)
        source->rows[i].held_size = 0;
    cw_source_path_now_set(source, search->path);
    cw_sources_index_moved(sources, source);
    sources->watches_stale = true;
    if (!packed)
        cw_sources_watch(sources, source);
    cw_sources_add(sources, next);
    cw_sources_index_build(sources); /* the source is another inode now */
    cw_source_sight(next, now_ns, now_mono_ns);
    cw_sources_activate(sources, next);
}

static void contents_replaced(struct cw_sources *sources, struct cw_source *source,
                              const struct cw_file_identity *identity, uint64_t size,
                              int64_t now_ns)
{
    truncation_count(sources, source, cw_source_position(source));
    source->tail.identity = *identity;
    source->tail.end = 0; /* if it ends: what is there now came behind that */
    source->tail.size = source->goal = source->tail.ends ? 0 : size;
    source->since_ns = cw_sources_contents_since(sources, now_ns);
    source->copy_ino = 0;
    cw_source_raise(source);
    cw_log_info("%s was truncated, reading its new contents (generation %" PRIu64 ")",
                source->path_now, source->generation);
}

void cw_sources_truncated(struct cw_sources *sources, struct cw_source *source, int64_t now_ns,
                          int64_t now_mono_ns)
{
    struct copy_search search = {.sources = sources,
                                 .source = source,
                                 .born_after_ns = copies_seen_until(sources, source),
                                 .found = {.fd = -1}};
    struct cw_file_identity identity;
    struct cw_err err;
    uint64_t size;
    /* Of what came and was copied since, this finds the first. */
    cw_sources_rotated_log(sources, source->path, CW_SOURCES_SINCE_LOOK);
    if (cw_file_identity_read(source->tail.fd, &identity, &size, &err) < 0)
        return; /* asked again with the next refresh */
    if (copy_find(&search))
        copy_take(&search, source, &identity, size, now_ns, now_mono_ns);
    else if (source->nbusy == 0)
        contents_replaced(sources, source, &identity, size, now_ns);
    else
        return; /* a push that is under way has the old generation */
    sources->unsaved = true;
}

/* ---- copies that are seen before the truncation ---- */

/* Whether the two files have the same bytes there; at most CW_FILE_PREFIX_BYTES. */
static bool same_bytes(int a, int b, uint64_t off, size_t n)
{
    char of_a[CW_FILE_PREFIX_BYTES], of_b[CW_FILE_PREFIX_BYTES];
    return pread(a, of_a, n, (off_t)off) == (ssize_t)n &&
           pread(b, of_b, n, (off_t)off) == (ssize_t)n && memcmp(of_a, of_b, n) == 0;
}

static void copy_note(struct cw_source *log, const struct cw_file_identity *copy)
{
    log->copy_ino = copy->ino;
    log->copy_birth_ns = copy->birth_ns;
}

/* Empty: nothing is to be read in it, and nothing can be said yet. */
static bool copies(struct cw_sources *sources, const struct cw_tail *tail, struct cw_source *log)
{
    cw_sources_look(sources, log);
    if (log->changed)
        return true; /* not now: first it is found out which its copy is */
    size_t n = CW_MIN(tail->size, (uint64_t)CW_FILE_PREFIX_BYTES);
    if (tail->size > log->tail.size || !same_bytes(tail->fd, log->tail.fd, 0, n) ||
        !same_bytes(tail->fd, log->tail.fd, tail->size - n, n))
        return cw_sources_replaced(sources, log); /* it may have grown since beyond what it was */
    if (tail->size > 0)
        copy_note(log, &tail->identity);
    return true;
}

struct log_search {
    struct cw_sources *sources;
    const struct cw_tail *tail;
    int64_t now_ns, now_mono_ns;
    bool found;
};

/* `path` may be the log of which the file is a copy. */
static bool on_log(void *arg, const char *path)
{
    struct log_search *search = arg;
    struct cw_source *log;
    for (size_t at = SIZE_MAX;
         !search->found && (log = cw_sources_path_next(search->sources, path, &at)) != NULL;) {
        const struct cw_file_identity *known = &log->tail.identity;
        if (strcmp(log->path_now, path) != 0)
            continue;
        if (log->asleep)
            cw_sources_wake(search->sources, log, search->now_ns, search->now_mono_ns);
        if (log->asleep)
            return true; /* it cannot be told now */
        /* A log that was rotated by a rename was born before the one that has its name now. */
        search->found = log->tail.fd >= 0 && known->birth_ns != 0 &&
                        known->birth_ns < search->tail->identity.birth_ns &&
                        copies(search->sources, search->tail, log);
    }
    return search->found;
}

bool cw_sources_is_copy(struct cw_sources *sources, const struct cw_tail *tail, const char *path,
                        int64_t now_ns, int64_t now_mono_ns)
{
    struct log_search search = {sources, tail, now_ns, now_mono_ns, false};
    return cw_rotated_logs(path, on_log, &search);
}
