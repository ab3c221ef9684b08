/* postings_values.c - the names and values that streams of a set carry: no stream's labels are decoded for it. */
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/match/match_stop.h"
#include "common/store/postings_priv.h"

struct cw_postings_values {
    const struct cw_postings *postings;
    const struct cw_stream_set *set;
    uint32_t chunk_next, chunk_end;
    struct postings_chunk chunk;
};

static void values_init(struct cw_postings_values *v, const struct cw_postings *postings,
                        uint32_t first, uint32_t n, const struct cw_stream_set *set)
{
    *v = (struct cw_postings_values){
        .postings = postings, .set = set, .chunk_next = first, .chunk_end = first + n};
    postings_chunk_init(&v->chunk);
}

int cw_postings_values_open(const struct cw_postings *postings, struct cw_str name,
                            const struct cw_stream_set *set, struct cw_postings_values **out,
                            struct cw_err *err)
{
    uint32_t first = 0, n;
    int rc = postings_find(postings, name, &first, &n, err);
    if (rc < 0)
        return rc;
    struct cw_postings_values *v = cw_mem_new(sizeof(*v));
    values_init(v, postings, first, n, set);
    *out = v;
    return 0;
}

void cw_postings_values_close(struct cw_postings_values **values)
{
    if (*values == NULL)
        return;
    postings_chunk_fini(&(*values)->chunk);
    free(*values);
    *values = NULL;
}

int cw_postings_values_next(struct cw_postings_values *v, struct cw_str *out, struct cw_err *err)
{
    for (;;) {
        bool any = true;
        int rc = postings_chunk_value(&v->chunk, err);
        if (rc == 0) {
            if (v->chunk_next == v->chunk_end)
                return 0;
            rc = cw_match_stop_check(err);
            if (rc == 0)
                rc = postings_chunk_read(&v->chunk, v->postings, v->chunk_next++, err);
            if (rc < 0)
                return rc;
            continue;
        }
        if (rc > 0)
            rc = postings_chunk_runs(&v->chunk, NULL, v->set, v->set != NULL ? &any : NULL, err);
        if (rc < 0) {
            v->chunk.nleft = 0;
            return rc;
        }
        if (any) {
            *out = cw_buf_str(&v->chunk.value);
            return 1;
        }
    }
}

bool cw_postings_has_name(const struct cw_postings *postings, struct cw_str name)
{
    uint32_t first, n;
    struct cw_err err;
    return postings_find(postings, name, &first, &n, &err) < 0 || n > 0;
}

int cw_postings_name(const struct cw_postings *postings, uint32_t i,
                     const struct cw_stream_set *set, struct cw_str *name_out, bool *has_out,
                     struct cw_err *err)
{
    uint32_t first, n;
    if (!postings_name(postings, i, name_out))
        return postings_bad(err, "a name outside the region");
    int rc = postings_chunks(postings, i, &first, &n, err);
    if (rc < 0)
        return rc;
    struct cw_postings_values values;
    struct cw_str value;
    values_init(&values, postings, first, n, set);
    rc = cw_postings_values_next(&values, &value, err);
    postings_chunk_fini(&values.chunk);
    *has_out = rc > 0;
    return rc < 0 ? rc : 0;
}
