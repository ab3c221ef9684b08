/*
 * regex_print.h - a tree of regex_syntax.h as a PCRE2 pattern of the same meaning.
 *
 * Two spellings. For text that is ASCII (most lines) the pattern is compiled without PCRE2_UTF: the JIT is faster there,
 * and a rune is a byte. For other text it is compiled with PCRE2_UTF; there the caller replaces each byte of invalid UTF-8 by
 * U+FFFD first, which is how Go reads it (PCRE2_MATCH_INVALID_UTF would not let `.` match it).
 *
 * The pattern wants newline LF and PCRE2_DOTALL.
 */
#ifndef CW_MATCH_REGEX_PRINT_H
#define CW_MATCH_REGEX_PRINT_H
#include "common/base/buf.h"
#include "common/match/regex_syntax.h"

enum cw_re_text { CW_RE_TEXT_ASCII, CW_RE_TEXT_UTF8 };

void cw_regex_print(const struct cw_re_node *node, enum cw_re_text text, struct cw_buf *out);

#endif
