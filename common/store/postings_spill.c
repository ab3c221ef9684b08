/* postings_spill.c - front-coded pairs in lz4 pieces. */
#include "common/store/postings_spill.h"

#include "common/base/codec.h"
#include "common/store/encode_int.h"
#include "common/store/format.h"

enum { PIECE_RAW_TARGET = 64 << 10, PIECE_HEADER_BYTES = 8 };

/* ---- runs ---- */

void postings_runs_init(struct postings_runs *runs)
{
    *runs = (struct postings_runs){0};
    cw_buf_init(&runs->bytes, UINT32_MAX);
}

void postings_runs_fini(struct postings_runs *runs)
{
    cw_buf_fini(&runs->bytes);
}

void postings_runs_clear(struct postings_runs *runs)
{
    cw_buf_clear(&runs->bytes);
    runs->n = runs->base = runs->first = runs->len = 0;
}

void postings_runs_end(struct postings_runs *runs)
{
    if (runs->len == 0)
        return;
    cw_encode_varint(runs->first - runs->base, &runs->bytes);
    cw_encode_varint(runs->len - 1, &runs->bytes);
    runs->n++;
    runs->base = runs->first + runs->len;
    runs->len = 0;
}

void postings_runs_add(struct postings_runs *runs, uint32_t first, uint32_t len)
{
    if (runs->len > 0 && runs->first + runs->len == first) {
        runs->len += len;
        return;
    }
    postings_runs_end(runs);
    runs->first = first;
    runs->len = len;
}

/* ---- writing ---- */

void postings_spill_init(struct postings_spill *spill)
{
    cw_buf_init(&spill->bytes, SIZE_MAX);
    cw_buf_init(&spill->piece, SIZE_MAX);
    cw_buf_init(&spill->name, SIZE_MAX);
    cw_buf_init(&spill->value, SIZE_MAX);
}

void postings_spill_fini(struct postings_spill *spill)
{
    cw_buf_fini(&spill->bytes);
    cw_buf_fini(&spill->piece);
    cw_buf_fini(&spill->name);
    cw_buf_fini(&spill->value);
}

static int piece_end(struct postings_spill *spill, struct cw_err *err)
{
    uint8_t header[PIECE_HEADER_BYTES] = {0};
    size_t start = spill->bytes.len;
    cw_buf_add(&spill->bytes, header, sizeof(header));
    int rc = cw_codec_compress(CW_CODEC_LZ4, cw_buf_str(&spill->piece), &spill->bytes, err);
    if (rc < 0)
        return rc;
    if (spill->piece.len > CW_POSTINGS_CHUNK_RAW_MAX)
        return cw_err_set(err, CW_E_LIMIT, "a label pair of %zu bytes", spill->piece.len);
    cw_put32(spill->bytes.ptr + start, (uint32_t)spill->piece.len);
    cw_put32(spill->bytes.ptr + start + 4, (uint32_t)(spill->bytes.len - start - sizeof(header)));
    cw_buf_clear(&spill->piece);
    return 0;
}

int postings_spill_add(struct postings_spill *spill, struct cw_str name, struct cw_str value,
                       uint32_t nruns, struct cw_str runs, struct cw_err *err)
{
    bool same = cw_str_eq(cw_buf_str(&spill->name), name);
    cw_encode_varint(same ? 0 : name.len + 1, &spill->piece);
    if (!same) {
        cw_buf_adds(&spill->piece, name);
        cw_buf_clear(&spill->name);
        cw_buf_adds(&spill->name, name);
        cw_buf_clear(&spill->value);
    }
    size_t shared = cw_str_shared(cw_buf_str(&spill->value), value);
    struct cw_str more = cw_str_sub(value, shared, value.len);
    cw_encode_varint(shared, &spill->piece);
    cw_encode_varint(more.len, &spill->piece);
    cw_buf_adds(&spill->piece, more);
    cw_encode_varint(nruns, &spill->piece);
    cw_encode_varint(runs.len, &spill->piece);
    cw_buf_adds(&spill->piece, runs);
    spill->value.len = shared;
    cw_buf_adds(&spill->value, more);
    return spill->piece.len >= PIECE_RAW_TARGET ? piece_end(spill, err) : 0;
}

