/*
 * printed.h - which entries a tail has printed, so that none is printed again by another road: the server's live tail, and
 * queries for what was missed while there was none.
 *
 * Each road is a source that gives an entry as often as it is stored. An entry is new when its source has given it more often than
 * it was printed: so two that are alike are both printed, and once each.
 *
 * Memory     The CW_PRINTED_MAX latest; _resume() knows what is remembered no more.
 */
#ifndef CW_CLI_PRINTED_H
#define CW_CLI_PRINTED_H
#include "common/labels/labels.h"

enum { CW_PRINTED_MAX = 1 << 16 };

struct cw_printed;
struct cw_printed *cw_printed_new(void);
void cw_printed_free(struct cw_printed **printed);
/* Another source begins. */
void cw_printed_source(struct cw_printed *printed);
/* The source gives an entry: true when it is to be printed. */
bool cw_printed_take(struct cw_printed *printed, int64_t ts_ns, struct cw_labels labels,
                     struct cw_str line);
/* Where a new source is to begin, so that entries are found which came up to back_ns late: false when nothing was printed. */
bool cw_printed_resume(const struct cw_printed *printed, int64_t back_ns, int64_t *start_ns_out);

#endif
