/*
 * The text of a label set as a push carries it: Prometheus' metric notation, `name{a="b", "c.d"='e',}` with comments.
 * A client sees these errors, so their places and words are those of Prometheus' parser.
 */
#include "common/base/assert.h"
#include "common/labels/labels_priv.h"

enum token_type {
    TOKEN_END,
    TOKEN_ERROR, /* the sentence is in err already */
    TOKEN_NAME,
    TOKEN_STRING,
    TOKEN_EQ,
    TOKEN_COMMA,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_OPERATOR, /* != =~ !~: known, never right here */
};

struct token {
    enum token_type type;
    struct cw_str text;
};

struct parser {
    struct cw_str text;
    size_t at;   /* behind the current token */
    bool inside; /* between the braces */
    struct token token;
    struct cw_arena *arena;
    struct cw_err *err;
    struct cw_label *pairs;
    size_t n, cap;
};

/* "couldn't parse labels: LINE:COLUMN: parse error: SENTENCE"; `off` is where in the text. */
static int fail_at(struct parser *p, size_t off, struct cw_buf *sentence)
{
    size_t line = 1, line_start = 0;
    for (size_t i = 0; i < off; i++) {
        if (p->text.ptr[i] == '\n') {
            line++;
            line_start = i + 1;
        }
    }
    cw_err_set(p->err, CW_E_INVALID, "couldn't parse labels: %zu:%zu: parse error: %s", line,
               off - line_start + 1, cw_buf_z(sentence));
    cw_buf_fini(sentence);
    return CW_E_INVALID;
}

/* A sentence is cut where struct cw_err would cut it. */
static struct cw_buf sentence_new(const char *start)
{
    struct cw_buf buf;
    cw_buf_init(&buf, CW_ERR_TEXT_BYTES);
    cw_buf_addz(&buf, start);
    return buf;
}

static uint32_t rune_at(struct cw_str text, size_t off)
{
    uint32_t rune = 0xFFFD; /* what Go prints for the end of the input */
    (void)cw_utf8_decode(cw_str_sub(text, off, text.len), &rune);
    return rune;
}

/* Go's %q of a rune. */
static void add_quoted_rune(uint32_t rune, struct cw_buf *out)
{
    char bytes[4];
    struct cw_str one = cw_str_make(bytes, cw_utf8_encode(rune, bytes));
    struct cw_buf quoted;
    cw_buf_init(&quoted, 64);
    if (rune == '\'')
        cw_buf_addz(&quoted, "\"\\'\"");
    else if (rune == '"')
        cw_buf_addz(&quoted, "\"\"\"");
    else
        cw_quote_go(one, &quoted);
    cw_buf_addf(out, "'%.*s'", CW_STR_ARG(cw_str_sub(cw_buf_str(&quoted), 1, quoted.len - 1)));
    cw_buf_fini(&quoted);
}

static enum token_type lex_error(struct parser *p, size_t off, const char *what, uint32_t rune)
{
    struct cw_buf sentence = sentence_new(what);
    if (rune != 0)
        add_quoted_rune(rune, &sentence);
    (void)fail_at(p, off, &sentence);
    return TOKEN_ERROR;
}

/* Go's %#U: "U+0071 'q'". */
static enum token_type escape_error(struct parser *p, size_t start, const char *before, size_t off,
                                    const char *after)
{
    if (off >= p->text.len)
        return lex_error(p, start, "escape sequence not terminated", 0);
    uint32_t rune = rune_at(p->text, off);
    struct cw_buf sentence = sentence_new(before);
    char bytes[4];
    cw_buf_addf(&sentence, "U+%04X", rune);
    if (rune >= 0x20 && rune != 0x7F)
        cw_buf_addf(&sentence, " '%.*s'", (int)cw_utf8_encode(rune, bytes), bytes);
    cw_buf_addz(&sentence, after);
    (void)fail_at(p, start, &sentence);
    return TOKEN_ERROR;
}

