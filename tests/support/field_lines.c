#include "tests/support/field_lines.h"

#include "common/base/assert.h"
#include "tests/support/part_model.h"

static uint64_t below(uint64_t *state, uint64_t n)
{
    return part_model_random(state) % n;
}

#define PICK(state, items) ((items)[below(state, CW_COUNT(items))])

void field_lines_init(struct field_lines *lines, enum field_lines_kind kind, uint64_t seed,
                      unsigned nshapes, unsigned damage)
{
    *lines = (struct field_lines){
        .kind = kind, .state = seed * 2 + 1, .nshapes = nshapes, .damage = damage};
    for (unsigned i = 0; i < nshapes; i++)
        lines->shapes[i] = part_model_random(&lines->state) | 1;
}

/* Keys that queries ask for, that clash with the stream's or with each other once they are clean, and others. */
static const char *const keys[] = {
    "level", "status", "duration_ms", "msg",         "latency", "app",     "size",  "a.b", "a_b",
    "id",    "",       "trace_id",    "le\\u0076el", "r1",      "user id", "nested"};
static const char *const logfmt_keys[] = {"level", "status", "duration_ms", "msg", "latency", "app",
                                          "size",  "a.b",    "a_b",         "id",  "bare",    "k9"};

/* ---- values: `kind` is the shape's, the rest is drawn for each line ---- */

enum { VALUE_KINDS = 16 };

static void put_text(uint64_t *line, struct cw_buf *out)
{
    static const char *const words[] = {"info",     "error", "warn",  "a",         "card declined",
                                        "x=y, {z}", "",      "it's ", "[0] : null"};
    cw_buf_addz(out, PICK(line, words));
}

static void put_odd_text(uint64_t *line, struct cw_buf *out)
{
    static const char *const texts[] = {"say \\\"x\\\"", "tab\\tend",      "\\u00e9t\\u00e9",
                                        "caf\xc3\xa9",   "bad\xff byte",   "back\\\\",
                                        "\\n5 items",    "\\ud83d\\ude00", "\\ud800",
                                        "\xef\xbf\xbd",  "plain",          "info"};
    cw_buf_addz(out, PICK(line, texts));
}

static void put_number(uint64_t kind, uint64_t *line, struct cw_buf *out)
{
    unsigned n = (unsigned)below(line, 1000);
    switch (kind % 7) {
    case 0: cw_buf_addf(out, "%u", 200 + n % 5 * 100); break;
    case 1: cw_buf_addf(out, "%u.%02u", n * 3, n % 100); break;
    case 2: cw_buf_addf(out, "-%u.%u", n, n % 10); break;
    case 3:
        cw_buf_addf(out, "%llu", (unsigned long long)part_model_random(line) >> (n % 40));
        break;
    case 4: cw_buf_addf(out, "%03u", n); break;
    case 5: cw_buf_addf(out, "%ue%u", n, n % 5); break;
    default: cw_buf_addf(out, "0.%u%u", n, 100000007 + n); break;
    }
}

/* A text with what becomes slots of the other types. */
static void put_mixed(uint64_t kind, uint64_t *line, struct cw_buf *out)
{
    unsigned n = (unsigned)below(line, 400);
    switch (kind % 8) {
    case 0: cw_buf_addf(out, "%u.%ums", n, n % 7); break;
    case 1: cw_buf_addf(out, "%uKB", n); break;
    case 2: cw_buf_addf(out, "10.0.%u.%u", n % 4, n % 256); break;
    case 3: cw_buf_addf(out, "2026-01-05T%02u:00:%02u.%03uZ", n % 24, n % 60, n); break;
    case 4:
        cw_buf_addf(out, "%016llx%016llx", (unsigned long long)part_model_random(line),
                    (unsigned long long)part_model_random(line));
        break;
    case 5: cw_buf_addf(out, "/v1/orders/%u", n); break;
    case 6: cw_buf_addf(out, "%02u:%02u:%02u,%03u", n % 24, n % 60, n % 60, n); break;
    default: cw_buf_addf(out, "worker%u \\\"%u\\\"", n % 9, n); break;
    }
}

