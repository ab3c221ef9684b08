/* The tree of a template. Errors are in Go's words, with the line of the token that was read last. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/base/assert.h"
#include "common/template/go_template_priv.h"

struct parser {
    struct cw_go_template *tmpl;
    struct cw_gt_lexer lexer;
    struct cw_gt_token tokens[3]; /* read ahead; tokens[0] is the last that the lexer gave */
    int npeeked;
    unsigned action_line; /* 0: outside of an action */
    struct cw_str *vars;  /* in scope */
    size_t nvars, vars_cap;
    unsigned range_depth, depth;
    struct cw_err *err;
    bool failed; /* err is set: everything returns NULL */
};

static void fail(struct parser *parser, const char *fmt, ...) CW_PRINTF(2, 3);
static void fail(struct parser *parser, const char *fmt, ...)
{
    if (parser->failed)
        return;
    parser->failed = true;
    char text[CW_ERR_TEXT_BYTES];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    cw_err_set(parser->err, CW_E_INVALID, "template: %.*s:%u: %s", CW_STR_ARG(parser->tmpl->name),
               parser->tokens[0].line, text);
}

/* ---- tokens ---- */

static struct cw_gt_token next(struct parser *parser)
{
    if (parser->npeeked > 0)
        parser->npeeked--;
    else
        parser->tokens[0] = cw_gt_lexer_next(&parser->lexer);
    return parser->tokens[parser->npeeked];
}

static void backup(struct parser *parser)
{
    parser->npeeked++;
}

static struct cw_gt_token peek(struct parser *parser)
{
    if (parser->npeeked > 0)
        return parser->tokens[parser->npeeked - 1];
    parser->npeeked = 1;
    parser->tokens[0] = cw_gt_lexer_next(&parser->lexer);
    return parser->tokens[0];
}

static struct cw_gt_token next_non_space(struct parser *parser)
{
    struct cw_gt_token token;
    do
        token = next(parser);
    while (token.kind == CW_GT_SPACE);
    return token;
}

static struct cw_gt_token peek_non_space(struct parser *parser)
{
    struct cw_gt_token token = next_non_space(parser);
    backup(parser);
    return token;
}

enum { TOKEN_SHOWN_RUNES = 10 };

static void print_token(struct cw_gt_token token, struct cw_buf *out)
{
    if (token.kind == CW_GT_EOF) {
        cw_buf_addz(out, "EOF");
    } else if (token.kind == CW_GT_ERROR) {
        cw_buf_adds(out, token.text);
    } else if (token.kind > CW_GT_KEYWORD) {
        cw_buf_addc(out, '<');
        cw_buf_adds(out, token.text);
        cw_buf_addc(out, '>');
    } else if (token.text.len > TOKEN_SHOWN_RUNES) {
        size_t end = 0;
        for (int i = 0; i < TOKEN_SHOWN_RUNES && end < token.text.len; i++) {
            uint32_t rune;
            end += cw_utf8_decode(cw_str_sub(token.text, end, token.text.len), &rune);
        }
        cw_quote_go(cw_str_sub(token.text, 0, end), out);
        cw_buf_addz(out, "...");
    } else {
        cw_quote_go(token.text, out);
    }
}

static void unexpected(struct parser *parser, struct cw_gt_token token, const char *context)
{
    struct cw_buf text;
    cw_buf_init(&text, CW_ERR_TEXT_BYTES);
    print_token(token, &text);
    if (token.kind == CW_GT_ERROR) {
        if (parser->action_line != 0 && parser->action_line != token.line) {
            const char *in = cw_str_ends(token.text, CW_STR(" action")) ? "" : " in action";
            cw_buf_addf(&text, "%s started at %.*s:%u", in, CW_STR_ARG(parser->tmpl->name),
                        parser->action_line);
        }
        fail(parser, "%s", cw_buf_z(&text));
    } else {
        fail(parser, "unexpected %s in %s", cw_buf_z(&text), context);
    }
    cw_buf_fini(&text);
}

