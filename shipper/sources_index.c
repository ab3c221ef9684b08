/*
 * sources_index.c - sources.c, the part that finds a source by its inode or by a path.
 *
 * Both are open addressing over pointers, made anew when sources go. A source may be met where it is
 * no longer: by path whoever looks compares.
 */
#include <stdlib.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/hash.h"
#include "shipper/sources_priv.h"

static void put(struct cw_source **index, size_t size, uint64_t hash, struct cw_source *source)
{
    size_t at = hash & (size - 1);
    while (index[at] != NULL)
        at = (at + 1) & (size - 1);
    index[at] = source;
}

static uint64_t inode_hash(uint64_t ino)
{
    return cw_hash64(&ino, sizeof ino);
}

static uint64_t path_hash(const char *path)
{
    return cw_hash64(path, strlen(path));
}

static void paths_put(struct cw_sources *sources, struct cw_source *source)
{
    put(sources->by_path, sources->by_path_size, path_hash(source->path), source);
    if (source->path_now != source->path)
        put(sources->by_path, sources->by_path_size, path_hash(source->path_now), source);
    sources->npaths += 2;
}

void cw_sources_index_build(struct cw_sources *sources)
{
    size_t size = 64;
    while (size < 2 * sources->cap)
        size *= 2;
    free(sources->index);
    free(sources->by_path);
    sources->index = cw_mem_array(size, sizeof *sources->index);
    sources->index_size = size;
    sources->nindexed = sources->n;
    sources->by_path = NULL; /* made when it is asked for */
    for (size_t i = 0; i < sources->n; i++)
        put(sources->index, size, inode_hash(sources->items[i]->tail.identity.ino),
            sources->items[i]);
}

void cw_sources_index_put(struct cw_sources *sources, struct cw_source *source)
{
    cw_sources_index_reidentified(sources, source);
    cw_sources_index_moved(sources, source);
}

void cw_sources_index_reidentified(struct cw_sources *sources, struct cw_source *source)
{
    if (sources->index == NULL)
        return;
    if (4 * ++sources->nindexed > 3 * sources->index_size)
        cw_sources_index_build(sources);
    else
        put(sources->index, sources->index_size, inode_hash(source->tail.identity.ino), source);
}

void cw_sources_index_moved(struct cw_sources *sources, struct cw_source *source)
{
    if (sources->by_path != NULL)
        paths_put(sources, source);
    if (4 * sources->npaths > 3 * sources->by_path_size) {
        free(sources->by_path);
        sources->by_path = NULL;
    }
}

struct cw_source *cw_sources_index_next(const struct cw_sources *sources, uint64_t ino, size_t *at)
{
    size_t mask = sources->index_size - 1;
    *at = *at == SIZE_MAX ? inode_hash(ino) & mask : (*at + 1) & mask;
    for (; sources->index[*at] != NULL; *at = (*at + 1) & mask)
        if (sources->index[*at]->tail.identity.ino == ino)
            return sources->index[*at];
    return NULL;
}

struct cw_source *cw_sources_path_next(struct cw_sources *sources, const char *path, size_t *at)
{
    if (sources->by_path == NULL) {
        size_t size = 64;
        while (size < 4 * sources->cap)
            size *= 2;
        sources->by_path = cw_mem_array(size, sizeof *sources->by_path);
        sources->by_path_size = size;
        sources->npaths = 0;
        for (size_t i = 0; i < sources->n; i++)
            paths_put(sources, sources->items[i]);
    }
    size_t mask = sources->by_path_size - 1;
    *at = *at == SIZE_MAX ? path_hash(path) & mask : (*at + 1) & mask;
    for (; sources->by_path[*at] != NULL; *at = (*at + 1) & mask) {
        struct cw_source *source = sources->by_path[*at];
        if (strcmp(source->path, path) == 0 || strcmp(source->path_now, path) == 0)
            return source;
    }
    return NULL;
}
