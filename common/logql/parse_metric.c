/* Expressions: log ranges, aggregations, operators; and the entry points of the parser. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/limits.h"
#include "common/logql/functions.h"
#include "common/logql/parse_priv.h"

/* ---- what the parser's files share ---- */

int cw_parse_advance(struct cw_parser *parser)
{
    return cw_lex_next(&parser->lex, &parser->token, parser->err);
}

int cw_parse_unexpected(struct cw_parser *parser, const char *expected)
{
    char name[32];
    cw_token_name(&parser->token, name);
    return cw_lex_error(parser->err, parser->token.line, parser->token.column,
                        "syntax error: unexpected %s%s%s", name,
                        expected != NULL ? ", expecting " : "", expected != NULL ? expected : "");
}

int cw_parse_expect(struct cw_parser *parser, enum cw_token_kind kind, const char *name,
                    struct cw_str *text_out)
{
    if (parser->token.kind != kind)
        return cw_parse_unexpected(parser, name);
    if (text_out != NULL)
        *text_out = parser->token.text;
    return cw_parse_advance(parser);
}

int cw_parse_fault(struct cw_parser *parser, const char *fmt, ...)
{
    char text[CW_ERR_TEXT_BYTES];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return cw_lex_error(parser->err, 0, 0, "%s", text);
}

void cw_parse_late_fault(struct cw_parser *parser, const char *fmt, ...)
{
    if (parser->late[0] != '\0')
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(parser->late, sizeof(parser->late), fmt, ap);
    va_end(ap);
}

static int too_deep(struct cw_parser *parser)
{
    return cw_parse_fault(parser, "the query is nested too deeply (more than %d levels)",
                          CW_LIMIT_QUERY_DEPTH);
}

int cw_parse_enter(struct cw_parser *parser)
{
    return ++parser->depth > CW_LIMIT_QUERY_DEPTH ? too_deep(parser) : 0;
}

int cw_parse_height(struct cw_parser *parser, unsigned left, unsigned right, unsigned *out)
{
    *out = CW_MAX(left, right) + 1;
    return *out > CW_LIMIT_QUERY_DEPTH ? too_deep(parser) : 0;
}

struct cw_owned *cw_parse_own(struct cw_parser *parser)
{
    struct cw_owned *owned = CW_ARENA_NEW(parser->arena, struct cw_owned);
    owned->next = parser->owner->owned;
    parser->owner->owned = owned;
    return owned;
}

/* ---- log ranges ---- */

static int parse_offset(struct cw_parser *parser, struct cw_expr *expr)
{
    if (parser->token.kind != CW_TOK_OFFSET)
        return 0;
    int rc = cw_parse_advance(parser);
    if (rc < 0)
        return rc;
    expr->offset_ns = parser->token.duration_ns;
    return cw_parse_expect(parser, CW_TOK_DURATION, "DURATION", NULL);
}

/* `[5m] [offset 1h]` and, where nothing stood before the range, what may stand behind it. */
static int parse_range_tail(struct cw_parser *parser, struct cw_expr *expr, bool pipeline_follows,
                            bool unwrap_follows)
{
    expr->range_ns = parser->token.duration_ns;
    int rc = cw_parse_expect(parser, CW_TOK_RANGE, "RANGE", NULL);
    if (rc < 0 || (rc = parse_offset(parser, expr)) < 0)
        return rc;
    if (pipeline_follows) {
        struct cw_stage **tail = &expr->stages;
        return cw_parse_pipeline(parser, &tail, &expr->unwrap);
    }
    if (unwrap_follows && parser->token.kind == CW_TOK_PIPE) {
        struct cw_stage **tail = &expr->stages;
        rc = cw_parse_pipeline(parser, &tail, &expr->unwrap);
        if (rc == 0 && expr->stages != NULL)
            rc = cw_parse_unexpected(parser, ")");
    }
    return rc;
}

