/* deletes.c - the registry: what there is, and how it changes. */
#include "ingester/deletes.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/store/quarantine.h"
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/store/catalog.h"
#include "common/store/format.h"
#include "querier/querier.h"

struct entry {
    atomic_int refs;
    struct cw_delete_row
        row; /* its texts are owned; state, purge_id and what follows change under the lock */
    struct cw_entry_test *test; /* NULL: a receipt, or a query that this version cannot read */
    bool gone;                  /* cancelled */
    uint64_t *clean;            /* ids of parts in which nothing matches */
    size_t nclean;
};

/* Parts that are not written anew; their tenants are owned, nothing else of texts is there. */
struct stuck_parts {
    struct cw_part_footer *items;
    size_t n;
};

struct cw_deletes {
    char *data_dir;
    pthread_mutex_t write_lock; /* one change at a time; taken before `lock` */
    pthread_mutex_t lock;       /* guards what follows; nothing blocks under it */
    struct entry **items;       /* in the order they were made */
    size_t n, cap;
    struct stuck_parts refused, no_room;
    uint64_t nremoved;
    atomic_uint_fast64_t version; /* odd: a purge_id is drawn, and is not seen yet */
};

struct cw_deletes_view {
    struct cw_deletes *deletes;
    struct {
        struct entry *entry;
        uint64_t below_id; /* it is of parts with a lower id; UINT64_MAX: of all */
    } * items;
    size_t n;
};

static void entry_unref(struct entry **handle)
{
    struct entry *e = *handle;
    *handle = NULL;
    if (e == NULL || atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) != 1)
        return;
    cw_entry_test_free(&e->test);
    free((char *)e->row.tenant.ptr);
    free((char *)e->row.query.ptr);
    free(e->clean);
    free(e);
}

static struct entry *entry_new(const struct cw_delete_row *row)
{
    struct entry *e = cw_mem_new(sizeof(*e));
    atomic_init(&e->refs, 1);
    e->row = *row;
    e->row.tenant.ptr = cw_str_dupz(row->tenant);
    e->row.query.ptr = cw_str_dupz(row->query);
    return e;
}

static void items_add(struct cw_deletes *d, struct entry *e)
{
    if (d->n == d->cap) {
        d->cap = d->cap ? 2 * d->cap : 8;
        d->items = cw_mem_resize(d->items, d->cap * sizeof(*d->items));
    }
    d->items[d->n++] = e;
}

static bool is_active(const struct entry *e)
{
    return e->row.state != CW_DELETE_PROCESSED && e->test != NULL;
}

/* ---- open ---- */

static void quarantine_file(const char *data_dir, size_t nbad)
{
    struct cw_quarantine *quarantine;
    struct cw_err err;
    cw_log_error("%s/deletes is damaged in %zu places: what those deletes hid is seen again; the "
                 "file is set aside in quarantine/",
                 data_dir, nbad);
    int rc = cw_quarantine_open(data_dir, &quarantine, &err);
    if (rc == 0) {
        rc = cw_quarantine_file(quarantine, "deletes", &err);
        cw_quarantine_close(&quarantine);
    }
    if (rc < 0)
        cw_log_warn("it cannot be set aside: %s", err.text);
}

bool cw_deletes_keep(const char *data_dir)
{
    struct cw_delete_list none = {0};
    struct cw_catalog catalog;
    struct cw_buf path;
    struct cw_err err;
    cw_buf_init(&path, SIZE_MAX);
    cw_buf_addf(&path, "%s/deletes", data_dir);
    bool there = cw_file_exists(cw_buf_z(&path));
    cw_buf_fini(&path);
    if (there)
        return true;
    if (cw_catalog_read(data_dir, &catalog, &err) == 0) {
        if (catalog.keeps_deletes)
            cw_log_error("%s/deletes is missing: what deletes hid and was not removed yet is seen "
                         "again; a new one is made",
                         data_dir);
        cw_catalog_fini(&catalog);
    }
    int rc = cw_delete_list_write(data_dir, &none, &err);
    if (rc < 0)
        cw_log_debug("no list of deletes yet: %s", err.text);
    return rc == 0;
}

