#include "shipper/dead_letters.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/base/arena.h"
#include "common/base/base64.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/wire/json_reader.h"
#include "common/wire/json_writer.h"
#include "shipper/shipper_metrics.h"

/* Pairs of structured metadata in one letter; a server takes 128. */
enum { LETTER_METADATA_MAX = 4096 };

struct cw_dead_letters {
    char *path, *old_path;
    int fd;                     /* -1: not open */
    bool unsynced;              /* there are letters that no _sync() has seen; the lock is held */
    uint64_t size;              /* ahead of those */
    struct cw_metrics *metrics; /* NULL: not counted */
};

struct cw_dead_letters *cw_dead_letters_new(const char *path, struct cw_metrics *metrics)
{
    struct cw_dead_letters *letters = cw_mem_new(sizeof *letters);
    struct cw_buf old;
    cw_buf_init(&old, SIZE_MAX);
    cw_buf_addf(&old, "%s.old", path);
    letters->old_path = cw_str_dupz(cw_buf_str(&old));
    letters->path = cw_str_dupz(cw_str_of(path));
    letters->fd = -1;
    letters->metrics = metrics;
    cw_buf_fini(&old);
    return letters;
}

static void letters_close(struct cw_dead_letters *letters)
{
    if (letters->fd >= 0)
        close(letters->fd); /* and with it the lock */
    letters->fd = -1;
}

void cw_dead_letters_free(struct cw_dead_letters **letters)
{
    if (*letters == NULL)
        return;
    letters_close(*letters);
    free((*letters)->path);
    free((*letters)->old_path);
    free(*letters);
    *letters = NULL;
}

/* ---- writing ---- */

static void metadata_format(const struct cw_push_entry *entry, struct cw_json_writer *w)
{
    if (entry->nmetadata == 0)
        return;
    cw_json_key(w, CW_STR("metadata"));
    cw_json_begin_object(w);
    for (size_t i = 0; i < entry->nmetadata; i++) {
        cw_json_key(w, entry->metadata[i].name);
        cw_json_string(w, entry->metadata[i].value);
    }
    cw_json_end_object(w);
}

void cw_dead_letter_format(const struct cw_dead_letter *letter, struct cw_buf *out)
{
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    struct cw_json_writer w = cw_json_writer_make(out);
    cw_json_begin_object(&w);
    cw_time_format_rfc3339(letter->entry.ts_ns, &text);
    cw_json_key_string(&w, "time", cw_buf_str(&text));
    cw_json_key_string(&w, "client", letter->client);
    if (letter->tenant.len > 0)
        cw_json_key_string(&w, "tenant", letter->tenant);
    cw_json_key_u64(&w, "status", (uint64_t)letter->status);
    cw_json_key_string(&w, "error",
                       cw_str_sub(cw_str_trim(letter->error), 0, CW_DEAD_LETTER_ERROR_BYTES));
    cw_json_key_string(&w, "labels", letter->labels);
    metadata_format(&letter->entry, &w);
    cw_buf_clear(&text);
    if (cw_utf8_valid(letter->entry.line)) {
        cw_json_key_string(&w, "line", letter->entry.line);
    } else {
        cw_base64_encode(letter->entry.line, &text);
        cw_json_key_string(&w, "line_b64", cw_buf_str(&text));
    }
    cw_json_end_object(&w);
    cw_buf_addc(out, '\n');
    cw_buf_fini(&text);
}

/* Whether what is open is still what stands at the path. */
static bool letters_in_place(const struct cw_dead_letters *letters)
{
    struct stat open_st, st;
    return fstat(letters->fd, &open_st) == 0 && stat(letters->path, &st) == 0 &&
           open_st.st_ino == st.st_ino && open_st.st_dev == st.st_dev;
}

