/*
 * source.h - one log file as a source of entries: its identity on disk and in the protocol, and
 * each output's account.
 *
 * Ownership  A source owns its paths, labels and descriptor. It lives in the table of sources.h; a
 *            batch that names it raises `nbusy`, and it is not removed while that is not 0.
 * Units      Offsets are bytes in the file. *_ns of sightings and entries is wall time.
 */
#ifndef CW_SHIPPER_SOURCE_H
#define CW_SHIPPER_SOURCE_H
#include <stdbool.h>
#include <stdint.h>
#include "common/pipeline/stages.h"
#include "common/wire/push.h"
#include "shipper/ledger.h"
#include "shipper/tail_reader.h"
#include "shipper/tally.h"
#include "shipper/text_encoding.h"

struct cw_stages;

/* When the file was seen to have grown, and to what size: an entry's time is that of the first
 * sighting of its end. A file that waits for a server that is away collects many; then neighbours
 * are joined. */
enum { CW_SIGHTINGS_MAX = 16 };
struct cw_sighting {
    uint64_t size;
    int64_t ts_ns;
};
/* Mostly there is one, and it needs no memory beside: very many files have one for each line. */
struct cw_sightings {
    union {
        struct cw_sighting one; /* its size 0: there is none */
        struct {
            uint64_t size; /* CW_SIGHTINGS_MANY */
            struct cw_sightings_many {
                uint32_t n, cap;
                struct cw_sighting at[]; /* oldest first */
            } * many;                    /* owned */
        };
    };
};
#define CW_SIGHTINGS_MANY UINT64_MAX

void cw_sightings_fini(struct cw_sightings *seen);
/* `size` is not 0. */
void cw_sightings_add(struct cw_sightings *seen, uint64_t size, int64_t now_ns);
/* The largest size that was seen; 0: there is no sighting. */
uint64_t cw_sightings_size(const struct cw_sightings *seen);
/* When the byte before `off` was first seen; `now_ns` when it was not seen yet. */
int64_t cw_sightings_time(const struct cw_sightings *seen, uint64_t off, int64_t now_ns);
/* Forget what is settled. */
void cw_sightings_prune(struct cw_sightings *seen, uint64_t settled);

enum cw_source_format {
    CW_SOURCE_LINES, /* a line is an entry */
    /* json-file of Docker Engine: a line is a JSON object around (a part of) an entry */
    CW_SOURCE_DOCKER,
    CW_SOURCE_DOCKER_LOCAL, /* its driver local: docker_local.h */
    CW_SOURCE_SPOOL,        /* records of a receiver's spool (spool_record.h) */
};
enum { CW_SOURCE_STREAMS = 2 }; /* of a Docker source: stdout, stderr; of another only the first */

static inline unsigned cw_source_format_streams(enum cw_source_format format)
{
    return format == CW_SOURCE_DOCKER || format == CW_SOURCE_DOCKER_LOCAL ? CW_SOURCE_STREAMS : 1;
}

/* What was told of a file since it was last looked at. */
enum cw_touch {
    CW_UNTOUCHED,
    CW_WRITTEN, /* by the kernel: that it was written, and no more */
    CW_TOUCHED
};

struct cw_source {
    /* What each look reads comes first, side by side: with very many files it costs to wait for memory. */
    struct cw_tail tail;
    struct cw_ledger_row *rows; /* one an output */
    uint32_t nrows;
    int watch;             /* inotify's number, -1 none */
    unsigned looked_round; /* of the table's rounds, when it was last looked at */
    enum cw_source_format format : 8;
    enum cw_text_bom bom : 8; /* of this generation, once it was asked for */
    bool durable;             /* id and generation are on disk: it may be pushed */
    bool changed;             /* truncated; until that is dealt with nothing is read */
    enum cw_touch touched : 8;
    bool active; /* in the table's list of those with something to read */
    bool polled; /* in its list of those of which the kernel does not tell */
    bool asleep; /* closed though it is wanted: the kernel tells when it is written */
    bool final;  /* nobody writes it any more: its last line needs no newline */
    bool waited; /* quiet for as long as its stages wait for more lines of an entry */
    bool wanted; /* a target matched it in the last scan */
    bool left;   /* its target is gone */
    bool gone;   /* to be forgotten at the end of the refresh */
    /* Its file is deleted but open, and its identity that of the compressed file with the same text. */
    bool joined;
    /* Its file was empty at a look, and was written since the last scan, perhaps copied and truncated too: that shows nowhere else. */
    bool emptied;
    /* It went on in a copy, or took a log's place: the next scan looks for others that came meanwhile. */
    bool rotated;
    /* Since it was first seen: path_now is another, which a look need not read. */
    bool renamed;
    bool off[CW_SOURCE_STREAMS]; /* lines of this stream are left out, and counted */
    bool counted;                /* the tally changed since the ledger was written */
    bool vanished;    /* its file is nowhere: this scan looks for a compressed one with its text */
    bool unpacked;    /* all of its compressed file was read, and that is closed */
    bool shared_told; /* that a second job would have it */
    bool sought;      /* since its open file was deleted, that was done */
    unsigned nbusy;
    struct cw_stages *stages;       /* what its lines go through; borrowed, NULL: none */
    struct cw_ledger_row first_row; /* `rows`, while there is one output */
    char *path;                     /* where it was first seen */
    char *path_now;                 /* where it was last seen: `path` itself, or another text */
    struct cw_sightings seen;
    int64_t quiet_since_ns; /* monotonic; when its size was last seen to change */
    uint64_t quiet_size;
    struct cw_tally *tally; /* NULL until something is counted: cw_source_tally() */
    /* Stages counted all lines ahead of fed_to, and all entries that begin ahead of emitted_to. */
    uint64_t fed_to, emitted_to;
    uint64_t met_to; /* all tenants whose entries begin ahead of it were met */
    struct cw_id128 id;
    uint64_t generation;
    struct cw_labels
        labels[CW_SOURCE_STREAMS];           /* of lines, ahead of any stage; a heap block each */
    char *tenant;                            /* "": each client's own */
    const struct cw_text_encoding *encoding; /* of its lines; borrowed, NULL: not configured */
    /* What timestamp stages go on from at an offset, where the last cut ended; NULL: it is not known. */
    struct cw_source_times {
        uint64_t at;
        size_t n;
        struct cw_stage_time items[];
    } * times;
    uint64_t durable_offset; /* its position on disk */
    uint32_t durable_prefix_len;
    unsigned
        nunmet; /* scans in a row that have not met its file and do not know whether it is there */
    /* No copy of its present contents is older; 0: they may be from before we started. */
    int64_t since_ns;
    /* A file on its device that a scan found to be a copy of it, and when that was born: inodes are given out again. 0: none */
    uint64_t copy_ino;
    int64_t copy_birth_ns;
    uint64_t unpack_told; /* its size and 1 when its wait was told; 0: it was not */
    int64_t
        checked_ns; /* its file's time of the last change when a scan last looked at its first bytes */
    uint64_t goal;        /* its size when it was opened: how far --once reads */
    uint64_t scan_number; /* the last scan that met it */
};

