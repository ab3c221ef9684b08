/*
 * file_lost.h - a mapped file that is cut, or whose disk fails, does not end the process.
 *
 * An access to such a page is SIGBUS. Within a range that is watched the page becomes zeros, which the reader's checksums find;
 * elsewhere the signal does what it did before. For common/base/file.c alone.
 *
 * Threads    Any. The handler takes no lock.
 */
#ifndef CW_BASE_FILE_LOST_H
#define CW_BASE_FILE_LOST_H
#include <stdbool.h>
#include <stddef.h>

/* `ptr` is the start of a mapping of `len` > 0 bytes. */
void cw_file_lost_watch(const void *ptr, size_t len);
/* Has a page of the mapping that starts at `ptr` become zeros? True before any thread sees them. */
bool cw_file_lost_any(const void *ptr);
/* Before it is unmapped. */
void cw_file_lost_forget(const void *ptr);

#endif
