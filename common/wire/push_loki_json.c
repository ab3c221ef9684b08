/*
 * push_loki_json.c - Loki's JSON push, in its present form and the old one (push.h shows both).
 *
 * As Loki does: unknown keys are passed over, "streams" is known in any case of its letters; null stands for an empty list,
 * and is no entry in one; of a repeated label the last one counts; a label's value that is no string is its text (123, true,
 * null, {"k": 1}), a metadata's is an error; an entry's elements past the third are ignored; what follows the document is
 * not read.
 */
#include "common/wire/push.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/wire/json_reader.h"

struct decoder {
    struct cw_json_reader json;
    struct cw_arena *arena;
    struct cw_push *push;
    size_t streams_cap;
    size_t nmetadata; /* over all entries */
    struct cw_err *err;
};

enum pairs_kind { PAIRS_LABELS, PAIRS_METADATA };

static int refuse(struct decoder *d, const char *sentence)
{
    return cw_json_error(&d->json, d->err, sentence);
}

/* The next event; anything but `want` is an error that says what should be there. */
static int expect(struct decoder *d, int want, const char *sentence)
{
    int event = cw_json_next(&d->json, d->err);
    if (event < 0 || event == want)
        return event;
    return refuse(d, sentence);
}

/* Enter a list: 1 when it began, 0 for null. */
static int enter_list(struct decoder *d, const char *sentence)
{
    int event = cw_json_next(&d->json, d->err);
    if (event < 0)
        return event;
    if (event == CW_JSON_NULL)
        return 0;
    return event == CW_JSON_ARRAY ? 1 : refuse(d, sentence);
}

/* A value that is no string and began with `event`, as text. */
static int read_as_text(struct decoder *d, int event, struct cw_str *out)
{
    static const char *const words[] = {
        [CW_JSON_TRUE] = "true", [CW_JSON_FALSE] = "false", [CW_JSON_NULL] = "null"};
    if (event == CW_JSON_NUMBER) {
        *out = d->json.text;
        return 0;
    }
    if (event != CW_JSON_OBJECT && event != CW_JSON_ARRAY) {
        *out = cw_str_of(words[event]);
        return 0;
    }
    size_t begin = cw_json_offset(&d->json) - 1;
    int rc = cw_json_skip_rest(&d->json, event, d->err);
    return rc < 0 ? rc : cw_json_text_from(&d->json, begin, out, d->err);
}

/* Read the pairs of an object, in its order. */
static int read_pairs(struct decoder *d, enum pairs_kind kind, struct cw_label **out, size_t *n_out)
{
    struct cw_label *pairs = NULL;
    size_t n = 0, cap = 0;
    for (;;) {
        int event = cw_json_next(&d->json, d->err);
        if (event < 0)
            return event;
        if (event == CW_JSON_OBJECT_END)
            break;
        struct cw_str name = d->json.text, value;
        event = cw_json_next(&d->json, d->err);
        if (event == CW_JSON_STRING)
            value = d->json.text;
        else if (event >= 0 && kind == PAIRS_LABELS)
            event = read_as_text(d, event, &value);
        else if (event >= 0)
            event = refuse(d, "a metadata's value must be a string");
        if (event < 0)
            return event;
        if (d->nmetadata + n >= CW_LIMIT_PUSH_METADATA)
            return cw_err_set(d->err, CW_E_TOO_LARGE, "push has more than %u labels and metadata",
                              CW_LIMIT_PUSH_METADATA);
        pairs = cw_arena_grow(d->arena, pairs, n, &cap, n + 1, sizeof *pairs);
        if (cw_arena_refused(d->arena) < 0)
            return cw_arena_refused(d->arena);
        pairs[n++] = (struct cw_label){name, value};
    }
    d->nmetadata += n;
    *out = pairs;
    *n_out = n;
    return 0;
}

/* Sort by name; of one name the last pair stays. Returns how many are left. */
static size_t sort_unique(struct cw_label *pairs, size_t n)
{
    size_t nleft = 0;
    cw_label_pairs_sort(pairs, n);
    for (size_t i = 0; i < n; i++) {
        if (i + 1 == n || !cw_str_eq(pairs[i].name, pairs[i + 1].name))
            pairs[nleft++] = pairs[i];
    }
    return nleft;
}

