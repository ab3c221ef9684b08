#include "querier/local/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/decoder.h"
#include "common/base/file.h"
#include "common/base/limits.h"
#include "querier/local/spool.h"

#define INPUT_BYTES ((size_t)256 << 10)
/* The line that goes on behind its chunk is read so far at a time. */
#define TAIL_BYTES ((size_t)32 << 10)

struct cw_log_file {
    char *name;
    int fd;
    bool regular;
    uint64_t size; /* of a regular file */
    int64_t written_ns;
    enum cw_codec codec;
    struct cw_spool *spool; /* NULL: a plain regular file */
    struct cw_buf head;     /* of what cannot be read again: the first bytes */
    atomic_bool long_lines;
};

/* ---- open ---- */

static const struct {
    struct cw_str bytes;
    enum cw_codec codec; /* NONE: it is not read */
    const char *name;    /* of the program that does */
} magics[] = {
    {{"\x1f\x8b", 2}, CW_CODEC_GZIP, NULL},
    {{"\x28\xb5\x2f\xfd", 4}, CW_CODEC_ZSTD, NULL},
    {{"BZh", 3}, CW_CODEC_NONE, "bzip2"},
    {{"\xfd"
      "7zXZ",
      5},
     CW_CODEC_NONE,
     "xz"},
    {{"\x04\x22\x4d\x18", 4}, CW_CODEC_NONE, "lz4"},
};

static int look_at(struct cw_log_file *file, struct cw_str head, struct cw_err *err)
{
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++) {
        if (!cw_str_starts(head, magics[i].bytes))
            continue;
        if (magics[i].codec == CW_CODEC_NONE)
            return cw_err_set(
                err, CW_E_INVALID,
                "%s: compressed with %s, which is not read here: try %s -dc FILE | cordwood query "
                "--stdin",
                file->name, magics[i].name, magics[i].name);
        file->codec = magics[i].codec;
        return 0;
    }
    size_t nnuls = 0, nruns = 0;
    for (size_t i = 0; i < head.len; i++) {
        nnuls += head.ptr[i] == '\0';
        nruns += head.ptr[i] == '\0' && (i == 0 || head.ptr[i - 1] != '\0');
    }
    if (nruns > 1 + (head.len - nnuls) / CW_LOG_FILE_NUL_RUN_BYTES)
        return cw_err_set(err, CW_E_INVALID,
                          "%s: a binary file, no text: %zu of its first %zu bytes are NULs, the "
                          "first at offset %td",
                          file->name, nnuls, head.len, cw_str_find_byte(head, '\0'));
    return 0;
}

static ssize_t read_some(int fd, char *out, size_t n)
{
    ssize_t got;
    do
        got = read(fd, out, n);
    while (got < 0 && errno == EINTR);
    return got;
}

static int read_head(struct cw_log_file *file, struct cw_err *err)
{
    char *at = cw_buf_reserve(&file->head, CW_LOG_FILE_TEXT_BYTES);
    ssize_t got;
    do {
        got = read_some(file->fd, at + file->head.len, CW_LOG_FILE_TEXT_BYTES - file->head.len);
        if (got < 0)
            return cw_err_errno(err, CW_E_IO, errno, "%s", file->name);
        file->head.len += (size_t)got;
    } while (got > 0 && file->head.len < CW_LOG_FILE_TEXT_BYTES);
    return look_at(file, cw_buf_str(&file->head), err);
}

static int look_at_kind(struct cw_log_file *file, atomic_size_t *spool_room, struct cw_err *err)
{
    struct stat st;
    if (fstat(file->fd, &st) < 0)
        return cw_err_errno(err, CW_E_IO, errno, "%s", file->name);
    if (S_ISDIR(st.st_mode))
        return cw_err_set(err, CW_E_INVALID, "%s: a folder (its files: %s/*)", file->name,
                          file->name);
    file->regular = S_ISREG(st.st_mode) && lseek(file->fd, 0, SEEK_CUR) == 0;
    file->written_ns =
        file->regular ? st.st_mtim.tv_sec * CW_NS_PER_S + st.st_mtim.tv_nsec : cw_clock_now_ns();
    file->size = file->regular ? (uint64_t)st.st_size : 0;
    int rc = read_head(file, err);
    if (file->size == 0) /* of /proc, where files have no size but bytes */
        file->regular = false;
    if (rc == 0 && (!file->regular || file->codec != CW_CODEC_NONE))
        file->spool = cw_spool_new(spool_room);
    return rc;
}

