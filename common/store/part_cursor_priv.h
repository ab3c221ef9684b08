/*
 * part_cursor_priv.h - what the cursor of a block and the two ways to walk a block's rows share: pieces of a plain block are
 * decompressed (walk_plain.c), those of a block of templates rebuilt (walk_templates.c).
 *
 * The cursor finds the runs of wanted rows, hands out what stays of each piece, and knows nothing of text. A walk says which rows are the
 * next piece and what stays of them.
 */
#ifndef CW_STORE_PART_CURSOR_PRIV_H
#define CW_STORE_PART_CURSOR_PRIV_H
#include <stdbool.h>
#include "common/base/assert.h"
#include "common/base/buf.h"
#include "common/store/kept_lines.h"
#include "common/store/kept_times.h"
#include "common/store/meta_reader.h"
#include "common/store/part_source_priv.h"
#include "common/store/row_bits.h"
#include "common/store/template_block.h"
#include "common/store/text_grams.h"
#include "common/store/value_rows.h"

/* The buffers of a cursor: larger than malloc likes to recycle, so each thread keeps one set. */
struct cw_part_workspace {
    struct cw_block block;
    int64_t times[CW_BLOCK_ROWS_MAX], scratch[CW_BLOCK_ROWS_MAX], stream_rows[CW_BLOCK_ROWS_MAX];
    struct cw_part_run runs[CW_BLOCK_ROWS_MAX]; /* of wanted rows */
    uint32_t sizes[CW_BLOCK_ROWS_MAX];          /* of lines, where they are wanted */
    /* a piece: its lines (row i is text[offsets[i], offsets[i + 1])) and which of its rows stay */
    const char *text;
    uint32_t offsets[CW_PIECE_ROWS_MAX + 1];
    uint64_t keep[CW_PIECE_ROWS_MAX / 64 + 1];
    /* a batch */
    int64_t out_times[CW_PIECE_ROWS_MAX];
    uint32_t out_sizes[CW_PIECE_ROWS_MAX];
    struct cw_str out_lines[CW_PIECE_ROWS_MAX];
    struct cw_labels out_metadata[CW_PIECE_ROWS_MAX];
    uint32_t out_rows[CW_PIECE_ROWS_MAX];
    struct cw_label *labels; /* pairs of the batch's metadata */
    size_t labels_cap;
    char *meta;
    size_t meta_cap;
    struct cw_meta_memory *meta_memory; /* NULL: no block had values that need it yet */
    /* plain blocks */
    char *plain;
    size_t plain_cap;
    /* blocks of templates */
    struct cw_template_block *templates; /* NULL: none was read yet */
    struct cw_value_rows values;         /* of it, where those are wanted */
    struct cw_buf lines;
    struct cw_lines_gathered gathered; /* of the block's, to be kept */
    uint64_t left[CW_BLOCK_ROWS_MAX /
                  64]; /* rows of the block that filters leave, as far as they were decided ... */
    uint64_t unsure[CW_BLOCK_ROWS_MAX / 64];  /* ... and which of them must be tested as lines */
    uint64_t rebuild[CW_BLOCK_ROWS_MAX / 64]; /* rows of the piece */
    uint64_t passing[CW_BLOCK_ROWS_MAX / 64]; /* rows that filters of metadata keep */
};

struct cw_part_cursor {
    struct cw_cursor base; /* first */
    struct cw_part_source *source;
    const struct cw_scan *scan;
    const struct cw_part_walk *walk;
    unsigned need; /* enum cw_need: the scan's; of a plain block lines in place of templates */
    uint32_t block_index;
    struct cw_part_workspace *w; /* NULL: nothing is wanted of this block, or it is bad */
    uint32_t rows, raw_bytes;    /* of the block */
    bool is_open;                /* the block: its pages were touched */
    bool has_metadata;           /* any row of it */
    bool reported;
    bool was_lost;  /* a page of the part, when the cursor was opened: its plan has reported that */
    bool ruled_out; /* by grams or metadata: no row is handed out */
    bool has_passing;     /* filters of metadata keep those rows of the workspace alone */
    const int64_t *times; /* of the block's rows; NULL: not decoded yet */
    struct cw_kept_times *kept_times; /* where they lie; NULL: in the workspace */
    struct cw_text_grams *grams;      /* of TEXT, where filters ask for them; NULL: not kept */
    struct cw_meta_reader *meta;      /* NULL: not wanted, no row has any, or not opened yet */
    struct cw_stream_pin pin;         /* labels of the batch's stream */
    uint32_t nruns;
    int64_t start_ns,
        end_ns; /* of the scan, without what retention hides, and as the cut was last */
    /* Where it stands. Pieces and runs are walked forward, or backward when newest_first. */
    uint32_t npieces_done, nrows_done; /* the walk's ... */
    uint32_t nrows_walked;             /* ... of which that many were of pieces, ... */
    uint32_t nruns_passed;             /* ... and runs that lie behind it whole */
    bool matched;                      /* templates: the filters were asked */
    bool as_values;                    /* templates: rows are handed out so */
    bool opened;                       /* templates: the block's are being read */
    struct cw_kept_lines *kept_lines;  /* templates: of the block; NULL: none */
    bool kept_piece;                   /* templates: the piece's wanted rows are all among them */
    bool in_piece;
    bool meta_read;              /* metadata of the piece's rows */
    uint32_t first_row, nrows;   /* of the piece that is under way, and ... */
    uint32_t run_first, run_end; /* ... the runs with rows in it, and ... */
    uint32_t nruns_done;         /* ... how many of them were walked */
};

