#include "shipper/syslog_message.h"
#include <time.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/wire/push.h"

enum { PRI_MAX = 191, COUNT_DIGITS = 7 };

const char *cw_syslog_severity(unsigned severity)
{
    static const char *const names[] = {"emergency", "alert",  "critical",      "error",
                                        "warning",   "notice", "informational", "debug"};
    return severity < CW_COUNT(names) ? names[severity] : "";
}

const char *cw_syslog_facility(unsigned facility)
{
    static const char *const names[] = {
        "kern",   "user",   "mail",     "daemon", "auth",   "syslog",   "lpr",     "news",
        "uucp",   "cron",   "authpriv", "ftp",    "ntp",    "security", "console", "solaris-cron",
        "local0", "local1", "local2",   "local3", "local4", "local5",   "local6",  "local7"};
    return facility < CW_COUNT(names) ? names[facility] : "";
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool byte_take(struct cw_str *rest, char byte)
{
    if (rest->len == 0 || rest->ptr[0] != byte)
        return false;
    *rest = cw_str_sub(*rest, 1, rest->len);
    return true;
}

/* 1 to max_digits digits. */
static bool number_take(struct cw_str *rest, size_t max_digits, unsigned *out)
{
    size_t n = 0;
    *out = 0;
    for (; n < rest->len && n < max_digits && is_digit(rest->ptr[n]); n++)
        *out = *out * 10 + (unsigned)(rest->ptr[n] - '0');
    *rest = cw_str_sub(*rest, n, rest->len);
    return n > 0;
}

static bool pri_take(struct cw_str *rest, struct cw_syslog_message *out)
{
    unsigned pri;
    if (!byte_take(rest, '<') || !number_take(rest, 3, &pri) || !byte_take(rest, '>') ||
        pri > PRI_MAX)
        return false;
    out->facility = pri / 8;
    out->severity = pri % 8;
    return true;
}

/* Up to the next space, which goes too. */
static struct cw_str word_take(struct cw_str *rest)
{
    struct cw_str word;
    return cw_str_split(rest, ' ', &word) ? word : CW_STR_NONE;
}

static struct cw_str nil_take(struct cw_str *rest)
{
    struct cw_str word = word_take(rest);
    return cw_str_eqz(word, "-") ? CW_STR_NONE : word;
}

/* ---- RFC 5424 ---- */

/* A quoted value, whose opening quote was taken: \" \\ and \] are escapes, other backslashes not. */
static bool value_take(struct cw_str *rest, struct cw_arena *arena, struct cw_str *out)
{
    size_t end = 0, n = 0;
    bool escaped = false;
    for (; end < rest->len && rest->ptr[end] != '"'; end++)
        if (rest->ptr[end] == '\\' && end + 1 < rest->len) {
            end++;
            escaped = true;
        }
    if (end >= rest->len)
        return false;
    *out = cw_str_sub(*rest, 0, end);
    if (escaped) {
        char *text = cw_arena_alloc(arena, end);
        for (size_t i = 0; i < end; i++) {
            bool escape = out->ptr[i] == '\\' && i + 1 < end && strchr("\"\\]", out->ptr[i + 1]) &&
                          out->ptr[i + 1] != '\0';
            text[n++] = out->ptr[i += escape];
        }
        *out = cw_str_make(text, n);
    }
    *rest = cw_str_sub(*rest, end + 1, rest->len);
    return true;
}

/* [id name="value" ...], whose bracket was taken. */
static bool element_take(struct cw_str *rest, struct cw_arena *arena, size_t *cap,
                         struct cw_syslog_message *out)
{
    size_t end = 0;
    while (end < rest->len && rest->ptr[end] != ' ' && rest->ptr[end] != ']')
        end++;
    struct cw_str id = cw_str_sub(*rest, 0, end);
    *rest = cw_str_sub(*rest, end, rest->len);
    while (byte_take(rest, ' ')) {
        struct cw_syslog_param param = {.id = id};
        if (rest->len > 0 && rest->ptr[0] == ']')
            break; /* a space too many */
        if (!cw_str_split(rest, '=', &param.name) || !byte_take(rest, '"') ||
            !value_take(rest, arena, &param.value) || out->nparams == CW_SYSLOG_PARAMS_MAX)
            return false;
        out->params = cw_arena_grow(arena, out->params, out->nparams, cap, out->nparams + 1,
                                    sizeof *out->params);
        out->params[out->nparams++] = param;
    }
    return id.len > 0 && byte_take(rest, ']');
}

static bool structured_data_take(struct cw_str *rest, struct cw_arena *arena,
                                 struct cw_syslog_message *out)
{
    size_t cap = 0;
    if (byte_take(rest, '-'))
        return true;
    if (rest->len == 0 || rest->ptr[0] != '[')
        return false;
    while (byte_take(rest, '['))
        if (!element_take(rest, arena, &cap, out))
            return false;
    return true;
}

int cw_syslog_rfc5424_decode(struct cw_str message, struct cw_arena *arena,
                             struct cw_syslog_message *out, struct cw_err *err)
{
    struct cw_str rest = message;
    unsigned version;
    *out = (struct cw_syslog_message){.ts_ns = CW_PUSH_TS_NONE};
    if (!pri_take(&rest, out) || !number_take(&rest, 2, &version) || version != 1 ||
        !byte_take(&rest, ' '))
        return cw_err_set(err, CW_E_INVALID, "no message of RFC 5424");
    struct cw_str time = nil_take(&rest);
    if (time.len > 0 && !cw_time_parse_rfc3339(time, &out->ts_ns))
        return cw_err_set(err, CW_E_INVALID, "no time of RFC 5424: \"%.*s\"", CW_STR_ARG(time));
    out->hostname = nil_take(&rest);
    out->app_name = nil_take(&rest);
    out->proc_id = nil_take(&rest);
    out->msg_id = nil_take(&rest);
    if (!structured_data_take(&rest, arena, out) || (rest.len > 0 && !byte_take(&rest, ' ')))
        return cw_err_set(err, CW_E_INVALID, "structured data that are none");
    static const struct cw_str bom = CW_STR("\xEF\xBB\xBF");
    out->text = cw_str_starts(rest, bom) ? cw_str_sub(rest, bom.len, rest.len) : rest;
    return 0;
}

/* ---- RFC 3164 ---- */

static bool month_take(struct cw_str *rest, int *month)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++)
        if (cw_str_starts(*rest, cw_str_make(names + 3 * i, 3))) {
            *month = i;
            *rest = cw_str_sub(*rest, 3, rest->len);
            return true;
        }
    return false;
}

