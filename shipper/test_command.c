#include "shipper/test_command.h"
#include <stdio.h>
#include <stdlib.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/labels/labels.h"
#include "common/pipeline/stages.h"
#include "shipper/dry_run.h"
#include "shipper/inspect.h"
#include "shipper/promtail_flags.h"
#include "shipper/shipper_config.h"
#include "shipper/target_labels.h"

struct test_args {
    struct cw_str config, job;
    struct cw_config_map labels;
    bool expand_env, entries_only;
};

#define ARG(member) offsetof(struct test_args, member)
static const struct cw_flag_def flags[] = {
    {"config", 'c', CW_KEY_STRING, ARG(config), .arg = "FILE", .alias = "config.file",
     .doc = "The configuration (promtail's format)."},
    {"config.expand-env", 0, CW_KEY_BOOL, ARG(expand_env), .def = "false",
     .doc = "Expand environment variables in it as promtail does: ${VAR}, ${VAR:-default} and the "
            "other operators of its envsubst. Then a backslash is written \\\\."},
    {"job", 'j', CW_KEY_STRING, ARG(job), .arg = "NAME",
     .doc = "Use the stages of the scrape config with this job_name; default: the first that has "
            "stages."},
    {"label", 'l', CW_KEY_MAP, ARG(labels), .arg = "NAME=VALUE",
     .doc = "Lines come with this label, beside those of its static_configs, which may have others "
            "of the same names."},
    {"entries", 'e', CW_KEY_BOOL, ARG(entries_only), .def = "false",
     .doc = "Show only what comes out, not what each stage does."},
};
static const struct cw_flag_group group = CW_FLAG_GROUP("Options", flags);
static const struct cw_flag_group *const groups[] = {&group, NULL};
static const struct cw_exit_def exits[] = {
    {0, "All lines went through, whatever became of them."},
    {1, "stdin could not be read."},
    {2, "Wrong usage or configuration."},
    {0, NULL},
};
static const struct cw_example_def examples[] = {
    {"cordwood-shipper test --config promtail.yml --job nginx < access.log",
     "See what the stages of the job nginx do to each line."},
    {NULL, NULL},
};
const struct cw_command_def cw_test_command = {
    .name = "cordwood-shipper test",
    .style = CW_FLAGS_ONE_DASH,
    .brief = "try pipeline stages on lines of stdin",
    .doc = "Reads lines from stdin, sends each through the pipeline_stages of a scrape config, and "
           "shows what every stage did to it: what was extracted, labels, structured metadata, the "
           "time, the line. Nothing is sent or remembered.",
    .groups = groups,
    .exits = exits,
    .examples = examples,
};

/* A new run is begun behind a whole entry when the one before holds so much. */
enum { RUN_BYTES = 8 << 20 };

struct test {
    const struct cw_scrape_config *scrape;
    struct cw_stages *stages;
    struct cw_labels labels;
    struct cw_inspect *inspect;
    struct cw_arena *arena; /* of the run */
    struct cw_stages_run *run;
    bool entries_only;
    uint64_t at;
};

static void on_emit(void *arg, const struct cw_stage_entry *entry)
{
    struct test *test = arg;
    cw_inspect_entry(test->inspect, entry);
}

static void on_dropped(void *arg, const struct cw_stage_entry *entry, struct cw_str reason)
{
    struct test *test = arg;
    (void)entry;
    if (test->entries_only)
        printf("dropped: %.*s\n", CW_STR_ARG(reason));
    else
        cw_inspect_dropped(test->inspect, reason);
}

static void on_trace(void *arg, size_t depth, struct cw_str stage,
                     const struct cw_stage_entry *before, const struct cw_stage_entry *after)
{
    struct test *test = arg;
    cw_inspect_trace(test->inspect, depth, stage, before, after);
}

static void run_begin(struct test *test)
{
    cw_arena_reset(test->arena);
    struct cw_stages_run_options options = {.arena = test->arena,
                                            .now_ns = cw_clock_now_ns(),
                                            .emit = on_emit,
                                            .dropped = on_dropped,
                                            .trace = test->entries_only ? NULL : on_trace,
                                            .arg = test};
    test->run = cw_stages_begin(test->stages, &options);
    cw_inspect_run(test->inspect, test->run);
}

