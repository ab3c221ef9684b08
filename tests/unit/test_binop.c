/* test_binop.c - operators between tables where series come and go between the steps;
 * label_replace's templates. The recorded answers are compared in test_eval.c. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include "common/base/assert.h"
#include "querier/engine/binop.h"
#include "querier/engine/label_replace.h"

#define GAP (-1e300)

struct row {
    const char *labels;
    double values[3];
};

static struct cw_table *table_of(const struct row *rows, size_t n)
{
    struct cw_grid grid = {.start_ns = 0, .step_ns = 1, .n = 3};
    struct cw_table *table = cw_table_new(&grid, NULL);
    struct cw_err err = {0};
    for (size_t i = 0; i < n; i++) {
        struct cw_labels labels;
        struct cw_series *series;
        cr_assert_eq(cw_labels_parse(cw_str_of(rows[i].labels), table->arena, &labels, &err), 0,
                     "%s", err.text);
        cr_assert_eq(cw_table_add(table, labels, CW_TABLE_COPY, &series, &err), 0);
        for (size_t step = 0; step < 3; step++)
            if (rows[i].values[step] != GAP)
                cw_series_set(series, step, rows[i].values[step]);
    }
    return table;
}

static struct cw_query *parse(const char *text)
{
    struct cw_query *query = NULL;
    struct cw_err err = {0};
    cr_assert_eq(cw_logql_parse(cw_str_of(text), &query, &err), 0, "%s: %s", text, err.text);
    return query;
}

static void expect_table(struct cw_table *table, const char *text, const char *expected)
{
    struct cw_buf buf;
    struct cw_err err;
    cw_buf_init(&buf, 1 << 20);
    cr_assert_eq(cw_table_sort(table, &err), 0);
    for (size_t i = 0; i < table->n; i++) {
        if (cw_series_count(&table->items[i], 3) == 0)
            continue;
        if (buf.len > 0)
            cw_buf_addz(&buf, "; ");
        cw_labels_format(table->items[i].labels, &buf);
        for (size_t step = 0; step < 3; step++)
            cw_series_has(&table->items[i], step)
                ? cw_buf_addf(&buf, " %g", table->items[i].values[step])
                : cw_buf_addz(&buf, " -");
    }
    cr_expect_str_eq(cw_buf_z(&buf), expected, "%s\n  gives    %s\n  expected %s", text,
                     cw_buf_z(&buf), expected);
    cw_buf_fini(&buf);
}

/* `op` stands between the tables; an error is written instead of series. */
static void expect(const struct row *left, size_t nleft, const char *op, const struct row *right,
                   size_t nright, const char *expected)
{
    char text[256];
    struct cw_err err = {0};
    struct cw_table *a = table_of(left, nleft), *b = table_of(right, nright), *out = NULL;
    snprintf(text, sizeof(text), "vector(1) %s vector(2)", op);
    struct cw_query *query = parse(text);
    int rc = cw_binop_tables(query->root, a, b, &out, &err);
    if (rc < 0) {
        cr_expect_eq(rc, CW_E_INTERNAL);
        cr_expect_str_eq(err.text, expected);
    } else {
        expect_table(out, op, expected);
    }
    cw_table_free(&out);
    cw_table_free(&a);
    cw_table_free(&b);
    cw_query_free(&query);
}
#define EXPECT(left, op, right, expected)                                                          \
    expect(left, CW_COUNT(left), op, right, CW_COUNT(right), expected)

Test(binop, a_pair_has_a_result_where_both_have_a_value)
{
    static const struct row left[] = {{"{a=\"1\"}", {1, 2, GAP}}, {"{a=\"2\"}", {5, 5, 5}}};
    static const struct row right[] = {{"{a=\"1\"}", {10, GAP, 30}}, {"{a=\"3\"}", {1, 1, 1}}};
    EXPECT(left, "+", right, "{a=\"1\"} 11 - -");
    EXPECT(left, "<", right, "{a=\"1\"} 1 - -");
    EXPECT(left, ">", right, "");
    EXPECT(left, "> bool", right, "{a=\"1\"} 0 - -");
}

Test(binop, duplicates_matter_only_at_one_step)
{
    /* Both have x="1", but never at once. */
    static const struct row split[] = {{"{a=\"1\", x=\"1\"}", {1, GAP, GAP}},
                                       {"{a=\"2\", x=\"1\"}", {GAP, 2, GAP}}};
    static const struct row clash[] = {{"{a=\"1\", x=\"1\"}", {1, GAP, GAP}},
                                       {"{a=\"2\", x=\"1\"}", {2, 2, GAP}}};
    static const struct row one[] = {{"{x=\"1\"}", {10, 10, 10}}};
    EXPECT(split, "+ on (x)", one, "{x=\"1\"} 11 12 -");
    EXPECT(one, "+ on (x)", split, "{x=\"1\"} 11 12 -");
    EXPECT(clash, "+ on (x)", one,
           "multiple matches for labels: many-to-one matching must be explicit "
           "(group_left/group_right)");
    EXPECT(one, "+ on (x)", clash,
           "found duplicate series on the right hand-side;many-to-many matching not allowed: "
           "matching labels must be unique on one side");
    EXPECT(clash, "+ on (x) group_right", one,
           "found duplicate series on the left hand-side;many-to-many matching not allowed: "
           "matching labels must be unique on one side");
    EXPECT(clash, "- on (x) group_left", one,
           "{a=\"1\", x=\"1\"} -9 - -; {a=\"2\", x=\"1\"} -8 -8 -");
    EXPECT(one, "- on (x) group_right", clash,
           "{a=\"1\", x=\"1\"} 9 - -; {a=\"2\", x=\"1\"} 8 8 -");
    EXPECT(clash, "- on (x) group_left (a)", one,
           "multiple matches for labels: grouping labels must ensure unique matches");
}