/* A set that is empty or has a bad name goes on as text, in which the parser of labels finds the error as Loki does. */
static int set_labels_text(struct decoder *d, struct cw_labels pairs, struct cw_push_stream *stream)
{
    struct cw_buf text;
    cw_buf_init(&text, CW_LIMIT_PUSH_RAW_BYTES);
    cw_buf_addc(&text, '{');
    for (size_t i = 0; i < pairs.n; i++) {
        cw_buf_addz(&text, i > 0 ? ", " : "");
        cw_buf_adds(&text,
                    pairs.items[i].name); /* bare, however bad: the error's column counts on it */
        cw_buf_addc(&text, '=');
        cw_quote_go(pairs.items[i].value, &text);
    }
    cw_buf_addc(&text, '}');
    bool failed = cw_buf_failed(&text);
    stream->labels_text = failed ? CW_STR_NONE : cw_arena_dup(d->arena, cw_buf_str(&text));
    cw_buf_fini(&text);
    return failed ? cw_err_set(d->err, CW_E_TOO_LARGE, "a stream's labels are too large") : 0;
}

static int read_stream_labels(struct decoder *d, struct cw_push_stream *stream)
{
    struct cw_label *pairs;
    size_t n;
    int event = cw_json_next(&d->json, d->err);
    if (event < 0)
        return event;
    if (event == CW_JSON_NULL)
        return 0;
    if (event != CW_JSON_OBJECT)
        return refuse(d, "\"stream\" must be an object of labels");
    int rc = read_pairs(d, PAIRS_LABELS, &pairs, &n);
    if (rc < 0)
        return rc;
    n = sort_unique(pairs, n);
    bool valid = true;
    size_t nfull = 0; /* with a value: a pair without one is none */
    for (size_t i = 0; i < n; i++) {
        valid = valid && cw_label_name_valid(pairs[i].name);
        nfull += pairs[i].value.len > 0;
    }
    if (!valid || nfull == 0)
        return set_labels_text(d, (struct cw_labels){pairs, n}, stream);
    return cw_labels_from_pairs(pairs, n, &stream->labels, d->err);
}

static int read_time(struct decoder *d, int event, struct cw_push_entry *entry)
{
    if (event != CW_JSON_STRING)
        return refuse(d, "an entry's time must be a string of nanoseconds");
    if (!cw_str_to_i64(d->json.text, &entry->ts_ns) || entry->ts_ns == CW_PUSH_TS_NONE)
        return refuse(d, "an entry's time is no number of nanoseconds");
    return 0;
}

static int read_metadata(struct decoder *d, int event, struct cw_push_entry *entry)
{
    struct cw_label *pairs;
    size_t n;
    if (event != CW_JSON_OBJECT)
        return refuse(d, "structured metadata must be an object of strings");
    int rc = read_pairs(d, PAIRS_METADATA, &pairs, &n);
    if (rc < 0)
        return rc;
    entry->metadata = pairs;
    entry->nmetadata = (uint32_t)n;
    return 0;
}

/* ["ns", "line", {metadata}]: each of the three may be missing. The array has begun. */
static int read_value(struct decoder *d, struct cw_push_entry *entry)
{
    for (unsigned i = 0;; i++) {
        int rc = cw_json_next(&d->json, d->err);
        if (rc < 0 || rc == CW_JSON_ARRAY_END)
            return rc < 0 ? rc : 0;
        if (i == 0)
            rc = read_time(d, rc, entry);
        else if (i == 1 && rc == CW_JSON_STRING)
            entry->line = d->json.text;
        else if (i == 1)
            return refuse(d, "an entry's line must be a string");
        else if (i == 2)
            rc = read_metadata(d, rc, entry);
        else
            rc = cw_json_skip_rest(&d->json, rc, d->err);
        if (rc < 0)
            return rc;
    }
}

/* {"ts": "2026-01-05T10:00:00Z", "line": "..."}: the old form. The object has begun. */
static int read_old_entry(struct decoder *d, struct cw_push_entry *entry)
{
    for (;;) {
        int rc = cw_json_next(&d->json, d->err);
        if (rc < 0 || rc == CW_JSON_OBJECT_END)
            return rc < 0 ? rc : 0;
        if (cw_str_eqz(d->json.text, "ts")) {
            rc = expect(d, CW_JSON_STRING, "an entry's \"ts\" must be a string");
            if (rc >= 0 && (!cw_time_parse_rfc3339(d->json.text, &entry->ts_ns) ||
                            entry->ts_ns == CW_PUSH_TS_NONE))
                return refuse(d, "an entry's \"ts\" is no time as RFC 3339 writes it");
        } else if (cw_str_eqz(d->json.text, "line")) {
            rc = expect(d, CW_JSON_STRING, "an entry's \"line\" must be a string");
            entry->line = d->json.text;
        } else {
            rc = cw_json_skip(&d->json, d->err);
        }
        if (rc < 0)
            return rc;
    }
}

typedef int (*read_entry_fn)(struct decoder *d, struct cw_push_entry *entry);

