#include <criterion/criterion.h>
#include <stdlib.h>
#include "common/base/assert.h"
#include "common/config/yaml_load.h"
#include "shipper/shipper_metrics.h"
#include "shipper/docker_line.h"
#include "shipper/targets.h"

static struct cw_metrics *metrics;
static struct cw_sources *sources;
static struct cw_scrape_config config;
static struct cw_scrape scrape;
static struct cw_targets *targets;
static struct cw_arena *arena;

static const struct cw_key_def keys[] = {
    {"relabel_configs", CW_KEY_TABLES, offsetof(struct cw_scrape_config, relabel_configs),
     .table = &cw_relabel_table},
};
static const struct cw_table_def table = CW_TABLE("scrape", keys, struct cw_scrape_config);

static const struct cw_config_table_map no_pipelines;
static struct cw_pipelines pipelines;

static void begin(const char *rules)
{
    struct cw_sources_options options = {
        .metrics = metrics = cw_metrics_new(cw_shipper_metric_defs, CW_M_SHIPPER_N)};
    struct cw_err err = {0};
    arena = cw_arena_new();
    sources = cw_sources_new(&options);
    struct cw_str text = cw_arena_printf(arena, "relabel_configs: [%s]", rules);
    cr_assert_eq(cw_yaml_load_text(text, "r", &table, NULL, arena, &config, NULL, &err), 0, "%s",
                 err.text);
    config.job_name = CW_STR("job");
    cr_assert_eq(cw_pipelines_init(&pipelines, &no_pipelines, NULL, &err), 0);
    cr_assert_eq(cw_scrape_init(&scrape, &config, &pipelines, NULL, &err), 0, "%s", err.text);
    scrape.host = "here";
    targets = cw_targets_new(sources, &scrape, CW_TARGETS_READ_OUT);
}

static void end(void)
{
    cw_targets_free(&targets);
    cw_scrape_fini(&scrape);
    cw_pipelines_fini(&pipelines);
    cw_sources_free(&sources);
    cw_metrics_free(&metrics);
    cw_arena_free(&arena);
}

/* "a=b c=d" */
static struct cw_found found_of(const char *text)
{
    struct cw_found found = {.labels = cw_target_labels_make(arena)};
    struct cw_str rest = cw_str_of(text), pair, name;
    while (rest.len > 0) {
        if (!cw_str_split(&rest, ' ', &pair)) {
            pair = rest;
            rest = CW_STR_NONE;
        }
        cr_assert(cw_str_split(&pair, '=', &name));
        cw_target_labels_set(&found.labels, name, pair);
    }
    return found;
}

static void put(const char *group, const char *text)
{
    struct cw_found found = found_of(text);
    cw_targets_put(targets, cw_str_of(group), &found, 1);
}

static const char *labels_text(const struct cw_target *target, unsigned stream)
{
    struct cw_buf text;
    cw_buf_init(&text, 4096);
    cw_labels_format(target->labels[stream], &text);
    const char *out = cw_arena_dup(arena, cw_buf_str(&text)).ptr;
    cw_buf_fini(&text);
    return out;
}

Test(targets, rules_make_path_and_labels)
{
    begin("{source_labels: [__meta_uid, __meta_container], separator: /, target_label: __path__, "
          "replacement: '/var/log/pods/*$1/*.log'}, {action: labelmap, regex: __meta_label_(.+)}, "
          "{source_labels: [__meta_team], target_label: __tenant_id__}");
    put("a", "__meta_uid=12 __meta_container=app __meta_label_app=web __meta_team=blue x=y");
    cr_assert_eq(sources->ntargets, 1);
    const struct cw_target *target = sources->targets[0];
    cr_expect_str_eq(labels_text(target, 0), "{app=\"web\", x=\"y\"}");
    cr_expect(cw_glob_match(target->glob, CW_STR("/var/log/pods/ns_p_12/app/0.log")));
    cr_expect_str_eq(target->tenant, "blue");
    cr_expect(target->add_filename && strcmp(target->name, "job") == 0);
    cr_expect(cw_targets_changed(targets) && !cw_targets_changed(targets));
    end();
}

Test(targets, what_is_dropped_or_elsewhere_is_no_target)
{
    begin("{action: drop, source_labels: [a], regex: x}");
    put("1", "a=x __path__=/l");
    put("2", "a=y __path__=/l __host__=there");
    put("3", "a=y");
    put("4", "a=y __path__=/l[");
    cr_assert_eq(sources->ntargets, 0);
    put("5", "a=y __path__=/l/*.log __path_exclude__=/l/x* __host__=here");
    cr_assert_eq(sources->ntargets, 1);
    cr_expect(cw_glob_match(sources->targets[0]->exclude, CW_STR("/l/x.log")));
    end();
}

