#include "querier/api/query_policy.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/buf.h"
#include "common/match/regex.h"

/* A rule of blocked_queries. */
struct block {
    struct cw_blocked_query rule; /* its texts lie in the arena */
    struct cw_regex *regex;       /* NULL: the pattern is a whole query */
    bool any;                     /* no pattern */
};

struct cw_query_policy {
    atomic_uint refs;
    struct cw_arena *arena;
    struct cw_query_policy_options options; /* but for `blocked` */
    struct block *blocks;
    size_t nblocks;
};

static const struct cw_str *texts_dup(struct cw_arena *arena, const struct cw_str *items, size_t n)
{
    struct cw_str *copy = CW_ARENA_ARRAY(arena, struct cw_str, n);
    for (size_t i = 0; i < n; i++)
        copy[i] = cw_arena_dup(arena, items[i]);
    return copy;
}

static const struct cw_query_tag *tags_dup(struct cw_arena *arena, const struct cw_query_tag *tags,
                                           size_t n)
{
    struct cw_query_tag *copy = CW_ARENA_ARRAY(arena, struct cw_query_tag, n);
    for (size_t i = 0; i < n; i++)
        copy[i] = (struct cw_query_tag){cw_arena_dup(arena, tags[i].name),
                                        cw_arena_dup(arena, tags[i].value)};
    return copy;
}

static int block_init(struct block *block, struct cw_arena *arena,
                      const struct cw_blocked_query *rule, struct cw_err *err)
{
    block->rule = *rule;
    block->rule.pattern = cw_arena_dup(arena, cw_str_trim(rule->pattern));
    block->rule.types = texts_dup(arena, rule->types, rule->ntypes);
    block->rule.tags = tags_dup(arena, rule->tags, rule->ntags);
    block->any = rule->pattern.len == 0;
    if (block->any || !rule->regex)
        return 0;
    return cw_regex_compile(rule->pattern, CW_REGEX_SEARCH, &block->regex, err);
}

int cw_query_policy_new(const struct cw_query_policy_options *options, struct cw_query_policy **out,
                        struct cw_err *err)
{
    struct cw_query_policy *policy = cw_mem_new(sizeof *policy);
    int rc = 0;
    atomic_init(&policy->refs, 1);
    policy->arena = cw_arena_new();
    policy->options = *options;
    policy->options.required_labels =
        texts_dup(policy->arena, options->required_labels, options->nrequired_labels);
    policy->options.blocked = NULL;
    policy->blocks = cw_mem_array(CW_MAX(options->nblocked, (size_t)1), sizeof *policy->blocks);
    for (size_t i = 0; rc == 0 && i < options->nblocked; i++)
        rc = block_init(&policy->blocks[policy->nblocks++], policy->arena, &options->blocked[i],
                        err);
    if (rc < 0)
        cw_query_policy_unref(&policy);
    *out = policy;
    return rc;
}

struct cw_query_policy *cw_query_policy_ref(struct cw_query_policy *policy)
{
    atomic_fetch_add(&policy->refs, 1);
    return policy;
}

void cw_query_policy_unref(struct cw_query_policy **handle)
{
    struct cw_query_policy *policy = *handle;
    *handle = NULL;
    if (policy == NULL || atomic_fetch_sub(&policy->refs, 1) > 1)
        return;
    for (size_t i = 0; i < policy->nblocks; i++)
        cw_regex_free(&policy->blocks[i].regex);
    free(policy->blocks);
    cw_arena_free(&policy->arena);
    free(policy);
}

int cw_query_policy_enabled(const struct cw_query_policy *policy, struct cw_err *err)
{
    if (policy->options.disabled)
        return cw_err_set(err, CW_E_OVERLOAD,
                          "querying is disabled, please contact your Loki operator");
    return 0;
}

/* ---- selectors ---- */

static bool has_matcher(const struct cw_selector *selector, struct cw_str name)
{
    for (size_t i = 0; i < selector->n; i++)
        if (cw_str_eq(selector->items[i].name, name))
            return true;
    return false;
}

/* Lists of names are cut where an error's text is full. */
static void add_name(struct cw_buf *names, struct cw_str name)
{
    if (names->len > 0)
        cw_buf_addz(names, ", ");
    cw_buf_adds(names, name);
}

static int check_selector(const struct cw_query_policy *policy, const struct cw_selector *selector,
                          struct cw_err *err)
{
    const struct cw_query_policy_options *options = &policy->options;
    struct cw_buf missing, present;
    int rc = 0;
    cw_buf_init(&missing, CW_ERR_TEXT_BYTES);
    cw_buf_init(&present, CW_ERR_TEXT_BYTES);
    for (size_t i = 0; i < options->nrequired_labels; i++)
        if (!has_matcher(selector, options->required_labels[i]))
            add_name(&missing, options->required_labels[i]);
    for (size_t i = 0; i < selector->n; i++)
        add_name(&present, selector->items[i].name);
    if (missing.len > 0)
        rc = cw_err_set(err, CW_E_LIMIT,
                        "stream selector is missing required matchers [%s], labels present in the "
                        "query were [%s]",
                        cw_buf_z(&missing), cw_buf_z(&present));
    else if (selector->n < options->minimum_matchers)
        rc = cw_err_set(err, CW_E_LIMIT,
                        "stream selector has less label matchers than required: (present: [%s], "
                        "number_present: %zu, required_number_label_matchers: %u)",
                        cw_buf_z(&present), selector->n, options->minimum_matchers);
    cw_buf_fini(&missing);
    cw_buf_fini(&present);
    return rc;
}