int cw_deletes_open(const char *data_dir, struct cw_deletes **out, struct cw_err *err)
{
    struct cw_delete_list list = {0};
    size_t nbad = 0;
    int rc = cw_delete_list_read(data_dir, &list, &nbad, err);
    if (rc < 0 && rc != CW_E_NOT_FOUND)
        return rc;
    if (nbad > 0) {
        quarantine_file(data_dir, nbad);
        rc = cw_delete_list_write(data_dir, &list, err);
        if (rc < 0) {
            cw_delete_list_fini(&list);
            return rc;
        }
    }
    struct cw_err why;
    if (cw_delete_list_reserve(data_dir, &why) < 0)
        cw_log_warn("no reserve for deletes on a full disk: %s", why.text);
    struct cw_deletes *d = cw_mem_new(sizeof(*d));
    d->data_dir = cw_str_dupz(cw_str_of(data_dir));
    pthread_mutex_init(&d->write_lock, NULL);
    pthread_mutex_init(&d->lock, NULL);
    for (size_t i = 0; i < list.n; i++) {
        struct entry *e = entry_new(&list.rows[i]);
        struct cw_err why;
        if (e->row.state != CW_DELETE_PROCESSED &&
            cw_entry_test_new(e->row.query, &e->test, &why) < 0)
            cw_log_error("delete %08" PRIx32 " hides nothing, its query cannot be read: %s",
                         e->row.id, why.text);
        items_add(d, e);
    }
    cw_delete_list_fini(&list);
    *out = d;
    return 0;
}

static void stuck_fini(struct stuck_parts *stuck)
{
    for (size_t i = 0; i < stuck->n; i++)
        free((char *)stuck->items[i].info.tenant.ptr);
    free(stuck->items);
}

void cw_deletes_close(struct cw_deletes **handle)
{
    struct cw_deletes *d = *handle;
    *handle = NULL;
    if (d == NULL)
        return;
    for (size_t i = 0; i < d->n; i++)
        entry_unref(&d->items[i]);
    free(d->items);
    stuck_fini(&d->refused);
    stuck_fini(&d->no_room);
    pthread_mutex_destroy(&d->write_lock);
    pthread_mutex_destroy(&d->lock);
    free(d->data_dir);
    free(d);
}

/* ---- changes: the file first, then what is seen; under write_lock ---- */

/* All rows but `without` (may be NULL), then `more` (may be NULL). */
static int file_write(struct cw_deletes *d, const struct entry *without,
                      const struct cw_delete_row *more, struct cw_err *err)
{
    struct cw_delete_list list = {0};
    for (size_t i = 0; i < d->n; i++)
        if (d->items[i] != without)
            cw_delete_list_add(&list, &d->items[i]->row);
    if (more != NULL)
        cw_delete_list_add(&list, more);
    int rc = cw_delete_list_write(d->data_dir, &list, err);
    cw_delete_list_fini(&list);
    return rc;
}

static struct entry *find(const struct cw_deletes *d, uint32_t id)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->items[i]->row.id == id)
            return d->items[i];
    return NULL;
}

static void draw_id(const struct cw_deletes *d, struct cw_delete_row *row)
{
    do
        cw_file_random(&row->id, sizeof(row->id));
    while (row->id == 0 || find(d, row->id) != NULL);
}

static void items_remove(struct cw_deletes *d, struct entry *e)
{
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < d->n; i++) {
        if (d->items[i] != e)
            continue;
        memmove(&d->items[i], &d->items[i + 1], (d->n - i - 1) * sizeof(*d->items));
        d->n--;
        break;
    }
    e->gone = true;
    pthread_mutex_unlock(&d->lock);
    entry_unref(&e);
}

static struct entry *oldest_receipt(const struct cw_deletes *d)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->items[i]->row.state == CW_DELETE_PROCESSED)
            return d->items[i];
    return NULL;
}

