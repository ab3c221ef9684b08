#include "common/base/assert.h"
#include "common/pipeline/stage_priv.h"
#include "common/pipeline/stages_host.h"

/* Texts that are too long are cut, and "truncated" is extracted: what kinds were, those of stages ahead of this one included, in the
 * order of their names. It is Alloy's stage of the name, but cuts within no rune. */
struct truncate_rule {
    enum cw_stage_truncate_type type;
    size_t limit;
    struct cw_str suffix; /* counts into the limit */
    const struct cw_config_strings *sources;
    uint32_t *slots; /* of the sources, where they are extracted values */
};

struct truncate_stage {
    struct truncate_rule *rules;
    size_t n;
    uint32_t truncated;
    struct cw_custom_metrics *metrics; /* NULL: nobody counts */
    size_t metric;
};

/* By their names. */
static const struct {
    enum cw_stage_truncate_type type;
    const char *name;
} types_by_name[] = {{CW_STAGE_TRUNCATE_EXTRACTED, "extracted"},
                     {CW_STAGE_TRUNCATE_LABEL, "label"},
                     {CW_STAGE_TRUNCATE_LINE, "line"},
                     {CW_STAGE_TRUNCATE_METADATA, "structured_metadata"}};

static int compile_rule(struct cw_stages_build *build, const struct cw_stage_truncate_rule *c,
                        struct truncate_rule *out, struct cw_err *err)
{
    *out = (struct truncate_rule){.type = (enum cw_stage_truncate_type)c->source_type,
                                  .limit = (size_t)c->limit_bytes,
                                  .suffix = c->suffix,
                                  .sources = &c->sources};
    if (out->suffix.len >= out->limit)
        return cw_err_set(err, CW_E_INVALID, "rules: the suffix leaves nothing of the limit");
    if (out->type == CW_STAGE_TRUNCATE_LINE && c->sources.n > 0)
        return cw_err_set(err, CW_E_INVALID, "rules: a line has no sources");
    if (out->type != CW_STAGE_TRUNCATE_EXTRACTED)
        return 0;
    /* What is not named cannot be found: names that stages mention are all that there are. */
    if (c->sources.n == 0)
        return cw_err_set(err, CW_E_INVALID, "rules: extracted values want sources");
    out->slots = CW_ARENA_ARRAY(build->arena, uint32_t, c->sources.n);
    for (size_t i = 0; i < c->sources.n; i++)
        out->slots[i] = cw_stage_slot(build, c->sources.items[i]);
    return 0;
}

static int add_metric(struct truncate_stage *stage, const struct cw_stages_host *host,
                      struct cw_err *err)
{
    struct cw_custom_metric_def def = {
        .name = CW_STR("cordwood_shipper_truncated_fields_total"),
        .description = CW_STR("Lines, and values of labels, structured metadata and what was "
                              "extracted, that truncate stages cut."),
        .type = CW_CUSTOM_COUNTER};
    if (host == NULL || host->metrics == NULL)
        return 0;
    stage->metrics = host->metrics;
    return cw_custom_metrics_add(host->metrics, &def, &stage->metric, err);
}

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_stage_truncate_config *c = config;
    const struct cw_stage_truncate_rule *rules = c->rules.items;
    struct truncate_stage *stage = CW_ARENA_NEW(build->arena, struct truncate_stage);
    node->state = stage;
    stage->n = c->rules.n;
    stage->rules = CW_ARENA_ARRAY(build->arena, struct truncate_rule, c->rules.n);
    stage->truncated = cw_stage_slot(build, CW_STR("truncated"));
    int rc = c->rules.n > 0 ? 0 : cw_err_set(err, CW_E_INVALID, "rules are missing");
    for (size_t i = 0; rc == 0 && i < c->rules.n; i++)
        rc = compile_rule(build, &rules[i], &stage->rules[i], err);
    return rc < 0 ? rc : add_metric(stage, build->stages->host, err);
}

/* True: it was cut; never within a rune. */
static bool cut(const struct truncate_rule *rule, struct cw_arena *arena, struct cw_str *text)
{
    if (text->len <= rule->limit)
        return false;
    size_t len = rule->limit - rule->suffix.len;
    while (len > 0 && ((unsigned char)text->ptr[len] & 0xC0) == 0x80)
        len--;
    if (rule->suffix.len == 0)
        *text = cw_str_sub(*text, 0, len);
    else
        *text = cw_arena_printf(arena, "%.*s%.*s", (int)len, text->ptr, CW_STR_ARG(rule->suffix));
    return true;
}

