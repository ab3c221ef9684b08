/* snapshots.c - put a snapshot together, list snapshots, remove them. */
#include "ingester/snapshots.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/file_tree.h"
#include "common/base/log.h"
#include "common/store/wal_reader.h"
#include "common/wire/json_writer.h"

#define UNFINISHED ".tmp"
/* A header and a checkpoint. */
#define SEGMENT_BYTES_MAX (CW_WAL_BODY_BYTES_MAX + CW_WAL_META_BYTES_MAX + (1u << 20))

/* Files that are replaced whole, never changed, where the store has them. */
static const char *const linked_files[] = {"FORMAT", "deletes"};

static char *path_of(const char *data_dir, const char *more, struct cw_str name, const char *end)
{
    struct cw_buf path;
    cw_buf_init(&path, SIZE_MAX);
    cw_buf_addf(&path, "%s/%s%.*s%s", data_dir, more, CW_STR_ARG(name), end);
    return cw_buf_take(&path, NULL);
}

/* "20260105T100000Z-000000004711" */
struct snapshot_name {
    int64_t made_ns;
    uint64_t wal_seq;
};

static char *name_format(const struct snapshot_name *name)
{
    struct cw_buf out;
    int year, month, day;
    int64_t s = name->made_ns / CW_NS_PER_S;
    cw_day_to_date(s / 86400, &year, &month, &day);
    cw_buf_init(&out, SIZE_MAX);
    cw_buf_addf(&out, "%04d%02d%02dT%02d%02d%02dZ-%012" PRIu64, year, month, day,
                (int)(s % 86400 / 3600), (int)(s % 3600 / 60), (int)(s % 60), name->wal_seq);
    return cw_buf_take(&out, NULL);
}

static bool number_take(struct cw_str text, size_t from, size_t to, int *out)
{
    int64_t value;
    if (!cw_str_to_i64(cw_str_sub(text, from, to), &value) || value < 0 || value > 9999)
        return false;
    *out = (int)value;
    return true;
}

/* Only what name_format() makes: nothing else is ever touched, so that no name leads out of the folder. */
static bool name_parse(struct cw_str text, struct snapshot_name *out)
{
    int year, month, day, hour, minute, second;
    enum { TIME_BYTES = 16 };
    if (text.len < TIME_BYTES + 2 || !number_take(text, 0, 4, &year) ||
        !number_take(text, 4, 6, &month) || !number_take(text, 6, 8, &day) ||
        !number_take(text, 9, 11, &hour) || !number_take(text, 11, 13, &minute) ||
        !number_take(text, 13, 15, &second) ||
        !cw_str_to_u64(cw_str_sub(text, TIME_BYTES + 1, text.len), &out->wal_seq))
        return false;
    out->made_ns = (cw_date_to_day(year, month, day) * 86400 + hour * 3600 + minute * 60 + second) *
                   CW_NS_PER_S;
    char *again = name_format(out);
    bool same = cw_str_eqz(text, again);
    free(again);
    return same;
}

/* ---- making one ---- */

static int link_if_there(const char *from, const char *to, struct cw_err *err)
{
    int rc = cw_file_link(from, to, err);
    return rc == CW_E_NOT_FOUND && !cw_file_exists(from) ? 0 : rc;
}

static int link_files(const struct cw_snapshot_draft *draft, struct cw_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < CW_COUNT(linked_files) && rc == 0; i++) {
        struct cw_str name = cw_str_of(linked_files[i]);
        char *from = path_of(draft->data_dir, "", name, "");
        char *to = path_of(draft->dir, "", name, "");
        rc = link_if_there(from, to, err);
        free(from);
        free(to);
    }
    return rc;
}

/* Not durable yet. */
static int file_copy(const char *from, const char *to, struct cw_err *err)
{
    struct cw_buf bytes;
    cw_buf_init(&bytes, SIZE_MAX);
    int rc = cw_file_read(from, SEGMENT_BYTES_MAX, &bytes, err), fd = -1;
    if (rc == 0)
        rc = fd = cw_file_open(to, O_WRONLY | O_CREAT | O_EXCL, err);
    if (fd >= 0) {
        rc = cw_file_write_all(fd, bytes.ptr, bytes.len, to, err);
        close(fd);
    }
    cw_buf_fini(&bytes);
    return rc;
}

