/*
 * targets.h - make targets (sources.h) from what the configuration says.
 */
#ifndef CW_SHIPPER_TARGETS_H
#define CW_SHIPPER_TARGETS_H
#include "shipper/shipper_config.h"
#include "shipper/sources.h"

/* The files of one static config. Labels that begin with "__" are for us alone. */
int cw_target_from_static(const struct cw_static_config *config, struct cw_str job_name,
                          struct cw_target **out, struct cw_err *err) CW_MUST_USE;
/* One file by its path, with these labels (copied). */
int cw_target_from_path(const char *path, const char *name, struct cw_labels labels,
                        enum cw_source_format format, struct cw_target **out,
                        struct cw_err *err) CW_MUST_USE;
/* A map as a label set in one heap block (free() its items). */
struct cw_labels cw_labels_from_map(const struct cw_config_map *map);

#endif