/* Borrows its sources. */
struct cw_source_list {
    struct cw_source **items;
    size_t n, cap;
};

/* Of a walk over very many that is at `i`: have what each look reads come from memory ahead of it. */
static inline void cw_sources_ahead(struct cw_source *const *items, size_t n, size_t i)
{
    enum { AHEAD = 8, LINE = 64 };
    if (i + AHEAD >= n)
        return;
    const char *source = (const char *)items[i + AHEAD];
    __builtin_prefetch(source);
    __builtin_prefetch(source + LINE);
    __builtin_prefetch(source + 2 * LINE);
}

/* All that is needed to push is given; everything else begins at "nothing". */
struct cw_source *cw_source_new(size_t noutputs, const char *path);
void cw_source_free(struct cw_source **source);
void cw_source_path_now_set(struct cw_source *source, const char *path);
/* Empty: each client's own. */
void cw_source_tenant_set(struct cw_source *source, struct cw_str tenant);
/* What timestamp stages go on from at an offset; false: it is not known. Borrowed until the next change. */
bool cw_source_times(const struct cw_source *source, uint64_t at, struct cw_stage_times *out);
/* Copied. */
void cw_source_times_set(struct cw_source *source, struct cw_stage_times times, uint64_t at);
/* One more output: all that is settled for the others is for it too. */
void cw_source_row_add(struct cw_source *source);
/* It was not known before: an id of its own, in its first generation. */
void cw_source_draw_id(struct cw_source *source);
/* What was held back until there is more is looked at again. */
void cw_source_release(struct cw_source *source);
/* Whether this output may have something to read here now. */
static inline bool cw_source_pending(const struct cw_source *source, size_t output)
{
    const struct cw_ledger_row *row = &source->rows[output];
    return source->tail.fd >= 0 && source->durable && !source->changed && !row->off &&
           source->tail.size > cw_ledger_next(row) && source->tail.size != row->held_size;
}
/* Nobody names it, and every store was told that positions passed its marks. */
bool cw_source_forgettable(const struct cw_source *source);
/* What its first bytes say about its encoding. */
enum cw_text_bom cw_source_bom(struct cw_source *source);
/* What became of its lines, for who counts; made when it is first asked for. */
struct cw_tally *cw_source_tally(struct cw_source *source);
/* A line that ends at `to` was met for the first time. */
void cw_source_count_read(struct cw_source *source, uint64_t to, size_t len);
/* No line that ends at `to` or ahead of it counts any more. */
void cw_source_passed(struct cw_source *source, uint64_t to);
/* Bytes that nobody can read, met for the first time or again. */
void cw_source_count_lost(struct cw_source *source, uint64_t from, uint64_t to, struct cw_str why);
/* Of a compressed file: its tally, if there is one, knows how much of it is unpacked. */
void cw_source_text_note(struct cw_source *source);
/* The smallest settled offset. */
uint64_t cw_source_position(const struct cw_source *source);
/* Renamed since it was first seen, or gone on in a copy. */
bool cw_source_rotated(const struct cw_source *source);
/* Its file was truncated if it is shorter than this: what was read of it. Of a rotated one 0: a copy
 * that was made for a truncation may hold less than what was read before that. */
uint64_t cw_source_least_size(const struct cw_source *source);
/* Move every output's account to `offset` (a position from disk, a start at the end). */
void cw_source_seek(struct cw_source *source, uint64_t offset);
/* Begin the next generation: the file has other contents. `durable` falls until it is on disk. */
void cw_source_raise(struct cw_source *source);
/* Record the size that was just looked at. */
void cw_source_sight(struct cw_source *source, int64_t now_ns, int64_t now_mono_ns);

#endif