static bool is_meant(const struct truncate_rule *rule, struct cw_str name)
{
    return rule->sources->n == 0 || cw_str_among(name, rule->sources->items, rule->sources->n);
}

/* How many were cut. */
static size_t cut_pairs(const struct truncate_rule *rule, struct cw_stages_run *run,
                        struct cw_stage_item *item)
{
    bool labels = rule->type == CW_STAGE_TRUNCATE_LABEL;
    size_t ncut = 0;
    size_t n = labels ? item->entry.nlabels : item->entry.nmetadata;
    for (size_t i = 0; i < n; i++) {
        struct cw_label pair = labels ? item->entry.labels[i] : item->entry.metadata[i];
        if (!is_meant(rule, pair.name) || !cut(rule, run->options.arena, &pair.value))
            continue;
        if (pair.value.len == 0) /* one rune is longer than the limit */
            continue;
        ncut++;
        if (labels)
            cw_stage_set_label(run, item, pair.name, pair.value);
        else
            cw_stage_set_metadata(run, item, pair.name, pair.value);
    }
    return ncut;
}

static size_t cut_extracted(const struct truncate_rule *rule, struct cw_stages_run *run,
                            struct cw_stage_item *item)
{
    size_t ncut = 0;
    for (size_t i = 0; i < rule->sources->n; i++) {
        struct cw_str text;
        if (!cw_stage_text(run, item, rule->slots[i], &text) ||
            !cut(rule, run->options.arena, &text))
            continue;
        cw_stage_set(item, rule->slots[i], CW_EXTRACTED_TEXT, text);
        ncut++;
    }
    return ncut;
}

static size_t apply(const struct truncate_rule *rule, struct cw_stages_run *run,
                    struct cw_stage_item *item)
{
    switch (rule->type) {
    case CW_STAGE_TRUNCATE_LINE: return cut(rule, run->options.arena, &item->entry.line);
    case CW_STAGE_TRUNCATE_EXTRACTED: return cut_extracted(rule, run, item);
    default: return cut_pairs(rule, run, item);
    }
}

/* Those that a stage ahead of this one has cut, as a set. */
static unsigned types_before(const struct truncate_stage *stage, const struct cw_stages_run *run,
                             const struct cw_stage_item *item)
{
    struct cw_str text, name;
    unsigned types = 0;
    if (!cw_stage_text(run, item, stage->truncated, &text))
        return 0;
    while (cw_str_split(&text, ',', &name))
        for (size_t i = 0; i < CW_COUNT(types_by_name); i++)
            types |= (unsigned)cw_str_eqz(name, types_by_name[i].name) << types_by_name[i].type;
    return types;
}

static void tell_metric(const struct truncate_stage *stage, enum cw_stage_truncate_type type,
                        size_t ncut, int64_t now_ns)
{
    size_t i = 0;
    while (types_by_name[i].type != type)
        i++;
    struct cw_label field = {CW_STR("field"), cw_str_of(types_by_name[i].name)};
    cw_custom_metrics_update(stage->metrics, stage->metric, CW_CUSTOM_ADD,
                             (struct cw_labels){&field, 1}, (double)ncut, now_ns);
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    const struct truncate_stage *stage = node->state;
    unsigned types = 0;
    for (size_t i = 0; i < stage->n; i++) {
        size_t ncut = apply(&stage->rules[i], run, item);
        if (ncut == 0)
            continue;
        types |= 1u << stage->rules[i].type;
        if (stage->metrics != NULL && item->entry.counting)
            tell_metric(stage, stage->rules[i].type, ncut, run->options.now_ns);
    }
    if (types == 0)
        return CW_STAGE_ON;
    types |= types_before(stage, run, item);
    struct cw_str text = CW_STR_NONE;
    for (size_t i = 0; i < CW_COUNT(types_by_name); i++) {
        if (types >> types_by_name[i].type & 1)
            text = cw_arena_printf(run->options.arena, "%.*s%s%s", CW_STR_ARG(text),
                                   text.len > 0 ? "," : "", types_by_name[i].name);
    }
    cw_stage_set(item, stage->truncated, CW_EXTRACTED_TEXT, text);
    return CW_STAGE_ON;
}

const struct cw_stage_def cw_stage_truncate_def = {.compile = compile, .run = run_stage};
