/*
 * id_map.h - numbers for 128-bit ids in order of their first appearance: 0, 1, 2, ... The ids are hashes of what they name
 * (labels, names), so that a set of either needs nothing else.
 *
 * Threads    One at a time; looking up only: any, while nobody adds.
 */
#ifndef CW_BASE_ID_MAP_H
#define CW_BASE_ID_MAP_H
#include <stdbool.h>
#include <stddef.h>
#include "common/base/hash.h"

struct cw_id_map {
    struct cw_hash128 *ids; /* by number */
    size_t n, cap;
    size_t *slots; /* number + 1; 0 is free. A power of two, at most half full. */
    size_t nslots;
};

/* What one more id costs at most: its share of arrays that double. */
enum { CW_ID_MAP_ENTRY_BYTES = 2 * (sizeof(struct cw_hash128) + 2 * sizeof(size_t)) };

void cw_id_map_init(struct cw_id_map *map);
void cw_id_map_fini(struct cw_id_map *map);
/* The number of the id; *added tells whether it is new. */
size_t cw_id_map_put(struct cw_id_map *map, struct cw_hash128 id, bool *added);
/* Its number; false when it has none. */
bool cw_id_map_find(const struct cw_id_map *map, struct cw_hash128 id, size_t *out);

#endif