int cw_deletes_add(struct cw_deletes *d, const struct cw_delete_row *row, struct cw_err *err)
{
    struct cw_entry_test *test;
    int rc = cw_entry_test_new(row->query, &test, err);
    if (rc < 0)
        return rc;
    struct entry *e = entry_new(row);
    e->test = test;
    e->row.state = CW_DELETE_RECEIVED;
    pthread_mutex_lock(&d->write_lock);
    draw_id(d, &e->row);
    struct entry *leaves = d->n >= CW_DELETES_MAX ? oldest_receipt(d) : NULL;
    rc = file_write(d, leaves, &e->row, err);
    if (rc == 0 && leaves != NULL)
        items_remove(d, leaves);
    if (rc == 0) {
        pthread_mutex_lock(&d->lock);
        items_add(d, e);
        pthread_mutex_unlock(&d->lock);
        e = NULL;
    }
    pthread_mutex_unlock(&d->write_lock);
    entry_unref(&e);
    return rc;
}

static struct entry *find_of(const struct cw_deletes *d, struct cw_str tenant, struct cw_str id)
{
    for (size_t i = 0; i < d->n; i++) {
        char text[16];
        snprintf(text, sizeof(text), "%08" PRIx32, d->items[i]->row.id);
        if (cw_str_eqz(id, text) && cw_str_eq(d->items[i]->row.tenant, tenant))
            return d->items[i];
    }
    return NULL;
}

int cw_deletes_cancel(struct cw_deletes *d, struct cw_str tenant, struct cw_str id,
                      enum cw_deletes_cancel how, struct cw_err *err)
{
    pthread_mutex_lock(&d->write_lock);
    struct entry *e = find_of(d, tenant, id);
    int rc;
    if (e == NULL)
        rc = cw_err_set(err, CW_E_NOT_FOUND, "could not find delete request with given id");
    else if (e->row.state == CW_DELETE_PROCESSED)
        rc = cw_err_set(
            err, CW_E_INVALID,
            "deletion of request which is in process or already processed is not allowed");
    else if (e->row.state == CW_DELETE_PROCESSING && how != CW_DELETES_CANCEL_FORCE)
        rc = cw_err_set(err, CW_E_INVALID,
                        "Unable to cancel partially completed delete request. To force, use the "
                        "?force query parameter");
    else
        rc = file_write(d, e, NULL, err);
    if (rc == 0)
        items_remove(d, e);
    pthread_mutex_unlock(&d->write_lock);
    return rc;
}

static bool is_clean(const struct entry *e, uint64_t part_id)
{
    for (size_t i = 0; i < e->nclean; i++)
        if (e->clean[i] == part_id)
            return true;
    return false;
}

static bool entry_holds(const struct entry *e, const struct cw_part_footer *part)
{
    struct cw_delete_place place = {part->info.id, part->info.wal_last, part->min_ns, part->max_ns};
    return e->row.state == CW_DELETE_PROCESSING && cw_str_eq(e->row.tenant, part->info.tenant) &&
           cw_delete_list_row_is_of(&e->row, e->row.purge_id, &place) &&
           !is_clean(e, part->info.id);
}

static size_t stuck_count(const struct stuck_parts *stuck, const struct entry *e)
{
    size_t n = 0;
    for (size_t i = 0; i < stuck->n; i++)
        n += entry_holds(e, &stuck->items[i]);
    return n;
}

void cw_deletes_each(struct cw_deletes *d, struct cw_str tenant, cw_deletes_fn fn, void *arg)
{
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < d->n; i++) {
        if (!cw_str_eq(d->items[i]->row.tenant, tenant))
            continue;
        struct cw_deletes_waits waits = {stuck_count(&d->refused, d->items[i]),
                                         stuck_count(&d->no_room, d->items[i])};
        fn(arg, &d->items[i]->row, &waits);
    }
    pthread_mutex_unlock(&d->lock);
}

/* ---- the order of the WAL ---- */

