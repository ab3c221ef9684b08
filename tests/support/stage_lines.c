#include "tests/support/stage_lines.h"

#include <criterion/criterion.h>

#include "common/base/clock.h"
#include "common/config/yaml_load.h"

enum { OUT_MAX = 1 << 20 };
#define NOW_NS INT64_C(1767603600000000000)

struct pipeline {
    struct cw_config_tables stages;
};
static const struct cw_key_def keys[] = {
    {"pipeline_stages", CW_KEY_TABLES, offsetof(struct pipeline, stages), .table = &cw_stage_table,
     .doc = "x"},
};
static const struct cw_table_def table = CW_TABLE("pipeline", keys, struct pipeline);

static int load(const char *stages, struct cw_arena *arena, struct pipeline *out,
                struct cw_config_problems *problems, struct cw_err *err)
{
    struct cw_str text = cw_arena_printf(arena, "pipeline_stages:\n%s", stages);
    return cw_yaml_load_text(text, "p.yml", &table, NULL, arena, out, problems, err);
}

static void add_entry(struct cw_stage_lines *lines, const struct cw_stage_entry *entry)
{
    struct cw_buf *out = &lines->out;
    cw_time_format_rfc3339(entry->ts_ns, out);
    cw_buf_addc(out, ' ');
    cw_labels_format((struct cw_labels){entry->labels, entry->nlabels}, out);
    if (entry->nmetadata > 0) {
        cw_buf_addc(out, ' ');
        cw_labels_format((struct cw_labels){entry->metadata, entry->nmetadata}, out);
    }
    if (entry->tenant.len > 0)
        cw_buf_addf(out, " tenant=%.*s", CW_STR_ARG(entry->tenant));
    if (lines->shows_offsets)
        cw_buf_addf(out, " %llu-%llu", (unsigned long long)entry->from,
                    (unsigned long long)entry->to);
    struct cw_str name, value;
    for (size_t i = 0;
         lines->shows_extracted && cw_stages_extracted(lines->run, entry, i, &name, &value); i++)
        cw_buf_addf(out, " %.*s=%.*s", CW_STR_ARG(name),
                    CW_STR_ARG(value.ptr == NULL ? CW_STR("<null>") : value));
    cw_buf_addf(out, " %.*s\n", CW_STR_ARG(entry->line));
}

static void on_emit(void *arg, const struct cw_stage_entry *entry)
{
    add_entry(arg, entry);
}

static void on_dropped(void *arg, const struct cw_stage_entry *entry, struct cw_str reason)
{
    struct cw_stage_lines *lines = arg;
    (void)entry;
    cw_buf_addf(&lines->out, "dropped: %.*s\n", CW_STR_ARG(reason));
}

void cw_stage_lines_again(struct cw_stage_lines *lines)
{
    lines->run = cw_stages_begin(lines->stages, &lines->options);
}

/* What is printed of a configuration loads to the same. */
static void check_print(const struct pipeline *pipeline, struct cw_arena *arena)
{
    struct pipeline again;
    struct cw_buf first, second;
    struct cw_err err = {0};
    cw_buf_init(&first, OUT_MAX);
    cw_buf_init(&second, OUT_MAX);
    cw_schema_print(&table, pipeline, &first);
    cr_assert_eq(
        cw_yaml_load_text(cw_buf_str(&first), "printed", &table, NULL, arena, &again, NULL, &err),
        0, "%s in:\n%s", err.text, cw_buf_z(&first));
    cw_schema_print(&table, &again, &second);
    cr_expect_str_eq(cw_buf_z(&first), cw_buf_z(&second));
    cw_buf_fini(&first);
    cw_buf_fini(&second);
}

void cw_stage_lines_init(struct cw_stage_lines *lines, const char *stages)
{
    cw_stage_lines_init_in(lines, stages, NULL);
}

void cw_stage_lines_init_in(struct cw_stage_lines *lines, const char *stages,
                            struct cw_stages_host *host)
{
    static const struct cw_label labels[] = {{{"app", 3}, {"x", 1}}};
    struct pipeline pipeline;
    struct cw_err err = {0};
    *lines = (struct cw_stage_lines){.config_arena = cw_arena_new(), .arena = cw_arena_new()};
    cr_assert_eq(load(stages, lines->config_arena, &pipeline, NULL, &err), 0, "%s", err.text);
    check_print(&pipeline, lines->config_arena);
    cr_assert_eq(cw_stages_new(&pipeline.stages, host, &lines->stages, &err), 0, "%s", err.text);
    lines->options = (struct cw_stages_run_options){.arena = lines->arena,
                                                    .seed = 1,
                                                    .now_ns = NOW_NS,
                                                    .emit = on_emit,
                                                    .dropped = on_dropped,
                                                    .arg = lines};
    lines->next =
        (struct cw_stage_entry){.ts_ns = NOW_NS, .labels = labels, .nlabels = 1, .counting = true};
    cw_buf_init(&lines->out, OUT_MAX);
    cw_stage_lines_again(lines);
}

void cw_stage_lines_fini(struct cw_stage_lines *lines)
{
    cw_stages_free(&lines->stages);
    cw_arena_free(&lines->arena);
    cw_arena_free(&lines->config_arena);
    cw_buf_fini(&lines->out);
}

void cw_stage_lines_feed(struct cw_stage_lines *lines, const char *line)
{
    lines->next.line = cw_str_of(line);
    lines->next.to = lines->next.from + lines->next.line.len + 1;
    cw_stages_feed(lines->run, &lines->next);
    lines->next.from = lines->next.to;
}

void cw_stage_lines_expect(struct cw_stage_lines *lines, const char *want)
{
    cr_expect_str_eq(cw_buf_z(&lines->out), want, "got:\n%swant:\n%s", cw_buf_z(&lines->out), want);
    cw_buf_clear(&lines->out);
}

void cw_stage_lines_expect_warning(const char *stages, const char *want)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_config_problems problems = {0};
    struct pipeline pipeline;
    struct cw_err err = {0};
    cr_assert_eq(load(stages, arena, &pipeline, &problems, &err), 0, "%s", err.text);
    cr_assert_eq(problems.nwarnings, 1, "%zu warnings", problems.nwarnings);
    cr_expect(cw_str_eqz(problems.warnings[0], want), "%.*s", CW_STR_ARG(problems.warnings[0]));
    cw_arena_free(&arena);
}

void cw_stage_lines_expect_error(const char *stages, const char *want)
{
    struct cw_arena *arena = cw_arena_new();
    struct pipeline pipeline;
    struct cw_err err = {0};
    cr_assert_lt(load(stages, arena, &pipeline, NULL, &err), 0, "it loads:\n%s", stages);
    cr_expect_str_eq(err.text, want);
    cw_arena_free(&arena);
}
