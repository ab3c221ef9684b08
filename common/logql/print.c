/* Queries back to text: on one line, as error texts quote them, and split over lines, as
 * format_query answers. */
#include <math.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/float_text.h"
#include "common/logql/functions.h"
#include "common/logql/parse_priv.h"

/* What is longer on one line is split. */
enum { SPLIT_BYTES = 100 };

/* ---- small pieces ---- */

static void add_names(struct cw_buf *out, const struct cw_str *names, size_t n,
                      const char *separator)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            cw_buf_addz(out, separator);
        cw_buf_adds(out, names[i]);
    }
}

static void add_matcher(struct cw_buf *out, const struct cw_matcher *matcher)
{
    static const char *const ops[] = {
        [CW_MATCH_EQ] = "=", [CW_MATCH_NE] = "!=", [CW_MATCH_RE] = "=~", [CW_MATCH_NRE] = "!~"};
    cw_buf_adds(out, matcher->name);
    cw_buf_addz(out, ops[matcher->op]);
    cw_quote_go(matcher->value, out);
}

/* go-humanize's sizes in powers of a thousand, without the blank: "3.0kB". */
static void add_bytes(struct cw_buf *out, uint64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    if (bytes < 10) {
        cw_buf_addf(out, "%uB", (unsigned)bytes);
        return;
    }
    double e = floor(log((double)bytes) / log(1000.0));
    double value = floor((double)bytes / pow(1000.0, e) * 10 + 0.5) / 10;
    cw_buf_addf(out, value < 10 ? "%.1f%s" : "%.0f%s", value, units[(int)e]);
}

static void add_label_filter(struct cw_buf *out, const struct cw_label_filter *filter);

/* Pairs within pairs, as it binds. */
static void add_filter_chain(struct cw_buf *out, const struct cw_label_filter *filter)
{
    const char *separator = filter->kind == CW_LF_AND ? " , " : " or ";
    for (size_t i = 1; !filter->binds_right && i < filter->nparts; i++)
        cw_buf_addz(out, "( ");
    for (size_t i = 0; i < filter->nparts; i++) {
        if (i > 0)
            cw_buf_addz(out, separator);
        if (filter->binds_right && i + 1 < filter->nparts)
            cw_buf_addz(out, "( ");
        add_label_filter(out, filter->parts[i]);
        if (!filter->binds_right && i > 0)
            cw_buf_addz(out, " )");
    }
    for (size_t i = 1; filter->binds_right && i < filter->nparts; i++)
        cw_buf_addz(out, " )");
}

static void add_label_filter(struct cw_buf *out, const struct cw_label_filter *filter)
{
    static const char *const cmps[] = {[CW_CMP_EQ] = "==", [CW_CMP_NE] = "!=", [CW_CMP_GT] = ">",
                                       [CW_CMP_GE] = ">=", [CW_CMP_LT] = "<",  [CW_CMP_LE] = "<="};
    switch (filter->kind) {
    case CW_LF_AND:
    case CW_LF_OR: add_filter_chain(out, filter); return;
    case CW_LF_MATCHER: add_matcher(out, &filter->matcher); return;
    default: break;
    }
    cw_buf_adds(out, filter->name);
    if (filter->kind == CW_LF_IN) {
        cw_buf_addz(out, filter->negated ? " not in (" : " in (");
        cw_expr_format(filter->query, out);
        cw_buf_addc(out, ')');
        return;
    }
    if (filter->kind == CW_LF_IP) {
        cw_buf_addz(out, filter->cmp == CW_CMP_NE ? "!=ip(" : "=ip(");
        cw_quote_go(filter->text, out);
        cw_buf_addc(out, ')');
        return;
    }
    cw_buf_addz(out, cmps[filter->cmp]);
    if (filter->kind == CW_LF_NUMBER)
        cw_float_text_plain(filter->number, out);
    else if (filter->kind == CW_LF_DURATION)
        cw_duration_format_go(filter->duration_ns, out);
    else
        add_bytes(out, filter->bytes);
}

/* ---- stages ---- */

