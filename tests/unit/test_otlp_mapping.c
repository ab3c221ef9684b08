#include <criterion/criterion.h>

#include "common/base/assert.h"
#include "common/wire/otlp_mapping.h"

static struct cw_err err;

static enum cw_otlp_action action(const struct cw_otlp_mapping *mapping, enum cw_otlp_place place,
                                  const char *name)
{
    enum cw_otlp_action out;
    cr_assert_eq(cw_otlp_mapping_action(mapping, place, cw_str_of(name), &out, &err), 0);
    return out;
}

static void add_regex(struct cw_otlp_mapping *mapping, enum cw_otlp_place place,
                      enum cw_otlp_action what, const char *regex)
{
    const struct cw_otlp_rule rule = {.action = what, .regex = cw_str_of(regex)};
    cr_assert_eq(cw_otlp_mapping_add(mapping, place, &rule, &err), 0, "%s", err.text);
}

Test(otlp_mapping, without_one_lokis_resource_attributes_are_labels)
{
    cr_expect_eq(action(NULL, CW_OTLP_RESOURCE, "service.name"), CW_OTLP_LABEL);
    cr_expect_eq(action(NULL, CW_OTLP_RESOURCE, "k8s.job.name"), CW_OTLP_LABEL);
    cr_expect_eq(action(NULL, CW_OTLP_RESOURCE, "service.names"), CW_OTLP_METADATA);
    cr_expect_eq(action(NULL, CW_OTLP_RESOURCE, ""), CW_OTLP_METADATA);
    cr_expect_eq(action(NULL, CW_OTLP_LOG, "service.name"), CW_OTLP_METADATA);
    cr_expect_eq(action(NULL, CW_OTLP_SCOPE, "service.name"), CW_OTLP_METADATA);
    cr_expect_not(cw_otlp_mapping_labels_severity(NULL));
}

Test(otlp_mapping, the_first_rule_of_the_place_counts)
{
    struct cw_otlp_mapping *mapping = cw_otlp_mapping_new(true);
    const struct cw_str names[] = {{"a.b", 3}, {"c", 1}};
    const struct cw_otlp_rule of_names = {CW_OTLP_LABEL, names, CW_COUNT(names), CW_STR_NONE};
    cr_assert_eq(cw_otlp_mapping_add(mapping, CW_OTLP_RESOURCE, &of_names, &err), 0);
    add_regex(mapping, CW_OTLP_RESOURCE, CW_OTLP_DROP, "a\\..*|x");
    add_regex(mapping, CW_OTLP_RESOURCE, CW_OTLP_LABEL, ".*");
    add_regex(mapping, CW_OTLP_LOG, CW_OTLP_DROP, "c");
    cr_expect_eq(action(mapping, CW_OTLP_RESOURCE, "a.b"), CW_OTLP_LABEL);
    cr_expect_eq(action(mapping, CW_OTLP_RESOURCE, "a.c"), CW_OTLP_DROP);
    cr_expect_eq(action(mapping, CW_OTLP_RESOURCE, "ax"), CW_OTLP_LABEL, "a dot is a dot there");
    cr_expect_eq(action(mapping, CW_OTLP_RESOURCE, "xx"), CW_OTLP_LABEL, "the whole name");
    cr_expect_eq(action(mapping, CW_OTLP_RESOURCE, "y\nz"), CW_OTLP_LABEL);
    cr_expect_eq(action(mapping, CW_OTLP_LOG, "c"), CW_OTLP_DROP);
    cr_expect_eq(action(mapping, CW_OTLP_LOG, "a.b"), CW_OTLP_METADATA);
    cr_expect_eq(action(mapping, CW_OTLP_SCOPE, "c"), CW_OTLP_METADATA);
    cr_expect(cw_otlp_mapping_labels_severity(mapping));
    struct cw_otlp_mapping *other = cw_otlp_mapping_ref(mapping);
    cw_otlp_mapping_unref(&mapping);
    cr_expect_null(mapping);
    cr_expect_eq(action(other, CW_OTLP_LOG, "c"), CW_OTLP_DROP);
    cw_otlp_mapping_unref(&other);
    cw_otlp_mapping_unref(&other);
}

Test(otlp_mapping, an_expression_is_checked_in_gos_words)
{
    const struct cw_otlp_rule rule = {.action = CW_OTLP_DROP, .regex = CW_STR("a(")};
    struct cw_otlp_mapping *mapping = cw_otlp_mapping_new(false);
    cr_expect_eq(cw_otlp_mapping_add(mapping, CW_OTLP_LOG, &rule, &err), CW_E_INVALID);
    cr_expect_str_eq(err.text, "error parsing regexp: missing closing ): `a(`");
    cr_expect_eq(cw_otlp_mapping_check_regex(CW_STR("a("), &err), CW_E_INVALID);
    cr_expect_eq(cw_otlp_mapping_check_regex(CW_STR("a.*"), &err), 0);
    cr_expect_eq(action(mapping, CW_OTLP_LOG, "a("), CW_OTLP_METADATA);
    cw_otlp_mapping_unref(&mapping);
}
