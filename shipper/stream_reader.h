/*
 * stream_reader.h - the bytes of one pipe or connection, handed to a parser as they come.
 *
 *            _start                 end, error, _close
 *   OPENED ----------> READING <--> HELD ------------> CLOSED, freed when the loop has run
 *                         (no room in the spool)
 *
 * The parser gets all bytes that it did not take yet, and says how many it takes.
 *
 * Ownership  A reader frees itself; on_closed is its last call.
 * Threads    The loop's.
 */
#ifndef CW_SHIPPER_STREAM_READER_H
#define CW_SHIPPER_STREAM_READER_H
#include <stdbool.h>
#include <uv.h>
#include "common/base/limits.h"
#include "common/base/str.h"
#include "common/net/tls_session.h"
#include "shipper/peer_names.h"

/* The longest line that is one record, with its end; and few enough for a thousand connections. */
#define CW_STREAM_READER_BYTES (CW_LIMIT_LINE_BYTES + 2)

enum cw_stream_more { CW_STREAM_MORE, CW_STREAM_FULL, CW_STREAM_END };

struct cw_stream_reader;

struct cw_stream_reader_options {
    size_t
        buffer_bytes; /* the most that the parser may ask to be held; 0: CW_STREAM_READER_BYTES */
    uint64_t idle_ms; /* closed after so much silence; 0: never */
    struct cw_tls_server *tls; /* of a connection; NULL: the bytes are as they are */
    /* Of a listener's connections: it is read when its peer's name is known. Lives until the listener is closed; NULL: nobody asks. */
    struct cw_peer_names *names;
    /* Returns how many bytes are taken; SIZE_MAX: close. Whether more may come, the stream has ended,
     * or the buffer is full and nothing of it was taken: then some must be. */
    size_t (*on_bytes)(void *arg, struct cw_stream_reader *reader, struct cw_str bytes,
                       enum cw_stream_more more);
    /* Before its first bytes, and when TLS is agreed on: it may be answered. NULL: nothing is said. */
    void (*on_opened)(void *arg, struct cw_stream_reader *reader);
    bool (*room)(void *arg); /* asked after each read: may more be read? */
    void (*on_closed)(void *arg, struct cw_stream_reader *reader);
    void *arg;
};

/* Of an unread pipe, connection or terminal in `handle`, which was initialised and opened. */
struct cw_stream_reader {
    union {
        uv_stream_t stream;
        uv_pipe_t pipe;
        uv_tcp_t tcp;
        uv_tty_t tty;
    } handle;
    uv_timer_t idle;
    struct cw_stream_reader_options options;
    char *bytes;
    size_t len, cap, skip;
    struct cw_tls_session *tls;
    char *cipher; /* what was read, with TLS */
    bool held, closing, opened;
    unsigned nopen;
    char peer[64];   /* the other end's address; empty: none */
    char *peer_name; /* by options.names, or NULL */
    void *state;     /* the parser's */
    struct cw_stream_reader *next;
};

struct cw_stream_reader *cw_stream_reader_new(const struct cw_stream_reader_options *options);
/* Its handle is open. Returns a negative libuv code when it cannot be read. */
int cw_stream_reader_start(struct cw_stream_reader *reader);
/* There is room again. */
void cw_stream_reader_resume(struct cw_stream_reader *reader);
/* From within on_bytes, and all bytes are taken: so many more are dropped before it is called again. */
void cw_stream_reader_skip(struct cw_stream_reader *reader, size_t n);
/* Send bytes back (copied); nobody waits for them. */
void cw_stream_reader_answer(struct cw_stream_reader *reader, struct cw_str bytes);
/* Again is fine. */
void cw_stream_reader_close(struct cw_stream_reader *reader);

/* Take a line off the front: up to a newline (which goes too, with a carriage return ahead of it), or
 * all there is when no more is to come or it is full (of at most CW_LIMIT_LINE_BYTES). False: no line
 * yet. */
bool cw_stream_line_take(struct cw_str *bytes, enum cw_stream_more more, struct cw_str *line);

#endif