static struct cw_gt_token expect(struct parser *parser, enum cw_gt_token_kind kind,
                                 const char *context)
{
    struct cw_gt_token token = next_non_space(parser);
    if (token.kind != kind)
        unexpected(parser, token, context);
    return token;
}

/* ---- nodes ---- */

static struct cw_gt_node *node_new(struct parser *parser, enum cw_gt_kind kind, size_t pos)
{
    struct cw_gt_node *node = CW_ARENA_NEW(parser->tmpl->arena, struct cw_gt_node);
    node->kind = kind;
    node->pos = pos;
    return node;
}

static void add_arg(struct parser *parser, struct cw_gt_node *node, struct cw_gt_node *arg)
{
    node->args = cw_arena_grow(parser->tmpl->arena, node->args, node->nargs, &node->args_cap,
                               node->nargs + 1, sizeof *node->args);
    node->args[node->nargs++] = arg;
}

static void add_ident(struct parser *parser, struct cw_gt_node *node, struct cw_str ident)
{
    node->idents = cw_arena_grow(parser->tmpl->arena, node->idents, node->nidents,
                                 &node->idents_cap, node->nidents + 1, sizeof *node->idents);
    node->idents[node->nidents++] = ident;
}

static void need_field(struct parser *parser, struct cw_str name)
{
    struct cw_go_template *tmpl = parser->tmpl;
    for (size_t i = 0; i < tmpl->nfields; i++)
        if (cw_str_eq(tmpl->fields[i], name))
            return;
    tmpl->fields = cw_arena_grow(tmpl->arena, tmpl->fields, tmpl->nfields, &tmpl->fields_cap,
                                 tmpl->nfields + 1, sizeof *tmpl->fields);
    tmpl->fields[tmpl->nfields++] = name;
}

static bool parse_char_constant(struct cw_str text, struct cw_arena *arena, uint32_t *rune)
{
    /* One rune between the quotes: what a quoted text with it would hold. */
    struct cw_str body = cw_str_sub(text, 1, text.len - 1), unquoted;
    struct cw_buf quoted;
    cw_buf_init(&quoted, SIZE_MAX);
    cw_buf_addc(&quoted, '"');
    if (cw_str_eqz(body, "\\'"))
        cw_buf_addc(&quoted, '\'');
    else if (cw_str_eqz(body, "\""))
        cw_buf_addz(&quoted, "\\\"");
    else if (!cw_str_eqz(body, "\\\""))
        cw_buf_adds(&quoted, body);
    cw_buf_addc(&quoted, '"');
    bool fine = cw_unquote_go(cw_buf_str(&quoted), arena, &unquoted);
    cw_buf_fini(&quoted);
    if (!fine || unquoted.len == 0)
        return false;
    bool byte = body.len == 4 && body.ptr[0] == '\\' && body.ptr[1] != 'u';
    if (byte && unquoted.len == 1) { /* \xff is the rune 255 */
        *rune = (unsigned char)unquoted.ptr[0];
        return true;
    }
    return cw_utf8_decode(unquoted, rune) == unquoted.len;
}

static void number_from_complex(struct cw_gt_number *number, double re, double im)
{
    *number = (struct cw_gt_number){.is_complex = true, .f = re, .imaginary = im};
    number->is_float = im == 0;
    number->is_int = im == 0 && fabs(re) < 0x1p63 && (double)(int64_t)re == re;
    if (number->is_int) {
        number->i = (int64_t)re;
        number->is_uint = re >= 0;
        number->u = number->is_uint ? (uint64_t)re : 0;
    }
}

static bool parse_complex(struct cw_str text, struct cw_gt_number *number)
{
    size_t split = text.len - 1;
    while (split > 1 &&
           !((text.ptr[split] == '+' || text.ptr[split] == '-') &&
             (text.ptr[split - 1] | 0x20) != 'e' && (text.ptr[split - 1] | 0x20) != 'p'))
        split--;
    double re, im;
    if (!cw_go_parse_float(cw_str_sub(text, 0, split), &re) ||
        !cw_go_parse_float(cw_str_sub(text, split, text.len - 1), &im))
        return false;
    number_from_complex(number, re, im);
    return true;
}

