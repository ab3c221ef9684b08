/* Times written and read by Go's layouts. */
#include "common/template/go_time.h"

#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/clock.h"

enum { DAY_S = 86400 };
#define GO_ZERO_SEC INT64_C(-62135596800)

struct cw_go_time cw_go_time_zero(void)
{
    return (struct cw_go_time){.sec = GO_ZERO_SEC};
}

struct cw_go_time cw_go_time_unix(int64_t sec, int64_t nsec)
{
    int64_t carry = nsec / CW_NS_PER_S - (nsec % CW_NS_PER_S < 0);
    return (struct cw_go_time){
        .sec = (int64_t)((uint64_t)sec + (uint64_t)carry),
        .nsec = (int32_t)(nsec - carry * CW_NS_PER_S),
    };
}

int64_t cw_go_time_unix_ns(struct cw_go_time t)
{
    return (int64_t)((uint64_t)t.sec * CW_NS_PER_S + (uint64_t)t.nsec);
}

int64_t cw_go_time_unix_ms(struct cw_go_time t)
{
    return (int64_t)((uint64_t)t.sec * 1000 + (uint64_t)(t.nsec / CW_NS_PER_MS));
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Go's calendar counts years in 64 bits; clock.h's in an int: the 400 years after which it repeats are taken out. */
enum { DAYS_OF_400_YEARS = 146097 };

void cw_go_time_civil(struct cw_go_time t, struct cw_go_civil *out)
{
    *out = (struct cw_go_civil){.offset_s = t.offset_s};
    memcpy(out->abbrev, t.abbrev, sizeof out->abbrev);
    if (t.zone != NULL)
        cw_go_zone_at(t.zone, t.sec, &out->offset_s, out->abbrev);
    else if (!t.fixed)
        memcpy(out->abbrev, "UTC", 4);
    int64_t local = (int64_t)((uint64_t)t.sec + (uint64_t)(int64_t)out->offset_s);
    int64_t day = floor_div(local, DAY_S), rest = local - day * DAY_S;
    int64_t ages = floor_div(day, DAYS_OF_400_YEARS);
    int year;
    cw_day_to_date(day - ages * DAYS_OF_400_YEARS, &year, &out->month, &out->day);
    out->yday = (int)(day - ages * DAYS_OF_400_YEARS - cw_date_to_day(year, 1, 1)) + 1;
    out->year = year + 400 * ages;
    out->weekday = (int)(((day + 4) % 7 + 7) % 7);
    out->hour = (int)(rest / 3600);
    out->minute = (int)(rest / 60 % 60);
    out->second = (int)(rest % 60);
}

/* ---- layouts ---- */

enum element {
    EL_NONE,
    EL_LONG_MONTH,
    EL_MONTH,
    EL_LONG_WEEKDAY,
    EL_WEEKDAY,
    EL_ZONE_NAME,
    EL_ZERO_MONTH,
    EL_ZERO_DAY,
    EL_ZERO_HOUR12,
    EL_ZERO_MINUTE,
    EL_ZERO_SECOND,
    EL_YEAR2,
    EL_ZERO_YDAY,
    EL_HOUR,
    EL_NUM_MONTH,
    EL_YEAR4,
    EL_DAY,
    EL_UNDER_DAY,
    EL_UNDER_YDAY,
    EL_HOUR12,
    EL_MINUTE,
    EL_SECOND,
    EL_UPPER_PM,
    EL_LOWER_PM,
    EL_OFFSET, /* with or without Z, colons, minutes and seconds */
    EL_FRACTION_ZEROS,
    EL_FRACTION_NINES,
};

struct spelling {
    const char *text;
    enum element element;
    bool not_before_small; /* "Jan" is none in "January-like" words: Janus */
};

/* Of two that fit, the earlier one. */
static const struct spelling spellings[] = {
    {"January", EL_LONG_MONTH, false},
    {"Jan", EL_MONTH, true},
    {"Monday", EL_LONG_WEEKDAY, false},
    {"Mon", EL_WEEKDAY, true},
    {"MST", EL_ZONE_NAME, false},
    {"01", EL_ZERO_MONTH, false},
    {"02", EL_ZERO_DAY, false},
    {"03", EL_ZERO_HOUR12, false},
    {"04", EL_ZERO_MINUTE, false},
    {"05", EL_ZERO_SECOND, false},
    {"06", EL_YEAR2, false},
    {"002", EL_ZERO_YDAY, false},
    {"15", EL_HOUR, false},
    {"1", EL_NUM_MONTH, false},
    {"2006", EL_YEAR4, false},
    {"2", EL_DAY, false},
    {"_2", EL_UNDER_DAY, false},
    {"__2", EL_UNDER_YDAY, false},
    {"3", EL_HOUR12, false},
    {"4", EL_MINUTE, false},
    {"5", EL_SECOND, false},
    {"PM", EL_UPPER_PM, false},
    {"pm", EL_LOWER_PM, false},
};

/* Longest first, but for the two whose order Go has so; `Z` and `-` begin the same ones. */
static const char *const offsets[] = {"070000", "07:00:00", "0700", "07:00", "07"};

struct chunk {
    enum element element;
    size_t at, len; /* in the layout; what stands before is copied */
    bool z, colon;  /* OFFSET */
    int parts;      /* OFFSET: 1 hours, 2 minutes, 3 seconds */
    int ndigits;    /* FRACTION_* */
};

static bool is_digit_at(struct cw_str s, size_t at)
{
    return at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9';
}

static bool offset_here(struct cw_str rest, struct chunk *chunk)
{
    struct cw_str body = cw_str_sub(rest, 1, rest.len);
    for (size_t i = 0; i < CW_COUNT(offsets); i++) {
        struct cw_str text = cw_str_of(offsets[i]);
        if (!cw_str_starts(body, text))
            continue;
        chunk->element = EL_OFFSET;
        chunk->len = text.len + 1;
        chunk->z = rest.ptr[0] == 'Z';
        chunk->colon = cw_str_find_byte(text, ':') >= 0;
        chunk->parts = text.len == 2 ? 1 : text.len <= 5 ? 2 : 3;
        return true;
    }
    return false;
}

/* ".000", ",999": a run of one digit with no other behind it. */
static bool fraction_here(struct cw_str rest, struct chunk *chunk)
{
    if (rest.len < 2 || (rest.ptr[1] != '0' && rest.ptr[1] != '9'))
        return false;
    size_t end = 1;
    while (end < rest.len && rest.ptr[end] == rest.ptr[1])
        end++;
    if (is_digit_at(rest, end))
        return false;
    chunk->element = rest.ptr[1] == '0' ? EL_FRACTION_ZEROS : EL_FRACTION_NINES;
    chunk->len = end;
    chunk->ndigits = (int)CW_MIN(end - 1, (size_t)0xFFF);
    return true;
}

static bool chunk_here(struct cw_str rest, struct chunk *chunk)
{
    char c = rest.ptr[0];
    if (c == '-' || c == 'Z')
        return offset_here(rest, chunk);
    if (c == '.' || c == ',')
        return fraction_here(rest, chunk);
    for (size_t i = 0; i < CW_COUNT(spellings); i++) {
        struct cw_str text = cw_str_of(spellings[i].text);
        if (c != text.ptr[0] || !cw_str_starts(rest, text))
            continue;
        char behind = rest.len > text.len ? rest.ptr[text.len] : '\0';
        if (spellings[i].not_before_small && behind >= 'a' && behind <= 'z')
            continue;
        /* "_2006" is an underscore and a year. */
        if (spellings[i].element == EL_UNDER_DAY && cw_str_starts(rest, CW_STR("_2006")))
            return false;
        chunk->element = spellings[i].element;
        chunk->len = text.len;
        return true;
    }
    return false;
}

/* The first element of the layout; NONE at its end: all of it is text. */
static struct chunk next_chunk(struct cw_str layout)
{
    struct chunk chunk = {.element = EL_NONE};
    for (chunk.at = 0; chunk.at < layout.len; chunk.at++)
        if (chunk_here(cw_str_sub(layout, chunk.at, layout.len), &chunk))
            break;
    return chunk;
}

static const char *const months[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};
static const char *const weekdays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                       "Thursday", "Friday", "Saturday"};

