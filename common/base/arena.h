/*
 * arena.h - memory for one unit of work (a push request, a query), freed in one call. Bytes only.
 *
 * Ownership  What an arena returns lives until cw_arena_free() or _reset(); it is never freed alone.
 * Threads    One thread at a time.
 * Errors     Out of memory aborts: a size from outside is checked against limits.h first.
 */
#ifndef CW_BASE_ARENA_H
#define CW_BASE_ARENA_H
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/str.h"

struct cw_arena;

struct cw_arena *cw_arena_new(void);
void cw_arena_free(struct cw_arena **arena);
/* Everything it returned is gone. For the next use one block is kept: as large as all were (up to 512 KiB), or the largest. */
void cw_arena_reset(struct cw_arena *arena);
/* Aligned to 16, not zeroed. `size` 0 gives a valid pointer. */
void *cw_arena_alloc(struct cw_arena *arena, size_t size);
/* Zeroed; aborts if n * size overflows. */
void *cw_arena_calloc(struct cw_arena *arena, size_t n, size_t size);
/* Ended by a NUL that is not counted. */
struct cw_str cw_arena_dup(struct cw_arena *arena, struct cw_str s);
struct cw_str cw_arena_printf(struct cw_arena *arena, const char *fmt, ...) CW_PRINTF(2, 3);
/* Grow an array: at least `want` elements of `size`; copies `n` old ones. The usual doubling is done inside. */
void *cw_arena_grow(struct cw_arena *arena, void *old, size_t n, size_t *cap, size_t want,
                    size_t size);
/* Bytes held from the system. */
size_t cw_arena_bytes(const struct cw_arena *arena);
/* `take` is asked before the arena takes `bytes` from the system. It returns 0, or refuses: the arena goes on nevertheless (its
 * callers count on that), and who fills it looks at cw_arena_refused() after each step that outside bytes make large, before it
 * touches what it got. Nothing is told when memory goes: whoever was asked gives all of it back at the end. */
typedef int (*cw_arena_take_fn)(void *ctx, size_t bytes);
void cw_arena_watch(struct cw_arena *arena, cw_arena_take_fn take, void *ctx);
/* The first refusal's code since the watch began; 0: none. */
int cw_arena_refused(const struct cw_arena *arena);

#define CW_ARENA_NEW(arena, type) ((type *)cw_arena_calloc((arena), 1, sizeof(type)))
#define CW_ARENA_ARRAY(arena, type, n) ((type *)cw_arena_calloc((arena), (n), sizeof(type)))

/* Heap memory that aborts instead of failing; free() releases it. */
void *cw_mem_new(size_t size);             /* zeroed */
void *cw_mem_array(size_t n, size_t size); /* zeroed; aborts on overflow */
void *cw_mem_resize(void *old, size_t size);

#endif
