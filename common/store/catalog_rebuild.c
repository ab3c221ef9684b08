/* catalog_rebuild.c - a lost catalog, made again from what the parts' footers say. */
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/log.h"
#include "common/store/catalog.h"
#include "common/store/part_reader.h"

struct found {
    struct cw_catalog_part part; /* tenant in the arena */
    uint64_t flush_id;
    uint32_t flush_parts; /* 0: it was merged */
    bool out;
};

struct rebuild {
    struct cw_arena *arena;
    struct found *found;
    size_t n, cap;
    uint64_t *replaced;
    size_t nreplaced, replaced_cap;
    cw_catalog_bad_fn bad;
    void *bad_arg;
    struct cw_err *err;
};

struct cw_catalog_part cw_catalog_part_of(const struct cw_part_footer *f)
{
    return (struct cw_catalog_part){.id = f->info.id,
                                    .tenant = f->info.tenant,
                                    .day = f->info.day,
                                    .level = f->info.level,
                                    .min_ns = f->min_ns,
                                    .max_ns = f->max_ns,
                                    .bytes = f->file_bytes,
                                    .wal_first = f->info.wal_first,
                                    .wal_last = f->info.wal_last};
}

bool cw_catalog_part_is(const struct cw_catalog_part *entry, const struct cw_part_footer *f)
{
    bool wal_known = entry->wal_first != 0 || entry->wal_last != 0;
    return entry->id == f->info.id && cw_str_eq(entry->tenant, f->info.tenant) &&
           entry->day == f->info.day && entry->level == f->info.level &&
           entry->min_ns == f->min_ns && entry->max_ns == f->max_ns &&
           entry->bytes == f->file_bytes &&
           (!wal_known ||
            (entry->wal_first == f->info.wal_first && entry->wal_last == f->info.wal_last));
}

static int on_file(void *arg, const char *path, uint64_t id)
{
    struct rebuild *r = arg;
    struct cw_part_reader *reader;
    struct cw_err why;
    if (id == 0)
        return 0;
    if (cw_part_reader_open(path, &reader, &why) < 0)
        return r->bad(r->bad_arg, path, &why, r->err);
    const struct cw_part_footer *f = cw_part_reader_footer(reader);
    if (f->info.id == id) {
        r->found = cw_arena_grow(r->arena, r->found, r->n, &r->cap, r->n + 1, sizeof(*r->found));
        struct found *found = &r->found[r->n++];
        *found = (struct found){.part = cw_catalog_part_of(f),
                                .flush_id = f->info.flush_id,
                                .flush_parts = f->info.flush_parts};
        found->part.tenant = cw_arena_dup(r->arena, f->info.tenant);
        r->replaced = cw_arena_grow(r->arena, r->replaced, r->nreplaced, &r->replaced_cap,
                                    r->nreplaced + f->info.nreplaced, sizeof(*r->replaced));
        for (size_t i = 0; i < f->info.nreplaced; i++)
            r->replaced[r->nreplaced++] = f->info.replaced[i];
    }
    cw_part_reader_close(&reader);
    return 0;
}

static int u64_cmp(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void drop_replaced(struct rebuild *r)
{
    if (r->nreplaced == 0)
        return;
    qsort(r->replaced, r->nreplaced, sizeof(*r->replaced), u64_cmp);
    for (size_t i = 0; i < r->n; i++)
        r->found[i].out = bsearch(&r->found[i].part.id, r->replaced, r->nreplaced,
                                  sizeof(*r->replaced), u64_cmp) != NULL;
}

/* Of attempts at one flush only the last can have been committed. */
static void drop_failed_attempts(struct rebuild *r)
{
    for (size_t i = 0; i < r->n; i++) {
        for (size_t j = 0; j < r->n && r->found[i].flush_parts > 0; j++) {
            const struct found *a = &r->found[i], *b = &r->found[j];
            if (b->flush_parts > 0 && a->part.wal_first == b->part.wal_first &&
                a->part.wal_last == b->part.wal_last && a->flush_id < b->flush_id)
                r->found[i].out = true;
        }
    }
}

/*
 * Flushes are committed in the order of the WAL, so only the newest can have been cut short. A merged part that reaches as
 * far shows that it was not: only committed parts are merged. Without the WAL's frames what is there is better than nothing.
 */
static void drop_incomplete(struct rebuild *r, uint64_t wal_oldest_seq)
{
    uint64_t newest = 0, merged = 0;
    for (size_t i = 0; i < r->n; i++) {
        const struct found *f = &r->found[i];
        uint64_t *reach = f->flush_parts > 0 ? &newest : &merged;
        *reach = CW_MAX(*reach, f->part.wal_last);
    }
    if (merged >= newest)
        return;
    size_t have = 0, want = 0;
    bool in_wal = false;
    for (size_t i = 0; i < r->n; i++) {
        const struct found *f = &r->found[i];
        if (f->out || f->flush_parts == 0 || f->part.wal_last != newest)
            continue;
        have++;
        want = f->flush_parts;
        in_wal = wal_oldest_seq <= f->part.wal_first;
    }
    if (have >= want || !in_wal)
        return;
    cw_log_warn("rebuilding the catalog: the newest flush wrote %zu of %zu parts: the WAL gives "
                "its entries again",
                have, want);
    for (size_t i = 0; i < r->n; i++)
        if (r->found[i].flush_parts > 0 && r->found[i].part.wal_last == newest)
            r->found[i].out = true;
}

int cw_catalog_rebuild(const char *data_dir, uint64_t wal_oldest_seq, cw_catalog_bad_fn bad,
                       void *arg, struct cw_catalog *out, struct cw_err *err)
{
    struct rebuild r = {.arena = cw_arena_new(), .bad = bad, .bad_arg = arg, .err = err};
    cw_catalog_init(out);
    int rc = cw_catalog_each_file(data_dir, on_file, &r, err);
    if (rc == 0) {
        drop_replaced(&r);
        drop_failed_attempts(&r);
        drop_incomplete(&r, wal_oldest_seq);
        for (size_t i = 0; i < r.n; i++) {
            out->next_id = CW_MAX(out->next_id, r.found[i].part.id + 1);
            if (r.found[i].out || cw_catalog_find(out, r.found[i].part.id) != NULL)
                continue;
            cw_catalog_add(out, &r.found[i].part);
            out->wal_flushed = CW_MAX(out->wal_flushed, r.found[i].part.wal_last);
        }
    }
    cw_arena_free(&r.arena);
    return rc;
}
