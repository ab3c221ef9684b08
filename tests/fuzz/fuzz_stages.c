/*
 * fuzz_stages.c - any bytes as pipeline stages and lines for them: a YAML document up to a line "%%", then lines.
 *
 * What loads is printed, loads again and is printed the same. Entries that come out have sorted labels with values, and offsets of what
 * was fed; after the flush nothing is left; fed again, the lines come to the same.
 */
#include <stddef.h>
#include <stdint.h>

#include "common/base/assert.h"
#include "common/base/hash.h"
#include "common/config/yaml_load.h"
#include "common/pipeline/stage_config.h"
#include "common/pipeline/stages.h"

struct pipeline {
    struct cw_config_tables stages;
};
static const struct cw_key_def keys[] = {
    {"pipeline_stages", CW_KEY_TABLES, offsetof(struct pipeline, stages), .table = &cw_stage_table,
     .doc = "x"},
};
static const struct cw_table_def table = CW_TABLE("fuzz", keys, struct pipeline);

struct outcome {
    struct cw_stages_run *run;
    uint64_t end; /* of what was fed */
    uint64_t hash;
    size_t n;
};

static void add_hash(struct outcome *outcome, struct cw_str text)
{
    uint64_t key[] = {outcome->hash, cw_hash64(text.ptr, text.len)};
    outcome->hash = cw_hash64(key, sizeof key);
}

static void check_pairs(struct outcome *outcome, const struct cw_label *pairs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        CW_ASSERT(pairs[i].value.len > 0);
        CW_ASSERT(i == 0 || cw_str_cmp(pairs[i - 1].name, pairs[i].name) < 0);
        add_hash(outcome, pairs[i].name);
        add_hash(outcome, pairs[i].value);
    }
}

static void on_emit(void *arg, const struct cw_stage_entry *entry)
{
    struct outcome *outcome = arg;
    struct cw_str name, value;
    CW_ASSERT(entry->from < entry->to && entry->to <= outcome->end);
    check_pairs(outcome, entry->labels, entry->nlabels);
    check_pairs(outcome, entry->metadata, entry->nmetadata);
    add_hash(outcome, entry->line);
    add_hash(outcome, entry->tenant);
    add_hash(outcome, cw_str_make(&entry->ts_ns, sizeof entry->ts_ns));
    for (size_t i = 0; cw_stages_extracted(outcome->run, entry, i, &name, &value); i++) {
        add_hash(outcome, name);
        add_hash(outcome, value);
    }
    outcome->n++;
}

static void on_dropped(void *arg, const struct cw_stage_entry *entry, struct cw_str reason)
{
    add_hash(arg, reason);
    ((struct outcome *)arg)->n++;
}

static void on_trace(void *arg, size_t depth, struct cw_str stage,
                     const struct cw_stage_entry *before, const struct cw_stage_entry *after)
{
    CW_ASSERT(before != NULL || after != NULL);
}

static struct outcome feed(struct cw_stages *stages, struct cw_str text, bool again)
{
    static const struct cw_label labels[] = {{{"app", 3}, {"x", 1}}, {{"job", 3}, {"y", 1}}};
    struct cw_arena *arena = cw_arena_new();
    struct outcome outcome = {.end = 0};
    struct cw_stages_run_options options = {.arena = arena,
                                            .seed = 1,
                                            .now_ns = INT64_C(1767603600000000000),
                                            .emit = on_emit,
                                            .dropped = on_dropped,
                                            .trace = again ? on_trace : NULL,
                                            .arg = &outcome};
    struct cw_stages_run *run = cw_stages_begin(stages, &options);
    struct cw_str rest = text, line;
    outcome.run = run;
    while (rest.len > 0 && cw_str_split(&rest, '\n', &line)) {
        struct cw_stage_entry entry = {.ts_ns = 1,
                                       .line = line,
                                       .labels = labels,
                                       .nlabels = 2,
                                       .from = outcome.end,
                                       .to = outcome.end + line.len + 1,
                                       .counting = !again};
        outcome.end = entry.to;
        cw_stages_feed(run, &entry);
        CW_ASSERT(cw_stages_unfinished(run) == UINT64_MAX ||
                  cw_stages_unfinished(run) <= entry.from);
    }
    cw_stages_flush(run);
    CW_ASSERT(cw_stages_unfinished(run) == UINT64_MAX || cw_stages_blocked_ns(run) > 0);
    /* Where a limit held lines back, they do not come to the same again. */
    if (cw_stages_blocked_ns(run) > 0)
        outcome.end = 0;
    cw_arena_free(&arena);
    return outcome;
}

static void round_trip(const struct pipeline *pipeline, struct cw_arena *arena)
{
    struct pipeline again;
    struct cw_buf first, second;
    struct cw_err err;
    cw_buf_init(&first, 4 << 20);
    cw_buf_init(&second, 4 << 20);
    cw_schema_print(&table, pipeline, &first);
    if (!cw_buf_failed(&first)) {
        CW_ASSERT(cw_yaml_load_text(cw_buf_str(&first), "again", &table, NULL, arena, &again, NULL,
                                    &err) == 0);
        cw_schema_print(&table, &again, &second);
        CW_ASSERT(cw_str_eq(cw_buf_str(&first), cw_buf_str(&second)));
    }
    cw_buf_fini(&first);
    cw_buf_fini(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_str text = cw_str_make(data, size), lines = CW_STR_NONE;
    ptrdiff_t at = cw_str_find(text, CW_STR("\n%%\n"));
    struct cw_arena *arena = cw_arena_new();
    struct pipeline pipeline;
    struct cw_stages *stages;
    struct cw_err err;
    if (at >= 0) {
        lines = cw_str_sub(text, (size_t)at + 4, text.len);
        text = cw_str_sub(text, 0, (size_t)at + 1);
    }
    if (cw_yaml_load_text(text, "f", &table, NULL, arena, &pipeline, NULL, &err) == 0) {
        round_trip(&pipeline, arena);
        CW_ASSERT(cw_stages_new(&pipeline.stages, NULL, &stages, &err) == 0);
        struct outcome first = feed(stages, lines, false);
        struct outcome second = feed(stages, lines, true);
        CW_ASSERT(first.end != second.end || first.hash == second.hash);
        cw_stages_free(&stages);
    }
    cw_arena_free(&arena);
    return 0;
}
