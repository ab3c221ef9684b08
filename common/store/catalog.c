/* catalog.c - the list of parts: its text, its file, and where parts lie. */
#include "common/store/catalog.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/store/own_file.h"
#include "common/store/room_reserve.h"
#include "common/base/hash.h"
#include "common/base/limits.h"
#include "common/store/format.h"

/* A million parts, some 100 bytes each. */
#define CATALOG_BYTES_MAX (256u << 20)
#define DATA_FORMAT 1

void cw_catalog_init(struct cw_catalog *c)
{
    *c = (struct cw_catalog){.next_id = 1};
}

static void list_free(struct cw_catalog_part *parts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free((char *)parts[i].tenant.ptr);
    free(parts);
}

void cw_catalog_fini(struct cw_catalog *c)
{
    list_free(c->parts, c->n);
    list_free(c->missing, c->nmissing);
    *c = (struct cw_catalog){0};
}

/* Where `id` is, or belongs. */
static size_t list_index(const struct cw_catalog_part *parts, size_t n, uint64_t id)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (parts[mid].id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static const struct cw_catalog_part *list_find(const struct cw_catalog_part *parts, size_t n,
                                               uint64_t id)
{
    size_t i = list_index(parts, n, id);
    return i < n && parts[i].id == id ? &parts[i] : NULL;
}

/* The tenant's text is the list's now. */
static void list_add(struct cw_catalog_part **parts, size_t *n, size_t *cap,
                     const struct cw_catalog_part *part)
{
    size_t i = list_index(*parts, *n, part->id);
    CW_ASSERT(i == *n || (*parts)[i].id != part->id);
    if (*n == *cap) {
        *cap = *cap ? 2 * *cap : 16;
        *parts = cw_mem_resize(*parts, *cap * sizeof(**parts));
    }
    memmove(&(*parts)[i + 1], &(*parts)[i], (*n - i) * sizeof(**parts));
    (*parts)[i] = *part;
    ++*n;
}

/* *out's text is the caller's now. */
static bool list_take(struct cw_catalog_part *parts, size_t *n, uint64_t id,
                      struct cw_catalog_part *out)
{
    size_t i = list_index(parts, *n, id);
    if (i == *n || parts[i].id != id)
        return false;
    *out = parts[i];
    memmove(&parts[i], &parts[i + 1], (*n - i - 1) * sizeof(*parts));
    --*n;
    return true;
}

static struct cw_catalog_part part_dup(const struct cw_catalog_part *part)
{
    struct cw_catalog_part copy = *part;
    copy.tenant.ptr = cw_str_dupz(part->tenant);
    return copy;
}

void cw_catalog_add(struct cw_catalog *c, const struct cw_catalog_part *part)
{
    struct cw_catalog_part copy = part_dup(part);
    list_add(&c->parts, &c->n, &c->cap, &copy);
    c->next_id = CW_MAX(c->next_id, part->id + 1);
}

static void missing_add(struct cw_catalog *c, const struct cw_catalog_part *part)
{
    struct cw_catalog_part copy = part_dup(part);
    list_add(&c->missing, &c->nmissing, &c->missing_cap, &copy);
    c->next_id = CW_MAX(c->next_id, part->id + 1);
}

const struct cw_catalog_part *cw_catalog_find(const struct cw_catalog *c, uint64_t id)
{
    return list_find(c->parts, c->n, id);
}

const struct cw_catalog_part *cw_catalog_find_missing(const struct cw_catalog *c, uint64_t id)
{
    return list_find(c->missing, c->nmissing, id);
}

bool cw_catalog_remove(struct cw_catalog *c, uint64_t id)
{
    struct cw_catalog_part part;
    if (!list_take(c->parts, &c->n, id, &part))
        return false;
    free((char *)part.tenant.ptr);
    return true;
}

bool cw_catalog_forget(struct cw_catalog *c, uint64_t id)
{
    struct cw_catalog_part part;
    if (!list_take(c->missing, &c->nmissing, id, &part))
        return false;
    free((char *)part.tenant.ptr);
    return true;
}

void cw_catalog_miss(struct cw_catalog *c, uint64_t id)
{
    struct cw_catalog_part part;
    CW_ASSERT(list_take(c->parts, &c->n, id, &part));
    list_add(&c->missing, &c->nmissing, &c->missing_cap, &part);
}

void cw_catalog_found(struct cw_catalog *c, uint64_t id)
{
    struct cw_catalog_part part;
    CW_ASSERT(list_take(c->missing, &c->nmissing, id, &part));
    list_add(&c->parts, &c->n, &c->cap, &part);
}

void cw_catalog_copy(const struct cw_catalog *from, struct cw_catalog *to)
{
    cw_catalog_init(to);
    for (size_t i = 0; i < from->n; i++)
        cw_catalog_add(to, &from->parts[i]);
    for (size_t i = 0; i < from->nmissing; i++)
        missing_add(to, &from->missing[i]);
    to->wal_flushed = from->wal_flushed;
    to->next_id = from->next_id;
    to->keeps_deletes = from->keeps_deletes;
}

/* ---- paths ---- */

static bool tenant_char_stays(struct cw_str tenant, size_t i)
{
    char c = tenant.ptr[i];
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    return c != '\0' && strchr("!-_.*'()", c) != NULL && !(c == '.' && i == 0);
}

void cw_catalog_escape_tenant(struct cw_str tenant, struct cw_buf *out)
{
    for (size_t i = 0; i < tenant.len; i++) {
        if (tenant_char_stays(tenant, i))
            cw_buf_addc(out, tenant.ptr[i]);
        else
            cw_buf_addf(out, "%%%02X", (unsigned)(uint8_t)tenant.ptr[i]);
    }
}

bool cw_catalog_unescape_tenant(struct cw_str text, struct cw_buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '%') {
            cw_buf_addc(out, text.ptr[i]);
            continue;
        }
        if (i + 2 >= text.len)
            return false;
        int hi = cw_str_hex_digit(text.ptr[i + 1]), lo = cw_str_hex_digit(text.ptr[i + 2]);
        if (hi < 0 || lo < 0)
            return false;
        cw_buf_addc(out, (char)(hi * 16 + lo));
        i += 2;
    }
    return out->len > 0 && out->len <= CW_LIMIT_TENANT_BYTES;
}

