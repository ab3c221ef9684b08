/*
 * value_test.h - what is asked of the values of one column: which of them are, begin with, end with or hold a text?
 *
 * Asked in two steps, so that most columns are never decoded: first of the dictionary and the value filter, then of each value.
 *
 * Ownership  Borrows the text, the column and the dictionary; the rest lives in the arena that was given.
 */
#ifndef CW_STORE_VALUE_TEST_H
#define CW_STORE_VALUE_TEST_H
#include "common/base/arena.h"
#include "common/match/ip_match.h"
#include "common/store/slot_value.h"
#include "common/store/template_align.h"
#include "common/store/template_block.h"
#include "common/store/value_filter.h"

struct cw_value_test {
    enum cw_slot_type type;
    enum cw_slot_relation relation;
    struct cw_text_search piece;  /* small letters where its case does not count */
    const struct cw_ip_match *ip; /* CW_VALUE_HOLDS_ADDRESS: in its range */
    struct cw_slot_value value;   /* CW_VALUE_IS: the piece, but for strings */
    /* Once it is loaded. */
    const struct cw_column *column;
    const int64_t *numbers; /* of values among those that are distinct; NULL: each is its own */
    /* Bits of values that answer, or, where there are numbers, of the distinct values; NULL: each is looked at when it is asked. */
    const uint64_t *answers;
};

/* False when no value of the column answers. `type`, `relation`, `piece` and `ip` are set; `filter` may be NULL. */
bool cw_value_test_open(struct cw_value_test *test, struct cw_str dictionary,
                        const struct cw_value_filter *filter);
/* `asked`: of how many values the test will be asked. Where that is not less than one in CW_VALUE_TEST_FEW, all are looked at at once; false: none
 * of them answers. */
enum { CW_VALUE_TEST_FEW = 8 };
bool cw_value_test_load(struct cw_value_test *test, const struct cw_column *column,
                        struct cw_str dictionary, uint64_t asked, struct cw_arena *arena);
/* Look at value n, of the distinct ones if there are such. */
bool cw_value_test_look(const struct cw_value_test *test, uint32_t n);
/* Does value `i` of the column answer? */
static inline bool cw_value_test_holds(const struct cw_value_test *test, uint32_t i)
{
    uint64_t n = test->numbers != NULL ? (uint64_t)test->numbers[i] : i;
    return test->answers != NULL ? (test->answers[n / 64] >> (n % 64) & 1) != 0
                                 : cw_value_test_look(test, (uint32_t)n);
}
/* Must a value be printed to be asked? */
bool cw_value_test_prints(const struct cw_value_test *test);

#endif
