#include "querier/local/data_dir.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/file.h"
#include "common/store/catalog.h"
#include "common/store/delete_list.h"
#include "common/store/head.h"
#include "common/store/hidden.h"
#include "common/store/part_source.h"
#include "common/store/wal_replay.h"
#include "querier/querier.h"

/* A server flushes every few seconds at most; reading the directory takes less. */
#define TRIES 20
/* A write to the log is seen before it is whole. What no write goes on with for so long was torn. */
#define LOG_END_LOOKS 10
#define LOG_END_PAUSE_NS 20000000
/* A server may begin a segment and remove others while the folder is listed: frames that are missing were so each time. */
#define MISSING_LOOKS 3

/* The deletes that hide entries of the tenant, kept as long as a source needs them. */
struct deletes {
    struct cw_hidden_owner owner; /* first */
    struct cw_delete_list list;
    struct cw_entry_test **tests; /* of list.rows; NULL: it hides nothing here */
};

struct cw_data_dir {
    struct cw_data_dir_options options;
    struct cw_buf wal_dir;
    struct cw_catalog catalog;
    struct deletes *deletes;
    struct cw_head *head;
    struct cw_snapshot snapshot;
    uint64_t replayed_seq; /* of the data that is in the head */
    struct cw_err lost;    /* the first part that is not there; code 0: all are */
    struct cw_err missing; /* the log's first missing frames; code 0: none */
    unsigned missing_looks;
    struct {
        uint64_t segment,
            bytes; /* of the last segment, as long as it was then; 0: its end is whole */
        struct cw_err why;
    } log_end;
};

static void tell(struct cw_data_dir *dir, const struct cw_err *why)
{
    dir->options.bad(dir->options.ctx, why);
}

/* ---- deletes ---- */

static void deletes_destroy(struct cw_hidden_owner *owner)
{
    struct deletes *deletes = CW_CONTAINER_OF(owner, struct deletes, owner);
    for (size_t i = 0; i < deletes->list.n; i++)
        cw_entry_test_free(&deletes->tests[i]);
    free(deletes->tests);
    cw_delete_list_fini(&deletes->list);
    free(deletes);
}

static int deletes_read(struct cw_data_dir *dir, struct cw_err *err)
{
    struct deletes *deletes = cw_mem_new(sizeof *deletes);
    struct cw_err why = {0};
    size_t nbad = 0;
    atomic_init(&deletes->owner.refs, 1);
    deletes->owner.destroy = deletes_destroy;
    int rc = cw_delete_list_read(dir->options.path, &deletes->list, &nbad, err);
    if (rc < 0 && rc != CW_E_NOT_FOUND) {
        free(deletes);
        return rc;
    }
    if (nbad > 0) {
        cw_err_set(&why, CW_E_CORRUPT,
                   "%s/deletes is damaged in %zu places: what those deletes hid is seen",
                   dir->options.path, nbad);
        tell(dir, &why);
    }
    deletes->tests = cw_mem_array(deletes->list.n + 1, sizeof *deletes->tests);
    for (size_t i = 0; i < deletes->list.n; i++) {
        const struct cw_delete_row *row = &deletes->list.rows[i];
        if (row->state == CW_DELETE_PROCESSED || !cw_str_eq(row->tenant, dir->options.tenant))
            continue;
        if (cw_entry_test_new(row->query, &deletes->tests[i], &why) < 0) {
            cw_err_wrap(&why, "delete %08" PRIx32 " hides nothing, its query cannot be read",
                        row->id);
            tell(dir, &why);
        }
    }
    dir->deletes = deletes;
    return 0;
}

/* Was a delete of the tenant made after the frame `seq` and before the frame `next`? */
static bool deleted_between(const struct deletes *deletes, uint64_t seq, uint64_t next)
{
    for (size_t i = 0; i < deletes->list.n; i++)
        if (deletes->tests[i] != NULL && deletes->list.rows[i].wal_seq >= seq &&
            deletes->list.rows[i].wal_seq < next)
            return true;
    return false;
}

