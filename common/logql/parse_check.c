/* What Loki checks once a query is parsed: selectors that select, stages that can be built. */
#include "common/base/assert.h"
#include "common/base/limits.h"
#include "common/logql/parse_priv.h"
#include "common/match/pattern_match.h"

/* ---- patterns ---- */

static bool repeats_name(const struct cw_str *names, size_t n, struct cw_arena *arena,
                         struct cw_str *fault_out)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            if (cw_str_eq(names[i], names[j]) && !cw_str_eqz(names[i], "_")) {
                *fault_out =
                    cw_arena_printf(arena, "duplicate capture name (%.*s): invalid expression",
                                    CW_STR_ARG(names[i]));
                return true;
            }
    return false;
}

bool cw_parse_pattern_fault(struct cw_str pattern, struct cw_arena *arena, struct cw_str *fault_out)
{
    struct cw_str *names = NULL, consecutive = CW_STR_NONE;
    size_t n = 0, cap = 0, last_from = 0, last_end = SIZE_MAX, nnamed = 0;
    if (pattern.len == 0) {
        *fault_out = CW_STR("parse error at line 1, col 1: syntax error: unexpected $end, "
                            "expecting IDENTIFIER or LITERAL");
        return true;
    }
    for (size_t at = 0; at < pattern.len; at++) {
        size_t len = cw_pattern_capture_len(cw_str_sub(pattern, at, pattern.len)), end = at + len;
        if (len == 0)
            continue;
        if (at == last_end && consecutive.len == 0)
            consecutive = cw_str_sub(pattern, last_from, end);
        names = cw_arena_grow(arena, names, n, &cap, n + 1, sizeof(*names));
        names[n++] = cw_str_sub(pattern, at + 1, end - 1);
        last_from = at;
        last_end = end;
        at = end - 1;
    }
    for (size_t i = 0; i < n; i++)
        nnamed += !cw_str_eqz(names[i], "_");
    if (nnamed == 0)
        *fault_out = CW_STR("at least one capture is required");
    else if (consecutive.len > 0)
        *fault_out = cw_arena_printf(arena, "found consecutive capture '%.*s': invalid expression",
                                     CW_STR_ARG(consecutive));
    else
        return repeats_name(names, n, arena, fault_out);
    return true;
}

/* ---- stages ---- */

/* "stage '<stage>' : <what err says>" */
static int stage_fault(struct cw_parser *parser, struct cw_str stage)
{
    cw_err_wrap(parser->err, "stage '%.*s' ", CW_STR_ARG(stage));
    parser->err->code = CW_E_INVALID;
    return cw_err_wrap(parser->err, "parse error ");
}

static bool ends_group(const struct cw_stage *stage)
{
    return stage->kind == CW_STAGE_LABEL_FILTER || stage->kind == CW_STAGE_LINE_FORMAT ||
           stage->kind == CW_STAGE_UNPACK || stage->kind == CW_STAGE_DISTINCT;
}

/* Loki moves line filters of a group to its front and names all of them when one is wrong. */
static int line_filter_fault(struct cw_parser *parser, const struct cw_stage *group)
{
    struct cw_buf text;
    cw_buf_init(&text, CW_LIMIT_QUERY_BYTES * 6);
    for (const struct cw_stage *stage = group; stage != NULL; stage = stage->next) {
        if (stage->kind == CW_STAGE_LINE_FILTER) {
            if (text.len > 0)
                cw_buf_addc(&text, ' ');
            cw_stage_format(stage, &text);
        }
        if (ends_group(stage))
            break;
    }
    int rc = stage_fault(parser, cw_buf_str(&text));
    cw_buf_fini(&text);
    return rc;
}

static int build_line_filter(struct cw_parser *parser, struct cw_stage *stage)
{
    struct cw_owned *owned = cw_parse_own(parser);
    int rc = cw_line_filter_new(stage->filter_op, &owned->filter, parser->err);
    for (size_t i = 0; rc == 0 && i < stage->noperands; i++)
        rc = cw_line_filter_add(owned->filter, stage->operands[i].text, stage->operands[i].is_ip,
                                parser->err);
    stage->filter = owned->filter;
    return rc;
}

