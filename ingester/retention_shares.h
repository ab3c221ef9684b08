/*
 * retention_shares.h - what the streams of the rules of retention_stream take of each part, and which of them must leave it.
 *
 * A rule's share of a part is of the file's size what its streams are of the part's lines, their ends counted. So it is known from
 * the footer and the table of streams, and no block is read. For a rule with `bytes` the shares of a tenant's parts are added up,
 * the newest part first; from the part on with which they are more, its streams leave, whole parts' shares at a time (a part is a
 * day or less). The newest share stays, as a tenant's newest part does under retention_bytes. Until purge.h wrote the part anew they
 * are seen: nothing is hidden that a merge, which makes parts smaller, could bring back. Entries in the head do not count.
 *
 * Ownership  A registry remembers shares by part; a tally holds a reference on the policy and borrows the registry.
 * Threads    A registry: any. A tally belongs to one thread.
 * Errors     A part whose table of streams is damaged counts as empty, once told in the log.
 */
#ifndef CW_INGESTER_RETENTION_SHARES_H
#define CW_INGESTER_RETENTION_SHARES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/store/cursor.h"
#include "ingester/retention_policy.h"

struct cw_retention_shares;
struct cw_retention_shares *cw_retention_shares_new(void);
/* NULL is fine. */
void cw_retention_shares_free(struct cw_retention_shares **shares);
/* Forget what is remembered, when it is of many more than the `nparts` parts that there are. */
void cw_retention_shares_trim(struct cw_retention_shares *shares, size_t nparts);

/* All by rule of the policy; of rules without bytes 0 and false. */
struct cw_retention_tally {
    struct cw_retention_shares *registry;
    struct cw_retention_policy *policy;
    uint64_t *share; /* of the part that was added last */
    uint64_t *bytes; /* of all parts so far */
    bool *over;      /* the rule's streams must leave the part that was added last */
};
void cw_retention_tally_init(struct cw_retention_tally *tally, struct cw_retention_shares *registry,
                             struct cw_retention_policy *policy);
/* Parts of one tenant, the newest first. */
void cw_retention_tally_add(struct cw_retention_tally *tally, struct cw_source *part);
void cw_retention_tally_fini(struct cw_retention_tally *tally);

#endif