/* hh:mm:ss and perhaps a fraction. */
static bool clock_take(struct cw_str *rest, struct tm *tm, int64_t *fraction_ns)
{
    unsigned hour, minute, second;
    *fraction_ns = 0;
    if (!number_take(rest, 2, &hour) || !byte_take(rest, ':') || !number_take(rest, 2, &minute) ||
        !byte_take(rest, ':') || !number_take(rest, 2, &second) || hour > 23 || minute > 59 ||
        second > 60)
        return false;
    tm->tm_hour = (int)hour;
    tm->tm_min = (int)minute;
    tm->tm_sec = (int)second;
    if (byte_take(rest, '.')) {
        int64_t unit = CW_NS_PER_S / 10;
        for (; rest->len > 0 && is_digit(rest->ptr[0]); *rest = cw_str_sub(*rest, 1, rest->len)) {
            *fraction_ns += (rest->ptr[0] - '0') * unit;
            unit /= 10;
        }
    }
    return true;
}

static int64_t local_ns(struct tm tm, int year)
{
    tm.tm_year = year - 1900;
    tm.tm_isdst = -1;
    return (int64_t)mktime(&tm) * CW_NS_PER_S;
}

/* Of this year, the one before and the one behind, the time that is nearest. */
static int64_t nearest_year(const struct tm *tm, int64_t now_ns)
{
    time_t now = (time_t)(now_ns / CW_NS_PER_S);
    struct tm today;
    localtime_r(&now, &today);
    int64_t best = 0, best_away = INT64_MAX;
    for (int year = today.tm_year + 1899; year <= today.tm_year + 1901; year++) {
        int64_t ns = local_ns(*tm, year), away = ns > now_ns ? ns - now_ns : now_ns - ns;
        if (away < best_away) {
            best = ns;
            best_away = away;
        }
    }
    return best;
}

/* "Jan  5 10:00:00", "Jan 5 2026 10:00:00"; the space behind it goes too. */
static bool bsd_time_take(struct cw_str *rest, int64_t now_ns, int64_t *out)
{
    struct cw_str at = *rest;
    struct tm tm = {0};
    unsigned day, year = 0;
    int64_t fraction_ns;
    if (!month_take(&at, &tm.tm_mon) || !byte_take(&at, ' '))
        return false;
    (void)byte_take(&at, ' ');
    if (!number_take(&at, 2, &day) || day < 1 || day > 31 || !byte_take(&at, ' '))
        return false;
    tm.tm_mday = (int)day;
    struct cw_str behind = at;
    if (number_take(&behind, 4, &year) && year >= 1970 && byte_take(&behind, ' '))
        at = behind;
    else
        year = 0;
    if (!clock_take(&at, &tm, &fraction_ns))
        return false;
    (void)byte_take(&at, ':'); /* Cisco */
    if (at.len > 0 && !byte_take(&at, ' '))
        return false;
    *out = (year > 0 ? local_ns(tm, (int)year) : nearest_year(&tm, now_ns)) + fraction_ns;
    *rest = at;
    return true;
}