/* `!= "a" or "b"` is written as the two filters that it means. */
static void add_line_filter(struct cw_buf *out, const struct cw_stage *stage)
{
    static const char *const ops[] = {
        [CW_FILTER_CONTAINS] = "|= ", [CW_FILTER_NOT_CONTAINS] = "!= ",
        [CW_FILTER_RE] = "|~ ",       [CW_FILTER_NOT_RE] = "!~ ",
        [CW_FILTER_PATTERN] = "|> ",  [CW_FILTER_NOT_PATTERN] = "!> ",
    };
    bool negative = stage->filter_op == CW_FILTER_NOT_CONTAINS ||
                    stage->filter_op == CW_FILTER_NOT_RE ||
                    stage->filter_op == CW_FILTER_NOT_PATTERN;
    for (size_t i = 0; i < stage->noperands; i++) {
        if (i > 0)
            cw_buf_addz(out, negative ? " " : " or ");
        if (i == 0 || negative)
            cw_buf_addz(out, ops[stage->filter_op]);
        if (stage->operands[i].is_ip)
            cw_buf_addz(out, "ip(");
        cw_quote_go(stage->operands[i].text, out);
        if (stage->operands[i].is_ip)
            cw_buf_addc(out, ')');
    }
}

static void add_extractions(struct cw_buf *out, const struct cw_stage *stage)
{
    for (size_t i = 0; i < stage->nextractions; i++) {
        cw_buf_addc(out, i > 0 ? ',' : ' ');
        cw_buf_adds(out, stage->extractions[i].name);
        cw_buf_addc(out, '=');
        cw_quote_go(stage->extractions[i].expression, out);
    }
}

static void add_formats(struct cw_buf *out, const struct cw_stage *stage)
{
    for (size_t i = 0; i < stage->nformats; i++) {
        cw_buf_addc(out, i > 0 ? ',' : ' ');
        cw_buf_adds(out, stage->formats[i].dst);
        cw_buf_addc(out, '=');
        if (stage->formats[i].is_template)
            cw_quote_go(stage->formats[i].value, out);
        else
            cw_buf_adds(out, stage->formats[i].value);
    }
}

static void add_drop_keep(struct cw_buf *out, const struct cw_stage *stage)
{
    for (size_t i = 0; i < stage->nnames; i++) {
        cw_buf_addc(out, i > 0 ? ',' : ' ');
        if (stage->names[i].has_matcher)
            add_matcher(out, &stage->names[i].matcher);
        else
            cw_buf_adds(out, stage->names[i].name);
    }
}

static void add_keys(struct cw_buf *out, const struct cw_stage *stage)
{
    for (size_t i = 0; i < stage->nkeys; i++) {
        if (i > 0)
            cw_buf_addc(out, ',');
        cw_buf_adds(out, stage->keys[i].name);
        if (stage->keys[i].descending)
            cw_buf_addz(out, " desc");
    }
}

static void add_text_stage(struct cw_buf *out, const char *name, struct cw_str text)
{
    cw_buf_addz(out, name);
    cw_quote_go(text, out);
}

void cw_stage_format(const struct cw_stage *stage, struct cw_buf *out)
{
    switch (stage->kind) {
    case CW_STAGE_LINE_FILTER: add_line_filter(out, stage); return;
    case CW_STAGE_JSON:
        cw_buf_addz(out, stage->arrays ? "| json --arrays" : "| json");
        add_extractions(out, stage);
        return;
    case CW_STAGE_LOGFMT:
        cw_buf_addz(out, "| logfmt");
        if (stage->strict)
            cw_buf_addz(out, " --strict");
        if (stage->keep_empty)
            cw_buf_addz(out, " --keep-empty");
        add_extractions(out, stage);
        return;
    case CW_STAGE_REGEXP: add_text_stage(out, "| regexp ", stage->text); return;
    case CW_STAGE_PATTERN: add_text_stage(out, "| pattern ", stage->text); return;
    case CW_STAGE_UNPACK: cw_buf_addz(out, "| unpack"); return;
    case CW_STAGE_LABEL_FILTER:
        cw_buf_addz(out, "| ");
        add_label_filter(out, stage->label_filter);
        return;
    case CW_STAGE_LINE_FORMAT: add_text_stage(out, "| line_format ", stage->text); return;
    case CW_STAGE_LABEL_FORMAT:
        cw_buf_addz(out, "| label_format");
        add_formats(out, stage);
        return;
    case CW_STAGE_DECOLORIZE: cw_buf_addz(out, "| decolorize"); return;
    case CW_STAGE_DROP:
        cw_buf_addz(out, "| drop");
        add_drop_keep(out, stage);
        return;
    case CW_STAGE_KEEP:
        cw_buf_addz(out, "| keep");
        add_drop_keep(out, stage);
        return;
    case CW_STAGE_DISTINCT:
        cw_buf_addz(out, "| distinct ");
        add_keys(out, stage);
        return;
    case CW_STAGE_CONTEXT:
        cw_buf_addf(out, "| context -B %u -A %u", stage->before, stage->after);
        return;
    case CW_STAGE_TEMPLATE: cw_buf_addz(out, "| template"); return;
    case CW_STAGE_SORT:
        cw_buf_addz(out, "| sort by (");
        add_keys(out, stage);
        cw_buf_addc(out, ')');
        return;
    }
}

