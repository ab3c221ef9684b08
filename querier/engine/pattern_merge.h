/*
 * pattern_merge.h - near-equal patterns become one: a word that varies (a user, a path, a class) is a slot that the store's templates
 * do not know, for it has no digit.
 *
 * Patterns are cut into words and what stands between them. Where those that are alike but for one word are CW_PATTERN_MERGE_MIN or more,
 * or one of them has <_> there, they are one pattern that has <_> there. Fewer stay apart: levels, methods, "opened" and "closed".
 *
 * Where the store took quoted values as slots for some lines of a kind and not for others, there is a pattern that has "<_>" for all
 * quoted values of another one: that one is part of it.
 *
 * Bounds     Words behind the first CW_PATTERN_WORDS_MAX never vary.
 * Threads    One.
 */
#ifndef CW_ENGINE_PATTERN_MERGE_H
#define CW_ENGINE_PATTERN_MERGE_H
#include "querier/engine/pattern_table.h"

enum { CW_PATTERN_MERGE_MIN = 8, CW_PATTERN_WORDS_MAX = 64 };

/* What is in `from`, merged, into `out`, which is empty. */
int cw_pattern_merge(const struct cw_pattern_table *from, struct cw_pattern_table *out,
                     struct cw_err *err) CW_MUST_USE;

#endif