static void day_name(int32_t day, struct cw_buf *out)
{
    if (day == CW_DAY_MIXED) {
        cw_buf_addz(out, "mixed");
        return;
    }
    int year, month, mday;
    cw_day_to_date(day, &year, &month, &mday);
    cw_buf_addf(out, "%04d-%02d-%02d", year, month, mday);
}

void cw_catalog_part_dir(const char *data_dir, struct cw_str tenant, int32_t day,
                         struct cw_buf *out)
{
    cw_buf_addf(out, "%s/parts/", data_dir);
    cw_catalog_escape_tenant(tenant, out);
    cw_buf_addc(out, '/');
    day_name(day, out);
}

void cw_catalog_part_path(const char *data_dir, struct cw_str tenant, int32_t day, uint64_t id,
                          struct cw_buf *out)
{
    cw_catalog_part_dir(data_dir, tenant, day, out);
    cw_buf_addf(out, "/%016" PRIx64 ".part", id);
}

/* ---- text ---- */

static void line_format(const char *key, const struct cw_catalog_part *p, struct cw_buf *out)
{
    cw_buf_addf(out, "%s %" PRIu64 " ", key, p->id);
    if (p->day == CW_DAY_MIXED)
        cw_buf_addz(out, "mixed");
    else
        cw_buf_addf(out, "%" PRId32, p->day);
    cw_buf_addf(out, " %" PRIu32 " %" PRId64 " %" PRId64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " ",
                p->level, p->min_ns, p->max_ns, p->bytes, p->wal_first, p->wal_last);
    cw_catalog_escape_tenant(p->tenant, out);
    cw_buf_addc(out, '\n');
}

