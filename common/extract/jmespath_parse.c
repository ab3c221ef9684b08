#include <stdio.h>

#include "common/base/assert.h"
#include "common/extract/jmespath_priv.h"
#include "common/extract/json_strict.h"

enum token_kind {
    T_END,
    T_NAME,
    T_QUOTED,
    T_NUMBER,
    T_LITERAL,
    T_DOT,
    T_STAR,
    T_COMMA,
    T_COLON,
    T_CURRENT,
    T_EXPREF,
    T_PIPE,
    T_OR,
    T_AND,
    T_NOT,
    T_COMPARE,
    T_FLATTEN, /* [] */
    T_FILTER,  /* [? */
    T_LBRACKET,
    T_RBRACKET,
    T_LBRACE,
    T_RBRACE,
    T_LPAREN,
    T_RPAREN,
};

/* How strongly a token binds what stands before it; what is not here ends an expression. */
static const unsigned char binding[] = {
    [T_PIPE] = 1,      [T_OR] = 2,      [T_AND] = 3,    [T_COMPARE] = 5, [T_FLATTEN] = 9,
    [T_STAR] = 20,     [T_FILTER] = 21, [T_DOT] = 40,   [T_NOT] = 45,    [T_LBRACE] = 50,
    [T_LBRACKET] = 55, [T_LPAREN] = 60, [T_RPAREN] = 0,
};
enum { PROJECTION_STOP = 10 }; /* weaker tokens end what is projected */

struct token {
    enum token_kind kind;
    size_t at; /* its offset */
    struct cw_str name;
    int64_t number;
    enum jmes_op op;
    const struct cw_json_node *literal;
};

struct parser {
    struct cw_str text;
    struct token *tokens; /* the last one is T_END */
    size_t ntokens, at;
    unsigned depth; /* of calls */
    struct cw_arena *arena;
    struct cw_err *err;
};

static struct jmes_node *parse_expression(struct parser *p, unsigned above);

/* ---- tokens ---- */