/* ---- writing ---- */

/* With at least `width` digits behind the sign. */
static void add_int(struct cw_buf *out, int64_t number, int width)
{
    cw_buf_addf(out, "%s%0*lld", number < 0 ? "-" : "", width, llabs((long long)number));
}

static void add_offset(struct cw_buf *out, const struct chunk *chunk, int32_t offset_s)
{
    if (chunk->z && offset_s == 0) {
        cw_buf_addc(out, 'Z');
        return;
    }
    int minutes = offset_s / 60; /* the sign is that of whole minutes */
    int seconds = minutes < 0 ? -offset_s : offset_s;
    cw_buf_addc(out, minutes < 0 ? '-' : '+');
    minutes = abs(minutes);
    add_int(out, minutes / 60, 2);
    if (chunk->parts >= 2)
        cw_buf_addf(out, "%s%02d", chunk->colon ? ":" : "", minutes % 60);
    if (chunk->parts >= 3) {
        cw_buf_addz(out, chunk->colon ? ":" : "");
        add_int(out, seconds % 60, 2);
    }
}

static void add_fraction(struct cw_buf *out, const struct chunk *chunk, char point, int32_t nsec)
{
    bool trim = chunk->element == EL_FRACTION_NINES;
    char digits[16];
    int n = CW_MIN(chunk->ndigits, 9);
    for (int i = 8, rest = nsec; i >= 0; i--, rest /= 10)
        digits[i] = (char)('0' + rest % 10);
    while (trim && n > 0 && digits[n - 1] == '0')
        n--;
    if (n > 0 || !trim)
        cw_buf_addc(out, point);
    cw_buf_add(out, digits, (size_t)n);
}

