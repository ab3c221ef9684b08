/* test_template_match.c - line filters on blocks of templates say what they say on the lines. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/file.h"
#include "tests/support/match_model.h"
#include "tests/support/part_model.h"

enum { LINES = 3000, QUERIES = 1500 };

static struct cw_arena *arena;
static struct cw_str *lines;
static size_t nlines;
static struct match_model *model;
static struct match_counts counts;

static void init(void)
{
    arena = cw_arena_new();
    lines = cw_mem_array(CW_BLOCK_ROWS_MAX, sizeof(*lines));
    nlines = 0;
    model = NULL;
    counts = (struct match_counts){0};
}

static void fini(void)
{
    if (model != NULL)
        match_model_free(&model);
    cw_arena_free(&arena);
    free(lines);
}

TestSuite(template_match, .init = init, .fini = fini);

static void add(struct cw_str line)
{
    lines[nlines++] = cw_arena_dup(arena, line);
}

static void encode(void)
{
    model = match_model_new(lines, nlines);
    cr_assert_eq(match_model_kind(model), CW_BLOCK_TEMPLATES);
}

static void random_queries(uint64_t seed)
{
    struct cw_buf wrong;
    cw_buf_init(&wrong, SIZE_MAX);
    for (int i = 0; i < QUERIES; i++)
        cr_assert(match_model_check_random(model, &seed, &counts, &wrong), "%s", cw_buf_z(&wrong));
    cw_buf_fini(&wrong);
    cr_assert_lt(counts.unsure, counts.rows / 2, "most rows are decided without their lines");
}

/* Of random filters that nothing passes, some are known to by grams alone. */
static void grams_told(void)
{
    cr_assert_gt(counts.empty, 50);
    cr_assert_gt(counts.ruled_out, counts.empty / 20, "%llu of %llu",
                 (unsigned long long)counts.ruled_out, (unsigned long long)counts.empty);
}

static uint64_t below(uint64_t *state, uint64_t n)
{
    return part_model_random(state) % n;
}

/* ---- lines ---- */

static void like_a_log(uint64_t *state, struct cw_buf *out)
{
    static const char *const levels[] = {"INFO", "WARN", "Error"};
    static const char *const verbs[] = {"opened", "closed", "failed to read", "served block"};
    cw_buf_addf(out, "2026-01-%02u %02u:%02u:%02u,%03u %s [worker-%u] %s blk_%s%llu size %u.%u ",
                (unsigned)below(state, 28) + 1, (unsigned)below(state, 24),
                (unsigned)below(state, 60), (unsigned)below(state, 60),
                (unsigned)below(state, 1000), levels[below(state, 3)], (unsigned)below(state, 8),
                verbs[below(state, 4)], below(state, 2) ? "-" : "",
                (unsigned long long)part_model_random(state), (unsigned)below(state, 100),
                (unsigned)below(state, 100));
    cw_buf_addf(out, "from 10.%u.%u.%u user u%u %08xab v%u.%u.%03u.%u", (unsigned)below(state, 3),
                (unsigned)below(state, 4), (unsigned)below(state, 256), (unsigned)below(state, 50),
                (unsigned)part_model_random(state), (unsigned)below(state, 3),
                (unsigned)below(state, 12), (unsigned)below(state, 20),
                (unsigned)below(state, 300));
}

static void like_json(uint64_t *state, struct cw_buf *out)
{
    static const char *const messages[] = {"order placed", "a \\\"quoted\\\" word", "",
                                           "from 10.0.0.7 now"};
    cw_buf_addf(out, "{\"ts\":\"2026-01-01T%02u:00:00.%03uZ\",\"msg\":\"%s\",\"n\":%u,",
                (unsigned)below(state, 24), (unsigned)below(state, 1000), messages[below(state, 4)],
                (unsigned)below(state, 1000));
    cw_buf_addf(out, "\"trace\":\"%016llx%016llx\",\"id\":\"%08x-%04x-4abc-8def-%012llx\"}",
                (unsigned long long)part_model_random(state),
                (unsigned long long)part_model_random(state), (unsigned)part_model_random(state),
                (unsigned)below(state, 65536),
                (unsigned long long)(part_model_random(state) & UINT64_C(0xffffffffffff)));
}

