#include <criterion/criterion.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/config/yaml_load.h"
#include "ingester/otlp_config.h"

static struct cw_arena *arena;
static struct cw_otlp_config config;
static struct cw_err err;

static void setup(void)
{
    arena = cw_arena_new();
}
static void teardown(void)
{
    cw_arena_free(&arena);
}
TestSuite(otlp_config, .init = setup, .fini = teardown);

static int load(const char *text)
{
    return cw_yaml_load_text(cw_str_of(text), "f", &cw_otlp_config_table, NULL, arena, &config,
                             NULL, &err);
}

static void expect_action(const struct cw_otlp_mapping *mapping, enum cw_otlp_place place,
                          const char *name, enum cw_otlp_action want)
{
    enum cw_otlp_action got;
    cr_assert_eq(cw_otlp_mapping_action(mapping, place, cw_str_of(name), &got, &err), 0);
    cr_expect_eq(got, want, "%s: %d", name, (int)got);
}

Test(otlp_config, rules_stand_behind_the_default_one)
{
    struct cw_str names[] = {CW_STR("service.name"), CW_STR("host.name")};
    const struct cw_config_strings defaults = {names, 2};
    cr_assert_eq(load("resource_attributes: {attributes_config: [{action: drop, attributes: "
                      "[host.name, os.type]}, {action: index_label, regex: 'k8s\\..+'}, "
                      "{attributes: [k8s.x]}]}\n"
                      "log_attributes: [{regex: 'a.*', action: index_label}]\n"
                      "scope_attributes: [{regex: '.*', action: drop}]\n"),
                 0, "%s", err.text);
    struct cw_otlp_mapping *mapping = cw_otlp_config_mapping(&config, &defaults);
    expect_action(mapping, CW_OTLP_RESOURCE, "host.name", CW_OTLP_LABEL);
    expect_action(mapping, CW_OTLP_RESOURCE, "os.type", CW_OTLP_DROP);
    expect_action(mapping, CW_OTLP_RESOURCE, "k8s.x", CW_OTLP_LABEL);
    expect_action(mapping, CW_OTLP_RESOURCE, "k8s.", CW_OTLP_METADATA);
    expect_action(mapping, CW_OTLP_LOG, "abc", CW_OTLP_LABEL);
    expect_action(mapping, CW_OTLP_SCOPE, "abc", CW_OTLP_DROP);
    cr_expect_not(cw_otlp_mapping_labels_severity(mapping));
    cw_otlp_mapping_unref(&mapping);
}

Test(otlp_config, the_default_rule_can_be_left_aside)
{
    struct cw_str names[] = {CW_STR("service.name")};
    const struct cw_config_strings defaults = {names, 1};
    cr_assert_eq(load("resource_attributes: {ignore_defaults: true, attributes_config: [{action: "
                      "index_label, attributes: [a]}]}\nseverity_text_as_label: true\n"),
                 0, "%s", err.text);
    struct cw_otlp_mapping *mapping = cw_otlp_config_mapping(&config, &defaults);
    expect_action(mapping, CW_OTLP_RESOURCE, "service.name", CW_OTLP_METADATA);
    expect_action(mapping, CW_OTLP_RESOURCE, "a", CW_OTLP_LABEL);
    cr_expect(cw_otlp_mapping_labels_severity(mapping));
    cw_otlp_mapping_unref(&mapping);
}

Test(otlp_config, what_is_wrong_is_told_with_its_place)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"log_attributes:\n  - action: index\n    regex: a\n",
         "f:2:13: log_attributes[0].action: \"index\" is none of structured_metadata, index_label, "
         "drop"},
        {"log_attributes:\n  - action: drop\n",
         "f:2:5: log_attributes[0]: attributes or regex must be set"},
        {"resource_attributes:\n  attributes_config: [{regex: a, attributes: [b]}]\n",
         "f:2:23: resource_attributes.attributes_config[0]: only one of attributes or regex must be "
         "set"},
        {"resource_attributes:\n  attributes_config: [{regex: 'a('}]\n",
         "f:2:31: resource_attributes.attributes_config[0].regex: error parsing regexp: missing "
         "closing ): `a(`"},
        {"scope_attributes: [{action: index_label, attributes: [a]}]\n",
         "f:1:20: scope_attributes[0]: index_label action is only supported for "
         "resource_attributes and log_attributes"},
        {"scope_attributes: [{action: drop}]\n",
         "f:1:20: scope_attributes[0]: attributes or regex must be set"},
        {"resource_attributes: {ignore_default: true}\n",
         "f:1:23: unknown key \"ignore_default\" in resource_attributes; did you mean "
         "\"ignore_defaults\"?"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_expect_eq(load(cases[i].text), CW_E_INVALID);
        cr_expect_str_eq(err.text, cases[i].want);
    }
}
