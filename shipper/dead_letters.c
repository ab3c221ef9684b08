#include "shipper/dead_letters.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/base/arena.h"
#include "common/base/base64.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/wire/json_writer.h"

struct cw_dead_letters {
    char *path, *old_path;
    int fd; /* -1: not open */
    uint64_t size;
};

struct cw_dead_letters *cw_dead_letters_new(const char *path)
{
    struct cw_dead_letters *letters = cw_mem_new(sizeof *letters);
    struct cw_buf old;
    cw_buf_init(&old, SIZE_MAX);
    cw_buf_addf(&old, "%s.old", path);
    letters->old_path = cw_str_dupz(cw_buf_str(&old));
    letters->path = cw_str_dupz(cw_str_of(path));
    letters->fd = -1;
    cw_buf_fini(&old);
    return letters;
}

void cw_dead_letters_free(struct cw_dead_letters **letters)
{
    if (*letters == NULL)
        return;
    if ((*letters)->fd >= 0)
        close((*letters)->fd);
    free((*letters)->path);
    free((*letters)->old_path);
    free(*letters);
    *letters = NULL;
}

static void letter_format(const struct cw_dead_letter *letter, struct cw_buf *out)
{
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    struct cw_json_writer w = cw_json_writer_make(out);
    cw_json_begin_object(&w);
    cw_time_format_rfc3339(letter->ts_ns, &text);
    cw_json_key_string(&w, "time", cw_buf_str(&text));
    cw_json_key_string(&w, "client", cw_str_of(letter->client));
    cw_json_key_u64(&w, "status", (uint64_t)letter->status);
    cw_json_key_string(&w, "error", cw_str_trim(letter->error));
    cw_json_key_string(&w, "labels", cw_str_of(letter->labels));
    cw_buf_clear(&text);
    if (cw_utf8_valid(letter->line)) {
        cw_json_key_string(&w, "line", letter->line);
    } else {
        cw_base64_encode(letter->line, &text);
        cw_json_key_string(&w, "line_b64", cw_buf_str(&text));
    }
    cw_json_end_object(&w);
    cw_buf_addc(out, '\n');
    cw_buf_fini(&text);
}

static int letters_open(struct cw_dead_letters *letters, struct cw_err *err)
{
    if (letters->fd >= 0 && letters->size >= CW_DEAD_LETTERS_BYTES) {
        close(letters->fd);
        letters->fd = -1;
        int rc = cw_file_rename(letters->path, letters->old_path, err);
        if (rc < 0)
            return rc;
    }
    if (letters->fd >= 0)
        return 0;
    int fd = cw_file_open(letters->path, O_WRONLY | O_CREAT | O_APPEND, err);
    if (fd < 0)
        return fd;
    struct stat st;
    letters->fd = fd;
    letters->size = fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
    return 0;
}

int cw_dead_letters_add(struct cw_dead_letters *letters, const struct cw_dead_letter *letter,
                        struct cw_err *err)
{
    int rc = letters_open(letters, err);
    if (rc < 0)
        return rc;
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    letter_format(letter, &text);
    rc = cw_file_write_all(letters->fd, text.ptr, text.len, letters->path, err);
    if (rc == 0)
        rc = cw_file_sync(letters->fd, letters->path, err);
    letters->size += text.len;
    cw_buf_fini(&text);
    return rc;
}