static int one_stage_fault(struct cw_parser *parser, const struct cw_stage *stage)
{
    struct cw_buf text;
    cw_buf_init(&text, CW_LIMIT_QUERY_BYTES * 6);
    cw_stage_format(stage, &text);
    int rc = stage_fault(parser, cw_buf_str(&text));
    cw_buf_fini(&text);
    return rc;
}

static int check_label_format(struct cw_parser *parser, const struct cw_stage *stage)
{
    for (size_t i = 0; i < stage->nformats; i++) {
        struct cw_str dst = stage->formats[i].dst;
        if (cw_str_eqz(dst, "__error__")) {
            cw_err_set(parser->err, CW_E_INVALID, "%.*s cannot be formatted", CW_STR_ARG(dst));
            return one_stage_fault(parser, stage);
        }
        for (size_t j = 0; j < i; j++) {
            if (!cw_str_eq(stage->formats[j].dst, dst))
                continue;
            cw_err_set(parser->err, CW_E_INVALID,
                       "multiple label name '%.*s' not allowed in a single format operation",
                       CW_STR_ARG(dst));
            return one_stage_fault(parser, stage);
        }
    }
    return 0;
}

/* A wrong address is refused here only where it is the whole filter; inside and/or it fails entry
 * by entry. */
static int check_ip_filter(struct cw_parser *parser, const struct cw_stage *stage)
{
    struct cw_line_filter *probe = NULL;
    if (stage->label_filter->kind != CW_LF_IP)
        return 0;
    int rc = cw_line_filter_new(CW_FILTER_CONTAINS, &probe, parser->err);
    if (rc == 0)
        rc = cw_line_filter_add(probe, stage->label_filter->text, true, parser->err);
    cw_line_filter_free(&probe);
    return rc < 0 ? one_stage_fault(parser, stage) : 0;
}

static int check_stages(struct cw_parser *parser, struct cw_stage *stages)
{
    struct cw_stage *group = stages;
    for (struct cw_stage *stage = stages; stage != NULL; stage = stage->next) {
        int rc = 0;
        if (stage->kind == CW_STAGE_LINE_FILTER && build_line_filter(parser, stage) < 0)
            rc = line_filter_fault(parser, group);
        else if (stage->kind == CW_STAGE_LABEL_FORMAT)
            rc = check_label_format(parser, stage);
        else if (stage->kind == CW_STAGE_LABEL_FILTER)
            rc = check_ip_filter(parser, stage);
        if (rc < 0)
            return rc;
        if (ends_group(stage))
            group = stage->next;
    }
    return 0;
}

/* ---- expressions ---- */

static int check_selector(struct cw_parser *parser, const struct cw_selector *selector)
{
    for (size_t i = 0; i < selector->n; i++)
        if (!cw_matcher_matches_empty(&selector->items[i]))
            return 0;
    return cw_parse_fault(
        parser,
        "queries require at least one regexp or equality matcher that does not have an "
        "empty-compatible value. For instance, app=~\".*\" does not meet this requirement, but "
        "app=~\".+\" will");
}

static int check_expr(void *arg, const struct cw_expr *expr, struct cw_err *err)
{
    struct cw_parser *parser = arg;
    (void)err; /* the parser's */
    if (expr->kind != CW_EXPR_LOG && expr->kind != CW_EXPR_RANGE_AGG)
        return 0;
    int rc = parser->selects_all ? 0 : check_selector(parser, &expr->selector);
    /* Label filters behind an unwrap are not looked at, as in Loki. */
    return rc == 0 ? check_stages(parser, expr->stages) : rc;
}

static int check_in(void *arg, const struct cw_expr *expr, struct cw_label_filter *filter,
                    struct cw_err *err)
{
    (void)expr;
    (void)err; /* the parser's */
    return cw_parse_check_expr(arg, filter->query);
}

int cw_parse_check_expr(struct cw_parser *parser, struct cw_expr *expr)
{
    int rc = cw_expr_each(expr, check_expr, parser, parser->err);
    return rc < 0 ? rc : cw_expr_each_in(expr, check_in, parser, parser->err);
}
