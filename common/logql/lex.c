#include "common/logql/lex.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/labels/labels.h"
#include "common/logql/functions.h"

struct word {
    const char *text;
    enum cw_token_kind kind;
};

/* Words and signs. Names of functions are not here: functions.c has them. */
static const struct word words[] = {
    {",", CW_TOK_COMMA},
    {".", CW_TOK_DOT},
    {"{", CW_TOK_OPEN_BRACE},
    {"}", CW_TOK_CLOSE_BRACE},
    {"=", CW_TOK_EQ},
    {"!=", CW_TOK_NEQ},
    {"=~", CW_TOK_RE},
    {"!~", CW_TOK_NRE},
    {"!>", CW_TOK_NPA},
    {"|=", CW_TOK_PIPE_EXACT},
    {"|~", CW_TOK_PIPE_RE},
    {"|>", CW_TOK_PIPE_PATTERN},
    {"|", CW_TOK_PIPE},
    {"(", CW_TOK_OPEN_PAREN},
    {")", CW_TOK_CLOSE_PAREN},
    {"[", CW_TOK_OPEN_BRACKET},
    {"]", CW_TOK_CLOSE_BRACKET},
    {"unwrap", CW_TOK_UNWRAP},
    {"by", CW_TOK_BY},
    {"without", CW_TOK_WITHOUT},
    {"bool", CW_TOK_BOOL},
    {"label_replace", CW_TOK_LABEL_REPLACE},
    {"offset", CW_TOK_OFFSET},
    {"on", CW_TOK_ON},
    {"ignoring", CW_TOK_IGNORING},
    {"group_left", CW_TOK_GROUP_LEFT},
    {"group_right", CW_TOK_GROUP_RIGHT},
    {"or", CW_TOK_OR},
    {"and", CW_TOK_AND},
    {"unless", CW_TOK_UNLESS},
    {"+", CW_TOK_ADD},
    {"-", CW_TOK_SUB},
    {"*", CW_TOK_MUL},
    {"/", CW_TOK_DIV},
    {"%", CW_TOK_MOD},
    {"^", CW_TOK_POW},
    {"==", CW_TOK_CMP_EQ},
    {">", CW_TOK_GT},
    {">=", CW_TOK_GTE},
    {"<", CW_TOK_LT},
    {"<=", CW_TOK_LTE},
    {"json", CW_TOK_JSON},
    {"regexp", CW_TOK_REGEXP},
    {"logfmt", CW_TOK_LOGFMT},
    {"unpack", CW_TOK_UNPACK},
    {"pattern", CW_TOK_PATTERN},
    {"label_format", CW_TOK_LABEL_FORMAT},
    {"line_format", CW_TOK_LINE_FORMAT},
    {"ip", CW_TOK_IP},
    {"decolorize", CW_TOK_DECOLORIZE},
    {"drop", CW_TOK_DROP},
    {"keep", CW_TOK_KEEP},
    {"variants", CW_TOK_VARIANTS},
    {"of", CW_TOK_OF},
};

int cw_lex_error(struct cw_err *err, unsigned line, unsigned column, const char *fmt, ...)
{
    char sentence[CW_ERR_TEXT_BYTES];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(sentence, sizeof(sentence), fmt, ap);
    va_end(ap);
    if (line == 0 && column == 0)
        return cw_err_set(err, CW_E_INVALID, "parse error : %s", sentence);
    return cw_err_set(err, CW_E_INVALID, "parse error at line %u, col %u: %s", line, column,
                      sentence);
}

static const struct word *word_find(struct cw_str text)
{
    for (size_t i = 0; i < CW_COUNT(words); i++)
        if (cw_str_eq_nocase(text, cw_str_of(words[i].text)))
            return &words[i];
    return NULL;
}

static void name_upper(const char *name, const char *suffix, char out[32])
{
    size_t n = 0;
    for (; name[n] != '\0' && n < 24; n++)
        out[n] = name[n] >= 'a' && name[n] <= 'z' ? (char)(name[n] - 'a' + 'A') : name[n];
    snprintf(out + n, 32 - n, "%s", suffix);
}