Test(targets, a_group_that_changes_is_updated_in_place)
{
    begin("");
    put("a", "__path__=/a v=1");
    put("b", "__path__=/b v=1");
    const struct cw_target *a = sources->targets[0];
    cr_assert(cw_targets_changed(targets));
    put("a", "__path__=/a v=2 __tenant_id__=t");
    cr_assert(sources->ntargets == 2 && sources->targets[0] == a);
    cr_expect_str_eq(labels_text(a, 0), "{v=\"2\"}");
    cr_expect_str_eq(a->tenant, "t");
    cr_expect(!cw_targets_changed(targets), "no file is new");
    put("a", "__path__=/other v=2");
    cr_assert_eq(sources->ntargets, 2);
    cr_expect(cw_targets_changed(targets));
    cr_expect(cw_glob_match(sources->targets[1]->glob, CW_STR("/other")));
    cw_targets_remove(targets, CW_STR("a"));
    cw_targets_remove(targets, CW_STR("never"));
    cr_expect_eq(sources->ntargets, 1);
    end();
}

Test(targets, what_is_not_put_again_is_swept)
{
    begin("");
    put("a", "__path__=/a");
    put("b", "__path__=/b");
    put("c", "__path__=/c");
    cw_targets_begin(targets);
    put("c", "__path__=/c");
    cr_expect(cw_targets_keep(targets, CW_STR("a")) && !cw_targets_keep(targets, CW_STR("z")));
    cw_targets_sweep(targets);
    cr_assert_eq(sources->ntargets, 2);
    /* groups that come and go leave nothing behind */
    for (int i = 0; i < 5000; i++) {
        const char *name = cw_arena_printf(arena, "pod-%d", i).ptr;
        put(name, "__path__=/p");
        cw_targets_remove(targets, cw_str_of(name));
        cr_assert_eq(sources->ntargets, 2);
    }
    cr_expect(cw_targets_keep(targets, CW_STR("a")) && cw_targets_keep(targets, CW_STR("c")));
    end();
}

Test(targets, the_same_files_are_a_target_once)
{
    begin("{action: labeldrop, regex: __meta_port}");
    struct cw_found found[2] = {found_of("__path__=/a __meta_port=1"),
                                found_of("__path__=/a __meta_port=2")};
    cw_targets_put(targets, CW_STR("pod"), found, 2);
    cr_assert_eq(sources->ntargets, 1);
    end();
}

Test(targets, rules_see_each_stream_of_a_container)
{
    begin("{source_labels: [__meta_docker_container_log_stream], target_label: s}, {action: drop, "
          "source_labels: [s, q], regex: 'stderr;yes'}");
    struct cw_found loud = found_of("c=1"), quiet = found_of("c=2 q=yes");
    loud.format = quiet.format = CW_SOURCE_DOCKER;
    loud.path = CW_STR("/c1");
    quiet.path = CW_STR("/c2");
    cw_targets_put(targets, CW_STR("1"), &loud, 1);
    cw_targets_put(targets, CW_STR("2"), &quiet, 1);
    cr_assert_eq(sources->ntargets, 2);
    cr_expect(cw_glob_match(sources->targets[0]->glob, CW_STR("/c1")) &&
              cw_glob_match(sources->targets[0]->glob, CW_STR("/c1.1")) &&
              !cw_glob_match(sources->targets[0]->glob, CW_STR("/c1.1.gz")));
    cr_expect_str_eq(labels_text(sources->targets[0], CW_DOCKER_STDERR), "{c=\"1\", s=\"stderr\"}");
    cr_expect_str_eq(labels_text(sources->targets[0], CW_DOCKER_STDOUT), "{c=\"1\", s=\"stdout\"}");
    cr_expect(!sources->targets[0]->off[CW_DOCKER_STDERR] &&
              sources->targets[1]->off[CW_DOCKER_STDERR] &&
              !sources->targets[1]->off[CW_DOCKER_STDOUT]);
    end();
}

Test(targets, a_pipeline_is_asked_for_by_name)
{
    begin("");
    struct cw_found good = found_of("__path__=/a"), bad = found_of("__path__=/b");
    good.pipeline = CW_STR("nginx");
    bad.pipeline = CW_STR("apache");
    cw_targets_put(targets, CW_STR("1"), &good, 1);
    cr_assert_eq(sources->ntargets, 0, "there is none of that name");
    struct cw_pipeline_config empty = {0};
    struct cw_str name = CW_STR("nginx");
    struct cw_config_table_map one = {&name, &empty, 1};
    struct cw_err err = {0};
    cw_pipelines_fini(&pipelines);
    cr_assert_eq(cw_pipelines_init(&pipelines, &one, NULL, &err), 0, "%s", err.text);
    cw_targets_put(targets, CW_STR("1"), &good, 1);
    cw_targets_put(targets, CW_STR("2"), &bad, 1);
    cr_assert(sources->ntargets == 1 && sources->targets[0]->stages == pipelines.stages[0]);
    end();
}
