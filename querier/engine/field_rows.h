/*
 * field_rows.h - run a pipeline on rows of a block of templates by the values of their slots, without their lines.
 *
 * For a pipeline with a cw_pipeline_parser(). Of each template it is found out once where the labels come from that are needed: what
 * the parser takes from the template's sample (template_syntax.h) is text, slots, or text with slots in it. Then rows of which
 * all small values are the same, and all answers to comparisons with numbers, come to the same end: the pipeline runs for the first of them
 * only. Where values are of too many kinds it runs for each row, on labels that nobody parsed.
 *
 * Certain    Where it is not certain that the line would give the same labels, the row is CW_FIELD_ROW_LINE: it is to be parsed.
 * Memory     16 bytes an end, at most 4 MiB, and 16 MiB where the names of streams change again and again; what slot_source.h takes, and
 *            the lines of a batch. All of it is from the allowance, as of each batch.
 * Ownership  Borrows the pipeline's run, and a block until the next _forget().
 * Threads    One.
 * Errors     As pipeline.h; CW_E_CORRUPT: a value that cannot be, the block is bad; CW_E_LIMIT, CW_E_OVERLOAD of the allowance.
 */
#ifndef CW_ENGINE_FIELD_ROWS_H
#define CW_ENGINE_FIELD_ROWS_H
#include "common/store/cursor.h"
#include "querier/engine/pipeline.h"
#include "querier/engine/sample.h"

/* What a row comes to: what `settle` said, or one of these. */
#define CW_FIELD_ROW_GONE UINT32_MAX
#define CW_FIELD_ROW_LINE (UINT32_MAX - 1)
struct cw_field_row {
    uint32_t end;
    double value; /* unwrapped */
};

struct cw_field_rows;

/* An entry stays, and all of it stands in the run: which end is that? Below CW_FIELD_ROW_LINE. */
typedef int (*cw_field_settle_fn)(void *arg, uint32_t *end_out, struct cw_err *err);

/* `grouping` is what the pipeline was made with. */
struct cw_field_rows *cw_field_rows_new(const struct cw_expr *expr,
                                        const struct cw_grouping *grouping,
                                        struct cw_pipeline_run *run, cw_field_settle_fn settle,
                                        void *arg, struct cw_allowance *allowance);
void cw_field_rows_free(struct cw_field_rows **rows);
/* Batches that follow are of another cursor, which counts in `stats` (may be NULL): so do lines that are rebuilt here. */
void cw_field_rows_forget(struct cw_field_rows *rows, struct cw_scan_stats *stats);
/* Rows of the batch follow; it has templates. */
int cw_field_rows_begin(struct cw_field_rows *rows, const struct cw_entry_batch *batch,
                        struct cw_err *err) CW_MUST_USE;
int cw_field_rows_row(struct cw_field_rows *rows, size_t i, struct cw_field_row *out,
                      struct cw_err *err) CW_MUST_USE;
/* The lines of those rows of the batch of which ends[i].end is CW_FIELD_ROW_LINE; lines_out[i], borrowed until the next call. */
int cw_field_rows_lines(struct cw_field_rows *rows, const struct cw_field_row *ends,
                        struct cw_str *lines_out, struct cw_err *err) CW_MUST_USE;

#endif
