#include "common/store/literal_rows.h"

#include "common/base/assert.h"
#include "common/store/value_test.h"

enum { TWINS = 64 };

/* What one way of a template asks of a value: of the column's values in a row, that many stand before it. */
struct ask {
    uint32_t test;
    uint32_t read; /* number of its column among those that are read */
    uint16_t nth;
};

struct way {
    uint32_t first, n; /* asks */
};

struct test {
    struct cw_value_test base;
    uint64_t asked;     /* of how many values, at most */
    uint32_t from, len; /* the piece of the literal */
    uint32_t next;      /* of the same column; number + 1 */
    uint16_t column;
    bool alive;
};

/* All that is found out about a block before a row is looked at. */
struct decision {
    struct cw_match_block *block;
    const struct cw_literal_plan *literal; /* NULL when an address is sought */
    const struct cw_ip_match *ip;          /* the address, or NULL */
    uint8_t *verdicts;                     /* enum cw_template_verdict, of each template */
    uint32_t *first_way, *nways;           /* of each template */
    struct way *ways;
    struct ask *asks;
    struct test *tests;
    size_t nways_all, ways_cap, nasks, asks_cap, ntests, tests_cap;
    uint32_t *column_tests; /* of each column the first, number + 1 */
    uint32_t twins[TWINS];  /* tests of numbers, by what they ask; number + 1 */
};

static void *grow(struct cw_arena *arena, void *items, size_t n, size_t *cap, size_t size)
{
    return n < *cap ? items : cw_arena_grow(arena, items, n, cap, n + 1, size);
}

static void decision_init(struct decision *d, struct cw_match_block *block)
{
    const struct cw_layout *layout = block->text.layout;
    *d = (struct decision){.block = block};
    d->verdicts = CW_ARENA_ARRAY(block->arena, uint8_t, layout->ntemplates);
    d->first_way = CW_ARENA_ARRAY(block->arena, uint32_t, layout->ntemplates);
    d->nways = CW_ARENA_ARRAY(block->arena, uint32_t, layout->ntemplates);
    d->column_tests = CW_ARENA_ARRAY(block->arena, uint32_t, layout->ncolumns);
}

static const struct cw_slot *slots_of(const struct decision *d, uint32_t t)
{
    const struct cw_layout *layout = d->block->text.layout;
    return layout->slots + layout->templates[t].first_slot;
}

/* ---- ways ---- */

/* NULL: the block has none. A damaged one is done without: it only saves work. */
static const struct cw_value_filter *filter_of(struct cw_match_block *block)
{
    struct cw_err why;
    if (block->filter_state == CW_FILTER_UNOPENED)
        block->filter_state =
            block->values.len > 0 && cw_value_filter_open(block->values, &block->filter, &why) == 0
                ? CW_FILTER_OPEN
                : CW_FILTER_NONE;
    return block->filter_state == CW_FILTER_OPEN ? &block->filter : NULL;
}

static bool asks_the_same(const struct test *test, const struct cw_slot_test *asked)
{
    return test->base.relation == asked->relation && test->from == asked->from &&
           test->len == asked->len;
}

/* What a column of numbers is asked is known before its values are, if another of the type was asked the same. */
static uint32_t *twin_of(struct decision *d, const struct cw_slot *slot,
                         const struct cw_slot_test *asked)
{
    return &d->twins[(asked->from * 7 + asked->len * 31 + asked->relation * 3u + slot->type) %
                     TWINS];
}

static struct test *test_new(struct decision *d, const struct cw_slot *slot,
                             const struct cw_slot_test *asked)
{
    d->tests = grow(d->block->arena, d->tests, d->ntests, &d->tests_cap, sizeof(*d->tests));
    struct test *test = &d->tests[d->ntests++];
    uint32_t *twin = twin_of(d, slot, asked);
    if (*twin != 0 && d->tests[*twin - 1].base.type == slot->type &&
        asks_the_same(&d->tests[*twin - 1], asked)) {
        *test = d->tests[*twin - 1];
        return test;
    }
    *test = (struct test){.base = {.type = (enum cw_slot_type)slot->type,
                                   .relation = (enum cw_slot_relation)asked->relation,
                                   .ip = d->ip},
                          .from = asked->from,
                          .len = asked->len};
    if (d->literal != NULL)
        cw_text_search_init(&test->base.piece,
                            cw_str_sub(d->literal->text, asked->from, asked->from + asked->len),
                            d->literal->nocase);
    test->alive = cw_value_test_open(&test->base, d->block->text.dictionaries[slot->column],
                                     filter_of(d->block));
    if (!cw_slot_is_string(slot->type))
        *twin = (uint32_t)d->ntests;
    if (!cw_slot_is_string(slot->type) && !test->alive)
        d->block->filter_ruled_out |= d->block->filter_state == CW_FILTER_OPEN;
    return test;
}

