/* parts.c - open what the catalog names, show it to snapshots, and change it: catalog first, then what is visible. */
#include "ingester/parts.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/file.h"
#include "common/base/id_map.h"
#include "common/base/log.h"
#include "common/base/many_waits.h"
#include "common/store/catalog.h"
#include "common/store/part_source.h"
#include "common/store/quarantine.h"

/* Visible parts of one tenant; never removed, an empty one costs little. */
struct tenant_parts {
    struct cw_str tenant; /* owned */
    struct cw_source **sources;
    size_t n, cap;
};

struct cw_parts {
    char *data_dir;
    struct cw_quarantine *quarantine;
    struct cw_part_events events;
    struct cw_part_cache *cache; /* of all parts; may be NULL */
    atomic_uint_fast64_t next_id, nleft, version, bad_parts, bad_indexes, nmissing;
    pthread_mutex_t commit_lock;  /* guards catalog, and its file */
    struct cw_catalog catalog;    /* as on disk */
    bool catalog_was_lost;        /* since the opening */
    bool keeps_deletes;           /* what the catalog is to say from its next write on */
    pthread_mutex_t lock;         /* guards tenants */
    struct tenant_parts *tenants; /* by number */
    struct cw_id_map tenant_numbers;
    size_t ntenants, tenants_cap;
};

struct cw_parts_change {
    struct cw_parts *parts;
    struct cw_source **added, **removed; /* referenced */
    size_t nadded, nremoved;
    struct cw_source **left; /* the registry's references to what was removed, once published */
    size_t nleft;
    uint64_t wal_flushed; /* 0: as it is */
    enum { CHANGE_OPEN, CHANGE_UNCERTAIN, CHANGE_COMMITTED, CHANGE_PUBLISHED } state;
};

static struct cw_part_reader *reader_of(struct cw_source *source)
{
    return cw_part_source_reader(source);
}

static uint64_t id_of(struct cw_source *source)
{
    return cw_part_reader_footer(reader_of(source))->info.id;
}

/* ---- the visible set; under the lock ---- */

static struct tenant_parts *tenant_find(struct cw_parts *p, struct cw_str tenant)
{
    size_t number;
    bool found = cw_id_map_find(&p->tenant_numbers, cw_hash128(tenant.ptr, tenant.len), &number);
    return found ? &p->tenants[number] : NULL;
}

static void visible_add(struct cw_parts *p, struct cw_source *source)
{
    struct cw_str tenant = cw_part_reader_footer(reader_of(source))->info.tenant;
    bool added;
    size_t number = cw_id_map_put(&p->tenant_numbers, cw_hash128(tenant.ptr, tenant.len), &added);
    if (added) {
        if (p->ntenants == p->tenants_cap) {
            p->tenants_cap = p->tenants_cap ? 2 * p->tenants_cap : 4;
            p->tenants = cw_mem_resize(p->tenants, p->tenants_cap * sizeof(*p->tenants));
        }
        p->tenants[p->ntenants++] =
            (struct tenant_parts){.tenant = {cw_str_dupz(tenant), tenant.len}};
    }
    struct tenant_parts *t = &p->tenants[number];
    if (t->n == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 8;
        t->sources = cw_mem_resize(t->sources, t->cap * sizeof(struct cw_source *));
    }
    t->sources[t->n++] = source;
}

static bool visible_remove(struct cw_parts *p, struct cw_source *source)
{
    struct tenant_parts *t = tenant_find(p, cw_part_reader_footer(reader_of(source))->info.tenant);
    for (size_t i = 0; t != NULL && i < t->n; i++) {
        if (t->sources[i] != source)
            continue;
        memmove(&t->sources[i], &t->sources[i + 1], (t->n - i - 1) * sizeof(t->sources[0]));
        t->n--;
        return true;
    }
    return false;
}

void cw_parts_lock(struct cw_parts *p)
{
    pthread_mutex_lock(&p->lock);
}

void cw_parts_unlock(struct cw_parts *p)
{
    pthread_mutex_unlock(&p->lock);
}

