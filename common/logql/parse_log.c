/* Selectors, pipelines and label filters. */
#include "common/base/assert.h"
#include "common/base/limits.h"
#include "common/logql/parse_priv.h"

/* ---- matchers ---- */

static bool match_op(enum cw_token_kind kind, enum cw_match_op *op)
{
    switch (kind) {
    case CW_TOK_EQ: *op = CW_MATCH_EQ; return true;
    case CW_TOK_NEQ: *op = CW_MATCH_NE; return true;
    case CW_TOK_RE: *op = CW_MATCH_RE; return true;
    case CW_TOK_NRE: *op = CW_MATCH_NRE; return true;
    default: return false;
    }
}

/* Go's sentence about a regex becomes a parse error. */
static int regex_fault(struct cw_parser *parser)
{
    return cw_err_wrap(parser->err, "parse error ");
}

int cw_parse_braces(struct cw_parser *parser, struct cw_selector *out)
{
    cw_selector_init(out);
    cw_parse_own(parser)->selector = out;
    int rc = cw_parse_advance(parser);
    if (rc < 0)
        return rc;
    if (parser->token.kind == CW_TOK_CLOSE_BRACE)
        return cw_parse_advance(parser);
    for (bool first = true;; first = false) {
        struct cw_str name, value;
        enum cw_match_op op;
        rc = cw_parse_expect(parser, CW_TOK_IDENTIFIER, first ? "IDENTIFIER or }" : "IDENTIFIER",
                             &name);
        if (rc < 0)
            return rc;
        if (!match_op(parser->token.kind, &op))
            return cw_parse_unexpected(parser, "= or =~ or !~ or !=");
        if ((rc = cw_parse_advance(parser)) < 0)
            return rc;
        if (parser->token.kind != CW_TOK_STRING)
            return cw_parse_unexpected(parser, "STRING");
        value = parser->token.text;
        if (cw_selector_add(out, op, name, value, parser->err) < 0)
            return regex_fault(parser);
        if ((rc = cw_parse_advance(parser)) < 0)
            return rc;
        if (parser->token.kind == CW_TOK_CLOSE_BRACE)
            return cw_parse_advance(parser);
        if (parser->token.kind != CW_TOK_COMMA)
            return cw_parse_unexpected(parser, "} or ,");
        if ((rc = cw_parse_advance(parser)) < 0)
            return rc;
    }
}

/* A matcher of a label filter, drop or keep, behind name and operator; the token at hand is its
 * text. */
static int parse_matcher(struct cw_parser *parser, struct cw_str name, enum cw_match_op op,
                         struct cw_matcher *out)
{
    *out = (struct cw_matcher){.op = op, .name = name, .value = parser->token.text};
    if (op == CW_MATCH_RE || op == CW_MATCH_NRE) {
        struct cw_owned *owned = cw_parse_own(parser);
        if (cw_regex_compile(out->value, CW_REGEX_FULL, &owned->regex, parser->err) < 0)
            return regex_fault(parser);
        out->regex = owned->regex;
    }
    return cw_parse_advance(parser);
}

int cw_parse_names(struct cw_parser *parser, struct cw_str **names_out, size_t *n_out)
{
    struct cw_str *names = NULL;
    size_t n = 0, cap = 0;
    int rc = cw_parse_expect(parser, CW_TOK_OPEN_PAREN, "(", NULL);
    if (rc < 0)
        return rc;
    while (n > 0 || parser->token.kind != CW_TOK_CLOSE_PAREN) {
        struct cw_str name;
        rc = cw_parse_expect(parser, CW_TOK_IDENTIFIER, n > 0 ? "IDENTIFIER" : "IDENTIFIER or )",
                             &name);
        if (rc < 0)
            return rc;
        names = cw_arena_grow(parser->arena, names, n, &cap, n + 1, sizeof(*names));
        names[n++] = name;
        if (parser->token.kind == CW_TOK_CLOSE_PAREN)
            break;
        if ((rc = cw_parse_expect(parser, CW_TOK_COMMA, ", or )", NULL)) < 0)
            return rc;
    }
    *names_out = names;
    *n_out = n;
    return cw_parse_advance(parser);
}

/* ---- line filters ---- */

