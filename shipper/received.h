/*
 * received.h - from what a sender says to records of a spool: labels of the configuration and of the
 * message (with two underscores), relabeled; the tenant; the time.
 *
 *   if (cw_received_stream(received, labels, n))        labels of what follows
 *       cw_received_put(received, &entry);
 *   ... then received->bytes goes to the spool (receiver.h)
 *
 * Ownership  Owns its labels and bytes; entries and labels borrow until the call returns.
 * Threads    One thread has it.
 */
#ifndef CW_SHIPPER_RECEIVED_H
#define CW_SHIPPER_RECEIVED_H
#include <stdbool.h>
#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/labels/labels.h"
#include "common/metrics/metrics.h"
#include "common/wire/push.h"
#include "shipper/relabel.h"

struct cw_received {
    struct cw_labels labels;          /* of the configuration, those with "__" too; a heap block */
    const struct cw_relabel *relabel; /* borrowed */
    struct cw_arena *arena;           /* reset by each _stream() */
    struct cw_labels stream;
    struct cw_str tenant; /* __tenant_id__ of the stream */
    struct cw_buf bytes;  /* records */
    size_t n;             /* how many */
    struct cw_buf cursor; /* of the last that has one */
    int64_t last_ts_ns;
    struct cw_metrics *metrics;
    const char *name; /* the receiver's; borrowed */
};

struct cw_received_entry {
    int64_t ts_ns; /* CW_PUSH_TS_NONE: that of its arrival */
    struct cw_str line;
    struct cw_labels metadata;
    struct cw_str tenant, cursor; /* the tenant counts where relabeling gives none */
};

/* What is done with a message that cannot be read as what it should be. */
#define CW_RECEIVED_LONG "an entry over 256 KiB" /* CW_LIMIT_LINE_BYTES; it is CUT */
enum cw_received_bad { CW_RECEIVED_KEPT, CW_RECEIVED_CUT, CW_RECEIVED_DROPPED };

void cw_received_init(struct cw_received *received, const struct cw_config_map *labels,
                      const struct cw_relabel *relabel, const char *name,
                      struct cw_metrics *metrics);
/* A zeroed one is fine. */
void cw_received_fini(struct cw_received *received);
/* Entries that follow have these labels and those of the configuration, which come first, relabeled.
 * False: a rule drops them. */
bool cw_received_stream(struct cw_received *received, const struct cw_label *labels, size_t n);
/* One whose labels and metadata are too large is dropped and counted. */
void cw_received_put(struct cw_received *received, const struct cw_received_entry *entry);
void cw_received_clear(struct cw_received *received);
/* Count, and say so the first time. */
void cw_received_bad(struct cw_received *received, enum cw_received_bad action, const char *why);

#endif