static void snapshot_add(struct cw_snapshot *out, struct cw_source *const *sources, size_t n)
{
    if (n == 0)
        return;
    out->sources = cw_mem_resize(out->sources, (out->n + n) * sizeof(struct cw_source *));
    for (size_t i = 0; i < n; i++)
        out->sources[out->n++] = cw_source_ref(sources[i]);
}

void cw_parts_add_sources(struct cw_parts *p, struct cw_str tenant, struct cw_snapshot *out)
{
    const struct tenant_parts *t = tenant_find(p, tenant);
    if (t != NULL)
        snapshot_add(out, t->sources, t->n);
}

void cw_parts_each_tenant(struct cw_parts *p, cw_parts_tenant_fn fn, void *arg)
{
    for (size_t i = 0; i < p->ntenants; i++)
        if (p->tenants[i].n > 0)
            fn(arg, p->tenants[i].tenant);
}

void cw_parts_all(struct cw_parts *p, struct cw_snapshot *out)
{
    cw_parts_lock(p);
    for (size_t i = 0; i < p->ntenants; i++)
        snapshot_add(out, p->tenants[i].sources, p->tenants[i].n);
    cw_parts_unlock(p);
}

void cw_parts_count(struct cw_parts *p, struct cw_parts_counts *out)
{
    *out = (struct cw_parts_counts){.bad_parts = atomic_load(&p->bad_parts),
                                    .bad_blocks = cw_quarantine_blocks(p->quarantine),
                                    .bad_indexes = atomic_load(&p->bad_indexes),
                                    .missing = atomic_load(&p->nmissing)};
    cw_parts_lock(p);
    for (size_t i = 0; i < p->ntenants; i++) {
        for (size_t j = 0; j < p->tenants[i].n; j++) {
            const struct cw_part_footer *f =
                cw_part_reader_footer(reader_of(p->tenants[i].sources[j]));
            out->parts++;
            out->bytes += f->file_bytes;
            out->raw_bytes += f->raw_bytes;
            out->entries += f->rows;
            out->streams += f->nstreams;
        }
    }
    cw_parts_unlock(p);
}

uint64_t cw_parts_nleft(const struct cw_parts *parts)
{
    return atomic_load(&parts->nleft);
}

uint64_t cw_parts_version(const struct cw_parts *parts)
{
    return atomic_load(&parts->version);
}

uint64_t cw_parts_wal_flushed(const struct cw_parts *parts)
{
    struct cw_parts *p = (struct cw_parts *)parts;
    pthread_mutex_lock(&p->commit_lock);
    uint64_t seq = p->catalog.wal_flushed;
    pthread_mutex_unlock(&p->commit_lock);
    return seq;
}

bool cw_parts_catalog_was_lost(const struct cw_parts *p)
{
    return p->catalog_was_lost;
}

const char *cw_parts_data_dir(const struct cw_parts *p)
{
    return p->data_dir;
}

/* ---- open ---- */

static void on_bad_block(void *ctx, struct cw_part_reader *reader, uint32_t block,
                         const struct cw_err *why)
{
    struct cw_parts *p = ctx;
    cw_quarantine_block(p->quarantine, reader, block);
}

int cw_parts_set_aside_block(struct cw_parts *p, const struct cw_part_reader *reader,
                             uint32_t block, struct cw_err *err)
{
    return cw_quarantine_keep_block(p->quarantine, reader, block, err);
}

/* What the part holds is served as far as it can be told whose it is. */
static void on_bad_index(void *ctx, struct cw_part_reader *reader, const struct cw_err *why)
{
    struct cw_parts *p = ctx;
    atomic_fetch_add(&p->bad_indexes, 1);
}

/* What can be done about FORMAT depends on whose the folder is: only ours may be repaired. */
static void format_advise(const char *data_dir, struct cw_err *err)
{
    struct cw_err why = *err;
    struct cw_buf catalog;
    cw_buf_init(&catalog, SIZE_MAX);
    cw_buf_addf(&catalog, "%s/catalog", data_dir);
    if (cw_file_exists(cw_buf_z(&catalog)))
        cw_err_set(err, why.code,
                   "%s; if it was one, `cordwood fsck %s --repair` writes that file anew", why.text,
                   data_dir);
    else
        cw_err_set(err, why.code,
                   "%s; expected one, or an empty or new folder (--data-dir, data_dir)", why.text);
    cw_buf_fini(&catalog);
}