static int check_expr(void *arg, const struct cw_expr *expr, struct cw_err *err)
{
    if (expr->kind != CW_EXPR_LOG && expr->kind != CW_EXPR_RANGE_AGG)
        return 0;
    return check_selector(arg, &expr->selector, err);
}

static int check_in(void *arg, const struct cw_expr *expr, struct cw_label_filter *filter,
                    struct cw_err *err)
{
    (void)expr;
    return cw_query_policy_selectors(arg, filter->query, err);
}

int cw_query_policy_selectors(const struct cw_query_policy *policy, const struct cw_expr *expr,
                              struct cw_err *err)
{
    if (policy->options.nrequired_labels == 0 && policy->options.minimum_matchers == 0)
        return 0;
    int rc = cw_expr_each(expr, check_expr, (void *)policy, err);
    return rc < 0 ? rc : cw_expr_each_in(expr, check_in, (void *)policy, err);
}

/* ---- blocked queries ---- */

/* FNV-1 of 32 bits, which is what Loki logs as query_hash. */
static uint32_t query_hash(struct cw_str text)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < text.len; i++)
        hash = hash * 16777619u ^ (unsigned char)text.ptr[i];
    return hash;
}

/* To Loki `|= ""` and `|~ ""` are none. */
static bool is_filter(const struct cw_stage *stage)
{
    if (stage->kind != CW_STAGE_LINE_FILTER)
        return stage->kind == CW_STAGE_LABEL_FILTER;
    bool positive = stage->filter_op == CW_FILTER_CONTAINS || stage->filter_op == CW_FILTER_RE;
    return !positive || stage->noperands != 1 || stage->operands[0].text.len > 0;
}

static const char *type_of(const struct cw_expr *expr)
{
    if (cw_expr_is_metric(expr))
        return "metric";
    for (const struct cw_stage *stage = expr->stages; stage != NULL; stage = stage->next)
        if (is_filter(stage))
            return "filter";
    return "limited";
}

/* What of a header Loki takes for tags: letters, digits and -=.@, and space. */
static struct cw_str clean_tags(struct cw_str tags, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < tags.len; i++) {
        char c = tags.ptr[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            (c != '\0' && strchr("-=.@, ", c) != NULL))
            out[n++] = c;
    }
    return cw_str_make(out, n);
}

/* `name=value,...`, both up to case. */
static bool has_tag(struct cw_str tags, const struct cw_query_tag *tag)
{
    struct cw_str one;
    while (cw_str_split(&tags, ',', &one)) {
        ptrdiff_t equals = cw_str_find_byte(one, '=');
        if (equals > 0 && cw_str_eq_nocase(cw_str_sub(one, 0, (size_t)equals), tag->name) &&
            cw_str_eq_nocase(cw_str_sub(one, (size_t)equals + 1, one.len), tag->value))
            return true;
    }
    return false;
}

static bool has_tags(struct cw_str tags, const struct cw_blocked_query *rule)
{
    char *clean = cw_mem_new(tags.len + 1);
    struct cw_str cleaned = clean_tags(tags, clean);
    bool all = true;
    for (size_t i = 0; all && i < rule->ntags; i++)
        all = has_tag(cleaned, &rule->tags[i]);
    free(clean);
    return all;
}

/* 1: the rule is about this query. */
static int matches(const struct block *block, struct cw_str text, struct cw_err *err)
{
    if (block->rule.hash > 0)
        return block->rule.hash == query_hash(text);
    if (block->any || cw_str_eq(block->rule.pattern, cw_str_trim(text)))
        return 1;
    return block->regex != NULL ? cw_regex_match(block->regex, text, err) : 0;
}

static bool is_of_type(const struct cw_blocked_query *rule, const char *type)
{
    return rule->ntypes == 0 || cw_str_among(cw_str_of(type), rule->types, rule->ntypes);
}

int cw_query_policy_blocked(const struct cw_query_policy *policy, struct cw_str text,
                            const struct cw_expr *expr, struct cw_str tags, struct cw_err *err)
{
    for (size_t i = 0; i < policy->nblocks; i++) {
        const struct block *block = &policy->blocks[i];
        int rc = matches(block, text, err);
        if (rc < 0)
            return rc;
        if (rc == 0)
            continue;
        if (is_of_type(&block->rule, type_of(expr)) && has_tags(tags, &block->rule))
            return cw_err_set(err, CW_E_LIMIT, "query blocked by policy");
        return 0;
    }
    return 0;
}
