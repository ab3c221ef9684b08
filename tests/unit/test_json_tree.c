#include <criterion/criterion.h>
#include <stdio.h>

#include "common/base/assert.h"
#include "common/extract/json_tree.h"

/* The document printed again; NULL: it is none. */
static const char *again(const char *text)
{
    static char out[4096];
    const struct cw_json_node *node;
    struct cw_arena *arena = cw_arena_new();
    struct cw_buf buf;
    const char *got = NULL;
    cw_buf_init(&buf, sizeof out - 1);
    if (cw_json_tree_parse(cw_str_of(text), arena, &node)) {
        cw_json_tree_print(node, &buf);
        snprintf(out, sizeof out, "%s", cw_buf_z(&buf));
        got = out;
    }
    cw_buf_fini(&buf);
    cw_arena_free(&arena);
    return got;
}

Test(json_tree, documents_are_printed_as_go_prints_them)
{
    static const char *const rows[][2] = {
        {" { \"a\" : [ 1 , 2.50 , -0 , 1e3 , 1e-7 , 1e21 ] } ",
         "{\"a\":[1,2.5,-0,1000,1e-7,1e+21]}"},
        {"[true,false,null,\"\\u00e9<&>\\n\"]",
         "[true,false,null,\"\xc3\xa9\\u003c\\u0026\\u003e\\n\"]"},
        {"{}", "{}"},
        {"[]", "[]"},
        {"\"x\"", "\"x\""},
        {"7", "7"},
        {"{\"b\":1,\"a\":2,\"b\":3,\"c\":4,\"a\":5}", "{\"b\":3,\"a\":5,\"c\":4}"},
        {"{\"\\u0061\":1,\"a\":2}", "{\"a\":2}"},
    };
    for (size_t i = 0; i < CW_COUNT(rows); i++) {
        const char *got = again(rows[i][0]);
        cr_assert_not_null(got, "%s", rows[i][0]);
        cr_expect_str_eq(got, rows[i][1]);
    }
}

Test(json_tree, what_is_no_document_is_refused)
{
    static const char *const rows[] = {"",      " ",     "{",  "[1,]", "{\"a\"}", "{\"a\":1,}",
                                       "[1] 2", "1e999", "01", "nul",  "\"\\q\"", "{1:2}"};
    for (size_t i = 0; i < CW_COUNT(rows); i++)
        cr_expect_null(again(rows[i]), "%s", rows[i]);
}

Test(json_tree, members_are_found_by_name)
{
    const struct cw_json_node *node;
    struct cw_arena *arena = cw_arena_new();
    cr_assert(cw_json_tree_parse(CW_STR("{\"a\":1,\"b\":[2]}"), arena, &node));
    const struct cw_json_node *b = cw_json_tree_member(node, CW_STR("b"));
    cr_assert_not_null(b);
    cr_expect(b->type == CW_JSON_TYPE_ARRAY && b->n == 1 && b->items[0]->number == 2);
    cr_expect_null(cw_json_tree_member(node, CW_STR("c")));
    cr_expect_null(cw_json_tree_member(b, CW_STR("a")));
    cw_arena_free(&arena);
}

Test(json_tree, printing_ends_at_the_buffers_cap)
{
    const struct cw_json_node *node;
    struct cw_arena *arena = cw_arena_new();
    struct cw_buf buf;
    cw_buf_init(&buf, 10);
    cr_assert(cw_json_tree_parse(CW_STR("[1,2,3,4,5,6,7,8,9,10]"), arena, &node));
    cw_json_tree_print(node, &buf);
    cr_expect(cw_buf_failed(&buf));
    cw_buf_fini(&buf);
    cw_arena_free(&arena);
}
