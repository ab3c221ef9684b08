#include "common/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "common/base/assert.h"
#include "common/base/buf.h"
#include "common/base/clock.h"

/* A message quotes at most one error text; a line of the log is no place for more. */
enum { LOG_TEXT_BYTES = CW_ERR_TEXT_BYTES + 2048 };

enum cw_log_level cw_log_threshold = CW_LOG_INFO;
static enum cw_log_format log_format = CW_LOG_LOGFMT;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void cw_log_init(enum cw_log_level level, enum cw_log_format format)
{
    cw_log_threshold = level;
    log_format = format;
}

int cw_log_level_parse(struct cw_str name, enum cw_log_level *out)
{
    for (size_t i = 0; i < CW_COUNT(level_names); i++) {
        if (cw_str_eqz(name, level_names[i])) {
            *out = (enum cw_log_level)i;
            return true;
        }
    }
    return false;
}

/* In quotes, escaped as JSON; logfmt's quoting reads the same escapes. */
static void add_quoted(struct cw_buf *out, struct cw_str s)
{
    cw_buf_addc(out, '"');
    for (size_t at = 0; at < s.len;) {
        uint32_t rune;
        size_t n = cw_utf8_decode(cw_str_sub(s, at, s.len), &rune);
        if (rune == '"' || rune == '\\') {
            cw_buf_addc(out, '\\');
            cw_buf_addc(out, (char)rune);
        } else if (rune == '\n') {
            cw_buf_addz(out, "\\n");
        } else if (rune == '\r') {
            cw_buf_addz(out, "\\r");
        } else if (rune == '\t') {
            cw_buf_addz(out, "\\t");
        } else if (rune < 0x20 || (rune >= 0x7F && rune < 0xA0)) {
            /* C1 controls too: a terminal may obey them */
            cw_buf_addf(out, "\\u%04x", (unsigned)rune);
        } else {
            char bytes[4];
            cw_buf_add(out, bytes, cw_utf8_encode(rune, bytes));
        }
        at += n;
    }
    cw_buf_addc(out, '"');
}

static bool needs_quotes(struct cw_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c <= ' ' || c == '=' || c == '"' || c == '\\' || c >= 0x7F)
            return true;
    }
    return s.len == 0;
}

static void log_line(struct cw_buf *out, enum cw_log_level level, struct cw_str msg)
{
    if (log_format == CW_LOG_JSON) {
        cw_buf_addz(out, "{\"ts\":\"");
        cw_time_format_rfc3339(cw_clock_now_ns(), out);
        cw_buf_addf(out, "\",\"level\":\"%s\",\"msg\":", level_names[level]);
        add_quoted(out, msg);
        cw_buf_addz(out, "}\n");
        return;
    }
    cw_buf_addz(out, "ts=");
    cw_time_format_rfc3339(cw_clock_now_ns(), out);
    cw_buf_addf(out, " level=%s msg=", level_names[level]);
    if (needs_quotes(msg))
        add_quoted(out, msg);
    else
        cw_buf_adds(out, msg);
    cw_buf_addc(out, '\n');
}

void cw_log_write(enum cw_log_level level, const char *fmt, ...)
{
    int saved_errno = errno;
    char text[LOG_TEXT_BYTES];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct cw_str msg = {text, n < 0 ? 0 : CW_MIN((size_t)n, sizeof text - 1)};
    struct cw_buf out;
    cw_buf_init(&out, 8 * sizeof text); /* an escaped byte takes six */
    log_line(&out, level, msg);
    ssize_t rc;
    do {
        rc = write(STDERR_FILENO, out.ptr, out.len);
    } while (rc < 0 && errno == EINTR);
    cw_buf_fini(&out);
    errno = saved_errno;
}
