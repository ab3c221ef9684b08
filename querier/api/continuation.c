#include "querier/api/continuation.h"

#include <string.h>

#include "common/base/arena.h"
#include "common/base/base64.h"
#include "common/base/hash.h"
#include "common/base/limits.h"
#include "common/labels/labels.h"

enum { VERSION = 1 };

/* ---- write ---- */

static void put(struct cw_buf *out, uint64_t value, size_t nbytes)
{
    for (size_t i = 0; i < nbytes; i++)
        cw_buf_addc(out, (char)(value >> (8 * i)));
}

static void put_text(struct cw_buf *out, struct cw_str text)
{
    put(out, text.len, 4);
    cw_buf_adds(out, text);
}

static void put_edge(struct cw_buf *out, const struct cw_log_rest *rest)
{
    put(out, (uint64_t)rest->edge_ns, 8);
    put(out, rest->given, 8);
    put(out, rest->edge.n, 4);
    for (size_t i = 0; i < rest->edge.n; i++) {
        put_text(out, rest->edge.items[i].name);
        put_text(out, rest->edge.items[i].value);
    }
}

/* Between the two alphabets of base64; padding is left out, and put back. */
static void add_url_base64(struct cw_buf *bytes, struct cw_buf *out)
{
    size_t from = out->len;
    cw_base64_encode(cw_buf_str(bytes), out);
    while (out->len > from && out->ptr[out->len - 1] == '=')
        out->len--;
    for (size_t i = from; i < out->len; i++)
        out->ptr[i] = out->ptr[i] == '+' ? '-' : out->ptr[i] == '/' ? '_' : out->ptr[i];
}

void cw_continuation_encode(const struct cw_continuation *continuation, struct cw_buf *out)
{
    const struct cw_log_rest *rest = &continuation->rest;
    struct cw_buf bytes;
    cw_buf_init(&bytes, SIZE_MAX);
    put(&bytes, VERSION, 1);
    put(&bytes, continuation->kind, 1);
    put(&bytes, continuation->query, 8);
    put(&bytes, (uint64_t)rest->start_ns, 8);
    put(&bytes, (uint64_t)rest->end_ns, 8);
    put(&bytes, (uint64_t)continuation->step_ns, 8);
    put(&bytes, rest->has_edge, 1);
    if (rest->has_edge)
        put_edge(&bytes, rest);
    put(&bytes, cw_hash64(bytes.ptr, bytes.len), 8);
    add_url_base64(&bytes, out);
    cw_buf_fini(&bytes);
}

/* ---- read ---- */

/* What is left to read; past the end everything is 0, and `bad`. */
struct input {
    struct cw_str left;
    bool bad;
};

static struct cw_str take_bytes(struct input *in, size_t n)
{
    if (in->bad || n > in->left.len) {
        in->bad = true;
        return CW_STR_NONE;
    }
    struct cw_str bytes = cw_str_sub(in->left, 0, n);
    in->left = cw_str_sub(in->left, n, in->left.len);
    return bytes;
}

static uint64_t take(struct input *in, size_t nbytes)
{
    struct cw_str bytes = take_bytes(in, nbytes);
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.len; i++)
        value |= (uint64_t)(unsigned char)bytes.ptr[i] << (8 * i);
    return value;
}

static struct cw_str take_text(struct input *in)
{
    return take_bytes(in, (size_t)take(in, 4));
}

/* A pair takes 8 bytes at least. */
static bool take_edge(struct input *in, struct cw_arena *arena, struct cw_log_rest *rest)
{
    struct cw_err err;
    rest->edge_ns = (int64_t)take(in, 8);
    rest->given = take(in, 8);
    size_t n = (size_t)take(in, 4);
    if (in->bad || n > in->left.len / 8)
        return false;
    struct cw_label *pairs = CW_ARENA_ARRAY(arena, struct cw_label, n + 1);
    for (size_t i = 0; i < n; i++) {
        pairs[i].name = take_text(in);
        pairs[i].value = take_text(in);
    }
    return !in->bad && cw_labels_from_pairs(pairs, n, &rest->edge, &err) == 0;
}

static bool is_sound(const struct cw_continuation *c)
{
    const struct cw_log_rest *rest = &c->rest;
    if (rest->start_ns > rest->end_ns)
        return false;
    if (c->kind == CW_CONTINUE_STEPS)
        return c->step_ns > 0 && !rest->has_edge;
    return !rest->has_edge || (rest->edge_ns >= rest->start_ns && rest->edge_ns <= rest->end_ns);
}

static bool read_bytes(struct cw_str bytes, struct cw_arena *arena, struct cw_continuation *out)
{
    *out = (struct cw_continuation){0};
    if (bytes.len < 8)
        return false;
    struct input in = {.left = cw_str_sub(bytes, bytes.len - 8, bytes.len)};
    if (take(&in, 8) != cw_hash64(bytes.ptr, bytes.len - 8))
        return false;
    in.left = cw_str_sub(bytes, 0, bytes.len - 8);
    uint64_t version = take(&in, 1), kind = take(&in, 1);
    out->query = take(&in, 8);
    out->rest.start_ns = (int64_t)take(&in, 8);
    out->rest.end_ns = (int64_t)take(&in, 8);
    out->step_ns = (int64_t)take(&in, 8);
    uint64_t has_edge = take(&in, 1);
    if (in.bad || version != VERSION || kind > CW_CONTINUE_STEPS || has_edge > 1)
        return false;
    out->kind = (enum cw_continuation_kind)kind;
    out->rest.has_edge = has_edge == 1;
    if (has_edge && !take_edge(&in, arena, &out->rest))
        return false;
    return in.left.len == 0 && is_sound(out);
}

static bool decode_base64(struct cw_str token, struct cw_buf *out)
{
    struct cw_buf text;
    cw_buf_init(&text, CW_LIMIT_CONTINUATION_BYTES + 4);
    for (size_t i = 0; i < token.len; i++) {
        char c = token.ptr[i];
        cw_buf_addc(&text, c == '-' ? '+' : c == '_' ? '/' : c == '+' || c == '/' ? '!' : c);
    }
    while (text.len % 4 != 0)
        cw_buf_addc(&text, '=');
    bool done = !cw_buf_failed(&text) && cw_base64_decode(cw_buf_str(&text), out);
    cw_buf_fini(&text);
    return done;
}

int cw_continuation_decode(struct cw_str token, struct cw_arena *arena, struct cw_continuation *out,
                           struct cw_err *err)
{
    struct cw_buf bytes;
    if (token.len > CW_LIMIT_CONTINUATION_BYTES)
        return cw_err_set(err, CW_E_INVALID, "the continuation token is longer than any is");
    cw_buf_init(&bytes, SIZE_MAX);
    bool done = decode_base64(token, &bytes) &&
                read_bytes(cw_arena_dup(arena, cw_buf_str(&bytes)), arena, out);
    cw_buf_fini(&bytes);
    return done ? 0
                : cw_err_set(err, CW_E_INVALID,
                             "this is not a continuation token of a partial answer, or it is not "
                             "all of it");
}
