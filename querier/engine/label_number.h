/*
 * label_number.h - label values as numbers: what label filters compare and unwrap takes.
 *
 * Errors     False with the sentence that Go's strconv, time and go-humanize have for it, for __error_details__.
 */
#ifndef CW_ENGINE_LABEL_NUMBER_H
#define CW_ENGINE_LABEL_NUMBER_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/arena.h"
#include "common/base/str.h"

bool cw_label_number(struct cw_str text, double *out, struct cw_arena *arena, struct cw_str *why);
/* "1h30m" */
bool cw_label_duration(struct cw_str text, int64_t *ns_out, struct cw_arena *arena,
                       struct cw_str *why);
/* "1.5 MB", "3KiB", "1,024" */
bool cw_label_bytes(struct cw_str text, uint64_t *out, struct cw_arena *arena, struct cw_str *why);

#endif