static bool filter_op(enum cw_token_kind kind, enum cw_filter_op *op)
{
    switch (kind) {
    case CW_TOK_PIPE_EXACT: *op = CW_FILTER_CONTAINS; return true;
    case CW_TOK_NEQ: *op = CW_FILTER_NOT_CONTAINS; return true;
    case CW_TOK_PIPE_RE: *op = CW_FILTER_RE; return true;
    case CW_TOK_NRE: *op = CW_FILTER_NOT_RE; return true;
    case CW_TOK_PIPE_PATTERN: *op = CW_FILTER_PATTERN; return true;
    case CW_TOK_NPA: *op = CW_FILTER_NOT_PATTERN; return true;
    default: return false;
    }
}

/* `"x"` or `ip("x")` */
static int parse_operand(struct cw_parser *parser, struct cw_line_filter_operand *out)
{
    *out = (struct cw_line_filter_operand){.is_ip = parser->token.kind == CW_TOK_IP};
    if (!out->is_ip)
        return cw_parse_expect(parser, CW_TOK_STRING, "STRING or ip", &out->text);
    int rc = cw_parse_advance(parser);
    if (rc == 0)
        rc = cw_parse_expect(parser, CW_TOK_OPEN_PAREN, "(", NULL);
    if (rc == 0)
        rc = cw_parse_expect(parser, CW_TOK_STRING, "STRING", &out->text);
    if (rc == 0)
        rc = cw_parse_expect(parser, CW_TOK_CLOSE_PAREN, ")", NULL);
    return rc;
}

static int parse_line_filter(struct cw_parser *parser, struct cw_stage *stage)
{
    size_t cap = 0;
    int rc;
    do {
        if ((rc = cw_parse_advance(parser)) < 0)
            return rc;
        stage->operands = cw_arena_grow(parser->arena, stage->operands, stage->noperands, &cap,
                                        stage->noperands + 1, sizeof(*stage->operands));
        if ((rc = parse_operand(parser, &stage->operands[stage->noperands])) < 0)
            return rc;
        stage->noperands++;
    } while (parser->token.kind == CW_TOK_OR);
    return 0;
}

/* ---- label filters ---- */

static bool comparison(enum cw_token_kind kind, enum cw_cmp *cmp)
{
    switch (kind) {
    case CW_TOK_EQ:
    case CW_TOK_CMP_EQ: *cmp = CW_CMP_EQ; return true;
    case CW_TOK_NEQ: *cmp = CW_CMP_NE; return true;
    case CW_TOK_GT: *cmp = CW_CMP_GT; return true;
    case CW_TOK_GTE: *cmp = CW_CMP_GE; return true;
    case CW_TOK_LT: *cmp = CW_CMP_LT; return true;
    case CW_TOK_LTE: *cmp = CW_CMP_LE; return true;
    default: return false;
    }
}

/* The number behind a comparison, with its sign. */
static int parse_filter_number(struct cw_parser *parser, struct cw_label_filter *filter)
{
    bool minus = parser->token.kind == CW_TOK_SUB;
    if (minus || parser->token.kind == CW_TOK_ADD) {
        int rc = cw_parse_advance(parser);
        if (rc < 0)
            return rc;
        if (parser->token.kind != CW_TOK_NUMBER)
            return cw_parse_unexpected(parser, "NUMBER");
    }
    filter->kind = CW_LF_NUMBER;
    filter->text = parser->token.text;
    const char *why = cw_lex_parse_float(filter->text, parser->arena, &filter->number);
    if (why != NULL)
        cw_parse_late_fault(parser,
                            "unable to parse literal as a float: strconv.ParseFloat: parsing "
                            "\"%.*s\": %s",
                            CW_STR_ARG(filter->text), why);
    if (minus)
        filter->number = -filter->number;
    return cw_parse_advance(parser);
}

static int parse_filter_ip(struct cw_parser *parser, struct cw_label_filter *filter)
{
    filter->kind = CW_LF_IP;
    int rc = cw_parse_advance(parser);
    if (rc == 0)
        rc = cw_parse_expect(parser, CW_TOK_OPEN_PAREN, "(", NULL);
    if (rc == 0)
        rc = cw_parse_expect(parser, CW_TOK_STRING, "STRING", &filter->text);
    if (rc == 0)
        rc = cw_parse_expect(parser, CW_TOK_CLOSE_PAREN, ")", NULL);
    return rc;
}