static const char *range_expected(const struct cw_expr *expr, bool in_parens)
{
    if (!expr->unwrap.present)
        return NULL;
    return in_parens ? "RANGE or ) or |" : "RANGE or |";
}

/* A selector with pipeline, unwrap and range in any of the orders that Loki allows, in parentheses
 * or not. */
static int parse_log_range_text(struct cw_parser *parser, struct cw_expr *expr)
{
    int rc;
    bool in_parens = parser->token.kind == CW_TOK_OPEN_PAREN;
    if (in_parens && (rc = cw_parse_advance(parser)) < 0)
        return rc;
    if (in_parens && parser->token.kind == CW_TOK_OPEN_PAREN) {
        if ((rc = cw_parse_enter(parser)) < 0 || (rc = parse_log_range_text(parser, expr)) < 0)
            return rc;
        cw_parse_leave(parser);
        return cw_parse_expect(parser, CW_TOK_CLOSE_PAREN, ")", NULL);
    }
    if (parser->token.kind != CW_TOK_OPEN_BRACE)
        return cw_parse_unexpected(parser, "{ or (");
    if ((rc = cw_parse_braces(parser, &expr->selector)) < 0)
        return rc;
    struct cw_stage **tail = &expr->stages;
    if ((rc = cw_parse_pipeline(parser, &tail, &expr->unwrap)) < 0)
        return rc;
    bool bare = expr->stages == NULL && !expr->unwrap.present;
    if (in_parens && parser->token.kind == CW_TOK_CLOSE_PAREN) {
        rc = cw_parse_advance(parser);
        return rc < 0 ? rc : parse_range_tail(parser, expr, false, bare);
    }
    if (parser->token.kind != CW_TOK_RANGE)
        return cw_parse_unexpected(parser, range_expected(expr, in_parens));
    if ((rc = parse_range_tail(parser, expr, bare, false)) < 0)
        return rc;
    return in_parens ? cw_parse_expect(parser, CW_TOK_CLOSE_PAREN, ")", NULL) : 0;
}

static int parse_log_range(struct cw_parser *parser, struct cw_expr *expr)
{
    parser->inner++;
    int rc = parse_log_range_text(parser, expr);
    parser->inner--;
    return rc;
}

/* ---- aggregations ---- */

static int parse_grouping(struct cw_parser *parser, struct cw_grouping *grouping)
{
    if (parser->token.kind != CW_TOK_BY && parser->token.kind != CW_TOK_WITHOUT)
        return 0;
    grouping->kind = parser->token.kind == CW_TOK_BY ? CW_GROUP_BY : CW_GROUP_WITHOUT;
    int rc = cw_parse_advance(parser);
    return rc < 0 ? rc : cw_parse_names(parser, &grouping->names, &grouping->n);
}

static void check_range_agg(struct cw_parser *parser, struct cw_expr *expr, struct cw_str param)
{
    const struct cw_range_def *def = cw_range_def(expr->range_fn);
    const char *why;
    if (expr->has_param && !def->takes_param)
        cw_parse_late_fault(parser, "parameter %.*s not supported for operation %s",
                            CW_STR_ARG(param), def->name);
    else if (expr->has_param &&
             (why = cw_lex_parse_float(param, parser->arena, &expr->param)) != NULL)
        cw_parse_late_fault(parser,
                            "invalid parameter for operation %s: strconv.ParseFloat: parsing "
                            "\"%.*s\": %s",
                            def->name, CW_STR_ARG(param), why);
    else if (!expr->has_param && def->takes_param)
        cw_parse_late_fault(parser, "parameter required for operation %s", def->name);
    else if (expr->grouping.kind != CW_GROUP_NONE && !def->takes_grouping)
        cw_parse_late_fault(parser, "grouping not allowed for %s aggregation", def->name);
    else if (expr->unwrap.present && def->unwrap == CW_UNWRAP_NO)
        cw_parse_late_fault(parser, "invalid aggregation %s with unwrap", def->name);
    else if (!expr->unwrap.present && def->unwrap == CW_UNWRAP_REQUIRED)
        cw_parse_late_fault(parser, "invalid aggregation %s without unwrap", def->name);
}