/* A segment that goes meanwhile is in parts, which are linked after this; its marks are in the newest one, which has nothing but
 * its checkpoint yet. That one will grow: it is copied. */
static int link_segments(const struct cw_snapshot_draft *draft, struct cw_err *err)
{
    struct cw_wal_list list = {0};
    char *from_dir = path_of(draft->data_dir, "wal", CW_STR_NONE, "");
    char *to_dir = path_of(draft->dir, "wal", CW_STR_NONE, "");
    int rc = cw_file_mkdir(to_dir, err);
    if (rc == 0)
        rc = cw_wal_list(from_dir, &list, err);
    for (size_t i = 0; i < list.n && rc == 0; i++) {
        struct cw_buf from, to;
        cw_buf_init(&from, SIZE_MAX);
        cw_buf_init(&to, SIZE_MAX);
        cw_wal_path(from_dir, list.numbers[i], &from);
        cw_wal_path(to_dir, list.numbers[i], &to);
        rc = i + 1 < list.n ? link_if_there(cw_buf_z(&from), cw_buf_z(&to), err)
                            : file_copy(cw_buf_z(&from), cw_buf_z(&to), err);
        cw_buf_fini(&from);
        cw_buf_fini(&to);
    }
    cw_wal_list_fini(&list);
    free(from_dir);
    free(to_dir);
    return rc;
}

static void draft_fini(struct cw_snapshot_draft *draft)
{
    cw_catalog_fini(&draft->catalog);
    free(draft->data_dir);
    free(draft->name);
    free(draft->dir);
    *draft = (struct cw_snapshot_draft){0};
}

int cw_snapshots_begin(const char *data_dir, int64_t now_ns, uint64_t wal_seq,
                       struct cw_snapshot_draft *out, struct cw_err *err)
{
    struct snapshot_name name = {.made_ns = CW_MAX(now_ns, 0), .wal_seq = wal_seq};
    struct cw_snapshot_draft draft = {.data_dir = cw_str_dupz(cw_str_of(data_dir)),
                                      .name = name_format(&name)};
    draft.dir = path_of(data_dir, "snapshots/", cw_str_of(draft.name), UNFINISHED);
    cw_catalog_init(&draft.catalog);
    char *above = path_of(data_dir, "snapshots", CW_STR_NONE, "");
    int rc = cw_file_mkdir(above, err);
    free(above);
    if (rc == 0)
        rc = cw_file_mkdir(draft.dir, err);
    if (rc == 0)
        rc = link_files(&draft, err);
    if (rc == 0)
        rc = link_segments(&draft, err);
    if (rc < 0) {
        cw_snapshots_abandon(&draft);
        return rc;
    }
    *out = draft;
    return 0;
}

void cw_snapshots_abandon(struct cw_snapshot_draft *draft)
{
    struct cw_err err = {0};
    if (draft->dir != NULL && cw_file_tree_remove(draft->dir, &err) < 0)
        cw_log_warn("an unfinished snapshot stays until the next start: %s", err.text);
    draft_fini(draft);
}

/* ---- telling of them ---- */

static int describe(const char *data_dir, struct cw_str name, struct cw_json_writer *w,
                    struct cw_err *err)
{
    struct snapshot_name parsed;
    uint64_t bytes;
    if (!name_parse(name, &parsed))
        return cw_err_set(err, CW_E_NOT_FOUND, "there is no snapshot %.*s", CW_STR_ARG(name));
    char *dir = path_of(data_dir, "snapshots/", name, "");
    char *absolute = realpath(dir, NULL);
    int rc = cw_file_tree_bytes(dir, &bytes, err);
    if (rc == 0) {
        struct cw_buf made;
        cw_buf_init(&made, SIZE_MAX);
        cw_time_format_rfc3339(parsed.made_ns, &made);
        cw_json_begin_object(w);
        cw_json_key_string(w, "name", name);
        cw_json_key_string(w, "path", cw_str_of(absolute != NULL ? absolute : dir));
        cw_json_key_string(w, "made", cw_buf_str(&made));
        cw_json_key_u64(w, "bytes", bytes);
        cw_json_key_u64(w, "wal_sequence", parsed.wal_seq);
        cw_json_end_object(w);
        cw_buf_fini(&made);
    }
    free(absolute);
    free(dir);
    return rc;
}

