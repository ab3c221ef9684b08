/*
 * page_edge.h - which entries stand where two pages of an answer meet: all of one time, so that the next page, which
 * begins with that time again, repeats none and loses none, in whatever order the server gives them.
 */
#ifndef CW_CLI_PAGE_EDGE_H
#define CW_CLI_PAGE_EDGE_H
#include "common/labels/labels.h"

struct cw_page_edge {
    int64_t ts_ns;    /* of the last entry that was taken; means nothing while n is 0 */
    uint64_t *hashes; /* of the entries of that time: [0, nagain) this page has given again, */
    size_t nagain;    /* [nagain, nold) are awaited again, */
    size_t nold;      /* [nold, n) are of this page */
    size_t n, cap;
};

/* Begins zeroed; this frees what it holds. */
void cw_page_edge_fini(struct cw_page_edge *edge);
/* A page begins. */
void cw_page_edge_turn(struct cw_page_edge *edge);
/* The page's next entry: true when it is new, false when an earlier page had it. */
bool cw_page_edge_take(struct cw_page_edge *edge, int64_t ts_ns, struct cw_labels labels,
                       struct cw_str line);

#endif
