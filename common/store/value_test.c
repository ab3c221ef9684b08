#include "common/store/value_test.h"

#include "common/base/assert.h"
#include "common/store/format_slot.h"
#include "common/store/text_scan.h"

/* Of NUM, what the value filter surely holds: six digits without leading zeros. */
enum { FILTER_NUM_MIN = 100000 };
/* How a test that prints is asked of a whole column. With less than one value in so many wanted, they are looked at one by one. */
enum { TEXTS_AT_ONCE = 64, ONE_BY_ONE = 8 };

static bool in_filter(const struct cw_value_test *test)
{
    switch (test->type) {
    case CW_SLOT_NUM: return test->value.number >= FILTER_NUM_MIN;
    case CW_SLOT_IP4:
    case CW_SLOT_HEX:
    case CW_SLOT_HEX32:
    case CW_SLOT_UUID: return true;
    default: return false;
    }
}

static bool begins(enum cw_slot_relation relation)
{
    return relation == CW_VALUE_IS || relation == CW_VALUE_BEGINS_WITH;
}

static bool ends(enum cw_slot_relation relation)
{
    return relation == CW_VALUE_IS || relation == CW_VALUE_ENDS_WITH;
}

static struct cw_dictionary_search search_of(const struct cw_value_test *test)
{
    return (struct cw_dictionary_search){&test->piece, begins(test->relation),
                                         ends(test->relation)};
}

static bool found_one(void *arg, uint32_t number)
{
    (void)number;
    *(bool *)arg = true;
    return false;
}

bool cw_value_test_open(struct cw_value_test *test, struct cw_str dictionary,
                        const struct cw_value_filter *filter)
{
    if (test->relation == CW_VALUE_HOLDS_ADDRESS) {
        /* An address alone is a value of the filter; what is in a string is not. */
        test->value.number = cw_ip_match_v4(test->ip->from);
        bool one = memcmp(test->ip->from, test->ip->to, sizeof(test->ip->to)) == 0;
        return test->type != CW_SLOT_IP4 || !one || filter == NULL ||
               cw_value_filter_may_hold(filter, cw_value_key(test->type, 0, test->value.number));
    }
    if (cw_slot_is_string(test->type)) {
        bool found = false;
        struct cw_dictionary_search search = search_of(test);
        cw_dictionary_scan(&search, dictionary, found_one, &found);
        return found;
    }
    if (test->relation != CW_VALUE_IS)
        return true;
    if (!cw_slot_parse(test->type, test->piece.needle, &test->value))
        return false;
    return filter == NULL || !in_filter(test) ||
           cw_value_filter_may_hold(filter,
                                    cw_value_key(test->type, test->value.high, test->value.number));
}

/* ---- a column ---- */

bool cw_value_test_prints(const struct cw_value_test *test)
{
    return !cw_slot_is_string(test->type) && test->relation != CW_VALUE_IS &&
           test->relation != CW_VALUE_HOLDS_ADDRESS;
}

struct answers {
    uint64_t *bits;
    uint32_t n;
};

static bool add_answer(void *arg, uint32_t number)
{
    struct answers *answers = arg;
    if (number < answers->n)
        answers->bits[number / 64] |= UINT64_C(1) << (number % 64);
    return true;
}

static void answer_strings(const struct cw_value_test *test, struct cw_str dictionary,
                           struct answers *answers)
{
    if (test->relation != CW_VALUE_HOLDS_ADDRESS) {
        struct cw_dictionary_search search = search_of(test);
        cw_dictionary_scan(&search, dictionary, add_answer, answers);
        return;
    }
    for (uint32_t i = 0; i < answers->n; i++)
        if (cw_ip_match_find(test->ip, test->column->strings[i]))
            add_answer(answers, i);
}

/* The texts of values, or of distinct ones, [from, from + n). */
static bool print_texts(const struct cw_value_test *test, uint32_t from, uint32_t n, char *area,
                        struct cw_str *texts)
{
    const struct cw_column *column = test->column;
    if (column->wide == NULL)
        return cw_format_slots(test->type, column->values + from,
                               column->digits != NULL ? column->digits + from : NULL, n, area,
                               texts);
    int64_t numbers[TEXTS_AT_ONCE];
    for (uint32_t i = 0; i < n; i++)
        numbers[i] = from + i;
    cw_format_wide_slots(test->type, column->wide, numbers, n, area, texts);
    return true;
}

static bool text_answers(const struct cw_value_test *test, struct cw_str text)
{
    if (test->relation == CW_VALUE_BEGINS_WITH)
        return cw_str_starts(text, test->piece.needle);
    if (test->relation == CW_VALUE_ENDS_WITH)
        return cw_str_ends(text, test->piece.needle);
    return cw_str_find(text, test->piece.needle) >= 0;
}

