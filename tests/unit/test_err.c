#include <criterion/criterion.h>

#include <errno.h>
#include <string.h>

#include "common/base/err.h"

Test(err, set_formats_and_returns_the_code)
{
    struct cw_err err = {0};
    cr_assert_eq(cw_err_set(&err, CW_E_CONFLICT, "mark is %d", 7), CW_E_CONFLICT);
    cr_assert_eq(err.code, CW_E_CONFLICT);
    cr_assert_str_eq(err.text, "mark is 7");
    cr_assert_eq(cw_err_set(NULL, CW_E_IO, "nobody listens"), CW_E_IO);
}

Test(err, wrap_puts_the_callers_words_in_front_and_keeps_the_code)
{
    struct cw_err err = {0};
    cw_err_set(&err, CW_E_CORRUPT, "bad checksum");
    cw_err_wrap(&err, "frame %d", 12);
    cr_assert_eq(cw_err_wrap(&err, "replaying %s", "/d"), CW_E_CORRUPT);
    cr_assert_str_eq(err.text, "replaying /d: frame 12: bad checksum");
}

Test(err, texts_that_quote_themselves_are_safe)
{
    struct cw_err err = {0};
    cw_err_set(&err, CW_E_INVALID, "inner");
    cw_err_set(&err, CW_E_INVALID, "<%s>", err.text);
    cr_assert_str_eq(err.text, "<inner>");
    cw_err_wrap(&err, "[%s]", err.text);
    cr_assert_str_eq(err.text, "[<inner>]: <inner>");
}

Test(err, long_texts_are_cut_not_overrun)
{
    static char big[3 * CW_ERR_TEXT_BYTES];
    struct cw_err err = {0};
    memset(big, 'x', sizeof big - 1);
    cw_err_set(&err, CW_E_INVALID, "%s", big);
    cr_assert_eq(strlen(err.text), CW_ERR_TEXT_BYTES - 1);
    for (size_t cut = 0; cut < 8; cut++) {
        big[CW_ERR_TEXT_BYTES - cut] = '\0';
        cw_err_wrap(&err, "%s", big);
        cr_assert_lt(strlen(err.text), sizeof err.text);
    }
    cw_err_wrap(&err, "front");
    cr_assert_eq(strncmp(err.text, "front: x", 8), 0);
}

Test(err, errno_text_follows_and_a_full_disk_is_unavailable)
{
    struct cw_err err = {0};
    cr_assert_eq(cw_err_errno(&err, CW_E_IO, EACCES, "open %s", "/x"), CW_E_IO);
    cr_assert_str_eq(err.text, "open /x: Permission denied");
    cr_assert_eq(cw_err_errno(&err, CW_E_IO, ENOSPC, "write"), CW_E_UNAVAILABLE);
    cr_assert_eq(cw_err_errno(&err, CW_E_IO, EDQUOT, "write"), CW_E_UNAVAILABLE);
    cr_assert_eq(cw_err_errno(&err, CW_E_INVALID, ENOSPC, "write"), CW_E_INVALID);
}

Test(err, table_gives_status_retry_and_name)
{
    cr_assert_eq(CW_E_INVALID, -1);
    cr_assert_eq(cw_err_http_status(0), 200);
    cr_assert_eq(cw_err_http_status(CW_E_INVALID), 400);
    cr_assert_eq(cw_err_http_status(CW_E_TIMEOUT), 504);
    cr_assert_eq(cw_err_http_status(CW_E_TIMEOUT - 1), 500);
    cr_assert_eq(cw_err_http_status(1), 500);
    cr_assert_eq(cw_err_http_status(-2147483647 - 1), 500);
    cr_assert(cw_err_retryable(CW_E_OVERLOAD));
    cr_assert_not(cw_err_retryable(CW_E_CORRUPT));
    cr_assert_str_eq(cw_err_name(CW_E_UNAVAILABLE), "UNAVAILABLE");
    cr_assert_str_eq(cw_err_name(0), "OK");
    cr_assert_str_eq(cw_err_name(-999), "UNKNOWN");
}