void cw_token_name(const struct cw_token *token, char out[32])
{
    switch (token->kind) {
    case CW_TOK_RANGE_FN: name_upper(cw_range_def(token->fn)->name, "", out); return;
    case CW_TOK_VECTOR_FN: name_upper(cw_vector_def(token->fn)->name, "", out); return;
    case CW_TOK_UNWRAP_CONV: name_upper(cw_unwrap_conversion_name(token->fn), "_CONV", out); return;
    case CW_TOK_END: strcpy(out, "$end"); return;
    case CW_TOK_BYTES: strcpy(out, "BYTES"); return;
    case CW_TOK_IDENTIFIER: strcpy(out, "IDENTIFIER"); return;
    case CW_TOK_STRING: strcpy(out, "STRING"); return;
    case CW_TOK_NUMBER: strcpy(out, "NUMBER"); return;
    case CW_TOK_FLAG: strcpy(out, "FUNCTION_FLAG"); return;
    case CW_TOK_DURATION: strcpy(out, "DURATION"); return;
    case CW_TOK_RANGE: strcpy(out, "RANGE"); return;
    case CW_TOK_VECTOR: strcpy(out, "VECTOR"); return;
    default: break;
    }
    for (size_t i = 0; i < CW_COUNT(words); i++) {
        if (words[i].kind == token->kind) {
            snprintf(out, 32, "%s", words[i].text);
            return;
        }
    }
    CW_ASSERT(!"every token has a name");
}

void cw_lex_init(struct cw_lex *lex, struct cw_str text, struct cw_arena *arena)
{
    *lex = (struct cw_lex){.text = text, .line = 1, .column = 1, .arena = arena};
    if (cw_str_starts(text, CW_STR("\xEF\xBB\xBF"))) {
        lex->at = 3; /* a byte order mark */
        lex->column = 2;
    }
}

/* The byte `ahead` of the next character, or -1 at the end. */
static int peek_at(const struct cw_lex *lex, size_t ahead)
{
    return lex->at + ahead < lex->text.len ? (unsigned char)lex->text.ptr[lex->at + ahead] : -1;
}

static int peek(const struct cw_lex *lex)
{
    return peek_at(lex, 0);
}

/* Over one character (columns count characters, not bytes). */
static void skip(struct cw_lex *lex)
{
    uint32_t rune;
    size_t n = cw_utf8_decode(cw_str_sub(lex->text, lex->at, lex->text.len), &rune);
    lex->at += n;
    lex->column++;
    if (n == 1 && lex->text.ptr[lex->at - 1] == '\n') {
        lex->line++;
        lex->column = 1;
    }
}

static void skip_to(struct cw_lex *lex, size_t at)
{
    while (lex->at < at)
        skip(lex);
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(int c)
{
    return is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'f');
}

/* Go's identifiers hold Unicode letters; every byte over 0x7F counts as part of one here. That
 * differs only for signs that are not letters, and those are no token of LogQL either way. */
static bool is_word_byte(int c)
{
    return c == '_' || ((c | 32) >= 'a' && (c | 32) <= 'z') || c >= 0x80;
}