/* ---- one line ---- */

static void add_log(struct cw_buf *out, const struct cw_expr *expr)
{
    cw_selector_format(&expr->selector, out);
    for (const struct cw_stage *stage = expr->stages; stage != NULL; stage = stage->next) {
        cw_buf_addc(out, ' ');
        cw_stage_format(stage, out);
    }
}

static void add_unwrap_label(struct cw_buf *out, const struct cw_unwrap *unwrap)
{
    cw_buf_addz(out, "| unwrap ");
    if (unwrap->conversion == CW_UNWRAP_CONV_NONE)
        cw_buf_adds(out, unwrap->label);
    else
        cw_buf_addf(out, "%s(%.*s)", cw_unwrap_conversion_name(unwrap->conversion),
                    CW_STR_ARG(unwrap->label));
}

static void add_log_range(struct cw_buf *out, const struct cw_expr *expr)
{
    add_log(out, expr);
    if (expr->unwrap.present) {
        cw_buf_addc(out, ' ');
        add_unwrap_label(out, &expr->unwrap);
        for (const struct cw_stage *stage = expr->unwrap.post_filters; stage != NULL;
             stage = stage->next) {
            cw_buf_addc(out, ' ');
            cw_stage_format(stage, out);
        }
    }
    cw_buf_addc(out, '[');
    cw_duration_format_prom(expr->range_ns, out);
    cw_buf_addc(out, ']');
    if (expr->offset_ns != 0) {
        cw_buf_addz(out, " offset ");
        cw_duration_format_go(expr->offset_ns, out);
    }
}

static void add_grouping(struct cw_buf *out, const struct cw_grouping *grouping)
{
    cw_buf_addz(out, grouping->kind == CW_GROUP_WITHOUT ? " without (" : " by (");
    add_names(out, grouping->names, grouping->n, ",");
    cw_buf_addc(out, ')');
}

static void add_range_agg(struct cw_buf *out, const struct cw_expr *expr)
{
    cw_buf_addf(out, "%s(", cw_range_def(expr->range_fn)->name);
    if (expr->counted.len > 0) {
        cw_buf_adds(out, expr->counted);
        cw_buf_addc(out, ',');
    }
    if (expr->has_param) {
        cw_float_text_plain(expr->param, out);
        cw_buf_addc(out, ',');
    }
    add_log_range(out, expr);
    cw_buf_addc(out, ')');
    if (expr->grouping.kind != CW_GROUP_NONE)
        add_grouping(out, &expr->grouping);
}

static void add_vector_agg(struct cw_buf *out, const struct cw_expr *expr)
{
    cw_buf_addz(out, cw_vector_def(expr->vector_fn)->name);
    if (expr->grouping.n > 0 || expr->grouping.kind == CW_GROUP_WITHOUT)
        add_grouping(out, &expr->grouping);
    cw_buf_addc(out, '(');
    if (expr->has_param)
        cw_buf_addf(out, "%.0f,", expr->param);
    cw_expr_format(expr->left, out);
    cw_buf_addc(out, ')');
}