static int parse_range_agg(struct cw_parser *parser, struct cw_expr *expr)
{
    struct cw_str param = CW_STR_NONE;
    expr->kind = CW_EXPR_RANGE_AGG;
    expr->range_fn = parser->token.fn;
    int rc = cw_parse_advance(parser);
    if (rc < 0 || (rc = cw_parse_expect(parser, CW_TOK_OPEN_PAREN, "(", NULL)) < 0)
        return rc;
    if (cw_range_def(expr->range_fn)->takes_label) {
        if ((rc = cw_parse_expect(parser, CW_TOK_IDENTIFIER, "IDENTIFIER", &expr->counted)) < 0 ||
            (rc = cw_parse_expect(parser, CW_TOK_COMMA, ",", NULL)) < 0)
            return rc;
    } else if (parser->token.kind == CW_TOK_NUMBER) {
        expr->has_param = true;
        param = parser->token.text;
        if ((rc = cw_parse_advance(parser)) < 0 ||
            (rc = cw_parse_expect(parser, CW_TOK_COMMA, ",", NULL)) < 0)
            return rc;
    } else if (parser->token.kind != CW_TOK_OPEN_BRACE && parser->token.kind != CW_TOK_OPEN_PAREN) {
        return cw_parse_unexpected(parser, "NUMBER or { or (");
    }
    if ((rc = parse_log_range(parser, expr)) < 0 ||
        (rc = cw_parse_expect(parser, CW_TOK_CLOSE_PAREN, ")", NULL)) < 0 ||
        (rc = parse_grouping(parser, &expr->grouping)) < 0)
        return rc;
    check_range_agg(parser, expr, param);
    return 0;
}

static void check_vector_agg(struct cw_parser *parser, struct cw_expr *expr, struct cw_str param)
{
    const struct cw_vector_def *def = cw_vector_def(expr->vector_fn);
    int64_t k = 0;
    if (expr->has_param && !def->takes_param)
        cw_parse_late_fault(parser, "unsupported parameter for operation %s(%.*s,", def->name,
                            CW_STR_ARG(param));
    else if (!expr->has_param && def->takes_param)
        cw_parse_late_fault(parser, "parameter required for operation %s", def->name);
    else if (expr->has_param && !cw_str_to_i64(param, &k))
        cw_parse_late_fault(parser, "invalid parameter %s(%.*s,", def->name, CW_STR_ARG(param));
    else if (expr->has_param && k <= 0)
        cw_parse_late_fault(parser, "invalid parameter (must be greater than 0) %s(%.*s", def->name,
                            CW_STR_ARG(param));
    else if (expr->vector_fn == CW_VECTOR_APPROX_TOPK && expr->grouping.kind != CW_GROUP_NONE)
        cw_parse_late_fault(parser, "grouping not allowed for %s aggregation", def->name);
    else if (!def->takes_grouping && expr->grouping.n > 0)
        cw_parse_late_fault(parser, "sort and sort_desc doesn't allow grouping by ");
    expr->param = (double)k;
}

static struct cw_expr *new_expr(struct cw_parser *parser, enum cw_expr_kind kind)
{
    struct cw_expr *expr = CW_ARENA_NEW(parser->arena, struct cw_expr);
    expr->kind = kind;
    expr->height = 1;
    return expr;
}

static struct cw_expr *new_number(struct cw_parser *parser, struct cw_str text, bool minus)
{
    struct cw_expr *expr = new_expr(parser, CW_EXPR_NUMBER);
    const char *why = cw_lex_parse_float(text, parser->arena, &expr->param);
    if (why != NULL)
        cw_parse_late_fault(parser,
                            "unable to parse literal as a float: strconv.ParseFloat: parsing "
                            "\"%.*s\": %s",
                            CW_STR_ARG(text), why);
    if (minus)
        expr->param = -expr->param;
    return expr;
}