struct cw_part_walk {
    /* Decode what is needed of the block beside its pieces. An error is the block's. */
    int (*prepare)(struct cw_part_cursor *c, struct cw_err *err);
    /* Put the next piece's place into first_row and nrows; false: there is none. */
    bool (*next)(struct cw_part_cursor *c);
    /*
     * w->keep has the wanted rows of the piece (from the first to before the last + 1: [from, to), counted in the piece): clear what the filters
     * drop, and set text, offsets and sizes as far as they are needed. CW_E_CORRUPT is the block's error, the piece is left out then;
     * others end the scan.
     */
    int (*filter)(struct cw_part_cursor *c, uint32_t from, uint32_t to, struct cw_err *err);
    /* No more pieces are asked for. NULL: nothing is to be done. */
    void (*end)(struct cw_part_cursor *c);
};
extern const struct cw_part_walk cw_walk_plain, cw_walk_templates;

static inline bool cw_part_wants_lines(const struct cw_part_cursor *c)
{
    return (c->need & CW_NEED_LINES) != 0;
}
static inline bool cw_part_wants_text(const struct cw_part_cursor *c)
{
    return c->scan->nfilters > 0 || cw_part_wants_lines(c);
}
/* Of a block of templates, in place of lines. */
static inline bool cw_part_takes_values(const struct cw_part_cursor *c)
{
    return (c->need & CW_NEED_VALUES) != 0 && c->scan->nfilters == 0 && !c->scan->newest_first;
}

/* Who asks for the newest entries, or the oldest, comes to the same few blocks again and again. */
static inline bool cw_part_keeps_rows(const struct cw_scan *scan)
{
    return scan->keep_decoded && scan->cut_ns != NULL && scan->nfilters == 0;
}
/* Metadata that the block does have. */
static inline bool cw_part_wants_metadata(const struct cw_part_cursor *c)
{
    return (c->need & CW_NEED_METADATA) != 0 && c->has_metadata;
}
/* The lines of a few rows, too, with all of their metadata. */
static inline bool cw_part_keeps_lines(const struct cw_part_cursor *c)
{
    bool whole = !c->has_metadata || cw_part_wants_metadata(c);
    return cw_part_keeps_rows(c->scan) && cw_part_wants_lines(c) && whole &&
           (c->need & (CW_NEED_VALUES | CW_NEED_TEMPLATES)) == 0;
}
static inline bool cw_part_wants_sizes(const struct cw_part_cursor *c)
{
    return (c->need & (CW_NEED_SIZES | CW_NEED_LINES)) != 0;
}
static inline bool cw_part_wants_templates(const struct cw_part_cursor *c)
{
    return (c->need & CW_NEED_TEMPLATES) != 0;
}
static inline void cw_part_count(atomic_uint_fast64_t *counter, uint64_t n)
{
    if (n > 0)
        atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}
/* What cw_part_cache_fetch() returned for a place. */
static inline void cw_part_count_cache(struct cw_scan_stats *stats, struct cw_cache_place place,
                                       int rc)
{
    if (stats != NULL && place.cache != NULL && rc >= 0)
        cw_part_count(rc > 0 ? &stats->cache_hits : &stats->cache_misses, 1);
}
/* Grams that are kept say that no row passes the filters: nothing is left to be read, and `rows` wanted ones are counted so. */
bool cw_part_ruled_out(struct cw_part_cursor *c, uint32_t rows);
/* Find the block's sections, if that was not done yet: what was kept of it may be all that is needed. */
int cw_part_block_open(struct cw_part_cursor *c, struct cw_err *err);
/* Read the metadata of the piece's rows in `keep`, of which there will be no more, if it is wanted. */
int cw_part_meta_read(struct cw_part_cursor *c, struct cw_err *err);
/* The row's, in memory of the workspace, until it is asked for that of other rows; none where it is not wanted. */
struct cw_labels cw_part_row_metadata(struct cw_part_cursor *c, uint32_t row);
/* Memory for `want` bytes whose content does not matter. */
char *cw_part_room(char **buffer, size_t *cap, size_t want);

#endif
