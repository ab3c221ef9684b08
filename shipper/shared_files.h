/*
 * shared_files.h - files that several of a configuration's static_configs name: the first alone reads them (sources.h), and whoever
 * wrote the others is told of it before anything runs.
 *
 * What is there now is looked through, as a start would; of files that are not there yet the same pattern twice is found, and a
 * plain path that another one's pattern matches. Other discoveries say what they found only when they run.
 */
#ifndef CW_SHIPPER_SHARED_FILES_H
#define CW_SHIPPER_SHARED_FILES_H
#include "common/base/buf.h"
#include "shipper/shipper_config.h"

/* Appends a line, ended by a newline, for each two that have files in common, behind "file:line: " (the configuration's name, and where the second job begins). Errors are those of
 * relabel_configs. */
int cw_shared_files_tell(const struct cw_shipper_config *config, const char *file,
                         struct cw_buf *out, struct cw_err *err) CW_MUST_USE;

#endif