static void add_zone_name(struct cw_buf *out, const struct cw_go_civil *civil)
{
    static const struct chunk plain = {.element = EL_OFFSET, .parts = 2};
    if (civil->abbrev[0] != '\0')
        cw_buf_addz(out, civil->abbrev);
    else
        add_offset(out, &plain, civil->offset_s);
}

static void add_element(struct cw_buf *out, const struct chunk *chunk,
                        const struct cw_go_civil *civil)
{
    int hour12 = civil->hour % 12 == 0 ? 12 : civil->hour % 12;
    switch (chunk->element) {
    case EL_LONG_MONTH: cw_buf_addz(out, months[civil->month - 1]); break;
    case EL_MONTH: cw_buf_add(out, months[civil->month - 1], 3); break;
    case EL_LONG_WEEKDAY: cw_buf_addz(out, weekdays[civil->weekday]); break;
    case EL_WEEKDAY: cw_buf_add(out, weekdays[civil->weekday], 3); break;
    case EL_ZERO_MONTH:
    case EL_NUM_MONTH: add_int(out, civil->month, chunk->element == EL_ZERO_MONTH ? 2 : 1); break;
    case EL_ZERO_DAY:
    case EL_DAY: add_int(out, civil->day, chunk->element == EL_ZERO_DAY ? 2 : 1); break;
    case EL_UNDER_DAY: cw_buf_addf(out, "%2d", civil->day); break;
    case EL_ZERO_YDAY: add_int(out, civil->yday, 3); break;
    case EL_UNDER_YDAY: cw_buf_addf(out, "%3d", civil->yday); break;
    case EL_HOUR: add_int(out, civil->hour, 2); break;
    case EL_ZERO_HOUR12:
    case EL_HOUR12: add_int(out, hour12, chunk->element == EL_ZERO_HOUR12 ? 2 : 1); break;
    case EL_ZERO_MINUTE:
    case EL_MINUTE: add_int(out, civil->minute, chunk->element == EL_ZERO_MINUTE ? 2 : 1); break;
    case EL_ZERO_SECOND:
    case EL_SECOND: add_int(out, civil->second, chunk->element == EL_ZERO_SECOND ? 2 : 1); break;
    case EL_YEAR2: add_int(out, llabs((long long)civil->year) % 100, 2); break;
    case EL_YEAR4: add_int(out, civil->year, 4); break;
    case EL_UPPER_PM: cw_buf_addz(out, civil->hour >= 12 ? "PM" : "AM"); break;
    case EL_LOWER_PM: cw_buf_addz(out, civil->hour >= 12 ? "pm" : "am"); break;
    case EL_OFFSET: add_offset(out, chunk, civil->offset_s); break;
    case EL_ZONE_NAME: add_zone_name(out, civil); break;
    case EL_NONE:
    case EL_FRACTION_ZEROS:
    case EL_FRACTION_NINES: break;
    }
}

