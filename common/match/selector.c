#include "common/match/selector.h"

#include <stdlib.h>

#include "common/match/match_stop.h"

void cw_selector_init(struct cw_selector *selector)
{
    *selector = (struct cw_selector){NULL, 0};
}

void cw_selector_fini(struct cw_selector *selector)
{
    for (size_t i = 0; i < selector->n; i++) {
        free((void *)selector->items[i].name.ptr);
        cw_regex_free(&selector->items[i].regex);
    }
    free(selector->items);
    cw_selector_init(selector);
}

int cw_selector_add(struct cw_selector *selector, enum cw_match_op op, struct cw_str name,
                    struct cw_str value, struct cw_err *err)
{
    struct cw_regex *regex = NULL;
    if (op == CW_MATCH_RE || op == CW_MATCH_NRE) {
        int rc = cw_regex_compile(value, CW_REGEX_FULL | CW_REGEX_DOT_NEWLINE, &regex, err);
        if (rc < 0)
            return rc;
    }
    char *text = cw_mem_new(name.len + value.len + 1); /* both in one block */
    if (name.len > 0)
        memcpy(text, name.ptr, name.len);
    if (value.len > 0)
        memcpy(text + name.len, value.ptr, value.len);
    selector->items = cw_mem_resize(selector->items, (selector->n + 1) * sizeof selector->items[0]);
    selector->items[selector->n++] = (struct cw_matcher){
        .op = op,
        .name = {text, name.len},
        .value = {text + name.len, value.len},
        .regex = regex,
    };
    return 0;
}

int cw_matcher_match(const struct cw_matcher *matcher, struct cw_str value, struct cw_err *err)
{
    if (matcher->regex == NULL)
        return cw_str_eq(matcher->value, value) == (matcher->op == CW_MATCH_EQ);
    int rc = cw_regex_match(matcher->regex, value, err);
    return rc < 0 ? rc : (rc > 0) == (matcher->op == CW_MATCH_RE);
}

int cw_selector_match(const struct cw_selector *selector, struct cw_labels labels,
                      struct cw_err *err)
{
    int stopped = cw_match_stop_check(err); /* there may be a million streams */
    if (stopped < 0)
        return stopped;
    for (size_t i = 0; i < selector->n; i++) {
        const struct cw_matcher *matcher = &selector->items[i];
        int rc = cw_matcher_match(matcher, cw_labels_get(labels, matcher->name), err);
        if (rc <= 0)
            return rc;
    }
    return 1;
}

bool cw_matcher_matches_empty(const struct cw_matcher *matcher)
{
    switch (matcher->op) {
    case CW_MATCH_EQ: return matcher->value.len == 0;
    case CW_MATCH_NE: return matcher->value.len > 0;
    case CW_MATCH_RE: return cw_regex_matches_empty(matcher->regex);
    default: return !cw_regex_matches_empty(matcher->regex);
    }
}

void cw_selector_format(const struct cw_selector *selector, struct cw_buf *out)
{
    static const char *const ops[] = {
        [CW_MATCH_EQ] = "=", [CW_MATCH_NE] = "!=", [CW_MATCH_RE] = "=~", [CW_MATCH_NRE] = "!~"};
    cw_buf_addc(out, '{');
    for (size_t i = 0; i < selector->n; i++) {
        if (i > 0)
            cw_buf_addz(out, ", ");
        cw_buf_adds(out, selector->items[i].name);
        cw_buf_addz(out, ops[selector->items[i].op]);
        cw_quote_go(selector->items[i].value, out);
    }
    cw_buf_addc(out, '}');
}
