#include "common/base/file_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/many_waits.h"

struct walk {
    /* What is done with each file, and with each folder after all in it; may be NULL. */
    int (*file)(const char *path, const struct stat *st, void *arg, struct cw_err *err);
    int (*folder)(const char *path, void *arg, struct cw_err *err);
    void *arg;
};

static int walk_below(const struct walk *walk, struct cw_buf *path, struct cw_err *err)
{
    struct cw_file_names names;
    int rc = cw_file_list(cw_buf_z(path), &names, err);
    if (rc < 0)
        return rc;
    size_t len = path->len;
    for (size_t i = 0; rc == 0 && i < names.n; i++) {
        struct stat st;
        cw_buf_addf(path, "/%s", names.names[i]);
        if (lstat(cw_buf_z(path), &st) < 0)
            rc = cw_err_errno(err, CW_E_IO, errno, "stat %s", path->ptr);
        else if (S_ISDIR(st.st_mode))
            rc = walk_below(walk, path, err);
        else if (walk->file != NULL)
            rc = walk->file(path->ptr, &st, walk->arg, err);
        path->len = len;
    }
    cw_file_names_free(&names);
    if (rc == 0 && walk->folder != NULL)
        rc = walk->folder(cw_buf_z(path), walk->arg, err);
    return rc;
}

static int walk_tree(const struct walk *walk, const char *dir, struct cw_err *err)
{
    struct cw_buf path;
    cw_buf_init(&path, SIZE_MAX);
    cw_buf_addz(&path, dir);
    int rc = walk_below(walk, &path, err);
    cw_buf_fini(&path);
    return rc;
}

struct folders {
    char **paths;
    size_t n, cap;
};

static int add_folder(const char *path, void *arg, struct cw_err *err)
{
    struct folders *folders = arg;
    (void)err;
    if (folders->n == folders->cap) {
        folders->cap = folders->cap ? 2 * folders->cap : 16;
        folders->paths = cw_mem_resize(folders->paths, folders->cap * sizeof(*folders->paths));
    }
    folders->paths[folders->n++] = cw_str_dupz(cw_str_of(path));
    return 0;
}

int cw_file_tree_sync(const char *dir, struct cw_err *err)
{
    struct folders folders = {0};
    int rc = walk_tree(&(struct walk){.folder = add_folder, .arg = &folders}, dir, err);
    if (rc == 0)
        rc = cw_many_sync_dirs(folders.paths, folders.n, err);
    for (size_t i = 0; i < folders.n; i++)
        free(folders.paths[i]);
    free(folders.paths);
    return rc;
}

static int remove_file(const char *path, const struct stat *st, void *arg, struct cw_err *err)
{
    (void)st;
    (void)arg;
    return cw_file_unlink(path, err);
}

static int remove_folder(const char *path, void *arg, struct cw_err *err)
{
    (void)arg;
    if (rmdir(path) < 0 && errno != ENOENT)
        return cw_err_errno(err, CW_E_IO, errno, "rmdir %s", path);
    return 0;
}

int cw_file_tree_remove(const char *dir, struct cw_err *err)
{
    int rc = walk_tree(&(struct walk){.file = remove_file, .folder = remove_folder}, dir, err);
    return rc == CW_E_NOT_FOUND ? 0 : rc;
}

static int add_bytes(const char *path, const struct stat *st, void *arg, struct cw_err *err)
{
    (void)path;
    (void)err;
    *(uint64_t *)arg += (uint64_t)st->st_size;
    return 0;
}

int cw_file_tree_bytes(const char *dir, uint64_t *bytes_out, struct cw_err *err)
{
    *bytes_out = 0;
    return walk_tree(&(struct walk){.file = add_bytes, .arg = bytes_out}, dir, err);
}