Test(binop, included_labels_follow_the_series_that_is_matched_at_the_step)
{
    static const struct row many[] = {{"{a=\"1\", x=\"1\"}", {1, 1, 1}}};
    static const struct row one[] = {{"{n=\"p\", x=\"1\"}", {10, GAP, GAP}},
                                     {"{n=\"q\", x=\"1\"}", {GAP, 20, GAP}},
                                     {"{x=\"1\"}", {GAP, GAP, 30}}};
    EXPECT(many, "* on (x) group_left (n)", one,
           "{a=\"1\", n=\"p\", x=\"1\"} 10 - -; {a=\"1\", n=\"q\", x=\"1\"} - 20 -; {a=\"1\", "
           "x=\"1\"} - - 30");
    EXPECT(many, "> bool on (x) group_left (n)", one,
           "{a=\"1\", n=\"p\", x=\"1\"} 0 - -; {a=\"1\", n=\"q\", x=\"1\"} - 0 -; {a=\"1\", "
           "x=\"1\"} - - 0");
}

Test(binop, set_operators_decide_step_by_step)
{
    static const struct row left[] = {{"{a=\"1\"}", {1, GAP, 1}}, {"{a=\"2\"}", {2, 2, GAP}}};
    static const struct row right[] = {{"{a=\"1\"}", {GAP, 10, 10}}, {"{a=\"3\"}", {30, 30, GAP}}};
    EXPECT(left, "and", right, "{a=\"1\"} - - 1");
    EXPECT(left, "unless", right, "{a=\"1\"} 1 - -; {a=\"2\"} 2 2 -");
    EXPECT(left, "or", right, "{a=\"1\"} 1 10 1; {a=\"2\"} 2 2 -; {a=\"3\"} 30 30 -");
    EXPECT(left, "and on ()", right, "{a=\"1\"} 1 - 1; {a=\"2\"} 2 2 -");
    EXPECT(left, "unless on ()", right, "");
}

Test(binop, a_number_and_a_table)
{
    static const struct row rows[] = {{"{a=\"1\"}", {0, 7, GAP}}};
    static const struct {
        const char *query, *expected;
    } cases[] = {
        {"vector(1) - 2", "{a=\"1\"} -2 5 -"},    {"2 - vector(1)", "{a=\"1\"} 2 -5 -"},
        {"vector(1) / 0", "{a=\"1\"} nan nan -"}, {"vector(1) > 3", "{a=\"1\"} - 7 -"},
        {"3 > vector(1)", "{a=\"1\"} 0 - -"},     {"3 > bool vector(1)", "{a=\"1\"} 1 0 -"},
        {"vector(1) % 4", "{a=\"1\"} 0 3 -"},     {"2 ^ vector(1)", "{a=\"1\"} 1 128 -"},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        struct cw_table *in = table_of(rows, 1), *out = NULL;
        struct cw_err err = {0};
        struct cw_query *query = parse(cases[i].query);
        const struct cw_expr *root = query->root;
        bool number_left = root->left->kind == CW_EXPR_NUMBER;
        double number = number_left ? root->left->param : root->right->param;
        cr_assert_eq(cw_binop_number(root, in, number,
                                     number_left ? CW_NUMBER_LEFT : CW_NUMBER_RIGHT, &out, &err),
                     0);
        for (size_t step = 0; step < 2; step++)
            if (isnan(out->items[0].values[step]))
                out->items[0].values[step] = NAN; /* without a sign, for the text */
        expect_table(out, cases[i].query, cases[i].expected);
        cw_table_free(&out);
        cw_table_free(&in);
        cw_query_free(&query);
    }
}

Test(binop, label_replace_expands_as_go_does)
{
    static const struct row rows[] = {{"{host=\"web-1\", zone=\"z\"}", {1, GAP, 2}}};
    static const struct {
        const char *args, *expected;
    } cases[] = {
        {"\"n\", \"$1\", \"host\", \"web-(.*)\"", "{host=\"web-1\", n=\"1\", zone=\"z\"} 1 - 2"},
        {"\"n\", \"a$$b$\", \"host\", \".*\"", "{host=\"web-1\", n=\"a$b$\", zone=\"z\"} 1 - 2"},
        {"\"n\", \"${1}x$1x$2${\", \"host\", \"(w).*\"",
         "{host=\"web-1\", n=\"wx${\", zone=\"z\"} 1 - 2"},
        {"\"n\", \"${q}-$q\", \"host\", \"(?P<q>w).*\"",
         "{host=\"web-1\", n=\"w-w\", zone=\"z\"} 1 - 2"},
        {"\"zone\", \"\", \"host\", \".*\"", "{host=\"web-1\"} 1 - 2"},
        {"\"a\", \"$0\", \"none\", \"\"", "{host=\"web-1\", zone=\"z\"} 1 - 2"},
        {"\"a\", \"x\", \"host\", \"eb\"", "{host=\"web-1\", zone=\"z\"} 1 - 2"},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        char text[256];
        struct cw_table *in = table_of(rows, 1), *out = NULL;
        struct cw_err err = {0};
        snprintf(text, sizeof(text), "label_replace(vector(1), %s)", cases[i].args);
        struct cw_query *query = parse(text);
        cr_assert_eq(cw_label_replace_eval(query->root, in, &out, &err), 0, "%s", err.text);
        expect_table(out, text, cases[i].expected);
        cw_table_free(&out);
        cw_table_free(&in);
        cw_query_free(&query);
    }
}
