/*
 * push_check.h - the limits of a push, with Loki's texts: which entries are taken, and what is said of the first that is not.
 *
 * Ownership  Works in place; new arrays and texts live in the arena.
 * Threads    None shared.
 */
#ifndef CW_INGESTER_PUSH_CHECK_H
#define CW_INGESTER_PUSH_CHECK_H
#include <stdbool.h>
#include "common/base/arena.h"
#include "common/base/hash.h"
#include "common/store/discovery.h"
#include "common/wire/push.h"
#include "ingester/ingester_config.h"

/* Why entries are discarded: the label `reason` of cordwood_discarded_entries_total. */
enum cw_discard {
    CW_DISCARD_LABELS, /* missing, invalid, too many, too long, twice */
    CW_DISCARD_TOO_OLD,
    CW_DISCARD_TOO_NEW,
    CW_DISCARD_LINE_TOO_LONG,
    CW_DISCARD_METADATA,
    CW_DISCARD_DUPLICATE, /* there already: decided in WAL order */
    CW_DISCARD_NREASONS,
};
extern const char *const cw_discard_names[CW_DISCARD_NREASONS];

struct cw_push_checked {
    struct cw_hash128 *ids; /* of the streams that are left */
    bool changed; /* entries were left out or cut: the body as received is not what is stored */
    bool refused; /* labels that do not parse, a metadata's name that is none: nothing is taken */
    struct cw_str first; /* what is wrong with the first that is not taken; empty: all are */
    size_t ndiscarded[CW_DISCARD_NREASONS];
};

/* Resolve the push (push_resolve.h), take out what the limits forbid and add what is discovered in the rest; push->streams holds what
 * is left. As in Loki a service_name is added before labels are checked, and not counted; a level after metadata is. */
void cw_push_check(struct cw_push *push, const struct cw_ingester_limits *limits,
                   const struct cw_discovery *discovery, int64_t now_ns, struct cw_arena *arena,
                   struct cw_push_checked *out);

#endif