uint64_t cw_deletes_last_seq(struct cw_deletes *d)
{
    uint64_t seq = 0;
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < d->n; i++)
        seq = CW_MAX(seq, d->items[i]->row.wal_seq);
    pthread_mutex_unlock(&d->lock);
    return seq;
}

uint64_t cw_deletes_last_id(struct cw_deletes *d)
{
    uint64_t id = 0;
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < d->n; i++)
        id = CW_MAX(id, d->items[i]->row.purge_id);
    pthread_mutex_unlock(&d->lock);
    return id;
}

uint64_t cw_deletes_removing_seq(struct cw_deletes *d)
{
    uint64_t seq = 0;
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < d->n; i++)
        if (d->items[i]->row.state == CW_DELETE_PROCESSING)
            seq = CW_MAX(seq, d->items[i]->row.wal_seq);
    pthread_mutex_unlock(&d->lock);
    return seq;
}

bool cw_deletes_between(struct cw_deletes *d, uint64_t seq, uint64_t next)
{
    bool found = false;
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < d->n && !found; i++)
        found = is_active(d->items[i]) && d->items[i]->row.wal_seq >= seq &&
                d->items[i]->row.wal_seq < next;
    pthread_mutex_unlock(&d->lock);
    return found;
}

/* ---- views ---- */

struct cw_deletes_view *cw_deletes_view_new(struct cw_deletes *d, struct cw_str tenant,
                                            enum cw_deletes_which which)
{
    struct cw_deletes_view *view = NULL;
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < d->n; i++) {
        struct entry *e = d->items[i];
        if (!is_active(e) || !cw_str_eq(e->row.tenant, tenant) ||
            (which == CW_DELETES_REMOVING && e->row.state != CW_DELETE_PROCESSING))
            continue;
        if (view == NULL) {
            view = cw_mem_new(sizeof(*view));
            view->deletes = d;
            view->items = cw_mem_array(d->n, sizeof(*view->items));
        }
        atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
        view->items[view->n].entry = e;
        view->items[view->n++].below_id = cw_delete_list_below_id(&e->row);
    }
    pthread_mutex_unlock(&d->lock);
    return view;
}

void cw_deletes_view_free(struct cw_deletes_view **handle)
{
    struct cw_deletes_view *view = *handle;
    *handle = NULL;
    if (view == NULL)
        return;
    for (size_t i = 0; i < view->n; i++)
        entry_unref(&view->items[i].entry);
    free(view->items);
    free(view);
}

size_t cw_deletes_view_count(const struct cw_deletes_view *view)
{
    return view != NULL ? view->n : 0;
}

bool cw_deletes_view_rule(const struct cw_deletes_view *view, size_t i,
                          const struct cw_delete_place *place, struct cw_hidden_rule *out)
{
    const struct entry *e = view->items[i].entry;
    if (!cw_delete_list_row_is_of(&e->row, view->items[i].below_id, place))
        return false;
    *out = (struct cw_hidden_rule){.selector = cw_entry_test_selector(e->test),
                                   .first_ns = e->row.first_ns,
                                   .last_ns = e->row.last_ns,
                                   .filter = cw_entry_test_filter(e->test)};
    return true;
}

/* ---- carrying out ---- */

static bool touches_day(const struct cw_delete_row *row, int32_t day)
{
    const int64_t day_ns = 86400 * CW_NS_PER_S;
    int64_t start_ns, end_ns;
    if (day == CW_DAY_MIXED)
        return true;
    if (__builtin_mul_overflow((int64_t)day, day_ns, &start_ns))
        start_ns = INT64_MIN;
    if (__builtin_mul_overflow((int64_t)day + 1, day_ns, &end_ns))
        end_ns = INT64_MAX;
    return row->first_ns <= end_ns && row->last_ns >= start_ns;
}

uint64_t cw_deletes_epoch(struct cw_deletes *d, const struct cw_part_info *part)
{
    uint64_t n = 0;
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < d->n; i++) {
        const struct cw_delete_row *row = &d->items[i]->row;
        n += row->state != CW_DELETE_PROCESSED && row->wal_seq < part->wal_last &&
             cw_str_eq(row->tenant, part->tenant) && touches_day(row, part->day);
    }
    pthread_mutex_unlock(&d->lock);
    return n;
}