static bool is_blank(int c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Over white space and comments. */
static int skip_blank(struct cw_lex *lex, struct cw_err *err)
{
    lex->behind_blank = is_blank(peek(lex));
    for (;;) {
        int c = peek(lex);
        if (is_blank(c)) {
            skip(lex);
        } else if (c == '#' || (c == '/' && peek_at(lex, 1) == '/')) {
            size_t from = lex->at;
            while (peek(lex) >= 0 && peek(lex) != '\n')
                skip(lex);
            if (c == '/')
                continue;
            if (lex->at > from + 1 && peek(lex) >= 0)
                skip(lex); /* the line's end belongs to a comment that says something */
            lex->behind_blank = is_blank(peek(lex));
        } else if (c == '/' && peek_at(lex, 1) == '*') {
            unsigned line = lex->line, column = lex->column;
            skip_to(lex, lex->at + 2);
            while (peek(lex) >= 0 && !(peek(lex) == '*' && peek_at(lex, 1) == '/'))
                skip(lex);
            if (peek(lex) < 0)
                return cw_lex_error(err, line, column, "comment not terminated");
            skip_to(lex, lex->at + 2);
        } else {
            return 0;
        }
    }
}

/* ---- strings ---- */

/* Over the escape behind a backslash; false where Go knows no such escape. */
static bool skip_escape(struct cw_lex *lex, char quote)
{
    int c = peek(lex);
    size_t ndigits = 0;
    if (c >= 0 && (strchr("abfnrtv\\", c) != NULL || c == quote)) {
        skip(lex);
        return true;
    }
    if (c >= '0' && c <= '7') {
        for (; ndigits < 3; ndigits++, skip(lex))
            if (peek(lex) < '0' || peek(lex) > '7')
                return false;
        return true;
    }
    size_t want = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (want == 0)
        return false;
    skip(lex);
    for (; ndigits < want; ndigits++, skip(lex))
        if (!is_hex(peek(lex)))
            return false;
    return true;
}

/* Over a quoted text, the closing quote too. *nchars_out counts what is inside. */
static int skip_quoted(struct cw_lex *lex, const struct cw_token *token, size_t *nchars_out,
                       struct cw_err *err)
{
    char quote = (char)peek(lex);
    *nchars_out = 0;
    skip(lex);
    while (peek(lex) != quote) {
        if (peek(lex) < 0 || (peek(lex) == '\n' && quote != '`'))
            return cw_lex_error(err, token->line, token->column, "literal not terminated");
        bool escape = peek(lex) == '\\' && quote != '`';
        skip(lex);
        if (escape && !skip_escape(lex, quote))
            return cw_lex_error(err, token->line, token->column, "invalid char escape");
        (*nchars_out)++;
    }
    skip(lex);
    return 0;
}

static int lex_string(struct cw_lex *lex, struct cw_token *token, struct cw_err *err)
{
    size_t from = lex->at, nchars;
    char quote = (char)peek(lex);
    int rc = skip_quoted(lex, token, &nchars, err);
    if (rc < 0)
        return rc;
    token->text = cw_str_sub(lex->text, from, lex->at);
    if (quote == '\'') {
        if (nchars != 1)
            return cw_lex_error(err, token->line, token->column, "invalid char literal");
        token->kind = CW_TOK_IDENTIFIER; /* Go's characters are no LogQL */
        return 0;
    }
    if (!cw_utf8_valid(token->text))
        return cw_lex_error(err, token->line, token->column, "invalid UTF-8 rune");
    token->kind = CW_TOK_STRING;
    if (!cw_unquote_go(token->text, lex->arena, &token->text))
        return cw_lex_error(err, token->line, token->column, "invalid syntax");
    return 0;
}

/* ---- numbers, durations, sizes ---- */

bool cw_lex_parse_bytes(struct cw_str text, uint64_t *out)
{
    static const struct {
        const char *name;
        double factor;
    } units[] = {
        {"", 1},         {"b", 1},        {"k", 1e3},      {"kb", 1e3},     {"ki", 1024.0},
        {"kib", 1024.0}, {"m", 1e6},      {"mb", 1e6},     {"mi", 0x1p20},  {"mib", 0x1p20},
        {"g", 1e9},      {"gb", 1e9},     {"gi", 0x1p30},  {"gib", 0x1p30}, {"t", 1e12},
        {"tb", 1e12},    {"ti", 0x1p40},  {"tib", 0x1p40}, {"p", 1e15},     {"pb", 1e15},
        {"pi", 0x1p50},  {"pib", 0x1p50}, {"e", 1e18},     {"eb", 1e18},    {"ei", 0x1p60},
        {"eib", 0x1p60},
    };
    char digits[64];
    size_t n = 0, ndigits = 0;
    for (; n < text.len &&
           (is_digit((unsigned char)text.ptr[n]) || text.ptr[n] == '.' || text.ptr[n] == ',');
         n++) {
        if (text.ptr[n] == ',')
            continue; /* 1,000 is a thousand */
        if (ndigits == sizeof(digits))
            return false;
        digits[ndigits++] = text.ptr[n];
    }
    double number;
    if (!cw_str_to_f64(cw_str_make(digits, ndigits), &number))
        return false;
    struct cw_str unit = cw_str_trim(cw_str_sub(text, n, text.len));
    for (size_t i = 0; i < CW_COUNT(units); i++) {
        if (!cw_str_eq_nocase(unit, cw_str_of(units[i].name)))
            continue;
        number *= units[i].factor;
        if (!(number < 0x1p64))
            return false;
        *out = (uint64_t)number;
        return true;
    }
    return false;
}

/* Over digits of `base` and '_'; sets *bad to the first decimal digit that is too large. */
static size_t skip_digits(struct cw_lex *lex, int base, char *bad)
{
    size_t n = 0;
    for (;; skip(lex)) {
        int c = peek(lex);
        if (c == '_')
            continue;
        if (base == 16 ? !is_hex(c) : !is_digit(c))
            return n;
        if (base < 10 && c >= '0' + base && *bad == 0)
            *bad = (char)c;
        n++;
    }
}

static const char *literal_name(char prefix)
{
    switch (prefix) {
    case 'x': return "hexadecimal literal";
    case 'o':
    case '0': return "octal literal";
    case 'b': return "binary literal";
    default: return "decimal literal";
    }
}

bool cw_lex_separates_digits(struct cw_str text)
{
    size_t at = 0;
    char before = '.'; /* a digit is '0', a sign of another kind '.' */
    bool hex = false;
    if (text.len >= 2 && text.ptr[0] == '0' && strchr("xob", text.ptr[1] | 32) != NULL) {
        hex = (text.ptr[1] | 32) == 'x';
        before = '0'; /* a prefix counts as one */
        at = 2;
    }
    for (; at < text.len; at++) {
        int c = (unsigned char)text.ptr[at];
        char kind = c == '_' ? '_' : (is_digit(c) || (hex && is_hex(c))) ? '0' : '.';
        if ((kind == '_' && before != '0') || (before == '_' && kind != '0'))
            return false;
        before = kind;
    }
    return before != '_';
}

const char *cw_lex_parse_float(struct cw_str text, struct cw_arena *arena, double *out)
{
    char *digits = cw_arena_alloc(arena, text.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] != '_')
            digits[n++] = text.ptr[i];
    if (cw_str_to_f64(cw_str_make(digits, n), out))
        return NULL;
    /* The lexer has seen that it is a number: a decimal one is too large then, as is a hexadecimal one with an exponent. */
    bool prefixed = n >= 2 && digits[0] == '0' && strchr("xob", digits[1] | 32) != NULL;
    bool exponent = memchr(digits, 'p', n) != NULL || memchr(digits, 'P', n) != NULL;
    return prefixed && !exponent ? "invalid syntax" : "value out of range";
}

