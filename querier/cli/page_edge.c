#include "querier/cli/page_edge.h"

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/hash.h"

void cw_page_edge_fini(struct cw_page_edge *edge)
{
    free(edge->hashes);
    *edge = (struct cw_page_edge){0};
}

void cw_page_edge_turn(struct cw_page_edge *edge)
{
    edge->nagain = 0;
    edge->nold = edge->n;
}

/* The order mostly stays, so the one that is looked for stands in front. */
static bool seen_before(struct cw_page_edge *edge, uint64_t hash)
{
    for (size_t i = edge->nagain; i < edge->nold; i++) {
        if (edge->hashes[i] != hash)
            continue;
        edge->hashes[i] = edge->hashes[edge->nagain];
        edge->hashes[edge->nagain++] = hash;
        return true;
    }
    return false;
}

bool cw_page_edge_take(struct cw_page_edge *edge, int64_t ts_ns, struct cw_labels labels,
                       struct cw_str line)
{
    uint64_t both[] = {cw_labels_hash(labels).lo, cw_hash64(line.ptr, line.len)};
    uint64_t hash = cw_hash64(both, sizeof both);
    if (edge->n > 0 && ts_ns != edge->ts_ns)
        edge->nagain = edge->nold = edge->n = 0;
    else if (seen_before(edge, hash))
        return false;
    if (edge->n == edge->cap) {
        edge->cap = edge->cap > 0 ? 2 * edge->cap : 64;
        edge->hashes = cw_mem_resize(edge->hashes, edge->cap * sizeof *edge->hashes);
    }
    edge->ts_ns = ts_ns;
    edge->hashes[edge->n++] = hash;
    return true;
}