bool cw_deletes_holds(struct cw_deletes *d, const struct cw_part_footer *part)
{
    bool holds = false;
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < d->n && !holds; i++)
        holds = entry_holds(d->items[i], part);
    pthread_mutex_unlock(&d->lock);
    return holds;
}

uint64_t cw_deletes_version(struct cw_deletes *d)
{
    return atomic_load(&d->version);
}

void cw_deletes_clean(struct cw_deletes_view *view, uint64_t part_id)
{
    pthread_mutex_lock(&view->deletes->lock);
    for (size_t i = 0; i < view->n; i++) {
        struct entry *e = view->items[i].entry;
        if (is_clean(e, part_id))
            continue;
        e->clean = cw_mem_resize(e->clean, (e->nclean + 1) * sizeof(*e->clean));
        e->clean[e->nclean++] = part_id;
    }
    pthread_mutex_unlock(&view->deletes->lock);
}

static void stuck_add(struct cw_deletes *d, struct stuck_parts *stuck,
                      const struct cw_part_footer *part)
{
    pthread_mutex_lock(&d->lock);
    bool there = false;
    for (size_t i = 0; i < stuck->n && !there; i++)
        there = stuck->items[i].info.id == part->info.id;
    if (!there) {
        stuck->items = cw_mem_resize(stuck->items, (stuck->n + 1) * sizeof(*stuck->items));
        struct cw_part_footer *copy = &stuck->items[stuck->n++];
        *copy = *part;
        copy->info.tenant.ptr = cw_str_dupz(part->info.tenant);
        copy->info.replaced = NULL;
        copy->info.nreplaced = 0;
    }
    pthread_mutex_unlock(&d->lock);
}

void cw_deletes_refuse(struct cw_deletes *d, const struct cw_part_footer *part)
{
    stuck_add(d, &d->refused, part);
}

void cw_deletes_no_room(struct cw_deletes *d, const struct cw_part_footer *part)
{
    stuck_add(d, &d->no_room, part);
}

/* Those that have left. */
static void stuck_trim(struct cw_deletes *d, struct stuck_parts *stuck,
                       const struct cw_deletes_advance *step)
{
    size_t n = 0;
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < stuck->n; i++) {
        bool there = false;
        for (size_t j = 0; j < step->nparts && !there; j++)
            there = step->parts[j]->info.id == stuck->items[i].info.id;
        if (there)
            stuck->items[n++] = stuck->items[i];
        else
            free((char *)stuck->items[i].info.tenant.ptr);
    }
    stuck->n = n;
    pthread_mutex_unlock(&d->lock);
}

int cw_deletes_commit_begin(struct cw_deletes_view *view, struct cw_err *err)
{
    if (view == NULL)
        return 0;
    pthread_mutex_lock(&view->deletes->write_lock);
    for (size_t i = 0; i < view->n; i++) {
        if (!view->items[i].entry->gone)
            continue;
        pthread_mutex_unlock(&view->deletes->write_lock);
        return cw_err_set(err, CW_E_CONFLICT, "delete %08" PRIx32 " was cancelled",
                          view->items[i].entry->row.id);
    }
    return 0;
}

void cw_deletes_commit_end(struct cw_deletes_view *view, const struct cw_deletes_done *done)
{
    if (view == NULL)
        return;
    struct cw_deletes *d = view->deletes;
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; done != NULL && i < view->n; i++) {
        view->items[i].entry->row.nremoved += done[i].removed;
        view->items[i].entry->row.nunread += done[i].unread;
        d->nremoved += done[i].removed;
    }
    pthread_mutex_unlock(&d->lock);
    pthread_mutex_unlock(&d->write_lock);
}

