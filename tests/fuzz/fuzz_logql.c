/* fuzz_logql.c - queries from outside: the parser ends, what it prints it reads again, and the extensions change no query of Loki's. */
#include <stdlib.h>
#include "common/base/assert.h"
#include "common/logql/ast.h"

#define TEXT_BYTES ((size_t)1 << 26)

/* Not every text is a query again: NaN and sizes in exabytes are none. But what parses means the same. */
static void check_printed(struct cw_str printed, unsigned dialect)
{
    struct cw_query *again = NULL, *third = NULL;
    struct cw_err err;
    struct cw_buf twice, thrice;
    cw_buf_init(&twice, TEXT_BYTES);
    cw_buf_init(&thrice, TEXT_BYTES);
    if (cw_logql_parse_dialect(printed, dialect, &again, &err) == 0) {
        cw_expr_format(again->root, &twice);
        if (cw_logql_parse_dialect(cw_buf_str(&twice), dialect, &third, &err) == 0) {
            cw_expr_format(third->root, &thrice);
            CW_ASSERT(cw_str_eq(cw_buf_str(&thrice), cw_buf_str(&twice)));
        }
    }
    cw_query_free(&third);
    cw_query_free(&again);
    cw_buf_fini(&twice);
    cw_buf_fini(&thrice);
}

/* The query on one line; false: it is none. */
static bool parse(struct cw_str text, unsigned dialect, struct cw_buf *printed)
{
    struct cw_query *query = NULL;
    struct cw_err err = {0};
    struct cw_buf pretty;
    if (cw_logql_parse_dialect(text, dialect, &query, &err) < 0) {
        CW_ASSERT(err.code == CW_E_INVALID && err.text[0] != '\0');
        return false;
    }
    cw_buf_init(&pretty, TEXT_BYTES);
    cw_expr_format(query->root, printed);
    cw_query_format(query, &pretty);
    check_printed(cw_buf_str(printed), dialect);
    cw_query_free(&query);
    cw_buf_fini(&pretty);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_str text = cw_str_make(data, size);
    struct cw_buf loki, extended;
    cw_buf_init(&loki, TEXT_BYTES);
    cw_buf_init(&extended, TEXT_BYTES);
    bool is_loki = parse(text, CW_LOGQL_LOKI, &loki);
    bool is_extended = parse(text, CW_LOGQL_EXTENSIONS, &extended);
    if (is_loki)
        CW_ASSERT(is_extended && cw_str_eq(cw_buf_str(&loki), cw_buf_str(&extended)));
    cw_buf_fini(&loki);
    cw_buf_fini(&extended);
    return 0;
}
