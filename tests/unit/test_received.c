#include <criterion/criterion.h>
#include "shipper/received.h"
#include "shipper/shipper_metrics.h"
#include "shipper/spool_record.h"

static struct cw_arena *arena;
static struct cw_metrics *metrics;
static struct cw_relabel *relabel;
static struct cw_received received;

/* With configured labels job="j", __x="y", and a rule that names the host. */
static void setup(void)
{
    static struct cw_config_pair pairs[] = {{CW_STR("job"), CW_STR("j")},
                                            {CW_STR("__x"), CW_STR("y")}};
    static struct cw_str sources[] = {CW_STR("__host"), CW_STR("__x")};
    static struct cw_relabel_config rules[] = {
        {.source_labels = {sources, 2},
         .separator = CW_STR("-"),
         .target_label = CW_STR("host"),
         .regex = CW_STR("(.*)"),
         .replacement = CW_STR("$1"),
         .action = CW_STR("replace")},
        {.source_labels = {sources, 1}, .regex = CW_STR("secret"), .action = CW_STR("drop")},
    };
    struct cw_config_tables configs = {rules, 2};
    struct cw_config_map labels = {pairs, 2};
    struct cw_err err = {0};
    arena = cw_arena_new();
    metrics = cw_metrics_new(cw_shipper_metric_defs, CW_M_SHIPPER_N);
    cr_assert_eq(cw_relabel_new(&configs, &relabel, &err), 0, "%s", err.text);
    cw_received_init(&received, &labels, relabel, "r", metrics);
}

static void teardown(void)
{
    cw_received_fini(&received);
    cw_relabel_free(&relabel);
    cw_metrics_free(&metrics);
    cw_arena_free(&arena);
}

TestSuite(received, .init = setup, .fini = teardown);

static struct cw_spool_record record_at(size_t *at)
{
    struct cw_spool_record record;
    cr_assert_eq(cw_spool_record_next(cw_buf_str(&received.bytes), at, arena, &record, NULL), 1);
    return record;
}

static const char *labels_text(struct cw_labels labels)
{
    static struct cw_buf text;
    cw_buf_fini(&text);
    cw_buf_init(&text, 4096);
    cw_labels_format(labels, &text);
    return cw_buf_z(&text);
}

Test(received, labels_are_relabeled_and_the_configurations_come_first)
{
    struct cw_label labels[] = {{CW_STR("__host"), CW_STR("web")},
                                {CW_STR("job"), CW_STR("theirs")},
                                {CW_STR("app"), CW_STR("shop")},
                                {CW_STR("__tenant_id__"), CW_STR("team")}};
    struct cw_received_entry entry = {.ts_ns = 5, .line = CW_STR("x"), .tenant = CW_STR("header")};
    size_t at = 0;
    cr_assert(cw_received_stream(&received, labels, 4));
    cw_received_put(&received, &entry);
    struct cw_spool_record record = record_at(&at);
    cr_assert_str_eq(labels_text(record.labels), "{app=\"shop\", host=\"web-y\", job=\"j\"}");
    cr_assert(cw_str_eqz(record.tenant, "team"));
    cr_assert_eq(record.ts_ns, 5);
    cr_assert(cw_received_stream(&received, NULL, 0));
    cw_received_put(&received, &entry);
    record = record_at(&at);
    cr_assert_str_eq(labels_text(record.labels), "{host=\"-y\", job=\"j\"}");
    cr_assert(cw_str_eqz(record.tenant, "header"));
    labels[0].value = CW_STR("secret");
    cr_assert_not(cw_received_stream(&received, labels, 4), "a rule drops it");
}

Test(received, times_of_arrival_only_rise)
{
    struct cw_received_entry entry = {.ts_ns = CW_PUSH_TS_NONE, .line = CW_STR("x")};
    cr_assert(cw_received_stream(&received, NULL, 0));
    for (int i = 0; i < 1000; i++)
        cw_received_put(&received, &entry);
    int64_t last = 0;
    for (size_t at = 0, i = 0; i < 1000; i++) {
        struct cw_spool_record record = record_at(&at);
        cr_assert_gt(record.ts_ns, last);
        last = record.ts_ns;
    }
    cr_assert_eq(received.n, 1000);
}

Test(received, the_cursor_is_that_of_the_last_and_cleared_with_the_bytes)
{
    struct cw_received_entry entry = {.line = CW_STR("x"), .cursor = CW_STR("one")};
    cr_assert(cw_received_stream(&received, NULL, 0));
    cw_received_put(&received, &entry);
    entry.cursor = CW_STR("2");
    cw_received_put(&received, &entry);
    cr_assert(cw_str_eqz(cw_buf_str(&received.cursor), "2"));
    cw_received_clear(&received);
    cr_assert(received.cursor.len == 0 && received.bytes.len == 0 && received.n == 0);
}

Test(received, labels_without_end_are_dropped_and_counted)
{
    struct cw_received_entry entry = {.line = CW_STR("x")};
    struct cw_str value = cw_str_make(cw_arena_calloc(arena, 200000, 1), 200000);
    struct cw_label label = {CW_STR("a"), value};
    cr_assert(cw_received_stream(&received, &label, 1));
    cw_received_put(&received, &entry);
    cr_assert_eq(received.n, 0);
    struct cw_str values[] = {CW_STR("r"), CW_STR("dropped")};
    cr_assert_eq(cw_metric_value(cw_metrics_child(metrics, CW_M_RECEIVED_BAD, values)), 1);
}