static void hide(struct deletes *deletes, const struct cw_delete_place *place,
                 struct cw_source **source)
{
    struct cw_hidden_rule *rules = cw_mem_array(deletes->list.n + 1, sizeof *rules);
    size_t n = 0;
    for (size_t i = 0; i < deletes->list.n; i++) {
        const struct cw_delete_row *row = &deletes->list.rows[i];
        if (deletes->tests[i] == NULL ||
            !cw_delete_list_row_is_of(row, cw_delete_list_below_id(row), place))
            continue;
        rules[n++] = (struct cw_hidden_rule){.selector = cw_entry_test_selector(deletes->tests[i]),
                                             .first_ns = row->first_ns,
                                             .last_ns = row->last_ns,
                                             .filter = cw_entry_test_filter(deletes->tests[i])};
    }
    if (n > 0)
        *source = cw_hidden_source_new(*source, rules, n, &deletes->owner);
    free(rules);
}

/* ---- parts ---- */

static int on_lost_part(void *arg, const char *path, const struct cw_err *why, struct cw_err *err)
{
    struct cw_data_dir *dir = arg;
    if (why->code != CW_E_CORRUPT)
        return cw_err_set(err, why->code, "%s", why->text);
    tell(dir, why);
    return 0;
}

static int catalog_read(struct cw_data_dir *dir, struct cw_catalog *out, struct cw_err *err)
{
    struct cw_err why = {0};
    int rc = cw_catalog_read(dir->options.path, out, &why);
    if (rc != CW_E_CORRUPT && rc != CW_E_NOT_FOUND)
        return rc < 0 ? cw_err_set(err, rc, "%s", why.text) : 0;
    if (rc == CW_E_CORRUPT) {
        cw_err_wrap(&why, "the catalog is made again from the parts");
        tell(dir, &why);
    }
    uint64_t oldest = cw_wal_oldest_seq(cw_buf_z(&dir->wal_dir));
    return cw_catalog_rebuild(dir->options.path, oldest, on_lost_part, dir, out, err);
}

static void on_bad_block(void *ctx, struct cw_part_reader *reader, uint32_t block,
                         const struct cw_err *why)
{
    tell(ctx, why);
}

static void on_bad_index(void *ctx, struct cw_part_reader *reader, const struct cw_err *why)
{
    tell(ctx, why);
}

static void snapshot_add(struct cw_snapshot *snapshot, struct cw_source *source)
{
    snapshot->sources =
        cw_mem_resize(snapshot->sources, (snapshot->n + 1) * sizeof(struct cw_source *));
    snapshot->sources[snapshot->n++] = source;
}

/* One that is not there was merged or dropped meanwhile, or it is lost. */
static int part_open(struct cw_data_dir *dir, const struct cw_catalog_part *entry,
                     struct cw_err *err)
{
    const struct cw_part_events events = {on_bad_block, on_bad_index, dir};
    struct cw_buf path;
    struct cw_source *source;
    cw_buf_init(&path, SIZE_MAX);
    cw_catalog_part_path(dir->options.path, entry->tenant, entry->day, entry->id, &path);
    int rc = cw_part_source_open(cw_buf_z(&path), &events, &source, err);
    cw_buf_fini(&path);
    if (rc == 0) {
        const struct cw_part_footer *footer = cw_part_reader_footer(cw_part_source_reader(source));
        struct cw_delete_place place = {footer->info.id, footer->info.wal_last, footer->min_ns,
                                        footer->max_ns};
        hide(dir->deletes, &place, &source);
        snapshot_add(&dir->snapshot, source);
    } else if (rc == CW_E_CORRUPT) {
        tell(dir, err);
        rc = 0;
    } else if (rc == CW_E_NOT_FOUND) {
        if (dir->lost.code == 0)
            dir->lost = *err;
        rc = 0;
    }
    return rc;
}

static int parts_open(struct cw_data_dir *dir, struct cw_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < dir->catalog.n; i++)
        if (cw_str_eq(dir->catalog.parts[i].tenant, dir->options.tenant))
            rc = part_open(dir, &dir->catalog.parts[i], err);
    return rc;
}

/* ---- the log ---- */

