/* otlp_push.c - which attributes become labels, and what the others become. */
#include <stdlib.h>

#include "common/base/base64.h"
#include "common/base/limits.h"
#include "common/wire/json_writer.h"
#include "common/wire/otlp.h"

/* Loki's default_resource_attributes_as_index_labels. */
static const char *const label_attributes[] = {
    "service.name",
    "service.namespace",
    "service.instance.id",
    "deployment.environment",
    "deployment.environment.name",
    "cloud.region",
    "cloud.availability_zone",
    "k8s.cluster.name",
    "k8s.namespace.name",
    "k8s.pod.name",
    "k8s.container.name",
    "container.name",
    "k8s.replicaset.name",
    "k8s.deployment.name",
    "k8s.statefulset.name",
    "k8s.daemonset.name",
    "k8s.cronjob.name",
    "k8s.job.name",
};

void cw_otlp_begin(struct cw_otlp_push *otlp, const struct cw_service_names *names,
                   struct cw_arena *arena, int64_t now_ns, struct cw_push *push, struct cw_err *err)
{
    *otlp = (struct cw_otlp_push){
        .names = names, .arena = arena, .push = push, .now_ns = now_ns, .err = err};
    *push = (struct cw_push){0};
}

struct cw_otlp_item *cw_otlp_item_add(struct cw_otlp_push *otlp, struct cw_otlp_items *items)
{
    if (++otlp->nitems > CW_LIMIT_PUSH_METADATA) {
        (void)cw_err_set(otlp->err, CW_E_TOO_LARGE, "push has more than %u attributes and values",
                         CW_LIMIT_PUSH_METADATA);
        return NULL;
    }
    items->items = cw_arena_grow(otlp->arena, items->items, items->n, &items->cap, items->n + 1,
                                 sizeof(*items->items));
    if (cw_arena_refused(otlp->arena) < 0) {
        (void)cw_err_set(otlp->err, cw_arena_refused(otlp->arena), "no memory for the push");
        return NULL;
    }
    struct cw_otlp_item *item = &items->items[items->n++];
    *item = (struct cw_otlp_item){.key = CW_STR("")};
    return item;
}

/* ---- values as text ---- */

static int item_cmp(const void *a, const void *b)
{
    return cw_str_cmp((*(const struct cw_otlp_item *const *)a)->key,
                      (*(const struct cw_otlp_item *const *)b)->key);
}

static void write_json(struct cw_otlp_push *otlp, struct cw_json_writer *w,
                       const struct cw_otlp_value *value);

/* Keys in order, as Go's encoding/json writes a map. */
static void write_map(struct cw_otlp_push *otlp, struct cw_json_writer *w,
                      const struct cw_otlp_items *items)
{
    const struct cw_otlp_item **sorted =
        CW_ARENA_ARRAY(otlp->arena, const struct cw_otlp_item *, items->n);
    for (size_t i = 0; i < items->n; i++)
        sorted[i] = &items->items[i];
    if (items->n > 1)
        qsort(sorted, items->n, sizeof(*sorted), item_cmp);
    cw_json_begin_object(w);
    for (size_t i = 0; i < items->n; i++) {
        cw_json_key(w, sorted[i]->key);
        write_json(otlp, w, &sorted[i]->value);
    }
    cw_json_end_object(w);
}

static void write_bytes(struct cw_json_writer *w, struct cw_str bytes)
{
    struct cw_buf text;
    cw_buf_init(&text, CW_LIMIT_PUSH_RAW_BYTES * 2);
    cw_base64_encode(bytes, &text);
    cw_json_string(w, cw_buf_str(&text));
    cw_buf_fini(&text);
}

static void write_json(struct cw_otlp_push *otlp, struct cw_json_writer *w,
                       const struct cw_otlp_value *value)
{
    switch (value->kind) {
    case CW_OTLP_NONE: cw_json_null(w); break;
    case CW_OTLP_STRING: cw_json_string(w, value->text); break;
    case CW_OTLP_BOOL: cw_json_bool(w, value->integer != 0); break;
    case CW_OTLP_INT: cw_json_i64(w, value->integer); break;
    case CW_OTLP_DOUBLE: cw_json_f64(w, value->number); break;
    case CW_OTLP_BYTES: write_bytes(w, value->text); break;
    case CW_OTLP_ARRAY:
        cw_json_begin_array(w);
        for (size_t i = 0; i < value->items.n; i++)
            write_json(otlp, w, &value->items.items[i].value);
        cw_json_end_array(w);
        break;
    case CW_OTLP_MAP: write_map(otlp, w, &value->items); break;
    }
}

