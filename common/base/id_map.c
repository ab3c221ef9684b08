#include "common/base/id_map.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"

void cw_id_map_init(struct cw_id_map *map)
{
    memset(map, 0, sizeof *map);
}

void cw_id_map_fini(struct cw_id_map *map)
{
    free(map->ids);
    free(map->slots);
    memset(map, 0, sizeof *map);
}

static size_t find_slot(const struct cw_id_map *map, struct cw_hash128 id)
{
    size_t slot = id.lo & (map->nslots - 1);
    while (map->slots[slot] != 0 && !cw_hash128_eq(map->ids[map->slots[slot] - 1], id))
        slot = (slot + 1) & (map->nslots - 1);
    return slot;
}

static void grow(struct cw_id_map *map)
{
    map->cap = map->cap > 0 ? map->cap * 2 : 32;
    map->ids = cw_mem_resize(map->ids, map->cap * sizeof *map->ids);
    free(map->slots);
    map->nslots = map->cap * 2;
    map->slots = cw_mem_array(map->nslots, sizeof *map->slots);
    for (size_t i = 0; i < map->n; i++)
        map->slots[find_slot(map, map->ids[i])] = i + 1;
}

size_t cw_id_map_put(struct cw_id_map *map, struct cw_hash128 id, bool *added)
{
    if (map->n == map->cap)
        grow(map);
    size_t slot = find_slot(map, id);
    *added = map->slots[slot] == 0;
    if (*added) {
        map->ids[map->n] = id;
        map->slots[slot] = ++map->n;
    }
    return map->slots[slot] - 1;
}

bool cw_id_map_find(const struct cw_id_map *map, struct cw_hash128 id, size_t *out)
{
    size_t found = map->nslots > 0 ? map->slots[find_slot(map, id)] : 0;
    if (found == 0)
        return false;
    *out = found - 1;
    return true;
}
