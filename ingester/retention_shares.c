#include "ingester/retention_shares.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/log.h"
#include "common/store/part_source.h"

struct part_shares {
    uint64_t id;
    uint64_t version; /* of the policy */
    uint64_t *bytes;  /* heap; by rule */
};

struct cw_retention_shares {
    pthread_mutex_t lock;
    struct part_shares *items; /* by id */
    size_t n, cap;
};

struct cw_retention_shares *cw_retention_shares_new(void)
{
    struct cw_retention_shares *r = cw_mem_new(sizeof(*r));
    pthread_mutex_init(&r->lock, NULL);
    return r;
}

static void forget_all(struct cw_retention_shares *r)
{
    for (size_t i = 0; i < r->n; i++)
        free(r->items[i].bytes);
    r->n = 0;
}

void cw_retention_shares_free(struct cw_retention_shares **handle)
{
    struct cw_retention_shares *r = *handle;
    *handle = NULL;
    if (r == NULL)
        return;
    forget_all(r);
    free(r->items);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

void cw_retention_shares_trim(struct cw_retention_shares *r, size_t nparts)
{
    pthread_mutex_lock(&r->lock);
    if (r->n > 2 * nparts + 64)
        forget_all(r);
    pthread_mutex_unlock(&r->lock);
}

/* ---- what is remembered ---- */

/* Where the part stands or would; under the lock. */
static size_t place_of(const struct cw_retention_shares *r, uint64_t id)
{
    size_t low = 0, high = r->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (r->items[mid].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool recall(struct cw_retention_shares *r, uint64_t id,
                   const struct cw_retention_policy *policy, uint64_t *out)
{
    pthread_mutex_lock(&r->lock);
    size_t at = place_of(r, id);
    bool known = at < r->n && r->items[at].id == id && r->items[at].version == policy->version;
    if (known)
        memcpy(out, r->items[at].bytes, policy->n * sizeof(*out));
    pthread_mutex_unlock(&r->lock);
    return known;
}

static void remember(struct cw_retention_shares *r, uint64_t id,
                     const struct cw_retention_policy *policy, const uint64_t *bytes)
{
    uint64_t *copy = cw_mem_array(policy->n, sizeof(*copy));
    memcpy(copy, bytes, policy->n * sizeof(*copy));
    pthread_mutex_lock(&r->lock);
    size_t at = place_of(r, id);
    if (at < r->n && r->items[at].id == id) {
        free(r->items[at].bytes);
    } else {
        if (r->n == r->cap) {
            r->cap = r->cap ? 2 * r->cap : 64;
            r->items = cw_mem_resize(r->items, r->cap * sizeof(*r->items));
        }
        memmove(&r->items[at + 1], &r->items[at], (r->n - at) * sizeof(*r->items));
        r->n++;
    }
    r->items[at] = (struct part_shares){id, policy->version, copy};
    pthread_mutex_unlock(&r->lock);
}

/* ---- what a part says ---- */

/* Bytes of the lines of those of `streams` that are not `claimed`, their ends counted. */
static int lines_of(struct cw_part_reader *reader, const struct cw_stream_set *streams,
                    const struct cw_stream_set *claimed, double *out, struct cw_err *err)
{
    struct cw_stream_pin pin = {.once = true};
    int rc = 0;
    *out = 0;
    for (uint32_t i = cw_stream_set_next(streams, 0); rc == 0 && i < streams->n;
         i = cw_stream_set_next(streams, i + 1)) {
        const struct cw_part_stream *stream;
        if (cw_stream_set_has(claimed, i))
            continue;
        rc = cw_part_reader_stream(reader, i, &pin, &stream, err);
        if (rc == 0)
            *out += (double)stream->raw_bytes + (double)stream->rows;
    }
    cw_stream_pin_fini(&pin);
    return rc;
}

static uint64_t share_of(const struct cw_part_footer *footer, double lines)
{
    double all = (double)footer->raw_bytes + (double)footer->rows;
    if (lines == 0)
        return 0;
    /* The table's totals are from disk, and need not fit the footer's. */
    return lines >= all ? footer->file_bytes : (uint64_t)((double)footer->file_bytes * lines / all);
}

/* A stream is the first rule's that matches it. */
static int shares_read(struct cw_part_reader *reader, const struct cw_retention_policy *policy,
                       uint64_t *out, struct cw_err *err)
{
    const struct cw_part_footer *footer = cw_part_reader_footer(reader);
    struct cw_stream_set claimed;
    int rc = 0;
    cw_stream_set_init(&claimed, footer->nstreams);
    for (size_t i = 0; rc == 0 && footer->nstreams > 0 && i < policy->n; i++) {
        struct cw_part_selection *selection;
        rc = cw_part_reader_select(reader, &policy->rules[i].selector, &selection, err);
        if (rc < 0)
            break;
        const struct cw_stream_set *streams = cw_part_selection_set(selection);
        double lines;
        if (policy->rules[i].bytes_max > 0) {
            rc = lines_of(reader, streams, &claimed, &lines, err);
            if (rc == 0)
                out[i] = share_of(footer, lines);
        }
        cw_stream_set_add_members(&claimed, streams, 0, footer->nstreams - 1);
        cw_part_selection_unref(&selection);
    }
    cw_stream_set_fini(&claimed);
    return rc;
}

/* ---- a tally ---- */

void cw_retention_tally_init(struct cw_retention_tally *tally, struct cw_retention_shares *registry,
                             struct cw_retention_policy *policy)
{
    *tally = (struct cw_retention_tally){
        .registry = registry,
        .policy = cw_retention_policy_ref(policy),
        .share = cw_mem_array(policy->n + 1, sizeof(*tally->share)),
        .bytes = cw_mem_array(policy->n + 1, sizeof(*tally->bytes)),
        .over = cw_mem_array(policy->n + 1, sizeof(*tally->over)),
    };
}

void cw_retention_tally_fini(struct cw_retention_tally *tally)
{
    cw_retention_policy_unref(&tally->policy);
    free(tally->share);
    free(tally->bytes);
    free(tally->over);
    *tally = (struct cw_retention_tally){0};
}

static void shares_of(struct cw_retention_tally *tally, struct cw_part_reader *reader)
{
    uint64_t id = cw_part_reader_footer(reader)->info.id;
    struct cw_err err;
    if (recall(tally->registry, id, tally->policy, tally->share))
        return;
    memset(tally->share, 0, tally->policy->n * sizeof(*tally->share));
    if (shares_read(reader, tally->policy, tally->share, &err) < 0) {
        cw_log_warn("part %s does not count for the bytes of retention_stream: %s",
                    cw_part_reader_path(reader), err.text);
        memset(tally->share, 0, tally->policy->n * sizeof(*tally->share));
    }
    remember(tally->registry, id, tally->policy, tally->share);
}

void cw_retention_tally_add(struct cw_retention_tally *tally, struct cw_source *part)
{
    const struct cw_retention_policy *policy = tally->policy;
    if (!policy->has_bytes)
        return;
    shares_of(tally, cw_part_source_reader(part));
    for (size_t i = 0; i < policy->n; i++) {
        uint64_t share = tally->share[i];
        tally->over[i] = share > 0 && tally->bytes[i] > 0 &&
                         tally->bytes[i] + share > policy->rules[i].bytes_max;
        tally->bytes[i] += share;
    }
}