static bool has_any(struct cw_str text, const char *set)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] != '\0' && strchr(set, text.ptr[i]) != NULL)
            return true;
    return false;
}

static void fail_quoted(struct parser *parser, const char *what, struct cw_str text)
{
    struct cw_buf quoted;
    cw_buf_init(&quoted, CW_ERR_TEXT_BYTES);
    cw_quote_go(text, &quoted);
    fail(parser, "%s%s", what, cw_buf_z(&quoted));
    cw_buf_fini(&quoted);
}

static void parse_number_text(struct parser *parser, struct cw_str text,
                              struct cw_gt_number *number)
{
    number->is_uint = cw_go_parse_uint(text, 0, &number->u);
    number->is_int = cw_go_parse_int(text, 0, &number->i);
    if (number->is_int && number->i == 0)
        number->is_uint = true; /* -0 */
    if (number->is_int || number->is_uint) {
        number->is_float = true;
        number->f = number->is_int ? (double)number->i : (double)number->u;
        return;
    }
    if (cw_go_parse_float(text, &number->f) && !isinf(number->f)) {
        if (!has_any(text, ".eEpP")) {
            fail_quoted(parser, "integer overflow: ", text);
            return;
        }
        number->is_float = true;
        double f = number->f;
        number->is_int = f >= -0x1p63 && f < 0x1p63 && (double)(int64_t)f == f;
        number->i = number->is_int ? (int64_t)f : 0;
        number->is_uint = f >= 0 && f < 0x1p64 && (double)(uint64_t)f == f;
        number->u = number->is_uint ? (uint64_t)f : 0;
        return;
    }
    fail_quoted(parser, "illegal number syntax: ", text);
}

static struct cw_gt_node *parse_number(struct parser *parser, struct cw_gt_token token)
{
    struct cw_gt_node *node = node_new(parser, CW_GT_N_NUMBER, token.pos);
    struct cw_gt_number *number = &node->number;
    double imaginary;
    uint32_t rune;
    node->text = token.text;
    if (token.kind == CW_GT_CHAR_CONSTANT) {
        if (!parse_char_constant(token.text, parser->tmpl->arena, &rune))
            fail(parser, "malformed character constant: %.*s", CW_STR_ARG(token.text));
        else
            *number = (struct cw_gt_number){true, true, true, false, rune, rune, rune, 0};
    } else if (token.kind == CW_GT_COMPLEX) {
        if (!parse_complex(token.text, number))
            fail(parser, "syntax error scanning complex number");
    } else if (token.text.ptr[token.text.len - 1] == 'i' &&
               cw_go_parse_float(cw_str_sub(token.text, 0, token.text.len - 1), &imaginary)) {
        number_from_complex(number, 0, imaginary);
    } else {
        parse_number_text(parser, token.text, number);
    }
    return node;
}

static struct cw_str unquote(struct parser *parser, struct cw_str quoted)
{
    struct cw_str text = CW_STR_NONE;
    if (!cw_unquote_go(quoted, parser->tmpl->arena, &text))
        fail(parser, "invalid syntax");
    return text;
}

static void push_var(struct parser *parser, struct cw_str name)
{
    parser->vars = cw_arena_grow(parser->tmpl->arena, parser->vars, parser->nvars,
                                 &parser->vars_cap, parser->nvars + 1, sizeof *parser->vars);
    parser->vars[parser->nvars++] = name;
}

static struct cw_gt_node *parse_variable(struct parser *parser, struct cw_gt_token token)
{
    struct cw_gt_node *node = node_new(parser, CW_GT_N_VARIABLE, token.pos);
    add_ident(parser, node, token.text);
    for (size_t i = 0; i < parser->nvars; i++)
        if (cw_str_eq(parser->vars[i], token.text))
            return node;
    fail_quoted(parser, "undefined variable ", token.text);
    return node;
}

