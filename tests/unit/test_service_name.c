#include <criterion/criterion.h>

#include "common/base/assert.h"
#include "common/wire/service_name.h"

static const struct cw_str items[] = {{"service", 7}, {"app", 3}, {"job", 3}};
static const struct cw_service_names names = {items, CW_COUNT(items)};

Test(service_name, the_first_label_of_the_list_names_the_service)
{
    static const struct {
        const char *labels, *want;
    } samples[] = {
        {"{app=\"shop\", job=\"j\"}", "{app=\"shop\", job=\"j\", service_name=\"shop\"}"},
        {"{job=\"j\", z=\"1\"}", "{job=\"j\", service_name=\"j\", z=\"1\"}"},
        {"{z=\"1\"}", "{service_name=\"unknown_service\", z=\"1\"}"},
        {"{}", "{service_name=\"unknown_service\"}"},
        {"{app=\"shop\", service_name=\"own\"}", "{app=\"shop\", service_name=\"own\"}"},
        {"{__pattern__=\"x\", app=\"shop\"}", "{__pattern__=\"x\", app=\"shop\"}"},
        {"{__aggregated_metric__=\"x\"}", "{__aggregated_metric__=\"x\"}"},
    };
    struct cw_arena *arena = cw_arena_new();
    struct cw_buf text;
    struct cw_err err;
    cw_buf_init(&text, 1 << 16);
    for (size_t i = 0; i < CW_COUNT(samples); i++) {
        struct cw_labels labels;
        cr_assert_eq(cw_labels_parse(cw_str_of(samples[i].labels), arena, &labels, &err), 0);
        cw_buf_clear(&text);
        cw_labels_format(cw_service_name_add(labels, &names, arena), &text);
        cr_expect_str_eq(cw_buf_z(&text), samples[i].want);
    }
    cw_buf_fini(&text);
    cw_arena_free(&arena);
}

Test(service_name, without_a_list_nothing_is_added)
{
    struct cw_labels labels = {(struct cw_label[]){{{"app", 3}, {"shop", 4}}}, 1};
    struct cw_service_names none = {NULL, 0};
    cr_expect_eq(cw_service_name_add(labels, NULL, NULL).items, labels.items);
    cr_expect_eq(cw_service_name_add(labels, &none, NULL).n, 1);
}