int cw_parts_check_format(const char *data_dir, struct cw_err *err)
{
    int rc = cw_catalog_check_format(data_dir, err);
    if (rc == CW_E_CORRUPT)
        format_advise(data_dir, err);
    if (rc < 0 && rc != CW_E_NOT_FOUND)
        cw_err_wrap(err, "opening the data directory %s", data_dir);
    return rc == CW_E_NOT_FOUND ? 0 : rc;
}

static int format_make(const struct cw_parts *p, struct cw_err *err)
{
    struct cw_err ignored;
    return cw_catalog_check_format(p->data_dir, &ignored) == CW_E_NOT_FOUND
               ? cw_catalog_write_format(p->data_dir, err)
               : 0;
}

/* Set aside, or it would be removed as one that the catalog does not name. */
static int on_bad_part(void *arg, const char *path, const struct cw_err *why, struct cw_err *err)
{
    struct cw_parts *p = arg;
    if (why->code != CW_E_CORRUPT)
        return cw_err_set(err, why->code, "%s", why->text);
    cw_log_error("rebuilding the catalog: %s: its entries are lost", why->text);
    atomic_fetch_add(&p->bad_parts, 1);
    return cw_quarantine_part(p->quarantine, path, err);
}

/* `next` to disk. Where that makes room, or nothing goes on without it, a full disk must not stop it. */
enum catalog_urgency { CATALOG_MAY_FAIL, CATALOG_MUST };
static int catalog_put(struct cw_parts *p, const struct cw_catalog *next,
                       enum catalog_urgency urgency, struct cw_err *err)
{
    struct cw_err why;
    int rc = cw_catalog_write(p->data_dir, next, err);
    if (rc == CW_E_UNAVAILABLE && urgency == CATALOG_MUST) {
        cw_log_warn("%s: the reserve is used", err->text);
        rc = cw_catalog_write_reserved(p->data_dir, next, err);
    }
    if (rc == 0 && cw_catalog_reserve(p->data_dir, &why) < 0)
        cw_log_debug("no reserve for a full disk: %s", why.text);
    return rc;
}

/* To be changed and written. */
static void catalog_next(const struct cw_parts *p, struct cw_catalog *next)
{
    cw_catalog_copy(&p->catalog, next);
    next->keeps_deletes |= p->keeps_deletes;
}

/* The catalog as it is to be, on disk and in memory. */
static int catalog_load(struct cw_parts *p, uint64_t wal_oldest_seq, struct cw_err *err)
{
    int rc = cw_catalog_read(p->data_dir, &p->catalog, err);
    if (rc != CW_E_NOT_FOUND && rc != CW_E_CORRUPT)
        return rc;
    if (rc == CW_E_CORRUPT) {
        cw_log_error("%s: set aside, and made again from the parts", err->text);
        rc = cw_quarantine_file(p->quarantine, "catalog", err);
        if (rc < 0)
            return rc;
    }
    rc = cw_catalog_rebuild(p->data_dir, wal_oldest_seq, on_bad_part, p, &p->catalog, err);
    if (rc < 0)
        return rc;
    p->catalog_was_lost = true;
    p->catalog.keeps_deletes = p->keeps_deletes;
    if (p->catalog.n > 0)
        cw_log_warn("the catalog was lost and made again: %zu parts, WAL flushed up to %" PRIu64,
                    p->catalog.n, p->catalog.wal_flushed);
    return catalog_put(p, &p->catalog, CATALOG_MUST, err);
}