/* Several values of one column in a line. */
static void like_a_list(uint64_t *state, struct cw_buf *out)
{
    cw_buf_addz(out, "kept");
    for (uint64_t n = 1 + below(state, 4); n > 0; n--)
        cw_buf_addf(out, ", item %u of u%u", (unsigned)below(state, 30), (unsigned)below(state, 9));
}

static void fill(void (*line)(uint64_t *, struct cw_buf *), uint64_t seed)
{
    struct cw_buf out;
    cw_buf_init(&out, SIZE_MAX);
    for (int i = 0; i < LINES; i++) {
        cw_buf_clear(&out);
        line(&seed, &out);
        add(cw_buf_str(&out));
    }
    cw_buf_fini(&out);
}

/* ---- random filters ---- */

Test(template_match, log_lines, .timeout = 300)
{
    fill(like_a_log, 1);
    encode();
    random_queries(11);
    grams_told();
}

Test(template_match, json_lines, .timeout = 300)
{
    fill(like_json, 2);
    encode();
    random_queries(12);
    grams_told();
}

Test(template_match, lines_of_several_values_of_a_column, .timeout = 300)
{
    fill(like_a_list, 7);
    encode();
    random_queries(15);
}

Test(template_match, lines_with_reserved_bytes, .timeout = 300)
{
    fill(like_a_log, 3);
    for (size_t i = 0; i < nlines; i += 7) {
        char *bytes = strndup(lines[i].ptr, lines[i].len);
        bytes[lines[i].len / 2] = (char)(i % 9);
        lines[i] = cw_arena_dup(arena, cw_str_make(bytes, lines[i].len));
        free(bytes);
    }
    encode();
    random_queries(13);
}

Test(template_match, access_log, .timeout = 300)
{
    struct cw_buf text;
    struct cw_err err;
    struct cw_str rest, line;
    char path[512];
    snprintf(path, sizeof(path), "%s/apache_access.log", getenv("CW_TEST_DATA"));
    cw_buf_init(&text, SIZE_MAX);
    cr_assert_eq(cw_file_read(path, SIZE_MAX / 2, &text, &err), 0);
    rest = cw_buf_str(&text);
    while (nlines < LINES && rest.len > 0 && cw_str_split(&rest, '\n', &line))
        add(line);
    cw_buf_fini(&text);
    encode();
    random_queries(14);
    grams_told();
}

/* ---- what must be decided ---- */

enum { FILTERS_MAX = 4 };

/* Of a query, which ends with an operator that has no operand. */
struct asked {
    enum cw_filter_op op;
    const char *operand;
};

/* How many rows are left to their lines, with the value filter and without. */
static uint64_t unsure_of(const struct asked *query, int is_ip, enum cw_match_wants wants)
{
    struct cw_line_filter *own[FILTERS_MAX];
    const struct cw_line_filter *filters[FILTERS_MAX];
    uint64_t keep[CW_BLOCK_ROWS_MAX / 64];
    struct cw_buf wrong;
    struct cw_err err;
    size_t n = 0;
    cw_buf_init(&wrong, SIZE_MAX);
    memset(keep, 0xff, sizeof(keep));
    counts = (struct match_counts){0};
    for (; query[n].operand != NULL; n++) {
        cr_assert_eq(cw_line_filter_new(query[n].op, &own[n], &err), 0);
        cr_assert_eq(cw_line_filter_add(own[n], cw_str_of(query[n].operand), is_ip, &err), 0);
        filters[n] = own[n];
    }
    cr_assert(match_model_check(model, filters, n, wants, keep, &counts, &wrong), "%s",
              cw_buf_z(&wrong));
    for (size_t i = 0; i < n; i++)
        cw_line_filter_free(&own[i]);
    cw_buf_fini(&wrong);
    return counts.unsure;
}