static struct cw_gt_node *parse_identifier(struct parser *parser, struct cw_gt_token token)
{
    struct cw_gt_node *node = node_new(parser, CW_GT_N_IDENTIFIER, token.pos);
    node->text = token.text;
    node->func = parser->tmpl->find(token.text);
    if (node->func == NULL) {
        struct cw_buf quoted;
        cw_buf_init(&quoted, CW_ERR_TEXT_BYTES);
        cw_quote_go(token.text, &quoted);
        bool left_out =
            parser->tmpl->find == cw_gt_func_find_shipper && cw_gt_sprig_left_out(token.text);
        fail(parser, "function %s not defined%s", cw_buf_z(&quoted),
             left_out ? ": it is one of sprig's that are left out here" : "");
        cw_buf_fini(&quoted);
    }
    parser->tmpl->needs_line |= cw_str_eqz(token.text, "__line__");
    parser->tmpl->needs_timestamp |= cw_str_eqz(token.text, "__timestamp__");
    return node;
}

static struct cw_gt_node *parse_pipeline(struct parser *parser, const char *context,
                                         enum cw_gt_token_kind end);

static bool deeper(struct parser *parser)
{
    if (parser->depth < CW_LIMIT_TEMPLATE_DEPTH) {
        parser->depth++;
        return true;
    }
    fail(parser, "max expression depth exceeded");
    return false;
}

/* NULL: the next token begins no term. */
static struct cw_gt_node *parse_term(struct parser *parser)
{
    struct cw_gt_token token = next_non_space(parser);
    struct cw_gt_node *node;
    switch (token.kind) {
    case CW_GT_IDENTIFIER: return parse_identifier(parser, token);
    case CW_GT_DOT: return node_new(parser, CW_GT_N_DOT, token.pos);
    case CW_GT_NIL: return node_new(parser, CW_GT_N_NIL, token.pos);
    case CW_GT_VARIABLE: return parse_variable(parser, token);
    case CW_GT_FIELD:
        node = node_new(parser, CW_GT_N_FIELD, token.pos);
        add_ident(parser, node, cw_str_sub(token.text, 1, token.text.len));
        return node;
    case CW_GT_BOOL:
        node = node_new(parser, CW_GT_N_BOOL, token.pos);
        node->truth = token.text.ptr[0] == 't';
        return node;
    case CW_GT_CHAR_CONSTANT:
    case CW_GT_COMPLEX:
    case CW_GT_NUMBER: return parse_number(parser, token);
    case CW_GT_LEFT_PAREN:
        if (!deeper(parser))
            return NULL;
        node = parse_pipeline(parser, "parenthesized pipeline", CW_GT_RIGHT_PAREN);
        parser->depth--;
        return node;
    case CW_GT_STRING:
    case CW_GT_RAW_STRING:
        node = node_new(parser, CW_GT_N_STRING, token.pos);
        node->quoted = token.text;
        node->text = unquote(parser, token.text);
        return node;
    default: backup(parser); return NULL;
    }
}

/* A term and the fields behind it; NULL: none. */
static struct cw_gt_node *parse_operand(struct parser *parser)
{
    struct cw_gt_node *node = parse_term(parser);
    if (node == NULL || parser->failed || peek(parser).kind != CW_GT_FIELD)
        return node;
    size_t pos = peek(parser).pos;
    struct cw_buf shown;
    switch (node->kind) {
    case CW_GT_N_FIELD:
    case CW_GT_N_VARIABLE: node->pos = pos; break;
    case CW_GT_N_BOOL:
    case CW_GT_N_STRING:
    case CW_GT_N_NUMBER:
    case CW_GT_N_NIL:
    case CW_GT_N_DOT:
        while (peek(parser).kind == CW_GT_FIELD)
            next(parser);
        cw_buf_init(&shown, CW_ERR_TEXT_BYTES);
        cw_gt_node_print(node, &shown);
        fail_quoted(parser, "unexpected . after term ", cw_buf_str(&shown));
        cw_buf_fini(&shown);
        return node;
    default: {
        struct cw_gt_node *chain = node_new(parser, CW_GT_N_CHAIN, pos);
        add_arg(parser, chain, node);
        node = chain;
    }
    }
    while (peek(parser).kind == CW_GT_FIELD) {
        struct cw_str text = next(parser).text;
        add_ident(parser, node, cw_str_sub(text, 1, text.len));
    }
    return node;
}

