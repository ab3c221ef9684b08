#include "common/base/arena.h"

#include <stdarg.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/assert.h"

enum {
    ARENA_ALIGN = 16,
    ARENA_FIRST_BYTES = 4096,       /* a small request fits the first block */
    ARENA_MAX_STEP_BYTES = 1 << 20, /* blocks double up to here; larger ones are made to measure */
    ARENA_KEEP_BYTES = 512 << 10    /* who bounds what an arena holds does so above this */
};

struct arena_block {
    struct arena_block *next;
    size_t cap; /* of the bytes behind the header */
    alignas(ARENA_ALIGN) char bytes[];
};

struct cw_arena {
    struct arena_block *blocks; /* the first one is being filled */
    size_t used;                /* in it */
    size_t nbytes;              /* all blocks with their headers */
    cw_arena_take_fn take;      /* NULL: nobody watches */
    void *take_ctx;
    int refused;
};

struct cw_arena *cw_arena_new(void)
{
    return cw_mem_new(sizeof(struct cw_arena));
}

static void blocks_free(struct arena_block *block)
{
    while (block != NULL) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
}

static struct arena_block *block_new(size_t cap, struct arena_block *next)
{
    struct arena_block *block = malloc(sizeof *block + cap);
    CW_ASSERT(block != NULL);
    block->cap = cap;
    block->next = next;
    return block;
}

void cw_arena_free(struct cw_arena **arena)
{
    if (*arena == NULL)
        return;
    blocks_free((*arena)->blocks);
    free(*arena);
    *arena = NULL;
}

/* Of several the oldest: it was filled, and the system has given its pages. */
static struct arena_block *largest_take(struct cw_arena *arena)
{
    struct arena_block **largest = &arena->blocks;
    for (struct arena_block **at = &arena->blocks; *at != NULL; at = &(*at)->next)
        if ((*at)->cap >= (*largest)->cap)
            largest = at;
    struct arena_block *block = *largest;
    *largest = block->next;
    block->next = NULL;
    return block;
}

void cw_arena_reset(struct cw_arena *arena)
{
    if (arena->blocks == NULL)
        return;
    /* What the next round fits, or who asks for as much each time would have the smaller blocks made anew each time. */
    size_t room = CW_MIN(arena->nbytes, (size_t)ARENA_KEEP_BYTES) - sizeof(struct arena_block);
    struct arena_block *keep = largest_take(arena);
    blocks_free(arena->blocks);
    if (keep->cap < room) {
        free(keep);
        keep = block_new(room, NULL);
    }
    arena->blocks = keep;
    arena->used = 0;
    arena->nbytes = sizeof(struct arena_block) + keep->cap;
}

static void block_push(struct cw_arena *arena, size_t size)
{
    size_t cap = ARENA_FIRST_BYTES - sizeof(struct arena_block);
    if (arena->blocks != NULL)
        cap = CW_MIN(arena->nbytes, (size_t)ARENA_MAX_STEP_BYTES) - sizeof(struct arena_block);
    if (cap < size)
        cap = size;
    CW_ASSERT(cap <= SIZE_MAX - sizeof(struct arena_block));
    if (arena->take != NULL && arena->refused == 0)
        arena->refused = arena->take(arena->take_ctx, sizeof(struct arena_block) + cap);
    arena->blocks = block_new(cap, arena->blocks);
    arena->used = 0;
    arena->nbytes += sizeof(struct arena_block) + cap;
}

void *cw_arena_alloc(struct cw_arena *arena, size_t size)
{
    CW_ASSERT(size <= SIZE_MAX - ARENA_ALIGN);
    size = (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (arena->blocks == NULL || arena->blocks->cap - arena->used < size)
        block_push(arena, size);
    char *at = arena->blocks->bytes + arena->used;
    arena->used += size;
    return at;
}

void *cw_arena_calloc(struct cw_arena *arena, size_t n, size_t size)
{
    size_t all;
    CW_ASSERT(!__builtin_mul_overflow(n, size, &all));
    void *at = cw_arena_alloc(arena, all);
    memset(at, 0, all);
    return at;
}

struct cw_str cw_arena_dup(struct cw_arena *arena, struct cw_str s)
{
    CW_ASSERT(s.len < SIZE_MAX - ARENA_ALIGN);
    char *at = cw_arena_alloc(arena, s.len + 1);
    if (s.len > 0)
        memcpy(at, s.ptr, s.len);
    at[s.len] = '\0';
    return (struct cw_str){at, s.len};
}

struct cw_str cw_arena_printf(struct cw_arena *arena, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    char small[256]; /* most texts fit, and are formatted once */
    int n = vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    CW_ASSERT(n >= 0);
    char *at = cw_arena_alloc(arena, (size_t)n + 1);
    if ((size_t)n < sizeof small)
        memcpy(at, small, (size_t)n + 1);
    else
        vsnprintf(at, (size_t)n + 1, fmt, again);
    va_end(again);
    return (struct cw_str){at, (size_t)n};
}

void *cw_arena_grow(struct cw_arena *arena, void *old, size_t n, size_t *cap, size_t want,
                    size_t size)
{
    if (old != NULL && want <= *cap)
        return old;
    size_t next = CW_MAX(*cap, (size_t)4);
    while (next < want) {
        CW_ASSERT(next <= SIZE_MAX / 2);
        next *= 2;
    }
    size_t all;
    CW_ASSERT(!__builtin_mul_overflow(next, size, &all));
    void *grown = cw_arena_alloc(arena, all);
    if (n > 0)
        memcpy(grown, old, n * size);
    *cap = next;
    return grown;
}

size_t cw_arena_bytes(const struct cw_arena *arena)
{
    return sizeof *arena + arena->nbytes;
}

void cw_arena_watch(struct cw_arena *arena, cw_arena_take_fn take, void *ctx)
{
    arena->take = take;
    arena->take_ctx = ctx;
    arena->refused = 0;
}

int cw_arena_refused(const struct cw_arena *arena)
{
    return arena->refused;
}

void *cw_mem_new(size_t size)
{
    void *at = calloc(1, size > 0 ? size : 1);
    CW_ASSERT(at != NULL);
    return at;
}

void *cw_mem_array(size_t n, size_t size)
{
    size_t all;
    CW_ASSERT(!__builtin_mul_overflow(n, size, &all));
    return cw_mem_new(all);
}

void *cw_mem_resize(void *old, size_t size)
{
    void *at = realloc(old, size > 0 ? size : 1);
    CW_ASSERT(at != NULL);
    return at;
}
