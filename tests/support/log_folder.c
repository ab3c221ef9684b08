#include "tests/support/log_folder.h"
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/base/assert.h"
#include "common/base/codec.h"
#include "common/base/file.h"

/* No test writes more. */
#define FILE_BYTES_MAX (1u << 28)

void cw_log_folder_init(struct cw_log_folder *folder)
{
    strcpy(folder->dir, "/tmp/cw-logs-XXXXXX");
    const char *made = mkdtemp(folder->dir);
    CW_ASSERT(made != NULL);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void cw_log_folder_fini(struct cw_log_folder *folder)
{
    int rc = nftw(folder->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    CW_ASSERT(rc == 0);
}

const char *cw_log_folder_path(const struct cw_log_folder *folder, const char *name)
{
    static _Thread_local char paths[8][PATH_MAX];
    static _Thread_local unsigned turn;
    char *path = paths[turn++ % 8];
    snprintf(path, PATH_MAX, "%s/%s", folder->dir, name);
    return path;
}

void cw_log_folder_append_bytes(const struct cw_log_folder *folder, const char *name,
                                const void *bytes, size_t n)
{
    int fd =
        open(cw_log_folder_path(folder, name), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    CW_ASSERT(fd >= 0);
    ssize_t put = write(fd, bytes, n);
    CW_ASSERT(put == (ssize_t)n);
    close(fd);
}

void cw_log_folder_append(const struct cw_log_folder *folder, const char *name, const char *text)
{
    cw_log_folder_append_bytes(folder, name, text, strlen(text));
}

void cw_log_folder_truncate(const struct cw_log_folder *folder, const char *name, size_t size)
{
    int rc = truncate(cw_log_folder_path(folder, name), (off_t)size);
    CW_ASSERT(rc == 0);
}

void cw_log_folder_rename(const struct cw_log_folder *folder, const char *from, const char *to)
{
    int rc = rename(cw_log_folder_path(folder, from), cw_log_folder_path(folder, to));
    CW_ASSERT(rc == 0);
}

void cw_log_folder_gzip(const struct cw_log_folder *folder, const char *name, const char *packed,
                        size_t nbytes)
{
    struct cw_buf text, out;
    struct cw_err err;
    struct stat st;
    cw_buf_init(&text, SIZE_MAX);
    cw_buf_init(&out, SIZE_MAX);
    int rc = cw_file_read(cw_log_folder_path(folder, name), FILE_BYTES_MAX, &text, &err);
    CW_ASSERT(rc == 0);
    rc = cw_codec_compress(CW_CODEC_GZIP, cw_buf_str(&text), &out, &err);
    CW_ASSERT(rc == 0);
    (void)unlink(cw_log_folder_path(folder, packed));
    cw_log_folder_append_bytes(folder, packed, out.ptr, CW_MIN(nbytes, out.len));
    rc = stat(cw_log_folder_path(folder, name), &st);
    if (rc == 0 && nbytes >= out.len)
        rc = utimensat(AT_FDCWD, cw_log_folder_path(folder, packed),
                       (struct timespec[]){st.st_atim, st.st_mtim}, 0);
    CW_ASSERT(rc == 0);
    cw_buf_fini(&text);
    cw_buf_fini(&out);
}

void cw_log_folder_remove(const struct cw_log_folder *folder, const char *name)
{
    int rc = unlink(cw_log_folder_path(folder, name));
    CW_ASSERT(rc == 0);
}

void cw_log_folder_mkdir(const struct cw_log_folder *folder, const char *name)
{
    int rc = mkdir(cw_log_folder_path(folder, name), 0700);
    CW_ASSERT(rc == 0);
}

void cw_log_folder_symlink(const struct cw_log_folder *folder, const char *to, const char *name)
{
    int rc = symlink(to, cw_log_folder_path(folder, name));
    CW_ASSERT(rc == 0);
}