/* What an operand reads of the line's fields. A field of something else than the line (inside of with, range) is counted too. */
static void note_needs(struct parser *parser, const struct cw_gt_node *node)
{
    if (node->kind == CW_GT_N_FIELD)
        need_field(parser, node->idents[0]);
    else if (node->kind == CW_GT_N_VARIABLE && cw_str_eqz(node->idents[0], "$") &&
             node->nidents > 1)
        need_field(parser, node->idents[1]);
    else if (node->kind == CW_GT_N_DOT || node->kind == CW_GT_N_VARIABLE)
        parser->tmpl->needs_all |= node->kind == CW_GT_N_DOT || cw_str_eqz(node->idents[0], "$");
}

static struct cw_gt_node *parse_command(struct parser *parser)
{
    struct cw_gt_node *command = node_new(parser, CW_GT_N_COMMAND, peek_non_space(parser).pos);
    while (!parser->failed) {
        peek_non_space(parser);
        struct cw_gt_node *operand = parse_operand(parser);
        if (parser->failed)
            break;
        if (operand != NULL) {
            note_needs(parser, operand);
            add_arg(parser, command, operand);
        }
        struct cw_gt_token token = next(parser);
        if (token.kind == CW_GT_SPACE)
            continue;
        if (token.kind == CW_GT_RIGHT_DELIM || token.kind == CW_GT_RIGHT_PAREN)
            backup(parser);
        else if (token.kind != CW_GT_PIPE)
            unexpected(parser, token, "operand");
        break;
    }
    if (command->nargs == 0)
        fail(parser, "empty command");
    return command;
}

static void add_decl(struct parser *parser, struct cw_gt_node *pipe, struct cw_gt_token token)
{
    struct cw_gt_node *var = node_new(parser, CW_GT_N_VARIABLE, token.pos);
    add_ident(parser, var, token.text);
    pipe->decls = cw_arena_grow(parser->tmpl->arena, pipe->decls, pipe->ndecls, &pipe->decls_cap,
                                pipe->ndecls + 1, sizeof *pipe->decls);
    pipe->decls[pipe->ndecls++] = var;
    push_var(parser, token.text);
}

/* `$a :=`, `$a =`, `$i, $v :=` at the front of a pipeline. */
static void parse_decls(struct parser *parser, struct cw_gt_node *pipe, const char *context)
{
    while (!parser->failed) {
        struct cw_gt_token var = peek_non_space(parser);
        if (var.kind != CW_GT_VARIABLE)
            return;
        next(parser);
        struct cw_gt_token behind = peek(parser);
        struct cw_gt_token after = peek_non_space(parser);
        if (after.kind == CW_GT_ASSIGN || after.kind == CW_GT_DECLARE) {
            pipe->is_assign = after.kind == CW_GT_ASSIGN;
            next_non_space(parser);
            add_decl(parser, pipe, var);
            return;
        }
        if (after.kind == CW_GT_CHAR && cw_str_eqz(after.text, ",")) {
            next_non_space(parser);
            add_decl(parser, pipe, var);
            if (strcmp(context, "range") != 0 || pipe->ndecls >= 2) {
                fail(parser, "too many declarations in %s", context);
                return;
            }
            enum cw_gt_token_kind kind = peek_non_space(parser).kind;
            if (kind != CW_GT_VARIABLE && kind != CW_GT_RIGHT_DELIM && kind != CW_GT_RIGHT_PAREN)
                fail(parser, "range can only initialize variables");
            continue;
        }
        /* An argument: push it back, and the space behind it. */
        if (behind.kind == CW_GT_SPACE) {
            parser->tokens[1] = behind;
            parser->tokens[2] = var;
            parser->npeeked = 3;
        } else {
            parser->tokens[1] = var;
            parser->npeeked = 2;
        }
        return;
    }
}