/* Over what Go's scanner takes for a number. */
static int skip_number(struct cw_lex *lex, const struct cw_token *token, struct cw_err *err)
{
    char prefix = 0, bad = 0;
    int base = 10;
    size_t ndigits = 0;
    bool is_float = peek(lex) == '.';
    if (!is_float && peek(lex) == '0') {
        skip(lex);
        int c = peek(lex) < 0 ? 0 : peek(lex) | 32;
        /* Loki means to read `0B` as a size, but looks for white space in front of the number instead of behind it. */
        if (c == 'b' && lex->behind_blank)
            return cw_lex_error(err, token->line, token->column, "%s has no digits",
                                literal_name(0));
        if (c == 'x' || c == 'o' || c == 'b') {
            prefix = (char)c;
            base = c == 'x' ? 16 : c == 'o' ? 8 : 2;
            skip(lex);
        } else {
            prefix = '0';
            base = 8;
            ndigits = 1;
        }
    }
    if (!is_float) {
        ndigits += skip_digits(lex, base, &bad);
        is_float = peek(lex) == '.';
    }
    if (is_float && peek(lex) == '.') {
        if (prefix == 'o' || prefix == 'b')
            return cw_lex_error(err, token->line, token->column, "invalid radix point in %s",
                                literal_name(prefix));
        skip(lex);
        ndigits += skip_digits(lex, base, &bad);
    }
    if (ndigits == 0)
        return cw_lex_error(err, token->line, token->column, "%s has no digits",
                            literal_name(prefix));
    int e = peek(lex) < 0 ? 0 : peek(lex) | 32;
    if (e == 'e' || e == 'p') {
        if (e == 'e' && prefix != 0 && prefix != '0')
            return cw_lex_error(err, token->line, token->column,
                                "'%c' exponent requires decimal mantissa", peek(lex));
        if (e == 'p' && prefix != 'x')
            return cw_lex_error(err, token->line, token->column,
                                "'%c' exponent requires hexadecimal mantissa", peek(lex));
        is_float = true;
        skip(lex);
        if (peek(lex) == '+' || peek(lex) == '-')
            skip(lex);
        char none = 0;
        if (skip_digits(lex, 10, &none) == 0)
            return cw_lex_error(err, token->line, token->column, "exponent has no digits");
    } else if (prefix == 'x' && is_float) {
        return cw_lex_error(err, token->line, token->column,
                            "hexadecimal mantissa requires a 'p' exponent");
    }
    if (!is_float && bad != 0)
        return cw_lex_error(err, token->line, token->column, "invalid digit '%c' in %s", bad,
                            literal_name(prefix));
    return 0;
}