/* Check the escape whose backslash is just before p->at. TOKEN_STRING: go on. */
static enum token_type lex_escape(struct parser *p, size_t start, char quote)
{
    size_t digits = 0;
    unsigned base = 16;
    char c = p->at < p->text.len ? p->text.ptr[p->at] : 0;
    if (c != 0 && (strchr("abfnrtv\\", c) != NULL || c == quote)) {
        p->at++;
        return TOKEN_STRING;
    }
    if (c >= '0' && c <= '7')
        digits = 3, base = 8;
    else if (c == 'x' || c == 'u' || c == 'U')
        digits = c == 'x' ? 2 : c == 'u' ? 4 : 8, p->at++;
    else
        return escape_error(p, start, "unknown escape sequence ", p->at, "");
    uint32_t value = 0;
    for (size_t i = 0; i < digits; i++, p->at++) {
        char d = p->at < p->text.len ? p->text.ptr[p->at] : 0;
        int digit = cw_str_hex_digit(d);
        if (digit < 0 || (unsigned)digit >= base)
            return escape_error(p, start, "illegal character ", p->at, " in escape sequence");
        value = value * base + (unsigned)digit;
    }
    if (value > (digits < 4 ? 255 : 0x10FFFF) || (value >= 0xD800 && value < 0xE000))
        return lex_error(p, start, "escape sequence is an invalid Unicode code point", 0);
    return TOKEN_STRING;
}

/* p->at is behind the opening quote. */
static enum token_type lex_string(struct parser *p, size_t start, char quote)
{
    while (p->at < p->text.len) {
        char c = p->text.ptr[p->at];
        if (c == quote) {
            p->at++;
            return TOKEN_STRING;
        }
        if (c == '\n' && quote != '`')
            break;
        if (c == '\\' && quote != '`') {
            p->at++;
            if (lex_escape(p, start, quote) == TOKEN_ERROR)
                return TOKEN_ERROR;
            continue;
        }
        uint32_t rune;
        size_t len = cw_utf8_decode(cw_str_sub(p->text, p->at, p->text.len), &rune);
        p->at += len;
        if (rune == 0xFFFD &&
            len == 1) /* Prometheus refuses a valid U+FFFD too, and so its own output */
            return lex_error(p, start, "invalid UTF-8 rune", 0);
    }
    return lex_error(p, start,
                     quote == '`' ? "unterminated raw string" : "unterminated quoted string", 0);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_name_char(const struct parser *p, char c, bool first)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_')
        return true;
    if (c == ':')
        return !p->inside; /* metric names only */
    return !first && c >= '0' && c <= '9';
}

static void skip_blank(struct parser *p)
{
    while (p->at < p->text.len) {
        if (p->text.ptr[p->at] == '#') {
            while (p->at < p->text.len && p->text.ptr[p->at] != '\n' && p->text.ptr[p->at] != '\r')
                p->at++;
        } else if (is_space(p->text.ptr[p->at])) {
            p->at++;
        } else {
            return;
        }
    }
}

static enum token_type lex_operator(struct parser *p, size_t start, char c)
{
    char next = p->at < p->text.len ? p->text.ptr[p->at] : 0;
    if (c == '=' && (next != '~' || !p->inside))
        return TOKEN_EQ;
    if (c == '!' && next != '=' && next != '~')
        return lex_error(p, start,
                         p->inside ? "unexpected character after '!' inside braces: "
                                   : "unexpected character after '!': ",
                         rune_at(p->text, p->at));
    p->at++;
    return TOKEN_OPERATOR;
}

static enum token_type lex_symbol(struct parser *p, size_t start)
{
    char c = p->text.ptr[p->at++];
    switch (c) {
    case '"':
    case '\'':
    case '`': return lex_string(p, start, c);
    case ',': return TOKEN_COMMA;
    case '=':
    case '!': return lex_operator(p, start, c);
    case '{':
        if (p->inside)
            return lex_error(p, start, "unexpected left brace ", '{');
        p->inside = true;
        return TOKEN_OPEN;
    case '}':
        if (!p->inside)
            break;
        p->inside = false;
        return TOKEN_CLOSE;
    default: break;
    }
    return lex_error(p, start,
                     p->inside ? "unexpected character inside braces: " : "unexpected character: ",
                     rune_at(p->text, start));
}

static enum token_type next_token(struct parser *p)
{
    skip_blank(p);
    size_t start = p->at;
    if (start == p->text.len) {
        p->token.type =
            p->inside ? lex_error(p, start, "unexpected end of input inside braces", 0) : TOKEN_END;
    } else if (is_name_char(p, p->text.ptr[start], true)) {
        while (p->at < p->text.len && is_name_char(p, p->text.ptr[p->at], false))
            p->at++;
        p->token.type = TOKEN_NAME;
    } else {
        p->token.type = lex_symbol(p, start);
    }
    p->token.text = cw_str_sub(p->text, start, p->at);
    return p->token.type;
}

