/* Tokens of a template: text up to "{{", then what stands inside until "}}". */
#include "common/base/assert.h"
#include "common/match/regex_unicode.h"
#include "common/template/go_template_priv.h"

static bool is_space(uint32_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_word(uint32_t rune)
{
    return rune == '_' || cw_rune_is_letter(rune) || cw_rune_is_digit(rune);
}

void cw_gt_lexer_init(struct cw_gt_lexer *lexer, struct cw_str input, struct cw_arena *arena)
{
    *lexer = (struct cw_gt_lexer){.input = input, .line = 1, .start_line = 1, .arena = arena};
}

static struct cw_str rest(const struct cw_gt_lexer *lexer)
{
    return cw_str_sub(lexer->input, lexer->pos, lexer->input.len);
}

enum { AT_END = 0xFFFFFFFF };

/* The rune at pos, and its length; AT_END and 0 behind the last. */
static uint32_t peek(const struct cw_gt_lexer *lexer, size_t *len)
{
    uint32_t rune;
    *len = cw_utf8_decode(rest(lexer), &rune);
    return *len == 0 ? (uint32_t)AT_END : rune;
}

static bool starts_here(const struct cw_gt_lexer *lexer, const char *what)
{
    return cw_str_starts(rest(lexer), cw_str_of(what));
}

static unsigned newlines(struct cw_str s)
{
    unsigned n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += s.ptr[i] == '\n';
    return n;
}

/* The token from start to pos; the next one begins behind it. */
static struct cw_gt_token emit(struct cw_gt_lexer *lexer, enum cw_gt_token_kind kind)
{
    struct cw_gt_token token = {
        .kind = kind,
        .text = cw_str_sub(lexer->input, lexer->start, lexer->pos),
        .pos = lexer->start,
        .line = lexer->start_line,
    };
    lexer->line += newlines(token.text);
    lexer->start = lexer->pos;
    lexer->start_line = lexer->line;
    return token;
}

static void skip(struct cw_gt_lexer *lexer)
{
    emit(lexer, CW_GT_SPACE);
}

/* Nothing follows an error. */
static struct cw_gt_token fail(struct cw_gt_lexer *lexer, struct cw_str message)
{
    struct cw_gt_token token = {
        .kind = CW_GT_ERROR, .text = message, .pos = lexer->start, .line = lexer->start_line};
    lexer->input = CW_STR_NONE;
    lexer->pos = lexer->start = 0;
    lexer->inside_action = false;
    return token;
}

static struct cw_gt_token fail_rune(struct cw_gt_lexer *lexer, const char *what, uint32_t rune)
{
    if (rune == AT_END) /* Go prints its -1 so */
        return fail(lexer, cw_arena_printf(lexer->arena, "%sU+FFFFFFFFFFFFFFFF", what));
    struct cw_buf text;
    char utf8[4];
    cw_buf_init(&text, 256);
    cw_buf_addf(&text, "%sU+%04X", what, rune);
    struct cw_buf quoted;
    cw_buf_init(&quoted, 64);
    cw_quote_go(cw_str_make(utf8, cw_utf8_encode(rune, utf8)), &quoted);
    if (rune == '"' || rune == '\\' || (quoted.len > 0 && quoted.ptr[1] != '\\'))
        cw_buf_addf(&text, " '%.*s'", (int)cw_utf8_encode(rune, utf8), utf8);
    struct cw_gt_token token = fail(lexer, cw_arena_dup(lexer->arena, cw_buf_str(&text)));
    cw_buf_fini(&text);
    cw_buf_fini(&quoted);
    return token;
}

static bool left_trim_marker(struct cw_str s)
{
    return s.len >= 2 && s.ptr[0] == '-' && is_space((unsigned char)s.ptr[1]);
}

static bool right_trim_marker(struct cw_str s)
{
    return s.len >= 2 && is_space((unsigned char)s.ptr[0]) && s.ptr[1] == '-';
}

static bool at_right_delim(const struct cw_gt_lexer *lexer, bool *trim)
{
    struct cw_str s = rest(lexer);
    *trim = right_trim_marker(s) && cw_str_starts(cw_str_sub(s, 2, s.len), CW_STR("}}"));
    return *trim || cw_str_starts(s, CW_STR("}}"));
}

static void skip_spaces(struct cw_gt_lexer *lexer)
{
    while (lexer->pos < lexer->input.len && is_space((unsigned char)lexer->input.ptr[lexer->pos]))
        lexer->pos++;
}

/* "{{/" "*" at pos (behind the trim marker); false with *token on an error. */
static bool skip_comment(struct cw_gt_lexer *lexer, struct cw_gt_token *token)
{
    lexer->pos += 2;
    ptrdiff_t end = cw_str_find(rest(lexer), CW_STR("*/"));
    if (end < 0) {
        *token = fail(lexer, CW_STR("unclosed comment"));
        return false;
    }
    lexer->pos += (size_t)end + 2;
    bool trim;
    if (!at_right_delim(lexer, &trim)) {
        *token = fail(lexer, CW_STR("comment ends before closing delimiter"));
        return false;
    }
    lexer->pos += trim ? 4 : 2;
    if (trim)
        skip_spaces(lexer);
    skip(lexer);
    return true;
}

static struct cw_gt_token lex_text(struct cw_gt_lexer *lexer)
{
    for (;;) {
        ptrdiff_t at = cw_str_find(rest(lexer), CW_STR("{{"));
        if (at < 0) {
            lexer->pos = lexer->input.len;
            if (lexer->pos > lexer->start)
                return emit(lexer, CW_GT_TEXT);
            struct cw_gt_token end = emit(lexer, CW_GT_EOF);
            end.text = CW_STR("EOF");
            return end;
        }
        size_t delim = lexer->pos + (size_t)at;
        bool trim = left_trim_marker(cw_str_sub(lexer->input, delim + 2, lexer->input.len));
        if (at > 0) {
            size_t end = delim;
            while (trim && end > lexer->start && is_space((unsigned char)lexer->input.ptr[end - 1]))
                end--;
            lexer->pos = end;
            struct cw_gt_token token = emit(lexer, CW_GT_TEXT);
            lexer->pos = delim;
            skip(lexer);
            if (token.text.len > 0)
                return token;
        }
        size_t body = delim + 2 + (trim ? 2 : 0);
        if (!cw_str_starts(cw_str_sub(lexer->input, body, lexer->input.len), CW_STR("/*"))) {
            lexer->pos = delim + 2;
            struct cw_gt_token token = emit(lexer, CW_GT_LEFT_DELIM);
            lexer->inside_action = true;
            lexer->paren_depth = 0;
            lexer->pos = body;
            skip(lexer);
            return token;
        }
        lexer->pos = body;
        skip(lexer);
        struct cw_gt_token token;
        if (!skip_comment(lexer, &token))
            return token;
    }
}

static struct cw_gt_token lex_right_delim(struct cw_gt_lexer *lexer, bool trim)
{
    if (trim) {
        lexer->pos += 2;
        skip(lexer);
    }
    lexer->pos += 2;
    struct cw_gt_token token = emit(lexer, CW_GT_RIGHT_DELIM);
    if (trim) {
        skip_spaces(lexer);
        skip(lexer);
    }
    lexer->inside_action = false;
    return token;
}

static struct cw_gt_token lex_space(struct cw_gt_lexer *lexer)
{
    size_t from = lexer->pos;
    skip_spaces(lexer);
    /* The last space may belong to " -}}". */
    struct cw_str last = cw_str_sub(lexer->input, lexer->pos - 1, lexer->input.len);
    if (right_trim_marker(last) && cw_str_starts(cw_str_sub(last, 2, last.len), CW_STR("}}"))) {
        lexer->pos--;
        if (lexer->pos == from)
            return lex_right_delim(lexer, true);
    }
    return emit(lexer, CW_GT_SPACE);
}

static bool at_terminator(const struct cw_gt_lexer *lexer)
{
    size_t len;
    uint32_t rune = peek(lexer, &len);
    if (rune == AT_END || is_space(rune))
        return true;
    return (rune < 0x80 && strchr(".,|:)(", (int)rune) != NULL) || starts_here(lexer, "}}");
}

static void skip_word(struct cw_gt_lexer *lexer)
{
    for (;;) {
        size_t len;
        uint32_t rune = peek(lexer, &len);
        if (rune == AT_END || !is_word(rune))
            return;
        lexer->pos += len;
    }
}

static struct cw_gt_token bad_character(struct cw_gt_lexer *lexer)
{
    size_t len;
    return fail_rune(lexer, "bad character ", peek(lexer, &len));
}

static struct cw_gt_token lex_identifier(struct cw_gt_lexer *lexer)
{
    static const struct {
        const char *word;
        enum cw_gt_token_kind kind;
    } keywords[] = {
        {"block", CW_GT_BLOCK},   {"break", CW_GT_BREAK}, {"continue", CW_GT_CONTINUE},
        {"define", CW_GT_DEFINE}, {"else", CW_GT_ELSE},   {"end", CW_GT_END},
        {"if", CW_GT_IF},         {"range", CW_GT_RANGE}, {"nil", CW_GT_NIL},
        {"with", CW_GT_WITH},     {"true", CW_GT_BOOL},   {"template", CW_GT_TEMPLATE},
        {"false", CW_GT_BOOL},
    };
    skip_word(lexer);
    if (!at_terminator(lexer))
        return bad_character(lexer);
    struct cw_str word = cw_str_sub(lexer->input, lexer->start, lexer->pos);
    for (size_t i = 0; i < CW_COUNT(keywords); i++)
        if (cw_str_eqz(word, keywords[i].word))
            return emit(lexer, keywords[i].kind);
    return emit(lexer, CW_GT_IDENTIFIER);
}

/* Behind the '.' or '$'. */
static struct cw_gt_token lex_field(struct cw_gt_lexer *lexer, enum cw_gt_token_kind kind)
{
    if (at_terminator(lexer))
        return emit(lexer, kind == CW_GT_VARIABLE ? CW_GT_VARIABLE : CW_GT_DOT);
    skip_word(lexer);
    if (!at_terminator(lexer))
        return bad_character(lexer);
    return emit(lexer, kind);
}

/* Behind the opening quote, a " or a '. */
static struct cw_gt_token lex_quoted(struct cw_gt_lexer *lexer, char quote)
{
    bool string = quote == '"';
    while (lexer->pos < lexer->input.len) {
        char c = lexer->input.ptr[lexer->pos++];
        if (c == quote)
            return emit(lexer, string ? CW_GT_STRING : CW_GT_CHAR_CONSTANT);
        if (c == '\\' && lexer->pos < lexer->input.len)
            c = lexer->input.ptr[lexer->pos++];
        if (c == '\n')
            break;
    }
    return fail(lexer, string ? CW_STR("unterminated quoted string")
                              : CW_STR("unterminated character constant"));
}

static struct cw_gt_token lex_raw(struct cw_gt_lexer *lexer)
{
    ptrdiff_t end = cw_str_find_byte(rest(lexer), '`');
    if (end < 0)
        return fail(lexer, CW_STR("unterminated raw quoted string"));
    lexer->pos += (size_t)end + 1;
    return emit(lexer, CW_GT_RAW_STRING);
}

static bool accept(struct cw_gt_lexer *lexer, const char *set)
{
    if (lexer->pos >= lexer->input.len)
        return false;
    char c = lexer->input.ptr[lexer->pos];
    if (c == '\0' || strchr(set, c) == NULL)
        return false;
    lexer->pos++;
    return true;
}

static void accept_run(struct cw_gt_lexer *lexer, const char *set)
{
    while (accept(lexer, set)) {
    }
}

/* About a number: what it is exactly is the parser's business. */
static bool scan_number(struct cw_gt_lexer *lexer)
{
    static const char decimal[] = "0123456789_", hexadecimal[] = "0123456789abcdefABCDEF_";
    const char *digits = decimal;
    accept(lexer, "+-");
    if (accept(lexer, "0")) {
        if (accept(lexer, "xX"))
            digits = hexadecimal;
        else if (accept(lexer, "oO"))
            digits = "01234567_";
        else if (accept(lexer, "bB"))
            digits = "01_";
    }
    accept_run(lexer, digits);
    if (accept(lexer, "."))
        accept_run(lexer, digits);
    if ((digits == decimal && accept(lexer, "eE")) ||
        (digits == hexadecimal && accept(lexer, "pP"))) {
        accept(lexer, "+-");
        accept_run(lexer, decimal);
    }
    accept(lexer, "i");
    size_t len;
    uint32_t rune = peek(lexer, &len);
    if (rune != AT_END && is_word(rune)) {
        lexer->pos += len;
        return false;
    }
    return true;
}

static struct cw_gt_token bad_number(struct cw_gt_lexer *lexer)
{
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    cw_buf_addz(&text, "bad number syntax: ");
    cw_quote_go(cw_str_sub(lexer->input, lexer->start, lexer->pos), &text);
    struct cw_gt_token token = fail(lexer, cw_arena_dup(lexer->arena, cw_buf_str(&text)));
    cw_buf_fini(&text);
    return token;
}

static struct cw_gt_token lex_number(struct cw_gt_lexer *lexer)
{
    if (!scan_number(lexer))
        return bad_number(lexer);
    if (starts_here(lexer, "+") || starts_here(lexer, "-")) {
        if (!scan_number(lexer) || lexer->input.ptr[lexer->pos - 1] != 'i')
            return bad_number(lexer);
        return emit(lexer, CW_GT_COMPLEX);
    }
    return emit(lexer, CW_GT_NUMBER);
}

static struct cw_gt_token lex_punctuation(struct cw_gt_lexer *lexer, uint32_t rune)
{
    switch (rune) {
    case '=': return emit(lexer, CW_GT_ASSIGN);
    case ':':
        if (!accept(lexer, "="))
            return fail(lexer, CW_STR("expected :="));
        return emit(lexer, CW_GT_DECLARE);
    case '|': return emit(lexer, CW_GT_PIPE);
    case '"':
    case '\'': return lex_quoted(lexer, (char)rune);
    case '`': return lex_raw(lexer);
    case '$': return lex_field(lexer, CW_GT_VARIABLE);
    case '(': lexer->paren_depth++; return emit(lexer, CW_GT_LEFT_PAREN);
    case ')':
        if (--lexer->paren_depth < 0)
            return fail(lexer, CW_STR("unexpected right paren"));
        return emit(lexer, CW_GT_RIGHT_PAREN);
    default:
        if (rune > 0x20 && rune < 0x7F)
            return emit(lexer, CW_GT_CHAR);
        return fail_rune(lexer, "unrecognized character in action: ", rune);
    }
}

static struct cw_gt_token lex_inside(struct cw_gt_lexer *lexer)
{
    bool trim;
    if (at_right_delim(lexer, &trim)) {
        if (lexer->paren_depth == 0)
            return lex_right_delim(lexer, trim);
        return fail(lexer, CW_STR("unclosed left paren"));
    }
    size_t len;
    uint32_t rune = peek(lexer, &len);
    if (rune == AT_END)
        return fail(lexer, CW_STR("unclosed action"));
    if (is_space(rune))
        return lex_space(lexer);
    if (rune == '.' && lexer->pos + 1 < lexer->input.len &&
        !cw_rune_is_digit((unsigned char)lexer->input.ptr[lexer->pos + 1])) {
        lexer->pos++;
        return lex_field(lexer, CW_GT_FIELD);
    }
    if (rune == '.' || rune == '+' || rune == '-' || (rune >= '0' && rune <= '9'))
        return lex_number(lexer);
    if (is_word(rune))
        return lex_identifier(lexer);
    lexer->pos += len;
    return lex_punctuation(lexer, rune);
}

struct cw_gt_token cw_gt_lexer_next(struct cw_gt_lexer *lexer)
{
    return lexer->inside_action ? lex_inside(lexer) : lex_text(lexer);
}