int postings_spill_end(struct postings_spill *spill, struct cw_err *err)
{
    int rc = spill->piece.len > 0 ? piece_end(spill, err) : 0;
    cw_buf_fini(&spill->piece);
    cw_buf_fini(&spill->name);
    cw_buf_fini(&spill->value);
    return rc;
}

/* ---- reading ---- */

void postings_spill_cursor_init(struct postings_spill_cursor *cursor,
                                const struct postings_spill *spill)
{
    *cursor = (struct postings_spill_cursor){.rest = cw_buf_str(&spill->bytes)};
    cw_buf_init(&cursor->piece, SIZE_MAX);
    cw_buf_init(&cursor->name, SIZE_MAX);
    cw_buf_init(&cursor->value, SIZE_MAX);
}

void postings_spill_cursor_fini(struct postings_spill_cursor *cursor)
{
    cw_buf_fini(&cursor->piece);
    cw_buf_fini(&cursor->name);
    cw_buf_fini(&cursor->value);
}

static int bad(struct cw_err *err)
{
    return cw_err_set(err, CW_E_CORRUPT, "postings under way do not read back");
}

static bool take(struct cw_str *in, uint64_t n, struct cw_str *out)
{
    if (n > in->len)
        return false;
    *out = cw_str_make(in->ptr, n);
    *in = cw_str_make(in->ptr + n, in->len - n);
    return true;
}

static int piece_read(struct postings_spill_cursor *cursor, struct cw_err *err)
{
    struct cw_str header, stored;
    if (!take(&cursor->rest, PIECE_HEADER_BYTES, &header) ||
        !take(&cursor->rest, cw_get32(header.ptr + 4), &stored))
        return bad(err);
    cw_buf_clear(&cursor->piece);
    int rc = cw_codec_decompress(CW_CODEC_LZ4, stored, cw_get32(header.ptr), &cursor->piece, err);
    cursor->in = cw_buf_str(&cursor->piece);
    return rc;
}

int postings_spill_next(struct postings_spill_cursor *cursor, struct cw_err *err)
{
    uint64_t name_len, shared, more_len, nruns, runs_len;
    struct cw_str name, more;
    if (cursor->in.len == 0) {
        if (cursor->rest.len == 0)
            return 0;
        int rc = piece_read(cursor, err);
        if (rc < 0)
            return rc;
    }
    struct cw_str *in = &cursor->in;
    if (!cw_decode_varint(in, &name_len))
        return bad(err);
    if (name_len > 0) {
        if (!take(in, name_len - 1, &name))
            return bad(err);
        cw_buf_clear(&cursor->name);
        cw_buf_adds(&cursor->name, name);
        cw_buf_clear(&cursor->value);
    }
    if (!cw_decode_varint(in, &shared) || !cw_decode_varint(in, &more_len) ||
        shared > cursor->value.len || !take(in, more_len, &more) || !cw_decode_varint(in, &nruns) ||
        !cw_decode_varint(in, &runs_len) || !take(in, runs_len, &cursor->runs))
        return bad(err);
    cursor->value.len = shared;
    cw_buf_adds(&cursor->value, more);
    cursor->nruns = (uint32_t)nruns;
    return 1;
}

void postings_spill_runs(const struct postings_spill_cursor *cursor, struct postings_runs *runs)
{
    struct cw_str in = cursor->runs;
    uint64_t gap, less, at = 0;
    for (uint32_t i = 0;
         i < cursor->nruns && cw_decode_varint(&in, &gap) && cw_decode_varint(&in, &less); i++) {
        postings_runs_add(runs, (uint32_t)(at + gap), (uint32_t)less + 1);
        at += gap + less + 1;
    }
}
