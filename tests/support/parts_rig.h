/*
 * parts_rig.h - a folder of its own with a registry of parts, the deletes of it, and what purges it, as a store has them.
 *
 * Ownership  The rig owns all that its fields point to. Closed, the folder is gone.
 * Errors     None: each call asserts that it works.
 */
#ifndef CW_TESTS_PARTS_RIG_H
#define CW_TESTS_PARTS_RIG_H
#include "ingester/purge.h"
#include "ingester/retention.h"
#include "tests/support/part_model.h"

struct parts_rig {
    char dir[64];
    struct cw_parts *parts;
    struct cw_deletes *deletes;
    struct cw_retention_shares *shares;
    struct cw_purge *purge;
    struct cw_retention_options retention; /* by what parts_rig_hold() said, for all tenants */
    struct cw_retention_policy *policy;
    uint64_t wal_seq; /* of the last frame that is in a part */
};

/* Everything is kept, and deletes remove. */
void parts_rig_open(struct parts_rig *rig);
void parts_rig_close(struct parts_rig *rig);
/* As a restart. */
void parts_rig_reopen(struct parts_rig *rig);
void parts_rig_hold(struct parts_rig *rig, const struct cw_ingester_limits *limits);

/* The model's entries as one part of the next frame: committed, and visible. */
void parts_rig_add(struct parts_rig *rig, const struct part_model *model, const char *tenant,
                   int32_t day);
size_t parts_rig_nparts(const struct parts_rig *rig);
/* Below parts/. */
size_t parts_rig_nfiles(const struct parts_rig *rig);
/* A command of the shell, in the folder. */
void parts_rig_shell(const struct parts_rig *rig, const char *command);

#endif
