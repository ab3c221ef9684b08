/* listen_clash.h - receivers that would listen at one address: found when the configuration is read, not by the second bind. */
#ifndef CW_SHIPPER_LISTEN_CLASH_H
#define CW_SHIPPER_LISTEN_CLASH_H
#include "common/base/buf.h"

struct cw_shipper_config;

/* Appends a line, "file:line: sentence" and a newline, for each that listens where one ahead of it does; returns how many.
 * Addresses are compared as they are written: a name and what it resolves to are two. */
size_t cw_listen_clashes_tell(const struct cw_shipper_config *config, const char *file,
                              struct cw_buf *out);

#endif
