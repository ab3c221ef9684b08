/*
 * sources_rig.h - the shipper's table of sources over a folder of logs, with a store that takes what it
 * gives as an ingester does (marks by source and generation), and kills between any two steps.
 *
 *   cw_sources_rig_look(&rig);        scan, unpack, look at sizes, save
 *   cw_sources_rig_ship(&rig);        all that can be read goes into the store
 *   cw_sources_rig_kill(&rig);        what was not saved is forgotten; the store is not
 *   cw_sources_rig_lines(&rig)        what the store has got since it was asked last
 *
 * Time is that of the machine, as births of files are; what waits for quiet need not wait (quiet_ns).
 * Errors     Whatever breaks the delivery protocol (a range that does not begin at its mark) or fails stops the
 *            test.
 */
#ifndef CW_TESTS_SUPPORT_SOURCES_RIG_H
#define CW_TESTS_SUPPORT_SOURCES_RIG_H
#include "shipper/batch.h"
#include "shipper/sources.h"
#include "tests/support/log_folder.h"

struct cw_sources_rig {
    struct cw_log_folder folder;
    struct cw_metrics *metrics;
    struct cw_sources *sources;
    struct cw_batch *batch;
    const char *patterns[4]; /* borrowed; names in the folder */
    size_t npatterns;
    int64_t quiet_ns, wall_ns; /* how far the two clocks are ahead of the machine's */
    struct cw_arena *saved_arena;
    struct cw_positions saved;
    struct cw_rig_mark {
        struct cw_id128 id;
        uint64_t generation, mark;
    } * marks;
    size_t nmarks;
    char **lines;
    size_t nlines, lines_cap;
    char *text; /* of cw_sources_rig_lines() */
};

/* `pattern` is the first; more are added to `patterns` before the next look. */
void cw_sources_rig_init(struct cw_sources_rig *rig, const char *pattern);
void cw_sources_rig_fini(struct cw_sources_rig *rig);
void cw_sources_rig_scan(struct cw_sources_rig *rig);
void cw_sources_rig_refresh(struct cw_sources_rig *rig);
/* As after the kernel told of a write to each open file. */
void cw_sources_rig_glance(struct cw_sources_rig *rig);
void cw_sources_rig_save(struct cw_sources_rig *rig);
void cw_sources_rig_look(struct cw_sources_rig *rig);
/* At most so many entries; whether there were any. Saved before; not after. */
bool cw_sources_rig_push(struct cw_sources_rig *rig, size_t nentries);
void cw_sources_rig_ship(struct cw_sources_rig *rig);
void cw_sources_rig_kill(struct cw_sources_rig *rig);
/* Sorted, joined with blanks. Valid until the next call. */
const char *cw_sources_rig_lines(struct cw_sources_rig *rig);
uint64_t cw_sources_rig_lost_bytes(const struct cw_sources_rig *rig);
/* Until files get another birth time than those made before. */
void cw_sources_rig_tick(void);

#endif