static int parse_operators(struct cw_parser *parser, struct cw_expr *left, int min_level,
                           struct cw_expr **out);
static int parse_primary(struct cw_parser *parser, struct cw_expr **out);

/* An argument that must be a metric: a log query there fails at the token behind it. */
static int finish_metric(struct cw_parser *parser, struct cw_expr *first, struct cw_expr **out)
{
    int rc = parse_operators(parser, first, 0, out);
    if (rc == 0 && ((*out)->kind == CW_EXPR_LOG || (*out)->kind == CW_EXPR_VARIANTS))
        rc = cw_parse_unexpected(parser, NULL);
    return rc;
}

static int parse_metric(struct cw_parser *parser, struct cw_expr **out)
{
    struct cw_expr *first;
    int rc = parse_primary(parser, &first);
    return rc < 0 ? rc : finish_metric(parser, first, out);
}

/* The arguments of a vector aggregation: a number in front of a comma is its parameter. */
static int parse_vector_args(struct cw_parser *parser, struct cw_expr *expr, struct cw_str *param)
{
    int rc;
    if (parser->token.kind != CW_TOK_NUMBER)
        return parse_metric(parser, &expr->left);
    *param = parser->token.text;
    if ((rc = cw_parse_advance(parser)) < 0)
        return rc;
    if (parser->token.kind != CW_TOK_COMMA)
        return finish_metric(parser, new_number(parser, *param, false), &expr->left);
    expr->has_param = true;
    rc = cw_parse_advance(parser);
    return rc < 0 ? rc : parse_metric(parser, &expr->left);
}

static int parse_vector_agg(struct cw_parser *parser, struct cw_expr *expr)
{
    struct cw_str param = CW_STR_NONE;
    expr->kind = CW_EXPR_VECTOR_AGG;
    expr->vector_fn = parser->token.fn;
    int rc = cw_parse_advance(parser);
    if (rc < 0 || (rc = parse_grouping(parser, &expr->grouping)) < 0)
        return rc;
    bool grouped = expr->grouping.kind != CW_GROUP_NONE;
    if ((rc = cw_parse_expect(parser, CW_TOK_OPEN_PAREN, grouped ? "(" : "( or by or without",
                              NULL)) < 0 ||
        (rc = parse_vector_args(parser, expr, &param)) < 0 ||
        (rc = cw_parse_expect(parser, CW_TOK_CLOSE_PAREN, NULL, NULL)) < 0)
        return rc;
    if (!grouped && (rc = parse_grouping(parser, &expr->grouping)) < 0)
        return rc;
    check_vector_agg(parser, expr, param);
    return cw_parse_height(parser, expr->left->height, 0, &expr->height);
}

/* ---- other functions ---- */

static int parse_label_replace(struct cw_parser *parser, struct cw_expr *expr)
{
    struct cw_str *const texts[] = {&expr->dst, &expr->replacement, &expr->src, &expr->regex_text};
    expr->kind = CW_EXPR_LABEL_REPLACE;
    int rc = cw_parse_advance(parser);
    if (rc < 0 || (rc = cw_parse_expect(parser, CW_TOK_OPEN_PAREN, "(", NULL)) < 0 ||
        (rc = parse_metric(parser, &expr->left)) < 0)
        return rc;
    for (size_t i = 0; i < CW_COUNT(texts); i++) {
        if ((rc = cw_parse_expect(parser, CW_TOK_COMMA, i > 0 ? "," : NULL, NULL)) < 0 ||
            (rc = cw_parse_expect(parser, CW_TOK_STRING, "STRING", texts[i])) < 0)
            return rc;
    }
    if ((rc = cw_parse_expect(parser, CW_TOK_CLOSE_PAREN, ")", NULL)) < 0)
        return rc;
    struct cw_owned *owned = cw_parse_own(parser);
    struct cw_str anchored =
        cw_arena_printf(parser->arena, "^(?:%.*s)$", CW_STR_ARG(expr->regex_text));
    if (cw_regex_compile(anchored, CW_REGEX_SEARCH, &owned->regex, parser->err) < 0)
        cw_parse_late_fault(parser, "invalid regex in label_replace: %s", parser->err->text);
    expr->regex = owned->regex;
    return cw_parse_height(parser, expr->left->height, 0, &expr->height);
}