void cw_catalog_format(const struct cw_catalog *c, struct cw_buf *out)
{
    size_t start = out->len;
    cw_buf_addf(out, "cordwood catalog %d\nwal_flushed %" PRIu64 "\nnext_id %" PRIu64 "\n",
                CW_CATALOG_VERSION, c->wal_flushed, c->next_id);
    if (c->keeps_deletes)
        cw_buf_addz(out, "deletes kept\n");
    for (size_t i = 0; i < c->n; i++)
        line_format("part", &c->parts[i], out);
    for (size_t i = 0; i < c->nmissing; i++)
        line_format("missing", &c->missing[i], out);
    uint64_t sum = cw_hash64(out->ptr + start, out->len - start);
    cw_buf_addf(out, "end %016" PRIx64 "\n", sum);
}

static int bad(struct cw_err *err, const char *what)
{
    return cw_err_set(err, CW_E_CORRUPT, "catalog: %s", what);
}

/* The text after `key` and a space on the next line of *text; which stays when that is another line. */
static bool line_take(struct cw_str *text, const char *key, struct cw_str *out)
{
    struct cw_str rest = *text, line, name = cw_str_of(key);
    if (!cw_str_split(&rest, '\n', &line) || !cw_str_starts(line, name) || line.len <= name.len ||
        line.ptr[name.len] != ' ')
        return false;
    *out = cw_str_sub(line, name.len + 1, line.len);
    *text = rest;
    return true;
}

static bool numbers_parse(struct cw_str *line, uint64_t version, struct cw_catalog_part *p)
{
    struct cw_str word;
    int64_t day = CW_DAY_MIXED;
    uint64_t level;
    if (!cw_str_take_u64(line, &p->id) || p->id == UINT64_MAX || !cw_str_split(line, ' ', &word))
        return false;
    if (!cw_str_eqz(word, "mixed") && !cw_str_to_i64(word, &day))
        return false;
    if (!cw_str_take_u64(line, &level) || !cw_str_take_i64(line, &p->min_ns) ||
        !cw_str_take_i64(line, &p->max_ns) || !cw_str_take_u64(line, &p->bytes))
        return false;
    if (version > 1 &&
        (!cw_str_take_u64(line, &p->wal_first) || !cw_str_take_u64(line, &p->wal_last)))
        return false;
    p->day = (int32_t)day;
    p->level = (uint32_t)level;
    return day >= INT32_MIN && day <= INT32_MAX && level <= UINT8_MAX;
}

/* A line of `parts`, or of those that are missing, which come behind. */
static bool part_parse(struct cw_str line, uint64_t version, bool missing, struct cw_catalog *out)
{
    struct cw_catalog_part p = {0};
    struct cw_buf tenant;
    const struct cw_catalog_part *parts = missing ? out->missing : out->parts;
    size_t n = missing ? out->nmissing : out->n;
    if (!numbers_parse(&line, version, &p) || (n > 0 && parts[n - 1].id >= p.id) ||
        (missing ? cw_catalog_find(out, p.id) != NULL : out->nmissing > 0))
        return false;
    cw_buf_init(&tenant, SIZE_MAX);
    bool ok = cw_catalog_unescape_tenant(line, &tenant);
    p.tenant = cw_buf_str(&tenant);
    if (ok && missing)
        missing_add(out, &p);
    else if (ok)
        cw_catalog_add(out, &p);
    cw_buf_fini(&tenant);
    return ok;
}

/* The last line is the checksum of what stands before it; that is cut off *text. */
static int checksum_check(struct cw_str *text, struct cw_err *err)
{
    enum { END_BYTES = 4 + 16 + 1 };
    if (text->len < END_BYTES)
        return bad(err, "too short");
    struct cw_str end = cw_str_sub(*text, text->len - END_BYTES, text->len);
    text->len -= END_BYTES;
    struct cw_buf want;
    cw_buf_init(&want, END_BYTES + 1);
    cw_buf_addf(&want, "end %016" PRIx64 "\n", cw_hash64(text->ptr, text->len));
    bool ok = cw_str_eq(end, cw_buf_str(&want));
    cw_buf_fini(&want);
    return ok ? 0 : bad(err, "its checksum is wrong");
}

