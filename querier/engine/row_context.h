/*
 * row_context.h - what a row has beside its line that its labels come from: those of its stream, and those of its metadata that
 * the query reads. Most rows of a stream have one of a few: who notes what rows come to notes it by context.
 *
 * Numbers    A context's number is its place among those of the stream. Contexts with the same names (of stream and metadata) have
 *            one number of names, which is never another's, and one slot, which is another's once the stream's names change.
 * Memory     Copies of names and of at most CW_ROW_CONTEXTS_MAX - 1 rows' metadata of a stream; what streams before left is kept up
 *            to 1 MiB.
 * Ownership  Borrows hints and stage; a stream's labels and metadata until the next batch. A context dies with the next find.
 * Threads    One.
 */
#ifndef CW_ENGINE_ROW_CONTEXT_H
#define CW_ENGINE_ROW_CONTEXT_H
#include "common/extract/label_builder.h"
#include "common/logql/ast.h"
#include "common/store/cursor.h"

enum {
    CW_ROW_CONTEXTS_MAX = 64,
    CW_ROW_NAMES_MAX = 8,
    CW_ROW_CONTEXT_OTHER = UINT32_MAX, /* number of those that are too many */
};

struct cw_row_context {
    struct cw_labels metadata; /* that the query reads */
    uint32_t number;
    uint32_t names; /* from 1 */
    uint32_t slot;  /* below CW_ROW_NAMES_MAX */
};

struct cw_row_contexts;

/* The hints name labels; the parser stage is the one that takes the others from lines. Both are borrowed. */
struct cw_row_contexts *cw_row_contexts_new(const struct cw_label_hints *hints,
                                            const struct cw_stage *parser);
void cw_row_contexts_free(struct cw_row_contexts **contexts);
/* Memory that it holds. */
size_t cw_row_contexts_bytes(const struct cw_row_contexts *contexts);

enum cw_row_stream {
    CW_ROW_STREAM_SAME,
    CW_ROW_STREAM_NEW,   /* numbers of contexts begin anew ... */
    CW_ROW_STREAM_NAMES, /* ... and slots too: it has other names than the one before */
};
/* Rows of the batch follow. */
enum cw_row_stream cw_row_contexts_begin(struct cw_row_contexts *contexts,
                                         const struct cw_entry_batch *batch);
/* Of a row with this metadata (of the batch). NULL: its labels are not foreseen (errors are metadata, or there are too
 * many names, or a label that nobody reads changes where the parser ends). */
const struct cw_row_context *cw_row_contexts_find(struct cw_row_contexts *contexts,
                                                  const struct cw_labels *metadata);

#endif
