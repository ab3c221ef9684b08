#include "ingester/marks.h"

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/hash.h"
#include "common/base/id_map.h"

enum { MARKS_SLOTS_FIRST = 256, MARKS_TENANTS_MAX = 65536 };

struct mark {
    uint32_t tenant; /* index of names */
    struct cw_id128 shipper, source;
    uint64_t generation, offset, confirmed;
    int64_t last_ns;
};

/* What an entry was before the change; `mark_idx` < 0: a session. Undone from the last to the first. */
struct undo {
    int64_t mark_idx, session_idx;
    struct mark mark;
    struct cw_wal_session session;
    int was_new;
};

struct table {
    uint32_t *slots; /* index + 1, 0 free */
    size_t mask;
};

struct cw_marks {
    struct cw_str *tenants; /* owned texts, by number */
    struct cw_id_map tenant_numbers;
    size_t ntenants;
    struct mark *items;
    size_t n, cap;
    struct table by_key;
    struct cw_wal_session *sessions;
    size_t nsessions, sessions_cap;
    struct table by_shipper;
    struct undo *undo;
    size_t nundo, undo_cap;
};

/* ---- tables: open addressing over arrays that are only appended to, or rebuilt ---- */

static void table_clear(struct table *table, size_t n)
{
    size_t slots = MARKS_SLOTS_FIRST;
    while (slots < 2 * (n + 1))
        slots *= 2;
    free(table->slots);
    table->slots = cw_mem_array(slots, sizeof(*table->slots));
    table->mask = slots - 1;
}

static void table_put(struct table *table, uint64_t hash, size_t idx)
{
    size_t at = hash & table->mask;
    while (table->slots[at])
        at = (at + 1) & table->mask;
    table->slots[at] = (uint32_t)idx + 1;
}

static uint64_t key_hash(uint32_t tenant, const struct cw_id128 *shipper,
                         const struct cw_id128 *source, uint64_t generation)
{
    char key[44];
    memcpy(key, &tenant, 4);
    memcpy(key + 4, shipper->bytes, 16);
    memcpy(key + 20, source->bytes, 16);
    memcpy(key + 36, &generation, 8);
    return cw_hash64(key, sizeof(key));
}

static uint64_t mark_hash(const struct mark *mark)
{
    return key_hash(mark->tenant, &mark->shipper, &mark->source, mark->generation);
}

