/*
 * sources_index.c - sources.c, the part that finds a source by its inode or by a path.
 *
 * Both are open addressing over pointers, made anew when sources go. A source may be met where it is
 * no longer: by path whoever looks compares.
 */
#include <ctype.h>
#include <stdlib.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/hash.h"
#include "shipper/sources_priv.h"

/* A numbered generation moves on: app.log.1 becomes app.log.2.gz. So a file that was first met as one is found as its log's too; up to
 * this many digits, as a folder may have thousands of files with numbers, which are no one's generations. */
enum { NUMBER_DIGITS_MAX = 2 };

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

static uint64_t path_hash(struct cw_str path)
{
    return cw_hash64(path.ptr, path.len);
}

/* The log's path of a numbered generation's; empty: it is none by its name. */
static struct cw_str numbered_log(const char *path)
{
    size_t len = strlen(path), ndigits = 0;
    while (ndigits < len && isdigit((unsigned char)path[len - ndigits - 1]))
        ndigits++;
    bool is_numbered = ndigits > 0 && ndigits <= NUMBER_DIGITS_MAX && len > ndigits + 1 &&
                       path[len - ndigits - 1] == '.' && path[len - ndigits - 2] != '/';
    return is_numbered ? cw_str_make(path, len - ndigits - 1) : CW_STR_NONE;
}

static void path_put(struct cw_sources *sources, struct cw_str path, struct cw_source *source)
{
    put(sources->by_path, sources->by_path_size, path_hash(path), source);
    sources->npaths++;
}

/* False: there is no room; the index is to be made anew. */
static bool paths_put(struct cw_sources *sources, struct cw_source *source)
{
    struct cw_str log = numbered_log(source->path);
    if (4 * (sources->npaths + 3) > 3 * sources->by_path_size)
        return false;
    path_put(sources, cw_str_of(source->path), source);
    if (source->path_now != source->path)
        path_put(sources, cw_str_of(source->path_now), source);
    if (log.len > 0)
        path_put(sources, log, source);
    return true;
}

static void paths_drop(struct cw_sources *sources)
{
    free(sources->by_path);
    sources->by_path = NULL;
}

static bool paths_build(struct cw_sources *sources, size_t size)
{
    sources->by_path = cw_mem_array(size, sizeof *sources->by_path);
    sources->by_path_size = size;
    sources->npaths = 0;
    for (size_t i = 0; i < sources->n; i++)
        if (!paths_put(sources, sources->items[i])) {
            paths_drop(sources);
            return false;
        }
    return true;
}

void cw_sources_index_build(struct cw_sources *sources)
{
    size_t size = 64;
    while (size < 2 * sources->cap)
        size *= 2;
    free(sources->index);
    paths_drop(sources); /* made when it is asked for */
    sources->index = cw_mem_array(size, sizeof *sources->index);
    sources->index_size = size;
    sources->nindexed = sources->n;
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
    if (sources->by_path != NULL && !paths_put(sources, source))
        paths_drop(sources);
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
    for (size_t size = 64; sources->by_path == NULL; size *= 2)
        if (size >= 2 * sources->n)
            (void)paths_build(sources, size);
    size_t mask = sources->by_path_size - 1;
    *at = *at == SIZE_MAX ? path_hash(cw_str_of(path)) & mask : (*at + 1) & mask;
    for (; sources->by_path[*at] != NULL; *at = (*at + 1) & mask) {
        struct cw_source *source = sources->by_path[*at];
        if (strcmp(source->path, path) == 0 || strcmp(source->path_now, path) == 0 ||
            cw_str_eqz(numbered_log(source->path), path))
            return source;
    }
    return NULL;
}
