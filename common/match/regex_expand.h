/*
 * regex_expand.h - Go's Regexp.Expand: the text of a match's groups in a template.
 *
 * $name, ${name} and $1 are groups, $$ a dollar; what names no group is empty, a dollar without a name is itself. A name goes as
 * far as letters, digits and `_` do: $1x is the group "1x".
 */
#ifndef CW_MATCH_REGEX_EXPAND_H
#define CW_MATCH_REGEX_EXPAND_H
#include "common/base/buf.h"
#include "common/match/regex.h"

/* `groups` are those of one match of `regex`, group 0 first. Appends; the buffer's cap bounds it. */
void cw_regex_expand(const struct cw_regex *regex, struct cw_str template,
                     const struct cw_str *groups, size_t ngroups, struct cw_buf *out);

#endif
