/* delete_list.c - deletes as text, and their file. */
#include "common/store/delete_list.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/file.h"
#include "common/store/own_file.h"
#include "common/base/hash.h"
#include "common/base/limits.h"
#include "common/labels/labels.h"
#include "common/store/catalog.h"
#include "common/store/room_reserve.h"

enum { DELETES_VERSION = 2 /* 2: unread */ };

/* Every query of the largest size, each byte escaped, would be 5 GB: a hundredth of that is as much as a disk has to take. */
#define DELETES_BYTES_MAX (64u << 20)

static const char *const state_names[] = {"received", "processing", "processed"};

uint64_t cw_delete_list_below_id(const struct cw_delete_row *row)
{
    return row->state == CW_DELETE_PROCESSING ? row->purge_id : UINT64_MAX;
}

bool cw_delete_list_row_is_of(const struct cw_delete_row *row, uint64_t below_id,
                              const struct cw_delete_place *place)
{
    return place->wal_last <= row->wal_seq && place->id < below_id &&
           row->first_ns <= place->max_ns && row->last_ns >= place->min_ns;
}

void cw_delete_list_fini(struct cw_delete_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free((char *)list->rows[i].tenant.ptr);
        free((char *)list->rows[i].query.ptr);
    }
    free(list->rows);
    *list = (struct cw_delete_list){0};
}

void cw_delete_list_add(struct cw_delete_list *list, const struct cw_delete_row *row)
{
    if (list->n == list->cap) {
        list->cap = list->cap ? 2 * list->cap : 8;
        list->rows = cw_mem_resize(list->rows, list->cap * sizeof(*list->rows));
    }
    struct cw_delete_row *copy = &list->rows[list->n++];
    *copy = *row;
    copy->tenant.ptr = cw_str_dupz(row->tenant);
    copy->query.ptr = cw_str_dupz(row->query);
}

/* ---- text ---- */

static void row_format(const struct cw_delete_row *row, struct cw_buf *out)
{
    cw_buf_addf(out,
                "%08" PRIx32 " %s %" PRIu64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
                " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64 " ",
                row->id, state_names[row->state], row->wal_seq, row->first_ns, row->last_ns,
                row->created_ns, row->due_ns, row->purge_id, row->nremoved, row->nunread,
                row->finished_ns);
    cw_catalog_escape_tenant(row->tenant, out);
    cw_buf_addc(out, ' ');
    cw_quote_go(row->query, out);
}

void cw_delete_list_format(const struct cw_delete_list *list, struct cw_buf *out)
{
    struct cw_buf line;
    cw_buf_init(&line, SIZE_MAX);
    cw_buf_addf(out, "cordwood deletes %d\n", DELETES_VERSION);
    for (size_t i = 0; i < list->n; i++) {
        cw_buf_clear(&line);
        row_format(&list->rows[i], &line);
        cw_buf_addf(out, "%016" PRIx64 " ", cw_hash64(line.ptr, line.len));
        cw_buf_adds(out, cw_buf_str(&line));
        cw_buf_addc(out, '\n');
    }
    cw_buf_addf(out, "end %zu\n", list->n);
    cw_buf_fini(&line);
}

static bool word_hex(struct cw_str *line, size_t digits, uint64_t *out)
{
    struct cw_str word;
    if (!cw_str_split(line, ' ', &word) || word.len != digits)
        return false;
    *out = 0;
    for (size_t i = 0; i < digits; i++) {
        int d = cw_str_hex_digit(word.ptr[i]);
        if (d < 0)
            return false;
        *out = *out << 4 | (uint64_t)d;
    }
    return true;
}

static bool word_state(struct cw_str *line, enum cw_delete_state *out)
{
    struct cw_str word;
    if (!cw_str_split(line, ' ', &word))
        return false;
    for (size_t i = 0; i < sizeof(state_names) / sizeof(state_names[0]); i++) {
        if (cw_str_eqz(word, state_names[i])) {
            *out = (enum cw_delete_state)i;
            return true;
        }
    }
    return false;
}

static bool numbers_parse(struct cw_str *line, uint64_t version, struct cw_delete_row *row)
{
    uint64_t id;
    if (!word_hex(line, 8, &id) || id == 0 || !word_state(line, &row->state) ||
        !cw_str_take_u64(line, &row->wal_seq) || !cw_str_take_i64(line, &row->first_ns) ||
        !cw_str_take_i64(line, &row->last_ns) || !cw_str_take_i64(line, &row->created_ns) ||
        !cw_str_take_i64(line, &row->due_ns) || !cw_str_take_u64(line, &row->purge_id) ||
        !cw_str_take_u64(line, &row->nremoved) ||
        (version > 1 && !cw_str_take_u64(line, &row->nunread)) ||
        !cw_str_take_i64(line, &row->finished_ns))
        return false;
    row->id = (uint32_t)id;
    return true;
}

