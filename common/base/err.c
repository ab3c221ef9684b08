#include "common/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct code_row {
    const char *name;
    int http;
    int retry;
};

static const struct code_row code_rows[CW_NCODES] = {[CW_OK] = {"OK", 200, 0},
#define CODE_ROW(name, http, retry) [CW_CODE_INDEX_##name] = {#name, http, retry},
                                                     CW_CODES(CODE_ROW)
#undef CODE_ROW
};

/* NULL for a number that is not in the table. */
static const struct code_row *code_row(int code)
{
    if (code > 0 || code <= -CW_NCODES)
        return NULL;
    return &code_rows[-code];
}

/* `text` may quote err->text itself, so it was formatted elsewhere. */
static void err_put(struct cw_err *err, int code, const char *text)
{
    err->code = code;
    size_t len = strnlen(text, sizeof err->text - 1);
    memcpy(err->text, text, len);
    err->text[len] = '\0';
}

int cw_err_set(struct cw_err *err, int code, const char *fmt, ...)
{
    if (err != NULL) {
        char text[CW_ERR_TEXT_BYTES];
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        err_put(err, code, text);
    }
    return code;
}

int cw_err_wrap(struct cw_err *err, const char *fmt, ...)
{
    if (err == NULL)
        return CW_E_INTERNAL;
    char text[CW_ERR_TEXT_BYTES];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n + 3 < sizeof text) {
        size_t at = (size_t)n;
        memcpy(text + at, ": ", 2);
        size_t len = strnlen(err->text, sizeof text - at - 3);
        memcpy(text + at + 2, err->text, len);
        text[at + 2 + len] = '\0';
    }
    err_put(err, err->code, text);
    return err->code;
}

int cw_err_errno(struct cw_err *err, int code, int errnum, const char *fmt, ...)
{
    if (code == CW_E_IO && (errnum == ENOSPC || errnum == EDQUOT))
        code = CW_E_UNAVAILABLE;
    if (err == NULL)
        return code;
    char text[CW_ERR_TEXT_BYTES];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof text) {
        char why[128];
        snprintf(text + n, sizeof text - (size_t)n, ": %s", strerror_r(errnum, why, sizeof why));
    }
    err_put(err, code, text);
    return code;
}

int cw_err_http_status(int code)
{
    const struct code_row *row = code_row(code);
    return row != NULL ? row->http : 500;
}

int cw_err_retryable(int code)
{
    const struct code_row *row = code_row(code);
    return row != NULL ? row->retry : 0;
}

const char *cw_err_name(int code)
{
    const struct code_row *row = code_row(code);
    return row != NULL ? row->name : "UNKNOWN";
}