static int fail_at(struct parser *p, size_t at, const char *what)
{
    return cw_err_set(p->err, CW_E_INVALID, "JMESPath expression `%.*s`, offset %zu: %s",
                      CW_STR_ARG(cw_str_sub(p->text, 0, 200)), at, what);
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The offset of the next `quote` that no backslash stands before; the text's length: none. */
static size_t closing(struct cw_str text, size_t at, char quote)
{
    while (at < text.len && text.ptr[at] != quote)
        at += text.ptr[at] == '\\' ? 2 : 1;
    return CW_MIN(at, text.len);
}

/* What stands between quotes, with \<quote> as the quote. */
static struct cw_str unquote(struct parser *p, struct cw_str inner, char quote)
{
    char *out = cw_arena_alloc(p->arena, inner.len);
    size_t len = 0;
    for (size_t i = 0; i < inner.len; i++) {
        if (inner.ptr[i] == '\\' && i + 1 < inner.len && inner.ptr[i + 1] == quote)
            i++;
        out[len++] = inner.ptr[i];
    }
    return cw_str_make(out, len);
}

/* "name", 'text' and `json`, from the opening quote on. */
static int lex_quoted(struct parser *p, struct token *token, size_t *at)
{
    char quote = p->text.ptr[*at];
    size_t from = *at, to = closing(p->text, from + 1, quote);
    if (to == p->text.len)
        return fail_at(p, from, "a quote is not closed");
    struct cw_str inner = cw_str_sub(p->text, from + 1, to);
    const struct cw_json_node *node;
    *at = to + 1;
    if (quote == '"') {
        if (!cw_json_tree_parse(cw_str_sub(p->text, from, *at), p->arena, &node))
            return fail_at(p, from, "no JSON string");
        token->kind = T_QUOTED;
        token->name = node->text;
        return 0;
    }
    token->kind = T_LITERAL;
    struct cw_str plain = unquote(p, inner, quote);
    if (quote == '`') {
        if (!cw_json_tree_parse(plain, p->arena, &token->literal))
            return fail_at(p, from, "no JSON value between backquotes");
        return 0;
    }
    struct cw_json_node *text = CW_ARENA_NEW(p->arena, struct cw_json_node);
    text->type = CW_JSON_TYPE_STRING;
    text->text = plain;
    token->literal = text;
    return 0;
}

static int lex_number(struct parser *p, struct token *token, size_t *at)
{
    size_t from = (*at)++;
    while (*at < p->text.len && is_digit(p->text.ptr[*at]))
        (*at)++;
    token->kind = T_NUMBER;
    if (!cw_str_to_i64(cw_str_sub(p->text, from, *at), &token->number))
        return fail_at(p, from, "no whole number that fits 64 bits");
    return 0;
}

static const struct {
    struct cw_str text;
    enum token_kind kind;
    enum jmes_op op;
} symbols[] = {
    /* Longer ones first. */
    {{"[?", 2}, T_FILTER},
    {{"[]", 2}, T_FLATTEN},
    {{"||", 2}, T_OR},
    {{"&&", 2}, T_AND},
    {{"==", 2}, T_COMPARE, JMES_EQ},
    {{"!=", 2}, T_COMPARE, JMES_NE},
    {{"<=", 2}, T_COMPARE, JMES_LE},
    {{">=", 2}, T_COMPARE, JMES_GE},
    {{"<", 1}, T_COMPARE, JMES_LT},
    {{">", 1}, T_COMPARE, JMES_GT},
    {{"[", 1}, T_LBRACKET},
    {{"]", 1}, T_RBRACKET},
    {{"{", 1}, T_LBRACE},
    {{"}", 1}, T_RBRACE},
    {{"(", 1}, T_LPAREN},
    {{")", 1}, T_RPAREN},
    {{".", 1}, T_DOT},
    {{"*", 1}, T_STAR},
    {{",", 1}, T_COMMA},
    {{":", 1}, T_COLON},
    {{"@", 1}, T_CURRENT},
    {{"&", 1}, T_EXPREF},
    {{"|", 1}, T_PIPE},
    {{"!", 1}, T_NOT},
};

static int lex_token(struct parser *p, struct token *token, size_t *at)
{
    char c = p->text.ptr[*at];
    *token = (struct token){.at = *at};
    if (is_letter(c)) {
        while (*at < p->text.len && (is_letter(p->text.ptr[*at]) || is_digit(p->text.ptr[*at])))
            (*at)++;
        token->kind = T_NAME;
        token->name = cw_str_sub(p->text, token->at, *at);
        return 0;
    }
    if (is_digit(c) || c == '-')
        return lex_number(p, token, at);
    if (c == '"' || c == '\'' || c == '`')
        return lex_quoted(p, token, at);
    struct cw_str rest = cw_str_sub(p->text, *at, p->text.len);
    for (size_t i = 0; i < CW_COUNT(symbols); i++) {
        if (!cw_str_starts(rest, symbols[i].text))
            continue;
        token->kind = symbols[i].kind;
        token->op = symbols[i].op;
        *at += symbols[i].text.len;
        return 0;
    }
    return fail_at(p, *at, "a character that has no meaning here");
}

static int lex_all(struct parser *p)
{
    size_t at = 0;
    /* No token is shorter than a byte. */
    p->tokens = CW_ARENA_ARRAY(p->arena, struct token, p->text.len + 1);
    for (;;) {
        while (at < p->text.len && strchr(" \t\r\n", p->text.ptr[at]) != NULL &&
               p->text.ptr[at] != '\0')
            at++;
        if (at == p->text.len)
            break;
        int rc = lex_token(p, &p->tokens[p->ntokens], &at);
        if (rc < 0)
            return rc;
        p->ntokens++;
    }
    p->tokens[p->ntokens++] = (struct token){.kind = T_END, .at = at};
    return 0;
}

/* ---- the tree; every parse_ function returns NULL when it has failed ---- */

static struct token *peek(struct parser *p)
{
    return &p->tokens[p->at];
}

static enum token_kind kind_behind(struct parser *p)
{
    return p->tokens[CW_MIN(p->at + 1, p->ntokens - 1)].kind;
}

static bool accept(struct parser *p, enum token_kind kind)
{
    if (peek(p)->kind != kind || kind == T_END)
        return false;
    p->at++;
    return true;
}

static struct jmes_node *fail(struct parser *p, const char *what)
{
    (void)fail_at(p, peek(p)->at, what);
    return NULL;
}

static struct jmes_node *fail_expected(struct parser *p, const char *what)
{
    char text[64];
    snprintf(text, sizeof text, "expected %s", what);
    return fail(p, text);
}

static struct jmes_node *leaf(struct parser *p, enum jmes_kind kind)
{
    struct jmes_node *node = CW_ARENA_NEW(p->arena, struct jmes_node);
    node->kind = kind;
    node->depth = 1;
    return node;
}

/* Checks what stands below a node; NULL: it failed already, or is too deep. */
static struct jmes_node *above(struct parser *p, struct jmes_node *node,
                               const struct jmes_node *below)
{
    if (node == NULL || below == NULL)
        return NULL;
    node->depth = CW_MAX(node->depth, below->depth + 1);
    return node->depth <= CW_JMESPATH_DEPTH ? node : fail(p, "it is nested too deep");
}

static struct jmes_node *pair(struct parser *p, enum jmes_kind kind, struct jmes_node *left,
                              struct jmes_node *right)
{
    struct jmes_node *node = leaf(p, kind);
    node->left = left;
    node->right = right;
    return above(p, above(p, node, left), right);
}

static void add(struct parser *p, struct jmes_node *to, size_t *cap, struct jmes_node *item)
{
    to->items = cw_arena_grow(p->arena, to->items, to->n, cap, to->n + 1, sizeof(*to->items));
    to->items[to->n++] = item;
}

/* Behind '['. */
static struct jmes_node *parse_list(struct parser *p)
{
    struct jmes_node *list = leaf(p, JMES_LIST);
    size_t cap = 0;
    do {
        struct jmes_node *item = parse_expression(p, 0);
        list = above(p, list, item);
        if (list == NULL)
            return NULL;
        add(p, list, &cap, item);
    } while (accept(p, T_COMMA));
    return accept(p, T_RBRACKET) ? list : fail_expected(p, "',' or ']'");
}

/* Behind '{'. */
static struct jmes_node *parse_hash(struct parser *p)
{
    struct jmes_node *hash = leaf(p, JMES_HASH);
    size_t cap = 0, keys_cap = 0;
    do {
        struct cw_str key = peek(p)->name;
        if (!accept(p, T_NAME) && !accept(p, T_QUOTED))
            return fail_expected(p, "a key");
        if (!accept(p, T_COLON))
            return fail_expected(p, "':'");
        struct jmes_node *item = parse_expression(p, 0);
        hash = above(p, hash, item);
        if (hash == NULL)
            return NULL;
        hash->keys = cw_arena_grow(p->arena, hash->keys, hash->n, &keys_cap, hash->n + 1,
                                   sizeof(*hash->keys));
        hash->keys[hash->n] = key;
        add(p, hash, &cap, item);
    } while (accept(p, T_COMMA));
    return accept(p, T_RBRACE) ? hash : fail_expected(p, "',' or '}'");
}

/* Behind '.'. */
static struct jmes_node *parse_after_dot(struct parser *p, unsigned power)
{
    switch (peek(p)->kind) {
    case T_NAME:
    case T_QUOTED:
    case T_STAR: return parse_expression(p, power);
    case T_LBRACKET: p->at++; return parse_list(p);
    case T_LBRACE: p->at++; return parse_hash(p);
    default: return fail_expected(p, "a name, '*', '[' or '{'");
    }
}

/* What is applied to each value of a projection. */
static struct jmes_node *parse_projected(struct parser *p, unsigned power)
{
    enum token_kind kind = peek(p)->kind;
    if (binding[kind] < PROJECTION_STOP)
        return leaf(p, JMES_CURRENT);
    if (kind == T_LBRACKET || kind == T_FILTER)
        return parse_expression(p, power);
    if (accept(p, T_DOT))
        return parse_after_dot(p, power);
    return fail_expected(p, "'.' or '['");
}

static struct jmes_node *parse_flatten(struct parser *p, struct jmes_node *left)
{
    struct jmes_node *flat = pair(p, JMES_FLATTEN, left, leaf(p, JMES_CURRENT));
    return flat == NULL ? NULL
                        : pair(p, JMES_PROJECT, flat, parse_projected(p, binding[T_FLATTEN]));
}

/* Behind "[?". */
static struct jmes_node *parse_filter(struct parser *p, struct jmes_node *left)
{
    struct jmes_node *condition = parse_expression(p, 0);
    if (condition == NULL)
        return NULL;
    if (!accept(p, T_RBRACKET))
        return fail_expected(p, "']'");
    struct jmes_node *right =
        peek(p)->kind == T_FLATTEN ? leaf(p, JMES_CURRENT) : parse_projected(p, binding[T_FILTER]);
    struct jmes_node *filter = above(p, pair(p, JMES_FILTER, left, right), condition);
    if (filter != NULL)
        filter->condition = condition;
    return filter;
}

/* A number or colons, behind '['. */
static struct jmes_node *parse_index(struct parser *p, struct jmes_node *left)
{
    struct jmes_node *node;
    if (peek(p)->kind == T_NUMBER && kind_behind(p) != T_COLON) {
        node = leaf(p, JMES_INDEX);
        node->index = peek(p)->number;
        p->at++;
    } else {
        node = leaf(p, JMES_SLICE);
        for (size_t part = 0; peek(p)->kind == T_NUMBER || peek(p)->kind == T_COLON; p->at++) {
            if (peek(p)->kind == T_COLON) {
                if (++part == CW_COUNT(node->part))
                    return fail_expected(p, "']'");
                continue;
            }
            if (node->has[part])
                return fail_expected(p, "':' or ']'");
            node->has[part] = true;
            node->part[part] = peek(p)->number;
        }
    }
    if (!accept(p, T_RBRACKET))
        return fail_expected(p, "']'");
    struct jmes_node *chain = pair(p, JMES_CHAIN, left, node);
    if (chain == NULL || node->kind == JMES_INDEX)
        return chain;
    return pair(p, JMES_PROJECT, chain, parse_projected(p, binding[T_STAR]));
}

/* Behind '[', where `left` is what it is applied to; NULL: a list may stand here. */
static struct jmes_node *parse_bracket(struct parser *p, struct jmes_node *left)
{
    struct jmes_node *of = left != NULL ? left : leaf(p, JMES_CURRENT);
    enum token_kind kind = peek(p)->kind;
    if (kind == T_NUMBER || kind == T_COLON)
        return parse_index(p, of);
    if (kind == T_STAR && kind_behind(p) == T_RBRACKET) {
        p->at += 2;
        return pair(p, JMES_PROJECT, of, parse_projected(p, binding[T_STAR]));
    }
    return left == NULL ? parse_list(p) : fail_expected(p, "a number, ':' or '*]'");
}

/* Behind '*'. */
static struct jmes_node *parse_values(struct parser *p, struct jmes_node *left, unsigned power)
{
    struct jmes_node *right =
        peek(p)->kind == T_RBRACKET ? leaf(p, JMES_CURRENT) : parse_projected(p, power);
    return pair(p, JMES_VALUES, left, right);
}

/* Behind the '(' of a call. */
static struct jmes_node *parse_call(struct parser *p, struct jmes_node *name)
{
    if (name->kind != JMES_FIELD)
        return fail(p, "only a name can be called");
    struct jmes_node *call = leaf(p, JMES_CALL);
    size_t cap = 0;
    call->function = cw_jmes_function(name->name);
    if (call->function == NULL)
        return fail(p, "there is no such function");
    while (!accept(p, T_RPAREN)) {
        if (call->n > 0 && !accept(p, T_COMMA))
            return fail_expected(p, "',' or ')'");
        struct jmes_node *item = parse_expression(p, 0);
        call = above(p, call, item);
        if (call == NULL)
            return NULL;
        add(p, call, &cap, item);
    }
    return cw_jmes_takes(call->function, call->n) ? call : fail(p, "a wrong number of arguments");
}

static struct jmes_node *parse_parenthesis(struct parser *p)
{
    struct jmes_node *inner = parse_expression(p, 0);
    if (inner == NULL)
        return NULL;
    if (!accept(p, T_RPAREN))
        return fail_expected(p, "')'");
    /* In a node of its own, so that (name)(...) is no call. */
    return pair(p, JMES_CHAIN, leaf(p, JMES_CURRENT), inner);
}

static struct jmes_node *parse_first(struct parser *p)
{
    struct token *token = peek(p);
    struct jmes_node *node;
    if (token->kind != T_END)
        p->at++;
    switch (token->kind) {
    case T_QUOTED:
        if (peek(p)->kind == T_LPAREN)
            return fail(p, "a quoted name cannot be called");
        /* fall through */
    case T_NAME:
        node = leaf(p, JMES_FIELD);
        node->name = token->name;
        return node;
    case T_LITERAL:
        node = leaf(p, JMES_LITERAL);
        node->literal = token->literal;
        return node;
    case T_CURRENT: return leaf(p, JMES_CURRENT);
    case T_STAR: return parse_values(p, leaf(p, JMES_CURRENT), binding[T_STAR]);
    case T_FLATTEN: return parse_flatten(p, leaf(p, JMES_CURRENT));
    case T_FILTER: return parse_filter(p, leaf(p, JMES_CURRENT));
    case T_LBRACKET: return parse_bracket(p, NULL);
    case T_LBRACE: return parse_hash(p);
    case T_LPAREN: return parse_parenthesis(p);
    case T_NOT:
        return pair(p, JMES_NOT, parse_expression(p, binding[T_NOT]), leaf(p, JMES_CURRENT));
    case T_EXPREF: return pair(p, JMES_EXPREF, parse_expression(p, 0), leaf(p, JMES_CURRENT));
    default: p->at = (size_t)(token - p->tokens); return fail_expected(p, "an expression");
    }
}

static struct jmes_node *parse_next(struct parser *p, struct jmes_node *left)
{
    struct token *token = peek(p);
    struct jmes_node *node;
    p->at++;
    switch (token->kind) {
    case T_DOT:
        if (accept(p, T_STAR))
            return parse_values(p, left, binding[T_DOT]);
        return pair(p, JMES_CHAIN, left, parse_after_dot(p, binding[T_DOT]));
    case T_PIPE: return pair(p, JMES_CHAIN, left, parse_expression(p, binding[T_PIPE]));
    case T_OR: return pair(p, JMES_OR, left, parse_expression(p, binding[T_OR]));
    case T_AND: return pair(p, JMES_AND, left, parse_expression(p, binding[T_AND]));
    case T_COMPARE:
        node = pair(p, JMES_COMPARE, left, parse_expression(p, binding[T_COMPARE]));
        if (node != NULL)
            node->op = token->op;
        return node;
    case T_FLATTEN: return parse_flatten(p, left);
    case T_FILTER: return parse_filter(p, left);
    case T_LBRACKET: return parse_bracket(p, left);
    case T_LPAREN: return parse_call(p, left);
    default: p->at--; return fail(p, "it should end or go on with an operator here");
    }
}

static struct jmes_node *parse_expression(struct parser *p, unsigned power)
{
    if (++p->depth > CW_JMESPATH_DEPTH)
        return fail(p, "it is nested too deep");
    struct jmes_node *left = parse_first(p);
    while (left != NULL && power < binding[peek(p)->kind])
        left = parse_next(p, left);
    p->depth--;
    return left;
}

int cw_jmes_parse(struct cw_str text, struct cw_arena *arena, struct jmes_node **out,
                  struct cw_err *err)
{
    struct parser p = {.text = text, .arena = arena, .err = err};
    if (text.len > CW_JMESPATH_BYTES)
        return cw_err_set(err, CW_E_LIMIT,
                          "a JMESPath expression has %zu bytes, at most %d are allowed", text.len,
                          CW_JMESPATH_BYTES);
    int rc = lex_all(&p);
    if (rc < 0)
        return rc;
    *out = parse_expression(&p, 0);
    if (*out != NULL && peek(&p)->kind != T_END)
        *out = fail(&p, "it should end or go on with an operator here");
    return *out != NULL ? 0 : CW_E_INVALID;
}