int cw_catalog_parse(struct cw_str text, struct cw_catalog *out, struct cw_err *err)
{
    struct cw_str value;
    uint64_t version, next_id;
    int rc = checksum_check(&text, err);
    if (rc < 0)
        return rc;
    if (!line_take(&text, "cordwood catalog", &value) || !cw_str_to_u64(value, &version))
        return bad(err, "no version");
    if (version > CW_CATALOG_VERSION)
        return cw_err_set(err, CW_E_INVALID,
                          "catalog: version %" PRIu64 " is newer than %d, which this program reads",
                          version, CW_CATALOG_VERSION);
    cw_catalog_init(out);
    if (!line_take(&text, "wal_flushed", &value) || !cw_str_to_u64(value, &out->wal_flushed) ||
        !line_take(&text, "next_id", &value) || !cw_str_to_u64(value, &next_id))
        return bad(err, "a number is missing");
    out->keeps_deletes = version > 1 && line_take(&text, "deletes", &value);
    while (text.len > 0) {
        if (line_take(&text, "part", &value)
                ? part_parse(value, version, false, out)
                : line_take(&text, "missing", &value) && part_parse(value, version, true, out))
            continue;
        cw_catalog_fini(out);
        return bad(err, "a part's line is wrong");
    }
    out->next_id = CW_MAX(out->next_id, next_id);
    return 0;
}

/* ---- files ---- */

static void path_in(const char *data_dir, const char *name, struct cw_buf *out)
{
    cw_buf_init(out, SIZE_MAX);
    cw_buf_addf(out, "%s/%s", data_dir, name);
    cw_buf_z(out);
}

int cw_catalog_read(const char *data_dir, struct cw_catalog *out, struct cw_err *err)
{
    struct cw_buf path, text;
    path_in(data_dir, "catalog", &path);
    cw_buf_init(&text, CATALOG_BYTES_MAX);
    int rc = cw_own_file_read(path.ptr, CATALOG_BYTES_MAX, &text, err);
    if (rc >= 0) {
        rc = cw_catalog_parse(cw_buf_str(&text), out, err);
        if (rc < 0)
            cw_err_wrap(err, "%s", path.ptr);
    }
    cw_buf_fini(&text);
    cw_buf_fini(&path);
    return rc < 0 ? rc : 0;
}

bool cw_catalog_still_names(const char *data_dir, uint64_t id)
{
    struct cw_catalog now;
    struct cw_err ignored;
    if (cw_catalog_read(data_dir, &now, &ignored) < 0)
        return true;
    bool named = cw_catalog_find(&now, id) != NULL;
    cw_catalog_fini(&now);
    return named;
}

/* By a file that is there already, if there is one. */
static int catalog_replace(const char *data_dir, const struct cw_catalog *catalog,
                           const char *spare, struct cw_err *err)
{
    struct cw_buf path, text;
    path_in(data_dir, "catalog", &path);
    cw_buf_init(&text, CATALOG_BYTES_MAX);
    cw_catalog_format(catalog, &text);
    int rc;
    if (cw_buf_failed(&text))
        rc = cw_err_set(err, CW_E_LIMIT, "catalog: %zu parts are too many", catalog->n);
    else if (spare != NULL)
        rc = cw_file_replace_by(path.ptr, spare, cw_buf_str(&text), err);
    else
        rc = cw_file_replace(path.ptr, cw_buf_str(&text), err);
    cw_buf_fini(&text);
    cw_buf_fini(&path);
    return rc;
}

int cw_catalog_write(const char *data_dir, const struct cw_catalog *catalog, struct cw_err *err)
{
    return catalog_replace(data_dir, catalog, NULL, err);
}

int cw_catalog_write_reserved(const char *data_dir, const struct cw_catalog *catalog,
                              struct cw_err *err)
{
    struct cw_buf spare;
    path_in(data_dir, "catalog.reserve", &spare);
    int rc = catalog_replace(data_dir, catalog, spare.ptr, err);
    cw_buf_fini(&spare);
    return rc;
}