/* The test of the column that asks the same, or a new one; its number. */
static uint32_t test_find(struct decision *d, const struct cw_slot *slot,
                          const struct cw_slot_test *asked)
{
    uint32_t *link = &d->column_tests[slot->column];
    for (uint32_t at = *link; at != 0; at = d->tests[at - 1].next)
        if (asks_the_same(&d->tests[at - 1], asked))
            return at - 1;
    struct test *test = test_new(d, slot, asked);
    test->column = slot->column;
    test->next = *link;
    *link = (uint32_t)d->ntests;
    return (uint32_t)d->ntests - 1;
}

/* Slots of the same column before the slot. */
static uint16_t nth_of_column(const struct cw_slot *slots, uint16_t slot)
{
    uint16_t n = 0;
    for (uint16_t i = 0; i < slot; i++)
        n += slots[i].column == slots[slot].column;
    return n;
}

/* A way of template `t`, unless some of what it asks is answered by no value. */
static void add_way(struct decision *d, uint32_t t, const struct cw_slot_test *asked, size_t n)
{
    const struct cw_slot *slots = slots_of(d, t);
    size_t first = d->nasks;
    for (size_t i = 0; i < n; i++) {
        uint32_t test = test_find(d, &slots[asked[i].slot], &asked[i]);
        if (!d->tests[test].alive) {
            d->nasks = first;
            return;
        }
        d->asks = grow(d->block->arena, d->asks, d->nasks, &d->asks_cap, sizeof(*d->asks));
        d->asks[d->nasks++] =
            (struct ask){.test = test, .nth = nth_of_column(slots, asked[i].slot)};
    }
    d->ways = grow(d->block->arena, d->ways, d->nways_all, &d->ways_cap, sizeof(*d->ways));
    d->ways[d->nways_all++] = (struct way){(uint32_t)first, (uint32_t)n};
    d->nways[t]++;
}

static void decide_template(struct decision *d, uint32_t t, struct cw_template_alignment *a)
{
    d->first_way[t] = (uint32_t)d->nways_all;
    d->verdicts[t] = (uint8_t)cw_template_align(d->literal, d->block->text.layout, t, a);
    if (d->verdicts[t] != CW_VERDICT_VALUES)
        return;
    for (size_t i = 0; i < a->nways; i++) {
        uint32_t from = i == 0 ? 0 : a->ends[i - 1];
        add_way(d, t, a->tests + from, a->ends[i] - from);
    }
    if (d->nways[t] == 0)
        d->verdicts[t] = CW_VERDICT_NO;
}

/* May rows of the template hold a needle that TEXT holds there? */
static bool may_hold(const struct decision *d, uint32_t t, const struct cw_text_hits *hits)
{
    const struct cw_slot *slots = slots_of(d, t);
    bool may = hits->templates[t] != 0;
    for (uint32_t i = 0; i < d->block->text.layout->templates[t].nslots && !may; i++)
        may = hits->columns[slots[i].column] != 0 || slots[i].type == CW_SLOT_RAW;
    return may;
}

/* Where each needle of the literal occurs first in TEXT; false: it has not all of them. */
static bool find_needles(const struct cw_match_block *block, const struct cw_literal_plan *literal,
                         const char *first[CW_LITERAL_NEEDLES_MAX])
{
    struct cw_str text = block->text.all;
    for (size_t i = 0; i < literal->nneedles; i++) {
        first[i] = cw_text_search_find(&literal->needles[i], text.ptr, text.len);
        if (first[i] == NULL)
            return false;
    }
    return true;
}

