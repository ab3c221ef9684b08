#include "shipper/relabel.h"
#include <inttypes.h>
#include <stdlib.h>
#include "common/base/assert.h"
#include "common/base/digest.h"
#include "common/match/regex.h"
#include "common/match/regex_expand.h"
#include "common/template/go_case.h"

struct rule {
    const struct cw_relabel_config *config;
    enum cw_relabel_action action;
    struct cw_regex *regex;
    size_t ngroups;
};

struct cw_relabel {
    size_t n;
    struct rule rules[];
};

enum { RULE_DROPS, RULE_GOES_ON };

int cw_relabel_new(const struct cw_config_tables *configs, struct cw_relabel **out,
                   struct cw_err *err)
{
    const struct cw_relabel_config *config = configs->items;
    struct cw_relabel *rules = cw_mem_new(sizeof *rules + configs->n * sizeof rules->rules[0]);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < configs->n; i++) {
        struct rule *rule = &rules->rules[rules->n++];
        rule->config = &config[i];
        rule->action = cw_relabel_action_of(config[i].action);
        rc = cw_regex_compile(config[i].regex, CW_REGEX_FULL | CW_REGEX_DOT_NEWLINE, &rule->regex,
                              err);
        if (rc < 0)
            cw_err_wrap(err, "relabel_configs[%zu]", i);
        else
            rule->ngroups = cw_regex_ngroups(rule->regex) + 1;
    }
    if (rc < 0)
        cw_relabel_free(&rules);
    *out = rules;
    return rc;
}

void cw_relabel_free(struct cw_relabel **rules)
{
    if (*rules == NULL)
        return;
    for (size_t i = 0; i < (*rules)->n; i++)
        cw_regex_free(&(*rules)->rules[i].regex);
    free(*rules);
    *rules = NULL;
}

bool cw_relabel_empty(const struct cw_relabel *rules)
{
    return rules->n == 0;
}

bool cw_relabel_reads(const struct cw_relabel *rules, struct cw_str name)
{
    for (size_t i = 0; i < rules->n; i++) {
        const struct rule *rule = &rules->rules[i];
        const struct cw_config_strings *sources = &rule->config->source_labels;
        for (size_t k = 0; k < sources->n; k++)
            if (cw_str_eq(sources->items[k], name))
                return true;
        if (rule->action == CW_RELABEL_LABELMAP && cw_regex_match(rule->regex, name, NULL) != 0)
            return true;
    }
    return false;
}

/* The values of source_labels in a row. */
static struct cw_str source_text(const struct rule *rule, const struct cw_target_labels *labels)
{
    const struct cw_config_strings *names = &rule->config->source_labels;
    struct cw_buf text;
    if (names->n == 1)
        return cw_target_labels_get(labels, names->items[0]);
    cw_buf_init(&text, SIZE_MAX);
    for (size_t i = 0; i < names->n; i++) {
        if (i > 0)
            cw_buf_adds(&text, rule->config->separator);
        cw_buf_adds(&text, cw_target_labels_get(labels, names->items[i]));
    }
    struct cw_str out = cw_arena_dup(labels->arena, cw_buf_str(&text));
    cw_buf_fini(&text);
    return out;
}

static int too_large(struct cw_err *err)
{
    return cw_err_set(err, CW_E_LIMIT, "a value of more than %u bytes", CW_RELABEL_VALUE_BYTES);
}

static int expand(const struct rule *rule, struct cw_str template, const struct cw_str *groups,
                  struct cw_arena *arena, struct cw_str *out, struct cw_err *err)
{
    struct cw_buf text;
    cw_buf_init(&text, CW_RELABEL_VALUE_BYTES);
    cw_regex_expand(rule->regex, template, groups, rule->ngroups, &text);
    bool failed = cw_buf_failed(&text);
    *out = cw_arena_dup(arena, cw_buf_str(&text));
    cw_buf_fini(&text);
    return failed ? too_large(err) : 0;
}

static int replace(const struct rule *rule, struct cw_target_labels *labels, struct cw_str text,
                   struct cw_err *err)
{
    struct cw_str *groups = CW_ARENA_ARRAY(labels->arena, struct cw_str, rule->ngroups);
    struct cw_str name, value;
    int rc = cw_regex_captures(rule->regex, text, groups, rule->ngroups, err);
    if (rc <= 0)
        return rc < 0 ? rc : RULE_GOES_ON;
    rc = expand(rule, rule->config->target_label, groups, labels->arena, &name, err);
    if (rc == 0)
        rc = expand(rule, rule->config->replacement, groups, labels->arena, &value, err);
    if (rc == 0 && cw_label_name_valid(name))
        cw_target_labels_set(labels, name, value);
    return rc < 0 ? rc : RULE_GOES_ON;
}