/* As pcommon.Value.AsString of OpenTelemetry's Go library, which is what Loki shows. */
static int value_text(struct cw_otlp_push *otlp, const struct cw_otlp_value *value,
                      struct cw_str *out)
{
    if (value->kind == CW_OTLP_STRING || value->kind == CW_OTLP_NONE) {
        *out = value->kind == CW_OTLP_STRING ? value->text : CW_STR("");
        return 0;
    }
    struct cw_buf text;
    cw_buf_init(&text, CW_LIMIT_PUSH_RAW_BYTES);
    if (value->kind == CW_OTLP_BYTES) {
        cw_base64_encode(value->text, &text);
    } else {
        struct cw_json_writer w = cw_json_writer_make(&text);
        write_json(otlp, &w, value);
    }
    int rc = cw_buf_failed(&text)
                 ? cw_err_set(otlp->err, CW_E_TOO_LARGE, "a value is too large as text")
                 : 0;
    *out = cw_arena_dup(otlp->arena, cw_buf_str(&text));
    cw_buf_fini(&text);
    return rc;
}

/* ---- pairs ---- */

struct pairs {
    struct cw_label *items;
    size_t n, cap;
};

static int pair_add(struct cw_otlp_push *otlp, struct pairs *pairs, struct cw_str name,
                    struct cw_str value)
{
    if (++otlp->npairs > CW_LIMIT_OTLP_PAIRS)
        return cw_err_set(otlp->err, CW_E_TOO_LARGE,
                          "push has more than %u pairs of structured metadata",
                          CW_LIMIT_OTLP_PAIRS);
    pairs->items = cw_arena_grow(otlp->arena, pairs->items, pairs->n, &pairs->cap, pairs->n + 1,
                                 sizeof(*pairs->items));
    if (cw_arena_refused(otlp->arena) < 0)
        return cw_arena_refused(otlp->arena);
    /* Once here, not once for each entry that a resource's pair goes to. */
    pairs->items[pairs->n++] = (struct cw_label){cw_label_name_sanitize(otlp->arena, name), value};
    return 0;
}

/* A map's members are pairs of their own. */
static int attribute_add(struct cw_otlp_push *otlp, struct pairs *pairs, struct cw_str name,
                         const struct cw_otlp_value *value)
{
    if (value->kind != CW_OTLP_MAP) {
        struct cw_str text;
        int rc = value_text(otlp, value, &text);
        return rc < 0 ? rc : pair_add(otlp, pairs, name, text);
    }
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < value->items.n; i++) {
        const struct cw_otlp_item *item = &value->items.items[i];
        otlp->name_bytes += name.len + item->key.len;
        if (otlp->name_bytes > CW_LIMIT_PUSH_RAW_BYTES)
            return cw_err_set(otlp->err, CW_E_TOO_LARGE,
                              "push has names of nested attributes of more than %u bytes",
                              CW_LIMIT_PUSH_RAW_BYTES);
        struct cw_str inner =
            cw_arena_printf(otlp->arena, "%.*s_%.*s", CW_STR_ARG(name), CW_STR_ARG(item->key));
        rc = attribute_add(otlp, pairs, inner, &item->value);
    }
    return rc;
}

static int attributes_add(struct cw_otlp_push *otlp, struct pairs *pairs,
                          const struct cw_otlp_items *attributes)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < attributes->n; i++)
        rc = attribute_add(otlp, pairs, attributes->items[i].key, &attributes->items[i].value);
    return rc;
}

static int number_add(struct cw_otlp_push *otlp, struct pairs *pairs, const char *name,
                      uint64_t value)
{
    if (value == 0)
        return 0;
    return pair_add(otlp, pairs, cw_str_of(name),
                    cw_arena_printf(otlp->arena, "%llu", (unsigned long long)value));
}