/* Templates whose rows may hold all needles: the others' verdict is NO. */
static void decide_literal(struct decision *d, const char *const *first, size_t nneedles)
{
    const struct cw_layout *layout = d->block->text.layout;
    struct cw_arena *arena = d->block->arena;
    uint8_t *misses = CW_ARENA_ARRAY(arena, uint8_t, layout->ntemplates);
    for (size_t i = 0; i < nneedles; i++) {
        struct cw_text_hits hits = {CW_ARENA_ARRAY(arena, uint8_t, layout->ntemplates),
                                    CW_ARENA_ARRAY(arena, uint8_t, layout->ncolumns)};
        cw_text_scan(&d->literal->needles[i], &d->block->text, first[i], &hits);
        for (uint32_t t = 0; t < layout->ntemplates; t++)
            misses[t] |= !may_hold(d, t, &hits);
    }
    struct cw_template_alignment alignment;
    cw_template_alignment_init(&alignment);
    for (uint32_t t = 0; t < layout->ntemplates; t++)
        if (!misses[t])
            decide_template(d, t, &alignment);
    cw_template_alignment_fini(&alignment);
}

/* No template holds it; RAW lines may. */
static void decide_raw_only(struct decision *d)
{
    const struct cw_layout *layout = d->block->text.layout;
    for (uint32_t t = 0; t < layout->ntemplates; t++)
        if (layout->templates[t].nslots > 0 && slots_of(d, t)[0].type == CW_SLOT_RAW)
            d->verdicts[t] = CW_VERDICT_UNSURE;
}

/* ---- addresses ---- */

/* Digits and dots on end, and what may end or begin with such. */
struct chain {
    unsigned dots, items;
    bool address; /* an item is an address slot */
};

/* An address is four numbers joined by dots: is it one, and is that more than one address slot alone? */
static bool holds_address(const struct chain *chain)
{
    return chain->dots >= 3 && !(chain->address && chain->items == 1);
}

static void add_slot(struct chain *chain, unsigned type)
{
    chain->items++;
    chain->address |= type == CW_SLOT_IP4;
    chain->dots += type == CW_SLOT_IP4 ? 3 : type == CW_SLOT_DEC || type == CW_SLOT_TIME_DOT_MS;
}

/* May an address stand in the template's lines elsewhere than in address slots and quoted values? */
static bool holds_address_elsewhere(const struct cw_template *t)
{
    struct chain chain = {0};
    for (size_t i = 0; i < t->text.len && !holds_address(&chain); i++) {
        unsigned char c = (unsigned char)t->text.ptr[i];
        if (c == CW_SLOT_RAW)
            return true;
        if (c == '.' || (c >= '0' && c <= '9')) {
            chain.items++;
            chain.dots += c == '.';
        } else if (cw_slot_reserved(c) && c != CW_SLOT_QUOTED) {
            add_slot(&chain, c);
        } else {
            chain = (struct chain){0};
        }
    }
    return holds_address(&chain);
}

static void decide_address(struct decision *d)
{
    const struct cw_layout *layout = d->block->text.layout;
    for (uint32_t t = 0; t < layout->ntemplates; t++) {
        d->first_way[t] = (uint32_t)d->nways_all;
        if (d->ip->len != 4 || holds_address_elsewhere(&layout->templates[t])) {
            d->verdicts[t] = CW_VERDICT_UNSURE;
            continue;
        }
        for (uint32_t i = 0; i < layout->templates[t].nslots; i++) {
            unsigned type = slots_of(d, t)[i].type;
            struct cw_slot_test asked = {.slot = (uint16_t)i, .relation = CW_VALUE_HOLDS_ADDRESS};
            if (type == CW_SLOT_IP4 || type == CW_SLOT_QUOTED)
                add_way(d, t, &asked, 1);
        }
        d->verdicts[t] = d->nways[t] > 0 ? CW_VERDICT_VALUES : CW_VERDICT_NO;
    }
}

/* ---- what it costs ---- */

/*
 * Nanoseconds, roughly. Of a value that is asked: to decode it, to compare it with others or alone, to print it too (numbers and
 * times, others, one alone), and to look at the answer when its row is walked. Of a value of a line that is rebuilt: to find out where
 * it lies, which those of all rows take, and to print and copy it. Of a line: to test it for more than texts.
 */
