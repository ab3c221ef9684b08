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
        if (cw_tail_find_newline(framing->tail, end, scratch, framing->len, &end, &err) < 0)
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

static bool line_next(struct cw_framing *framing, struct cw_framed *out)
{
    const char *from = framing->bytes + framing->at;
    if (framing->at >= framing->len)
        return false;
    const char *newline = memchr(from, '\n', framing->len - framing->at);
    if (newline == NULL && framing->at == 0 && framing->whole)
        return long_line_next(framing, out);
    if (newline == NULL && !(framing->at_end && framing->final))
        return false;
    size_t len = newline ? (size_t)(newline - from) : framing->len - framing->at;
    uint64_t begin = framing->start + framing->at;
    framing->at += len + (newline != NULL);
    *out =
        (struct cw_framed){.line = {from, len}, .from = begin, .to = framing->start + framing->at};
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