/* Parts are found clean meanwhile, on another thread. */
static bool any_holds(struct cw_deletes *d, const struct entry *e,
                      const struct cw_deletes_advance *step)
{
    bool holds = false;
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < step->nparts && !holds; i++)
        holds = entry_holds(e, step->parts[i]);
    pthread_mutex_unlock(&d->lock);
    return holds;
}

/* The row as it is to be; false when it is to go. */
static bool row_advance(struct cw_deletes *d, const struct entry *e,
                        const struct cw_deletes_advance *step, struct cw_delete_row *row)
{
    *row = e->row;
    if (row->state == CW_DELETE_PROCESSED)
        return step->now_ns - row->finished_ns < CW_DELETES_RECEIPT_NS;
    if (e->test == NULL)
        return true;
    if (row->state == CW_DELETE_RECEIVED) {
        if (row->due_ns > step->now_ns)
            return true;
        if (atomic_load(&d->version) % 2 == 0)
            atomic_fetch_add(&d->version, 1);
        if (step->may_remove(step->ctx, row, &row->purge_id))
            row->state = CW_DELETE_PROCESSING;
        return true;
    }
    if (step->log_oldest_seq <= row->wal_seq || any_holds(d, e, step))
        return true;
    struct cw_err why;
    if (step->forget != NULL && step->forget(step->ctx, row, &why) < 0) {
        cw_log_debug("delete %08" PRIx32 " is not done yet: %s", row->id, why.text);
        return true;
    }
    row->state = CW_DELETE_PROCESSED;
    row->finished_ns = step->now_ns;
    return true;
}

/* rows[i] is what items[i] becomes; id 0: it goes. */
static void rows_apply(struct cw_deletes *d, const struct cw_delete_row *rows)
{
    size_t n = 0;
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < d->n; i++) {
        struct entry *e = d->items[i];
        if (rows[i].id == 0) {
            entry_unref(&e);
            continue;
        }
        if (e->row.state != rows[i].state)
            cw_log_info("delete %08" PRIx32 " %s", e->row.id,
                        rows[i].state == CW_DELETE_PROCESSED
                            ? "is carried out: no part holds its entries"
                            : "can be cancelled no more: its entries are being removed");
        e->row.state = rows[i].state;
        e->row.purge_id = rows[i].purge_id;
        e->row.finished_ns = rows[i].finished_ns;
        d->items[n++] = e;
    }
    d->n = n;
    pthread_mutex_unlock(&d->lock);
}

int cw_deletes_advance(struct cw_deletes *d, const struct cw_deletes_advance *step,
                       struct cw_err *err)
{
    pthread_mutex_lock(&d->write_lock);
    struct cw_delete_row *rows = cw_mem_array(d->n + 1, sizeof(*rows));
    struct cw_delete_list list = {0};
    bool changed = false;
    stuck_trim(d, &d->refused, step);
    stuck_trim(d, &d->no_room, step);
    for (size_t i = 0; i < d->n; i++) {
        bool stays = row_advance(d, d->items[i], step, &rows[i]);
        changed |= !stays || rows[i].state != d->items[i]->row.state;
        if (stays)
            cw_delete_list_add(&list, &rows[i]);
        else
            rows[i].id = 0;
    }
    int rc = changed ? cw_delete_list_write(d->data_dir, &list, err) : 0;
    if (rc == 0 && changed)
        rows_apply(d, rows);
    if (atomic_load(&d->version) % 2 == 1)
        atomic_fetch_add(&d->version, 1);
    pthread_mutex_unlock(&d->write_lock);
    cw_delete_list_fini(&list);
    free(rows);
    return rc;
}

void cw_deletes_count(struct cw_deletes *d, struct cw_deletes_counts *out)
{
    *out = (struct cw_deletes_counts){0};
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < d->n; i++) {
        enum cw_delete_state state = d->items[i]->row.state;
        out->received += state == CW_DELETE_RECEIVED;
        out->processing += state == CW_DELETE_PROCESSING;
        out->processed += state == CW_DELETE_PROCESSED;
    }
    out->removed = d->nremoved;
    pthread_mutex_unlock(&d->lock);
}