/* The operator with its modifiers; the two blanks where no group_left follows are Loki's. */
static void add_operator(struct cw_buf *out, const struct cw_expr *expr, const char *separator)
{
    static const char *const groups[] = {[CW_CARD_ONE_TO_ONE] = "",
                                         [CW_CARD_MANY_TO_ONE] = "group_left",
                                         [CW_CARD_ONE_TO_MANY] = "group_right"};
    const struct cw_binary_modifier *modifier = &expr->modifier;
    cw_buf_addz(out, cw_binop_name(expr->binop));
    if (modifier->return_bool)
        cw_buf_addz(out, " bool");
    if (!modifier->on && modifier->nlabels == 0)
        return;
    cw_buf_addz(out, modifier->on ? " on (" : " ignoring (");
    add_names(out, modifier->labels, modifier->nlabels, separator);
    cw_buf_addf(out, ") %s", groups[modifier->cardinality]);
    if (modifier->ninclude > 0) {
        cw_buf_addz(out, " (");
        add_names(out, modifier->include, modifier->ninclude, separator);
        cw_buf_addc(out, ')');
    }
}

static void add_label_replace(struct cw_buf *out, const struct cw_expr *expr)
{
    const struct cw_str texts[] = {expr->dst, expr->replacement, expr->src, expr->regex_text};
    cw_buf_addz(out, "label_replace(");
    cw_expr_format(expr->left, out);
    for (size_t i = 0; i < CW_COUNT(texts); i++) {
        cw_buf_addc(out, ',');
        cw_quote_go(texts[i], out);
    }
    cw_buf_addc(out, ')');
}

static void add_variants(struct cw_buf *out, const struct cw_expr *expr)
{
    cw_buf_addz(out, "variants(");
    for (size_t i = 0; i < expr->nvariants; i++) {
        if (i > 0)
            cw_buf_addz(out, ", ");
        cw_expr_format(expr->variants[i], out);
    }
    cw_buf_addz(out, ") of (");
    add_log_range(out, expr->left);
    cw_buf_addc(out, ')');
}

/* ` op right)`: what stands behind the left side. */
static void add_right_side(struct cw_buf *out, const struct cw_expr *expr)
{
    cw_buf_addc(out, ' ');
    add_operator(out, expr, ",");
    cw_buf_addc(out, ' ');
    cw_expr_format(expr->right, out);
    cw_buf_addc(out, ')');
}

static void add_binary(struct cw_buf *out, const struct cw_expr *expr)
{
    struct cw_expr_spine spine;
    cw_expr_spine_init(&spine, expr);
    for (size_t i = 0; i < spine.n; i++)
        cw_buf_addc(out, '(');
    cw_expr_format(spine.first, out);
    for (size_t i = 0; i < spine.n; i++)
        add_right_side(out, spine.items[i]);
    cw_expr_spine_fini(&spine);
}

void cw_expr_format(const struct cw_expr *expr, struct cw_buf *out)
{
    switch (expr->kind) {
    case CW_EXPR_LOG: add_log(out, expr); return;
    case CW_EXPR_RANGE_AGG: add_range_agg(out, expr); return;
    case CW_EXPR_VECTOR_AGG: add_vector_agg(out, expr); return;
    case CW_EXPR_NUMBER: cw_float_text_general(expr->param, out); return;
    case CW_EXPR_VECTOR: cw_buf_addf(out, "vector(%f)", expr->param); return;
    case CW_EXPR_LABEL_REPLACE: add_label_replace(out, expr); return;
    case CW_EXPR_VARIANTS: add_variants(out, expr); return;
    case CW_EXPR_BINARY: add_binary(out, expr); return;
    }
}

/* ---- over lines ---- */

static void indent(struct cw_buf *out, unsigned level)
{
    for (unsigned i = 0; i < level; i++)
        cw_buf_addz(out, "  ");
}

static void add_pretty(struct cw_buf *out, const struct cw_expr *expr, unsigned level);

