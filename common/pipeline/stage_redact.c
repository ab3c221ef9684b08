#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/pipeline/redact.h"
#include "common/pipeline/stage_joins.h"
#include "common/pipeline/stages_host.h"

/* A file that holds a salt: nobody makes longer ones. */
enum { SALT_BYTES = 4096 };
/* Of a private key whose lines are entries: a key of RSA with 16,384 bits has 200 lines and 13 KB. What comes behind
 * so much is no part of one. */
enum { KEY_LINES = 256, KEY_BYTES = 64 << 10 };
/* One after another without a piece of the key: its writer stopped. Between two of its lines others write a few at most. */
enum { KEY_OTHER_LINES = 16 };
/* A key is written at once: for so long (as multiline does) its next line is waited for. */
#define KEY_WAIT_NS (3 * CW_NS_PER_S)

extern const struct cw_stage_def cw_stage_redact_def;

struct redact_stage {
    uint32_t source;
    struct cw_redact *redact;
    struct cw_custom_metrics *metrics; /* NULL: nobody counts */
    size_t metric;
    uint64_t *told; /* of each rule, what the metric has */
    bool dry_run, labels, metadata;
    bool keys; /* lines of private keys are looked for */
};

/* The entries of a key that is not over: they wait for its end, so that after a restart all of them are read again, and none of
 * its lines is taken for something else. */
