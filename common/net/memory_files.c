#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/arena.h"
#include "common/base/file.h"
#include "common/net/memory_files_priv.h"

static struct memory_file *file_new(struct cw_str text, struct cw_err *err)
{
    int fd = memfd_create("tls", MFD_CLOEXEC);
    if (fd < 0) {
        cw_err_set(err, CW_E_IO, "a file in memory for a certificate: %s", strerror(errno));
        return NULL;
    }
    struct memory_file *file = cw_mem_new(sizeof *file);
    file->fd = fd;
    file->text = cw_str_dupz(text);
    file->len = text.len;
    snprintf(file->path, sizeof file->path, "/proc/self/fd/%d", fd);
    if (cw_file_write_all(fd, text.ptr, text.len, "a file in memory", err) == 0)
        return file;
    close(fd);
    free(file->text);
    free(file);
    return NULL;
}

const char *memory_files_path(struct memory_files *files, struct cw_str text, struct cw_err *err)
{
    for (size_t i = 0; i < files->n; i++)
        if (files->items[i]->len == text.len &&
            memcmp(files->items[i]->text, text.ptr, text.len) == 0)
            return files->items[i]->path;
    struct memory_file *file = file_new(text, err);
    if (file == NULL)
        return NULL;
    files->items = cw_mem_resize(files->items, (files->n + 1) * sizeof *files->items);
    files->items[files->n++] = file;
    return file->path;
}

void memory_files_fini(struct memory_files *files)
{
    for (size_t i = 0; i < files->n; i++) {
        close(files->items[i]->fd);
        explicit_bzero(files->items[i]->text, files->items[i]->len);
        free(files->items[i]->text);
        free(files->items[i]);
    }
    free(files->items);
    *files = (struct memory_files){.n = 0};
}
