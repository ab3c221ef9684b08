/* postings_select.c - what a selector matches, read from a part's POSTINGS. */
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/codec.h"
#include "common/store/encode_int.h"
#include "common/store/format.h"
#include "common/store/postings.h"

struct index {
    struct cw_str region;
    const char *names, *chunks;
    uint32_t nnames, nchunks, nstreams;
};

static int bad(struct cw_err *err, const char *what)
{
    return cw_err_set(err, CW_E_CORRUPT, "postings: %s", what);
}

void cw_stream_set_fini(struct cw_stream_set *set)
{
    free(set->words);
    *set = (struct cw_stream_set){0};
}

bool cw_stream_set_any(const struct cw_stream_set *set, uint32_t first, uint32_t last)
{
    for (uint32_t w = first / 64; w <= last / 64; w++) {
        uint64_t mask = UINT64_MAX;
        if (w == first / 64)
            mask &= UINT64_MAX << (first % 64);
        if (w == last / 64)
            mask &= UINT64_MAX >> (63 - last % 64);
        if (set->words[w] & mask)
            return true;
    }
    return false;
}

static size_t set_nwords(const struct cw_stream_set *set)
{
    return ((size_t)set->n + 63) / 64;
}

static void set_new(struct cw_stream_set *set, uint32_t n)
{
    *set = (struct cw_stream_set){.n = n};
    set->words = cw_mem_array(set_nwords(set) + 1, sizeof(*set->words));
}

static void set_invert(struct cw_stream_set *set)
{
    for (size_t i = 0; i < set_nwords(set); i++)
        set->words[i] = ~set->words[i];
    if (set->n % 64 != 0)
        set->words[set->n / 64] &= (UINT64_C(1) << (set->n % 64)) - 1;
}

static void set_and(struct cw_stream_set *set, const struct cw_stream_set *other)
{
    for (size_t i = 0; i < set_nwords(set); i++)
        set->words[i] &= other->words[i];
}

static void set_add_run(struct cw_stream_set *set, uint32_t first, uint32_t len)
{
    for (uint32_t i = first; i < first + len;) {
        uint32_t m = CW_MIN(64 - i % 64, first + len - i);
        set->words[i / 64] |= (m == 64 ? UINT64_MAX : (UINT64_C(1) << m) - 1) << (i % 64);
        i += m;
    }
}

static int index_open(struct cw_str region, uint32_t nstreams, struct index *x, struct cw_err *err)
{
    *x = (struct index){.region = region, .nstreams = nstreams};
    if (region.len < CW_POSTINGS_HEADER_BYTES)
        return bad(err, "no header");
    x->nnames = cw_get32(region.ptr);
    x->nchunks = cw_get32(region.ptr + 4);
    uint64_t names = (uint64_t)x->nnames * CW_POSTINGS_NAME_BYTES;
    uint64_t chunks = (uint64_t)x->nchunks * CW_POSTINGS_CHUNK_BYTES;
    if (CW_POSTINGS_HEADER_BYTES + names + chunks > region.len)
        return bad(err, "directories longer than the region");
    x->names = region.ptr + CW_POSTINGS_HEADER_BYTES;
    x->chunks = x->names + names;
    return 0;
}

/* Name i; false when it does not lie in the region. */
static bool name_at(const struct index *x, uint32_t i, struct cw_str *out)
{
    const char *entry = x->names + (size_t)i * CW_POSTINGS_NAME_BYTES;
    uint64_t off = cw_get32(entry), len = cw_get32(entry + 4);
    if (off + len > x->region.len)
        return false;
    *out = cw_str_make(x->region.ptr + off, len);
    return true;
}