static bool begins_operand(enum cw_gt_token_kind kind)
{
    return kind == CW_GT_BOOL || kind == CW_GT_CHAR_CONSTANT || kind == CW_GT_COMPLEX ||
           kind == CW_GT_DOT || kind == CW_GT_FIELD || kind == CW_GT_IDENTIFIER ||
           kind == CW_GT_NUMBER || kind == CW_GT_NIL || kind == CW_GT_RAW_STRING ||
           kind == CW_GT_STRING || kind == CW_GT_VARIABLE || kind == CW_GT_LEFT_PAREN;
}

static void check_pipeline(struct parser *parser, const struct cw_gt_node *pipe,
                           const char *context)
{
    if (pipe->nargs == 0)
        fail(parser, "missing value for %s", context);
    for (size_t i = 1; i < pipe->nargs; i++) {
        enum cw_gt_kind kind = pipe->args[i]->args[0]->kind;
        if (kind == CW_GT_N_BOOL || kind == CW_GT_N_DOT || kind == CW_GT_N_NIL ||
            kind == CW_GT_N_NUMBER || kind == CW_GT_N_STRING)
            fail(parser, "non executable command in pipeline stage %zu", i + 1);
    }
}

static struct cw_gt_node *parse_pipeline(struct parser *parser, const char *context,
                                         enum cw_gt_token_kind end)
{
    struct cw_gt_node *pipe = node_new(parser, CW_GT_N_PIPE, peek_non_space(parser).pos);
    parse_decls(parser, pipe, context);
    while (!parser->failed) {
        struct cw_gt_token token = next_non_space(parser);
        if (token.kind == end) {
            check_pipeline(parser, pipe, context);
            break;
        }
        if (begins_operand(token.kind)) {
            backup(parser);
            add_arg(parser, pipe, parse_command(parser));
        } else {
            unexpected(parser, token, context);
        }
    }
    return pipe;
}

/* ---- actions ---- */

static struct cw_gt_node *parse_text_or_action(struct parser *parser);

/* Up to {{end}} or {{else}}, which *stop is. */
static struct cw_gt_node *parse_list(struct parser *parser, struct cw_gt_node **stop)
{
    struct cw_gt_node *list = node_new(parser, CW_GT_N_LIST, peek_non_space(parser).pos);
    while (!parser->failed && peek_non_space(parser).kind != CW_GT_EOF) {
        struct cw_gt_node *node = parse_text_or_action(parser);
        if (parser->failed)
            return list;
        if (node->kind == CW_GT_N_END || node->kind == CW_GT_N_ELSE) {
            *stop = node;
            return list;
        }
        add_arg(parser, list, node);
    }
    fail(parser, "unexpected EOF");
    return list;
}

/* if, range, with: behind the keyword. */
static struct cw_gt_node *parse_control(struct parser *parser, enum cw_gt_kind kind, size_t pos)
{
    static const char *const contexts[] = {
        [CW_GT_N_IF] = "if", [CW_GT_N_RANGE] = "range", [CW_GT_N_WITH] = "with"};
    struct cw_gt_node *node = node_new(parser, kind, pos), *stop = NULL;
    if (!deeper(parser))
        return node;
    size_t nvars = parser->nvars;
    node->pipe = parse_pipeline(parser, contexts[kind], CW_GT_RIGHT_DELIM);
    if (parser->failed)
        return node;
    node->pos = node->pipe->pos;
    parser->range_depth += kind == CW_GT_N_RANGE;
    node->list = parse_list(parser, &stop);
    parser->range_depth -= kind == CW_GT_N_RANGE;
    if (!parser->failed && stop->kind == CW_GT_N_ELSE) {
        /* {{else if}} is {{else}}{{if}} with one {{end}} for both. */
        enum cw_gt_token_kind keyword = peek(parser).kind;
        if ((kind == CW_GT_N_IF && keyword == CW_GT_IF) ||
            (kind == CW_GT_N_WITH && keyword == CW_GT_WITH)) {
            struct cw_gt_token token = next(parser);
            node->else_list = node_new(parser, CW_GT_N_LIST, stop->pos);
            add_arg(parser, node->else_list, parse_control(parser, kind, token.pos));
        } else {
            node->else_list = parse_list(parser, &stop);
            if (!parser->failed && stop->kind != CW_GT_N_END)
                fail(parser, "expected end; found {{else}}");
        }
    }
    parser->depth--;
    parser->nvars = nvars;
    return node;
}

