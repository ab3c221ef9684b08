/*
 * file.h - all disk access: the seam for object storage later and for fault tests now.
 *
 * Ownership  A descriptor that a function returns is the caller's to close(2).
 * Errors     CW_E_NOT_FOUND, CW_E_IO, CW_E_UNAVAILABLE (no space left); the sentence names the path.
 */
#ifndef CW_BASE_FILE_H
#define CW_BASE_FILE_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"

/* open(2) with O_CLOEXEC; mode 0600 where a file is made. Returns the descriptor. */
int cw_file_open(const char *path, int flags, struct cw_err *err) CW_MUST_USE;
/* All of it, or an error; retries EINTR and short writes. */
int cw_file_write_all(int fd, const void *bytes, size_t n, const char *path,
                      struct cw_err *err) CW_MUST_USE;
int cw_file_pread_all(int fd, void *bytes, size_t n, uint64_t off, const char *path,
                      struct cw_err *err) CW_MUST_USE;
int cw_file_sync(int fd, const char *path, struct cw_err *err) CW_MUST_USE; /* fdatasync */
int cw_file_sync_dir(const char *dir, struct cw_err *err) CW_MUST_USE;
/* Whole file, at most max_bytes, appended to *out. */
int cw_file_read(const char *path, size_t max_bytes, struct cw_buf *out,
                 struct cw_err *err) CW_MUST_USE;
/* Write `path` so that after a crash it is the old one or the new one, whole: temporary name, fsync, rename, fsync of the folder. */
int cw_file_replace(const char *path, struct cw_str bytes, struct cw_err *err) CW_MUST_USE;
/* The same on a disk that is full: the bytes go into the file `spare`, which is there already and larger (its blocks are used
 * again, and what is left of it is freed), and that is renamed. After a failure `spare` is of no use. */
int cw_file_replace_by(const char *path, const char *spare, struct cw_str bytes,
                       struct cw_err *err) CW_MUST_USE;
/* Another name, which is durable after an fsync of the folder of `to`. */
int cw_file_move(const char *from, const char *to, struct cw_err *err) CW_MUST_USE;
/* The same with that fsync. */
int cw_file_rename(const char *from, const char *to, struct cw_err *err) CW_MUST_USE;
/* A second name for the same file. The name is durable after an fsync of its folder. */
int cw_file_link(const char *from, const char *to, struct cw_err *err) CW_MUST_USE;
/* A path that is not there is fine. */
int cw_file_unlink(const char *path, struct cw_err *err) CW_MUST_USE;
/* mkdir -p with mode 0700 for what is made; fsyncs the parents of what was made. */
int cw_file_mkdirs(const char *dir, struct cw_err *err) CW_MUST_USE;
/* One folder, whose parent is there; one that is there already is fine. Without an fsync: that of the parent is to follow. */
int cw_file_mkdir(const char *dir, struct cw_err *err) CW_MUST_USE;
bool cw_file_exists(const char *path);
/* Names in a folder without "." and "..", sorted by bytes; free with cw_file_names_free(). */
struct cw_file_names {
    char **names;
    size_t n;
};
int cw_file_list(const char *dir, struct cw_file_names *out, struct cw_err *err) CW_MUST_USE;
void cw_file_names_free(struct cw_file_names *names);

/* A file mapped for reading. Empty files map to ptr NULL, len 0. What the disk cannot give (it fails, the file is cut meanwhile)
 * reads as zeros: who maps has a checksum, or asks cw_file_map_lost() where it was checked before. */
struct cw_file_map {
    const uint8_t *ptr;
    size_t len;
    uint64_t dev, ino;  /* which file it is */
    int64_t written_ns; /* when its bytes were changed last, wall clock */
    bool is_copy; /* cw_file_map_or_copy() read it: no page of it can be lost, or leave memory */
};
/* A pipe is not waited for; what is no regular file is CW_E_CORRUPT. Where the kernel gives no more mappings, the sentence says how many
 * there are, and names the setting. */
int cw_file_map(const char *path, struct cw_file_map *out, struct cw_err *err) CW_MUST_USE;
/* For whoever opens any number of files: a process has at most vm.max_map_count mappings (65,530 by default), and ends when threads and
 * memory find none. Beyond three quarters of these, or when there are none left, files of at most CW_FILE_COPY_MAX are read into memory
 * instead, CW_FILE_COPIES_MAX in all. */
int cw_file_map_or_copy(const char *path, struct cw_file_map *out, struct cw_err *err) CW_MUST_USE;
/* Larger ones are worth a mapping; and malloc() takes no mapping for less than 128 KiB. */
#define CW_FILE_COPY_MAX (64u << 10)
/* A hundred thousand parts of a few lines; more than that is not what a machine's memory is for. */
#define CW_FILE_COPIES_MAX (256u << 20)
void cw_file_unmap(struct cw_file_map *map);
/* Did a page of it become zeros so? From then on it says yes. */
bool cw_file_map_lost(const struct cw_file_map *map);
/* Is the file, which was at `path`, shorter now than it was? In its last page what was cut off reads as zeros without a page being
 * lost. Asks the file system; false where another file has the name, or none. */
bool cw_file_map_is_cut(const struct cw_file_map *map, const char *path);
/* Whoever reads here and there has the disk give no more than the pages touched; what is read as a whole is announced first by
 * cw_file_will_read(), and then comes in one piece. (Read-ahead of a mapping is as large as the disk says: megabytes a touch.) */
void cw_file_map_random(const struct cw_file_map *map);
void cw_file_will_read(struct cw_str bytes);
/* Its pages leave this process's memory, not the system's cache: the next access finds them there. */
void cw_file_map_rest(const struct cw_file_map *map);
/* The same for a part of a mapping: the pages that lie in it whole. */
void cw_file_rest(struct cw_str bytes);
/* Bytes free for this user and bytes in all on the file system that holds `path`. */
int cw_file_space(const char *path, uint64_t *free_out, uint64_t *total_out,
                  struct cw_err *err) CW_MUST_USE;
/* 128 random bits from the kernel. */
void cw_file_random(void *bytes, size_t n);

#endif