int cw_log_file_open(const char *path, atomic_size_t *spool_room, struct cw_log_file **out,
                     struct cw_err *err)
{
    struct cw_log_file *file = cw_mem_new(sizeof *file);
    file->name = cw_str_dupz(cw_str_of(path != NULL ? path : "standard input"));
    cw_buf_init(&file->head, CW_LOG_FILE_TEXT_BYTES);
    file->fd =
        path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    int rc = 0;
    if (file->fd < 0)
        rc = cw_err_errno(err, errno == ENOENT ? CW_E_NOT_FOUND : CW_E_IO, errno, "%s", file->name);
    else
        rc = look_at_kind(file, spool_room, err);
    if (rc < 0)
        cw_log_file_close(&file);
    else
        *out = file;
    return rc;
}

void cw_log_file_close(struct cw_log_file **handle)
{
    struct cw_log_file *file = *handle;
    *handle = NULL;
    if (file == NULL)
        return;
    if (file->fd >= 0)
        close(file->fd);
    cw_spool_free(&file->spool);
    cw_buf_fini(&file->head);
    free(file->name);
    free(file);
}

/* ---- into the spool ---- */

struct load {
    struct cw_log_file *file;
    struct cw_decoder *decoder; /* NULL: the input is the text */
    struct cw_buf text;         /* lines that are not in the spool yet, the last one begun */
    bool skipping;              /* the text goes on with a line that was too long */
};

/* Where the last line that has an end has it: at a newline or a NUL; -1: nowhere. */
static ptrdiff_t find_last_end(struct cw_str text)
{
    const char *newline = text.len > 0 ? memrchr(text.ptr, '\n', text.len) : NULL;
    size_t behind = newline != NULL ? (size_t)(newline + 1 - text.ptr) : 0;
    const char *nul =
        text.len > behind ? memrchr(text.ptr + behind, '\0', text.len - behind) : NULL;
    if (nul != NULL)
        return nul - text.ptr;
    return newline != NULL ? newline - text.ptr : -1;
}

/* Where the first line ends; -1: nowhere. */
static ptrdiff_t find_end(struct cw_str text)
{
    ptrdiff_t newline = cw_str_find_byte(text, '\n');
    ptrdiff_t nul =
        cw_str_find_byte(cw_str_sub(text, 0, newline < 0 ? text.len : (size_t)newline), '\0');
    return nul >= 0 ? nul : newline;
}

/* A run of NULs becomes a newline where a line stands before it, and nothing elsewhere. Returns what is left of the length. */
static size_t drop_nuls(char *text, size_t len)
{
    char *nul = len > 0 ? memchr(text, '\0', len) : NULL, *out = nul;
    if (nul == NULL)
        return len;
    for (const char *at = nul; at < text + len; at++) {
        if (*at != '\0')
            *out++ = *at;
        else if (out > text && out[-1] != '\n')
            *out++ = '\n';
    }
    return (size_t)(out - text);
}

static void drop_front(struct cw_buf *text, size_t n)
{
    memmove(text->ptr, text->ptr + n, text->len - n);
    text->len -= n;
}

/* What is left of a line that was too long goes. */
static void skip_long(struct load *load)
{
    if (!load->skipping)
        return;
    ptrdiff_t newline = find_end(cw_buf_str(&load->text));
    load->skipping = newline < 0;
    drop_front(&load->text, newline < 0 ? load->text.len : (size_t)newline + 1);
}

