/*
 * go_case.h - letters in upper, lower and title case as Go's package unicode maps them.
 */
#ifndef CW_TEMPLATE_GO_CASE_H
#define CW_TEMPLATE_GO_CASE_H
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/str.h"

enum cw_go_case { CW_GO_UPPER, CW_GO_LOWER, CW_GO_TITLE };

/* unicode.To */
uint32_t cw_go_rune_to(uint32_t rune, enum cw_go_case to);
/* strings.ToUpper, ToLower; strings.Title (letters behind something that is none): invalid UTF-8 becomes U+FFFD unless
 * nothing else is to be changed, as in Go. */
void cw_go_text_to(struct cw_str s, enum cw_go_case to, struct cw_buf *out);

/* Made by tests/support/unicode_tables: what is added to a rune of the range; CW_GO_ALTERNATE: upper and lower take turns,
 * beginning with an upper one. */
#define CW_GO_ALTERNATE 0x110000
struct cw_go_case_range {
    uint32_t lo, hi;
    int32_t delta[3]; /* by enum cw_go_case */
};
extern const struct cw_go_case_range cw_go_case_ranges[]; /* sorted */
extern const size_t cw_go_ncase_ranges;

#endif
