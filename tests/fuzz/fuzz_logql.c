/* fuzz_logql.c - queries from outside: the parser ends, and what it prints it reads again. */
#include <stdlib.h>
#include "common/base/assert.h"
#include "common/logql/ast.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_query *query = NULL, *again = NULL;
    struct cw_err err = {0};
    if (cw_logql_parse(cw_str_make(data, size), &query, &err) < 0) {
        CW_ASSERT(err.code == CW_E_INVALID && err.text[0] != '\0');
        return 0;
    }
    struct cw_buf once, pretty, twice;
    cw_buf_init(&once, (size_t)1 << 26);
    cw_buf_init(&pretty, (size_t)1 << 26);
    cw_buf_init(&twice, (size_t)1 << 26);
    cw_expr_format(query->root, &once);
    cw_query_format(query, &pretty);
    /* Not every text is a query again: NaN and sizes in exabytes are none. But what parses means
     * the same. */
    if (cw_logql_parse(cw_buf_str(&once), &again, &err) == 0) {
        struct cw_query *third = NULL;
        cw_expr_format(again->root, &twice);
        if (cw_logql_parse(cw_buf_str(&twice), &third, &err) == 0) {
            cw_buf_clear(&once);
            cw_expr_format(third->root, &once);
            CW_ASSERT(cw_str_eq(cw_buf_str(&once), cw_buf_str(&twice)));
        }
        cw_query_free(&third);
    }
    cw_query_free(&again);
    cw_query_free(&query);
    cw_buf_fini(&once);
    cw_buf_fini(&pretty);
    cw_buf_fini(&twice);
    return 0;
}