/* The whole lines of a full chunk. A line as long as a chunk is no line. */
static int load_chunk(struct load *load, struct cw_err *err)
{
    skip_long(load);
    if (load->text.len < CW_LOG_FILE_CHUNK_BYTES)
        return 0;
    ptrdiff_t newline = find_last_end(cw_buf_str(&load->text));
    if (newline < 0) {
        atomic_store(&load->file->long_lines, true);
        load->skipping = true;
        cw_buf_clear(&load->text);
        return 0;
    }
    size_t len = (size_t)newline + 1;
    int rc = cw_spool_add(load->file->spool, cw_str_sub(cw_buf_str(&load->text), 0, len), err);
    drop_front(&load->text, len);
    return rc;
}

static int load_text(struct load *load, struct cw_str in, struct cw_err *err)
{
    int rc = 0;
    while (rc == 0 && (in.len > 0 || load->text.len >= CW_LOG_FILE_CHUNK_BYTES)) {
        size_t room = CW_LOG_FILE_CHUNK_BYTES - load->text.len, take = CW_MIN(room, in.len);
        cw_buf_add(&load->text, in.ptr, take);
        in = cw_str_sub(in, take, in.len);
        if (load->text.len >= CW_LOG_FILE_CHUNK_BYTES)
            rc = load_chunk(load, err);
    }
    return rc;
}

static int load_packed(struct load *load, struct cw_str in, char *raw, struct cw_err *err)
{
    size_t n = INPUT_BYTES;
    int rc = 0;
    while (rc == 0 && (in.len > 0 || n == INPUT_BYTES)) {
        struct cw_err why = {0};
        int broken = cw_decoder_run(load->decoder, &in, raw, INPUT_BYTES, &n, &why);
        rc = load_text(load, cw_str_make(raw, n), err);
        if (rc == 0 && broken < 0)
            rc = cw_err_set(err, broken, "%s: %s: what comes before is read, the rest is lost",
                            load->file->name, why.text);
    }
    return rc;
}

static int load_input(struct load *load, atomic_uint_fast64_t *read_bytes, struct cw_err *err)
{
    struct cw_log_file *file = load->file;
    char *in = cw_mem_resize(NULL, INPUT_BYTES), *raw = cw_mem_resize(NULL, INPUT_BYTES);
    struct cw_str piece = cw_buf_str(&file->head);
    int rc = 0;
    while (rc == 0 && piece.len > 0) {
        rc = load->decoder != NULL ? load_packed(load, piece, raw, err)
                                   : load_text(load, piece, err);
        atomic_fetch_add(read_bytes, piece.len);
        ssize_t got = rc == 0 ? read_some(file->fd, in, INPUT_BYTES) : 0;
        if (got < 0)
            rc = cw_err_errno(err, CW_E_IO, errno, "%s", file->name);
        piece = cw_str_make(in, got > 0 ? (size_t)got : 0);
    }
    if (rc == 0 && load->decoder != NULL && !cw_decoder_at_end(load->decoder))
        rc = cw_err_set(err, CW_E_INVALID,
                        "%s: the compressed data ends too early: what comes before is read",
                        file->name);
    free(in);
    free(raw);
    return rc;
}

int cw_log_file_load(struct cw_log_file *file, atomic_uint_fast64_t *read_bytes, struct cw_err *err)
{
    if (file->spool == NULL)
        return 0;
    struct load load = {.file = file};
    cw_buf_init(&load.text, CW_LOG_FILE_CHUNK_BYTES);
    if (file->codec != CW_CODEC_NONE)
        load.decoder = cw_decoder_new(file->codec);
    int rc = load_input(&load, read_bytes, err);
    struct cw_err why = {0};
    skip_long(&load);
    int last = load.text.len > 0 ? cw_spool_add(file->spool, cw_buf_str(&load.text), &why) : 0;
    if (rc == 0 && last < 0)
        rc = cw_err_set(err, last, "%s", why.text);
    cw_decoder_free(&load.decoder);
    cw_buf_fini(&load.text);
    return rc;
}

/* ---- read ---- */