/* A log query split into its stages, one a line. Of a run of line filters those at its begin share one, as long as they fit. */
static void add_pretty_log(struct cw_buf *out, const struct cw_expr *expr, unsigned level)
{
    size_t from = out->len;
    indent(out, level);
    add_log(out, expr);
    if (expr->stages == NULL || out->len - from - 2 * level <= SPLIT_BYTES)
        return;
    out->len = from;
    indent(out, level);
    cw_selector_format(&expr->selector, out);
    size_t run = 0; /* where a run of line filters began, while it is all on this line */
    bool in_run = false;
    for (const struct cw_stage *stage = expr->stages; stage != NULL; stage = stage->next) {
        size_t before = out->len;
        bool filters = stage->kind == CW_STAGE_LINE_FILTER;
        if (filters && run != 0) {
            cw_buf_addc(out, ' ');
            cw_stage_format(stage, out);
            if (out->len - run <= SPLIT_BYTES)
                continue;
            out->len = before;
        }
        cw_buf_addc(out, '\n');
        if (stage->kind != CW_STAGE_DECOLORIZE) /* Loki does not indent it */
            indent(out, level + 1);
        run = filters && !in_run ? out->len : 0;
        in_run = filters;
        cw_stage_format(stage, out);
    }
}

static void add_pretty_range(struct cw_buf *out, const struct cw_expr *expr, unsigned level)
{
    add_pretty_log(out, expr, level);
    if (expr->unwrap.present) {
        cw_buf_addc(out, '\n');
        indent(out, level + 1);
        add_unwrap_label(out, &expr->unwrap);
        for (const struct cw_stage *stage = expr->unwrap.post_filters; stage != NULL;
             stage = stage->next) {
            cw_buf_addc(out, '\n');
            indent(out, level + 1);
            cw_stage_format(stage, out);
        }
    }
    cw_buf_addz(out, " [");
    cw_duration_format_prom(expr->range_ns, out);
    cw_buf_addc(out, ']');
    if (expr->offset_ns != 0) {
        cw_buf_addz(out, " offset ");
        if (expr->offset_ns > 0)
            cw_duration_format_prom(expr->offset_ns, out);
        else
            cw_duration_format_go(expr->offset_ns, out);
    }
}

static void add_pretty_grouping(struct cw_buf *out, const struct cw_grouping *grouping)
{
    if (grouping->kind == CW_GROUP_NONE || (grouping->kind == CW_GROUP_BY && grouping->n == 0))
        return;
    cw_buf_addz(out, grouping->kind == CW_GROUP_WITHOUT ? " without (" : " by (");
    add_names(out, grouping->names, grouping->n, ", ");
    cw_buf_addc(out, ')');
}

static void add_pretty_range_agg(struct cw_buf *out, const struct cw_expr *expr, unsigned level)
{
    cw_buf_addf(out, "%s(\n", cw_range_def(expr->range_fn)->name);
    if (expr->counted.len > 0) {
        indent(out, level + 1);
        cw_buf_adds(out, expr->counted);
        cw_buf_addz(out, ",\n");
    }
    if (expr->has_param) {
        indent(out, level + 1);
        cw_float_text_general(expr->param, out);
        cw_buf_addz(out, ",\n");
    }
    add_pretty_range(out, expr, level + 1);
    cw_buf_addc(out, '\n');
    indent(out, level);
    cw_buf_addc(out, ')');
    add_pretty_grouping(out, &expr->grouping);
}

static void add_pretty_vector_agg(struct cw_buf *out, const struct cw_expr *expr, unsigned level)
{
    cw_buf_addz(out, cw_vector_def(expr->vector_fn)->name);
    add_pretty_grouping(out, &expr->grouping);
    cw_buf_addz(out, "(\n");
    if (expr->has_param) {
        indent(out, level + 1);
        cw_buf_addf(out, "%.0f,\n", expr->param);
    }
    add_pretty(out, expr->left, level + 1);
    cw_buf_addc(out, '\n');
    indent(out, level);
    cw_buf_addc(out, ')');
}

static void add_pretty_label_replace(struct cw_buf *out, const struct cw_expr *expr, unsigned level)
{
    const struct cw_str texts[] = {expr->dst, expr->replacement, expr->src, expr->regex_text};
    cw_buf_addz(out, "label_replace(\n");
    add_pretty(out, expr->left, level + 1);
    for (size_t i = 0; i < CW_COUNT(texts); i++) {
        cw_buf_addz(out, ",\n");
        indent(out, level + 1);
        cw_quote_go(texts[i], out);
    }
    cw_buf_addc(out, '\n');
    indent(out, level);
    cw_buf_addc(out, ')');
}