static bool list_empty(const struct cw_gt_node *node)
{
    if (node->kind == CW_GT_N_TEXT) {
        for (size_t i = 0; i < node->text.len; i++)
            if (strchr(" \t\n\r\f\v", node->text.ptr[i]) == NULL || node->text.ptr[i] == '\0')
                return false;
        return true;
    }
    if (node->kind != CW_GT_N_LIST)
        return false;
    for (size_t i = 0; i < node->nargs; i++)
        if (!list_empty(node->args[i]))
            return false;
    return true;
}

/* Of two definitions, one must be empty. */
static void add_tree(struct parser *parser, struct cw_str name, struct cw_gt_node *root)
{
    if (parser->failed)
        return;
    for (struct cw_gt_tree *tree = parser->tmpl->trees; tree != NULL; tree = tree->next) {
        if (!cw_str_eq(tree->name, name))
            continue;
        if (list_empty(tree->root))
            tree->root = root;
        else if (!list_empty(root))
            fail_quoted(parser, "template: multiple definition of template ", name);
        return;
    }
    struct cw_gt_tree *tree = CW_ARENA_NEW(parser->tmpl->arena, struct cw_gt_tree);
    *tree = (struct cw_gt_tree){.name = name, .root = root, .next = parser->tmpl->trees};
    parser->tmpl->trees = tree;
}

/* The body of a {{define}} or {{block}}: variables and loops around it are not seen inside. */
static void parse_body(struct parser *parser, struct cw_str name, const char *context)
{
    struct cw_str *vars = parser->vars;
    size_t nvars = parser->nvars, vars_cap = parser->vars_cap;
    unsigned range_depth = parser->range_depth, action_line = parser->action_line;
    struct cw_gt_node *stop = NULL;
    if (!deeper(parser))
        return;
    parser->vars = NULL;
    parser->nvars = parser->vars_cap = 0;
    parser->range_depth = parser->action_line = 0;
    push_var(parser, CW_STR("$"));
    struct cw_gt_node *root = parse_list(parser, &stop);
    if (!parser->failed && stop->kind != CW_GT_N_END)
        fail(parser, "unexpected {{else}} in %s", context);
    add_tree(parser, name, root);
    parser->vars = vars;
    parser->nvars = nvars;
    parser->vars_cap = vars_cap;
    parser->range_depth = range_depth;
    parser->action_line = action_line;
    parser->depth--;
}

static struct cw_str parse_template_name(struct parser *parser, struct cw_gt_token token,
                                         const char *context)
{
    if (token.kind == CW_GT_STRING || token.kind == CW_GT_RAW_STRING)
        return unquote(parser, token.text);
    unexpected(parser, token, context);
    return CW_STR_NONE;
}

static void parse_define(struct parser *parser)
{
    struct cw_gt_token token = next_non_space(parser);
    struct cw_str name = parse_template_name(parser, token, "define clause");
    if (!parser->failed)
        expect(parser, CW_GT_RIGHT_DELIM, "define clause");
    if (!parser->failed)
        parse_body(parser, name, "define clause");
}

static struct cw_gt_node *parse_template(struct parser *parser, bool block)
{
    const char *context = block ? "block clause" : "template clause";
    struct cw_gt_token token = next_non_space(parser);
    struct cw_gt_node *node = node_new(parser, CW_GT_N_TEMPLATE, token.pos);
    node->text = parse_template_name(parser, token, context);
    if (parser->failed)
        return node;
    if (block) {
        node->pipe = parse_pipeline(parser, context, CW_GT_RIGHT_DELIM);
        if (!parser->failed)
            parse_body(parser, node->text, context);
    } else if (next_non_space(parser).kind != CW_GT_RIGHT_DELIM) {
        backup(parser);
        node->pipe = parse_pipeline(parser, context, CW_GT_RIGHT_DELIM);
    }
    return node;
}