enum { DECODE_NS = 4, COMPARE_NS = 1, COMPARE_ONE_NS = 8, PRINT_NS = 9, PRINT_LONG_NS = 15 };
enum { PRINT_ONE_NS = 30, ANSWER_NS = 3, PLACE_NS = 3, REBUILD_NS = 11, TEST_NS = 100 };
/* Values are printed some at once: of so many rows on end for one that is wanted. */
enum { ROWS_AT_ONCE = 6 };

static uint64_t cost_of_test(const struct decision *d, const struct test *test)
{
    uint64_t n = cw_template_block_values(d->block->tb, test->column);
    bool prints = cw_value_test_prints(&test->base);
    if (test->asked < n / CW_VALUE_TEST_FEW)
        return n * DECODE_NS + test->asked * (prints ? PRINT_ONE_NS : COMPARE_ONE_NS);
    unsigned type = test->base.type;
    bool is_short = type == CW_SLOT_NUM || type == CW_SLOT_TIME;
    return n * (DECODE_NS + (!prints ? COMPARE_NS : is_short ? PRINT_NS : PRINT_LONG_NS));
}

static uint32_t rows_count(const struct cw_match_block *block, bool open)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < block->source->rows; i += 64)
        n += (uint32_t)__builtin_popcountll(block->keep[i / 64] &
                                            (open ? block->open[i / 64] : UINT64_MAX));
    return n;
}

/* What values would be asked, and what lines would be rebuilt. */
struct work {
    uint64_t rows;        /* of templates whose values are to decide */
    uint64_t line_values; /* of those rows */
    uint64_t all_values;  /* of the block */
};

/* Counts how often tests will be asked, too. */
static struct work work_count(struct decision *d)
{
    const struct cw_layout *layout = d->block->text.layout;
    const uint32_t *counts = cw_template_block_counts(d->block->tb);
    struct work work = {0};
    for (uint32_t t = 0; t < layout->ntemplates; t++) {
        uint64_t values = (uint64_t)counts[t] * layout->templates[t].nslots;
        work.all_values += values;
        if (d->verdicts[t] != CW_VERDICT_VALUES)
            continue;
        work.rows += counts[t];
        work.line_values += values;
        for (uint32_t i = 0; i < d->nways[t]; i++) {
            const struct way *way = &d->ways[d->first_way[t] + i];
            for (uint32_t k = 0; k < way->n; k++)
                d->tests[d->asks[way->first + k].test].asked += counts[t];
        }
    }
    return work;
}

/* To rebuild that many thousandths of the rows that are left to values, and test them. */
static uint64_t cost_of_lines(const struct decision *d, const struct work *work, uint64_t share)
{
    uint64_t printed = CW_MIN(share * ROWS_AT_ONCE, (uint64_t)CW_MATCH_WHOLE);
    uint64_t test_ns = d->block->prospect.lines_are_dear ? TEST_NS : 0;
    if (share == 0)
        return 0;
    return work->all_values * PLACE_NS +
           (work->line_values * REBUILD_NS * printed + work->rows * test_ns * share) /
               CW_MATCH_WHOLE;
}

static uint64_t cost_of_values(const struct decision *d)
{
    uint64_t cost = 0, answer_ns = d->block->prospect.rare ? 0 : ANSWER_NS;
    for (size_t i = 0; i < d->ntests; i++)
        if (d->tests[i].asked > 0)
            cost += cost_of_test(d, &d->tests[i]) + d->tests[i].asked * answer_ns;
    return cost;
}