/* "unexpected identifier "b" in label set, expected string" for the current token. */
static int fail_unexpected(struct parser *p, const char *expected)
{
    if (p->token.type == TOKEN_ERROR)
        return CW_E_INVALID;
    struct cw_buf sentence = sentence_new("unexpected ");
    struct cw_str text = p->token.text;
    if (p->token.type == TOKEN_OPERATOR) {
        cw_buf_addf(&sentence, "<op:%.*s>", CW_STR_ARG(text));
    } else {
        bool metric = p->token.type == TOKEN_NAME && cw_str_find_byte(text, ':') >= 0;
        if (p->token.type == TOKEN_NAME)
            cw_buf_addz(&sentence, metric ? "metric identifier " : "identifier ");
        else if (p->token.type == TOKEN_STRING)
            cw_buf_addz(&sentence, "string ");
        size_t shown = 0, runes = 0; /* a long string is shown by its first ten runes */
        uint32_t rune;
        while (shown < text.len &&
               (p->token.type != TOKEN_STRING || text.len <= 10 || runes < 10)) {
            shown += cw_utf8_decode(cw_str_sub(text, shown, text.len), &rune);
            runes++;
        }
        cw_quote_go(cw_str_sub(text, 0, shown), &sentence);
        if (p->token.type == TOKEN_STRING && text.len > 10)
            cw_buf_addz(&sentence, "...");
    }
    if (expected != NULL)
        cw_buf_addf(&sentence, " in label set, expected %s", expected);
    return fail_at(p, (size_t)(text.ptr - p->text.ptr), &sentence);
}

static struct cw_str string_value(struct parser *p)
{
    struct cw_str body = cw_str_sub(p->token.text, 1, p->token.text.len - 1);
    if (p->token.text.ptr[0] == '`' || (body.len > 0 && memchr(body.ptr, '\\', body.len) == NULL))
        return cw_arena_dup(p->arena, body);
    struct cw_str value = CW_STR_NONE;
    bool ok = cw_unquote_body(body, p->token.text.ptr[0], p->arena, &value);
    CW_ASSERT(ok); /* lex_string() let it pass */
    return value;
}

static void add_pair(struct parser *p, struct cw_str name, struct cw_str value)
{
    p->pairs = cw_arena_grow(p->arena, p->pairs, p->n, &p->cap, p->n + 1, sizeof p->pairs[0]);
    p->pairs[p->n++] = (struct cw_label){name, value};
}

/* One `name="value"`; a lone string is the metric's name. Leaves the token behind it current. */
static int parse_item(struct parser *p)
{
    bool quoted = p->token.type == TOKEN_STRING;
    if (!quoted && p->token.type != TOKEN_NAME)
        return fail_unexpected(p, "identifier or \"}\"");
    struct cw_str name = quoted ? string_value(p) : cw_arena_dup(p->arena, p->token.text);
    if (next_token(p) != TOKEN_EQ) {
        if (!quoted)
            return fail_unexpected(p, "\"=\"");
        add_pair(p, CW_STR("__name__"), name);
        return 0;
    }
    if (next_token(p) != TOKEN_STRING)
        return fail_unexpected(p, "string");
    add_pair(p, name, string_value(p));
    next_token(p);
    return 0;
}

static int parse_braces(struct parser *p)
{
    next_token(p);
    while (p->token.type != TOKEN_CLOSE) {
        if (parse_item(p) < 0)
            return CW_E_INVALID;
        if (p->token.type == TOKEN_COMMA)
            next_token(p);
        else if (p->token.type != TOKEN_CLOSE)
            return fail_unexpected(p, "\",\" or \"}\"");
    }
    next_token(p);
    return 0;
}

/* A name before the braces replaces one inside. */
static void set_metric_name(struct parser *p, struct cw_str name)
{
    for (size_t i = 0; i < p->n; i++) {
        if (cw_str_eqz(p->pairs[i].name, "__name__")) {
            p->pairs[i].value = name;
            return;
        }
    }
    add_pair(p, CW_STR("__name__"), name);
}

int cw_labels_parse(struct cw_str text, struct cw_arena *arena, struct cw_labels *out,
                    struct cw_err *err)
{
    struct parser p = {.text = text, .arena = arena, .err = err};
    struct cw_str metric = CW_STR_NONE;
    if (next_token(&p) == TOKEN_NAME) {
        metric = cw_arena_dup(arena, p.token.text);
        next_token(&p);
    }
    if (p.token.type == TOKEN_OPEN && parse_braces(&p) < 0)
        return CW_E_INVALID;
    if (p.token.type != TOKEN_END)
        return fail_unexpected(&p, NULL);
    if (metric.len > 0)
        set_metric_name(&p, metric);
    struct cw_err duplicate;
    if (cw_labels_from_pairs(p.pairs, p.n, out, &duplicate) < 0)
        return cw_err_set(err, CW_E_INVALID, "stream '%.*s' has %s", CW_STR_ARG(text),
                          duplicate.text);
    return 0;
}
