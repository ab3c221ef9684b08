/*
 * log_group.h - entries of a log query gathered under their label sets, as Loki answers them.
 *
 * Structured metadata and parsed labels count as labels: a stream of the answer is the entry's stream with both, or with
 * categorised labels the stream alone. A metadata name that the stream has already gets "_extracted" behind it.
 *
 * Ownership  Everything borrows from the entries and the arena.
 */
#ifndef CW_ENGINE_LOG_GROUP_H
#define CW_ENGINE_LOG_GROUP_H
#include "common/base/arena.h"
#include "querier/engine/log_top.h"

struct cw_log_group {
    struct cw_labels labels;
    const struct cw_log_entry **entries; /* in the order of the query */
    size_t n, cap;
};

struct cw_log_groups {
    struct cw_log_group *items; /* by labels */
    size_t n;
};

/* The metadata with clashing names changed; sorted. */
struct cw_labels cw_log_metadata(struct cw_labels stream, struct cw_labels metadata,
                                 struct cw_arena *arena);
/* Stream and (changed) metadata in one set. */
struct cw_labels cw_log_labels(struct cw_labels stream, struct cw_labels metadata,
                               struct cw_arena *arena);
/* What categorised answers keep apart (parsed labels too), in one set. */
struct cw_labels cw_log_all_labels(const struct cw_log_entry *entry, struct cw_arena *arena);
/* The order of the entries is kept: a group is a run of entries with the same labels, and a set of labels may have several. */
/* Both end early when the query does (match_stop.h): then nobody reads them. */
void cw_log_group_runs(const struct cw_log_entry *const *entries, size_t n, bool categorised,
                       struct cw_arena *arena, struct cw_log_groups *out);
void cw_log_group(const struct cw_log_entry *const *entries, size_t n, bool categorised,
                  struct cw_arena *arena, struct cw_log_groups *out);

#endif