/* Where values would cost more than lines, lines shall decide. */
static void weigh(struct decision *d)
{
    const struct cw_match_prospect *prospect = &d->block->prospect;
    struct work work = work_count(d);
    uint64_t asked = rows_count(d->block, false), open = rows_count(d->block, true);
    uint64_t share = asked * CW_MATCH_WHOLE / d->block->source->rows;
    uint64_t open_stay = asked > 0 ? open * prospect->open_stay / asked : 0;
    uint64_t rebuilt = CW_MAX((uint64_t)prospect->rebuilt, open_stay);
    uint64_t values = cost_of_values(d) * prospect->spent / CW_MATCH_WHOLE +
                      cost_of_lines(d, &work, share * rebuilt / CW_MATCH_WHOLE);
    uint64_t lines = cost_of_lines(d, &work, CW_MAX(share, UINT64_C(1)));
    for (uint32_t t = 0; values > lines && t < d->block->text.layout->ntemplates; t++)
        if (d->verdicts[t] == CW_VERDICT_VALUES)
            d->verdicts[t] = CW_VERDICT_UNSURE;
}

/* ---- rows ---- */

/* How many values of a column that is read a row of a template has. */
struct step {
    uint32_t read;
    uint16_t values;
};

/* Goes from row to row, and knows where each row's values lie in the columns that are read. */
struct row_walk {
    const struct decision *d;
    uint32_t *read_of_column; /* number among the columns that are read, plus 1 */
    uint32_t *at;             /* of each: where the row's values begin */
    uint32_t nread;
    uint32_t *first_step; /* of each template; one more at the end */
    struct step *steps;
};

static bool way_is_alive(const struct decision *d, const struct way *way)
{
    for (uint32_t i = 0; i < way->n; i++)
        if (!d->tests[d->asks[way->first + i].test].alive)
            return false;
    return true;
}

/* Ways that ask what no value answers are none. */
static void drop_dead_ways(struct decision *d)
{
    for (uint32_t t = 0; t < d->block->text.layout->ntemplates; t++) {
        if (d->verdicts[t] != CW_VERDICT_VALUES)
            continue;
        struct way *ways = d->ways + d->first_way[t];
        uint32_t n = 0;
        for (uint32_t i = 0; i < d->nways[t]; i++)
            if (way_is_alive(d, &ways[i]))
                ways[n++] = ways[i];
        d->nways[t] = n;
        if (n == 0)
            d->verdicts[t] = CW_VERDICT_NO;
    }
}

/* Decode the test's column and ask it, once. */
static int ask_column(struct decision *d, struct test *test, struct cw_err *err)
{
    const struct cw_column *column;
    if (test->base.column != NULL)
        return 0;
    int rc = cw_template_block_column(d->block->tb, test->column, &column, err);
    if (rc == 0)
        test->alive =
            cw_value_test_load(&test->base, column, d->block->text.dictionaries[test->column],
                               test->asked, d->block->arena);
    return rc;
}

/* Ask what the way asks, up to what no value answers; `prints`: those tests that print, or the others. */
static int ask_way(struct decision *d, const struct way *way, bool prints, struct cw_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < way->n; i++) {
        struct test *test = &d->tests[d->asks[way->first + i].test];
        if (cw_value_test_prints(&test->base) != prints)
            continue;
        rc = ask_column(d, test, err);
        if (!test->alive)
            break;
    }
    return rc;
}

/* Ask the columns of all ways, those that cost less first: what no value answers ends a way, and its other columns are not read. */
static int ask_ways(struct decision *d, struct cw_err *err)
{
    int rc = 0;
    for (int prints = 0; prints <= 1; prints++) {
        for (uint32_t t = 0; t < d->block->text.layout->ntemplates; t++)
            for (uint32_t i = 0; rc == 0 && i < d->nways[t]; i++)
                if (d->verdicts[t] == CW_VERDICT_VALUES)
                    rc = ask_way(d, &d->ways[d->first_way[t] + i], prints, err);
        drop_dead_ways(d);
    }
    return rc;
}

/* Number the columns that ways ask. */
static void choose_columns(struct row_walk *walk)
{
    const struct decision *d = walk->d;
    const struct cw_layout *layout = d->block->text.layout;
    walk->read_of_column = CW_ARENA_ARRAY(d->block->arena, uint32_t, layout->ncolumns);
    for (uint32_t t = 0; t < layout->ntemplates; t++) {
        for (uint32_t i = 0; d->verdicts[t] == CW_VERDICT_VALUES && i < d->nways[t]; i++) {
            const struct way *way = &d->ways[d->first_way[t] + i];
            for (uint32_t k = 0; k < way->n; k++) {
                uint32_t column = d->tests[d->asks[way->first + k].test].column;
                if (walk->read_of_column[column] == 0)
                    walk->read_of_column[column] = ++walk->nread;
                d->asks[way->first + k].read = walk->read_of_column[column] - 1;
            }
        }
    }
    walk->at = CW_ARENA_ARRAY(d->block->arena, uint32_t, walk->nread);
}

