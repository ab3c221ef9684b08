#include "common/base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"

enum { BUF_FIRST_BYTES = 256 };

void cw_buf_init(struct cw_buf *buf, size_t max)
{
    /* One byte stays free for the NUL of cw_buf_z(). */
    *buf = (struct cw_buf){.max = CW_MIN(max, SIZE_MAX / 2)};
}

void cw_buf_watch(struct cw_buf *buf, int (*take)(void *ctx, size_t bytes), void *ctx)
{
    buf->take = take;
    buf->take_ctx = ctx;
}

/* Nothing is left but the cap and who watches. */
static void buf_empty(struct cw_buf *buf)
{
    *buf = (struct cw_buf){.max = buf->max, .take = buf->take, .take_ctx = buf->take_ctx};
}

void cw_buf_fini(struct cw_buf *buf)
{
    free(buf->ptr);
    buf_empty(buf);
}

void cw_buf_clear(struct cw_buf *buf)
{
    buf->len = 0;
    buf->failed = false;
}

/* Doublings up to `size` bytes; not bound by max, which counts only what is in use. */
static size_t grown_cap(const struct cw_buf *buf, size_t size)
{
    size_t cap = CW_MAX(buf->cap, (size_t)BUF_FIRST_BYTES);
    while (cap < size)
        cap = cap > SIZE_MAX / 2 ? size : cap * 2;
    /* The last doubling does not pass the cap by more than the NUL. */
    return cap > buf->max + 1 ? CW_MAX(buf->max + 1, size) : cap;
}

static void buf_resize(struct cw_buf *buf, size_t cap)
{
    buf->ptr = cw_mem_resize(buf->ptr, cap);
    buf->cap = cap;
}

/* Memory for `size` bytes; false: it was refused. */
static bool buf_hold(struct cw_buf *buf, size_t size)
{
    if (size <= buf->cap)
        return true;
    size_t cap = grown_cap(buf, size);
    if (buf->take != NULL && buf->take(buf->take_ctx, cap - buf->cap) != 0) {
        buf->failed = true;
        return false;
    }
    buf_resize(buf, cap);
    return true;
}

char *cw_buf_reserve(struct cw_buf *buf, size_t n)
{
    if (n > buf->max - buf->len) {
        buf->failed = true;
        return NULL;
    }
    if (!buf_hold(buf, buf->len + n + (buf->ptr == NULL)))
        return NULL;
    return buf->ptr + buf->len;
}

void cw_buf_add(struct cw_buf *buf, const void *bytes, size_t n)
{
    if (n == 0)
        return;
    char *at = cw_buf_reserve(buf, n);
    if (at == NULL)
        return;
    memcpy(at, bytes, n);
    buf->len += n;
}

void cw_buf_adds(struct cw_buf *buf, struct cw_str s)
{
    cw_buf_add(buf, s.ptr, s.len);
}

void cw_buf_addz(struct cw_buf *buf, const char *z)
{
    cw_buf_add(buf, z, strlen(z));
}

static void decimal_add(struct cw_buf *buf, uint64_t magnitude, bool negative)
{
    char text[24], *at = text + sizeof text;
    do {
        *--at = (char)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude > 0);
    if (negative)
        *--at = '-';
    cw_buf_add(buf, at, (size_t)(text + sizeof text - at));
}

void cw_buf_add_u64(struct cw_buf *buf, uint64_t n)
{
    decimal_add(buf, n, false);
}

void cw_buf_add_i64(struct cw_buf *buf, int64_t n)
{
    decimal_add(buf, n < 0 ? 0 - (uint64_t)n : (uint64_t)n, n < 0);
}

void cw_buf_add_hex64(struct cw_buf *buf, uint64_t n)
{
    static const char digits[] = "0123456789abcdef";
    char text[16];
    for (size_t i = sizeof text; i-- > 0; n >>= 4)
        text[i] = digits[n & 15];
    cw_buf_add(buf, text, sizeof text);
}

void cw_buf_addf(struct cw_buf *buf, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    cw_buf_vaddf(buf, fmt, ap);
    va_end(ap);
}

void cw_buf_vaddf(struct cw_buf *buf, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    /* Into what is free first: most texts are short, and this formats them once. */
    size_t room = buf->cap - buf->len;
    int n = vsnprintf(room > 0 ? buf->ptr + buf->len : NULL, room, fmt, ap);
    CW_ASSERT(n >= 0);
    if ((size_t)n > buf->max - buf->len) {
        buf->failed = true;
    } else if ((size_t)n < room) {
        buf->len += (size_t)n;
    } else if (buf_hold(buf, buf->len + (size_t)n + 1)) {
        vsnprintf(buf->ptr + buf->len, (size_t)n + 1, fmt, again);
        buf->len += (size_t)n;
    }
    va_end(again);
}

const char *cw_buf_z(struct cw_buf *buf)
{
    if (buf->len == buf->cap)
        buf_resize(buf, buf->len + 1); /* a byte is not worth a refusal */
    buf->ptr[buf->len] = '\0';
    return buf->ptr;
}

char *cw_buf_take(struct cw_buf *buf, size_t *len_out)
{
    cw_buf_z(buf);
    char *bytes = buf->ptr;
    if (len_out != NULL)
        *len_out = buf->len;
    buf_empty(buf);
    return bytes;
}
