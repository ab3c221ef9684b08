/*
 * mem_source.h - an entry store in memory for unit tests of the query engine: what entries are there is written down in the
 * test, units are as small as the test wants them.
 *
 * Ownership  The store owns copies of everything that was added; snapshots borrow from it.
 * Threads    Added to by one thread before it is read; then read by any.
 */
#ifndef TESTS_SUPPORT_MEM_SOURCE_H
#define TESTS_SUPPORT_MEM_SOURCE_H
#include "common/store/cursor.h"

struct mem_store;

/* `nsources` sources; units hold at most `unit_entries` entries of one stream; batches at most `batch_entries`. */
struct mem_store *mem_store_new(size_t nsources, size_t unit_entries, size_t batch_entries);
void mem_store_free(struct mem_store **store);
/* In any order. `labels` and `metadata` as `{a="b"}`; metadata may be NULL. */
void mem_store_add(struct mem_store *store, size_t source, const char *labels, int64_t ts_ns,
                   const char *line, const char *metadata);
struct cw_entry_store mem_store_entry_store(struct mem_store *store);
/* Called at each cw_cursor_next(), on the worker's thread; NULL: nothing. */
void mem_store_on_next(struct mem_store *store, void (*fn)(void *arg), void *arg);
/* Lines with this text cannot be read: their rows are left out where lines are wanted, as those of a damaged block are. */
void mem_store_lose(struct mem_store *store, const char *line);
/* How many units were opened so far. */
size_t mem_store_opened(const struct mem_store *store);

#endif