static int parse_vector(struct cw_parser *parser, struct cw_expr *expr)
{
    struct cw_str text;
    expr->kind = CW_EXPR_VECTOR;
    int rc = cw_parse_advance(parser);
    if (rc < 0 || (rc = cw_parse_expect(parser, CW_TOK_OPEN_PAREN, "(", NULL)) < 0 ||
        (rc = cw_parse_expect(parser, CW_TOK_NUMBER, "NUMBER", &text)) < 0)
        return rc;
    const char *why = cw_lex_parse_float(text, parser->arena, &expr->param);
    if (why != NULL)
        cw_parse_late_fault(parser,
                            "unable to parse vectorExpr as a float: strconv.ParseFloat: parsing "
                            "\"%.*s\": %s",
                            CW_STR_ARG(text), why);
    return cw_parse_expect(parser, CW_TOK_CLOSE_PAREN, ")", NULL);
}

/* variants(metric, ...) of (log range) */
static int parse_variants(struct cw_parser *parser, struct cw_expr *expr)
{
    size_t cap = 0;
    unsigned height = 0;
    expr->kind = CW_EXPR_VARIANTS;
    int rc = cw_parse_advance(parser);
    if (rc < 0)
        return rc;
    if (parser->token.kind != CW_TOK_OPEN_PAREN)
        return cw_parse_unexpected(parser, "(");
    do {
        struct cw_expr *variant;
        if ((rc = cw_parse_advance(parser)) < 0 || (rc = parse_metric(parser, &variant)) < 0)
            return rc;
        expr->variants = cw_arena_grow(parser->arena, expr->variants, expr->nvariants, &cap,
                                       expr->nvariants + 1, sizeof(variant));
        expr->variants[expr->nvariants++] = variant;
        height = CW_MAX(height, variant->height);
    } while (parser->token.kind == CW_TOK_COMMA);
    expr->left = new_expr(parser, CW_EXPR_LOG);
    if ((rc = cw_parse_expect(parser, CW_TOK_CLOSE_PAREN, NULL, NULL)) < 0 ||
        (rc = cw_parse_expect(parser, CW_TOK_OF, "of", NULL)) < 0 ||
        (rc = cw_parse_expect(parser, CW_TOK_OPEN_PAREN, "(", NULL)) < 0 ||
        (rc = parse_log_range(parser, expr->left)) < 0 ||
        (rc = cw_parse_expect(parser, CW_TOK_CLOSE_PAREN, ")", NULL)) < 0)
        return rc;
    return cw_parse_height(parser, height, 1, &expr->height);
}

static int parse_log(struct cw_parser *parser, struct cw_expr *expr)
{
    expr->kind = CW_EXPR_LOG;
    struct cw_stage **tail = &expr->stages;
    int rc = cw_parse_braces(parser, &expr->selector);
    return rc < 0 ? rc : cw_parse_pipeline(parser, &tail, NULL);
}

/* +1, -1 */
static int parse_signed(struct cw_parser *parser, struct cw_expr **out)
{
    struct cw_str text;
    bool minus = parser->token.kind == CW_TOK_SUB;
    int rc = cw_parse_advance(parser);
    if (rc == 0)
        rc = cw_parse_expect(parser, CW_TOK_NUMBER, "NUMBER", &text);
    if (rc == 0)
        *out = new_number(parser, text, minus);
    return rc;
}