static int text_add(struct cw_otlp_push *otlp, struct pairs *pairs, const char *name,
                    struct cw_str value)
{
    return value.len == 0 ? 0 : pair_add(otlp, pairs, cw_str_of(name), value);
}

/* ---- resources, scopes, records ---- */

static bool is_label(struct cw_str key)
{
    for (size_t i = 0; i < sizeof(label_attributes) / sizeof(label_attributes[0]); i++)
        if (cw_str_eqz(key, label_attributes[i]))
            return true;
    return false;
}

/* Of one name the last value counts, and an empty one is none. Returns how many are left. */
static size_t labels_tidy(struct pairs *labels)
{
    size_t n = 0;
    cw_label_pairs_sort(labels->items, labels->n);
    for (size_t i = 0; i < labels->n; i++) {
        bool last =
            i + 1 == labels->n || !cw_str_eq(labels->items[i].name, labels->items[i + 1].name);
        if (last && labels->items[i].value.len > 0)
            labels->items[n++] = labels->items[i];
    }
    return n;
}

/* Loki takes the first attribute that is one of the labels to look for, not the first of these that is there. */
static int service_name_add(struct cw_otlp_push *otlp, struct pairs *labels)
{
    struct cw_str name = CW_STR_NONE;
    if (otlp->names == NULL || otlp->names->n == 0)
        return 0;
    for (size_t i = 0; i < labels->n; i++) {
        const struct cw_label *label = &labels->items[i];
        if (label->value.len > 0 && cw_str_eq(label->name, CW_SERVICE_NAME_LABEL))
            return 0;
        if (name.len == 0 && cw_str_among(label->name, otlp->names->items, otlp->names->n))
            name = label->value;
    }
    return pair_add(otlp, labels, CW_SERVICE_NAME_LABEL,
                    name.len > 0 ? name : CW_SERVICE_NAME_UNKNOWN);
}

static struct cw_push_stream *stream_begin(struct cw_otlp_push *otlp)
{
    struct cw_push *push = otlp->push;
    if (push->nstreams > 0 && push->streams[push->nstreams - 1].nentries == 0)
        push->nstreams--;
    push->streams = cw_arena_grow(otlp->arena, push->streams, push->nstreams, &otlp->streams_cap,
                                  push->nstreams + 1, sizeof(*push->streams));
    otlp->entries_cap = 0;
    struct cw_push_stream *stream = &push->streams[push->nstreams++];
    *stream = (struct cw_push_stream){.labels_text = CW_STR("{}")};
    return stream;
}

int cw_otlp_resource(struct cw_otlp_push *otlp, const struct cw_otlp_items *attributes)
{
    struct pairs labels = {0}, metadata = {0};
    if (otlp->push->nstreams >= CW_LIMIT_PUSH_STREAMS)
        return cw_err_set(otlp->err, CW_E_TOO_LARGE, "push has more than %u streams",
                          CW_LIMIT_PUSH_STREAMS);
    struct cw_push_stream *stream = stream_begin(otlp);
    int rc = cw_arena_refused(otlp->arena);
    for (size_t i = 0; rc == 0 && i < attributes->n; i++) {
        const struct cw_otlp_item *item = &attributes->items[i];
        rc =
            attribute_add(otlp, is_label(item->key) ? &labels : &metadata, item->key, &item->value);
    }
    otlp->resource_pairs = metadata.items;
    otlp->nresource_pairs = metadata.n;
    if (rc == 0)
        rc = service_name_add(otlp, &labels);
    size_t n = labels_tidy(&labels);
    if (rc < 0 || n == 0)
        return rc; /* without labels: `{}` is refused in Loki's words */
    stream->labels_text = CW_STR_NONE;
    return cw_labels_from_pairs(labels.items, n, &stream->labels, otlp->err);
}

int cw_otlp_scope(struct cw_otlp_push *otlp, const struct cw_otlp_scope *scope)
{
    struct pairs metadata = {0};
    int rc = attributes_add(otlp, &metadata, &scope->attributes);
    if (rc == 0)
        rc = text_add(otlp, &metadata, "scope_name", scope->name);
    if (rc == 0)
        rc = text_add(otlp, &metadata, "scope_version", scope->version);
    if (rc == 0)
        rc = number_add(otlp, &metadata, "scope_dropped_attributes_count", scope->dropped);
    otlp->scope_pairs = metadata.items;
    otlp->nscope_pairs = metadata.n;
    return rc;
}

