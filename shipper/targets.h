/*
 * targets.h - make targets (sources.h) of what a discovery found, and keep them in step with it.
 *
 * What is found comes in groups (a container, a pod, a file of file_sd_configs), each put anew whenever it may have changed.
 * Relabelling makes the labels and, unless the discovery knows the file, __path__; then __path_exclude__, __tenant_id__ and
 * __host__ are read, and all that begins with "__" is dropped. A target whose labels changed is updated in place: its files
 * go on where they are.
 *
 * Ownership  Targets are the table of sources'; what is found is borrowed until return.
 * Threads    The loop's.
 */
#ifndef CW_SHIPPER_TARGETS_H
#define CW_SHIPPER_TARGETS_H
#include "shipper/scrape.h"
#include "shipper/sources.h"

struct cw_targets;

/* One thing that may be read. */
struct cw_found {
    struct cw_target_labels labels; /* ahead of relabelling; changed */
    struct cw_str name;             /* for log lines; empty: the scrape config's */
    struct cw_str path;             /* the file; empty: __path__ is the pattern of files */
    struct cw_str pipeline; /* that it asks for by name; empty: the scrape config's stages */
    enum cw_source_format format;
};

/* What becomes of the files of a target that is found no longer. */
enum cw_targets_gone {
    CW_TARGETS_READ_OUT, /* whoever wrote them has ended: last lines may still come, and are read */
    CW_TARGETS_END_THERE /* people took it from a list: nothing that is written from then on is read */
};

/* Those of one discovery. */
struct cw_targets *cw_targets_new(struct cw_sources *sources, const struct cw_scrape *scrape,
                                  enum cw_targets_gone gone);
/* The targets stay in the table. */
void cw_targets_free(struct cw_targets **targets);
/* What the group holds now, instead of what it held. */
void cw_targets_put(struct cw_targets *targets, struct cw_str group, struct cw_found *found,
                    size_t nfound);
void cw_targets_remove(struct cw_targets *targets, struct cw_str group);
/* Groups that are not put between the two are gone. */
void cw_targets_begin(struct cw_targets *targets);
void cw_targets_sweep(struct cw_targets *targets);
/* Keep a group in the sweep as it is; false when it is not known. */
bool cw_targets_keep(struct cw_targets *targets, struct cw_str group);
/* Whether there are other targets than when it was asked last: scan. */
bool cw_targets_changed(struct cw_targets *targets);

/* The rules on what was found, for one stream (enum cw_docker_stream, as a label; -1: it has none). 1 kept, with the labels
 * that *out has then, in the arena; 0 dropped, or another machine's. */
int cw_found_relabel(const struct cw_scrape *scrape, const struct cw_found *found, int stream,
                     struct cw_arena *arena, struct cw_target_labels *out,
                     struct cw_err *err) CW_MUST_USE;
/* The stages for it; an error names a pipeline that there is not. */
int cw_found_stages(const struct cw_scrape *scrape, const struct cw_found *found,
                    struct cw_stages **out, struct cw_err *err) CW_MUST_USE;
/* A map as a label set in one heap block (free() its items). */
struct cw_labels cw_labels_from_map(const struct cw_config_map *map);

#endif