void cw_go_time_format(struct cw_go_time t, struct cw_str layout, struct cw_buf *out)
{
    struct cw_go_civil civil;
    cw_go_time_civil(t, &civil);
    while (layout.len > 0) {
        struct chunk chunk = next_chunk(layout);
        cw_buf_adds(out, cw_str_sub(layout, 0, chunk.at));
        if (chunk.element == EL_NONE)
            break;
        if (chunk.element == EL_FRACTION_ZEROS || chunk.element == EL_FRACTION_NINES)
            add_fraction(out, &chunk, layout.ptr[chunk.at], t.nsec);
        else
            add_element(out, &chunk, &civil);
        layout = cw_str_sub(layout, chunk.at + chunk.len, layout.len);
    }
}

/* ---- reading ---- */

struct reading {
    struct cw_str text; /* what is left */
    int year, month, day, yday, hour, minute, second, nsec;
    bool am, pm, utc, has_offset;
    int32_t offset_s;
    struct cw_str zone_name;
};

static struct cw_str cut(struct cw_str s, size_t n)
{
    return cw_str_sub(s, n, s.len);
}

static struct cw_str cut_spaces(struct cw_str s)
{
    size_t n = 0;
    while (n < s.len && s.ptr[n] == ' ')
        n++;
    return cut(s, n);
}

/* Text between elements; a space stands for any number of them. */
static bool skip_text(struct cw_str *text, struct cw_str prefix)
{
    while (prefix.len > 0) {
        if (prefix.ptr[0] == ' ') {
            if (text->len > 0 && text->ptr[0] != ' ')
                return false;
            prefix = cut_spaces(prefix);
            *text = cut_spaces(*text);
            continue;
        }
        if (text->len == 0 || text->ptr[0] != prefix.ptr[0])
            return false;
        prefix = cut(prefix, 1);
        *text = cut(*text, 1);
    }
    return true;
}

/* One or two digits; two if `fixed`. */
static bool read_two(struct cw_str *text, bool fixed, int *out)
{
    if (!is_digit_at(*text, 0) || (fixed && !is_digit_at(*text, 1)))
        return false;
    size_t n = is_digit_at(*text, 1) ? 2 : 1;
    *out = text->ptr[0] - '0';
    if (n == 2)
        *out = *out * 10 + (text->ptr[1] - '0');
    *text = cut(*text, n);
    return true;
}

static bool read_yday(struct reading *r, bool fixed)
{
    size_t n = 0;
    for (int i = 0; i < 2 && !fixed; i++)
        if (r->text.len > 0 && r->text.ptr[0] == ' ')
            r->text = cut(r->text, 1);
    for (r->yday = 0; n < 3 && is_digit_at(r->text, n); n++)
        r->yday = r->yday * 10 + (r->text.ptr[n] - '0');
    r->text = cut(r->text, n);
    return n > 0 && (!fixed || n == 3);
}

/* A name in any case; its number from 0. */
static bool read_name(struct cw_str *text, const char *const *names, size_t n, bool abbreviated,
                      int *out)
{
    for (size_t i = 0; i < n; i++) {
        struct cw_str name = cw_str_of(names[i]);
        if (abbreviated)
            name.len = 3;
        if (text->len >= name.len && cw_str_eq_nocase(cw_str_sub(*text, 0, name.len), name)) {
            *text = cut(*text, name.len);
            *out = (int)i;
            return true;
        }
    }
    return false;
}

static bool is_point(char c)
{
    return c == '.' || c == ',';
}

/* Digits, for the first of which Go takes a sign as well, even alone. */
static bool read_signed(struct cw_str digits, int *out)
{
    bool sign = digits.len > 0 && (digits.ptr[0] == '+' || digits.ptr[0] == '-');
    *out = 0;
    for (size_t i = sign; i < digits.len; i++) {
        if (!is_digit_at(digits, i))
            return false;
        *out = *out * 10 + (digits.ptr[i] - '0');
    }
    if (sign && digits.ptr[0] == '-')
        *out = -*out;
    return true;
}

/* A point and digits, of which nine count. */
static bool read_fraction(struct reading *r, size_t ndigits)
{
    if (r->text.len < ndigits + 1 || !is_point(r->text.ptr[0]))
        return false;
    size_t counting = CW_MIN(ndigits, (size_t)9);
    if (!read_signed(cw_str_sub(r->text, 1, counting + 1), &r->nsec) || r->nsec < 0)
        return false;
    for (size_t i = counting; i < 9; i++)
        r->nsec *= 10;
    r->text = cut(r->text, ndigits + 1);
    return true;
}