static void plan_steps(struct row_walk *walk)
{
    const struct cw_layout *layout = walk->d->block->text.layout;
    struct cw_arena *arena = walk->d->block->arena;
    walk->first_step = CW_ARENA_ARRAY(arena, uint32_t, (size_t)layout->ntemplates + 1);
    walk->steps = CW_ARENA_ARRAY(arena, struct step, layout->nslots);
    uint32_t n = 0;
    for (uint32_t t = 0; t < layout->ntemplates; t++) {
        uint32_t first = walk->first_step[t] = n;
        const struct cw_slot *slots = slots_of(walk->d, t);
        for (uint32_t i = 0; i < layout->templates[t].nslots; i++) {
            uint32_t read = walk->read_of_column[slots[i].column], k = first;
            if (read == 0)
                continue;
            while (k < n && walk->steps[k].read != read - 1)
                k++;
            if (k == n)
                walk->steps[n++] = (struct step){read - 1, 0};
            walk->steps[k].values++;
        }
    }
    walk->first_step[layout->ntemplates] = n;
}

static bool way_holds(const struct row_walk *walk, const struct way *way)
{
    for (uint32_t i = 0; i < way->n; i++) {
        const struct ask *ask = &walk->d->asks[way->first + i];
        if (!cw_value_test_holds(&walk->d->tests[ask->test].base, walk->at[ask->read] + ask->nth))
            return false;
    }
    return true;
}

static bool values_hold(const struct row_walk *walk, uint32_t t)
{
    const struct way *ways = walk->d->ways + walk->d->first_way[t];
    for (uint32_t i = 0; i < walk->d->nways[t]; i++)
        if (way_holds(walk, &ways[i]))
            return true;
    return false;
}

static void step_over(struct row_walk *walk, uint32_t t)
{
    for (uint32_t i = walk->first_step[t]; i < walk->first_step[t + 1]; i++)
        walk->at[walk->steps[i].read] += walk->steps[i].values;
}

static void walk_values(struct row_walk *walk, const uint16_t *templates, struct cw_row_sets *out)
{
    const struct decision *d = walk->d;
    for (uint32_t row = 0; row < d->block->source->rows; row += 64) {
        uint64_t may = 0, must = 0, keep = d->block->keep[row / 64];
        uint32_t n = CW_MIN(d->block->source->rows - row, 64u);
        for (uint32_t i = 0; i < n; i++) {
            uint32_t t = templates[row + i];
            uint8_t verdict = d->verdicts[t];
            if (verdict == CW_VERDICT_VALUES)
                verdict =
                    (keep >> i & 1) != 0 && values_hold(walk, t) ? CW_VERDICT_YES : CW_VERDICT_NO;
            may |= (uint64_t)(verdict != CW_VERDICT_NO) << i;
            must |= (uint64_t)(verdict == CW_VERDICT_YES) << i;
            step_over(walk, t);
        }
        out->may[row / 64] = may;
        out->must[row / 64] = must;
    }
}

/* Templates alone decide. */
static void walk_templates(const struct decision *d, const uint16_t *templates,
                           struct cw_row_sets *out)
{
    for (uint32_t row = 0; row < d->block->source->rows; row += 64) {
        uint64_t may = 0, must = 0;
        uint32_t n = CW_MIN(d->block->source->rows - row, 64u);
        for (uint32_t i = 0; i < n; i++) {
            uint8_t verdict = d->verdicts[templates[row + i]];
            may |= (uint64_t)(verdict != CW_VERDICT_NO) << i;
            must |= (uint64_t)(verdict == CW_VERDICT_YES) << i;
        }
        out->may[row / 64] = may;
        out->must[row / 64] = must;
    }
}