static void line_feed(struct test *test, struct cw_str line)
{
    if (cw_arena_bytes(test->arena) > RUN_BYTES && cw_stages_unfinished(test->run) == UINT64_MAX)
        run_begin(test);
    struct cw_stage_entry entry = {.ts_ns = cw_clock_now_ns(),
                                   .line = cw_arena_dup(test->arena, line),
                                   .labels = test->labels.items,
                                   .nlabels = test->labels.n,
                                   .from = test->at,
                                   .to = test->at + line.len + 1,
                                   .counting = true};
    test->at = entry.to;
    if (!test->entries_only)
        cw_inspect_line(test->inspect, &entry);
    cw_stages_feed(test->run, &entry);
}

static int stdin_read(struct test *test)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    run_begin(test);
    while ((len = getline(&line, &cap, stdin)) > 0)
        line_feed(test, cw_str_make(line, (size_t)len - (line[len - 1] == '\n')));
    free(line);
    cw_stages_flush(test->run);
    if (!ferror(stdin))
        return 0;
    perror("cordwood-shipper: stdin");
    return 1;
}

/* NULL: there is none; err says what was looked for. */
static const struct cw_scrape_config *scrape_find(const struct cw_shipper_config *config,
                                                  struct cw_str job, struct cw_err *err)
{
    const struct cw_scrape_config *scrapes = config->scrape_configs.items;
    for (size_t i = 0; i < config->scrape_configs.n; i++)
        if (job.len > 0 ? cw_str_eq(scrapes[i].job_name, job) : scrapes[i].pipeline_stages.n > 0)
            return &scrapes[i];
    if (job.len > 0)
        cw_err_set(err, CW_E_NOT_FOUND, "no scrape config has the job_name \"%.*s\"",
                   CW_STR_ARG(job));
    else
        cw_err_set(err, CW_E_NOT_FOUND, "no scrape config has pipeline_stages");
    return NULL;
}

static int labels_make(const struct test_args *args, struct cw_arena *arena, struct test *out,
                       struct cw_err *err)
{
    const struct cw_config_map maps[] = {cw_promtail_flags_static_labels(out->scrape, arena),
                                         args->labels};
    struct cw_target_labels labels = cw_target_labels_make(arena);
    for (size_t m = 0; m < CW_COUNT(maps); m++)
        for (size_t i = 0; i < maps[m].n; i++)
            cw_target_labels_set(&labels, maps[m].items[i].name, maps[m].items[i].value);
    out->labels = cw_target_labels_public(&labels);
    return cw_labels_map_check(&args->labels, err);
}

static int test_make(const struct test_args *args, struct cw_arena *arena, struct test *out,
                     struct cw_err *err)
{
    /* As in a dry run, there need be no server. */
    struct cw_shipper_args shipper_args = {
        .config = args->config, .expand_env = args->expand_env, .dry_run = true};
    struct cw_shipper_config *config = CW_ARENA_NEW(arena, struct cw_shipper_config);
    if (args->config.len == 0)
        return cw_err_set(err, CW_E_INVALID, "--config FILE says which stages");
    int rc = cw_shipper_config_load(&shipper_args, arena, config, err);
    if (rc < 0)
        return rc;
    out->scrape = scrape_find(config, args->job, err);
    if (out->scrape == NULL)
        return err->code;
    rc = labels_make(args, arena, out, err);
    if (rc < 0)
        return cw_err_wrap(err, "--label");
    return cw_stages_new(&out->scrape->pipeline_stages, NULL, &out->stages, err);
}

int cw_test_command_run(int argc, char **argv)
{
    struct cw_arena *arena = cw_arena_new();
    struct test_args args = {0};
    struct cw_flags_rest rest = {0};
    struct cw_err err = {0};
    struct test test = {.inspect = cw_inspect_new(stdout), .arena = cw_arena_new()};
    int status = CW_EXIT_USAGE;
    int rc = cw_flags_parse(&cw_test_command, argc, argv, arena, &args, &rest, &err);
    if (rc == 0 && rest.action != CW_FLAGS_RUN) {
        status = cw_flags_answer(&cw_test_command, &rest);
    } else if (rc < 0 || test_make(&args, arena, &test, &err) < 0) {
        fprintf(stderr, "cordwood-shipper test: %s\n", err.text);
    } else {
        test.entries_only = args.entries_only;
        status = stdin_read(&test);
        cw_dry_run_findings(test.stages, test.scrape->job_name);
    }
    cw_stages_free(&test.stages);
    cw_inspect_free(&test.inspect);
    cw_arena_free(&test.arena);
    cw_arena_free(&arena);
    return status;
}