/* Open and lock the file at the path. A line that a crash cut off is ended. */
static int letters_open(struct cw_dead_letters *letters, struct cw_err *err)
{
    while (letters->fd < 0 || !letters_in_place(letters)) {
        letters_close(letters);
        letters->fd = cw_file_open(letters->path, O_RDWR | O_CREAT | O_APPEND, err);
        if (letters->fd < 0)
            return letters->fd;
        if (flock(letters->fd, LOCK_EX) < 0)
            return cw_err_errno(err, CW_E_IO, errno, "lock %s", letters->path);
    }
    struct stat st;
    char last = '\n';
    letters->size = fstat(letters->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
    if (letters->size > 0 && pread(letters->fd, &last, 1, (off_t)letters->size - 1) == 1 &&
        last != '\n')
        return cw_file_write_all(letters->fd, "\n", 1, letters->path, err);
    return 0;
}

static int letters_rotate(struct cw_dead_letters *letters, struct cw_err *err)
{
    struct stat old;
    bool lost = stat(letters->old_path, &old) == 0 && old.st_size > 0;
    int rc = cw_file_rename(letters->path, letters->old_path, err);
    letters_close(letters);
    if (rc == 0 && lost) {
        cw_log_error(
            "%s is full and replaces %s: %lld bytes of dead letters are lost; see why they are "
            "refused, and resend them",
            letters->path, letters->old_path, (long long)old.st_size);
        if (letters->metrics != NULL)
            cw_metrics_add(letters->metrics, CW_M_LETTERS_LOST, (int64_t)old.st_size);
    }
    return rc < 0 ? rc : letters_open(letters, err);
}

static void letters_unlock(struct cw_dead_letters *letters)
{
    if (letters->fd >= 0)
        (void)flock(letters->fd, LOCK_UN);
    letters->unsynced = false;
}

/* Ahead of the first letter of some that are synced together. */
static int letters_begin(struct cw_dead_letters *letters, struct cw_err *err)
{
    if (letters->fd >= 0 && flock(letters->fd, LOCK_EX) < 0)
        return cw_err_errno(err, CW_E_IO, errno, "lock %s", letters->path);
    int rc = letters_open(letters, err);
    if (rc == 0 && letters->size >= CW_DEAD_LETTERS_BYTES)
        rc = letters_rotate(letters, err);
    if (rc < 0)
        letters_unlock(letters);
    else
        letters->unsynced = true;
    return rc;
}

/* Their entries are not settled, and will be written down again. */
static void letters_take_back(struct cw_dead_letters *letters)
{
    if (ftruncate(letters->fd, (off_t)letters->size) < 0)
        cw_log_warn("cutting %s failed: letters at its end will come twice", letters->path);
    letters_unlock(letters);
}

int cw_dead_letters_add(struct cw_dead_letters *letters, const struct cw_dead_letter *letter,
                        struct cw_err *err)
{
    int rc = letters->unsynced ? 0 : letters_begin(letters, err);
    if (rc < 0)
        return rc;
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    cw_dead_letter_format(letter, &text);
    rc = cw_file_write_all(letters->fd, text.ptr, text.len, letters->path, err);
    cw_buf_fini(&text);
    if (rc < 0)
        letters_take_back(letters);
    return rc;
}

int cw_dead_letters_sync(struct cw_dead_letters *letters, struct cw_err *err)
{
    if (!letters->unsynced)
        return 0;
    int rc = cw_file_sync(letters->fd, letters->path, err);
    if (rc < 0)
        letters_take_back(letters);
    else
        letters_unlock(letters);
    return rc;
}

/* ---- reading ---- */

static int metadata_parse(struct cw_json_reader *reader, struct cw_arena *arena,
                          struct cw_push_entry *entry, struct cw_err *err)
{
    struct cw_label *pairs = NULL;
    size_t n = 0, cap = 0;
    int event = cw_json_next(reader, err);
    if (event != CW_JSON_OBJECT)
        return event < 0 ? event : cw_json_error(reader, err, "metadata is no object");
    while ((event = cw_json_next(reader, err)) == CW_JSON_KEY) {
        struct cw_str name = reader->text;
        event = cw_json_next(reader, err);
        if (event != CW_JSON_STRING || n == LETTER_METADATA_MAX)
            return event < 0 ? event : cw_json_error(reader, err, "bad metadata");
        pairs = cw_arena_grow(arena, pairs, n, &cap, n + 1, sizeof *pairs);
        pairs[n++] = (struct cw_label){name, reader->text};
    }
    entry->metadata = pairs;
    entry->nmetadata = (uint32_t)n;
    return event < 0 ? event : 0;
}

static int line_decode(struct cw_str text, struct cw_arena *arena, struct cw_str *out,
                       struct cw_err *err)
{
    struct cw_buf bytes;
    cw_buf_init(&bytes, SIZE_MAX);
    bool good = cw_base64_decode(text, &bytes);
    *out = cw_arena_dup(arena, cw_buf_str(&bytes));
    cw_buf_fini(&bytes);
    return good ? 0 : cw_err_set(err, CW_E_CORRUPT, "line_b64 is no base64");
}

struct letter_seen {
    bool time, client, labels, line;
};

/* One member, whose name was read. */
static int member_parse(struct cw_json_reader *reader, struct cw_arena *arena,
                        struct cw_dead_letter *letter, struct letter_seen *seen, struct cw_err *err)
{
    struct cw_str name = reader->text;
    if (cw_str_eqz(name, "metadata"))
        return metadata_parse(reader, arena, &letter->entry, err);
    int event = cw_json_next(reader, err);
    if (event < 0)
        return event;
    struct cw_str text = event == CW_JSON_STRING ? reader->text : CW_STR_NONE;
    uint64_t status;
    if (event == CW_JSON_NUMBER) {
        if (cw_str_eqz(name, "status") && cw_str_to_u64(reader->text, &status) && status < 1000)
            letter->status = (int)status;
        return 0;
    }
    if (event != CW_JSON_STRING)
        return cw_json_skip_rest(reader, event, err);
    if (cw_str_eqz(name, "time")) {
        seen->time = cw_time_parse_rfc3339(text, &letter->entry.ts_ns);
    } else if (cw_str_eqz(name, "line")) {
        letter->entry.line = text;
        seen->line = true;
    } else if (cw_str_eqz(name, "line_b64")) {
        seen->line = true;
        return line_decode(text, arena, &letter->entry.line, err);
    } else if (cw_str_eqz(name, "client")) {
        letter->client = text;
        seen->client = true;
    } else if (cw_str_eqz(name, "tenant")) {
        letter->tenant = text;
    } else if (cw_str_eqz(name, "error")) {
        letter->error = text;
    } else if (cw_str_eqz(name, "labels")) {
        letter->labels = text;
        seen->labels = true;
    }
    return 0;
}

int cw_dead_letter_parse(struct cw_str line, struct cw_arena *arena, struct cw_dead_letter *out,
                         struct cw_err *err)
{
    struct cw_json_reader reader;
    struct letter_seen seen = {0};
    *out = (struct cw_dead_letter){0};
    cw_json_reader_init(&reader, line, arena);
    int event = cw_json_next(&reader, err);
    if (event >= 0 && event != CW_JSON_OBJECT)
        return cw_err_set(err, CW_E_CORRUPT, "no JSON object");
    while (event >= 0 && (event = cw_json_next(&reader, err)) == CW_JSON_KEY) {
        int rc = member_parse(&reader, arena, out, &seen, err);
        if (rc < 0)
            event = rc;
    }
    if (event < 0) {
        err->code = CW_E_CORRUPT;
        return CW_E_CORRUPT;
    }
    if (!seen.time || !seen.client || !seen.labels || !seen.line)
        return cw_err_set(err, CW_E_CORRUPT,
                          "no dead letter: it lacks its time, client, labels or line");
    return 0;
}