static int on_data(void *arg, const struct cw_wal_frame *frame, const struct cw_head_batch *batch,
                   struct cw_err *err)
{
    struct cw_data_dir *dir = arg;
    if (deleted_between(dir->deletes, dir->replayed_seq, frame->seq)) {
        struct cw_generation *closed = cw_head_freeze(dir->head);
        cw_generation_unref(&closed);
    }
    dir->replayed_seq = frame->seq;
    if (!cw_str_eq(batch->tenant, dir->options.tenant))
        return 0;
    cw_head_append_listed(dir->head, batch, frame->dropped, frame->ndropped);
    cw_head_commit(dir->head, frame->seq);
    return 0;
}

static void on_bad(void *arg, const struct cw_wal_bad *bad)
{
    struct cw_data_dir *dir = arg;
    struct cw_err why = {0};
    cw_err_set(&why, CW_E_CORRUPT,
               "bad bytes in the log: segment %" PRIu64 ", offset %" PRIu64 ", %zu bytes: %s",
               bad->segment, bad->off, bad->bytes.len, bad->why);
    if (bad->is_log_end) {
        dir->log_end.segment = bad->segment;
        dir->log_end.bytes = bad->off + bad->bytes.len;
        dir->log_end.why = why;
    } else {
        tell(dir, &why);
    }
}

static void on_bad_segment(void *arg, uint64_t segment, const char *path, const char *why)
{
    struct cw_err err = {0};
    cw_err_set(&err, CW_E_CORRUPT, "segment %" PRIu64 " of the log is unreadable: %s", segment,
               why);
    tell(arg, &err);
}

/* Told when it is sure that no server removed them meanwhile. */
static void on_missing(void *arg, const struct cw_wal_missing *missing)
{
    struct cw_data_dir *dir = arg;
    if (missing->is_told)
        return;
    if (dir->missing.code == 0 && missing->segment != 0)
        cw_err_set(&dir->missing, CW_E_CORRUPT,
                   "frames %" PRIu64 " to %" PRIu64 " of the log are missing, segment %" PRIu64
                   " begins behind them: up to %" PRIu64 " pushes are lost",
                   missing->first_seq, missing->last_seq, missing->segment,
                   missing->last_seq - missing->first_seq + 1);
    else if (dir->missing.code == 0)
        cw_err_set(&dir->missing, CW_E_CORRUPT,
                   "the log lacks its newest segments: it ends before frame %" PRIu64
                   ", and frames up to %" PRIu64 " were written",
                   missing->first_seq, missing->last_seq);
}

/* Is a server writing what was the log's end? A file grows page by page as a write to it proceeds. */
static bool log_end_moves(struct cw_data_dir *dir)
{
    const struct timespec pause = {.tv_nsec = LOG_END_PAUSE_NS};
    struct cw_buf path;
    struct stat st;
    bool moves = false;
    cw_buf_init(&path, SIZE_MAX);
    cw_wal_path(cw_buf_z(&dir->wal_dir), dir->log_end.segment, &path);
    for (unsigned i = 0; i < LOG_END_LOOKS && !moves; i++) {
        nanosleep(&pause, NULL);
        moves = stat(cw_buf_z(&path), &st) < 0 || (uint64_t)st.st_size != dir->log_end.bytes;
    }
    cw_buf_fini(&path);
    return moves;
}

static int log_read(struct cw_data_dir *dir, struct cw_err *err)
{
    const struct cw_wal_replay_ops ops = {.ctx = dir,
                                          .data = on_data,
                                          .bad = on_bad,
                                          .bad_segment = on_bad_segment,
                                          .missing = on_missing};
    struct cw_wal_replayed done;
    uint64_t flushed = dir->catalog.wal_flushed;
    dir->head = cw_head_new(flushed);
    dir->replayed_seq = flushed;
    int rc = 0;
    if (cw_file_exists(cw_buf_z(&dir->wal_dir)))
        rc = cw_wal_replay(cw_buf_z(&dir->wal_dir), flushed, &ops, &done, err);
    else if (flushed > 0)
        on_missing(dir, &(struct cw_wal_missing){.first_seq = 1, .last_seq = flushed});
    if (rc == 0 && dir->log_end.segment != 0 && !log_end_moves(dir))
        tell(dir, &dir->log_end.why);
    size_t nparts = dir->snapshot.n;
    if (rc == 0)
        cw_head_add_sources(dir->head, dir->options.tenant, INT64_MIN, &dir->snapshot);
    for (size_t i = nparts; i < dir->snapshot.n; i++) {
        struct cw_source *source = dir->snapshot.sources[i];
        struct cw_delete_place place = {0, cw_head_source_last_seq(source), source->min_ns,
                                        source->max_ns};
        hide(dir->deletes, &place, &dir->snapshot.sources[i]);
    }
    return rc;
}