/* Must a leg of a split operator stand in parentheses? Loki leaves them out always, which can
 * change what the query says. */
static bool needs_parens(const struct cw_expr *expr, const struct cw_expr *leg)
{
    if (leg->kind != CW_EXPR_BINARY)
        return false;
    int outer = cw_binop_level(expr->binop), inner = cw_binop_level(leg->binop);
    bool binds_this_side = (leg == expr->left) == (expr->binop != CW_BIN_POW);
    return binds_this_side ? inner < outer : inner <= outer;
}

/* One leg of a split operator; on one line it has its parentheses already. */
static void add_pretty_leg(struct cw_buf *out, const struct cw_expr *expr,
                           const struct cw_expr *leg, unsigned level)
{
    size_t from = out->len;
    if (needs_parens(expr, leg)) {
        cw_expr_format(leg, out);
        bool split = out->len - from > SPLIT_BYTES;
        out->len = from;
        if (split) {
            indent(out, level);
            cw_buf_addz(out, "(\n");
            add_pretty(out, leg, level + 1);
            cw_buf_addc(out, '\n');
            indent(out, level);
            cw_buf_addc(out, ')');
            return;
        }
    }
    add_pretty(out, leg, level);
}

/* How far up from the innermost operator of a chain are those that are split, and have only split ones without parentheses above them? */
static size_t split_from(const struct cw_expr_spine *spine)
{
    struct cw_buf text;
    size_t from = 0;
    cw_buf_init(&text, SIZE_MAX);
    cw_expr_format(spine->first, &text);
    for (size_t len = text.len; from + 1 < spine->n; from++) {
        cw_buf_clear(&text);
        add_right_side(&text, spine->items[from]);
        len += 1 + text.len;
        if (len > SPLIT_BYTES)
            break;
    }
    cw_buf_fini(&text);
    for (size_t i = spine->n - 1; i > from; i--)
        if (needs_parens(spine->items[i], spine->items[i - 1]))
            return i;
    return from;
}

static void add_pretty_binary(struct cw_buf *out, const struct cw_expr *expr, unsigned level)
{
    struct cw_expr_spine spine;
    cw_expr_spine_init(&spine, expr);
    size_t from = split_from(&spine);
    unsigned inner = level + (unsigned)(spine.n - 1 - from);
    add_pretty_leg(out, spine.items[from], spine.items[from]->left, inner + 1);
    for (size_t i = from; i < spine.n && !cw_buf_failed(out); i++, inner--) {
        cw_buf_addc(out, '\n');
        indent(out, inner);
        add_operator(out, spine.items[i], ", ");
        cw_buf_addc(out, '\n');
        add_pretty_leg(out, spine.items[i], spine.items[i]->right, inner + 1);
    }
    cw_expr_spine_fini(&spine);
}

static void add_pretty(struct cw_buf *out, const struct cw_expr *expr, unsigned level)
{
    if (expr->kind == CW_EXPR_LOG) {
        add_pretty_log(out, expr, level);
        return;
    }
    size_t from = out->len;
    indent(out, level);
    size_t text = out->len;
    cw_expr_format(expr, out);
    if (out->len - text <= SPLIT_BYTES || cw_buf_failed(out))
        return;
    out->len = text;
    switch (expr->kind) {
    case CW_EXPR_RANGE_AGG: add_pretty_range_agg(out, expr, level); return;
    case CW_EXPR_VECTOR_AGG: add_pretty_vector_agg(out, expr, level); return;
    case CW_EXPR_LABEL_REPLACE: add_pretty_label_replace(out, expr, level); return;
    case CW_EXPR_BINARY:
        out->len = from; /* its legs are indented, it is not */
        add_pretty_binary(out, expr, level);
        return;
    default: cw_expr_format(expr, out); return;
    }
}

void cw_query_format(const struct cw_query *query, struct cw_buf *out)
{
    add_pretty(out, query->root, 0);
}
