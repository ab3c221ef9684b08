#include "common/extract/extract_path.h"

#include <stdint.h>

enum token { END, DOT, OPEN, CLOSE, STRING, FIELD, INDEX };
/* As Loki's generated parsers name them. */
static const char *const token_names[] = {"$end", "DOT", "LSB", "RSB", "STRING", "FIELD", "INDEX"};

struct scan {
    struct cw_str text;
    size_t at;
    struct cw_str value; /* of STRING and FIELD */
    size_t index;
    bool is_json;
    struct cw_str fault; /* of the text where no token is: it ends there */
    struct cw_arena *arena;
    struct cw_err *err;
};

static bool begins_field(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

/* A fault counts where an expression could end; elsewhere the end is what is wrong. */
static enum token fail(struct scan *scan, const char *what, size_t at)
{
    uint32_t rune;
    struct cw_str rest = cw_str_sub(scan->text, at, scan->text.len);
    size_t n = rest.len > 0 ? cw_utf8_decode(rest, &rune) : 0;
    scan->fault = cw_arena_printf(scan->arena, "%s %.*s", what, (int)n, rest.ptr);
    scan->at = scan->text.len;
    return END;
}

static enum token take_index(struct scan *scan)
{
    struct cw_str text = scan->text;
    size_t from = scan->at;
    bool fits = true;
    for (scan->index = 0; scan->at < text.len && is_digit(text.ptr[scan->at]); scan->at++)
        fits &= !__builtin_mul_overflow(scan->index, 10, &scan->index) &&
                !__builtin_add_overflow(scan->index, (size_t)(text.ptr[scan->at] - '0'),
                                        &scan->index) &&
                scan->index <= INT64_MAX;
    size_t to = scan->at;
    if (to < text.len && text.ptr[to] == '.') {
        scan->at = text.len;
        scan->fault = CW_STR("cannot use float as array index");
        return END;
    }
    if (to == text.len || (!is_space(text.ptr[to]) && text.ptr[to] != ']'))
        return fail(scan, "non-integer value:", to);
    if (fits)
        return INDEX;
    scan->at = text.len;
    scan->fault = cw_arena_printf(scan->arena, "strconv.Atoi: parsing \"%.*s\": value out of range",
                                  CW_STR_ARG(cw_str_sub(text, from, to)));
    return END;
}

/* Up to a quote, or a bracket, or the end. */
static enum token take_string(struct scan *scan)
{
    size_t from = ++scan->at;
    while (scan->at < scan->text.len && scan->text.ptr[scan->at] != '"' &&
           scan->text.ptr[scan->at] != ']')
        scan->at++;
    scan->value = cw_str_sub(scan->text, from, scan->at);
    scan->at += scan->at < scan->text.len;
    return STRING;
}

static enum token next_token(struct scan *scan)
{
    struct cw_str text = scan->text;
    while (scan->at < text.len && is_space(text.ptr[scan->at]))
        scan->at++;
    if (scan->at == text.len)
        return END;
    char c = text.ptr[scan->at];
    if (begins_field(c)) {
        size_t from = scan->at;
        while (scan->at < text.len &&
               (begins_field(text.ptr[scan->at]) || is_digit(text.ptr[scan->at])))
            scan->at++;
        scan->value = cw_str_sub(text, from, scan->at);
        return FIELD;
    }
    if (c == '"')
        return take_string(scan);
    if (scan->is_json && is_digit(c))
        return take_index(scan);
    if (!scan->is_json || (c != '.' && c != '[' && c != ']'))
        return fail(scan, "unexpected char", scan->at);
    scan->at++;
    return c == '.' ? DOT : c == '[' ? OPEN : CLOSE;
}

/* The text ends at its first 0x00. */
static struct scan begin(struct cw_str text, bool is_json, struct cw_arena *arena,
                         struct cw_err *err)
{
    ptrdiff_t end = cw_str_find_byte(text, '\0');
    return (struct scan){.text = cw_str_sub(text, 0, end < 0 ? text.len : (size_t)end),
                         .is_json = is_json,
                         .arena = arena,
                         .err = err};
}

/* Behind all of it. */
static int finish(const struct scan *scan)
{
    return scan->fault.len == 0
               ? 0
               : cw_err_set(scan->err, CW_E_INVALID, "%.*s", CW_STR_ARG(scan->fault));
}

static int unexpected(struct scan *scan, const char *name, const char *expected)
{
    return expected == NULL
               ? cw_err_set(scan->err, CW_E_INVALID, "syntax error: unexpected %s", name)
               : cw_err_set(scan->err, CW_E_INVALID, "syntax error: unexpected %s, expecting %s",
                            name, expected);
}

/* Behind a `[`. */
static int take_brackets(struct scan *scan, struct cw_path_step *step)
{
    enum token token = next_token(scan);
    if (token != STRING && token != INDEX)
        return unexpected(scan, token_names[token], "STRING or INDEX");
    *step = (struct cw_path_step){token == INDEX, scan->value, scan->index};
    token = next_token(scan);
    return token == CLOSE ? 0 : unexpected(scan, token_names[token], "RSB");
}

static int take_step(struct scan *scan, enum token token, bool first, struct cw_path_step *step)
{
    if (token == OPEN)
        return take_brackets(scan, step);
    if (!first) {
        if (token != DOT)
            return unexpected(scan, token_names[token], NULL);
        token = next_token(scan);
    }
    if (token != FIELD)
        return unexpected(scan, token_names[token], first ? "LSB or FIELD" : "FIELD");
    *step = (struct cw_path_step){false, scan->value, 0};
    return 0;
}

int cw_extract_path_json(struct cw_str text, struct cw_arena *arena, struct cw_json_path *out,
                         struct cw_err *err)
{
    struct scan scan = begin(text, true, arena, err);
    size_t cap = 0;
    *out = (struct cw_json_path){NULL, 0};
    enum token token;
    while ((token = next_token(&scan)) != END || out->n == 0) {
        out->steps = cw_arena_grow(arena, out->steps, out->n, &cap, out->n + 1, sizeof *out->steps);
        int rc = take_step(&scan, token, out->n == 0, &out->steps[out->n]);
        if (rc < 0)
            return rc;
        out->n++;
    }
    return finish(&scan);
}

int cw_extract_path_logfmt(struct cw_str text, struct cw_arena *arena, struct cw_str *key_out,
                           struct cw_err *err)
{
    struct scan scan = begin(text, false, arena, err);
    size_t n = 0;
    for (enum token token; (token = next_token(&scan)) != END || n == 0; n++) {
        if (token == END)
            return unexpected(&scan, "$end", "STRING or KEY");
        if (token == FIELD && n > 0)
            return unexpected(&scan, "KEY", NULL);
        /* Of several strings Loki makes a text that no key is. */
        *key_out = n == 0 ? scan.value : CW_STR_NONE;
    }
    return finish(&scan);
}
