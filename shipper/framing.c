#include "shipper/framing.h"
#include <string.h>
#include "common/base/assert.h"
#include "shipper/docker_local.h"
#include "shipper/spool_record.h"

/* ---- lines ---- */

/* The buffer is full and holds no newline: the line goes in pieces, or, if lines have a limit, its
 * end is looked for in the file and only its beginning is kept. False when the end is not there
 * yet. */
static bool long_line_next(struct cw_framing *framing, struct cw_framed *out)
{
    uint64_t end = framing->start + framing->len;
    if (framing->max_line_bytes > 0) {
        char *scratch = cw_arena_alloc(framing->arena, framing->len);
        struct cw_err err;
        if (cw_tail_find_newline(framing->tail, framing->encoding, end, scratch, framing->len, &end,
                                 &err) < 0)
            return false;
        if (end == UINT64_MAX && !framing->final)
            return false;
        if (end == UINT64_MAX)
            end = framing->tail->size;
    }
    *out = (struct cw_framed){.line = {framing->bytes, framing->len},
                              .from = framing->start,
                              .to = end,
                              .split = framing->max_line_bytes == 0};
    framing->at = (size_t)(end - framing->start);
    return true;
}

/* NUL characters ahead of a line, if what follows them is there: of a program that went on where it
 * was in a file which was truncated under it. */
static bool nuls_next(struct cw_framing *framing, struct cw_framed *out)
{
    struct cw_str rest = {framing->bytes + framing->at, framing->len - framing->at};
    size_t len = rest.ptr[0] == '\0' ? cw_text_nuls(framing->encoding, rest) : 0;
    bool more = len == rest.len && !framing->whole && !(framing->at_end && framing->final);
    if (len == 0 || more)
        return false;
    *out = (struct cw_framed){.from = framing->start + framing->at, .nuls = true};
    framing->at += len;
    if (len == rest.len && framing->tail != NULL)
        framing->at = (size_t)(cw_tail_skip_hole(framing->tail, framing->start + framing->at) -
                               framing->start);
    out->to = framing->start + framing->at;
    return true;
}

static bool raw_line_next(struct cw_framing *framing, struct cw_framed *out)
{
    struct cw_str rest = {framing->bytes + framing->at, framing->len - framing->at};
    size_t unit = cw_text_unit(framing->encoding);
    ptrdiff_t newline = cw_text_newline(framing->encoding, rest);
    if (newline < 0 && framing->at == 0 && framing->whole)
        return long_line_next(framing, out);
    if (newline < 0 && !(framing->at_end && framing->final))
        return false;
    size_t len = newline >= 0 ? (size_t)newline : rest.len;
    uint64_t begin = framing->start + framing->at;
    framing->at += newline >= 0 ? len + unit : len;
    *out = (struct cw_framed){
        .line = {rest.ptr, len}, .from = begin, .to = framing->start + framing->at};
    return true;
}

/* To UTF-8. The end of a piece may lie within a character: that goes with the next. */
static void line_convert(struct cw_framing *framing, struct cw_framed *out)
{
    struct cw_text text;
    cw_text_convert(framing->encoding, out->line, framing->arena, &text);
    bool later = out->split && text.whole > 0 && text.whole < out->line.len;
    out->nbad = text.nbad - (later && text.nbad > 0);
    out->line = later ? cw_str_sub(text.utf8, 0, text.utf8_whole) : text.utf8;
    if (!later)
        return;
    framing->at = text.whole;
    out->to = framing->start + text.whole;
}

static bool line_next(struct cw_framing *framing, struct cw_framed *out)
{
    if (framing->encoding == NULL)
        framing->encoding = &cw_text_as_is;
    if (framing->at == 0 && framing->len > 0 &&
        framing->start % cw_text_unit(framing->encoding) != 0)
        framing->at++; /* a position from when the file was read by bytes */
    if (framing->at >= framing->len)
        return false;
    if (nuls_next(framing, out))
        return true;
    if (!raw_line_next(framing, out))
        return false;
    if (framing->encoding != &cw_text_as_is || out->split)
        line_convert(framing, out);
    return true;
}

/* ---- Docker: lines that hold pieces of entries ---- */

static void pending_add(struct cw_framing *framing, unsigned stream,
                        const struct cw_docker_line *line, uint64_t from, uint64_t to)
{
    struct cw_framing_pending *pending = &framing->pending[stream];
    size_t need = pending->len + line->text.len;
    if (!pending->any)
        *pending = (struct cw_framing_pending){.ts_ns = line->ts_ns, .from = from, .any = true};
    if (need > pending->cap)
        pending->text =
            cw_arena_grow(framing->arena, pending->text, pending->len, &pending->cap, need, 1);
    memcpy(pending->text + pending->len, line->text.ptr, line->text.len);
    pending->len += line->text.len;
    pending->to = to;
}

static void pending_take(struct cw_framing *framing, unsigned stream, struct cw_framed *out)
{
    struct cw_framing_pending *pending = &framing->pending[stream];
    *out = (struct cw_framed){.line = {pending->text, pending->len},
                              .has_ts = true,
                              .ts_ns = pending->ts_ns,
                              .from = pending->from,
                              .to = pending->to,
                              .stream = stream,
                              .joined = true};
    *pending = (struct cw_framing_pending){0};
}

