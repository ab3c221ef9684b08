/*
 * io_trace.h - what a unit test's process asked of the disk, in order, and a disk without room. Link it into the test: it stands
 * before libc's fsync, fdatasync, rename, close and write.
 *
 * Threads    One list for all threads, under a lock.
 */
#ifndef CW_TESTS_IO_TRACE_H
#define CW_TESTS_IO_TRACE_H
#include <stdbool.h>
#include <stddef.h>

/* Forget what was seen. */
void io_trace_clear(void);
/* Was there a sync of a path that ends in `sync_end`, after the last _clear(), and before the first rename to one that ends in
 * `rename_end` (NULL: whether there was one or not)? */
bool io_trace_synced(const char *sync_end, const char *rename_end);
/* Syncs of paths that end so, after the last _clear(). */
unsigned io_trace_nsynced(const char *end);
/* Called before each close of a file whose path ends in `end`; NULL: none. */
void io_trace_on_close(const char *end, void (*fn)(void *arg), void *arg);
/* Files whose path has `part` in it take `bytes` more in all, then write() to them fails for want of room (what fits is written
 * first); NULL: the disk has room. */
void io_trace_room(const char *part, size_t bytes);
/* Such writes that failed since the last io_trace_room(). */
unsigned io_trace_nrefused(void);

#endif
