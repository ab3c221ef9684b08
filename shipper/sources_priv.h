/*
 * sources_priv.h - what sources.c (the table) and sources_scan.c (the folders) have in common.
 */
#ifndef CW_SHIPPER_SOURCES_PRIV_H
#define CW_SHIPPER_SOURCES_PRIV_H
#include "shipper/sources.h"

/* Renames between two scans; more than this many at once come from no rotation. */
#define CW_SOURCES_RENAMES_MAX 256
/* Paths that cannot be read are told once each, up to this many. */
#define CW_SOURCES_UNREADABLE_MAX 1000

/* The first target that matches, or NULL. */
const struct cw_target *cw_sources_target_of(const struct cw_sources *sources, const char *path);
/* The texts of the source's streams, for each output. */
void cw_sources_labels_set(const struct cw_sources *sources, struct cw_source *source,
                           const struct cw_target *target);
void cw_sources_index_build(struct cw_sources *sources);
/* The next source with this inode; start with *at = SIZE_MAX. */
struct cw_source *cw_sources_index_next(const struct cw_sources *sources, uint64_t dev,
                                        uint64_t ino, size_t *at);
/* Takes the source. */
void cw_sources_add(struct cw_sources *sources, struct cw_source *source);
/* Hear of its growth. */
void cw_sources_watch(struct cw_sources *sources, struct cw_source *source);
void cw_sources_renames_clear(struct cw_sources *sources);

#endif
