/*
 * regex_unicode.h - sets of runes, Unicode's classes under Go's names, and Go's simple case folding.
 *
 * Ownership  A set's ranges live in its arena.
 * Sources    Go's package unicode, by tests/support/unicode_tables.
 */
#ifndef CW_MATCH_REGEX_UNICODE_H
#define CW_MATCH_REGEX_UNICODE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/arena.h"
#include "common/base/str.h"

#define CW_RUNE_MAX 0x10FFFFu
/* What Go decodes each byte of invalid UTF-8 to. */
#define CW_RUNE_ERROR 0xFFFDu

struct cw_rune_range {
    uint32_t lo, hi; /* both in the range */
};

struct cw_rune_set {
    struct cw_arena *arena;
    struct cw_rune_range *ranges; /* sorted, apart from each other after _tidy() */
    size_t n, cap;
};

void cw_rune_set_init(struct cw_rune_set *set, struct cw_arena *arena);
void cw_rune_set_add(struct cw_rune_set *set, uint32_t lo, uint32_t hi);
/* The range and all that folds to a rune of it. */
void cw_rune_set_add_folded(struct cw_rune_set *set, uint32_t lo, uint32_t hi);
void cw_rune_set_add_ranges(struct cw_rune_set *set, const struct cw_rune_range *ranges, size_t n);
/* Sort and join the ranges. */
void cw_rune_set_tidy(struct cw_rune_set *set);
/* All other runes; tidies. */
void cw_rune_set_negate(struct cw_rune_set *set);
/* Binary search in tidy ranges. */
bool cw_rune_in(const struct cw_rune_range *ranges, size_t n, uint32_t rune);

/* The next rune of the cycle of runes that are the same but for case; `rune` itself when it is alone. */
uint32_t cw_rune_fold(uint32_t rune);
/* The smallest of that cycle. */
uint32_t cw_rune_fold_min(uint32_t rune);

/* Add the class `name` of \p{name} as Go 1.26 resolves it (categories, scripts, aliases in any case; Any, ASCII, Assigned),
 * with what folds to it when `fold`. False when there is no such class. */
bool cw_unicode_class(struct cw_str name, bool fold, struct cw_rune_set *out);

/* The generated tables. */
enum cw_unicode_kind {
    CW_UNICODE_CATEGORY, /* of two letters; L is the sum of L? */
    CW_UNICODE_SCRIPT,
    CW_UNICODE_FOLD_CATEGORY, /* what folds into the class but is outside of it */
    CW_UNICODE_FOLD_SCRIPT,
};
struct cw_unicode_table {
    const char *name;
    enum cw_unicode_kind kind;
    unsigned off, n; /* in cw_unicode_ranges */
};
struct cw_unicode_alias {
    const char *name, *category;
};
struct cw_rune_fold {
    uint32_t rune, next;
};
extern const struct cw_rune_range cw_unicode_ranges[];
extern const struct cw_unicode_table cw_unicode_tables[];
extern const size_t cw_unicode_ntables;
extern const struct cw_unicode_alias cw_unicode_aliases[];
extern const size_t cw_unicode_naliases;
extern const struct cw_rune_fold cw_unicode_folds[]; /* by rune */
extern const size_t cw_unicode_nfolds;

/* Go's unicode.IsLetter and IsDigit. */
bool cw_rune_is_letter(uint32_t rune);
bool cw_rune_is_digit(uint32_t rune);

#endif
