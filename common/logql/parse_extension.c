/*
 * Stages and filters that Loki does not have. Each begins with words that cannot follow each other in its language, so that none of its
 * queries changes what it means: `| distinct a` is a stage, `| distinct = "a"` the filter of a label.
 */
#include "common/base/limits.h"
#include "common/logql/parse_priv.h"

static bool is_word(const struct cw_token *token, const char *word)
{
    return token->kind == CW_TOK_IDENTIFIER && cw_str_eq_nocase(token->text, cw_str_of(word));
}

/* The token behind the one at hand; an end where it cannot be read. */
static struct cw_token peek(const struct cw_parser *parser)
{
    struct cw_lex lex = parser->lex;
    struct cw_token token;
    struct cw_err ignored;
    if (cw_lex_next(&lex, &token, &ignored) < 0)
        token = (struct cw_token){.kind = CW_TOK_END};
    return token;
}

static int fault_at(struct cw_parser *parser, const struct cw_token *token, const char *sentence)
{
    return cw_lex_error(parser->err, token->line, token->column, "%s", sentence);
}

/* What looks at more than one entry is said once, of a log query that is not part of another. */
static int begin_gathering(struct cw_parser *parser, enum cw_stage_kind kind, const char *inner,
                           const char *twice)
{
    unsigned bit = 1u << kind;
    if (parser->inner > 0)
        return fault_at(parser, &parser->token, inner);
    if (parser->gathered & bit)
        return fault_at(parser, &parser->token, twice);
    parser->gathered |= bit;
    return cw_parse_advance(parser);
}

static int add_key(struct cw_parser *parser, struct cw_stage *stage, size_t *cap)
{
    struct cw_sort_key key = {.descending = false};
    int rc = cw_parse_expect(parser, CW_TOK_IDENTIFIER, "IDENTIFIER", &key.name);
    if (rc < 0)
        return rc;
    if (stage->kind == CW_STAGE_SORT &&
        (is_word(&parser->token, "asc") || is_word(&parser->token, "desc"))) {
        key.descending = is_word(&parser->token, "desc");
        rc = cw_parse_advance(parser);
    }
    stage->keys =
        cw_arena_grow(parser->arena, stage->keys, stage->nkeys, cap, stage->nkeys + 1, sizeof key);
    stage->keys[stage->nkeys++] = key;
    return rc;
}

/* `a, b` */
static int parse_keys(struct cw_parser *parser, struct cw_stage *stage)
{
    size_t cap = 0;
    int rc = add_key(parser, stage, &cap);
    while (rc == 0 && parser->token.kind == CW_TOK_COMMA) {
        rc = cw_parse_advance(parser);
        if (rc == 0)
            rc = add_key(parser, stage, &cap);
    }
    return rc;
}

static int parse_distinct(struct cw_parser *parser, struct cw_stage *stage)
{
    stage->kind = CW_STAGE_DISTINCT;
    int rc =
        begin_gathering(parser, CW_STAGE_DISTINCT,
                        "distinct is a stage of log queries, it cannot stand within a range or "
                        "an `in (...)`",
                        "distinct can stand once in a query");
    return rc < 0 ? rc : parse_keys(parser, stage);
}

static int parse_sort(struct cw_parser *parser, struct cw_stage *stage)
{
    stage->kind = CW_STAGE_SORT;
    int rc = begin_gathering(parser, CW_STAGE_SORT,
                             "sort by is a stage of log queries, it cannot stand within a range or "
                             "an `in (...)`",
                             "sort by can stand once in a query");
    if (rc == 0)
        rc = cw_parse_expect(parser, CW_TOK_BY, "by", NULL);
    if (rc == 0)
        rc = cw_parse_expect(parser, CW_TOK_OPEN_PAREN, "(", NULL);
    if (rc == 0)
        rc = parse_keys(parser, stage);
    return rc < 0 ? rc : cw_parse_expect(parser, CW_TOK_CLOSE_PAREN, ", or )", NULL);
}

/* `-B 3` */
static int parse_context_option(struct cw_parser *parser, struct cw_stage *stage)
{
    struct cw_str option, number;
    uint64_t n;
    int rc = cw_parse_expect(parser, CW_TOK_SUB, "-", NULL);
    if (rc < 0)
        return rc;
    struct cw_token at = parser->token;
    if ((rc = cw_parse_expect(parser, CW_TOK_IDENTIFIER, "IDENTIFIER", &option)) < 0)
        return rc;
    bool both = cw_str_eqz(option, "C");
    if (!both && !cw_str_eqz(option, "A") && !cw_str_eqz(option, "B"))
        return fault_at(parser, &at,
                        "context has the options -B (before), -A (after) and -C (both)");
    at = parser->token;
    if ((rc = cw_parse_expect(parser, CW_TOK_NUMBER, "NUMBER", &number)) < 0)
        return rc;
    if (!cw_str_to_u64(number, &n) || n > CW_LIMIT_CONTEXT_ENTRIES)
        return cw_lex_error(parser->err, at.line, at.column,
                            "context is of up to %d entries on either side",
                            CW_LIMIT_CONTEXT_ENTRIES);
    if (both || cw_str_eqz(option, "B"))
        stage->before = (uint32_t)n;
    if (both || cw_str_eqz(option, "A"))
        stage->after = (uint32_t)n;
    return 0;
}

