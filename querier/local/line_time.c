#include "querier/local/line_time.h"

#include "common/base/assert.h"
#include "common/extract/json_scan.h"

enum kind { KIND_NONE, KIND_FRONT, KIND_JSON, KIND_LOGFMT, KIND_ACCESS, KIND_INSIDE, KIND_ALL };
#define ALL_KINDS ((1u << KIND_ALL) - 1)
/* How far into a line the key of a logfmt pair, or the time of an access log, is looked for. */
#define LOGFMT_BYTES 512
#define ACCESS_BYTES 512
/* Lines that are looked at to learn the forms of a file. */
#define LEARN_LINES 256
/* Fewer than one line in so many of those of the commonest form. */
#define RARE 4

static const struct cw_str json_names[] = {
    {"time", 4}, {"ts", 2}, {"timestamp", 9}, {"@timestamp", 10}};
/* Files of Windows begin with one; the time is behind it. */
static const struct cw_str byte_order_mark = {"\xef\xbb\xbf", 3};

void cw_line_time_init(struct cw_line_time *reader, enum cw_zone zone, int64_t reference_ns)
{
    *reader = (struct cw_line_time){.kinds = ALL_KINDS, .arena = cw_arena_new()};
    cw_zone_time_init(&reader->text.zone, zone);
    reader->text.reference_ns = reference_ns;
}

void cw_line_time_init_like(struct cw_line_time *reader, const struct cw_line_time *other)
{
    *reader = *other;
    reader->arena = cw_arena_new();
}

void cw_line_time_fini(struct cw_line_time *reader)
{
    cw_arena_free(&reader->arena);
}

/* "<34>" or "<34>1 "; a version stands only before a time of RFC 5424. */
static void skip_priority(struct cw_str *s)
{
    size_t n = 1;
    while (n < s->len && n <= 3 && s->ptr[n] >= '0' && s->ptr[n] <= '9')
        n++;
    if (n == 1 || n >= s->len || s->ptr[n] != '>')
        return;
    *s = cw_str_sub(*s, n + 1, s->len);
    if (s->len > 2 && s->ptr[0] >= '1' && s->ptr[0] <= '9' && s->ptr[1] == ' ')
        *s = cw_str_sub(*s, 2, s->len);
}

static bool read_front(struct cw_line_time *reader, struct cw_str line, int64_t *ns_out)
{
    if (line.len > 0 && line.ptr[0] == '<')
        skip_priority(&line);
    else if (line.len > 0 && line.ptr[0] == '[')
        line = cw_str_sub(line, 1, line.len);
    return cw_time_text_take(&reader->text, &line, ns_out);
}

/* All of the text is a time (of a JSON string, of a logfmt value). */
static bool read_value(struct cw_line_time *reader, struct cw_str value, int64_t *ns_out)
{
    return cw_time_text_take(&reader->text, &value, ns_out) && value.len == 0;
}

static bool read_json(struct cw_line_time *reader, struct cw_str line, int64_t *ns_out)
{
    if (line.len == 0 || line.ptr[0] != '{')
        return false;
    struct cw_json_members members;
    struct cw_str key;
    struct cw_json_value value;
    const char *why = NULL;
    bool found = false;
    cw_json_members_init(&members, line, reader->arena);
    while (!found && cw_json_members_next(&members, &key, &value, &why)) {
        if (!cw_str_among(key, json_names, sizeof json_names / sizeof json_names[0]))
            continue;
        if (value.type == CW_JSON_TYPE_NUMBER)
            found = cw_time_text_epoch(value.text, ns_out);
        else if (value.type == CW_JSON_TYPE_STRING)
            found = read_value(reader, value.text, ns_out);
    }
    cw_arena_reset(reader->arena);
    return found;
}

/* The value of `name=` where a word begins, without its quotes. */
static bool logfmt_value(struct cw_str line, struct cw_str name, struct cw_str *out)
{
    struct cw_str head = cw_str_sub(line, 0, LOGFMT_BYTES);
    size_t from = 0;
    ptrdiff_t at;
    while ((at = cw_str_find(cw_str_sub(head, from, head.len), name)) >= 0) {
        size_t begin = from + (size_t)at;
        from = begin + name.len;
        if (begin > 0 && line.ptr[begin - 1] != ' ' && line.ptr[begin - 1] != '\t')
            continue;
        struct cw_str value = cw_str_sub(line, from, line.len);
        char end = value.len > 0 && value.ptr[0] == '"' ? '"' : ' ';
        if (end == '"')
            value = cw_str_sub(value, 1, value.len);
        ptrdiff_t len = cw_str_find_byte(value, end);
        *out = len >= 0 ? cw_str_sub(value, 0, (size_t)len) : value;
        return true;
    }
    return false;
}

