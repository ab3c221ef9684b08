#include "common/store/value_test.h"

#include "common/base/assert.h"
#include "common/store/format_slot.h"
#include "common/store/text_scan.h"

/* Of NUM, what the value filter surely holds: six digits without leading zeros. */
enum { FILTER_NUM_MIN = 100000 };
/* Of an address whose first and last octets are known in part, more than so many are not asked for. */
enum { OCTETS = 4, ADDRESSES_MAX = 64 };
/* Values that are printed to be searched. */
enum { TEXTS_AT_ONCE = 64 };

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

struct octets {
    uint8_t items[256];
    unsigned n;
};

/* Those whose text begins with, ends with or is (both) the piece. */
static void octets_find(struct cw_str piece, bool first, bool last, struct octets *out)
{
    out->n = 0;
    for (unsigned o = 0; o < 256 && piece.len <= 3; o++) {
        const char text[3] = {(char)('0' + o / 100), (char)('0' + o / 10 % 10),
                              (char)('0' + o % 10)};
        size_t skip = (o < 10) + (o < 100), len = 3 - skip;
        const char *at = last ? text + 3 - piece.len : text + skip;
        bool fits = piece.len <= len && (!first || !last || piece.len == len);
        if (fits && memcmp(at, piece.ptr, piece.len) == 0)
            out->items[out->n++] = (uint8_t)o;
    }
}

/* A piece with three dots leaves few addresses: is any of them in the filter? */
static bool address_in_filter(const struct cw_value_test *test,
                              const struct cw_value_filter *filter)
{
    struct cw_str rest = test->piece.needle, pieces[OCTETS];
    struct octets found[OCTETS];
    unsigned product = 1;
    for (int i = 0; i < OCTETS; i++)
        if (!cw_str_split(&rest, '.', &pieces[i]))
            return true;
    for (int i = 0; i < OCTETS; i++) {
        octets_find(pieces[i], i > 0 || begins(test->relation),
                    i < OCTETS - 1 || ends(test->relation), &found[i]);
        product *= found[i].n;
    }
    if (rest.ptr != NULL || product > ADDRESSES_MAX)
        return true;
    for (unsigned i = 0; i < product; i++) {
        uint64_t address = 0;
        for (unsigned octet = 0, n = i; octet < OCTETS; n /= found[octet++].n)
            address = address << 8 | found[octet].items[n % found[octet].n];
        if (cw_value_filter_may_hold(filter, cw_value_key(CW_SLOT_IP4, 0, address)))
            return true;
    }
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
    if (test->type == CW_SLOT_IP4 && test->relation != CW_VALUE_IS && filter != NULL)
        return address_in_filter(test, filter);
    if (test->relation != CW_VALUE_IS)
        return true;
    if (!cw_slot_parse(test->type, test->piece.needle, &test->value))
        return false;
    return filter == NULL || !in_filter(test) ||
           cw_value_filter_may_hold(filter,
                                    cw_value_key(test->type, test->value.high, test->value.number));
}

/* ---- a value ---- */

static uint64_t big_endian(const uint8_t *bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | bytes[i];
    return v;
}

/* Is value `i` (of those that are distinct, if there are such) the one, or in the range of addresses? */
static bool value_answers(const struct cw_value_test *test, uint32_t i)
{
    const struct cw_column *column = test->column;
    if (test->relation == CW_VALUE_HOLDS_ADDRESS)
        return (uint64_t)column->values[i] >= cw_ip_match_v4(test->ip->from) &&
               (uint64_t)column->values[i] <= cw_ip_match_v4(test->ip->to);
    if (column->wide != NULL)
        return big_endian(column->wide[i]) == test->value.high &&
               big_endian(column->wide[i] + 8) == test->value.number;
    return (uint64_t)column->values[i] == test->value.number &&
           (column->digits == NULL || (uint64_t)column->digits[i] == test->value.digits);
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

/* What needs no text: one value after the other. */
static void answer_each(const struct cw_value_test *test, struct answers *answers)
{
    for (uint32_t i = 0; i < answers->n; i++)
        if (value_answers(test, i))
            add_answer(answers, i);
}

/* Does no bit say yes? */
static bool answers_none(const struct answers *answers)
{
    for (uint32_t i = 0; i < answers->n; i += 64)
        if (answers->bits[i / 64] != 0)
            return false;
    return true;
}

/* No value of such a column has leading zeros. */
static bool asks_for_zeros(const struct cw_value_test *test)
{
    return test->relation == CW_VALUE_IS && test->type == CW_SLOT_NUM &&
           test->column->digits == NULL && test->piece.needle.len > 1 &&
           test->piece.needle.ptr[0] == '0';
}

bool cw_value_test_load(struct cw_value_test *test, const struct cw_column *column,
                        struct cw_str dictionary, uint64_t asked, struct cw_arena *arena)
{
    test->column = column;
    if (asks_for_zeros(test))
        return false;
    bool distinct = column->wide != NULL || column->strings != NULL;
    test->numbers = distinct ? column->values : NULL;
    struct answers answers = {.n = distinct ? column->ndistinct : column->n};
    if (column->strings == NULL && asked < answers.n / CW_VALUE_TEST_FEW)
        return true;
    answers.bits = CW_ARENA_ARRAY(arena, uint64_t, (size_t)answers.n / 64 + 1);
    test->answers = answers.bits;
    if (column->strings != NULL)
        answer_strings(test, dictionary, &answers);
    else if (cw_value_test_prints(test))
        answer_printed(test, &answers);
    else
        answer_each(test, &answers);
    return !answers_none(&answers);
}

bool cw_value_test_look(const struct cw_value_test *test, uint32_t n)
{
    if (!cw_value_test_prints(test))
        return value_answers(test, n);
    char area[CW_SLOT_TEXT_MAX + CW_SLOT_TEXT_SLACK];
    struct cw_str text;
    return print_texts(test, n, 1, area, &text) && text_answers(test, text);
}