/* Parts that were never committed, or left the catalog, and unfinished ones. */
static int remove_orphan(void *arg, const char *path, uint64_t id)
{
    struct cw_parts *p = arg;
    bool unfinished = cw_str_ends(cw_str_of(path), CW_STR(".part.tmp"));
    bool known = id == 0 || cw_catalog_find(&p->catalog, id) != NULL ||
                 cw_catalog_find_missing(&p->catalog, id) != NULL;
    if (!unfinished && known)
        return 0;
    struct cw_err err;
    cw_log_info("removing %s: the catalog does not name it", path);
    if (cw_file_unlink(path, &err) < 0)
        cw_log_warn("%s", err.text);
    return 0;
}

static int source_open(struct cw_parts *p, const char *path, struct cw_source **out,
                       struct cw_err *err)
{
    int rc = cw_part_source_open(path, &p->events, out, err);
    if (rc == 0 && p->cache != NULL)
        cw_part_reader_use_cache(reader_of(*out), p->cache);
    return rc;
}

/* How exactly the file is what the catalog says. */
enum part_match { MATCH_NAME, MATCH_ALL };

/* The file of one part becomes visible. */
static int entry_open(struct cw_parts *p, const struct cw_catalog_part *entry,
                      enum part_match match, const char *path, struct cw_err *err)
{
    struct cw_source *source;
    int rc = source_open(p, path, &source, err);
    if (rc < 0)
        return rc;
    const struct cw_part_footer *f = cw_part_reader_footer(reader_of(source));
    if (f->info.id != entry->id || !cw_str_eq(f->info.tenant, entry->tenant))
        rc = cw_err_set(err, CW_E_CORRUPT,
                        "part %s: its footer names part %" PRIu64 " of tenant %.*s", path,
                        f->info.id, CW_STR_ARG(f->info.tenant));
    else if (match == MATCH_ALL && !cw_catalog_part_is(entry, f))
        rc =
            cw_err_set(err, CW_E_CORRUPT, "part %s: it is not the one that was there before", path);
    if (rc < 0) {
        cw_source_unref(&source);
        return rc;
    }
    visible_add(p, source);
    return 0;
}

/* One part of the catalog: 0 opened, 1 it is missing from now on, or an error that is not the part's. */
static int part_open(struct cw_parts *p, const struct cw_catalog_part *entry, struct cw_err *err)
{
    struct cw_buf path;
    cw_buf_init(&path, SIZE_MAX);
    cw_catalog_part_path(p->data_dir, entry->tenant, entry->day, entry->id, &path);
    int rc = entry_open(p, entry, MATCH_NAME, cw_buf_z(&path), err);
    if (rc == CW_E_CORRUPT || rc == CW_E_NOT_FOUND) {
        cw_log_error(rc == CW_E_CORRUPT
                         ? "%s: its entries are not served; `cordwood fsck --repair` brings back "
                           "those of its blocks that are whole"
                         : "%s: its entries are lost, unless it is put back before a later start",
                     err->text);
        atomic_fetch_add(&p->bad_parts, 1);
        rc = rc == CW_E_NOT_FOUND ? 0 : cw_quarantine_part(p->quarantine, path.ptr, err);
        rc = rc < 0 ? rc : 1;
    }
    cw_buf_fini(&path);
    return rc;
}

/* One that is missing: 1 it was put back, 0 it was not, or an error that is not the part's. */
static int missing_open(struct cw_parts *p, const struct cw_catalog_part *entry, struct cw_err *err)
{
    struct cw_buf path;
    cw_buf_init(&path, SIZE_MAX);
    cw_catalog_part_path(p->data_dir, entry->tenant, entry->day, entry->id, &path);
    int rc = entry_open(p, entry, MATCH_ALL, cw_buf_z(&path), err);
    if (rc == 0) {
        cw_log_info("%s, which was missing, is there again", path.ptr);
        rc = 1;
    } else if (rc == CW_E_CORRUPT) {
        cw_log_error("%s: it is not taken in", err->text);
        rc = cw_quarantine_part(p->quarantine, path.ptr, err);
    } else if (rc == CW_E_NOT_FOUND) {
        rc = 0;
    }
    cw_buf_fini(&path);
    return rc;
}

