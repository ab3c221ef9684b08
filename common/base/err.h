/*
 * err.h - error codes and the sentence for a person that goes with them.
 *
 * A fallible function returns 0 (or a count) or a negative CW_E_*; the sentence is written once, where the
 * error is found, into the caller's `struct cw_err`, and each level above may put what only it knows in
 * front (cw_err_wrap). An error is returned or logged, never both. On success `err` is left alone.
 *
 * Errors     Nothing here fails; a sentence longer than the buffer is cut.
 * Threads    A cw_err belongs to one thread at a time.
 */
#ifndef CW_BASE_ERR_H
#define CW_BASE_ERR_H

#define CW_MUST_USE __attribute__((warn_unused_result))
#define CW_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))

/* name, HTTP status that a server answers, whether a client may retry the same request */
#define CW_CODES(X)                                                                                \
    X(INVALID, 400, 0) /* the input is wrong: syntax, type, range */                               \
    X(LIMIT, 400, 0)   /* a limit of the tenant or of the program forbids it */                    \
    X(UNAUTHORIZED, 401, 0)                                                                        \
    X(FORBIDDEN, 403, 0)                                                                           \
    X(NOT_FOUND, 404, 0)                                                                           \
    X(METHOD, 405, 0)                                                                              \
    X(CONFLICT, 409, 0) /* a delivery range does not begin at its mark */                          \
    X(TOO_LARGE, 413, 0)                                                                           \
    X(MEDIA_TYPE, 415, 0)                                                                          \
    X(UNPROCESSABLE, 422, 0)                                                                       \
    X(OVERLOAD, 429, 1) /* memory budget or queue is full */                                       \
    X(CANCELED, 499, 0) /* the client went away */                                                 \
    X(INTERNAL, 500, 1)                                                                            \
    X(CORRUPT, 500, 0) /* bytes on disk fail their checksum or their bounds */                     \
    X(IO, 500, 1)                                                                                  \
    X(NOT_IMPLEMENTED, 501, 0) /* what this program or store does not do; the sentence names it */ \
    X(UNAVAILABLE, 503, 1)     /* starting, stopping, disk full */                                 \
    X(TIMEOUT, 504, 1)

enum cw_code {
    CW_OK = 0,
#define CW_CODE_INDEX(name, http, retry) CW_CODE_INDEX_##name,
    CW_CODE_FIRST = 0,
    CW_CODES(CW_CODE_INDEX)
#undef CW_CODE_INDEX
        CW_NCODES
};
/* CW_E_INVALID is -1, CW_E_LIMIT -2, ...: the table's order, negated. */
#define CW_CODE_VALUE(name, http, retry) CW_E_##name = -CW_CODE_INDEX_##name,
enum { CW_CODES(CW_CODE_VALUE) };
#undef CW_CODE_VALUE

/* Long enough for Loki's texts that quote a whole label set of the largest size it accepts. */
enum { CW_ERR_TEXT_BYTES = 4096 };

struct cw_err {
    int code;                     /* negative CW_E_*, 0 when nothing was set */
    char text[CW_ERR_TEXT_BYTES]; /* always ended by NUL */
};

/* Set code and sentence; returns `code`, so that `return cw_err_set(...)` reads well. `err` may be NULL. */
int cw_err_set(struct cw_err *err, int code, const char *fmt, ...) CW_PRINTF(3, 4);

/* Put "<formatted>: " in front of the sentence; returns the code. */
int cw_err_wrap(struct cw_err *err, const char *fmt, ...) CW_PRINTF(2, 3);

/* As cw_err_set with ": " and strerror(errnum) behind. ENOSPC and EDQUOT become CW_E_UNAVAILABLE when `code` is CW_E_IO. */
int cw_err_errno(struct cw_err *err, int code, int errnum, const char *fmt, ...) CW_PRINTF(4, 5);

/* HTTP status of a negative CW_E_*; 200 for 0, 500 for a code that is not in the table. */
int cw_err_http_status(int code);
/* Whether the same request may succeed later. */
int cw_err_retryable(int code);
/* "INVALID", "IO", ...; "OK" for 0. */
const char *cw_err_name(int code);

#endif
