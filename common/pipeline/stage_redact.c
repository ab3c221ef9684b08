#include "common/base/file.h"
#include "common/pipeline/redact.h"
#include "common/pipeline/stage_priv.h"
#include "common/pipeline/stages_host.h"

/* A file that holds a salt: nobody makes longer ones. */
enum { SALT_BYTES = 4096 };

struct redact_stage {
    uint32_t source;
    struct cw_redact *redact;
    struct cw_custom_metrics *metrics; /* NULL: nobody counts */
    size_t metric;
    uint64_t *told; /* of each rule, what the metric has */
    bool dry_run;
};

static int read_salt(const struct cw_stage_redact_config *c, struct cw_arena *arena,
                     struct cw_str *out, struct cw_err *err)
{
    struct cw_buf bytes;
    if (c->salt.len > 0 && c->salt_file.len > 0)
        return cw_err_set(err, CW_E_INVALID, "salt and salt_file cannot both be given");
    *out = c->salt;
    if (c->salt_file.len == 0)
        return 0;
    cw_buf_init(&bytes, SALT_BYTES);
    int rc = cw_file_read(c->salt_file.ptr, SALT_BYTES, &bytes, err);
    if (rc == 0)
        *out = cw_arena_dup(arena, cw_str_trim(cw_buf_str(&bytes)));
    if (rc == 0 && out->len == 0)
        rc = cw_err_set(err, CW_E_INVALID, "it is empty");
    cw_buf_fini(&bytes);
    return rc < 0 ? cw_err_wrap(err, "salt_file %s", c->salt_file.ptr) : 0;
}

static struct cw_redact_rule rule_of(const struct cw_stage_redact_config *c, struct cw_str name)
{
    return (struct cw_redact_rule){
        .name = name, .action = (enum cw_redact_action)c->action, .replacement = c->replacement};
}

/* All detectors when nothing is named; those of `detectors`; and the rules, of which one may say something else of a detector. */
static int add_rules(const struct cw_stage_redact_config *c, struct cw_redact_rule *rules,
                     size_t *nrules, struct cw_err *err)
{
    const struct cw_stage_redact_rule *own = c->rules.items;
    bool all = c->detectors.n == 0 && c->rules.n == 0;
    size_t n = 0;
    if (c->detectors.n + c->rules.n > CW_REDACT_RULES)
        return cw_err_set(err, CW_E_LIMIT, "at most %d rules are allowed", CW_REDACT_RULES);
    const char *name;
    for (size_t i = 0; all && (name = cw_redact_detector(i, NULL)) != NULL; i++)
        rules[n++] = rule_of(c, cw_str_of(name));
    for (size_t i = 0; i < c->detectors.n; i++)
        rules[n++] = rule_of(c, c->detectors.items[i]);
    for (size_t i = 0; i < c->rules.n; i++) {
        rules[n] = rule_of(c, own[i].name);
        rules[n].expression = own[i].expression;
        if (own[i].has_action)
            rules[n].action = (enum cw_redact_action)own[i].action;
        if (own[i].has_replacement)
            rules[n].replacement = own[i].replacement;
        n++;
    }
    *nrules = n;
    return 0;
}

static int add_metric(struct redact_stage *stage, const struct cw_stages_host *host,
                      struct cw_err *err)
{
    struct cw_custom_metric_def def = {
        .name = CW_STR("cordwood_shipper_redacted_total"),
        .description = CW_STR("What rules of redact stages found; mode dry_run: and left."),
        .type = CW_CUSTOM_COUNTER};
    if (host == NULL || host->metrics == NULL)
        return 0;
    stage->metrics = host->metrics;
    return cw_custom_metrics_add(host->metrics, &def, &stage->metric, err);
}

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_stage_redact_config *c = config;
    struct redact_stage *stage = CW_ARENA_NEW(build->arena, struct redact_stage);
    struct cw_redact_rule rules[CW_REDACT_RULES];
    struct cw_redact_options options = {.rules = rules, .dry_run = c->dry_run};
    node->state = stage;
    stage->source = cw_stage_slot(build, c->source);
    stage->dry_run = c->dry_run;
    int rc = read_salt(c, build->arena, &options.salt, err);
    if (rc == 0)
        rc = add_rules(c, rules, &options.nrules, err);
    if (rc == 0)
        rc = cw_redact_new(&options, &stage->redact, err);
    if (rc < 0)
        return rc;
    stage->told = CW_ARENA_ARRAY(build->arena, uint64_t, options.nrules);
    return add_metric(stage, build->stages->host, err);
}

static void free_stage(void *state)
{
    struct redact_stage *stage = state;
    cw_redact_free(&stage->redact);
}

static void tell_metric(struct redact_stage *stage, int64_t now_ns)
{
    for (size_t i = 0; i < cw_redact_nrules(stage->redact); i++) {
        uint64_t count = cw_redact_count(stage->redact, i);
        if (count == stage->told[i])
            continue;
        struct cw_label labels[] = {
            {CW_STR("mode"), stage->dry_run ? CW_STR("dry_run") : CW_STR("redact")},
            {CW_STR("rule"), cw_redact_rule_name(stage->redact, i)}};
        cw_custom_metrics_update(stage->metrics, stage->metric, CW_CUSTOM_ADD,
                                 (struct cw_labels){labels, 2}, (double)(count - stage->told[i]),
                                 now_ns);
        stage->told[i] = count;
    }
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    struct redact_stage *stage = node->state;
    struct cw_str text;
    size_t n;
    if (!cw_stage_text(run, item, stage->source, &text))
        return CW_STAGE_ON;
    text = cw_redact_line(stage->redact, text, item->entry.counting, run->options.arena, &n);
    if (n == 0)
        return CW_STAGE_ON;
    if (!stage->dry_run) {
        cw_stage_set_text(item, stage->source, text);
        item->entry.redacted = true;
    }
    if (item->entry.counting && stage->metrics != NULL)
        tell_metric(stage, run->options.now_ns);
    return CW_STAGE_ON;
}

const struct cw_stage_def cw_stage_redact_def = {
    .compile = compile, .run = run_stage, .free = free_stage};