/* The chunks of a name; 0 of them when no stream carries it. */
static int name_find(const struct index *x, struct cw_str name, uint32_t *first_out,
                     uint32_t *n_out, struct cw_err *err)
{
    uint32_t lo = 0, hi = x->nnames;
    *n_out = 0;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        struct cw_str at;
        if (!name_at(x, mid, &at))
            return bad(err, "a name outside the region");
        int c = cw_str_cmp(at, name);
        if (c == 0) {
            const char *entry = x->names + (size_t)mid * CW_POSTINGS_NAME_BYTES;
            uint64_t first = cw_get32(entry + 8), n = cw_get32(entry + 12);
            if (first + n > x->nchunks)
                return bad(err, "a name with chunks that are not there");
            *first_out = (uint32_t)first;
            *n_out = (uint32_t)n;
            return 0;
        }
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return 0;
}

/* Chunk i, decompressed into *out (cleared before). */
static int chunk_read(const struct index *x, uint32_t i, struct cw_buf *out, uint32_t *nvalues_out,
                      struct cw_err *err)
{
    const char *entry = x->chunks + (size_t)i * CW_POSTINGS_CHUNK_BYTES;
    uint64_t off = cw_get64(entry), raw = cw_get32(entry + 8), stored = cw_get32(entry + 12);
    if (off > x->region.len || stored > x->region.len - off)
        return bad(err, "a chunk outside the region");
    if (raw > CW_POSTINGS_CHUNK_RAW_MAX)
        return bad(err, "a chunk that is too large");
    struct cw_str bytes = cw_str_make(x->region.ptr + off, stored);
    if ((uint32_t)cw_hash64(bytes.ptr, bytes.len) != cw_get32(entry + 20))
        return bad(err, "a chunk's checksum is wrong");
    cw_buf_clear(out);
    int codec = (uint8_t)entry[16];
    if (codec != CW_CODEC_NONE && codec != CW_CODEC_LZ4)
        return bad(err, "a chunk's codec is unknown");
    if (cw_codec_decompress(codec, bytes, raw, out, err) < 0)
        return bad(err, "a chunk does not decompress");
    *nvalues_out = cw_get32(entry + 24);
    return 0;
}

/* A value off the front of *in, its text into *value (which holds the one before). */
static int value_read(struct cw_str *in, struct cw_buf *value, struct cw_err *err)
{
    uint64_t shared, more;
    if (!cw_decode_varint(in, &shared) || !cw_decode_varint(in, &more) || shared > value->len ||
        more > in->len)
        return bad(err, "a value is cut");
    value->len = shared;
    cw_buf_add(value, in->ptr, more);
    in->ptr += more;
    in->len -= more;
    return cw_buf_failed(value) ? bad(err, "a value is too long") : 0;
}

/* Its runs, into *set unless that is NULL. */
static int runs_read(struct cw_str *in, struct cw_stream_set *set, uint32_t nstreams,
                     struct cw_err *err)
{
    uint64_t nruns, at = 0;
    if (!cw_decode_varint(in, &nruns) || nruns > in->len / 2)
        return bad(err, "no count of runs");
    for (uint64_t i = 0; i < nruns; i++) {
        uint64_t gap, len;
        if (!cw_decode_varint(in, &gap) || !cw_decode_varint(in, &len))
            return bad(err, "a run is cut");
        if (gap >= nstreams - at || len >= nstreams - at - gap)
            return bad(err, "a run of streams that are not there");
        if (set != NULL)
            set_add_run(set, (uint32_t)(at + gap), (uint32_t)len + 1);
        at += gap + len + 1;
    }
    return 0;
}

/* Add the streams whose value passes: equal to `equal`, or (equal NULL) what the matcher says, or its contrary. */
struct wanted {
    const struct cw_str *equal;
    const struct cw_matcher *matcher;
    int want; /* what cw_matcher_match must say */
};