static bool parse_duration(struct cw_str text, int64_t *ns_out)
{
    return cw_duration_parse_prom(text, ns_out) || cw_duration_parse_go(text, ns_out);
}

/* The longest run behind `end` of digits, points and the bytes of `runes` (the two micro signs too
 * where `micro`). */
static size_t run_end(const struct cw_lex *lex, size_t end, const char *runes, bool micro)
{
    while (end < lex->text.len) {
        char c = lex->text.ptr[end];
        if (micro && cw_str_starts(cw_str_sub(lex->text, end, lex->text.len), CW_STR("\xC2\xB5")))
            end += 2;
        else if (is_digit((unsigned char)c) || c == '.' || (c != '\0' && strchr(runes, c) != NULL))
            end++;
        else
            break;
    }
    return end;
}

/* A duration or a size that begins with what was just read from `from` on. */
static bool lex_unit(struct cw_lex *lex, struct cw_token *token, size_t from, bool allow_bytes)
{
    size_t end = run_end(lex, lex->at, "numshdwy", true);
    struct cw_str text = cw_str_sub(lex->text, from, end);
    if (end > lex->at && parse_duration(text, &token->duration_ns)) {
        token->kind = CW_TOK_DURATION;
    } else {
        end = run_end(lex, lex->at, "BikKMGTP", false);
        text = cw_str_sub(lex->text, from, end);
        if (!allow_bytes || end == lex->at || !cw_lex_parse_bytes(text, &token->bytes))
            return false;
        token->kind = CW_TOK_BYTES;
    }
    skip_to(lex, end);
    token->text = text;
    token->line = 0;
    return true;
}

static int lex_number(struct cw_lex *lex, struct cw_token *token, struct cw_err *err)
{
    size_t from = lex->at;
    int rc = skip_number(lex, token, err);
    if (rc < 0)
        return rc;
    if (!cw_lex_separates_digits(cw_str_sub(lex->text, from, lex->at)))
        return cw_lex_error(err, token->line, token->column, "'_' must separate successive digits");
    if (lex_unit(lex, token, from, true))
        return 0;
    token->kind = CW_TOK_NUMBER;
    token->text = cw_str_sub(lex->text, from, lex->at);
    return 0;
}

/* ---- [5m] ---- */