static bool row_parse(struct cw_str line, uint64_t version, struct cw_arena *arena,
                      struct cw_delete_list *out)
{
    struct cw_delete_row row = {0};
    struct cw_str tenant;
    uint64_t sum;
    if (!word_hex(&line, 16, &sum) || sum != cw_hash64(line.ptr, line.len) ||
        !numbers_parse(&line, version, &row) || !cw_str_split(&line, ' ', &tenant) ||
        !cw_unquote_go(line, arena, &row.query) || row.query.len > CW_LIMIT_QUERY_BYTES)
        return false;
    struct cw_buf name;
    cw_buf_init(&name, SIZE_MAX);
    bool ok = cw_catalog_unescape_tenant(tenant, &name);
    row.tenant = cw_buf_str(&name);
    if (ok)
        cw_delete_list_add(out, &row);
    cw_buf_fini(&name);
    return ok;
}

int cw_delete_list_parse(struct cw_str text, struct cw_delete_list *out, size_t *nbad_out,
                         struct cw_err *err)
{
    struct cw_str line, head = CW_STR("cordwood deletes "), end = CW_STR("end ");
    uint64_t version = DELETES_VERSION, nlines = 0, nseen = 0;
    bool ended = false;
    *out = (struct cw_delete_list){0};
    *nbad_out = 0;
    if (!cw_str_split(&text, '\n', &line) || !cw_str_starts(line, head) ||
        !cw_str_to_u64(cw_str_sub(line, head.len, line.len), &version))
        ++*nbad_out;
    else if (version > DELETES_VERSION)
        return cw_err_set(err, CW_E_INVALID,
                          "deletes: version %" PRIu64 " is newer than %d, which this program reads",
                          version, DELETES_VERSION);
    struct cw_arena *arena = cw_arena_new();
    while (!ended && text.len > 0 && out->n < CW_DELETES_MAX && cw_str_split(&text, '\n', &line)) {
        if (cw_str_starts(line, end) &&
            cw_str_to_u64(cw_str_sub(line, end.len, line.len), &nlines)) {
            ended = true;
            continue;
        }
        nseen++;
        *nbad_out += !row_parse(line, version, arena, out);
        cw_arena_reset(arena);
    }
    cw_arena_free(&arena);
    if (!ended || nlines != nseen)
        ++*nbad_out;
    return 0;
}

/* ---- file ---- */

static char *path_of(const char *data_dir, const char *ending)
{
    struct cw_buf path;
    cw_buf_init(&path, SIZE_MAX);
    cw_buf_addf(&path, "%s/deletes%s", data_dir, ending);
    return cw_buf_take(&path, NULL);
}

int cw_delete_list_read(const char *data_dir, struct cw_delete_list *out, size_t *nbad_out,
                        struct cw_err *err)
{
    char *path = path_of(data_dir, "");
    struct cw_buf text;
    cw_buf_init(&text, DELETES_BYTES_MAX);
    int rc = cw_own_file_read(path, DELETES_BYTES_MAX, &text, err);
    if (rc == CW_E_CORRUPT) { /* as a file of which no line is whole */
        *out = (struct cw_delete_list){0};
        *nbad_out = 1;
        rc = 0;
    } else if (rc >= 0)
        rc = cw_delete_list_parse(cw_buf_str(&text), out, nbad_out, err);
    cw_buf_fini(&text);
    free(path);
    return rc;
}

int cw_delete_list_reserve(const char *data_dir, struct cw_err *err)
{
    char *path = path_of(data_dir, ".reserve");
    int rc = cw_room_reserve_keep(path, CW_DELETES_RESERVE_BYTES, err);
    free(path);
    return rc;
}

static int text_write(const char *data_dir, struct cw_str text, struct cw_err *err)
{
    char *path = path_of(data_dir, ""), *spare = path_of(data_dir, ".reserve");
    struct cw_err why;
    int rc = cw_file_replace(path, text, err);
    if (rc == CW_E_UNAVAILABLE && cw_file_replace_by(path, spare, text, &why) == 0)
        rc = 0;
    /* Without one the next write may fail, and says so. */
    if (rc == 0)
        (void)!cw_delete_list_reserve(data_dir, &why);
    free(spare);
    free(path);
    return rc;
}

int cw_delete_list_write(const char *data_dir, const struct cw_delete_list *list,
                         struct cw_err *err)
{
    struct cw_buf text;
    cw_buf_init(&text, DELETES_BYTES_MAX);
    cw_delete_list_format(list, &text);
    int rc = cw_buf_failed(&text) || list->n > CW_DELETES_MAX
                 ? cw_err_set(err, CW_E_LIMIT, "%zu deletes are too many", list->n)
                 : text_write(data_dir, cw_buf_str(&text), err);
    cw_buf_fini(&text);
    return rc;
}