/* `name op operand` */
static int parse_comparison(struct cw_parser *parser, struct cw_label_filter *filter)
{
    enum cw_match_op match = CW_MATCH_EQ;
    enum cw_token_kind op;
    int rc = cw_parse_expect(parser, CW_TOK_IDENTIFIER, "IDENTIFIER or (", &filter->name);
    if (rc < 0)
        return rc;
    if (cw_parse_at_in(parser))
        return cw_parse_in(parser, filter);
    op = parser->token.kind;
    bool matches = match_op(op, &match);
    bool compares = comparison(op, &filter->cmp);
    if (!matches && !compares)
        return cw_parse_unexpected(parser, NULL);
    if ((rc = cw_parse_advance(parser)) < 0)
        return rc;
    if (!compares && parser->token.kind != CW_TOK_STRING)
        return cw_parse_unexpected(parser, "STRING");
    switch (parser->token.kind) {
    case CW_TOK_STRING:
        if (!matches)
            return cw_parse_unexpected(parser, NULL);
        filter->kind = CW_LF_MATCHER;
        return parse_matcher(parser, filter->name, match, &filter->matcher);
    case CW_TOK_IP:
        if (op != CW_TOK_EQ && op != CW_TOK_NEQ)
            return cw_parse_unexpected(parser, NULL);
        return parse_filter_ip(parser, filter);
    case CW_TOK_DURATION:
        filter->kind = CW_LF_DURATION;
        filter->duration_ns = parser->token.duration_ns;
        filter->text = parser->token.text;
        return cw_parse_advance(parser);
    case CW_TOK_BYTES:
        filter->kind = CW_LF_BYTES;
        filter->bytes = parser->token.bytes;
        filter->text = parser->token.text;
        return cw_parse_advance(parser);
    case CW_TOK_NUMBER:
    case CW_TOK_ADD:
    case CW_TOK_SUB: return parse_filter_number(parser, filter);
    default: return cw_parse_unexpected(parser, NULL);
    }
}

/* What stands before the filter that is parsed: it decides whether a following and/or belongs to
 * that filter. */
enum filter_context { FILTER_START, FILTER_OR, FILTER_AND, FILTER_COMMA };

static int parse_filters(struct cw_parser *parser, enum filter_context context,
                         struct cw_label_filter **out);

static int parse_filter(struct cw_parser *parser, struct cw_label_filter **out)
{
    int rc;
    if (parser->token.kind != CW_TOK_OPEN_PAREN) {
        struct cw_label_filter *filter = CW_ARENA_NEW(parser->arena, struct cw_label_filter);
        filter->height = 1;
        *out = filter;
        return parse_comparison(parser, filter);
    }
    if ((rc = cw_parse_enter(parser)) < 0)
        return rc;
    if ((rc = cw_parse_advance(parser)) < 0 || (rc = parse_filters(parser, FILTER_START, out)) < 0)
        return rc;
    cw_parse_leave(parser);
    return cw_parse_expect(parser, CW_TOK_CLOSE_PAREN, NULL, NULL);
}

/* One more filter at the end of a chain. */
static int add_part(struct cw_parser *parser, struct cw_label_filter *chain, size_t *cap,
                    struct cw_label_filter *part)
{
    chain->parts = cw_arena_grow(parser->arena, chain->parts, chain->nparts, cap, chain->nparts + 1,
                                 sizeof(struct cw_label_filter *));
    chain->parts[chain->nparts++] = part;
    return cw_parse_height(parser, chain->height - 1, part->height, &chain->height);
}

/* A chain that begins with `left`. */
static int begin_chain(struct cw_parser *parser, enum cw_label_filter_kind kind, bool binds_right,
                       struct cw_label_filter *left, size_t *cap, struct cw_label_filter **out)
{
    struct cw_label_filter *chain = CW_ARENA_NEW(parser->arena, struct cw_label_filter);
    *cap = 0;
    *out = chain;
    chain->kind = kind;
    chain->binds_right = binds_right;
    chain->height = 1;
    return add_part(parser, chain, cap, left);
}

/*
 * In Loki's grammar `or` and `and` have their usual precedence and bind to the left, but a comma,
 * and two filters side by side, have none: they take everything on their right (`a, b or c` is `a,
 * (b or c)`).
 */