/* The list of a stream's entries, each of which begins with the event `begin`. */
static int read_entries(struct decoder *d, struct cw_push_stream *stream, int begin,
                        read_entry_fn read_entry)
{
    size_t cap = 0;
    if (stream->entries != NULL)
        return refuse(d, "a stream's entries are given twice");
    int rc = enter_list(d, "a stream's entries must be an array");
    if (rc <= 0)
        return rc;
    for (;;) {
        int event = cw_json_next(&d->json, d->err);
        if (event < 0 || event == CW_JSON_ARRAY_END)
            return event < 0 ? event : 0;
        if (event == CW_JSON_NULL && begin == CW_JSON_ARRAY)
            continue;
        if (event != begin)
            return refuse(d, begin == CW_JSON_ARRAY ? "an entry must be an array"
                                                    : "an entry must be an object");
        if (++d->push->nentries > CW_LIMIT_PUSH_ENTRIES)
            return cw_err_set(d->err, CW_E_TOO_LARGE, "push has more than %u entries",
                              CW_LIMIT_PUSH_ENTRIES);
        stream->entries = cw_arena_grow(d->arena, stream->entries, stream->nentries, &cap,
                                        stream->nentries + 1, sizeof *stream->entries);
        if (cw_arena_refused(d->arena) < 0)
            return cw_arena_refused(d->arena);
        struct cw_push_entry *entry = &stream->entries[stream->nentries++];
        *entry = (struct cw_push_entry){.ts_ns = CW_PUSH_TS_NONE};
        rc = read_entry(d, entry);
        if (rc < 0)
            return rc;
        d->push->line_bytes += entry->line.len;
    }
}

/* One element of "streams"; its object has begun. */
static int read_stream(struct decoder *d, struct cw_push_stream *stream)
{
    for (;;) {
        int rc = cw_json_next(&d->json, d->err);
        if (rc < 0 || rc == CW_JSON_OBJECT_END)
            return rc < 0 ? rc : 0;
        struct cw_str key = d->json.text;
        if (cw_str_eqz(key, "stream")) {
            rc = read_stream_labels(d, stream);
        } else if (cw_str_eqz(key, "values")) {
            rc = read_entries(d, stream, CW_JSON_ARRAY, read_value);
        } else if (cw_str_eqz(key, "labels")) {
            rc = expect(d, CW_JSON_STRING, "\"labels\" must be a string");
            stream->labels_text = d->json.text;
        } else if (cw_str_eqz(key, "entries")) {
            rc = read_entries(d, stream, CW_JSON_OBJECT, read_old_entry);
        } else {
            rc = cw_json_skip(&d->json, d->err);
        }
        if (rc < 0)
            return rc;
    }
}

static int read_streams(struct decoder *d)
{
    struct cw_push *push = d->push;
    int rc = enter_list(d, "\"streams\" must be an array");
    if (rc <= 0)
        return rc;
    for (;;) {
        int event = cw_json_next(&d->json, d->err);
        if (event < 0 || event == CW_JSON_ARRAY_END)
            return event < 0 ? event : 0;
        if (event != CW_JSON_OBJECT)
            return refuse(d, "a stream must be an object");
        if (push->nstreams == CW_LIMIT_PUSH_STREAMS)
            return cw_err_set(d->err, CW_E_TOO_LARGE, "push has more than %u streams",
                              CW_LIMIT_PUSH_STREAMS);
        push->streams = cw_arena_grow(d->arena, push->streams, push->nstreams, &d->streams_cap,
                                      push->nstreams + 1, sizeof *push->streams);
        if (cw_arena_refused(d->arena) < 0)
            return cw_arena_refused(d->arena);
        struct cw_push_stream *stream = &push->streams[push->nstreams++];
        *stream = (struct cw_push_stream){0};
        rc = read_stream(d, stream);
        if (rc < 0)
            return rc;
    }
}

static bool is_streams(struct cw_str key)
{
    static const char name[] = "streams";
    return key.len == sizeof name - 1 && strncasecmp(key.ptr, name, key.len) == 0;
}

int cw_push_loki_json_decode(struct cw_str body, struct cw_arena *arena, struct cw_push *out,
                             struct cw_err *err)
{
    struct decoder d = {.arena = arena, .push = out, .err = err};
    *out = (struct cw_push){0};
    cw_json_reader_init(&d.json, body, arena);
    int rc = expect(&d, CW_JSON_OBJECT, "a push must be an object");
    while (rc >= 0) {
        rc = cw_json_next(&d.json, err);
        if (rc < 0 || rc == CW_JSON_OBJECT_END)
            break;
        rc = is_streams(d.json.text) ? read_streams(&d) : cw_json_skip(&d.json, err);
    }
    return rc < 0 ? rc : 0;
}