/* The last 8 bytes of the MD5, big-endian, as Prometheus has it: shards stay where they are. */
static void hashmod(const struct rule *rule, struct cw_target_labels *labels, struct cw_str text)
{
    unsigned char digest[16];
    uint64_t hash = 0;
    cw_md5(text, digest);
    for (size_t i = 8; i < sizeof digest; i++)
        hash = hash << 8 | digest[i];
    cw_target_labels_set(
        labels, rule->config->target_label,
        cw_arena_printf(labels->arena, "%" PRIu64, hash % (uint64_t)rule->config->modulus));
}

static void change_case(const struct rule *rule, struct cw_target_labels *labels,
                        struct cw_str text)
{
    struct cw_buf changed;
    cw_buf_init(&changed, SIZE_MAX);
    cw_go_text_to(text, rule->action == CW_RELABEL_LOWERCASE ? CW_GO_LOWER : CW_GO_UPPER, &changed);
    cw_target_labels_set(labels, rule->config->target_label,
                         cw_arena_dup(labels->arena, cw_buf_str(&changed)));
    cw_buf_fini(&changed);
}

static int name_order(const void *a, const void *b)
{
    const struct cw_label *x = a, *y = b;
    return cw_str_cmp(x->name, y->name);
}

/* In the order of names, as Prometheus does it: of two that get one name the last has it. */
static int labelmap(const struct rule *rule, struct cw_target_labels *labels, struct cw_err *err)
{
    struct cw_target_labels before = cw_target_labels_copy(labels, labels->arena);
    struct cw_str *groups = CW_ARENA_ARRAY(labels->arena, struct cw_str, rule->ngroups);
    int rc = 0;
    if (before.n > 1)
        qsort(before.items, before.n, sizeof *before.items, name_order);
    for (size_t i = 0; rc >= 0 && i < before.n; i++) {
        struct cw_str name;
        rc = cw_regex_captures(rule->regex, before.items[i].name, groups, rule->ngroups, err);
        if (rc <= 0)
            continue;
        rc = expand(rule, rule->config->replacement, groups, labels->arena, &name, err);
        if (rc == 0 && cw_label_name_valid(name))
            cw_target_labels_set(labels, name, before.items[i].value);
    }
    return rc < 0 ? rc : RULE_GOES_ON;
}

static int names_filter(const struct rule *rule, struct cw_target_labels *labels,
                        struct cw_err *err)
{
    size_t kept = 0;
    for (size_t i = 0; i < labels->n; i++) {
        int matched = cw_regex_match(rule->regex, labels->items[i].name, err);
        if (matched < 0)
            return matched;
        if (matched == (rule->action == CW_RELABEL_LABELKEEP))
            labels->items[kept++] = labels->items[i];
    }
    labels->n = kept;
    return RULE_GOES_ON;
}

static int rule_apply(const struct rule *rule, struct cw_target_labels *labels, struct cw_err *err)
{
    struct cw_str text = source_text(rule, labels);
    struct cw_str target = rule->config->target_label;
    switch (rule->action) {
    case CW_RELABEL_REPLACE: return replace(rule, labels, text, err);
    case CW_RELABEL_KEEP: return cw_regex_match(rule->regex, text, err);
    case CW_RELABEL_DROP: {
        int matched = cw_regex_match(rule->regex, text, err);
        return matched < 0 ? matched : !matched;
    }
    case CW_RELABEL_KEEPEQUAL: return cw_str_eq(cw_target_labels_get(labels, target), text);
    case CW_RELABEL_DROPEQUAL: return !cw_str_eq(cw_target_labels_get(labels, target), text);
    case CW_RELABEL_HASHMOD: hashmod(rule, labels, text); return RULE_GOES_ON;
    case CW_RELABEL_LOWERCASE:
    case CW_RELABEL_UPPERCASE: change_case(rule, labels, text); return RULE_GOES_ON;
    case CW_RELABEL_LABELMAP: return labelmap(rule, labels, err);
    case CW_RELABEL_LABELDROP:
    case CW_RELABEL_LABELKEEP: return names_filter(rule, labels, err);
    case CW_RELABEL_NACTIONS: break;
    }
    CW_ASSERT(!"an action that the configuration's check accepted");
    return CW_E_INTERNAL;
}

int cw_relabel_apply(const struct cw_relabel *rules, struct cw_target_labels *labels,
                     struct cw_err *err)
{
    for (size_t i = 0; i < rules->n; i++) {
        int rc = rule_apply(&rules->rules[i], labels, err);
        if (rc >= 0 && labels->n > CW_RELABEL_LABELS_MAX)
            rc = cw_err_set(err, CW_E_LIMIT, "more than %d labels", CW_RELABEL_LABELS_MAX);
        if (rc < 0)
            cw_err_wrap(err, "relabel_configs[%zu]", i);
        if (rc != RULE_GOES_ON)
            return rc;
    }
    return 1;
}