/* Why Prometheus' parser refuses a duration. */
static int range_error(struct cw_lex *lex, const struct cw_token *token, struct cw_str text,
                       struct cw_err *err)
{
    static const char *const units[] = {"y", "w", "d", "h", "m", "s", "ms"};
    if (text.len == 0)
        return cw_lex_error(err, 0, token->column, "empty duration string");
    struct cw_buf quoted;
    cw_buf_init(&quoted, CW_ERR_TEXT_BYTES);
    cw_quote_go(text, &quoted);
    int last = -1;
    for (size_t at = 0; at < text.len;) {
        size_t digits = at;
        while (at < text.len && is_digit((unsigned char)text.ptr[at]))
            at++;
        size_t name = at;
        while (at < text.len && !is_digit((unsigned char)text.ptr[at]))
            at++;
        if (digits == name || name == at || name - digits > 20) {
            last = INT32_MAX;
            break;
        }
        struct cw_str unit = cw_str_sub(text, name, at);
        int which = -1;
        for (size_t i = 0; i < CW_COUNT(units); i++)
            if (cw_str_eqz(unit, units[i]))
                which = (int)i;
        if (which < 0) {
            struct cw_buf unit_quoted;
            cw_buf_init(&unit_quoted, CW_ERR_TEXT_BYTES);
            cw_quote_go(unit, &unit_quoted);
            cw_lex_error(err, 0, token->column, "unknown unit %s in duration %s",
                         cw_buf_z(&unit_quoted), cw_buf_z(&quoted));
            cw_buf_fini(&unit_quoted);
            cw_buf_fini(&quoted);
            return CW_E_INVALID;
        }
        if (which <= last) {
            last = INT32_MAX;
            break;
        }
        last = which;
    }
    if (last == INT32_MAX)
        cw_lex_error(err, 0, token->column, "not a valid duration string: %s", cw_buf_z(&quoted));
    else
        cw_lex_error(err, 0, token->column, "duration out of range");
    cw_buf_fini(&quoted);
    return CW_E_INVALID;
}

static int lex_range(struct cw_lex *lex, struct cw_token *token, struct cw_err *err)
{
    size_t from = lex->at + 1;
    ptrdiff_t len = cw_str_find_byte(cw_str_sub(lex->text, from, lex->text.len), ']');
    if (len < 0)
        return cw_lex_error(err, 0, token->column, "missing closing ']' in duration");
    token->text = cw_str_sub(lex->text, from, from + (size_t)len);
    if (!cw_duration_parse_prom(token->text, &token->duration_ns))
        return range_error(lex, token, token->text, err);
    skip_to(lex, from + (size_t)len + 1);
    token->kind = CW_TOK_RANGE;
    token->line = 0;
    return 0;
}

/* ---- words and signs ---- */

static size_t skip_space(struct cw_str text, size_t at)
{
    while (at < text.len && strchr(" \t\r\n\v\f", text.ptr[at]) != NULL && text.ptr[at] != '\0')
        at++;
    return at;
}

/* Does what follows make a function of a name: `(`, or by/without and `(`? */
static bool is_call(const struct cw_lex *lex)
{
    static const char *const groupings[] = {"by", "without"};
    size_t at = skip_space(lex->text, lex->at);
    struct cw_str rest = cw_str_sub(lex->text, at, lex->text.len);
    if (cw_str_starts(rest, CW_STR("(")))
        return true;
    for (size_t i = 0; i < CW_COUNT(groupings); i++) {
        size_t len = strlen(groupings[i]);
        if (!cw_str_eq_nocase(cw_str_sub(rest, 0, len), cw_str_of(groupings[i])))
            continue;
        at = skip_space(lex->text, at + len);
        return at < lex->text.len && lex->text.ptr[at] == '(';
    }
    return false;
}

/* Is `text` a name that only a parenthesis makes a function? Sets kind and fn. */
static bool find_function(const struct cw_lex *lex, struct cw_str text, struct cw_token *token)
{
    if ((token->fn = cw_range_fn_find(text)) >= 0 &&
        (lex->extensions || !cw_range_def(token->fn)->extension))
        token->kind = CW_TOK_RANGE_FN;
    else if ((token->fn = cw_vector_fn_find(text)) >= 0)
        token->kind = CW_TOK_VECTOR_FN;
    else if ((token->fn = cw_unwrap_conversion_find(text)) >= 0)
        token->kind = CW_TOK_UNWRAP_CONV;
    else if (cw_str_eq_nocase(text, CW_STR("vector")))
        token->kind = CW_TOK_VECTOR;
    else if (cw_str_eq_nocase(text, CW_STR("label_replace")))
        token->kind = CW_TOK_LABEL_REPLACE;
    else if (cw_str_eq_nocase(text, CW_STR("ip")))
        token->kind = CW_TOK_IP;
    else
        return false;
    return true;
}