/* ---- open ---- */

static void forget(struct cw_data_dir *dir)
{
    cw_snapshot_fini(&dir->snapshot);
    dir->snapshot = (struct cw_snapshot){0};
    cw_head_free(&dir->head);
    struct cw_hidden_owner *owner = dir->deletes != NULL ? &dir->deletes->owner : NULL;
    cw_hidden_owner_unref(&owner);
    dir->deletes = NULL;
    cw_catalog_fini(&dir->catalog);
    dir->lost.code = 0;
    dir->missing.code = 0;
    dir->log_end.segment = 0;
}

/* 1: the catalog became another one, so that something may be missing or there twice. */
static int catalog_changed(struct cw_data_dir *dir, struct cw_err *err)
{
    struct cw_catalog now;
    int rc = catalog_read(dir, &now, err);
    if (rc < 0)
        return rc;
    const struct cw_catalog *then = &dir->catalog;
    bool merged = now.n != then->n || now.next_id != then->next_id;
    bool flushed = now.wal_flushed != then->wal_flushed;
    cw_catalog_fini(&now);
    return flushed || (merged && dir->lost.code != 0);
}

/* Deletes first: what is removed meanwhile is hidden where it still is. Then parts, then what the log holds that is in none of
 * them. 1: begin anew. */
static int read_once(struct cw_data_dir *dir, struct cw_err *err)
{
    int rc = deletes_read(dir, err);
    if (rc == 0)
        rc = catalog_read(dir, &dir->catalog, err);
    if (rc < 0)
        return rc;
    rc = parts_open(dir, err);
    if (rc == 0)
        rc = log_read(dir, err);
    struct cw_err why = {0};
    int changed = catalog_changed(dir, &why);
    if (changed > 0)
        return 1; /* that may be why a segment of the log was not there */
    if (rc < 0 || changed < 0)
        return rc < 0 ? rc : cw_err_set(err, changed, "%s", why.text);
    if (dir->missing.code != 0 && ++dir->missing_looks < MISSING_LOOKS) {
        const struct timespec pause = {.tv_nsec = LOG_END_PAUSE_NS};
        nanosleep(&pause, NULL);
        return 1;
    }
    if (dir->missing.code != 0)
        tell(dir, &dir->missing);
    if (dir->lost.code != 0) {
        cw_err_wrap(&dir->lost, "the entries of a part are lost");
        tell(dir, &dir->lost);
    }
    return 0;
}

int cw_data_dir_open(const struct cw_data_dir_options *options, struct cw_data_dir **out,
                     struct cw_err *err)
{
    int rc = cw_catalog_check_format(options->path, err);
    if (rc == CW_E_NOT_FOUND)
        return cw_err_set(err, rc, "%s: no data directory of an ingester", options->path);
    if (rc < 0)
        return rc;
    struct cw_data_dir *dir = cw_mem_new(sizeof *dir);
    dir->options = *options;
    cw_buf_init(&dir->wal_dir, SIZE_MAX);
    cw_buf_addf(&dir->wal_dir, "%s/wal", options->path);
    rc = 1;
    for (unsigned i = 0; rc == 1 && i < TRIES; i++) {
        forget(dir);
        rc = read_once(dir, err);
    }
    if (rc == 1)
        rc = cw_err_set(err, CW_E_UNAVAILABLE, "%s: it changed %d times while it was read",
                        options->path, TRIES);
    if (rc < 0)
        cw_data_dir_close(&dir);
    else
        *out = dir;
    return rc;
}

void cw_data_dir_close(struct cw_data_dir **handle)
{
    struct cw_data_dir *dir = *handle;
    *handle = NULL;
    if (dir == NULL)
        return;
    forget(dir);
    cw_buf_fini(&dir->wal_dir);
    free(dir);
}

const struct cw_snapshot *cw_data_dir_snapshot(const struct cw_data_dir *dir)
{
    return &dir->snapshot;
}