/* The texts lie in a row, each in its own room: they are searched as one. What is found between two texts means nothing. */
static void search_texts(const struct cw_value_test *test, uint32_t first, uint32_t n,
                         const char *area, const struct cw_str *texts, struct answers *answers)
{
    size_t room = cw_slot_text_room(test->type);
    const char *at = area, *end = area + n * room;
    for (const char *hit;
         at < end && (hit = cw_text_search_find(&test->piece, at, (size_t)(end - at))) != NULL;) {
        uint32_t i = (uint32_t)((size_t)(hit - area) / room);
        if (text_answers(test, texts[i]))
            add_answer(answers, first + i);
        at = area + (i + 1) * room;
    }
}

static void answer_printed(const struct cw_value_test *test, struct answers *answers)
{
    char area[TEXTS_AT_ONCE * CW_SLOT_TEXT_MAX + CW_SLOT_TEXT_SLACK];
    struct cw_str texts[TEXTS_AT_ONCE];
    memset(area, 0, sizeof(area));
    for (uint32_t first = 0; first < answers->n; first += TEXTS_AT_ONCE) {
        uint32_t n = CW_MIN(answers->n - first, (uint32_t)TEXTS_AT_ONCE);
        (void)print_texts(test, first, n, area, texts);
        search_texts(test, first, n, area, texts, answers);
    }
}

/* How many things `answers` has a bit for. */
static uint32_t answers_count(const struct cw_column *column)
{
    return column->wide != NULL || column->strings != NULL ? column->ndistinct : column->n;
}

void cw_value_test_load(struct cw_value_test *test, const struct cw_column *column,
                        struct cw_str dictionary, uint64_t asked, struct cw_arena *arena)
{
    test->column = column;
    /* No value of such a column has leading zeros. */
    test->never = test->relation == CW_VALUE_IS && test->type == CW_SLOT_NUM &&
                  column->digits == NULL && test->piece.needle.len > 1 &&
                  test->piece.needle.ptr[0] == '0';
    struct answers answers = {.n = answers_count(column)};
    bool strings = cw_slot_is_string(test->type);
    if (!strings && (!cw_value_test_prints(test) || asked < answers.n / ONE_BY_ONE))
        return;
    answers.bits = CW_ARENA_ARRAY(arena, uint64_t, (size_t)answers.n / 64 + 1);
    test->answers = answers.bits;
    if (strings)
        answer_strings(test, dictionary, &answers);
    else
        answer_printed(test, &answers);
}

/* ---- a value ---- */

static uint64_t big_endian(const uint8_t *bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | bytes[i];
    return v;
}

/* The number of value i among the distinct ones, if there are such. */
static uint64_t number_of(const struct cw_column *column, uint32_t i)
{
    bool numbered = column->strings != NULL || column->wide != NULL;
    return numbered && column->values != NULL ? (uint64_t)column->values[i] : i;
}

static bool is_value(const struct cw_value_test *test, uint32_t i)
{
    const struct cw_column *column = test->column;
    if (column->wide != NULL) {
        const uint8_t *wide = column->wide[number_of(column, i)];
        return big_endian(wide) == test->value.high && big_endian(wide + 8) == test->value.number;
    }
    return (uint64_t)column->values[i] == test->value.number &&
           (column->digits == NULL || (uint64_t)column->digits[i] == test->value.digits);
}

static bool in_range(const struct cw_ip_match *ip, uint64_t address)
{
    return ip->len == 4 && address >= cw_ip_match_v4(ip->from) && address <= cw_ip_match_v4(ip->to);
}

bool cw_value_test_holds(const struct cw_value_test *test, uint32_t i)
{
    const struct cw_column *column = test->column;
    CW_ASSERT(i < column->n);
    if (test->never)
        return false;
    if (test->answers != NULL) {
        uint64_t n = number_of(column, i);
        return (test->answers[n / 64] >> (n % 64) & 1) != 0;
    }
    if (test->relation == CW_VALUE_IS)
        return is_value(test, i);
    if (test->relation == CW_VALUE_HOLDS_ADDRESS)
        return in_range(test->ip, (uint64_t)column->values[i]);
    char area[CW_SLOT_TEXT_MAX + CW_SLOT_TEXT_SLACK];
    struct cw_str text;
    return print_texts(test, column->wide != NULL ? (uint32_t)number_of(column, i) : i, 1, area,
                       &text) &&
           text_answers(test, text);
}
