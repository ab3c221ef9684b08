/*
 * data_dir.h - what a tenant has in an ingester's data directory, as sources of entries: the parts that the catalog names, and what
 * the log holds beside them, without what deletes hide.
 *
 * Reads only: no lock is taken and no byte is changed, and a server may be running on the directory. What it flushes or merges
 * meanwhile makes the reading begin anew, so that every entry that was acknowledged before is there once. An entry that is in the log
 * and not acknowledged yet may be there too. Retention is not applied: what is on the disk is shown.
 *
 * Memory     The log's entries, as in a server that starts: what a head holds before it is flushed (64 MiB by default; more where the
 *            last flushes failed). Parts are mapped.
 * Ownership  The snapshot's sources hold what they need, but for `head`.
 * Threads    One opens and closes.
 * Errors     CW_E_NOT_FOUND: there is no data directory; CW_E_INVALID: of a newer version; CW_E_UNAVAILABLE: the directory changed each time; CW_E_IO.
 *            What is damaged is told to `bad` and left out.
 */
#ifndef CW_LOCAL_DATA_DIR_H
#define CW_LOCAL_DATA_DIR_H
#include "common/base/err.h"
#include "common/store/cursor.h"

struct cw_data_dir_options {
    const char *path;
    struct cw_str tenant;
    /* One sentence; on any thread, as long as sources are open. */
    void (*bad)(void *ctx, const struct cw_err *why);
    void *ctx;
};

struct cw_data_dir;
int cw_data_dir_open(const struct cw_data_dir_options *options, struct cw_data_dir **out,
                     struct cw_err *err) CW_MUST_USE;
/* No cursor may still be open. NULL is fine. */
void cw_data_dir_close(struct cw_data_dir **dir);
const struct cw_snapshot *cw_data_dir_snapshot(const struct cw_data_dir *dir);

#endif