/* No row is left to its line. */
static void decided(enum cw_filter_op op, const char *operand, int is_ip)
{
    uint64_t unsure =
        unsure_of((const struct asked[]){{op, operand}, {0}}, is_ip, CW_MATCH_WANTS_ROWS);
    cr_assert_eq(unsure, 0, "%s: %llu rows are unsure", operand, (unsigned long long)unsure);
}

Test(template_match, words_are_decided_without_lines)
{
    fill(like_a_log, 4);
    add(CW_STR("the only needle_in_a stack"));
    encode();
    decided(CW_FILTER_CONTAINS, "needle_in_a", 0);
    decided(CW_FILTER_CONTAINS, "absent", 0);
    decided(CW_FILTER_CONTAINS, "failed to", 0);
    decided(CW_FILTER_NOT_CONTAINS, "failed to", 0);
    decided(CW_FILTER_RE, "(?i)ERROR", 0);
    decided(CW_FILTER_RE, "needle|served", 0);
    decided(CW_FILTER_CONTAINS, "", 0);
    decided(CW_FILTER_RE, "absent[0-9]+", 0);
    decided(CW_FILTER_PATTERN, "<_>absent<_>", 0);
}

Test(template_match, addresses_that_are_nowhere_are_decided_without_lines)
{
    fill(like_json, 6);
    encode();
    decided(CW_FILTER_CONTAINS, "99.0.0.1", 1);
    decided(CW_FILTER_NOT_CONTAINS, "99.0.0.0/8", 1);
}

Test(template_match, values_are_decided_without_lines)
{
    fill(like_a_log, 5);
    encode();
    decided(CW_FILTER_CONTAINS, "from 10.1.2.", 0);
    decided(CW_FILTER_CONTAINS, "user u7 ", 0);
    decided(CW_FILTER_CONTAINS, " 12:", 0);
    decided(CW_FILTER_NOT_CONTAINS, "user u1", 0);
    decided(CW_FILTER_CONTAINS, "v1.2.003.", 0);
}

Test(template_match, a_literal_does_not_run_from_one_line_into_the_next)
{
    for (int i = 0; i < LINES; i++)
        add(i % 2 ? CW_STR("begins 1 ends a") : CW_STR("b begins 2 ends"));
    encode();
    decided(CW_FILTER_CONTAINS, "endsbegins", 0);
    decided(CW_FILTER_CONTAINS, "ab", 0);
    decided(CW_FILTER_CONTAINS, "ends a", 0);
}

/* ---- what lines decide better ---- */

/* Each row is left to its line, so that no value was asked. */
static void left_to_lines_for(const struct asked *query, enum cw_match_wants wants)
{
    uint64_t unsure = unsure_of(query, 0, wants);
    cr_assert_eq(unsure, counts.rows, "%s ...: %llu rows of %llu are unsure", query->operand,
                 (unsigned long long)unsure, (unsigned long long)counts.rows);
}

static void left_to_lines(const struct asked *query)
{
    left_to_lines_for(query, CW_MATCH_WANTS_ROWS);
}

/* A line of numbers alone: each filter would have all of them printed. */
static void like_a_table(uint64_t *state, struct cw_buf *out)
{
    for (int i = 0; i < 8; i++)
        cw_buf_addf(out, "%s%llu", i > 0 ? " " : "x ",
                    (unsigned long long)(part_model_random(state) % 1000000000));
}

