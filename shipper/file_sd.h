/*
 * file_sd.h - file_sd_configs: targets that files name, as lists of static configs in YAML or JSON.
 *
 * Files are looked at every two seconds (their names, sizes and times: a ConfigMap's links too) and read when they changed, and
 * each refresh_interval. A file that cannot be read, or is wrong, leaves what it said before.
 */
#ifndef CW_SHIPPER_FILE_SD_H
#define CW_SHIPPER_FILE_SD_H
#include "shipper/discoveries.h"

extern const struct cw_discovery_def cw_file_sd;

#endif