/* What the templates say all together, if no row need be looked at. */
static bool all_alike(const struct decision *d, struct cw_row_sets *out)
{
    const struct cw_layout *layout = d->block->text.layout;
    for (uint32_t t = 0; t < layout->ntemplates; t++)
        if (d->verdicts[t] != d->verdicts[0])
            return false;
    uint8_t verdict = layout->ntemplates > 0 ? d->verdicts[0] : (uint8_t)CW_VERDICT_NO;
    out->kind = verdict == CW_VERDICT_YES ? CW_ROWS_ALL : CW_ROWS_NONE;
    return verdict == CW_VERDICT_YES || verdict == CW_VERDICT_NO;
}

static bool any_verdict(const struct decision *d, enum cw_template_verdict verdict)
{
    return memchr(d->verdicts, (int)verdict, d->block->text.layout->ntemplates) != NULL;
}

static int rows_decide(struct decision *d, struct cw_row_sets *out, struct cw_err *err)
{
    int rc = 0;
    if (any_verdict(d, CW_VERDICT_VALUES))
        weigh(d);
    if (any_verdict(d, CW_VERDICT_VALUES))
        rc = ask_ways(d, err);
    const uint16_t *templates;
    if (rc < 0 || all_alike(d, out))
        return rc;
    rc = cw_template_block_rows(d->block->tb, &templates, err);
    if (rc < 0)
        return rc;
    size_t nwords = ((size_t)d->block->source->rows + 63) / 64;
    *out = (struct cw_row_sets){.kind = CW_ROWS_SOME,
                                .may = CW_ARENA_ARRAY(d->block->arena, uint64_t, nwords),
                                .must = CW_ARENA_ARRAY(d->block->arena, uint64_t, nwords)};
    if (any_verdict(d, CW_VERDICT_VALUES)) {
        struct row_walk walk = {.d = d};
        choose_columns(&walk);
        plan_steps(&walk);
        walk_values(&walk, templates, out);
    } else {
        walk_templates(d, templates, out);
    }
    return 0;
}

void cw_match_block_init(struct cw_match_block *block, struct cw_template_block *tb,
                         struct cw_str values, struct cw_arena *arena)
{
    *block = (struct cw_match_block){.tb = tb,
                                     .source = cw_template_block_source(tb),
                                     .values = values,
                                     .arena = arena,
                                     .text = {.all = cw_template_block_text(tb)}};
}

static int layout_open(struct cw_match_block *block, struct cw_err *err)
{
    if (block->text.layout != NULL)
        return 0;
    const struct cw_layout *layout;
    int rc = cw_template_block_layout(block->tb, &layout, err);
    if (rc < 0)
        return rc;
    struct cw_str *dictionaries = CW_ARENA_ARRAY(block->arena, struct cw_str, layout->ncolumns);
    for (uint32_t c = 0; c < layout->ncolumns; c++)
        dictionaries[c] = cw_template_block_dictionary(block->tb, c);
    block->text.layout = layout;
    block->text.dictionaries = dictionaries;
    return 0;
}

int cw_literal_rows(struct cw_match_block *block, const struct cw_literal_plan *literal,
                    struct cw_row_sets *out, struct cw_err *err)
{
    const char *first[CW_LITERAL_NEEDLES_MAX];
    bool may = !literal->reserved && find_needles(block, literal, first);
    *out = (struct cw_row_sets){.kind = CW_ROWS_NONE};
    if (!may && block->source->raw.stored.ptr == NULL)
        return 0;
    int rc = layout_open(block, err);
    if (rc < 0)
        return rc;
    struct decision d;
    decision_init(&d, block);
    d.literal = literal;
    if (may)
        decide_literal(&d, first, literal->nneedles);
    else
        decide_raw_only(&d);
    return rows_decide(&d, out, err);
}

int cw_address_rows(struct cw_match_block *block, const struct cw_ip_match *ip,
                    struct cw_row_sets *out, struct cw_err *err)
{
    int rc = layout_open(block, err);
    if (rc < 0)
        return rc;
    struct decision d;
    decision_init(&d, block);
    d.ip = ip;
    decide_address(&d);
    rc = rows_decide(&d, out, err);
    if (rc == 0 && out->kind == CW_ROWS_SOME)
        memset(out->must, 0, ((size_t)block->source->rows + 63) / 64 * sizeof(*out->must));
    return rc;
}
