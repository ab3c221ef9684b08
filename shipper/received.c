#include "shipper/received.h"
#include <stdlib.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "shipper/shipper_metrics.h"
#include "shipper/spool_record.h"

void cw_received_init(struct cw_received *received, const struct cw_config_map *labels,
                      const struct cw_relabel *relabel, const char *name,
                      struct cw_metrics *metrics)
{
    *received = (struct cw_received){.relabel = relabel,
                                     .arena = cw_arena_new(),
                                     .metrics = metrics,
                                     .name = name,
                                     .last_ts_ns = INT64_MIN};
    cw_buf_init(&received->bytes, SIZE_MAX);
    cw_buf_init(&received->cursor, CW_SPOOL_RECORD_HEAD_BYTES);
    struct cw_label *pairs = CW_ARENA_ARRAY(received->arena, struct cw_label, labels->n);
    for (size_t i = 0; i < labels->n; i++)
        pairs[i] = (struct cw_label){labels->items[i].name, labels->items[i].value};
    struct cw_labels sorted;
    int rc = cw_labels_from_pairs(pairs, labels->n, &sorted, NULL);
    CW_ASSERT(rc == 0); /* a map's names are unique */
    received->labels = cw_labels_dup_heap(sorted);
}

void cw_received_fini(struct cw_received *received)
{
    free((void *)received->labels.items);
    cw_arena_free(&received->arena);
    cw_buf_fini(&received->bytes);
    cw_buf_fini(&received->cursor);
}

void cw_received_clear(struct cw_received *received)
{
    cw_buf_fini(&received->bytes); /* a flood's memory is not kept */
    cw_buf_clear(&received->cursor);
    received->n = 0;
}

void cw_received_bad(struct cw_received *received, enum cw_received_bad action, const char *why)
{
    static const char *const actions[] = {"kept", "cut", "dropped"};
    struct cw_str values[] = {cw_str_of(received->name), cw_str_of(actions[action])};
    struct cw_metric *metric = cw_metrics_child(received->metrics, CW_M_RECEIVED_BAD, values);
    if (cw_metric_value(metric) == 0)
        cw_log_warn("%s: %s: %s; more of these are only counted", received->name, why,
                    actions[action]);
    cw_metric_add(metric, 1);
}

bool cw_received_stream(struct cw_received *received, const struct cw_label *labels, size_t n)
{
    struct cw_err err;
    cw_arena_reset(received->arena);
    struct cw_target_labels all = cw_target_labels_make(received->arena);
    for (size_t i = 0; i < received->labels.n; i++)
        cw_target_labels_add(&all, received->labels.items[i].name, received->labels.items[i].value);
    for (size_t i = 0; i < n; i++)
        cw_target_labels_add(&all, labels[i].name, labels[i].value);
    int kept = cw_relabel_apply(received->relabel, &all, &err);
    if (kept < 0)
        cw_received_bad(received, CW_RECEIVED_DROPPED, err.text);
    if (kept <= 0)
        return false;
    received->tenant = cw_target_labels_get(&all, CW_STR("__tenant_id__"));
    received->stream = cw_target_labels_public(&all);
    return true;
}

/* Arrival times only rise, so that equal lines stay apart in a store that drops repeats. */
static int64_t arrival(struct cw_received *received)
{
    int64_t now_ns = cw_clock_now_ns();
    received->last_ts_ns = CW_MAX(now_ns, received->last_ts_ns + 1);
    return received->last_ts_ns;
}

void cw_received_put(struct cw_received *received, const struct cw_received_entry *entry)
{
    struct cw_spool_record record = {
        .ts_ns = entry->ts_ns == CW_PUSH_TS_NONE ? arrival(received) : entry->ts_ns,
        .labels = received->stream,
        .metadata = entry->metadata,
        .tenant = received->tenant.len > 0 ? received->tenant : entry->tenant,
        .cursor = entry->cursor,
        .line = entry->line};
    struct cw_err err;
    int n = cw_spool_record_encode(&record, &received->bytes, &err);
    if (n < 0) {
        cw_received_bad(received, CW_RECEIVED_DROPPED, err.text);
        return;
    }
    if (n > 1)
        cw_received_bad(received, CW_RECEIVED_CUT, CW_RECEIVED_LONG);
    received->n += (size_t)n;
    if (entry->cursor.len > 0) {
        cw_buf_clear(&received->cursor);
        cw_buf_adds(&received->cursor, entry->cursor);
    }
}
