/*
 * buf.h - a growing byte buffer that is born with a cap.
 *
 * Ownership  The buffer owns its bytes until _fini() or _take().
 * Errors     Going over the cap sets `failed` and drops the bytes of that call whole; check cw_buf_failed() once
 *            at the end of a composition. Out of memory aborts.
 */
#ifndef CW_BASE_BUF_H
#define CW_BASE_BUF_H
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/str.h"

struct cw_buf {
    char *ptr; /* NULL until the first byte */
    size_t len, cap;
    size_t max; /* the cap: len never passes it */
    bool failed;
    /* Asked before the memory grows by so many bytes; nonzero: it does not. NULL: nobody asks. */
    int (*take)(void *ctx, size_t bytes);
    void *take_ctx;
};

void cw_buf_init(struct cw_buf *buf, size_t max);
/* A buffer whose growth somebody accounts for: what `take` refuses fails like what is over the cap. Memory that goes is not told:
 * who was asked knows how much it was. */
void cw_buf_watch(struct cw_buf *buf, int (*take)(void *ctx, size_t bytes), void *ctx);
void cw_buf_fini(struct cw_buf *buf);  /* leaves an empty buffer with the same cap */
void cw_buf_clear(struct cw_buf *buf); /* len = 0, failed = false; keeps the memory */
/* Room for `n` more bytes at the end: a pointer to write them at, or NULL over the cap. Then add to `len`. */
char *cw_buf_reserve(struct cw_buf *buf, size_t n);
void cw_buf_add(struct cw_buf *buf, const void *bytes, size_t n);
void cw_buf_adds(struct cw_buf *buf, struct cw_str s);
void cw_buf_addz(struct cw_buf *buf, const char *z);
/* Decimal digits, as "%" PRIu64 and PRId64 print them: where many are written, printf would be most of it. */
void cw_buf_add_u64(struct cw_buf *buf, uint64_t n);
void cw_buf_add_i64(struct cw_buf *buf, int64_t n);
/* Sixteen hexadecimal digits. */
void cw_buf_add_hex64(struct cw_buf *buf, uint64_t n);
static inline void cw_buf_addc(struct cw_buf *buf, char c)
{
    if (buf->len < buf->cap && buf->len < buf->max)
        buf->ptr[buf->len++] = c;
    else
        cw_buf_add(buf, &c, 1);
}
void cw_buf_addf(struct cw_buf *buf, const char *fmt, ...) CW_PRINTF(2, 3);
void cw_buf_vaddf(struct cw_buf *buf, const char *fmt, va_list ap);
/* Ends the bytes with a NUL that is not counted, and returns them (never NULL). */
const char *cw_buf_z(struct cw_buf *buf);
/* The bytes become the caller's (free()); the buffer is empty. */
char *cw_buf_take(struct cw_buf *buf, size_t *len_out);
static inline struct cw_str cw_buf_str(const struct cw_buf *buf)
{
    return (struct cw_str){buf->ptr, buf->len};
}
static inline bool cw_buf_failed(const struct cw_buf *buf)
{
    return buf->failed;
}

#endif