static int parse_context(struct cw_parser *parser, struct cw_stage *stage)
{
    stage->kind = CW_STAGE_CONTEXT;
    if (parser->inner == 0 && parser->gathered != 0)
        return fault_at(parser, &parser->token, "context cannot stand with distinct or sort by");
    int rc = begin_gathering(parser, CW_STAGE_CONTEXT,
                             "context is a stage of log queries, it cannot stand within a range or "
                             "an `in (...)`",
                             "context can stand once in a query");
    do {
        if (rc == 0)
            rc = parse_context_option(parser, stage);
    } while (rc == 0 && parser->token.kind == CW_TOK_SUB);
    return rc;
}

int cw_parse_check_last(struct cw_parser *parser)
{
    if (parser->inner > 0 || !(parser->gathered & 1u << CW_STAGE_CONTEXT))
        return 0;
    return fault_at(parser, &parser->token, "no stage can follow context");
}

static int parse_template(struct cw_parser *parser, struct cw_stage *stage)
{
    stage->kind = CW_STAGE_TEMPLATE;
    return cw_parse_advance(parser);
}

/* Behind a name that is a stage: what makes no label filter of it. */
static bool ends_stage(enum cw_token_kind kind)
{
    switch (kind) {
    case CW_TOK_END:
    case CW_TOK_PIPE:
    case CW_TOK_PIPE_EXACT:
    case CW_TOK_PIPE_RE:
    case CW_TOK_PIPE_PATTERN:
    case CW_TOK_NPA:
    case CW_TOK_RANGE:
    case CW_TOK_CLOSE_PAREN: return true;
    default: return false;
    }
}

int cw_parse_extension(struct cw_parser *parser, struct cw_stage *stage)
{
    int rc = 0;
    if (!parser->lex.extensions)
        return 0;
    if (is_word(&parser->token, "distinct") && peek(parser).kind == CW_TOK_IDENTIFIER)
        rc = parse_distinct(parser, stage);
    else if (is_word(&parser->token, "context") && peek(parser).kind == CW_TOK_SUB)
        rc = parse_context(parser, stage);
    else if (is_word(&parser->token, "template") && ends_stage(peek(parser).kind))
        rc = parse_template(parser, stage);
    else if (parser->token.kind == CW_TOK_VECTOR_FN && parser->token.fn == CW_VECTOR_SORT)
        rc = parse_sort(parser, stage);
    else
        return 0;
    return rc < 0 ? rc : 1;
}

/* ---- label in (query) ---- */

bool cw_parse_at_in(const struct cw_parser *parser)
{
    if (!parser->lex.extensions)
        return false;
    if (is_word(&parser->token, "in"))
        return true;
    if (!is_word(&parser->token, "not"))
        return false;
    struct cw_token next = peek(parser);
    return is_word(&next, "in");
}

static int parse_query(struct cw_parser *parser, struct cw_expr **out)
{
    struct cw_token at = parser->token;
    int rc = cw_parse_expr(parser, out);
    if (rc == 0 && ((*out)->kind == CW_EXPR_NUMBER || (*out)->kind == CW_EXPR_VECTOR))
        rc = fault_at(parser, &at, "`in (...)` takes a query whose results have labels");
    return rc;
}

int cw_parse_in(struct cw_parser *parser, struct cw_label_filter *filter)
{
    filter->kind = CW_LF_IN;
    filter->negated = is_word(&parser->token, "not");
    if (++parser->sub_queries > CW_LIMIT_SUB_QUERY_DEPTH)
        return cw_parse_fault(parser, "`in (...)` is nested too deeply (more than %d levels)",
                              CW_LIMIT_SUB_QUERY_DEPTH);
    int rc = cw_parse_enter(parser);
    parser->inner++;
    if (rc == 0 && filter->negated)
        rc = cw_parse_advance(parser);
    if (rc == 0)
        rc = cw_parse_advance(parser);
    if (rc == 0)
        rc = cw_parse_expect(parser, CW_TOK_OPEN_PAREN, "(", NULL);
    if (rc == 0)
        rc = parse_query(parser, &filter->query);
    if (rc == 0)
        rc = cw_parse_expect(parser, CW_TOK_CLOSE_PAREN, NULL, NULL);
    parser->inner--;
    parser->sub_queries--;
    cw_parse_leave(parser);
    return rc;
}
