/*
 * extract_logfmt.h - LogQL's `| logfmt`: key=value pairs of a line as labels.
 *
 * A pair that is broken is passed over; with `strict` it ends the parse with LogfmtParserErr. Keys without a value, and with
 * an empty one, count only with `keep_empty`.
 *
 * Ownership  Labels borrow from line and builder, the expressions from the caller.
 */
#ifndef CW_EXTRACT_EXTRACT_LOGFMT_H
#define CW_EXTRACT_EXTRACT_LOGFMT_H
#include <stdbool.h>
#include "common/extract/label_builder.h"

struct cw_logfmt_expression {
    struct cw_str name; /* of the label */
    struct cw_str key;  /* what a cleaned key of the line is to be; empty: none is */
};
struct cw_logfmt_options {
    bool strict, keep_empty;
};

/* The pairs of a line, one by one. */
struct cw_logfmt_pairs {
    struct cw_str line;
    size_t at;
    struct cw_str key, value;
    struct cw_arena *arena; /* values that held escapes */
    const char *fault;      /* of the first pair that was broken; NULL: none */
    char unexpected;        /* the byte, when the fault is one */
    size_t fault_at;
};
/* False: the pair is broken, or (at == line.len and no fault) there is none. */
bool cw_logfmt_next(struct cw_logfmt_pairs *pairs);

void cw_extract_logfmt(struct cw_str line, struct cw_logfmt_options options,
                       struct cw_label_builder *builder);
/*
 * The names are distinct. Each label is set, empty at first, also where an earlier stage had set it. Then each pair of the line is
 * written to the labels that ask for its cleaned key, or else to the label of this name, so that the last one wins. Not read
 * are keys that an earlier stage made a label of, and what stands behind the second value for a label that is called "_extracted".
 * A value that is not all text is empty.
 */
void cw_extract_logfmt_keys(struct cw_str line, struct cw_logfmt_options options,
                            const struct cw_logfmt_expression *expressions, size_t n,
                            struct cw_label_builder *builder);

#endif