static int parse_parens(struct cw_parser *parser, struct cw_expr **out)
{
    struct cw_expr *first;
    int rc = cw_parse_advance(parser);
    if (rc < 0 || (rc = parse_primary(parser, &first)) < 0 ||
        (rc = parse_operators(parser, first, 0, out)) < 0)
        return rc;
    if ((*out)->kind == CW_EXPR_VARIANTS)
        return cw_parse_unexpected(parser, NULL);
    return cw_parse_expect(parser, CW_TOK_CLOSE_PAREN, NULL, NULL);
}

static int parse_primary(struct cw_parser *parser, struct cw_expr **out)
{
    int rc = cw_parse_enter(parser);
    if (rc < 0)
        return rc;
    struct cw_expr *expr = NULL;
    switch (parser->token.kind) {
    case CW_TOK_OPEN_PAREN: rc = parse_parens(parser, out); break;
    case CW_TOK_ADD:
    case CW_TOK_SUB: rc = parse_signed(parser, out); break;
    case CW_TOK_NUMBER:
        *out = new_number(parser, parser->token.text, false);
        rc = cw_parse_advance(parser);
        break;
    case CW_TOK_OPEN_BRACE:
        rc = parse_log(parser, *out = expr = new_expr(parser, CW_EXPR_LOG));
        break;
    case CW_TOK_RANGE_FN:
        rc = parse_range_agg(parser, *out = expr = new_expr(parser, CW_EXPR_RANGE_AGG));
        break;
    case CW_TOK_VECTOR_FN:
        rc = parse_vector_agg(parser, *out = expr = new_expr(parser, CW_EXPR_VECTOR_AGG));
        break;
    case CW_TOK_VECTOR:
        rc = parse_vector(parser, *out = expr = new_expr(parser, CW_EXPR_VECTOR));
        break;
    case CW_TOK_LABEL_REPLACE:
        rc = parse_label_replace(parser, *out = expr = new_expr(parser, CW_EXPR_LABEL_REPLACE));
        break;
    case CW_TOK_VARIANTS:
        rc = parse_variants(parser, *out = expr = new_expr(parser, CW_EXPR_VARIANTS));
        break;
    default: rc = cw_parse_unexpected(parser, NULL); break;
    }
    cw_parse_leave(parser);
    return rc;
}

/* ---- operators ---- */

static bool find_binop(enum cw_token_kind kind, enum cw_binop *op)
{
    switch (kind) {
    case CW_TOK_OR: *op = CW_BIN_OR; return true;
    case CW_TOK_AND: *op = CW_BIN_AND; return true;
    case CW_TOK_UNLESS: *op = CW_BIN_UNLESS; return true;
    case CW_TOK_CMP_EQ: *op = CW_BIN_EQ; return true;
    case CW_TOK_NEQ: *op = CW_BIN_NE; return true;
    case CW_TOK_GT: *op = CW_BIN_GT; return true;
    case CW_TOK_GTE: *op = CW_BIN_GE; return true;
    case CW_TOK_LT: *op = CW_BIN_LT; return true;
    case CW_TOK_LTE: *op = CW_BIN_LE; return true;
    case CW_TOK_ADD: *op = CW_BIN_ADD; return true;
    case CW_TOK_SUB: *op = CW_BIN_SUB; return true;
    case CW_TOK_MUL: *op = CW_BIN_MUL; return true;
    case CW_TOK_DIV: *op = CW_BIN_DIV; return true;
    case CW_TOK_MOD: *op = CW_BIN_MOD; return true;
    case CW_TOK_POW: *op = CW_BIN_POW; return true;
    default: return false;
    }
}

