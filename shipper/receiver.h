/*
 * receiver.h - what all receivers have in common: a name, a spool, and the road from a message to it.
 *
 * A receiver is a struct that begins with a struct cw_receiver and a row in receivers.c. It reads
 * while there is room, puts entries (received.h), and flushes; if its sender waits for an answer, that
 * goes out when the flush is durable.
 *
 * Threads    The loop's, but where a receiver says so.
 */
#ifndef CW_SHIPPER_RECEIVER_H
#define CW_SHIPPER_RECEIVER_H
#include <stdbool.h>
#include <uv.h>
#include "common/base/err.h"
#include "common/net/tls_session.h"
#include "shipper/received.h"
#include "shipper/receivers.h"
#include "shipper/spool_writer.h"

struct cw_receiver;

struct cw_receiver_def {
    const char *kind;            /* its key in a scrape config, and the beginning of its name */
    size_t seen, config, labels; /* offsets in struct cw_scrape_config */
    size_t size;                 /* of its struct */
    enum cw_spool_failure failure;
    bool (*waits)(const struct cw_receiver *receiver); /* can its sender be held up? NULL: yes */
    int (*start)(struct cw_receiver *receiver, struct cw_err *err);
    void (*resume)(struct cw_receiver *receiver); /* there is room again */
    /* Take nothing more, or what lingers; put what was taken; close all handles. In any state, and once. */
    void (*stop)(struct cw_receiver *receiver);
    /* Its input is at an end, and all of it was put; NULL: it never is. */
    bool (*ended)(const struct cw_receiver *receiver);
    /* After stop(): it still takes what is on its way, and flushes it to on_stopped() of the host; NULL: never. Its spool may be closed
     * before, and is NULL then. */
    bool (*lingers)(const struct cw_receiver *receiver);
    void (*fini)(struct cw_receiver *receiver); /* when the loop has run; may be NULL */
};

struct cw_receiver {
    const struct cw_receiver_def *def;
    const struct cw_receivers_options *host;
    const struct cw_scrape *scrape;
    const void *config; /* the def's struct of it */
    char *name;
    bool stopped; /* stop() was called */
    struct cw_received received;
    struct cw_spool_writer *spool;
    struct cw_tls_server *tls; /* may be NULL */
};

/* NULL where none is configured; the caller's. */
int cw_receiver_tls_open(const struct cw_receiver_tls_config *config, struct cw_tls_server **out,
                         struct cw_err *err) CW_MUST_USE;
/* What its connections are encrypted with, for cw_stream_reader_options; NULL where none is configured.
 * The receiver owns it. */
int cw_receiver_tls(struct cw_receiver *receiver, const struct cw_receiver_tls_config *config,
                    struct cw_tls_server **out, struct cw_err *err) CW_MUST_USE;
bool cw_receiver_room(const struct cw_receiver *receiver);
/* All that was put goes to the spool; `fn` (may be NULL) is told when it is durable or failed. */
void cw_receiver_flush(struct cw_receiver *receiver, cw_spool_waiter_fn fn, void *ctx);

#define CW_RECEIVER_OFFSETS(member)                                                                \
    .seen = offsetof(struct cw_scrape_config, member.seen),                                        \
    .config = offsetof(struct cw_scrape_config, member),                                           \
    .labels = offsetof(struct cw_scrape_config, member.labels)

extern const struct cw_receiver_def cw_receiver_stdin, cw_receiver_fifo, cw_receiver_lines,
    cw_receiver_exec, cw_receiver_syslog, cw_receiver_loki_push, cw_receiver_journal,
    cw_receiver_gelf, cw_receiver_forward;

#endif
