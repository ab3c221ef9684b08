#include "common/store/head_follow.h"

#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/memory_budget.h"
#include "common/store/head_priv.h"

#define FOLLOW_BEHIND_BYTES (16u << 20)

/* A generation that is still to be read. */
struct follow_waiting {
    struct cw_generation *generation; /* a reference */
    uint64_t bytes;                   /* once another one stands behind it: it grows no more */
};

/* How far a stream's rows are seen. */
struct follow_place {
    const struct head_stream *stream;
    const struct head_block *block; /* NULL: none yet */
    uint32_t row;                   /* of it the next one */
    uint64_t nseen;                 /* rows, of all blocks */
};

struct cw_head_follow {
    struct cw_head *head;
    char *tenant;
    struct cw_follow_options options;

    /* Under the head's lock. */
    struct cw_head_follow *next;
    struct follow_waiting *waiting; /* behind `generation`, oldest first */
    size_t nwaiting, waiting_cap;
    /* For the reader to look at: whether any waits, and the bytes of those that do. */
    atomic_bool is_behind;
    atomic_uint_fast64_t behind_bytes;

    /* The reader's. */
    struct cw_generation *generation; /* a reference */
    struct head_tenant *found;        /* the tenant in it; NULL: has nothing yet */
    struct head_stream *judged;       /* the last of its streams that was matched */
    struct follow_place *places;      /* of those that match */
    size_t nplaces, places_cap, at;
    uint64_t
        visit_end; /* what places[at].nseen has to reach: a stream that grows on does not hold up the others */
    bool in_round;      /* every place is looked at once a round */
    bool last_round;    /* ... and this one sees all of the generation */
    uint64_t round_seq; /* what was visible when the round began */
    uint64_t seen_seq;  /* all up to it is seen */

    /* The batch's. */
    uint64_t *keep;
    int64_t *ts_ns;
    struct cw_str *lines;
    uint32_t *sizes;
    struct cw_labels *metadata;
    size_t batch_cap;
};

/* ---- generations ---- */

/* The last one that waits has been closed. */
static void count_closed(struct cw_head_follow *follow)
{
    if (follow->nwaiting == 0)
        return;
    struct follow_waiting *closed = &follow->waiting[follow->nwaiting - 1];
    closed->bytes = atomic_load_explicit(&closed->generation->bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&follow->behind_bytes, closed->bytes, memory_order_relaxed);
}

void head_followers_add(struct cw_head *head, struct cw_generation *generation)
{
    for (struct cw_head_follow *at = head->followers; at; at = at->next) {
        count_closed(at);
        if (at->nwaiting == at->waiting_cap) {
            at->waiting_cap = at->waiting_cap ? 2 * at->waiting_cap : 4;
            at->waiting = cw_mem_resize(at->waiting, at->waiting_cap * sizeof(*at->waiting));
        }
        atomic_fetch_add_explicit(&generation->refs, 1, memory_order_relaxed);
        at->waiting[at->nwaiting++] = (struct follow_waiting){.generation = generation};
        atomic_store_explicit(&at->is_behind, true, memory_order_release);
    }
}

static void next_generation(struct cw_head_follow *follow)
{
    struct cw_head *head = follow->head;
    cw_generation_unref(&follow->generation);
    pthread_mutex_lock(&head->lock);
    CW_ASSERT(follow->nwaiting > 0);
    follow->generation = follow->waiting[0].generation;
    atomic_fetch_sub_explicit(&follow->behind_bytes, follow->waiting[0].bytes,
                              memory_order_relaxed);
    follow->nwaiting--;
    memmove(follow->waiting, follow->waiting + 1, follow->nwaiting * sizeof(*follow->waiting));
    atomic_store_explicit(&follow->is_behind, follow->nwaiting > 0, memory_order_release);
    pthread_mutex_unlock(&head->lock);
    follow->found = NULL;
    follow->judged = NULL;
    follow->nplaces = 0;
    follow->seen_seq = 0;
}

/* ---- streams ---- */

static void place_add(struct cw_head_follow *follow, const struct head_stream *stream)
{
    if (follow->nplaces == follow->places_cap) {
        size_t before = follow->places_cap;
        follow->places_cap = before ? 2 * before : 16;
        follow->places =
            cw_mem_resize(follow->places, follow->places_cap * sizeof(*follow->places));
        cw_memory_add(follow->head->budget, CW_MEMORY_QUERIES,
                      (follow->places_cap - before) * sizeof(*follow->places));
    }
    follow->places[follow->nplaces++] = (struct follow_place){.stream = stream};
}

