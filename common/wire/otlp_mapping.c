#include "common/wire/otlp_mapping.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/match/regex.h"

struct rule {
    enum cw_otlp_action action;
    struct cw_str *names;
    size_t nnames;
    struct cw_regex *regex; /* NULL: none */
};

struct rules {
    struct rule *items;
    size_t n, cap;
};

struct cw_otlp_mapping {
    atomic_uint nrefs;
    struct cw_arena *arena;
    struct rules places[CW_OTLP_NPLACES];
    bool severity_text_is_label;
};

static int compile(struct cw_str regex, struct cw_regex **out, struct cw_err *err)
{
    return cw_regex_compile(regex, CW_REGEX_FULL | CW_REGEX_DOT_NEWLINE, out, err);
}

struct cw_otlp_mapping *cw_otlp_mapping_new(bool severity_text_is_label)
{
    struct cw_otlp_mapping *mapping = cw_mem_new(sizeof *mapping);
    atomic_init(&mapping->nrefs, 1);
    mapping->arena = cw_arena_new();
    mapping->severity_text_is_label = severity_text_is_label;
    return mapping;
}

int cw_otlp_mapping_add(struct cw_otlp_mapping *mapping, enum cw_otlp_place place,
                        const struct cw_otlp_rule *rule, struct cw_err *err)
{
    struct rules *rules = &mapping->places[place];
    struct rule copy = {.action = rule->action, .nnames = rule->nnames};
    int rc = rule->regex.len > 0 ? compile(rule->regex, &copy.regex, err) : 0;
    if (rc < 0)
        return rc;
    copy.names = CW_ARENA_ARRAY(mapping->arena, struct cw_str, rule->nnames + 1);
    for (size_t i = 0; i < rule->nnames; i++)
        copy.names[i] = cw_arena_dup(mapping->arena, rule->names[i]);
    rules->items = cw_arena_grow(mapping->arena, rules->items, rules->n, &rules->cap, rules->n + 1,
                                 sizeof *rules->items);
    rules->items[rules->n++] = copy;
    return 0;
}

struct cw_otlp_mapping *cw_otlp_mapping_ref(struct cw_otlp_mapping *mapping)
{
    atomic_fetch_add(&mapping->nrefs, 1);
    return mapping;
}

void cw_otlp_mapping_unref(struct cw_otlp_mapping **mapping)
{
    struct cw_otlp_mapping *last = *mapping;
    *mapping = NULL;
    if (last == NULL || atomic_fetch_sub(&last->nrefs, 1) > 1)
        return;
    for (size_t place = 0; place < CW_OTLP_NPLACES; place++)
        for (size_t i = 0; i < last->places[place].n; i++)
            cw_regex_free(&last->places[place].items[i].regex);
    cw_arena_free(&last->arena);
    free(last);
}

static enum cw_otlp_action default_action(enum cw_otlp_place place, struct cw_str name)
{
    struct cw_str list = CW_STR(CW_OTLP_LABEL_ATTRIBUTES), one;
    while (place == CW_OTLP_RESOURCE && cw_str_split(&list, ',', &one))
        if (cw_str_eq(cw_str_trim(one), name))
            return CW_OTLP_LABEL;
    return CW_OTLP_METADATA;
}

int cw_otlp_mapping_action(const struct cw_otlp_mapping *mapping, enum cw_otlp_place place,
                           struct cw_str name, enum cw_otlp_action *out, struct cw_err *err)
{
    *out = mapping == NULL ? default_action(place, name) : CW_OTLP_METADATA;
    for (size_t i = 0; mapping != NULL && i < mapping->places[place].n; i++) {
        const struct rule *rule = &mapping->places[place].items[i];
        int rc = rule->regex != NULL ? cw_regex_match(rule->regex, name, err)
                                     : cw_str_among(name, rule->names, rule->nnames);
        if (rc < 0)
            return rc;
        if (rc > 0) {
            *out = rule->action;
            return 0;
        }
    }
    return 0;
}

bool cw_otlp_mapping_labels_severity(const struct cw_otlp_mapping *mapping)
{
    return mapping != NULL && mapping->severity_text_is_label;
}

int cw_otlp_mapping_check_regex(struct cw_str regex, struct cw_err *err)
{
    struct cw_regex *compiled = NULL;
    int rc = compile(regex, &compiled, err);
    cw_regex_free(&compiled);
    return rc;
}