int cw_catalog_reserve(const char *data_dir, struct cw_err *err)
{
    struct cw_buf path;
    path_in(data_dir, "catalog.reserve", &path);
    int rc = cw_room_reserve_keep(path.ptr, CW_CATALOG_RESERVE_BYTES, err);
    cw_buf_fini(&path);
    return rc;
}

int cw_catalog_check_format(const char *data_dir, struct cw_err *err)
{
    struct cw_buf path, text;
    enum { FORMAT_BYTES_MAX = 64 };
    path_in(data_dir, "FORMAT", &path);
    cw_buf_init(&text, FORMAT_BYTES_MAX);
    int rc = cw_own_file_read(path.ptr, FORMAT_BYTES_MAX, &text, err);
    if (rc == CW_E_CORRUPT) {
        rc = cw_err_set(
            err, CW_E_CORRUPT,
            "%s is no file of %d bytes at most, not 'cordwood <version>': this is no data directory of "
            "cordwood",
            path.ptr, FORMAT_BYTES_MAX);
    } else if (rc >= 0) {
        struct cw_str s = cw_str_trim(cw_buf_str(&text)), word;
        uint64_t version;
        rc = 0;
        if (!cw_str_split(&s, ' ', &word) || !cw_str_eqz(word, "cordwood") ||
            !cw_str_to_u64(s, &version))
            rc = cw_err_set(
                err, CW_E_CORRUPT,
                "%s does not say 'cordwood <version>': this is no data directory of cordwood",
                path.ptr);
        else if (version > DATA_FORMAT)
            rc = cw_err_set(err, CW_E_INVALID,
                            "%s: the data directory's format %" PRIu64
                            " is newer than %d, which this program reads",
                            path.ptr, version, DATA_FORMAT);
    }
    cw_buf_fini(&text);
    cw_buf_fini(&path);
    return rc;
}

int cw_catalog_write_format(const char *data_dir, struct cw_err *err)
{
    struct cw_buf path, text;
    path_in(data_dir, "FORMAT", &path);
    cw_buf_init(&text, SIZE_MAX);
    cw_buf_addf(&text, "cordwood %d\n", DATA_FORMAT);
    int rc = cw_file_replace(path.ptr, cw_buf_str(&text), err);
    cw_buf_fini(&text);
    cw_buf_fini(&path);
    return rc;
}

/* "<16 hex digits>.part", else 0. */
static uint64_t id_of_name(struct cw_str name)
{
    uint64_t id = 0;
    if (name.len != 21 || !cw_str_ends(name, CW_STR(".part")))
        return 0;
    for (size_t i = 0; i < 16; i++) {
        int d = cw_str_hex_digit(name.ptr[i]);
        if (d < 0)
            return 0;
        id = id << 4 | (uint64_t)d;
    }
    return id;
}

enum { LEVELS = 3 }; /* tenant, day, file */

static int each_below(struct cw_buf *path, int level, cw_catalog_file_fn fn, void *arg,
                      struct cw_err *err)
{
    struct cw_file_names names;
    int rc = cw_file_list(cw_buf_z(path), &names, err);
    if (rc < 0) /* a stray file where a folder should be is none of ours */
        return level == 1 ? rc : 0;
    size_t len = path->len;
    for (size_t i = 0; rc == 0 && i < names.n; i++) {
        cw_buf_addf(path, "/%s", names.names[i]);
        if (level == LEVELS)
            rc = fn(arg, cw_buf_z(path), id_of_name(cw_str_of(names.names[i])));
        else
            rc = each_below(path, level + 1, fn, arg, err);
        path->len = len;
    }
    cw_file_names_free(&names);
    return rc;
}

int cw_catalog_each_file(const char *data_dir, cw_catalog_file_fn fn, void *arg, struct cw_err *err)
{
    struct cw_buf path;
    path_in(data_dir, "parts", &path);
    int rc = cw_file_exists(path.ptr) ? each_below(&path, 1, fn, arg, err) : 0;
    cw_buf_fini(&path);
    return rc;
}
