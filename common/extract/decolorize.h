/*
 * decolorize.h - take ANSI escape sequences (colours, cursor, titles) out of a line, as LogQL's `| decolorize`.
 *
 * Ownership  Borrowed when there are none, else in the arena.
 */
#ifndef CW_EXTRACT_DECOLORIZE_H
#define CW_EXTRACT_DECOLORIZE_H
#include "common/base/arena.h"
#include "common/base/str.h"

struct cw_str cw_decolorize(struct cw_str line, struct cw_arena *arena);

#endif
