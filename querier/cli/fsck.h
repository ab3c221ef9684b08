/*
 * fsck.h - what the steps of `cordwood fsck` share: the directory, what was found, and whether it is repaired.
 *
 * A step is a row in cmd_fsck.c. It tells every problem, with what it costs; with a quarantine it repairs what it told.
 *
 * Errors     Only what keeps it from going on (CW_E_IO, ...): damage is a problem, and told.
 */
#ifndef CW_CLI_FSCK_H
#define CW_CLI_FSCK_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/store/catalog.h"
#include "common/store/quarantine.h"

struct cw_fsck {
    const char *dir;
    struct cw_quarantine *quarantine; /* NULL: nothing is changed */
    struct cw_catalog catalog;        /* as it is, or as it was made again */
    bool catalog_lost;
    bool catalog_changed; /* to be written */
    uint64_t nproblems;
    uint64_t nparts, nblocks, nentries, nsegments, npushes; /* checked */
    uint64_t lost_entries, lost_pushes,
        lost_unknown;       /* unknown: parts that do not say how many entries */
    bool lost_pushes_least; /* of some damage nobody knows how many more */
    bool lost_pushes_most;  /* frames that are missing need not all be pushes */
};

/* Print "<file>: <sentence>"; `file` is below the directory, or a path in it. */
void cw_fsck_problem(struct cw_fsck *fsck, const char *file, const char *fmt, ...) CW_PRINTF(3, 4);
/* The same for what is no problem, or was done about one. */
void cw_fsck_note(const struct cw_fsck *fsck, const char *file, const char *fmt, ...)
    CW_PRINTF(3, 4);

/* The catalog, made again if it is lost, in fsck->catalog. */
int cw_fsck_catalog(struct cw_fsck *fsck, struct cw_err *err) CW_MUST_USE;
int cw_fsck_parts(struct cw_fsck *fsck, struct cw_err *err) CW_MUST_USE;
/* Write the catalog, if parts made it another one. */
int cw_fsck_catalog_write(struct cw_fsck *fsck, struct cw_err *err) CW_MUST_USE;
int cw_fsck_wal(struct cw_fsck *fsck, struct cw_err *err) CW_MUST_USE;

#endif