static int chunk_scan(const struct index *x, struct cw_str in, uint32_t nvalues,
                      const struct wanted *wanted, struct cw_stream_set *set, struct cw_err *err)
{
    struct cw_buf value;
    cw_buf_init(&value, CW_POSTINGS_CHUNK_RAW_MAX);
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < nvalues; i++) {
        rc = value_read(&in, &value, err);
        if (rc < 0)
            break;
        int hit;
        if (wanted->equal != NULL) {
            hit = cw_str_eq(cw_buf_str(&value), *wanted->equal);
        } else {
            hit = cw_matcher_match(wanted->matcher, cw_buf_str(&value), err);
            if (hit < 0) {
                rc = hit;
                break;
            }
            hit = hit == wanted->want;
        }
        rc = runs_read(&in, hit ? set : NULL, x->nstreams, err);
    }
    cw_buf_fini(&value);
    return rc;
}

/* The last chunk whose first value is not after `value`: where it stands if anywhere. */
static int chunk_find(const struct index *x, uint32_t first, uint32_t n, struct cw_str value,
                      struct cw_buf *raw, uint32_t *out, struct cw_err *err)
{
    uint32_t lo = 0, hi = n; /* the answer is in [lo, hi) */
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2, nvalues;
        int rc = chunk_read(x, first + mid, raw, &nvalues, err);
        if (rc < 0)
            return rc;
        struct cw_buf at;
        struct cw_str in = cw_buf_str(raw);
        cw_buf_init(&at, CW_POSTINGS_CHUNK_RAW_MAX);
        rc = value_read(&in, &at, err);
        if (rc == 0 && cw_str_cmp(cw_buf_str(&at), value) <= 0)
            lo = mid;
        else
            hi = mid;
        cw_buf_fini(&at);
        if (rc < 0)
            return rc;
    }
    *out = first + lo;
    return 0;
}

static int matcher_select(const struct index *x, const struct cw_matcher *m,
                          struct cw_stream_set *set, struct cw_err *err)
{
    uint32_t first = 0, n;
    int rc = name_find(x, m->name, &first, &n, err);
    /* A matcher that takes streams without the label is answered by those that it does not take. */
    bool empty = cw_matcher_matches_empty(m);
    struct wanted wanted = {.matcher = m, .want = !empty};
    struct cw_buf raw;
    cw_buf_init(&raw, CW_POSTINGS_CHUNK_RAW_MAX);
    uint32_t end = first + n;
    if (rc == 0 && n > 0 && m->value.len > 0 && (m->op == CW_MATCH_EQ || m->op == CW_MATCH_NE)) {
        wanted.equal = &m->value;
        rc = chunk_find(x, first, n, m->value, &raw, &first, err);
        end = first + 1;
    }
    for (uint32_t i = first; rc == 0 && i < end; i++) {
        uint32_t nvalues;
        rc = chunk_read(x, i, &raw, &nvalues, err);
        if (rc == 0)
            rc = chunk_scan(x, cw_buf_str(&raw), nvalues, &wanted, set, err);
    }
    cw_buf_fini(&raw);
    if (rc == 0 && empty)
        set_invert(set);
    return rc;
}

int cw_postings_select(struct cw_str region, uint32_t nstreams, const struct cw_selector *selector,
                       struct cw_stream_set *out, struct cw_err *err)
{
    struct index x;
    int rc = index_open(region, nstreams, &x, err);
    if (rc < 0)
        return rc;
    struct cw_stream_set all;
    set_new(&all, nstreams);
    set_invert(&all);
    for (size_t i = 0; rc == 0 && selector != NULL && i < selector->n; i++) {
        struct cw_stream_set some;
        set_new(&some, nstreams);
        rc = matcher_select(&x, &selector->items[i], &some, err);
        if (rc == 0)
            set_and(&all, &some);
        cw_stream_set_fini(&some);
    }
    if (rc < 0) {
        cw_stream_set_fini(&all);
        return rc;
    }
    for (size_t i = 0; i < set_nwords(&all); i++)
        all.count += (uint32_t)__builtin_popcountll(all.words[i]);
    *out = all;
    return 0;
}