/* `next` is the catalog, with what was found about its parts. */
static int each_open(struct cw_parts *p, struct cw_catalog *next, bool *changed_out,
                     struct cw_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc >= 0 && i < p->catalog.n; i++) {
        rc = part_open(p, &p->catalog.parts[i], err);
        if (rc == 1)
            cw_catalog_miss(next, p->catalog.parts[i].id);
        *changed_out |= rc == 1;
    }
    for (size_t i = 0; rc >= 0 && i < p->catalog.nmissing; i++) {
        rc = missing_open(p, &p->catalog.missing[i], err);
        if (rc == 1)
            cw_catalog_found(next, p->catalog.missing[i].id);
        *changed_out |= rc == 1;
    }
    return rc < 0 ? rc : 0;
}

static int open_all(struct cw_parts *p, struct cw_err *err)
{
    struct cw_catalog next;
    bool changed = false;
    catalog_next(p, &next);
    int rc = each_open(p, &next, &changed, err);
    if (rc == 0 && changed)
        rc = catalog_put(p, &next, CATALOG_MUST, err);
    if (rc < 0) {
        cw_catalog_fini(&next);
        return rc;
    }
    if (!changed)
        next.keeps_deletes = p->catalog.keeps_deletes;
    cw_catalog_fini(&p->catalog);
    p->catalog = next;
    atomic_store(&p->nmissing, next.nmissing);
    if (next.nmissing > 0)
        cw_log_warn("%zu parts are missing in %s: one that is put back where it was is taken in by "
                    "the next start",
                    next.nmissing, p->data_dir);
    return 0;
}

int cw_parts_open(const struct cw_parts_options *options, struct cw_parts **out, struct cw_err *err)
{
    int rc = cw_parts_check_format(options->data_dir, err);
    if (rc < 0)
        return rc;
    struct cw_parts *p = cw_mem_new(sizeof(*p));
    p->data_dir = cw_str_dupz(cw_str_of(options->data_dir));
    pthread_mutex_init(&p->lock, NULL);
    pthread_mutex_init(&p->commit_lock, NULL);
    cw_catalog_init(&p->catalog);
    p->cache = options->cache;
    p->keeps_deletes = options->keeps_deletes;
    p->events =
        (struct cw_part_events){.bad_block = on_bad_block, .bad_index = on_bad_index, .ctx = p};
    rc = cw_file_mkdirs(p->data_dir, err);
    if (rc == 0)
        rc = cw_quarantine_open(p->data_dir, &p->quarantine, err);
    if (rc == 0)
        rc = format_make(p, err);
    if (rc == 0)
        rc = catalog_load(p, options->wal_oldest_seq, err);
    /* First, for it may make room. */
    if (rc == 0)
        rc = cw_catalog_each_file(p->data_dir, remove_orphan, p, err);
    if (rc == 0)
        rc = open_all(p, err);
    struct cw_err why;
    if (rc == 0 && cw_catalog_reserve(p->data_dir, &why) < 0)
        cw_log_warn("no reserve for a full disk: %s", why.text);
    if (rc < 0) {
        cw_err_wrap(err, "opening the data directory %s", p->data_dir);
        cw_parts_close(&p);
        return rc;
    }
    atomic_init(&p->next_id, p->catalog.next_id);
    *out = p;
    return 0;
}

void cw_parts_close(struct cw_parts **parts)
{
    struct cw_parts *p = *parts;
    *parts = NULL;
    if (p == NULL)
        return;
    for (size_t i = 0; i < p->ntenants; i++) {
        for (size_t j = 0; j < p->tenants[i].n; j++)
            cw_source_unref(&p->tenants[i].sources[j]);
        free(p->tenants[i].sources);
        free((char *)p->tenants[i].tenant.ptr);
    }
    free(p->tenants);
    cw_id_map_fini(&p->tenant_numbers);
    cw_catalog_fini(&p->catalog);
    cw_quarantine_close(&p->quarantine);
    pthread_mutex_destroy(&p->lock);
    pthread_mutex_destroy(&p->commit_lock);
    free(p->data_dir);
    free(p);
}

/* ---- folders ---- */

