/*
 * pattern_text.h - a template of the store (layout.h) as a pattern that a person reads, and that the line filter `|>` takes: every
 * slot is `<_>`, and so is a chain of slots that only joiners hold together (a date, an address with its port).
 *
 * Of a line of JSON the pattern is its message's alone, with <_> before and behind, as Loki has it: the message of a key "msg",
 * "message", "log", "content" or "event" (what structlog calls it). In logfmt the message stands in its line.
 *
 * Bounds     A pattern ends with <_> where it would be longer than CW_PATTERN_TEXT_MAX.
 * Threads    Any.
 */
#ifndef CW_ENGINE_PATTERN_TEXT_H
#define CW_ENGINE_PATTERN_TEXT_H
#include <stdbool.h>
#include <stddef.h>
#include "common/base/buf.h"
#include "common/base/str.h"
#include "common/store/tokenize.h"

enum { CW_PATTERN_TEXT_MAX = 3000 };

/* Is a line's message one quoted value, that is a slot of its template? *at_out is where the slot's byte stands. */
bool cw_pattern_message_slot(struct cw_str template, size_t *at_out);
/* The message of a line that was cut into this template and these tokens, where it is a slot; else empty. `text` is what the tokens'
 * offsets count from. */
struct cw_str cw_pattern_message(struct cw_str template, const struct cw_tokens *tokens,
                                 struct cw_str text);
/* The template's pattern in place of what is in *out, which has room for CW_PATTERN_TEXT_MAX + 16 bytes. `message` is the value of the
 * message's slot; empty: it is a slot as any other. */
void cw_pattern_text(struct cw_str template, struct cw_str message, struct cw_buf *out);

#endif