static int parse_filters(struct cw_parser *parser, enum filter_context context,
                         struct cw_label_filter **out)
{
    struct cw_label_filter *left, *commas = NULL, *chain = NULL;
    size_t commas_cap = 0, chain_cap = 0;
    int rc = cw_parse_enter(parser);
    if (rc < 0 || (rc = parse_filter(parser, &left)) < 0)
        return rc;
    for (;;) {
        enum filter_context joined;
        switch (parser->token.kind) {
        case CW_TOK_OR: joined = FILTER_OR; break;
        case CW_TOK_AND: joined = FILTER_AND; break;
        case CW_TOK_COMMA:
        case CW_TOK_IDENTIFIER:
        case CW_TOK_OPEN_PAREN: joined = FILTER_COMMA; break;
        default: goto done;
        }
        bool binds_left = (context == FILTER_AND && joined != FILTER_COMMA) ||
                          (context == FILTER_OR && joined == FILTER_OR);
        if (binds_left)
            break;
        if (parser->token.kind != CW_TOK_IDENTIFIER && parser->token.kind != CW_TOK_OPEN_PAREN &&
            (rc = cw_parse_advance(parser)) < 0)
            return rc;
        struct cw_label_filter *right;
        if (joined == FILTER_COMMA) {
            /* The rest is what stands on its right; a chain of commas is one. */
            if (commas == NULL)
                rc = begin_chain(parser, CW_LF_AND, true, left, &commas_cap, &commas);
            else
                rc = add_part(parser, commas, &commas_cap, left);
            if (rc < 0 || (rc = parse_filter(parser, &left)) < 0)
                return rc;
            chain = NULL;
            context = FILTER_COMMA;
            continue;
        }
        if ((rc = parse_filters(parser, joined, &right)) < 0)
            return rc;
        enum cw_label_filter_kind kind = joined == FILTER_OR ? CW_LF_OR : CW_LF_AND;
        if (chain == NULL || chain->kind != kind) {
            if ((rc = begin_chain(parser, kind, false, left, &chain_cap, &chain)) < 0)
                return rc;
            left = chain;
        }
        if ((rc = add_part(parser, chain, &chain_cap, right)) < 0)
            return rc;
    }
done:
    cw_parse_leave(parser);
    if (commas != NULL) {
        if ((rc = add_part(parser, commas, &commas_cap, left)) < 0)
            return rc;
        left = commas;
    }
    *out = left;
    return 0;
}

static int parse_label_filter_stage(struct cw_parser *parser, struct cw_stage *stage)
{
    stage->kind = CW_STAGE_LABEL_FILTER;
    return parse_filters(parser, FILTER_START, &stage->label_filter);
}

/* ---- other stages ---- */

/* `a="x.y", b` */
static int parse_extractions(struct cw_parser *parser, struct cw_stage *stage)
{
    size_t cap = 0;
    for (;;) {
        struct cw_extraction extraction;
        int rc = cw_parse_expect(parser, CW_TOK_IDENTIFIER, "IDENTIFIER", &extraction.name);
        if (rc < 0)
            return rc;
        extraction.expression = extraction.name;
        if (parser->token.kind == CW_TOK_EQ) {
            if ((rc = cw_parse_advance(parser)) < 0 ||
                (rc = cw_parse_expect(parser, CW_TOK_STRING, "STRING", &extraction.expression)) < 0)
                return rc;
        }
        stage->extractions = cw_arena_grow(parser->arena, stage->extractions, stage->nextractions,
                                           &cap, stage->nextractions + 1, sizeof(extraction));
        stage->extractions[stage->nextractions++] = extraction;
        if (parser->token.kind != CW_TOK_COMMA)
            return 0;
        if ((rc = cw_parse_advance(parser)) < 0)
            return rc;
    }
}

static int parse_json(struct cw_parser *parser, struct cw_stage *stage)
{
    stage->kind = CW_STAGE_JSON;
    int rc = cw_parse_advance(parser);
    if (rc == 0 && parser->token.kind == CW_TOK_FLAG &&
        cw_str_eqz(parser->token.text, "--arrays")) {
        stage->arrays = true;
        return cw_parse_advance(parser);
    }
    if (rc == 0 && parser->token.kind == CW_TOK_IDENTIFIER)
        rc = parse_extractions(parser, stage);
    return rc;
}

static int parse_logfmt(struct cw_parser *parser, struct cw_stage *stage)
{
    stage->kind = CW_STAGE_LOGFMT;
    int rc = cw_parse_advance(parser);
    while (rc == 0 && parser->token.kind == CW_TOK_FLAG &&
           !cw_str_eqz(parser->token.text, "--arrays")) {
        if (cw_str_eqz(parser->token.text, "--strict"))
            stage->strict = true;
        else
            stage->keep_empty = true;
        rc = cw_parse_advance(parser);
    }
    if (rc == 0 && parser->token.kind == CW_TOK_IDENTIFIER)
        rc = parse_extractions(parser, stage);
    return rc;
}