int cw_snapshots_finish(struct cw_snapshot_draft *draft, struct cw_buf *json, struct cw_err *err)
{
    char *dir = path_of(draft->data_dir, "snapshots/", cw_str_of(draft->name), "");
    int rc = cw_catalog_write(draft->dir, &draft->catalog, err);
    if (rc == 0)
        rc = cw_file_tree_sync(draft->dir, err);
    if (rc == 0)
        rc = cw_file_rename(draft->dir, dir, err);
    if (rc == 0)
        rc = cw_file_sync_dir(draft->data_dir, err); /* the folder `snapshots` may be new */
    free(dir);
    if (rc < 0) {
        cw_snapshots_abandon(draft);
        return rc;
    }
    struct cw_json_writer w = cw_json_writer_make(json);
    rc = describe(draft->data_dir, cw_str_of(draft->name), &w, err);
    draft_fini(draft);
    return rc;
}

/* The names in the folder `snapshots`; none when it is not there. */
static int names_list(const char *data_dir, struct cw_file_names *out, struct cw_err *err)
{
    char *dir = path_of(data_dir, "snapshots", CW_STR_NONE, "");
    int rc = cw_file_list(dir, out, err);
    free(dir);
    if (rc == CW_E_NOT_FOUND) {
        *out = (struct cw_file_names){0};
        return 0;
    }
    return rc;
}

int cw_snapshots_list(const char *data_dir, struct cw_buf *json, struct cw_err *err)
{
    struct cw_file_names names;
    struct cw_json_writer w = cw_json_writer_make(json);
    int rc = names_list(data_dir, &names, err);
    if (rc < 0)
        return rc;
    cw_json_begin_object(&w);
    cw_json_key(&w, CW_STR("snapshots"));
    cw_json_begin_array(&w);
    for (size_t i = 0; i < names.n && rc == 0; i++) {
        struct cw_str name = cw_str_of(names.names[i]);
        struct snapshot_name parsed;
        if (name_parse(name, &parsed))
            rc = describe(data_dir, name, &w, err);
        if (rc == CW_E_NOT_FOUND) /* it was removed meanwhile */
            rc = 0;
    }
    cw_json_end_array(&w);
    cw_json_end_object(&w);
    cw_file_names_free(&names);
    return rc;
}

/* ---- removing them ---- */

int cw_snapshots_remove(const char *data_dir, struct cw_str name, struct cw_err *err)
{
    struct snapshot_name parsed;
    if (!name_parse(name, &parsed))
        return cw_err_set(err, CW_E_NOT_FOUND, "there is no snapshot %.*s", CW_STR_ARG(name));
    char *dir = path_of(data_dir, "snapshots/", name, "");
    char *going = path_of(data_dir, "snapshots/", name, UNFINISHED);
    /* Half of one is none: a crash leaves what the next start removes. */
    int rc = cw_file_rename(dir, going, err);
    if (rc == CW_E_NOT_FOUND)
        cw_err_set(err, rc, "there is no snapshot %.*s", CW_STR_ARG(name));
    if (rc == 0)
        rc = cw_file_tree_remove(going, err);
    free(dir);
    free(going);
    return rc;
}

int cw_snapshots_clean(const char *data_dir, struct cw_err *err)
{
    struct cw_file_names names;
    int rc = names_list(data_dir, &names, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < names.n && rc == 0; i++) {
        struct cw_str name = cw_str_of(names.names[i]);
        struct snapshot_name parsed;
        if (!cw_str_ends(name, CW_STR(UNFINISHED)) ||
            !name_parse(cw_str_sub(name, 0, name.len - strlen(UNFINISHED)), &parsed))
            continue;
        cw_log_info("removing the unfinished snapshot %s", names.names[i]);
        char *dir = path_of(data_dir, "snapshots/", name, "");
        rc = cw_file_tree_remove(dir, err);
        free(dir);
    }
    cw_file_names_free(&names);
    return rc;
}