static int parse_modifier(struct cw_parser *parser, struct cw_binary_modifier *modifier)
{
    int rc = 0;
    if (parser->token.kind == CW_TOK_BOOL) {
        modifier->return_bool = true;
        rc = cw_parse_advance(parser);
    }
    if (rc < 0 || (parser->token.kind != CW_TOK_ON && parser->token.kind != CW_TOK_IGNORING))
        return rc;
    modifier->has_matching = true;
    modifier->on = parser->token.kind == CW_TOK_ON;
    if ((rc = cw_parse_advance(parser)) < 0 ||
        (rc = cw_parse_names(parser, &modifier->labels, &modifier->nlabels)) < 0)
        return rc;
    if (parser->token.kind != CW_TOK_GROUP_LEFT && parser->token.kind != CW_TOK_GROUP_RIGHT)
        return 0;
    modifier->cardinality =
        parser->token.kind == CW_TOK_GROUP_LEFT ? CW_CARD_MANY_TO_ONE : CW_CARD_ONE_TO_MANY;
    if ((rc = cw_parse_advance(parser)) < 0 || parser->token.kind != CW_TOK_OPEN_PAREN)
        return rc;
    return cw_parse_names(parser, &modifier->include, &modifier->ninclude);
}

/* How Go names the type of a leg that is no metric; NULL when it is one. */
static const char *log_type(const struct cw_expr *expr)
{
    if (expr->kind == CW_EXPR_LOG)
        return expr->stages == NULL ? "*syntax.MatchersExpr" : "*syntax.PipelineExpr";
    return expr->kind == CW_EXPR_VARIANTS ? "*syntax.MultiVariantExpr" : NULL;
}

static void check_legs(struct cw_parser *parser, enum cw_binop op, const struct cw_expr *left,
                       const struct cw_expr *right)
{
    const struct cw_expr *const legs[] = {left, right};
    static const char *const names[] = {"left", "right"};
    for (int i = 0; i < 2; i++)
        if (log_type(legs[i]) != NULL)
            cw_parse_late_fault(parser, "unexpected type for %s leg of binary operation (%s): %s",
                                names[i], cw_binop_name(op), log_type(legs[i]));
    for (int i = 0; i < 2; i++)
        if (cw_binop_is_set(op) && legs[i]->kind == CW_EXPR_NUMBER)
            cw_parse_late_fault(
                parser, "unexpected literal for %s leg of logical/set binary operation (%s): %f",
                names[i], cw_binop_name(op), legs[i]->param);
}

/* Two literals are computed at once: a binary node has at most one literal leg. */
static int new_binary(struct cw_parser *parser, enum cw_binop op,
                      const struct cw_binary_modifier *modifier, struct cw_expr *left,
                      struct cw_expr *right, struct cw_expr **out)
{
    check_legs(parser, op, left, right);
    if (left->kind == CW_EXPR_NUMBER && right->kind == CW_EXPR_NUMBER && !cw_binop_is_set(op)) {
        *out = new_expr(parser, CW_EXPR_NUMBER);
        (*out)->param = cw_binop_apply(op, left->param, right->param);
        return 0;
    }
    struct cw_expr *expr = new_expr(parser, CW_EXPR_BINARY);
    expr->binop = op;
    expr->modifier = *modifier;
    expr->left = left;
    expr->right = right;
    *out = expr;
    /* An operator on the left side is no level: nobody recurses into it. */
    unsigned above = left->kind == CW_EXPR_BINARY ? left->height - 1 : left->height;
    return cw_parse_height(parser, above, right->height, &expr->height);
}

static int parse_operators(struct cw_parser *parser, struct cw_expr *left, int min_level,
                           struct cw_expr **out)
{
    enum cw_binop op;
    int rc;
    while (find_binop(parser->token.kind, &op) && cw_binop_level(op) >= min_level) {
        int level = cw_binop_level(op);
        struct cw_binary_modifier modifier = {.cardinality = CW_CARD_ONE_TO_ONE};
        struct cw_expr *right;
        /* Right operands nest by level, but those of ^ without end. */
        if ((rc = cw_parse_enter(parser)) < 0 || (rc = cw_parse_advance(parser)) < 0 ||
            (rc = parse_modifier(parser, &modifier)) < 0 ||
            (rc = parse_primary(parser, &right)) < 0 ||
            (rc = parse_operators(parser, right, op == CW_BIN_POW ? level : level + 1, &right)) <
                0 ||
            (rc = new_binary(parser, op, &modifier, left, right, &left)) < 0)
            return rc;
        cw_parse_leave(parser);
    }
    *out = left;
    return 0;
}

