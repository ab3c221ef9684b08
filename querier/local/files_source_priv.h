/*
 * files_source_priv.h - files_source.c and files_cursor.c: what is known of each file and chunk.
 */
#ifndef CW_LOCAL_FILES_SOURCE_PRIV_H
#define CW_LOCAL_FILES_SOURCE_PRIV_H
#include <pthread.h>
#include <stdatomic.h>
#include "common/base/buf.h"
#include "querier/local/files_source.h"
#include "querier/local/line_time.h"
#include "querier/local/log_file.h"

enum chunk_bounds { BOUNDS_UNKNOWN, BOUNDS_KNOWN, BOUNDS_EMPTY };

struct files_chunk {
    atomic_int bounds;                  /* enum chunk_bounds */
    atomic_int_fast64_t min_ns, max_ns; /* of its lines, inclusive; once they are known */
    atomic_bool carried;
    atomic_int_fast64_t carry_ns; /* of the line before it; once `carried` */
    atomic_bool was_read;         /* with a filter, so that the bounds were not learnt */
};

struct files_file {
    struct cw_log_file *log;
    struct cw_stream_ref stream;
    struct cw_line_time time; /* read-only once it has learnt: each cursor has one like it */
    struct files_chunk *chunks;
    size_t nchunks;
    atomic_bool told_long;
};

struct files_source {
    struct cw_source base;
    struct cw_arena *arena; /* labels */
    struct files_file *files;
    size_t n;
    void (*bad)(void *ctx, const struct cw_err *why);
    void *ctx;
    pthread_mutex_t lock;    /* one call of `bad` at a time; guards `idle` */
    struct files_room *idle; /* memory that the next cursor takes */
    atomic_bool is_bad;
    atomic_size_t spool_room;
};

enum { FILES_BATCH_ROWS = 1024 };

struct files_row {
    int64_t ts_ns;
    struct cw_str line;
};

/* What a cursor works with. */
struct files_room {
    struct files_room *next;
    struct cw_buf text;
    struct files_row *rows; /* of the chunk that are wanted */
    size_t n, cap;
    int64_t ts_ns[FILES_BATCH_ROWS];
    struct cw_str lines[FILES_BATCH_ROWS];
    uint32_t sizes[FILES_BATCH_ROWS];
};

void files_tell(struct files_source *source, const struct cw_err *why);
struct files_room *files_room_take(struct files_source *source);
void files_room_give(struct files_source *source, struct files_room *room);
/* May lines of it have times of the range? */
bool files_chunk_touches(const struct files_chunk *chunk, int64_t start_ns, int64_t end_ns);
int files_cursor_open(struct files_source *source, struct files_file *file, size_t chunk,
                      const struct cw_scan *scan, struct cw_cursor **out, struct cw_err *err);
/* Read the chunk for its bounds; one that cannot be read is told, and has no lines. */
void files_chunk_learn(struct files_source *source, struct files_file *file, size_t chunk);

#endif