static size_t digits_behind_point(struct cw_str text)
{
    size_t n = 0;
    while (text.len > 0 && is_point(text.ptr[0]) && is_digit_at(text, n + 1))
        n++;
    return n;
}

static bool read_second(struct reading *r, bool fixed, struct cw_str layout)
{
    if (!read_two(&r->text, fixed, &r->second) || r->second >= 60)
        return false;
    size_t ndigits = digits_behind_point(r->text);
    struct chunk next = next_chunk(layout);
    /* A fraction is read even if the layout has none. */
    if (ndigits == 0 || next.element == EL_FRACTION_ZEROS || next.element == EL_FRACTION_NINES)
        return true;
    return read_fraction(r, ndigits);
}

static bool read_offset(struct reading *r, const struct chunk *chunk)
{
    if (chunk->z && r->text.len > 0 && r->text.ptr[0] == 'Z') {
        r->text = cut(r->text, 1);
        r->utc = true;
        return true;
    }
    int parts[3] = {0, 0, 0};
    struct cw_str text = r->text;
    if (text.len == 0 || (text.ptr[0] != '+' && text.ptr[0] != '-'))
        return false;
    bool negative = text.ptr[0] == '-';
    text = cut(text, 1);
    for (int i = 0; i < chunk->parts; i++) {
        if (i > 0 && chunk->colon) {
            if (text.len == 0 || text.ptr[0] != ':')
                return false;
            text = cut(text, 1);
        }
        if (!read_two(&text, true, &parts[i]))
            return false;
    }
    if (parts[0] > 24 || parts[1] > 60 || parts[2] > 60)
        return false;
    r->offset_s = (parts[0] * 60 + parts[1]) * 60 + parts[2];
    if (negative)
        r->offset_s = -r->offset_s;
    r->has_offset = r->offset_s != -1; /* Go's own mark of "none" */
    r->text = text;
    return true;
}

/* The length of "+03"; 0: none. */
static size_t signed_hours(struct cw_str s)
{
    size_t n = 1;
    int hours = 0;
    if (s.len == 0 || (s.ptr[0] != '+' && s.ptr[0] != '-'))
        return 0;
    for (; is_digit_at(s, n) && hours <= 23; n++)
        hours = hours * 10 + (s.ptr[n] - '0');
    return n == 1 || hours > 23 ? 0 : n;
}

/* The length of what looks like the name of a zone; 0: none. */
static size_t zone_name_length(struct cw_str s)
{
    if (s.len < 3)
        return 0;
    if (cw_str_starts(s, CW_STR("ChST")) || cw_str_starts(s, CW_STR("MeST")))
        return 4;
    if (cw_str_starts(s, CW_STR("GMT")))
        return 3 + signed_hours(cut(s, 3));
    if (s.ptr[0] == '+' || s.ptr[0] == '-')
        return signed_hours(s);
    size_t n = 0;
    while (n < 6 && n < s.len && s.ptr[n] >= 'A' && s.ptr[n] <= 'Z')
        n++;
    if (n == 3 || (n == 5 && s.ptr[4] == 'T') ||
        (n == 4 && (s.ptr[3] == 'T' || cw_str_starts(s, CW_STR("WITA")))))
        return n;
    return 0;
}

static bool read_zone_name(struct reading *r)
{
    if (cw_str_starts(r->text, CW_STR("UTC"))) {
        r->utc = true;
        r->text = cut(r->text, 3);
        return true;
    }
    size_t n = zone_name_length(r->text);
    r->zone_name = cw_str_sub(r->text, 0, n);
    r->text = cut(r->text, n);
    return n > 0;
}

static bool read_pm(struct reading *r, const char *pm, const char *am)
{
    struct cw_str two = cw_str_sub(r->text, 0, 2);
    bool is_pm = cw_str_eqz(two, pm), is_am = cw_str_eqz(two, am);
    r->pm |= is_pm;
    r->am |= is_am;
    r->text = cut(r->text, 2);
    return is_pm || is_am;
}