static void lex_word(struct cw_lex *lex, struct cw_token *token)
{
    size_t from = lex->at;
    while (is_word_byte(peek(lex)) || (lex->at > from && is_digit(peek(lex))))
        skip(lex);
    token->text = cw_str_sub(lex->text, from, lex->at);
    const struct word *word;
    if (find_function(lex, token->text, token)) {
        if (!is_call(lex))
            token->kind = CW_TOK_IDENTIFIER;
    } else if ((word = word_find(token->text)) != NULL) {
        token->kind = word->kind;
    } else {
        token->kind = CW_TOK_IDENTIFIER;
    }
}

/* --strict and --keep-empty (and --arrays, an extension), and negative durations. */
static void lex_dash(struct cw_lex *lex, struct cw_token *token)
{
    static const char *const flags[] = {"--strict", "--keep-empty", "--arrays"};
    size_t nflags = lex->extensions ? CW_COUNT(flags) : 2;
    size_t from = lex->at, end = from + 1;
    if (peek_at(lex, 1) == '-') {
        while (end < lex->text.len &&
               (lex->text.ptr[end] == '-' ||
                (is_word_byte((unsigned char)lex->text.ptr[end]) && lex->text.ptr[end] != '_')))
            end++;
        for (size_t i = 0; i < nflags; i++) {
            if (cw_str_eqz(cw_str_sub(lex->text, from, end), flags[i])) {
                skip_to(lex, end);
                token->kind = CW_TOK_FLAG;
                token->text = cw_str_sub(lex->text, from, end);
                token->line = 0;
                return;
            }
        }
    }
    skip(lex);
    if (lex_unit(lex, token, from, false))
        return;
    token->text = cw_str_sub(lex->text, from, lex->at);
    token->kind = CW_TOK_SUB;
}

static void lex_sign(struct cw_lex *lex, struct cw_token *token)
{
    size_t from = lex->at;
    skip(lex);
    const struct word *word = NULL;
    if (lex->at < lex->text.len)
        word = word_find(cw_str_sub(lex->text, from, lex->at + 1));
    if (word != NULL) {
        skip(lex);
        token->line = 0;
    } else {
        word = word_find(cw_str_sub(lex->text, from, lex->at));
    }
    token->text = cw_str_sub(lex->text, from, lex->at);
    token->kind = word != NULL ? word->kind : CW_TOK_IDENTIFIER;
}

int cw_lex_next(struct cw_lex *lex, struct cw_token *out, struct cw_err *err)
{
    *out = (struct cw_token){.kind = CW_TOK_END};
    int rc = skip_blank(lex, err);
    if (rc < 0)
        return rc;
    if (lex->text.len > 0) {
        out->line = lex->line;
        out->column = lex->column;
    }
    int c = peek(lex);
    if (c < 0)
        return 0;
    if (c == '\0')
        return cw_lex_error(err, out->line, out->column, "invalid character NUL");
    if (c >= 0x80) {
        uint32_t rune;
        if (cw_utf8_decode(cw_str_sub(lex->text, lex->at, lex->text.len), &rune) == 1)
            return cw_lex_error(err, out->line, out->column, "invalid UTF-8 encoding");
    }
    if (c == '"' || c == '`' || c == '\'')
        return lex_string(lex, out, err);
    if (is_digit(c) || (c == '.' && is_digit(peek_at(lex, 1))))
        return lex_number(lex, out, err);
    if (c == '[')
        return lex_range(lex, out, err);
    if (is_word_byte(c))
        lex_word(lex, out);
    else if (c == '-')
        lex_dash(lex, out);
    else
        lex_sign(lex, out);
    return 0;
}