static int parse_text_stage(struct cw_parser *parser, struct cw_stage *stage,
                            enum cw_stage_kind kind)
{
    stage->kind = kind;
    int rc = cw_parse_advance(parser);
    if (rc == 0)
        rc = cw_parse_expect(parser, CW_TOK_STRING, "STRING", &stage->text);
    return rc;
}

/* Loki refuses a bad regexp as soon as it is read. */
static int check_regexp(struct cw_parser *parser, struct cw_stage *stage)
{
    struct cw_owned *owned = cw_parse_own(parser);
    if (cw_regex_compile(stage->text, CW_REGEX_SEARCH, &owned->regex, parser->err) < 0) {
        cw_err_wrap(parser->err, "invalid regexp parser");
        return regex_fault(parser);
    }
    stage->regex = owned->regex;
    unsigned n = cw_regex_ngroups(stage->regex), nnamed = 0;
    for (unsigned i = 1; i <= n; i++) {
        struct cw_str name = cw_regex_group_name(stage->regex, i);
        if (name.len == 0)
            continue;
        nnamed++;
        for (unsigned j = 1; j < i; j++)
            if (cw_str_eq(cw_regex_group_name(stage->regex, j), name))
                return cw_parse_fault(
                    parser, "invalid regexp parser: duplicate extracted label name '%.*s'",
                    CW_STR_ARG(name));
    }
    if (nnamed == 0)
        return cw_parse_fault(parser,
                              "invalid regexp parser: at least one named capture must be supplied");
    return 0;
}

static int parse_regexp(struct cw_parser *parser, struct cw_stage *stage)
{
    int rc = parse_text_stage(parser, stage, CW_STAGE_REGEXP);
    return rc < 0 ? rc : check_regexp(parser, stage);
}

static int parse_pattern(struct cw_parser *parser, struct cw_stage *stage)
{
    struct cw_str fault;
    int rc = parse_text_stage(parser, stage, CW_STAGE_PATTERN);
    if (rc == 0 && cw_parse_pattern_fault(stage->text, parser->arena, &fault))
        return cw_parse_fault(parser, "invalid pattern parser: %.*s", CW_STR_ARG(fault));
    return rc;
}

static int parse_label_format(struct cw_parser *parser, struct cw_stage *stage)
{
    size_t cap = 0;
    stage->kind = CW_STAGE_LABEL_FORMAT;
    do {
        struct cw_label_format format;
        int rc = cw_parse_advance(parser);
        if (rc < 0 ||
            (rc = cw_parse_expect(parser, CW_TOK_IDENTIFIER, "IDENTIFIER", &format.dst)) < 0 ||
            (rc = cw_parse_expect(parser, CW_TOK_EQ, "=", NULL)) < 0)
            return rc;
        format.is_template = parser->token.kind == CW_TOK_STRING;
        if (!format.is_template && parser->token.kind != CW_TOK_IDENTIFIER)
            return cw_parse_unexpected(parser, "IDENTIFIER or STRING");
        format.value = parser->token.text;
        if ((rc = cw_parse_advance(parser)) < 0)
            return rc;
        stage->formats = cw_arena_grow(parser->arena, stage->formats, stage->nformats, &cap,
                                       stage->nformats + 1, sizeof(format));
        stage->formats[stage->nformats++] = format;
    } while (parser->token.kind == CW_TOK_COMMA);
    return 0;
}

static int parse_drop_keep(struct cw_parser *parser, struct cw_stage *stage,
                           enum cw_stage_kind kind)
{
    size_t cap = 0;
    stage->kind = kind;
    do {
        struct cw_drop_keep item = {.has_matcher = false};
        enum cw_match_op op;
        int rc = cw_parse_advance(parser);
        if (rc < 0 ||
            (rc = cw_parse_expect(parser, CW_TOK_IDENTIFIER, "IDENTIFIER", &item.name)) < 0)
            return rc;
        if (match_op(parser->token.kind, &op)) {
            item.has_matcher = true;
            if ((rc = cw_parse_advance(parser)) < 0)
                return rc;
            if (parser->token.kind != CW_TOK_STRING)
                return cw_parse_unexpected(parser, "STRING");
            if ((rc = parse_matcher(parser, item.name, op, &item.matcher)) < 0)
                return rc;
        }
        stage->names = cw_arena_grow(parser->arena, stage->names, stage->nnames, &cap,
                                     stage->nnames + 1, sizeof(item));
        stage->names[stage->nnames++] = item;
    } while (parser->token.kind == CW_TOK_COMMA);
    return 0;
}