/* Match the streams that are new in the generation. */
static int judge_streams(struct cw_head_follow *follow, struct cw_err *err)
{
    if (!follow->found) {
        pthread_mutex_lock(&follow->head->lock);
        follow->found = head_tenant_find(follow->generation, cw_str_of(follow->tenant));
        pthread_mutex_unlock(&follow->head->lock);
    }
    if (!follow->found)
        return 0;
    struct head_stream *_Atomic *at =
        follow->judged ? &follow->judged->next : &follow->found->first;
    struct head_stream *stream;
    while ((stream = atomic_load_explicit(at, memory_order_acquire)) != NULL) {
        int rc = cw_selector_match(follow->options.selector, stream->ref.labels, err);
        if (rc < 0)
            return rc;
        if (rc > 0)
            place_add(follow, stream);
        follow->judged = stream;
        at = &stream->next;
    }
    return 0;
}

/* ---- rows ---- */

static uint32_t visible(const struct head_block *block)
{
    return atomic_load_explicit(&block->nvisible, memory_order_acquire);
}

static const struct head_block *behind(const struct head_block *block)
{
    return atomic_load_explicit(&block->next, memory_order_acquire);
}

/* Rows are only added to the last block, and a commit shows those of earlier blocks first: when a later block shows any, this
 * one shows all that it will ever have. */
static bool is_complete(const struct head_block *block)
{
    for (block = behind(block); block; block = behind(block)) {
        if (visible(block) > 0)
            return true;
    }
    return false;
}

/* Rows of place->block that are not seen yet; 0: the stream has none for now. */
static uint32_t rows_ready(struct follow_place *place)
{
    if (!place->block)
        place->block = atomic_load_explicit(&place->stream->first, memory_order_acquire);
    while (place->block) {
        uint32_t n = visible(place->block);
        if (n == place->row && is_complete(place->block)) {
            n = visible(place->block);
            if (n == place->row) {
                place->block = behind(place->block);
                place->row = 0;
                continue;
            }
        }
        return n - place->row;
    }
    return 0;
}

static void place_seen(struct follow_place *place, uint32_t n)
{
    place->row += n;
    place->nseen += n;
}

static void batch_room(struct cw_head_follow *follow, size_t n)
{
    if (n <= follow->batch_cap)
        return;
    follow->batch_cap = n;
    follow->keep = cw_mem_resize(follow->keep, (n + 63) / 64 * sizeof(*follow->keep));
    follow->ts_ns = cw_mem_resize(follow->ts_ns, n * sizeof(*follow->ts_ns));
    follow->lines = cw_mem_resize(follow->lines, n * sizeof(*follow->lines));
    follow->sizes = cw_mem_resize(follow->sizes, n * sizeof(*follow->sizes));
    follow->metadata = cw_mem_resize(follow->metadata, n * sizeof(*follow->metadata));
}