static bool time_take(struct cw_str *rest, int64_t now_ns, int64_t *out)
{
    struct cw_str at = *rest, word;
    if (cw_str_split(&at, ' ', &word) && cw_time_parse_rfc3339(word, out)) {
        *rest = at;
        return true;
    }
    return bsd_time_take(rest, now_ns, out);
}

/* "123: *Jan 5 ...": what Cisco's routers put ahead of the time. */
static void cisco_take(struct cw_str *rest)
{
    struct cw_str at = *rest;
    unsigned sequence;
    if (number_take(&at, 9, &sequence) && byte_take(&at, ':')) {
        (void)byte_take(&at, ' ');
        *rest = at;
    }
    if (rest->len > 0 && (rest->ptr[0] == '*' || rest->ptr[0] == '.'))
        *rest = cw_str_sub(*rest, 1, rest->len);
}

/* "tag[pid]: ", "tag: "; where there is none nothing is taken. */
static void tag_take(struct cw_str *rest, struct cw_syslog_message *out)
{
    size_t end = 0;
    while (end < rest->len && end < 128 && strchr(" [:", rest->ptr[end]) == NULL)
        end++;
    struct cw_str tag = cw_str_sub(*rest, 0, end), at = cw_str_sub(*rest, end, rest->len),
                  pid = {0};
    if (byte_take(&at, '[') && !cw_str_split(&at, ']', &pid))
        return;
    if (tag.len == 0 || !byte_take(&at, ':'))
        return;
    (void)byte_take(&at, ' ');
    out->app_name = tag;
    out->proc_id = pid;
    *rest = at;
}

int cw_syslog_rfc3164_decode(struct cw_str message, int64_t now_ns, struct cw_syslog_message *out,
                             struct cw_err *err)
{
    struct cw_str rest = message;
    *out = (struct cw_syslog_message){.ts_ns = CW_PUSH_TS_NONE};
    if (!pri_take(&rest, out))
        return cw_err_set(err, CW_E_INVALID, "no message of RFC 3164");
    cisco_take(&rest);
    if (time_take(&rest, now_ns, &out->ts_ns)) {
        struct cw_str behind = rest, host;
        /* A word that ends as a tag does is no host: programs that write to /dev/log name none. */
        if (cw_str_split(&behind, ' ', &host) && host.len > 0 && behind.len > 0 &&
            host.ptr[host.len - 1] != ':' && host.ptr[0] != '%') {
            out->hostname = host;
            rest = behind;
        }
    }
    tag_take(&rest, out);
    out->text = rest;
    return 0;
}

/* ---- framing ---- */

static enum cw_syslog_frame counted_take(struct cw_str *bytes, struct cw_str at, unsigned count,
                                         bool end, size_t max_len, struct cw_str *message,
                                         size_t *skip)
{
    size_t len = CW_MIN(count, max_len);
    if (at.len < len && !end)
        return CW_SYSLOG_FRAME_NONE;
    *message = cw_str_sub(at, 0, len);
    *skip = count > at.len && !end ? count - at.len : 0;
    *bytes = cw_str_sub(at, count, at.len);
    while (message->len > 0 &&
           (message->ptr[message->len - 1] == '\n' || message->ptr[message->len - 1] == '\0'))
        message->len--;
    return count > max_len ? CW_SYSLOG_FRAME_CUT : CW_SYSLOG_FRAME_WHOLE;
}

enum cw_syslog_frame cw_syslog_frame_take(struct cw_str *bytes, bool end, size_t max_len,
                                          struct cw_str *message, size_t *skip)
{
    *skip = 0;
    while (bytes->len > 0 && (bytes->ptr[0] == '\n' || bytes->ptr[0] == '\0'))
        *bytes = cw_str_sub(*bytes, 1, bytes->len); /* between messages */
    struct cw_str at = *bytes;
    unsigned count;
    if (number_take(&at, COUNT_DIGITS, &count)) {
        if (at.len == 0 && !end)
            return CW_SYSLOG_FRAME_NONE;
        if (count > 0 && byte_take(&at, ' '))
            return counted_take(bytes, at, count, end, max_len, message, skip);
    }
    size_t len = 0, bound = CW_MIN(bytes->len, max_len);
    while (len < bound && bytes->ptr[len] != '\n' && bytes->ptr[len] != '\0')
        len++;
    if (len == 0 || (len == bytes->len && !end))
        return CW_SYSLOG_FRAME_NONE;
    bool ended = len < bytes->len && (bytes->ptr[len] == '\n' || bytes->ptr[len] == '\0');
    *message = cw_str_sub(*bytes, 0, len);
    *bytes = cw_str_sub(*bytes, len + ended, bytes->len);
    if (message->ptr[len - 1] == '\r')
        message->len--;
    return ended || bytes->len == 0 ? CW_SYSLOG_FRAME_WHOLE : CW_SYSLOG_FRAME_CUT;
}