Test(template_match, several_short_pieces_are_left_to_lines_which_are_rebuilt_once)
{
    fill(like_a_table, 8);
    encode();
    left_to_lines((const struct asked[]){{CW_FILTER_RE, "1.*2.*3"}, {0}});
    left_to_lines((const struct asked[]){{CW_FILTER_RE, "1[0-9]7[0-9]3"}, {0}});
    left_to_lines((const struct asked[]){{CW_FILTER_PATTERN, "<_>1<_>2<_>3<_>"}, {0}});
    left_to_lines((const struct asked[]){
        {CW_FILTER_CONTAINS, "7"}, {CW_FILTER_CONTAINS, "8"}, {CW_FILTER_CONTAINS, "9"}, {0}});
    left_to_lines((const struct asked[]){
        {CW_FILTER_CONTAINS, "17"}, {CW_FILTER_CONTAINS, "23"}, {CW_FILTER_CONTAINS, "45"}, {0}});
    left_to_lines((const struct asked[]){
        {CW_FILTER_NOT_CONTAINS, "7"}, {CW_FILTER_NOT_CONTAINS, "8"}, {CW_FILTER_RE, "9.*1"}, {0}});
}

/* Strings, which are found in their dictionaries. */
static void like_names(uint64_t *state, struct cw_buf *out)
{
    for (int i = 0; i < 8; i++)
        cw_buf_addf(out, "name u%u ", (unsigned)below(state, 90));
}

Test(template_match, lines_that_are_wanted_anyway_decide_what_many_hold)
{
    fill(like_names, 11);
    encode();
    decided(CW_FILTER_CONTAINS, "7", 0);
    left_to_lines_for((const struct asked[]){{CW_FILTER_CONTAINS, "7"}, {0}}, CW_MATCH_WANTS_LINES);
    uint64_t unsure = unsure_of((const struct asked[]){{CW_FILTER_CONTAINS, "u77 name u77"}, {0}},
                                0, CW_MATCH_WANTS_LINES);
    cr_assert_eq(unsure, 0, "what few hold is found first");
}

Test(template_match, a_filter_that_tells_is_asked_of_values_whatever_follows)
{
    fill(like_a_table, 9);
    add(CW_STR("x 1234567890 1 2 3 4 5 6 7"));
    encode();
    decided(CW_FILTER_CONTAINS, "1234567890", 0);
    uint64_t unsure = unsure_of(
        (const struct asked[]){{CW_FILTER_CONTAINS, "1234567890"}, {CW_FILTER_RE, "1.*2.*3"}, {0}},
        0, CW_MATCH_WANTS_ROWS);
    cr_assert_leq(unsure, counts.queries, "its row alone");
    unsure = unsure_of(
        (const struct asked[]){{CW_FILTER_RE, "1.*2.*3"}, {CW_FILTER_CONTAINS, "1234567890"}, {0}},
        0, CW_MATCH_WANTS_ROWS);
    cr_assert_leq(unsure, counts.queries, "though lines would have decided the first");
}

/* Which operand of a filter is left to lines says nothing of the other. */
Test(template_match, operands_that_are_left_to_lines_are_tested)
{
    static const char *const operands[] = {"7", "88", "999", "x 1", "1234567890"};
    uint64_t keep[CW_BLOCK_ROWS_MAX / 64];
    struct cw_buf wrong;
    struct cw_err err;
    fill(like_a_table, 10);
    add(CW_STR("x 1234567890 1 2 3 4 5 6 7"));
    encode();
    cw_buf_init(&wrong, SIZE_MAX);
    memset(keep, 0xff, sizeof(keep));
    for (size_t i = 0; i < CW_COUNT(operands) * CW_COUNT(operands) * 2; i++) {
        struct cw_line_filter *filter;
        cr_assert_eq(
            cw_line_filter_new(i % 2 ? CW_FILTER_CONTAINS : CW_FILTER_NOT_CONTAINS, &filter, &err),
            0);
        cr_assert_eq(
            cw_line_filter_add(filter, cw_str_of(operands[i / 2 % CW_COUNT(operands)]), 0, &err),
            0);
        cr_assert_eq(
            cw_line_filter_add(filter, cw_str_of(operands[i / 2 / CW_COUNT(operands)]), 0, &err),
            0);
        cr_assert(match_model_check(model, (const struct cw_line_filter *const[]){filter}, 1,
                                    CW_MATCH_WANTS_ROWS, keep, &counts, &wrong),
                  "%s", cw_buf_z(&wrong));
        cw_line_filter_free(&filter);
    }
    cw_buf_fini(&wrong);
}
