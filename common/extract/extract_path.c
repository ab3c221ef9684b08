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

static int take_index(struct scan *scan)
{
    scan->index = 0;
    for (; scan->at < scan->text.len && is_digit(scan->text.ptr[scan->at]); scan->at++)
        if (__builtin_mul_overflow(scan->index, 10, &scan->index) ||
            __builtin_add_overflow(scan->index, (size_t)(scan->text.ptr[scan->at] - '0'),
                                   &scan->index))
            scan->index = SIZE_MAX / 10; /* no array is as long */
    return INDEX;
}

static int take_string(struct scan *scan)
{
    size_t from = scan->at + 1;
    ptrdiff_t len = cw_str_find_byte(cw_str_sub(scan->text, from, scan->text.len), '"');
    if (len < 0)
        return cw_err_set(scan->err, CW_E_INVALID, "unexpected end of string");
    scan->value = cw_str_sub(scan->text, from, from + (size_t)len);
    scan->at = from + (size_t)len + 1;
    return STRING;
}

/* enum token, or an error. */
static int next_token(struct scan *scan)
{
    struct cw_str text = scan->text;
    while (scan->at < text.len && strchr(" \t\r\n", text.ptr[scan->at]) != NULL)
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
    if (is_digit(c))
        return take_index(scan);
    if (c == '"')
        return take_string(scan);
    scan->at++;
    if (c == '.')
        return DOT;
    if (c == '[')
        return OPEN;
    if (c == ']')
        return CLOSE;
    uint32_t rune;
    size_t n = cw_utf8_decode(cw_str_sub(text, scan->at - 1, text.len), &rune);
    return cw_err_set(scan->err, CW_E_INVALID, "unexpected char %.*s", (int)n,
                      text.ptr + scan->at - 1);
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
    int token = next_token(scan);
    if (token < 0)
        return token;
    if (token != STRING && token != INDEX)
        return unexpected(scan, token_names[token], "STRING or INDEX");
    *step = (struct cw_path_step){token == INDEX, scan->value, scan->index};
    token = next_token(scan);
    if (token < 0)
        return token;
    return token == CLOSE ? 0 : unexpected(scan, token_names[token], "RSB");
}

static int take_step(struct scan *scan, int token, bool first, struct cw_path_step *step)
{
    if (token == OPEN)
        return take_brackets(scan, step);
    if (!first) {
        if (token != DOT)
            return unexpected(scan, token_names[token], NULL);
        token = next_token(scan);
        if (token < 0)
            return token;
    }
    if (token != FIELD)
        return unexpected(scan, token_names[token], first ? "LSB or FIELD" : "FIELD");
    *step = (struct cw_path_step){false, scan->value, 0};
    return 0;
}

int cw_extract_path_json(struct cw_str text, struct cw_arena *arena, struct cw_json_path *out,
                         struct cw_err *err)
{
    struct scan scan = {.text = text, .err = err};
    size_t cap = 0;
    *out = (struct cw_json_path){NULL, 0};
    int token;
    while ((token = next_token(&scan)) > END || (token == END && out->n == 0)) {
        out->steps = cw_arena_grow(arena, out->steps, out->n, &cap, out->n + 1, sizeof *out->steps);
        int rc = take_step(&scan, token, out->n == 0, &out->steps[out->n]);
        if (rc < 0)
            return rc;
        out->n++;
    }
    return token;
}

int cw_extract_path_logfmt(struct cw_str text, struct cw_str *key_out, struct cw_err *err)
{
    struct scan scan = {.text = text, .err = err};
    int token = next_token(&scan);
    if (token < 0)
        return token;
    if (token == DOT || token == OPEN || token == CLOSE || token == INDEX)
        return cw_err_set(err, CW_E_INVALID, "unexpected char %c", text.ptr[scan.at - 1]);
    if (token == END)
        return unexpected(&scan, "$end", "STRING or KEY");
    *key_out = scan.value;
    int behind = next_token(&scan);
    if (behind < 0)
        return behind;
    /* Loki's lexer takes letters only: a dash ends the key, and is none itself. */
    if (behind == DOT || behind == OPEN || behind == CLOSE)
        return cw_err_set(err, CW_E_INVALID, "unexpected char %c", text.ptr[scan.at - 1]);
    return behind == END ? 0 : unexpected(&scan, behind == FIELD ? "KEY" : "STRING", NULL);
}
