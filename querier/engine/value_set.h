/*
 * value_set.h - a set of texts: the values that `in (query)` found.
 *
 * Ownership  Everything lies in the arena that it was made with.
 * Threads    Read-only once it is filled.
 */
#ifndef CW_ENGINE_VALUE_SET_H
#define CW_ENGINE_VALUE_SET_H
#include "common/base/arena.h"
#include "common/base/str.h"

struct cw_value_set;

/* Room for so many. */
struct cw_value_set *cw_value_set_new(struct cw_arena *arena, size_t max_values);
/* What it takes, with values of so many bytes in all. */
size_t cw_value_set_bytes(size_t max_values, size_t text_bytes);
/* Copies the text, which is not empty. */
void cw_value_set_add(struct cw_value_set *set, struct cw_str value);
bool cw_value_set_has(const struct cw_value_set *set, struct cw_str value);

#endif