/* parts/, parts/<tenant>/ and parts/<tenant>/<day>/ below `dir`; without an fsync. */
static int folders_make(const char *dir, struct cw_str tenant, int32_t day, struct cw_err *err)
{
    struct cw_buf path;
    int rc = 0;
    cw_buf_init(&path, SIZE_MAX);
    cw_catalog_part_dir(dir, tenant, day, &path);
    cw_buf_addc(&path, '/');
    for (size_t i = strlen(dir) + 1; i < path.len && rc == 0; i++) {
        if (path.ptr[i] != '/')
            continue;
        path.ptr[i] = '\0';
        rc = cw_file_mkdir(path.ptr, err);
        path.ptr[i] = '/';
    }
    cw_buf_fini(&path);
    return rc;
}

/* ---- snapshots ---- */

static int part_link(const struct cw_parts *p, const char *dir, const struct cw_catalog_part *part,
                     struct cw_err *err)
{
    struct cw_buf from, to;
    cw_buf_init(&from, SIZE_MAX);
    cw_buf_init(&to, SIZE_MAX);
    cw_catalog_part_path(p->data_dir, part->tenant, part->day, part->id, &from);
    cw_catalog_part_path(dir, part->tenant, part->day, part->id, &to);
    int rc = folders_make(dir, part->tenant, part->day, err);
    if (rc == 0)
        rc = cw_file_link(cw_buf_z(&from), cw_buf_z(&to), err);
    cw_buf_fini(&from);
    cw_buf_fini(&to);
    return rc;
}

int cw_parts_link_all(struct cw_parts *p, const char *dir, struct cw_catalog *out,
                      struct cw_err *err)
{
    int rc = 0;
    pthread_mutex_lock(&p->commit_lock);
    for (size_t i = 0; i < p->catalog.n && rc == 0; i++)
        rc = part_link(p, dir, &p->catalog.parts[i], err);
    if (rc == 0)
        cw_catalog_copy(&p->catalog, out);
    pthread_mutex_unlock(&p->commit_lock);
    return rc;
}

/* ---- changes ---- */

struct cw_parts_change *cw_parts_change_new(struct cw_parts *parts)
{
    struct cw_parts_change *c = cw_mem_new(sizeof(*c));
    c->parts = parts;
    return c;
}

/* The folders above a part are durable: one that is there already may be of a process that was killed before its fsync. What
 * did not change costs next to nothing. */
static int folders_sync(const struct cw_parts *p, struct cw_str tenant, struct cw_err *err)
{
    struct cw_buf dir;
    int rc = cw_file_sync_dir(p->data_dir, err);
    cw_buf_init(&dir, SIZE_MAX);
    cw_buf_addf(&dir, "%s/parts", p->data_dir);
    if (rc == 0)
        rc = cw_file_sync_dir(cw_buf_z(&dir), err);
    cw_buf_addc(&dir, '/');
    cw_catalog_escape_tenant(tenant, &dir);
    if (rc == 0)
        rc = cw_file_sync_dir(cw_buf_z(&dir), err);
    cw_buf_fini(&dir);
    return rc;
}

uint64_t cw_parts_draw_id(struct cw_parts *p)
{
    return atomic_fetch_add(&p->next_id, 1);
}

void cw_parts_ids_after(struct cw_parts *p, uint64_t id)
{
    uint64_t next = atomic_load(&p->next_id);
    while (next <= id && !atomic_compare_exchange_weak(&p->next_id, &next, id + 1))
        continue;
}

int cw_parts_place(struct cw_parts *p, struct cw_str tenant, int32_t day, uint64_t *id_out,
                   struct cw_buf *path_out, struct cw_err *err)
{
    *id_out = cw_parts_draw_id(p);
    cw_catalog_part_path(p->data_dir, tenant, day, *id_out, path_out);
    cw_buf_z(path_out);
    return folders_make(p->data_dir, tenant, day, err);
}

int cw_parts_new_path(struct cw_parts *p, struct cw_str tenant, int32_t day, uint64_t *id_out,
                      struct cw_buf *path_out, struct cw_err *err)
{
    int rc = cw_parts_place(p, tenant, day, id_out, path_out, err);
    return rc < 0 ? rc : folders_sync(p, tenant, err);
}