static void put_json_value(uint64_t kind, uint64_t *line, struct cw_buf *out)
{
    static const char *const words[] = {"true", "false", "null"};
    switch (kind % VALUE_KINDS) {
    case 0: cw_buf_addz(out, PICK(line, words)); break;
    case 1: cw_buf_addz(out, words[kind / VALUE_KINDS % 3]); break;
    case 2:
        cw_buf_addf(out, "[%u, \"x\", {\"a\": %u}]", (unsigned)below(line, 9),
                    (unsigned)below(line, 9));
        break;
    case 3:
        cw_buf_addf(out, "{\"a\": %u, \"level\": \"", (unsigned)below(line, 99));
        put_text(line, out);
        cw_buf_addz(out, "\", \"deep\": {\"b\": []}}");
        break;
    case 4:
    case 5:
    case 6:
    case 7: put_number(kind / VALUE_KINDS, line, out); break;
    default:
        cw_buf_addc(out, '"');
        if (kind % VALUE_KINDS < 11)
            put_text(line, out);
        else if (kind % VALUE_KINDS < 12)
            put_odd_text(line, out);
        else if (kind % VALUE_KINDS < 15)
            put_mixed(kind / VALUE_KINDS, line, out);
        else
            put_number(kind / VALUE_KINDS, line, out);
        cw_buf_addc(out, '"');
    }
}

static void put_logfmt_value(uint64_t kind, uint64_t *line, struct cw_buf *out)
{
    static const char *const words[] = {"info", "warn", "error", "GET", "a,b", "caf\xc3\xa9"};
    switch (kind % VALUE_KINDS) {
    case 0: break;
    case 1:
    case 2:
    case 3: cw_buf_addz(out, PICK(line, words)); break;
    case 4:
    case 5:
    case 6:
    case 7:
    case 8: put_number(kind / VALUE_KINDS, line, out); break;
    case 9:
    case 10: put_mixed(kind / VALUE_KINDS % 7, line, out); break;
    default:
        cw_buf_addc(out, '"');
        if (kind % VALUE_KINDS < 13)
            put_text(line, out);
        else if (kind % VALUE_KINDS < 14)
            put_odd_text(line, out);
        else
            put_mixed(kind / VALUE_KINDS, line, out);
        cw_buf_addc(out, '"');
    }
}

/* ---- lines ---- */

static void put_json(uint64_t shape, uint64_t *line, struct cw_buf *out)
{
    static const char *const colons[] = {": ", ":", " : "}, *const commas[] = {", ", ",", " ,\t"};
    unsigned n = (unsigned)below(&shape, 7) + 1;
    uint64_t style = part_model_random(&shape);
    cw_buf_addz(out, style % 11 == 0 ? "{ " : "{");
    for (unsigned i = 0; i < n; i++) {
        cw_buf_addf(out, "%s\"%s\"%s",
                    i > 0 ? commas[style / 16 % 16 == 0 ? 2 : style / 16 % 2] : "",
                    PICK(&shape, keys), colons[style / 256 % 16 == 0 ? 2 : style / 256 % 2]);
        put_json_value(part_model_random(&shape), line, out);
    }
    cw_buf_addz(out, style % 13 == 0 ? "}  " : style % 17 == 0 ? "} tail 5" : "}");
}

static void put_logfmt(uint64_t shape, uint64_t *line, struct cw_buf *out)
{
    unsigned n = (unsigned)below(&shape, 7) + 1;
    for (unsigned i = 0; i < n; i++) {
        if (i > 0)
            cw_buf_addz(out, below(&shape, 20) == 0 ? "  \t" : " ");
        cw_buf_addz(out, PICK(&shape, logfmt_keys));
        if (below(&shape, 12) == 0)
            continue;
        cw_buf_addc(out, '=');
        put_logfmt_value(part_model_random(&shape), line, out);
    }
    if (below(&shape, 9) == 0)
        cw_buf_addf(out, " and %u words more", (unsigned)below(line, 100));
}

/* Cut, or a byte in the middle changed. */
static void damage(uint64_t *line, struct cw_buf *out, size_t from)
{
    static const char bytes[] = "\"\\{}[],:= x0\x01\x10\xff\n";
    size_t len = out->len - from;
    if (len == 0)
        return;
    if (below(line, 2) == 0)
        out->len = from + below(line, len);
    else
        out->ptr[from + below(line, len)] = bytes[below(line, sizeof bytes - 1)];
}

void field_lines_next(struct field_lines *lines, struct cw_buf *out)
{
    uint64_t line = part_model_random(&lines->state) | 1;
    uint64_t shape = lines->shapes[below(&line, lines->nshapes)];
    size_t from = out->len;
    if (lines->kind == FIELD_LINES_JSON)
        put_json(shape, &line, out);
    else
        put_logfmt(shape, &line, out);
    if (below(&line, 1000) < lines->damage)
        damage(&line, out, from);
}