static bool id_eq(const struct cw_id128 *a, const struct cw_id128 *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static void index_marks(struct cw_marks *marks)
{
    table_clear(&marks->by_key, marks->n);
    for (size_t i = 0; i < marks->n; i++)
        table_put(&marks->by_key, mark_hash(&marks->items[i]), i);
}

static void index_sessions(struct cw_marks *marks)
{
    table_clear(&marks->by_shipper, marks->nsessions);
    for (size_t i = 0; i < marks->nsessions; i++)
        table_put(&marks->by_shipper, cw_hash64(marks->sessions[i].shipper.bytes, 16), i);
}

static int64_t find_mark(const struct cw_marks *marks, int64_t tenant,
                         const struct cw_id128 *shipper, const struct cw_id128 *source,
                         uint64_t generation)
{
    if (tenant < 0)
        return -1;
    size_t at = key_hash((uint32_t)tenant, shipper, source, generation) & marks->by_key.mask;
    for (; marks->by_key.slots[at]; at = (at + 1) & marks->by_key.mask) {
        const struct mark *mark = &marks->items[marks->by_key.slots[at] - 1];
        if (mark->tenant == tenant && mark->generation == generation &&
            id_eq(&mark->source, source) && id_eq(&mark->shipper, shipper))
            return marks->by_key.slots[at] - 1;
    }
    return -1;
}

static int64_t find_session(const struct cw_marks *marks, const struct cw_id128 *shipper)
{
    size_t at = cw_hash64(shipper->bytes, 16) & marks->by_shipper.mask;
    for (; marks->by_shipper.slots[at]; at = (at + 1) & marks->by_shipper.mask) {
        if (id_eq(&marks->sessions[marks->by_shipper.slots[at] - 1].shipper, shipper))
            return marks->by_shipper.slots[at] - 1;
    }
    return -1;
}

static int64_t find_tenant(const struct cw_marks *marks, struct cw_str tenant)
{
    size_t number;
    bool found =
        cw_id_map_find(&marks->tenant_numbers, cw_hash128(tenant.ptr, tenant.len), &number);
    return found ? (int64_t)number : -1;
}

static uint32_t make_tenant(struct cw_marks *marks, struct cw_str tenant)
{
    bool added;
    size_t number =
        cw_id_map_put(&marks->tenant_numbers, cw_hash128(tenant.ptr, tenant.len), &added);
    if (!added)
        return (uint32_t)number;
    marks->tenants = cw_mem_resize(marks->tenants, (marks->ntenants + 1) * sizeof(*marks->tenants));
    marks->tenants[marks->ntenants] = (struct cw_str){cw_str_dupz(tenant), tenant.len};
    marks->ntenants++;
    return (uint32_t)number;
}

struct cw_marks *cw_marks_new(void)
{
    struct cw_marks *marks = cw_mem_new(sizeof(*marks));
    index_marks(marks);
    index_sessions(marks);
    return marks;
}

void cw_marks_free(struct cw_marks **handle)
{
    struct cw_marks *marks = *handle;
    if (!marks)
        return;
    for (size_t i = 0; i < marks->ntenants; i++)
        free((char *)marks->tenants[i].ptr);
    free(marks->tenants);
    cw_id_map_fini(&marks->tenant_numbers);
    free(marks->items);
    free(marks->by_key.slots);
    free(marks->sessions);
    free(marks->by_shipper.slots);
    free(marks->undo);
    free(marks);
    *handle = NULL;
}

/* ---- changes, with the way back ---- */

static struct undo *undo_push(struct cw_marks *marks)
{
    if (marks->nundo == marks->undo_cap) {
        marks->undo_cap = marks->undo_cap ? 2 * marks->undo_cap : 64;
        marks->undo = cw_mem_resize(marks->undo, marks->undo_cap * sizeof(*marks->undo));
    }
    struct undo *undo = &marks->undo[marks->nundo++];
    *undo = (struct undo){.mark_idx = -1, .session_idx = -1};
    return undo;
}

/* The mark to change, made if it is not there. */
static struct mark *mark_for_change(struct cw_marks *marks, struct cw_str tenant,
                                    const struct cw_id128 *shipper, const struct cw_id128 *source,
                                    uint64_t generation)
{
    uint32_t name = make_tenant(marks, tenant);
    int64_t idx = find_mark(marks, name, shipper, source, generation);
    struct undo *undo = undo_push(marks);
    if (idx < 0) {
        if (marks->n == marks->cap) {
            marks->cap = marks->cap ? 2 * marks->cap : 64;
            marks->items = cw_mem_resize(marks->items, marks->cap * sizeof(*marks->items));
        }
        idx = (int64_t)marks->n++;
        marks->items[idx] = (struct mark){
            .tenant = name, .shipper = *shipper, .source = *source, .generation = generation};
        if (2 * marks->n > marks->by_key.mask)
            index_marks(marks);
        else
            table_put(&marks->by_key, mark_hash(&marks->items[idx]), (size_t)idx);
        undo->was_new = 1;
    }
    undo->mark_idx = idx;
    undo->mark = marks->items[idx];
    return &marks->items[idx];
}

void cw_marks_commit(struct cw_marks *marks)
{
    marks->nundo = 0;
}

void cw_marks_rollback(struct cw_marks *marks)
{
    while (marks->nundo > 0) {
        const struct undo *undo = &marks->undo[--marks->nundo];
        if (undo->mark_idx >= 0) {
            marks->items[undo->mark_idx] = undo->mark;
            marks->n -= (size_t)undo->was_new;
        } else {
            marks->sessions[undo->session_idx] = undo->session;
            marks->nsessions -= (size_t)undo->was_new;
        }
    }
    index_marks(marks);
    index_sessions(marks);
}

/* ---- deliveries ---- */

int cw_marks_validate(const struct cw_push *push, struct cw_err *err)
{
    const struct cw_push_delivery *delivery = &push->delivery;
    if (push->nentries > 0 && delivery->nranges == 0)
        return cw_err_set(err, CW_E_INVALID, "a delivery with entries names no range");
    if (delivery->nranges > CW_MARKS_RANGES_MAX)
        return cw_err_set(err, CW_E_INVALID, "a delivery names more than %d ranges",
                          CW_MARKS_RANGES_MAX);
    for (size_t i = 0; i < delivery->nranges; i++) {
        const struct cw_push_range *range = &delivery->ranges[i];
        if (range->from > range->to || range->to > INT64_MAX || range->generation > INT64_MAX)
            return cw_err_set(err, CW_E_INVALID,
                              "range %zu of the delivery ends before it begins or past 2^63 - 1",
                              i);
        for (size_t j = 0; j < i; j++) {
            if (delivery->ranges[j].generation == range->generation &&
                id_eq(&delivery->ranges[j].source, &range->source))
                return cw_err_set(err, CW_E_INVALID,
                                  "ranges %zu and %zu of the delivery have the same source", j, i);
        }
    }
    for (size_t i = 0; i < delivery->nconfirms; i++) {
        if (delivery->confirms[i].offset > INT64_MAX ||
            delivery->confirms[i].generation > INT64_MAX)
            return cw_err_set(err, CW_E_INVALID,
                              "confirmation %zu of the delivery is past 2^63 - 1", i);
    }
    return 0;
}

enum cw_marks_verdict cw_marks_check(const struct cw_marks *marks, struct cw_str tenant,
                                     const struct cw_push_delivery *delivery)
{
    const struct cw_id128 *session = cw_marks_session(marks, &delivery->shipper);
    bool all_new = true, all_old = true;
    size_t nunknown = 0;
    if (!session || !id_eq(session, &delivery->session))
        return CW_MARKS_SESSION;
    int64_t name = find_tenant(marks, tenant);
    for (size_t i = 0; i < delivery->nranges; i++) {
        const struct cw_push_range *range = &delivery->ranges[i];
        int64_t idx = find_mark(marks, name, &delivery->shipper, &range->source, range->generation);
        uint64_t mark = idx < 0 ? 0 : marks->items[idx].offset;
        nunknown += idx < 0;
        all_new &= range->from == mark;
        all_old &= range->to <= mark;
    }
    if (all_new &&
        (marks->n + nunknown > CW_MARKS_MAX || (name < 0 && marks->ntenants >= MARKS_TENANTS_MAX)))
        return CW_MARKS_FULL;
    if (all_new)
        return CW_MARKS_NEW;
    return all_old ? CW_MARKS_REPEAT : CW_MARKS_RANGE;
}

static void confirm(struct cw_marks *marks, struct cw_str tenant, const struct cw_id128 *shipper,
                    const struct cw_id128 *source, uint64_t generation, uint64_t offset,
                    int64_t now_ns)
{
    /* A confirmation of what we do not know says nothing. */
    if (find_mark(marks, find_tenant(marks, tenant), shipper, source, generation) < 0)
        return;
    struct mark *mark = mark_for_change(marks, tenant, shipper, source, generation);
    mark->confirmed = CW_MAX(mark->confirmed, offset);
    mark->last_ns = now_ns;
}

void cw_marks_apply(struct cw_marks *marks, struct cw_str tenant,
                    const struct cw_push_delivery *delivery, int64_t now_ns)
{
    for (size_t i = 0; i < delivery->nranges; i++) {
        const struct cw_push_range *range = &delivery->ranges[i];
        struct mark *mark =
            mark_for_change(marks, tenant, &delivery->shipper, &range->source, range->generation);
        mark->offset = range->to;
        mark->last_ns = now_ns;
    }
    for (size_t i = 0; i < delivery->nconfirms; i++)
        confirm(marks, tenant, &delivery->shipper, &delivery->confirms[i].source,
                delivery->confirms[i].generation, delivery->confirms[i].offset, now_ns);
}

uint64_t cw_marks_get(const struct cw_marks *marks, struct cw_str tenant,
                      const struct cw_id128 *shipper, const struct cw_id128 *source,
                      uint64_t generation)
{
    int64_t idx = find_mark(marks, find_tenant(marks, tenant), shipper, source, generation);
    return idx < 0 ? 0 : marks->items[idx].offset;
}

const struct cw_id128 *cw_marks_session(const struct cw_marks *marks,
                                        const struct cw_id128 *shipper)
{
    int64_t idx = find_session(marks, shipper);
    return idx < 0 ? NULL : &marks->sessions[idx].session;
}

static void put_session(struct cw_marks *marks, const struct cw_id128 *shipper,
                        const struct cw_id128 *session, int64_t now_ns)
{
    int64_t idx = find_session(marks, shipper);
    struct undo *undo = undo_push(marks);
    if (idx < 0) {
        if (marks->nsessions == marks->sessions_cap) {
            marks->sessions_cap = marks->sessions_cap ? 2 * marks->sessions_cap : 16;
            marks->sessions =
                cw_mem_resize(marks->sessions, marks->sessions_cap * sizeof(*marks->sessions));
        }
        idx = (int64_t)marks->nsessions++;
        marks->sessions[idx] = (struct cw_wal_session){.shipper = *shipper};
        if (2 * marks->nsessions > marks->by_shipper.mask)
            index_sessions(marks);
        else
            table_put(&marks->by_shipper, cw_hash64(shipper->bytes, 16), (size_t)idx);
        undo->was_new = 1;
    }
    undo->session_idx = idx;
    undo->session = marks->sessions[idx];
    marks->sessions[idx].session = *session;
    marks->sessions[idx].drawn_ns = now_ns;
}

int cw_marks_set_session(struct cw_marks *marks, const struct cw_id128 *shipper,
                         const struct cw_id128 *session, int64_t now_ns, struct cw_err *err)
{
    if (find_session(marks, shipper) < 0 && marks->nsessions >= CW_MARKS_SESSIONS_MAX)
        return cw_err_set(err, CW_E_OVERLOAD, "the store knows %u shippers already",
                          CW_MARKS_SESSIONS_MAX);
    put_session(marks, shipper, session, now_ns);
    return 0;
}

/* ---- replay and checkpoints ---- */

void cw_marks_replay(struct cw_marks *marks, const struct cw_wal_frame *frame)
{
    if (frame->kind == CW_WAL_SESSION)
        put_session(marks, &frame->shipper, &frame->session, frame->received_ns);
    for (size_t i = 0; i < frame->nmarks; i++) {
        struct mark *mark = mark_for_change(marks, frame->tenant, &frame->shipper,
                                            &frame->marks[i].source, frame->marks[i].generation);
        mark->offset = frame->marks[i].offset;
        mark->last_ns = frame->received_ns;
    }
    for (size_t i = 0; i < frame->nconfirms; i++)
        confirm(marks, frame->tenant, &frame->shipper, &frame->confirms[i].source,
                frame->confirms[i].generation, frame->confirms[i].offset, frame->received_ns);
    cw_marks_commit(marks);
}

void cw_marks_replace(struct cw_marks *marks, const struct cw_wal_checkpoint *checkpoint)
{
    marks->n = marks->nsessions = marks->nundo = 0;
    index_marks(marks);
    index_sessions(marks);
    for (size_t i = 0; i < checkpoint->nsessions; i++)
        put_session(marks, &checkpoint->sessions[i].shipper, &checkpoint->sessions[i].session,
                    checkpoint->sessions[i].drawn_ns);
    for (size_t i = 0; i < checkpoint->nmarks; i++) {
        const struct cw_wal_mark *in = &checkpoint->marks[i];
        struct mark *mark =
            mark_for_change(marks, in->tenant, &in->shipper, &in->source, in->generation);
        mark->offset = in->offset;
        mark->confirmed = in->confirmed;
        mark->last_ns = in->last_ns;
        cw_marks_commit(marks);
    }
    cw_marks_commit(marks);
}

static struct cw_wal_mark mark_out(const struct cw_marks *marks, const struct mark *mark)
{
    return (struct cw_wal_mark){.tenant = marks->tenants[mark->tenant],
                                .shipper = mark->shipper,
                                .source = mark->source,
                                .generation = mark->generation,
                                .offset = mark->offset,
                                .confirmed = mark->confirmed,
                                .last_ns = mark->last_ns};
}

void cw_marks_checkpoint(const struct cw_marks *marks, struct cw_buf *out)
{
    struct cw_wal_mark *items = cw_mem_array(marks->n + 1, sizeof(*items));
    for (size_t i = 0; i < marks->n; i++)
        items[i] = mark_out(marks, &marks->items[i]);
    struct cw_wal_checkpoint checkpoint = {.sessions = marks->sessions,
                                           .nsessions = marks->nsessions,
                                           .marks = items,
                                           .nmarks = marks->n};
    cw_wal_checkpoint_encode(&checkpoint, out);
    free(items);
}

/* A shipper without marks that was not started for so long: it asks again when it pushes, and draws a new uuid if it has a twin. */
static void forget_sessions(struct cw_marks *marks, int64_t now_ns, int64_t age_ns)
{
    bool *used = cw_mem_array(marks->nsessions + 1, sizeof(*used));
    size_t kept = 0, n = marks->nsessions;
    for (size_t i = 0; i < marks->n; i++) {
        int64_t idx = find_session(marks, &marks->items[i].shipper);
        if (idx >= 0)
            used[idx] = true;
    }
    for (size_t i = 0; i < n; i++) {
        int64_t drawn_ns = marks->sessions[i].drawn_ns;
        if (used[i] || drawn_ns > now_ns || now_ns - drawn_ns < age_ns)
            marks->sessions[kept++] = marks->sessions[i];
    }
    marks->nsessions = kept;
    if (kept < n)
        index_sessions(marks);
    free(used);
}

size_t cw_marks_forget(struct cw_marks *marks, int64_t now_ns, int64_t age_ns)
{
    size_t kept = 0, n = marks->n;
    CW_ASSERT(marks->nundo == 0);
    for (size_t i = 0; i < n; i++) {
        const struct mark *mark = &marks->items[i];
        bool silent = mark->last_ns <= now_ns && now_ns - mark->last_ns >= age_ns;
        if (!silent || mark->confirmed < mark->offset)
            marks->items[kept++] = *mark;
    }
    marks->n = kept;
    if (kept < n)
        index_marks(marks);
    forget_sessions(marks, now_ns, age_ns);
    return n - kept;
}

void cw_marks_each(const struct cw_marks *marks, struct cw_str tenant,
                   const struct cw_id128 *shipper, cw_marks_fn fn, void *arg)
{
    int64_t name = find_tenant(marks, tenant);
    for (size_t i = 0; i < marks->n; i++) {
        const struct mark *mark = &marks->items[i];
        if (mark->tenant != name || (shipper && !id_eq(&mark->shipper, shipper)))
            continue;
        struct cw_wal_mark out = mark_out(marks, mark);
        fn(arg, &out);
    }
}

size_t cw_marks_count(const struct cw_marks *marks)
{
    return marks->n;
}