struct key {
    struct cw_stage_item **items;
    size_t n, cap, nbytes, column;
    size_t nothers; /* lines since the last one with a piece of it */
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
    stage->labels = c->labels;
    stage->metadata = c->structured_metadata;
    int rc = read_salt(c, build->arena, &options.salt, err);
    if (rc == 0)
        rc = add_rules(c, rules, &options.nrules, err);
    if (rc == 0)
        rc = cw_redact_new(&options, &stage->redact, err);
    if (rc < 0)
        return rc;
    stage->told = CW_ARENA_ARRAY(build->arena, uint64_t, options.nrules);
    size_t column;
    stage->keys =
        stage->source == CW_SLOT_LINE && !c->dry_run &&
        cw_redact_key_opens(stage->redact, CW_STR("-----BEGIN PRIVATE KEY-----"), &column);
    if (stage->keys && KEY_WAIT_NS > build->stages->wait_ns)
        build->stages->wait_ns = KEY_WAIT_NS;
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

/* ---- labels and structured metadata ---- */

typedef void (*set_fn)(struct cw_stages_run *run, struct cw_stage_item *item, struct cw_str name,
                       struct cw_str value);

static size_t redact_values(const struct redact_stage *stage, struct cw_stages_run *run,
                            struct cw_stage_item *item, const struct cw_label *pairs, size_t n,
                            set_fn set)
{
    struct cw_label *before = CW_ARENA_ARRAY(run->options.arena, struct cw_label, n);
    size_t total = 0, nfound;
    for (size_t i = 0; i < n; i++) /* what is set changes the pairs */
        before[i] = pairs[i];
    for (size_t i = 0; i < n; i++) {
        struct cw_str text = cw_redact_line(stage->redact, before[i].value, item->entry.counting,
                                            run->options.arena, &nfound);
        total += nfound;
        if (nfound > 0 && !stage->dry_run)
            set(run, item, before[i].name, text);
    }
    return total;
}

static size_t redact_all(const struct redact_stage *stage, struct cw_stages_run *run,
                         struct cw_stage_item *item)
{
    const struct cw_stage_entry *entry = &item->entry;
    size_t n = 0;
    if (stage->labels)
        n += redact_values(stage, run, item, entry->labels, entry->nlabels, cw_stage_set_label);
    if (stage->metadata)
        n += redact_values(stage, run, item, entry->metadata, entry->nmetadata,
                           cw_stage_set_metadata);
    return n;
}

/* ---- private keys, line by line ---- */

static void key_keep(struct key *key, struct cw_stages_run *run, const struct cw_stage_item *item)
{
    key->items = cw_arena_grow(run->options.arena, key->items, key->n, &key->cap, key->n + 1,
                               sizeof *key->items);
    key->items[key->n++] = cw_stage_keep(run, item);
    key->nbytes += item->entry.line.len;
}

/* With the labels that the item has now: those of the lines to come are compared with them. */
static struct cw_stage_join *key_begin(struct cw_stage_joins *keys, struct cw_stages_run *run,
                                       struct cw_stage_item *item, size_t column)
{
    struct cw_stage_join *join = cw_stage_joins_add(keys, run, item);
    struct key *key = CW_ARENA_NEW(run->options.arena, struct key);
    item->labels_cap = item->metadata_cap = 0; /* they are the join's too */
    *key = (struct key){.column = column};
    join->extra = key;
    return join;
}

/* Its entries are sent on. */
static void key_end(struct cw_stage_joins *keys, struct cw_stage_join *join,
                    const struct cw_stage_node *node, struct cw_stages_run *run)
{
    const struct key *key = join->extra;
    cw_stage_joins_remove(keys, join);
    for (size_t i = 0; i < key->n; i++)
        cw_stage_pass(node, run, key->items[i]);
}

static void flush(const struct cw_stage_node *node, struct cw_stages_run *run)
{
    struct cw_stage_joins *keys = cw_stage_run_state(node, run);
    while (keys->n > 0)
        key_end(keys, &keys->items[0], node, run);
}

/* ---- the stage ---- */

/* The text without findings; *n: how many; *ends: the key is over with it. */
static struct cw_str redact_text(const struct redact_stage *stage, struct cw_stages_run *run,
                                 const struct cw_stage_item *item, struct key *key,
                                 struct cw_str text, size_t *n, bool *ends)
{
    struct cw_arena *arena = run->options.arena;
    bool counting = item->entry.counting;
    enum cw_redact_key_line is;
    if (key == NULL)
        return cw_redact_line(stage->redact, text, counting, arena, n);
    struct cw_str out =
        cw_redact_key_line(stage->redact, text, key->column, counting, arena, n, &is);
    key->nothers = is == CW_REDACT_KEY_OTHER ? key->nothers + 1 : 0;
    *ends = is == CW_REDACT_KEY_END || key->nothers >= KEY_OTHER_LINES;
    return out;
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    struct redact_stage *stage = node->state;
    struct cw_stage_joins *keys = cw_stage_run_state(node, run);
    struct cw_stage_join *join = keys->n > 0 ? cw_stage_joins_find(keys, item) : NULL;
    struct cw_str text, out;
    size_t n = 0, column;
    bool ends = false;
    if (cw_stage_text(run, item, stage->source, &text)) {
        out = redact_text(stage, run, item, join != NULL ? join->extra : NULL, text, &n, &ends);
        if (n > 0 && !stage->dry_run)
            cw_stage_set_text(item, stage->source, out);
        if (n > 0 && (join == NULL || ends) && stage->keys &&
            cw_redact_key_opens(stage->redact, text, &column)) {
            if (join != NULL)
                key_end(keys, join, node, run);
            join = key_begin(keys, run, item, column);
            ends = false;
        }
    }
    n += redact_all(stage, run, item);
    item->entry.redacted |= n > 0 && !stage->dry_run;
    if (n > 0 && item->entry.counting && stage->metrics != NULL)
        tell_metric(stage, run->options.now_ns);
    if (join == NULL)
        return CW_STAGE_ON;
    struct key *key = join->extra;
    key_keep(key, run, item);
    if (ends || key->n >= KEY_LINES || key->nbytes >= KEY_BYTES)
        key_end(keys, join, node, run);
    return CW_STAGE_GONE;
}

void cw_stages_findings(const struct cw_stages *stages,
                        void (*fn)(void *arg, struct cw_str rule, uint64_t n, bool left), void *arg)
{
    for (size_t i = 0; i < stages->nnodes; i++) {
        if (stages->nodes[i].def != &cw_stage_redact_def)
            continue;
        const struct redact_stage *stage = stages->nodes[i].state;
        for (size_t k = 0; k < cw_redact_nrules(stage->redact); k++)
            fn(arg, cw_redact_rule_name(stage->redact, k), cw_redact_count(stage->redact, k),
               stage->dry_run);
    }
}

const struct cw_stage_def cw_stage_redact_def = {.compile = compile,
                                                 .run = run_stage,
                                                 .free = free_stage,
                                                 .flush = flush,
                                                 .unfinished = cw_stage_joins_unfinished,
                                                 .run_bytes = sizeof(struct cw_stage_joins)};
