/*
 * wal_reader.h - read the log: its segments, frame by frame, and what is bad in them.
 *
 * Ownership  A reader maps one segment; frames borrow from it and from the reader's arena, and die at the next _next() or
 *            _close().
 * Errors     CW_E_IO, CW_E_NOT_FOUND; CW_E_CORRUPT when a segment's header does not hold; CW_E_NOT_IMPLEMENTED when it is
 *            of another version. Bad frames are no error of the
 *            reader: it tells where they are and goes on behind them. Any bytes are safe.
 */
#ifndef CW_STORE_WAL_READER_H
#define CW_STORE_WAL_READER_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/store/wal_frame.h"

/* The numbers of the segments in a folder, ascending. Files with other names are left alone. */
struct cw_wal_list {
    uint64_t *numbers; /* heap */
    size_t n;
};
int cw_wal_list(const char *dir, struct cw_wal_list *out, struct cw_err *err) CW_MUST_USE;
void cw_wal_list_fini(struct cw_wal_list *list);
/* "<dir>/<16 digits>.wal" */
void cw_wal_path(const char *dir, uint64_t number, struct cw_buf *out);

struct cw_wal_header {
    uint64_t segment, first_seq;
    int64_t created_ns;
    enum cw_wal_before before;
};
void cw_wal_header_encode(const struct cw_wal_header *header, struct cw_buf *out);
int cw_wal_header_decode(struct cw_str bytes, struct cw_wal_header *out,
                         struct cw_err *err) CW_MUST_USE;

struct cw_wal_reader;

enum cw_wal_event {
    CW_WAL_END = 0, /* cw_wal_reader_tail() says what is behind the last frame */
    CW_WAL_FRAME = 1,
    CW_WAL_BAD = 2, /* bytes that are no frame, with a good frame behind them */
};

struct cw_wal_next {
    struct cw_wal_frame frame; /* FRAME */
    uint64_t off, len;         /* in the segment: the frame, or the bad bytes */
    const char *why;           /* BAD: a sentence */
};

int cw_wal_reader_open(const char *path, struct cw_wal_reader **out,
                       struct cw_err *err) CW_MUST_USE;
/* The same where the header does not hold: the number is the file name's, the rest is taken from the frames. CW_E_CORRUPT when
 * none is whole. */
int cw_wal_reader_salvage(const char *path, uint64_t segment, struct cw_wal_reader **out,
                          struct cw_err *err) CW_MUST_USE;
/* The same over bytes of the caller. */
int cw_wal_reader_open_bytes(struct cw_str bytes, struct cw_wal_reader **out,
                             struct cw_err *err) CW_MUST_USE;
void cw_wal_reader_close(struct cw_wal_reader **reader);
const struct cw_wal_header *cw_wal_reader_header(const struct cw_wal_reader *reader);
struct cw_str cw_wal_reader_bytes(const struct cw_wal_reader *reader);
enum cw_wal_event cw_wal_reader_next(struct cw_wal_reader *reader, struct cw_wal_next *out);
/* After END: what is behind the last good frame, a torn write or nothing. *off_out is where the segment may be cut. */
struct cw_str cw_wal_reader_tail(const struct cw_wal_reader *reader, uint64_t *off_out);

#endif