/* Which of the n rows from place->row on pass the filters: a bitmap in follow->keep. */
static int rows_select(struct cw_head_follow *follow, const struct follow_place *place, uint32_t n,
                       struct cw_err *err)
{
    memset(follow->keep, 0xff, (n + 63) / 64 * sizeof(*follow->keep));
    if (n % 64)
        follow->keep[n / 64] = (UINT64_C(1) << (n % 64)) - 1;
    for (size_t i = 0; i < follow->options.nfilters; i++) {
        int rc = cw_line_filter_select(follow->options.filters[i], place->block->text,
                                       place->block->offsets + place->row, n, follow->keep, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Copies what is kept of the rows; returns how many. */
static size_t rows_put(struct cw_head_follow *follow, const struct follow_place *place, uint32_t n)
{
    const struct head_block *block = place->block;
    const struct cw_labels *const *metadata =
        atomic_load_explicit(&block->metadata, memory_order_acquire);
    size_t at = 0;
    for (size_t word = 0; word < (n + 63) / 64; word++) {
        for (uint64_t bits = follow->keep[word]; bits; bits &= bits - 1, at++) {
            uint32_t row = place->row + (uint32_t)(64 * word) + (uint32_t)__builtin_ctzll(bits);
            follow->ts_ns[at] = block->ts_ns[row];
            follow->lines[at] = head_block_line(block, row);
            follow->sizes[at] = (uint32_t)follow->lines[at].len;
            follow->metadata[at] = head_metadata_row(metadata, row);
        }
    }
    return at;
}

/* The next rows of a stream: 1 a batch, 0 none (that pass) before visit_end. */
static int place_batch(struct cw_head_follow *follow, struct follow_place *place, bool lost,
                       struct cw_follow_batch *out, struct cw_err *err)
{
    uint32_t n;
    while (place->nseen < follow->visit_end && (n = rows_ready(place)) > 0) {
        batch_room(follow, n);
        struct cw_entry_batch *rows = &out->rows;
        *out = (struct cw_follow_batch){.lost = lost, .rows.stream = place->stream->ref};
        if (lost) {
            memcpy(follow->ts_ns, place->block->ts_ns + place->row, n * sizeof(*follow->ts_ns));
            rows->n = n;
        } else {
            int rc = rows_select(follow, place, n, err);
            if (rc < 0)
                return rc;
            rows->n = rows_put(follow, place, n);
            rows->lines = follow->lines;
            rows->sizes = follow->sizes;
            rows->metadata = follow->metadata;
        }
        rows->ts_ns = follow->ts_ns;
        place_seen(place, n);
        if (rows->n > 0)
            return 1;
    }
    return 0;
}

/* ---- rounds ---- */

static void visit(struct cw_head_follow *follow, size_t at)
{
    follow->at = at;
    if (at < follow->nplaces)
        follow->visit_end =
            atomic_load_explicit(&follow->places[at].stream->nentries, memory_order_acquire);
}

/* 1 a round begins, 0 nothing is new. */
static int round_begin(struct cw_head_follow *follow, struct cw_err *err)
{
    /* A generation that another one stands behind shows all that it ever will. */
    follow->last_round = atomic_load_explicit(&follow->is_behind, memory_order_acquire);
    follow->round_seq = cw_generation_last_seq(follow->generation);
    if (!follow->last_round && follow->round_seq == follow->seen_seq)
        return 0;
    int rc = judge_streams(follow, err);
    if (rc < 0)
        return rc;
    follow->in_round = true;
    visit(follow, 0);
    return 1;
}

static void round_end(struct cw_head_follow *follow)
{
    follow->in_round = false;
    follow->seen_seq = follow->round_seq;
    if (follow->last_round)
        next_generation(follow);
}

int cw_head_follow_next(struct cw_head_follow *follow, struct cw_follow_batch *out,
                        struct cw_err *err)
{
    for (;;) {
        int rc = follow->in_round ? 1 : round_begin(follow, err);
        if (rc <= 0)
            return rc;
        while (follow->at < follow->nplaces) {
            bool lost = atomic_load_explicit(&follow->behind_bytes, memory_order_relaxed) >
                        FOLLOW_BEHIND_BYTES;
            rc = place_batch(follow, &follow->places[follow->at], lost, out, err);
            if (rc != 0)
                return rc;
            visit(follow, follow->at + 1);
        }
        bool last = follow->last_round;
        round_end(follow);
        if (!last)
            return 0;
    }
}

/* ---- open, close ---- */

/* Whatever is visible has been seen. */
static int skip_visible(struct cw_head_follow *follow, struct cw_err *err)
{
    int rc = judge_streams(follow, err);
    for (size_t i = 0; rc == 0 && i < follow->nplaces; i++) {
        uint32_t n;
        while ((n = rows_ready(&follow->places[i])) > 0)
            place_seen(&follow->places[i], n);
    }
    return rc;
}

int cw_head_follow_open(struct cw_head *head, const struct cw_follow_options *options,
                        struct cw_head_follow **out, struct cw_err *err)
{
    struct cw_head_follow *follow = cw_mem_new(sizeof(*follow));
    follow->head = head;
    follow->options = *options;
    follow->tenant = cw_str_dupz(options->tenant);
    pthread_mutex_lock(&head->lock);
    follow->generation = head->current;
    atomic_fetch_add_explicit(&follow->generation->refs, 1, memory_order_relaxed);
    follow->next = head->followers;
    head->followers = follow;
    pthread_mutex_unlock(&head->lock);
    int rc = skip_visible(follow, err);
    if (rc < 0)
        cw_head_follow_close(&follow);
    *out = follow;
    return rc;
}

void cw_head_follow_close(struct cw_head_follow **handle)
{
    struct cw_head_follow *follow = *handle;
    if (!follow)
        return;
    struct cw_head *head = follow->head;
    pthread_mutex_lock(&head->lock);
    struct cw_head_follow **at = &head->followers;
    while (*at != follow)
        at = &(*at)->next;
    *at = follow->next;
    pthread_mutex_unlock(&head->lock);
    cw_generation_unref(&follow->generation);
    for (size_t i = 0; i < follow->nwaiting; i++)
        cw_generation_unref(&follow->waiting[i].generation);
    cw_memory_give(head->budget, CW_MEMORY_QUERIES, follow->places_cap * sizeof(*follow->places));
    free(follow->waiting);
    free(follow->places);
    free(follow->tenant);
    free(follow->keep);
    free(follow->ts_ns);
    free(follow->lines);
    free(follow->sizes);
    free(follow->metadata);
    free(follow);
    *handle = NULL;
}