static bool read_year(struct reading *r, size_t ndigits)
{
    if (r->text.len < ndigits || (ndigits == 4 && !is_digit_at(r->text, 0)) ||
        !read_signed(cw_str_sub(r->text, 0, ndigits), &r->year))
        return false;
    r->text = cut(r->text, ndigits);
    if (ndigits == 2)
        r->year += r->year >= 69 ? 1900 : 2000;
    return true;
}

static bool read_date_element(struct reading *r, const struct chunk *chunk)
{
    int ignored;
    switch (chunk->element) {
    case EL_YEAR2: return read_year(r, 2);
    case EL_YEAR4: return read_year(r, 4);
    case EL_MONTH:
    case EL_LONG_MONTH:
        if (!read_name(&r->text, months, 12, chunk->element == EL_MONTH, &r->month))
            return false;
        r->month++;
        return true;
    case EL_NUM_MONTH:
    case EL_ZERO_MONTH:
        return read_two(&r->text, chunk->element == EL_ZERO_MONTH, &r->month) && r->month >= 1 &&
               r->month <= 12;
    case EL_WEEKDAY:
    case EL_LONG_WEEKDAY:
        return read_name(&r->text, weekdays, 7, chunk->element == EL_WEEKDAY, &ignored);
    case EL_UNDER_DAY:
        if (r->text.len > 0 && r->text.ptr[0] == ' ')
            r->text = cut(r->text, 1);
        return read_two(&r->text, false, &r->day);
    case EL_DAY:
    case EL_ZERO_DAY: return read_two(&r->text, chunk->element == EL_ZERO_DAY, &r->day);
    default: return read_yday(r, chunk->element == EL_ZERO_YDAY);
    }
}

static bool read_element(struct reading *r, const struct chunk *chunk, struct cw_str layout)
{
    switch (chunk->element) {
    case EL_HOUR: return read_two(&r->text, false, &r->hour) && r->hour < 24;
    case EL_HOUR12:
    case EL_ZERO_HOUR12:
        return read_two(&r->text, chunk->element == EL_ZERO_HOUR12, &r->hour) && r->hour <= 12;
    case EL_MINUTE:
    case EL_ZERO_MINUTE:
        return read_two(&r->text, chunk->element == EL_ZERO_MINUTE, &r->minute) && r->minute < 60;
    case EL_SECOND:
    case EL_ZERO_SECOND: return read_second(r, chunk->element == EL_ZERO_SECOND, layout);
    case EL_UPPER_PM: return read_pm(r, "PM", "AM");
    case EL_LOWER_PM: return read_pm(r, "pm", "am");
    case EL_OFFSET: return read_offset(r, chunk);
    case EL_ZONE_NAME: return read_zone_name(r);
    case EL_FRACTION_ZEROS: return read_fraction(r, (size_t)chunk->ndigits);
    case EL_FRACTION_NINES:
        return digits_behind_point(r->text) == 0 || read_fraction(r, digits_behind_point(r->text));
    default: return read_date_element(r, chunk);
    }
}

static int days_in(int month, int year)
{
    int next_year = month == 12 ? year + 1 : year;
    return (int)(cw_date_to_day(next_year, month % 12 + 1, 1) - cw_date_to_day(year, month, 1));
}

/* Month and day from the day of the year, or their defaults; false when they do not fit together. */
static bool settle_date(struct reading *r)
{
    if (r->pm && r->hour < 12)
        r->hour += 12;
    else if (r->am && r->hour == 12)
        r->hour = 0;
    if (r->yday >= 0) {
        int year, month, day, ndays = days_in(2, r->year) == 29 ? 366 : 365;
        if (r->yday < 1 || r->yday > ndays)
            return false;
        cw_day_to_date(cw_date_to_day(r->year, 1, 1) + r->yday - 1, &year, &month, &day);
        if ((r->month >= 0 && r->month != month) || (r->day >= 0 && r->day != day))
            return false;
        r->month = month;
        r->day = day;
    }
    if (r->month < 0)
        r->month = 1;
    if (r->day < 0)
        r->day = 1;
    return r->day >= 1 && r->day <= days_in(r->month, r->year);
}

static void set_fixed(struct cw_go_time *t, struct cw_str name, int32_t offset_s)
{
    t->fixed = true;
    t->offset_s = offset_s;
    memcpy(t->abbrev, name.ptr != NULL ? name.ptr : "", CW_MIN(name.len, sizeof t->abbrev - 1));
}