static void list_add(struct cw_source ***list, size_t *n, struct cw_source *source)
{
    *list = cw_mem_resize(*list, (*n + 1) * sizeof(struct cw_source *));
    (*list)[(*n)++] = source;
}

int cw_parts_change_add(struct cw_parts_change *c, const char *path, struct cw_err *err)
{
    struct cw_source *source;
    int rc = source_open(c->parts, path, &source, err);
    if (rc == 0)
        list_add(&c->added, &c->nadded, source);
    return rc;
}

/* Parts of one tenant lie side by side in it; a folder that is named twice costs next to nothing. */
int cw_parts_change_sync(struct cw_parts_change *c, struct cw_err *err)
{
    char **dirs = cw_mem_array(2 * c->nadded + 2, sizeof(*dirs));
    struct cw_str tenant = {0};
    struct cw_buf dir;
    size_t n = 0;
    cw_buf_init(&dir, SIZE_MAX);
    cw_buf_addf(&dir, "%s/parts", c->parts->data_dir);
    dirs[n++] = cw_str_dupz(cw_str_of(c->parts->data_dir));
    dirs[n++] = cw_str_dupz(cw_buf_str(&dir));
    for (size_t i = 0; i < c->nadded; i++) {
        const struct cw_part_info *info = &cw_part_reader_footer(reader_of(c->added[i]))->info;
        cw_buf_clear(&dir);
        cw_catalog_part_dir(c->parts->data_dir, info->tenant, info->day, &dir);
        dirs[n++] = cw_str_dupz(cw_buf_str(&dir));
        if (i > 0 && cw_str_eq(tenant, info->tenant))
            continue;
        tenant = info->tenant;
        cw_buf_clear(&dir);
        cw_buf_addf(&dir, "%s/parts/", c->parts->data_dir);
        cw_catalog_escape_tenant(tenant, &dir);
        dirs[n++] = cw_str_dupz(cw_buf_str(&dir));
    }
    int rc = cw_many_sync_dirs(dirs, n, err);
    while (n > 0)
        free(dirs[--n]);
    free(dirs);
    cw_buf_fini(&dir);
    return rc;
}

void cw_parts_change_remove(struct cw_parts_change *c, struct cw_source *part)
{
    list_add(&c->removed, &c->nremoved, cw_source_ref(part));
}

void cw_parts_change_wal_flushed(struct cw_parts_change *c, uint64_t wal_last)
{
    c->wal_flushed = wal_last;
}

static int catalog_change(struct cw_parts *p, const struct cw_parts_change *c,
                          struct cw_catalog *next, struct cw_err *err)
{
    catalog_next(p, next);
    for (size_t i = 0; i < c->nremoved; i++)
        if (!cw_catalog_remove(next, id_of(c->removed[i])))
            return cw_err_set(err, CW_E_CONFLICT, "part %s has left the catalog already",
                              cw_part_reader_path(reader_of(c->removed[i])));
    for (size_t i = 0; i < c->nadded; i++) {
        const struct cw_part_footer *f = cw_part_reader_footer(reader_of(c->added[i]));
        struct cw_catalog_part part = cw_catalog_part_of(f);
        cw_catalog_add(next, &part);
    }
    next->wal_flushed = CW_MAX(next->wal_flushed, c->wal_flushed);
    next->next_id = CW_MAX(next->next_id, atomic_load(&p->next_id));
    return 0;
}

