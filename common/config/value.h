/*
 * value.h - one value as a user writes it: what the YAML loader and the command line have in common.
 *
 * Errors     CW_E_INVALID with a sentence without place and key; the caller puts them in front.
 */
#ifndef CW_CONFIG_VALUE_H
#define CW_CONFIG_VALUE_H
#include "common/config/schema.h"

/* The type and bounds of one value; cw_key_def and cw_flag_def both carry these. */
struct cw_value_rule {
    enum cw_key_kind kind; /* STRING .. ENUM */
    const char *min, *max;
    const char *const *names;
};

/* Parse `text` into the member at `out`, whose type is that of the kind. Strings are copied into the arena. */
int cw_value_parse(const struct cw_value_rule *rule, struct cw_str text, struct cw_arena *arena,
                   void *out, struct cw_err *err) CW_MUST_USE;
/* "64MiB", "1.5GB", "4096", "10 kb": powers of 1024 in every spelling, as Loki counts them. */
bool cw_value_parse_bytes(struct cw_str text, int64_t *out);
/* Go's or Prometheus' form. */
bool cw_value_parse_duration(struct cw_str text, int64_t *ns_out);
/* The value as cw_value_parse() reads it back, without quotes. */
void cw_value_format(const struct cw_value_rule *rule, const void *value, struct cw_buf *out);
/* "a whole number", "a duration such as 30s or 1h", ... */
const char *cw_value_kind_text(enum cw_key_kind kind);

#endif
