/* postings_select.c - what a selector matches, read from a part's POSTINGS. */
#include "common/base/assert.h"
#include "common/match/match_stop.h"
#include "common/store/postings_priv.h"

/* The streams whose value passes: equal to `equal`, or (equal NULL) what the matcher says, or its contrary. */
struct wanted {
    const struct cw_str *equal;
    const struct cw_matcher *matcher;
    int want; /* what cw_matcher_match must say */
};

/* 1 the value passes, 0 not, or an error. */
static int value_passes(const struct wanted *wanted, struct cw_str value, struct cw_err *err)
{
    if (wanted->equal != NULL)
        return cw_str_eq(value, *wanted->equal);
    int hit = cw_matcher_match(wanted->matcher, value, err);
    return hit < 0 ? hit : hit == wanted->want;
}

static int chunk_scan(struct postings_chunk *chunk, const struct wanted *wanted,
                      struct cw_stream_set *set, struct cw_err *err)
{
    int rc;
    while ((rc = postings_chunk_value(chunk, err)) > 0) {
        int hit = cw_match_stop_check(err);
        if (hit == 0)
            hit = value_passes(wanted, cw_buf_str(&chunk->value), err);
        if (hit < 0)
            return hit;
        rc = postings_chunk_runs(chunk, hit ? set : NULL, NULL, NULL, err);
        if (rc < 0 || (hit && wanted->equal != NULL))
            return rc;
    }
    return rc;
}

/* The streams that carry the value. */
static int value_select(const struct cw_postings *postings, uint32_t first, uint32_t n,
                        const struct cw_str *value, struct cw_stream_set *set, struct cw_err *err)
{
    struct wanted wanted = {.equal = value};
    struct postings_chunk chunk;
    uint32_t at;
    postings_chunk_init(&chunk);
    int rc = postings_chunk_of(postings, first, n, *value, &at, err);
    if (rc == 0)
        rc = postings_chunk_read(&chunk, postings, at, err);
    if (rc == 0)
        rc = chunk_scan(&chunk, &wanted, set, err);
    postings_chunk_fini(&chunk);
    return rc;
}

/* The values that a matcher names one by one, none empty; n = 0: it has to look at all. */
static const struct cw_str *named_values(const struct cw_matcher *m, size_t *n_out)
{
    const struct cw_str *values = &m->value;
    *n_out = 1;
    if (m->regex != NULL)
        values = cw_regex_alternatives(m->regex, n_out);
    for (size_t i = 0; i < *n_out; i++)
        if (values[i].len == 0)
            *n_out = 0;
    return values;
}

static int matcher_select(const struct cw_postings *postings, const struct cw_matcher *m,
                          struct cw_stream_set *set, struct cw_err *err)
{
    uint32_t first = 0, n;
    int rc = postings_find(postings, m->name, &first, &n, err);
    /* A matcher that takes streams without the label is answered by those that it does not take. */
    bool empty = cw_matcher_matches_empty(m);
    struct wanted wanted = {.matcher = m, .want = !empty};
    size_t nvalues;
    const struct cw_str *values = named_values(m, &nvalues);
    for (size_t i = 0; rc == 0 && n > 0 && i < nvalues; i++)
        rc = value_select(postings, first, n, &values[i], set, err);
    struct postings_chunk chunk;
    postings_chunk_init(&chunk);
    for (uint32_t i = first; rc == 0 && nvalues == 0 && i < first + n; i++) {
        rc = postings_chunk_read(&chunk, postings, i, err);
        if (rc == 0)
            rc = chunk_scan(&chunk, &wanted, set, err);
    }
    postings_chunk_fini(&chunk);
    if (rc == 0 && empty)
        cw_stream_set_invert(set);
    return rc;
}

int cw_postings_select(const struct cw_postings *postings, const struct cw_selector *selector,
                       struct cw_stream_set *out, struct cw_err *err)
{
    cw_stream_set_init(out, postings->nstreams);
    cw_stream_set_invert(out);
    int rc = 0;
    for (size_t i = 0; rc == 0 && selector != NULL && i < selector->n; i++) {
        struct cw_stream_set some;
        cw_stream_set_init(&some, postings->nstreams);
        rc = matcher_select(postings, &selector->items[i], &some, err);
        if (rc == 0)
            cw_stream_set_and(out, &some);
        cw_stream_set_fini(&some);
    }
    if (rc < 0)
        cw_stream_set_fini(out);
    return rc;
}
