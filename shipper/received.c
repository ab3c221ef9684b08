#include "shipper/received.h"
#include <stdlib.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "shipper/shipper_metrics.h"
#include "shipper/spool_record.h"

void cw_received_init(struct cw_received *received, const struct cw_config_map *labels,
                      const char *name, struct cw_metrics *metrics)
{
    *received = (struct cw_received){
        .arena = cw_arena_new(), .metrics = metrics, .name = name, .last_ts_ns = INT64_MIN};
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

/* The labels of the entry's stream: all there are, relabeled, without those for relabeling. */
static struct cw_labels labels_final(struct cw_received *received,
                                     const struct cw_received_entry *entry)
{
    const struct cw_labels *own = &received->labels;
    struct cw_label *pairs =
        CW_ARENA_ARRAY(received->arena, struct cw_label, own->n + entry->nlabels);
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < own->n; i++)
        pairs[n++] = own->items[i];
    for (size_t i = 0; i < entry->nlabels; i++)
        pairs[n++] = entry->labels[i];
    cw_label_pairs_sort(pairs, n); /* pairs of one name keep their order: the first counts */
    for (size_t i = 0; i < n; i++) {
        bool again = i > 0 && cw_str_eq(pairs[i].name, pairs[i - 1].name);
        if (!again && pairs[i].value.len > 0 && !cw_str_starts(pairs[i].name, CW_STR("__")))
            pairs[kept++] = pairs[i];
    }
    return (struct cw_labels){pairs, kept};
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
    cw_arena_reset(received->arena);
    struct cw_spool_record record = {.ts_ns = entry->ts_ns == CW_PUSH_TS_NONE ? arrival(received)
                                                                              : entry->ts_ns,
                                     .labels = labels_final(received, entry),
                                     .metadata = entry->metadata,
                                     .tenant = entry->tenant,
                                     .cursor = entry->cursor,
                                     .line = entry->line};
    struct cw_err err;
    int n = cw_spool_record_encode(&record, &received->bytes, &err);
    if (n < 0) {
        cw_received_bad(received, CW_RECEIVED_DROPPED, err.text);
        return;
    }
    received->n += (size_t)n;
    if (entry->cursor.len > 0) {
        cw_buf_clear(&received->cursor);
        cw_buf_adds(&received->cursor, entry->cursor);
    }
}