static bool read_logfmt(struct cw_line_time *reader, struct cw_str line, int64_t *ns_out)
{
    static const struct cw_str names[] = {{"ts=", 3}, {"time=", 5}, {"timestamp=", 10}};
    struct cw_str value;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (logfmt_value(line, names[i], &value) && read_value(reader, value, ns_out))
            return true;
    }
    return false;
}

static bool read_access(struct cw_line_time *reader, struct cw_str line, int64_t *ns_out)
{
    struct cw_str rest = cw_str_sub(line, 0, ACCESS_BYTES);
    ptrdiff_t at;
    while ((at = cw_str_find_byte(rest, '[')) >= 0) {
        rest = cw_str_sub(rest, (size_t)at + 1, rest.len);
        struct cw_str text = rest;
        if (cw_time_text_take_access(&reader->text, &text, ns_out))
            return true;
    }
    return false;
}

static bool read_inside(struct cw_line_time *reader, struct cw_str line, int64_t *ns_out)
{
    size_t end = line.len < CW_LINE_TIME_INSIDE_BYTES ? line.len : CW_LINE_TIME_INSIDE_BYTES;
    if (end > 0 && (line.ptr[0] == ' ' || line.ptr[0] == '\t' || line.ptr[0] == '{'))
        return false; /* it goes on with what is before; members of JSON that are no times of the line */
    for (size_t i = 4; i < end; i++) {
        char before = i > 4 ? line.ptr[i - 5] : ' ';
        if (line.ptr[i] != '-' || (before != ' ' && before != '[' && before != '"' &&
                                   before != '(' && before != '|' && before != '\t'))
            continue;
        struct cw_str text = cw_str_sub(line, i - 4, line.len);
        if (cw_time_text_take_iso(&reader->text, &text, ns_out))
            return true;
    }
    return false;
}

typedef bool (*read_fn)(struct cw_line_time *reader, struct cw_str line, int64_t *ns_out);
static const read_fn readers[] = {
    [KIND_FRONT] = read_front,   [KIND_JSON] = read_json,     [KIND_LOGFMT] = read_logfmt,
    [KIND_ACCESS] = read_access, [KIND_INSIDE] = read_inside,
};

static enum kind read_kind(struct cw_line_time *reader, struct cw_str line, int64_t *ns_out)
{
    if (cw_str_starts(line, byte_order_mark))
        line = cw_str_sub(line, byte_order_mark.len, line.len);
    for (enum kind kind = KIND_FRONT; kind < KIND_ALL; kind++)
        if ((reader->kinds & 1u << kind) != 0 && readers[kind](reader, line, ns_out))
            return kind;
    return KIND_NONE;
}

bool cw_line_time_read(struct cw_line_time *reader, struct cw_str line, int64_t *ns_out)
{
    return read_kind(reader, line, ns_out) != KIND_NONE;
}

bool cw_line_time_next(struct cw_str *lines, struct cw_str *line_out)
{
    return lines->len > 0 && cw_str_split(lines, '\n', line_out);
}

/* A form that is rare beside another one is what lines speak of, not when they were written. */
void cw_line_time_learn(struct cw_line_time *reader, struct cw_str lines)
{
    size_t counts[KIND_ALL] = {0}, most = 0;
    struct cw_str line;
    int64_t ns;
    reader->kinds = ALL_KINDS;
    for (size_t i = 0; i < LEARN_LINES && cw_line_time_next(&lines, &line); i++)
        counts[read_kind(reader, line, &ns)]++;
    for (enum kind kind = KIND_FRONT; kind < KIND_ALL; kind++)
        most = CW_MAX(most, counts[kind]);
    if (most == 0)
        return;
    reader->kinds = 1u << KIND_FRONT;
    for (enum kind kind = KIND_FRONT; kind < KIND_ALL; kind++)
        if (counts[kind] * RARE >= most)
            reader->kinds |= 1u << kind;
}