/* True when the piece completes an entry. */
static bool docker_piece_take(struct cw_framing *framing, const struct cw_docker_line *line,
                              uint64_t from, uint64_t to, struct cw_framed *out)
{
    if (!line->partial && !framing->pending[line->stream].any) {
        *out = (struct cw_framed){.line = line->text,
                                  .has_ts = true,
                                  .ts_ns = line->ts_ns,
                                  .from = from,
                                  .to = to,
                                  .stream = line->stream};
        return true;
    }
    pending_add(framing, line->stream, line, from, to);
    if (!line->partial)
        pending_take(framing, line->stream, out);
    return !line->partial;
}

/* One line of the file; true when it completes an entry. */
static bool docker_line_take(struct cw_framing *framing, struct cw_str raw, uint64_t from,
                             uint64_t to, struct cw_framed *out)
{
    struct cw_docker_line line;
    char *text = cw_arena_alloc(framing->arena, raw.len);
    if (cw_docker_line_decode(raw, text, &line, NULL) < 0) {
        *out = (struct cw_framed){.line = raw, .from = from, .to = to, .malformed = true};
        return true;
    }
    return docker_piece_take(framing, &line, from, to, out);
}

static bool docker_next(struct cw_framing *framing, struct cw_framed *out)
{
    while (framing->at < framing->len) {
        const char *at = framing->bytes + framing->at;
        const char *newline = memchr(at, '\n', framing->len - framing->at);
        bool rest = newline == NULL &&
                    ((framing->at_end && framing->final) || (framing->whole && framing->at == 0));
        if (newline == NULL && !rest)
            return false;
        size_t len = newline ? (size_t)(newline - at) : framing->len - framing->at;
        uint64_t from = framing->start + framing->at;
        framing->at += len + (newline != NULL);
        if (docker_line_take(framing, cw_str_make(at, len), from, framing->start + framing->at,
                             out))
            return true;
    }
    /* its container is gone: no more pieces come */
    return framing->at_end && framing->final && cw_framing_flush(framing, out);
}

static bool docker_local_next(struct cw_framing *framing, struct cw_framed *out)
{
    struct cw_str bytes = {framing->bytes, framing->len};
    bool ends = framing->at_end && framing->final;
    while (framing->at < framing->len) {
        struct cw_docker_line line;
        uint64_t from = framing->start + framing->at;
        int rc = cw_docker_local_next(bytes, &framing->at, &line, NULL);
        if (rc == 0 && !ends)
            return false;
        if (rc == 0)
            framing->at = framing->len; /* torn, and nobody goes on with it */
        uint64_t to = framing->start + framing->at;
        if (rc <= 0) {
            *out = (struct cw_framed){.from = from, .to = to, .lost = true};
            return true;
        }
        if (docker_piece_take(framing, &line, from, to, out))
            return true;
    }
    return ends && cw_framing_flush(framing, out);
}

/* ---- records of the spool ---- */

static bool spool_next(struct cw_framing *framing, struct cw_framed *out)
{
    struct cw_str bytes = {framing->bytes, framing->len};
    struct cw_spool_record record;
    struct cw_err err;
    uint64_t from = framing->start + framing->at;
    int rc = cw_spool_record_next(bytes, &framing->at, framing->arena, &record, &err);
    if (rc == 0 && framing->at < framing->len && framing->at_end && framing->final) {
        framing->at = cw_spool_record_resync(bytes, framing->at);
        rc = CW_E_CORRUPT; /* torn, and nobody goes on with it */
    }
    if (rc == 0)
        return false;
    *out = (struct cw_framed){.from = from, .to = framing->start + framing->at, .lost = rc < 0};
    if (rc < 0)
        return true;
    out->line = record.line;
    out->has_ts = true;
    out->ts_ns = record.ts_ns;
    out->labels = record.labels;
    out->metadata = record.metadata;
    out->tenant = record.tenant;
    return true;
}

/* ---- */

bool cw_framing_next(struct cw_framing *framing, struct cw_framed *out)
{
    switch (framing->format) {
    case CW_SOURCE_LINES: return line_next(framing, out);
    case CW_SOURCE_DOCKER: return docker_next(framing, out);
    case CW_SOURCE_DOCKER_LOCAL: return docker_local_next(framing, out);
    case CW_SOURCE_SPOOL: return spool_next(framing, out);
    }
    return false;
}

uint64_t cw_framing_unfinished(const struct cw_framing *framing)
{
    uint64_t from = framing->start + framing->at;
    for (unsigned i = 0; i < CW_SOURCE_STREAMS; i++)
        if (framing->pending[i].any)
            from = CW_MIN(from, framing->pending[i].from);
    return from;
}

bool cw_framing_flush(struct cw_framing *framing, struct cw_framed *out)
{
    for (unsigned i = 0; i < CW_SOURCE_STREAMS; i++) {
        if (!framing->pending[i].any)
            continue;
        pending_take(framing, i, out);
        out->split = !framing->final;
        return true;
    }
    return false;
}