/* Behind `|`. */
static int parse_stage(struct cw_parser *parser, struct cw_stage *stage)
{
    int extension = cw_parse_extension(parser, stage);
    if (extension != 0)
        return extension < 0 ? extension : 0;
    switch (parser->token.kind) {
    case CW_TOK_JSON: return parse_json(parser, stage);
    case CW_TOK_LOGFMT: return parse_logfmt(parser, stage);
    case CW_TOK_REGEXP: return parse_regexp(parser, stage);
    case CW_TOK_PATTERN: return parse_pattern(parser, stage);
    case CW_TOK_UNPACK: stage->kind = CW_STAGE_UNPACK; return cw_parse_advance(parser);
    case CW_TOK_DECOLORIZE: stage->kind = CW_STAGE_DECOLORIZE; return cw_parse_advance(parser);
    case CW_TOK_LINE_FORMAT: return parse_text_stage(parser, stage, CW_STAGE_LINE_FORMAT);
    case CW_TOK_LABEL_FORMAT: return parse_label_format(parser, stage);
    case CW_TOK_DROP: return parse_drop_keep(parser, stage, CW_STAGE_DROP);
    case CW_TOK_KEEP: return parse_drop_keep(parser, stage, CW_STAGE_KEEP);
    case CW_TOK_IDENTIFIER:
    case CW_TOK_OPEN_PAREN: return parse_label_filter_stage(parser, stage);
    default: return cw_parse_unexpected(parser, NULL);
    }
}

/* ---- pipelines ---- */

/* Behind `unwrap`: the label, its conversion and the label filters that follow. */
static int parse_unwrap(struct cw_parser *parser, struct cw_unwrap *unwrap)
{
    unwrap->present = true;
    int rc = 0;
    if (parser->token.kind == CW_TOK_UNWRAP_CONV) {
        unwrap->conversion = parser->token.fn;
        if ((rc = cw_parse_advance(parser)) < 0 ||
            (rc = cw_parse_expect(parser, CW_TOK_OPEN_PAREN, "(", NULL)) < 0 ||
            (rc = cw_parse_expect(parser, CW_TOK_IDENTIFIER, "IDENTIFIER", &unwrap->label)) < 0 ||
            (rc = cw_parse_expect(parser, CW_TOK_CLOSE_PAREN, ")", NULL)) < 0)
            return rc;
    } else {
        rc = cw_parse_expect(parser, CW_TOK_IDENTIFIER,
                             "IDENTIFIER or BYTES_CONV or DURATION_CONV or DURATION_SECONDS_CONV",
                             &unwrap->label);
        if (rc < 0)
            return rc;
    }
    struct cw_stage **tail = &unwrap->post_filters;
    while (parser->token.kind == CW_TOK_PIPE) {
        struct cw_stage *stage = CW_ARENA_NEW(parser->arena, struct cw_stage);
        if ((rc = cw_parse_advance(parser)) < 0 ||
            (rc = parse_label_filter_stage(parser, stage)) < 0)
            return rc;
        *tail = stage;
        tail = &stage->next;
    }
    return 0;
}

bool cw_parse_at_pipeline(const struct cw_parser *parser)
{
    enum cw_filter_op op;
    return parser->token.kind == CW_TOK_PIPE || filter_op(parser->token.kind, &op);
}

int cw_parse_pipeline(struct cw_parser *parser, struct cw_stage ***tail, struct cw_unwrap *unwrap)
{
    int rc;
    while (cw_parse_at_pipeline(parser)) {
        struct cw_stage *stage = CW_ARENA_NEW(parser->arena, struct cw_stage);
        if ((rc = cw_parse_check_last(parser)) < 0)
            return rc;
        if (filter_op(parser->token.kind, &stage->filter_op)) {
            stage->kind = CW_STAGE_LINE_FILTER;
            rc = parse_line_filter(parser, stage);
        } else {
            if ((rc = cw_parse_advance(parser)) < 0)
                return rc;
            if (unwrap != NULL && parser->token.kind == CW_TOK_UNWRAP) {
                rc = cw_parse_advance(parser);
                return rc < 0 ? rc : parse_unwrap(parser, unwrap);
            }
            rc = parse_stage(parser, stage);
        }
        if (rc < 0)
            return rc;
        **tail = stage;
        *tail = &stage->next;
    }
    return 0;
}