int cw_parse_expr(struct cw_parser *parser, struct cw_expr **out)
{
    struct cw_expr *first;
    int rc = parse_primary(parser, &first);
    return rc < 0 ? rc : parse_operators(parser, first, 0, out);
}

/* ---- entry points ---- */

static int parse_all(struct cw_parser *parser, struct cw_str text, struct cw_expr **out)
{
    if (text.len >= CW_LIMIT_QUERY_BYTES)
        return cw_parse_fault(parser, "input size too long (%zu > %d)", text.len,
                              CW_LIMIT_QUERY_BYTES);
    bool extensions = parser->lex.extensions;
    cw_lex_init(&parser->lex, cw_arena_dup(parser->arena, text), parser->arena);
    parser->lex.extensions = extensions;
    int rc = cw_parse_advance(parser);
    if (rc < 0 || (rc = cw_parse_expr(parser, out)) < 0)
        return rc;
    if (parser->token.kind != CW_TOK_END)
        return cw_parse_unexpected(parser, NULL);
    if (parser->late[0] != '\0')
        return cw_lex_error(parser->err, 0, 0, "%s", parser->late);
    return cw_parse_check_expr(parser, *out);
}

int cw_logql_parse_dialect(struct cw_str text, unsigned dialect, struct cw_query **out,
                           struct cw_err *err)
{
    struct cw_err local;
    struct cw_query_owner *owner = cw_mem_new(sizeof(*owner));
    struct cw_query *query = &owner->query;
    query->arena = cw_arena_new();
    struct cw_parser parser = {.arena = query->arena,
                               .owner = owner,
                               .err = err != NULL ? err : &local,
                               .lex.extensions = (dialect & CW_LOGQL_EXTENSIONS) != 0,
                               .selects_all = (dialect & CW_LOGQL_ANY_SELECTOR) != 0};
    int rc = parse_all(&parser, text, &query->root);
    if (rc < 0)
        cw_query_free(&query);
    else
        *out = query;
    return rc;
}

int cw_logql_parse(struct cw_str text, struct cw_query **out, struct cw_err *err)
{
    return cw_logql_parse_dialect(text, CW_LOGQL_LOKI, out, err);
}

void cw_query_free(struct cw_query **query)
{
    if (*query == NULL)
        return;
    struct cw_query_owner *owner = CW_CONTAINER_OF(*query, struct cw_query_owner, query);
    for (struct cw_owned *owned = owner->owned; owned != NULL; owned = owned->next) {
        cw_regex_free(&owned->regex);
        cw_line_filter_free(&owned->filter);
        if (owned->selector != NULL)
            cw_selector_fini(owned->selector);
    }
    cw_arena_free(&owner->query.arena);
    free(owner);
    *query = NULL;
}

int cw_logql_parse_selector(struct cw_str text, struct cw_selector *out, struct cw_err *err)
{
    struct cw_query *query = NULL;
    int rc = cw_logql_parse(text, &query, err);
    if (rc < 0)
        return rc;
    struct cw_expr *root = query->root;
    if (root->kind == CW_EXPR_LOG && root->stages == NULL) {
        *out = root->selector;
        cw_selector_init(&root->selector); /* it is the caller's now */
    } else {
        rc = cw_err_set(err, CW_E_INVALID, "only label matchers are supported");
    }
    cw_query_free(&query);
    return rc;
}

bool cw_expr_is_metric(const struct cw_expr *expr)
{
    return expr->kind != CW_EXPR_LOG;
}