int cw_parts_forget(struct cw_parts *p, cw_parts_missing_fn of, void *arg, struct cw_err *err)
{
    struct cw_catalog next;
    int rc = 0;
    if (atomic_load(&p->nmissing) == 0)
        return 0;
    pthread_mutex_lock(&p->commit_lock);
    catalog_next(p, &next);
    for (size_t i = 0; i < p->catalog.nmissing; i++)
        if (of(arg, &p->catalog.missing[i]))
            cw_catalog_forget(&next, p->catalog.missing[i].id);
    size_t nforgotten = p->catalog.nmissing - next.nmissing;
    if (nforgotten > 0)
        rc = catalog_put(p, &next, CATALOG_MAY_FAIL, err);
    if (rc == 0 && nforgotten > 0) {
        struct cw_catalog old = p->catalog;
        p->catalog = next;
        next = old;
        atomic_store(&p->nmissing, p->catalog.nmissing);
        cw_log_info("%zu missing parts are forgotten: what they hold would be gone by now",
                    nforgotten);
    }
    pthread_mutex_unlock(&p->commit_lock);
    cw_catalog_fini(&next);
    return rc;
}

/*
 * After a failed write: is the old catalog still the one on disk? If not (its rename was done, the folder's fsync failed), the
 * change's files stay for this run: a crash now must find what the catalog names. The next start removes what it does not name.
 */
static bool catalog_is_on_disk(const struct cw_parts *p)
{
    struct cw_catalog disk;
    struct cw_err err;
    if (cw_catalog_read(p->data_dir, &disk, &err) < 0)
        return false;
    struct cw_buf a, b;
    cw_buf_init(&a, SIZE_MAX);
    cw_buf_init(&b, SIZE_MAX);
    cw_catalog_format(&p->catalog, &a);
    cw_catalog_format(&disk, &b);
    bool same = cw_str_eq(cw_buf_str(&a), cw_buf_str(&b));
    cw_buf_fini(&a);
    cw_buf_fini(&b);
    cw_catalog_fini(&disk);
    return same;
}

int cw_parts_commit(struct cw_parts *p, struct cw_parts_change *c, struct cw_err *err)
{
    struct cw_catalog next;
    CW_ASSERT(c->state == CHANGE_OPEN);
    pthread_mutex_lock(&p->commit_lock);
    int rc = catalog_change(p, c, &next, err);
    if (rc == 0) {
        rc = catalog_put(p, &next,
                         c->nadded == 0 && c->nremoved > 0 ? CATALOG_MUST : CATALOG_MAY_FAIL, err);
        if (rc == 0)
            c->state = CHANGE_COMMITTED;
        else if (!catalog_is_on_disk(p))
            c->state = CHANGE_UNCERTAIN;
    }
    if (rc == 0) {
        struct cw_catalog old = p->catalog;
        p->catalog = next;
        next = old;
    }
    pthread_mutex_unlock(&p->commit_lock);
    cw_catalog_fini(&next);
    return rc;
}

void cw_parts_publish(struct cw_parts *p, struct cw_parts_change *c)
{
    CW_ASSERT(c->state == CHANGE_COMMITTED);
    for (size_t i = 0; i < c->nadded; i++)
        visible_add(p, c->added[i]);
    c->nadded = 0; /* the references are the registry's now */
    for (size_t i = 0; i < c->nremoved; i++) {
        /* The registry's reference is kept for _free(): the last one unlinks, and that must not be under the lock. */
        if (visible_remove(p, c->removed[i])) {
            list_add(&c->left, &c->nleft, c->removed[i]);
            atomic_fetch_add(&p->nleft, 1);
        }
        cw_part_source_obsolete(c->removed[i]);
    }
    /* Last: who reads the new number and then looks sees all of the change. */
    atomic_fetch_add(&p->version, 1);
    c->state = CHANGE_PUBLISHED;
}

void cw_parts_change_free(struct cw_parts_change **change)
{
    struct cw_parts_change *c = *change;
    *change = NULL;
    if (c == NULL)
        return;
    CW_ASSERT(c->state != CHANGE_COMMITTED);
    for (size_t i = 0; i < c->nadded; i++) {
        if (c->state == CHANGE_OPEN)
            cw_part_source_obsolete(c->added[i]);
        cw_source_unref(&c->added[i]);
    }
    for (size_t i = 0; i < c->nremoved; i++)
        cw_source_unref(&c->removed[i]);
    for (size_t i = 0; i < c->nleft; i++)
        cw_source_unref(&c->left[i]);
    free(c->added);
    free(c->removed);
    free(c->left);
    free(c);
}
