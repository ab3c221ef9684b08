/*
 * sources_priv.h - what sources.c (the table), sources_scan.c (the folders) and
 * sources_copy.c (what copytruncate copies) have in common.
 */
#ifndef CW_SHIPPER_SOURCES_PRIV_H
#define CW_SHIPPER_SOURCES_PRIV_H
#include "shipper/sources.h"

/* Renames between two scans; more than this many at once come from no rotation. */
#define CW_SOURCES_RENAMES_MAX 256
/* Paths that cannot be read are told once each, up to this many. */
#define CW_SOURCES_UNREADABLE_MAX 1000

/* Whether the target may have this path at all: our own files are for the spools' targets alone. */
bool cw_sources_may_have(const struct cw_sources *sources, const struct cw_target *target,
                         const char *path);
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
/* Free it; what it counted stays. */
void cw_sources_forget(struct cw_sources *sources, struct cw_source **source);
/* Hear of its growth. */
void cw_sources_watch(struct cw_sources *sources, struct cw_source *source);
/* Look at an open file: its size, and, when it changed in a way that reading alone would not show,
 * its first bytes. Sets source->changed. */
void cw_sources_look(struct cw_sources *sources, struct cw_source *source);
/* A source whose file was truncated. If a copy of what it held is in its folder, the source goes on
 * there as one that was renamed would, under its id and marks, and a new source begins in the file;
 * both become durable with one save. Otherwise its generation is raised, once no push that names it
 * is under way, and what is lost is counted. The table may grow; its index is made anew. */
void cw_sources_truncated(struct cw_sources *sources, struct cw_source *source, int64_t now_ns,
                          int64_t now_mono_ns);
/* Whether an open file that is no source (just opened as `tail` at `path`) is a copy, perhaps not
 * complete, of a log that is one: it is not read by itself. */
bool cw_sources_is_copy(struct cw_sources *sources, const struct cw_tail *tail, const char *path);
void cw_sources_renames_clear(struct cw_sources *sources);

#endif