/* Local seconds to the instant, in a zone: the offset before the guess, or the one that holds there (Go's Date). */
static int64_t local_to_unix(const struct cw_go_zone *zone, int64_t local)
{
    int32_t offset, other;
    char abbrev[CW_GO_ZONE_NAME_BYTES];
    cw_go_zone_at(zone, local, &offset, abbrev);
    if (offset == 0)
        return local;
    cw_go_zone_at(zone, (int64_t)((uint64_t)local - (uint64_t)(int64_t)offset), &other, abbrev);
    return (int64_t)((uint64_t)local - (uint64_t)(int64_t)other);
}

struct cw_go_time cw_go_time_add_date(struct cw_go_time t, int64_t years, int64_t months,
                                      int64_t days)
{
    struct cw_go_civil civil;
    cw_go_time_civil(t, &civil);
    int64_t month = (int64_t)((uint64_t)(civil.month - 1) + (uint64_t)months);
    int64_t carry = floor_div(month, 12);
    int64_t year = (int64_t)((uint64_t)civil.year + (uint64_t)years + (uint64_t)carry);
    int64_t ages = floor_div(year, 400);
    int64_t first = cw_date_to_day((int)(year - ages * 400), (int)(month - carry * 12) + 1, 1);
    uint64_t day = (uint64_t)first + (uint64_t)ages * DAYS_OF_400_YEARS +
                   (uint64_t)(civil.day - 1) + (uint64_t)days;
    int64_t local = (int64_t)(day * DAY_S + (uint64_t)civil.hour * 3600 +
                              (uint64_t)civil.minute * 60 + (uint64_t)civil.second);
    t.sec = t.zone != NULL ? local_to_unix(t.zone, local)
                           : (int64_t)((uint64_t)local - (uint64_t)(int64_t)t.offset_s);
    return t;
}

static void settle_zone(const struct reading *r, const struct cw_go_zone *zone,
                        struct cw_go_time *out)
{
    int64_t local = out->sec;
    int32_t offset = 0;
    char abbrev[CW_GO_ZONE_NAME_BYTES];
    if (r->utc)
        return;
    if (r->has_offset) {
        out->sec = local - r->offset_s;
        memcpy(abbrev, "UTC", 4);
        if (zone != NULL)
            cw_go_zone_at(zone, out->sec, &offset, abbrev);
        if (offset == r->offset_s && (r->zone_name.len == 0 || cw_str_eqz(r->zone_name, abbrev)))
            out->zone = zone;
        else
            set_fixed(out, r->zone_name, r->offset_s);
        return;
    }
    if (r->zone_name.len > 0) {
        if (zone != NULL && cw_go_zone_find(zone, r->zone_name, local, &offset)) {
            out->sec = local - offset;
            out->zone = zone;
            return;
        }
        int64_t hours = 0;
        if (r->zone_name.len > 3 && cw_str_starts(r->zone_name, CW_STR("GMT"))) {
            bool negative = r->zone_name.ptr[3] == '-';
            for (size_t i = 4; i < r->zone_name.len; i++)
                hours = hours * 10 + (r->zone_name.ptr[i] - '0');
            hours = negative ? -hours : hours;
        }
        set_fixed(out, r->zone_name, (int32_t)(hours * 3600));
        return;
    }
    out->zone = zone;
    if (zone != NULL)
        out->sec = local_to_unix(zone, local);
}

bool cw_go_time_parse(struct cw_str layout, struct cw_str text, const struct cw_go_zone *zone,
                      struct cw_go_time *out)
{
    struct reading r = {.text = text, .month = -1, .day = -1, .yday = -1};
    *out = cw_go_time_zero();
    for (;;) {
        struct chunk chunk = next_chunk(layout);
        if (!skip_text(&r.text, cw_str_sub(layout, 0, chunk.at)))
            return false;
        if (chunk.element == EL_NONE)
            break;
        layout = cut(layout, chunk.at + chunk.len);
        if (!read_element(&r, &chunk, layout))
            return false;
    }
    if (r.text.len > 0 || !settle_date(&r))
        return false;
    *out = (struct cw_go_time){
        .sec = cw_date_to_day(r.year, r.month, r.day) * DAY_S + r.hour * 3600 + r.minute * 60 +
               r.second,
        .nsec = r.nsec,
    };
    settle_zone(&r, zone, out);
    return true;
}
