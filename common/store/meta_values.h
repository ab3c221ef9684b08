/*
 * meta_values.h - read the values of one name of structured metadata that are the lines of a block of templates of their own
 * (a section META_VALUES; the bytes are drawn in format.h).
 *
 * One reader serves one section after the other, so that its memory is used again: some 300 KiB, most of it touched only where a block
 * has as many values, and what template_block.h needs.
 *
 * Ownership  Borrows the section's bytes until the next _open(), _close() or _free(); what it returns lives until the next _read() as well.
 * Threads    One.
 * Errors     CW_E_CORRUPT. Bad bytes never abort.
 */
#ifndef CW_STORE_META_VALUES_H
#define CW_STORE_META_VALUES_H
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/str.h"
#include "common/store/block_reader.h"
#include "common/store/meta_filter.h"

struct cw_meta_values;
struct cw_meta_values *cw_meta_values_new(void);
void cw_meta_values_free(struct cw_meta_values **values);
/* Memory that it holds. */
size_t cw_meta_values_bytes(const struct cw_meta_values *values);

/* A section with n values. Nothing of them is read yet. */
int cw_meta_values_open(struct cw_meta_values *values, const struct cw_section *section, uint32_t n,
                        struct cw_err *err) CW_MUST_USE;
/* Let the section go. */
void cw_meta_values_close(struct cw_meta_values *values);

/* No value is wanted; the bitmap of the n values, to set those that are. */
uint64_t *cw_meta_values_want(struct cw_meta_values *values);
/* Read the wanted ones, which lie in [from, to). */
int cw_meta_values_read(struct cw_meta_values *values, uint32_t from, uint32_t to,
                        struct cw_err *err) CW_MUST_USE;
/* A value of that range; empty if it was not wanted. */
struct cw_str cw_meta_values_at(const struct cw_meta_values *values, uint32_t i);

/*
 * Which of the n values the filter's operand fits: their bits, which live until the next call. `value_filter`: where that of the block
 * stands that they are of, or empty; *by_values_out is set where it ruled something out, and else left alone. What was read is gone.
 */
int cw_meta_values_match(struct cw_meta_values *values, const struct cw_meta_filter *filter,
                         struct cw_str value_filter, const uint64_t **out, bool *by_values_out,
                         struct cw_err *err) CW_MUST_USE;

/* Readers for the names of a block, and then of the next. */
struct cw_meta_memory;
struct cw_meta_memory *cw_meta_memory_new(void);
void cw_meta_memory_free(struct cw_meta_memory **memory);
size_t cw_meta_memory_bytes(const struct cw_meta_memory *memory);
/* The reader of section `i` < CW_BLOCK_META_VALUES_MAX. */
struct cw_meta_values *cw_meta_memory_values(struct cw_meta_memory *memory, uint32_t i);

#endif