const char *cw_log_file_name(const struct cw_log_file *file)
{
    return file->name;
}

int64_t cw_log_file_written_ns(const struct cw_log_file *file)
{
    return file->written_ns;
}

uint64_t cw_log_file_bytes(const struct cw_log_file *file)
{
    return file->size;
}

bool cw_log_file_has_long_lines(const struct cw_log_file *file)
{
    return atomic_load(&file->long_lines);
}

size_t cw_log_file_chunks(const struct cw_log_file *file)
{
    if (file->spool != NULL)
        return cw_spool_blocks(file->spool);
    return (size_t)((file->size + CW_LOG_FILE_CHUNK_BYTES - 1) / CW_LOG_FILE_CHUNK_BYTES);
}

/* Append up to n bytes that lie at `off`; fewer where the file ends (it may have been cut meanwhile). */
static int append_at(struct cw_log_file *file, uint64_t off, size_t n, struct cw_buf *out,
                     struct cw_err *err)
{
    char *at = cw_buf_reserve(out, n);
    size_t done = 0;
    while (done < n) {
        ssize_t got = pread(file->fd, at + done, n - done, (off_t)(off + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return cw_err_errno(err, CW_E_IO, errno, "%s", file->name);
        if (got == 0)
            break;
        done += (size_t)got;
    }
    out->len += done;
    return 0;
}

/* The chunk's last line to its end; a line without one in sight goes. */
static int append_tail(struct cw_log_file *file, uint64_t off, struct cw_buf *out,
                       struct cw_err *err)
{
    size_t line = (size_t)(find_last_end(cw_buf_str(out)) + 1);
    while (off < file->size && out->len - line <= CW_LIMIT_LINE_BYTES) {
        size_t n = (size_t)CW_MIN(file->size - off, (uint64_t)TAIL_BYTES), before = out->len;
        int rc = append_at(file, off, n, out, err);
        if (rc < 0)
            return rc;
        off += n;
        ptrdiff_t end = find_end(cw_str_make(out->ptr + before, out->len - before));
        if (end >= 0) {
            out->len = before + (size_t)end + 1;
            return 0;
        }
        if (out->len - before < n)
            break;
    }
    if (out->len - line > CW_LIMIT_LINE_BYTES) {
        atomic_store(&file->long_lines, true);
        out->len = line;
    }
    return 0;
}

static int read_plain(struct cw_log_file *file, size_t chunk, struct cw_buf *room,
                      struct cw_str *lines_out, struct cw_err *err)
{
    uint64_t from = (uint64_t)chunk * CW_LOG_FILE_CHUNK_BYTES;
    size_t ahead = from > 0; /* the byte ahead tells whether a line begins here */
    size_t n = (size_t)CW_MIN(file->size - from, (uint64_t)CW_LOG_FILE_CHUNK_BYTES), begin = 0;
    int rc = append_at(file, from - ahead, n + ahead, room, err);
    if (rc == 0 && ahead > 0) {
        ptrdiff_t end = find_end(cw_buf_str(room));
        begin = end < 0 ? room->len : (size_t)end + 1;
    }
    if (rc == 0 && room->len > begin && room->ptr[room->len - 1] != '\n' &&
        room->ptr[room->len - 1] != '\0')
        rc = append_tail(file, from + n, room, err);
    if (rc == 0 && room->len > begin)
        room->len = begin + drop_nuls(room->ptr + begin, room->len - begin);
    if (rc == 0)
        *lines_out = cw_str_sub(cw_buf_str(room), begin, room->len);
    return rc;
}

int cw_log_file_read(struct cw_log_file *file, size_t chunk, struct cw_buf *room,
                     struct cw_str *lines_out, struct cw_err *err)
{
    cw_buf_clear(room);
    if (file->spool == NULL)
        return read_plain(file, chunk, room, lines_out, err);
    int rc = cw_spool_read(file->spool, chunk, room, err);
    if (rc == 0)
        room->len = drop_nuls(room->ptr, room->len);
    *lines_out = cw_buf_str(room);
    return rc;
}