static struct cw_gt_node *parse_jump(struct parser *parser, enum cw_gt_kind kind, size_t pos)
{
    const char *shown = kind == CW_GT_N_BREAK ? "{{break}}" : "{{continue}}";
    struct cw_gt_token token = next_non_space(parser);
    if (token.kind != CW_GT_RIGHT_DELIM)
        unexpected(parser, token, shown);
    else if (parser->range_depth == 0)
        fail(parser, "%s outside {{range}}", shown);
    return node_new(parser, kind, pos);
}

static struct cw_gt_node *parse_else(struct parser *parser)
{
    struct cw_gt_token token = peek_non_space(parser);
    if (token.kind != CW_GT_IF && token.kind != CW_GT_WITH)
        token = expect(parser, CW_GT_RIGHT_DELIM, "else");
    return node_new(parser, CW_GT_N_ELSE, token.pos);
}

static struct cw_gt_node *parse_action(struct parser *parser)
{
    struct cw_gt_token token = next_non_space(parser);
    switch (token.kind) {
    case CW_GT_BLOCK: return parse_template(parser, true);
    case CW_GT_BREAK: return parse_jump(parser, CW_GT_N_BREAK, token.pos);
    case CW_GT_CONTINUE: return parse_jump(parser, CW_GT_N_CONTINUE, token.pos);
    case CW_GT_ELSE: return parse_else(parser);
    case CW_GT_END:
        return node_new(parser, CW_GT_N_END, expect(parser, CW_GT_RIGHT_DELIM, "end").pos);
    case CW_GT_IF: return parse_control(parser, CW_GT_N_IF, token.pos);
    case CW_GT_RANGE: return parse_control(parser, CW_GT_N_RANGE, token.pos);
    case CW_GT_TEMPLATE: return parse_template(parser, false);
    case CW_GT_WITH: return parse_control(parser, CW_GT_N_WITH, token.pos);
    default: {
        backup(parser);
        struct cw_gt_node *action = node_new(parser, CW_GT_N_ACTION, peek(parser).pos);
        action->pipe = parse_pipeline(parser, "command", CW_GT_RIGHT_DELIM);
        return action;
    }
    }
}

static struct cw_gt_node *parse_text_or_action(struct parser *parser)
{
    struct cw_gt_token token = next_non_space(parser);
    struct cw_gt_node *node = NULL;
    if (token.kind == CW_GT_TEXT) {
        node = node_new(parser, CW_GT_N_TEXT, token.pos);
        node->text = token.text;
    } else if (token.kind == CW_GT_LEFT_DELIM) {
        parser->action_line = token.line;
        node = parse_action(parser);
        parser->action_line = 0;
    } else {
        unexpected(parser, token, "input");
    }
    return node;
}

int cw_gt_parse(struct cw_go_template *tmpl, struct cw_err *err)
{
    struct parser parser = {.tmpl = tmpl, .err = err};
    cw_gt_lexer_init(&parser.lexer, tmpl->text, tmpl->arena);
    push_var(&parser, CW_STR("$"));
    struct cw_gt_node *root = node_new(&parser, CW_GT_N_LIST, peek(&parser).pos);
    while (!parser.failed && peek(&parser).kind != CW_GT_EOF) {
        if (peek(&parser).kind == CW_GT_LEFT_DELIM) {
            struct cw_gt_token delim = next(&parser);
            if (next_non_space(&parser).kind == CW_GT_DEFINE) {
                parse_define(&parser);
                continue;
            }
            parser.tokens[1] = delim;
            parser.npeeked = 2;
        }
        struct cw_gt_node *node = parse_text_or_action(&parser);
        if (parser.failed)
            break;
        if (node->kind == CW_GT_N_END || node->kind == CW_GT_N_ELSE)
            fail(&parser, "unexpected %s", node->kind == CW_GT_N_END ? "{{end}}" : "{{else}}");
        else
            add_arg(&parser, root, node);
    }
    add_tree(&parser, tmpl->name, root);
    if (parser.failed)
        return CW_E_INVALID;
    for (struct cw_gt_tree *tree = tmpl->trees; tree != NULL; tree = tree->next)
        if (cw_str_eq(tree->name, tmpl->name))
            tmpl->root = tree->root;
    return 0;
}