static struct cw_str hex(struct cw_otlp_push *otlp, struct cw_str bytes)
{
    static const char digits[] = "0123456789abcdef";
    char *text = cw_arena_alloc(otlp->arena, 2 * bytes.len);
    bool any = false;
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];
        text[2 * i] = digits[c >> 4];
        text[2 * i + 1] = digits[c & 15];
        any |= c != 0;
    }
    return any ? cw_str_make(text, 2 * bytes.len) : CW_STR(""); /* all zeros is no id */
}

static int record_metadata(struct cw_otlp_push *otlp, const struct cw_otlp_record *record,
                           struct pairs *out)
{
    int rc = attributes_add(otlp, out, &record->attributes);
    if (rc == 0 && record->severity_number != 0)
        rc = pair_add(otlp, out, CW_STR("severity_number"),
                      cw_arena_printf(otlp->arena, "%d", (int)record->severity_number));
    if (rc == 0)
        rc = text_add(otlp, out, "severity_text", record->severity_text);
    /* Where it is all that tells the time it is the entry's already. */
    if (rc == 0 && record->time_ns != 0)
        rc = number_add(otlp, out, "observed_timestamp", record->observed_ns);
    if (rc == 0)
        rc = number_add(otlp, out, "dropped_attributes_count", record->dropped);
    if (rc == 0)
        rc = number_add(otlp, out, "flags", record->flags);
    if (rc == 0)
        rc = text_add(otlp, out, "trace_id", hex(otlp, record->trace_id));
    if (rc == 0)
        rc = text_add(otlp, out, "span_id", hex(otlp, record->span_id));
    if (rc == 0)
        rc = text_add(otlp, out, "event_name", record->event_name);
    for (size_t i = 0; rc == 0 && i < otlp->nresource_pairs; i++)
        rc = pair_add(otlp, out, otlp->resource_pairs[i].name, otlp->resource_pairs[i].value);
    for (size_t i = 0; rc == 0 && i < otlp->nscope_pairs; i++)
        rc = pair_add(otlp, out, otlp->scope_pairs[i].name, otlp->scope_pairs[i].value);
    return rc;
}

int cw_otlp_record(struct cw_otlp_push *otlp, const struct cw_otlp_record *record)
{
    struct cw_push *push = otlp->push;
    struct cw_push_stream *stream = &push->streams[push->nstreams - 1];
    uint64_t ts_ns = record->time_ns != 0 ? record->time_ns : record->observed_ns;
    if (ts_ns > INT64_MAX)
        return cw_err_set(otlp->err, CW_E_INVALID,
                          "timestamp: %llu ns do not fit 64 bits with a sign",
                          (unsigned long long)ts_ns);
    if (push->nentries >= CW_LIMIT_PUSH_ENTRIES)
        return cw_err_set(otlp->err, CW_E_TOO_LARGE, "push has more than %u entries",
                          CW_LIMIT_PUSH_ENTRIES);
    struct cw_push_entry entry = {.ts_ns = ts_ns != 0 ? (int64_t)ts_ns : otlp->now_ns};
    struct pairs metadata = {0};
    int rc = value_text(otlp, &record->body, &entry.line);
    if (rc == 0)
        rc = record_metadata(otlp, record, &metadata);
    if (rc < 0)
        return rc;
    entry.metadata = metadata.items;
    entry.nmetadata = (uint32_t)metadata.n;
    stream->entries =
        cw_arena_grow(otlp->arena, stream->entries, stream->nentries, &otlp->entries_cap,
                      stream->nentries + 1, sizeof(*stream->entries));
    if (cw_arena_refused(otlp->arena) < 0)
        return cw_arena_refused(otlp->arena);
    stream->entries[stream->nentries++] = entry;
    push->nentries++;
    push->line_bytes += entry.line.len;
    return 0;
}

void cw_otlp_end(struct cw_otlp_push *otlp)
{
    struct cw_push *push = otlp->push;
    if (push->nstreams > 0 && push->streams[push->nstreams - 1].nentries == 0)
        push->nstreams--;
}
