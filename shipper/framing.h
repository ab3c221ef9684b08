/*
 * framing.h - how the bytes of a source become entries: lines of a file, Docker's JSON around (parts
 * of) them, records of the spool.
 *
 *   struct cw_framing framing = {.format = .., .bytes = .., .len = .., .start = .., ...};
 *   while (cw_framing_next(&framing, &framed))
 *       ...
 *
 * An entry knows the offsets of its bytes. What was begun and has no end yet (a line without its
 * newline, pieces of a Docker entry) is not handed out: cw_framing_unfinished() says where it begins,
 * and it is read again with the next bytes. Lines are told apart and counted in the file's own bytes,
 * and handed out as UTF-8.
 *
 * Ownership  Lines borrow from the bytes or live in the arena.
 * Errors     What is no such format is shipped as it is, and said to be so: nothing is lost but what a
 *            disk damaged in a spool.
 */
#ifndef CW_SHIPPER_FRAMING_H
#define CW_SHIPPER_FRAMING_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/arena.h"
#include "shipper/docker_line.h"
#include "shipper/source.h"
#include "shipper/text_encoding.h"

struct cw_framed {
    struct cw_str line;
    bool has_ts;
    int64_t ts_ns;     /* of a format that carries times */
    uint64_t from, to; /* offsets in the source */
    unsigned stream;   /* of Docker: enum cw_docker_stream */
    /* Of the spool; empty: the source's. */
    struct cw_labels labels, metadata;
    struct cw_str tenant;
    bool joined;    /* of several lines: others may lie between them */
    bool split;     /* it goes on behind: no buffer holds it */
    bool malformed; /* not of the source's format: the bytes as they are */
    bool lost;      /* damaged bytes of the spool: there is no entry in them */
    bool nuls;   /* NUL characters ahead of a line (the hole of a sparse file): no entry either */
    size_t nbad; /* characters that the encoding does not have; U+FFFD stands for each */
};

/* Pieces of an entry. */
struct cw_framing_pending {
    char *text;
    size_t len, cap;
    int64_t ts_ns;
    uint64_t from, to;
    bool any;
};

struct cw_framing {
    /* the caller's */
    enum cw_source_format format;
    const struct cw_text_encoding *encoding; /* of lines; NULL: as they are */
    const char *bytes;                       /* of the source, from offset `start` on */
    size_t len;
    uint64_t start;
    bool at_end; /* the source ends behind them, for now */
    bool final;  /* nobody writes it any more: what has no end ends there */
    bool whole;  /* the buffer is full and holds nothing else: what does not end in it never will */
    struct cw_arena *arena;
    struct cw_tail *tail;  /* where the end of a line that no buffer holds is looked for, */
    size_t max_line_bytes; /* if lines have a limit: then only its beginning is kept; 0: none */
    /* ours */
    size_t at; /* behind what was taken; past `len` where a line's end was looked for in the file */
    struct cw_framing_pending pending[CW_SOURCE_STREAMS];
};

/* False: no more. */
bool cw_framing_next(struct cw_framing *framing, struct cw_framed *out);
/* The smallest offset whose bytes are in no entry yet. */
uint64_t cw_framing_unfinished(const struct cw_framing *framing);
/* End an entry of pieces where it is; false when there is none. */
bool cw_framing_flush(struct cw_framing *framing, struct cw_framed *out);

#endif
