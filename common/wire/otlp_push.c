/* otlp_push.c - which attributes become labels, and what the others become. */
#include <stdlib.h>

#include "common/base/base64.h"
#include "common/base/limits.h"
#include "common/wire/json_writer.h"
#include "common/wire/otlp.h"

void cw_otlp_begin(struct cw_otlp_push *otlp, const struct cw_otlp_options *options,
                   struct cw_arena *arena, int64_t now_ns, struct cw_push *push, struct cw_err *err)
{
    *otlp = (struct cw_otlp_push){.arena = arena, .push = push, .now_ns = now_ns, .err = err};
    if (options != NULL)
        otlp->options = *options;
    cw_id_map_init(&otlp->by_labels);
    *push = (struct cw_push){.services_named = true};
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

static int pair_add(struct cw_otlp_push *otlp, struct cw_otlp_pairs *pairs, struct cw_str name,
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
    pairs->items[pairs->n++] = (struct cw_label){cw_label_name_normalize(otlp->arena, name), value};
    return 0;
}

/* A map's members are pairs of their own. */
static int attribute_add(struct cw_otlp_push *otlp, struct cw_otlp_pairs *pairs, struct cw_str name,
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

/* Each where the mapping says. */
static int attributes_add(struct cw_otlp_push *otlp, enum cw_otlp_place place,
                          const struct cw_otlp_items *attributes, struct cw_otlp_pairs *labels,
                          struct cw_otlp_pairs *metadata)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < attributes->n; i++) {
        const struct cw_otlp_item *item = &attributes->items[i];
        enum cw_otlp_action action;
        rc = cw_otlp_mapping_action(otlp->options.mapping, place, item->key, &action, otlp->err);
        if (rc == 0 && action != CW_OTLP_DROP && !cw_label_name_admissible(item->key))
            return cw_err_set(otlp->err, CW_E_INVALID, "symbolizer lookup: %.*s",
                              CW_STR_ARG(cw_label_name_refusal(otlp->arena, item->key)));
        if (rc == 0 && action != CW_OTLP_DROP)
            rc = attribute_add(otlp, action == CW_OTLP_LABEL ? labels : metadata, item->key,
                               &item->value);
    }
    return rc;
}

static int pairs_add(struct cw_otlp_push *otlp, struct cw_otlp_pairs *pairs,
                     const struct cw_otlp_pairs *more)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < more->n; i++)
        rc = pair_add(otlp, pairs, more->items[i].name, more->items[i].value);
    return rc;
}

static int number_add(struct cw_otlp_push *otlp, struct cw_otlp_pairs *pairs, const char *name,
                      uint64_t value)
{
    if (value == 0)
        return 0;
    return pair_add(otlp, pairs, cw_str_of(name),
                    cw_arena_printf(otlp->arena, "%llu", (unsigned long long)value));
}

static int text_add(struct cw_otlp_push *otlp, struct cw_otlp_pairs *pairs, const char *name,
                    struct cw_str value)
{
    return value.len == 0 ? 0 : pair_add(otlp, pairs, cw_str_of(name), value);
}

/* ---- resources, scopes, records ---- */

/* Of one name the last value counts; an empty value is none, and what has no name cannot be a label. */
static void labels_tidy(struct cw_otlp_pairs *labels)
{
    size_t n = 0;
    cw_label_pairs_sort(labels->items, labels->n);
    for (size_t i = 0; i < labels->n; i++) {
        bool last =
            i + 1 == labels->n || !cw_str_eq(labels->items[i].name, labels->items[i + 1].name);
        if (last && labels->items[i].name.len > 0 && labels->items[i].value.len > 0)
            labels->items[n++] = labels->items[i];
    }
    labels->n = n;
}

/* Wherever the mapping puts it. */
static bool has_service_name(const struct cw_otlp_items *attributes)
{
    for (size_t i = 0; i < attributes->n; i++) {
        const struct cw_otlp_value *value = &attributes->items[i].value;
        if (cw_str_eqz(attributes->items[i].key, "service.name") && value->kind != CW_OTLP_NONE &&
            (value->kind != CW_OTLP_STRING || value->text.len > 0))
            return true;
    }
    return false;
}

/* Loki takes the first attribute that is one of the labels to look for, not the first of these that is there. */
static int service_name_add(struct cw_otlp_push *otlp, struct cw_otlp_pairs *labels)
{
    const struct cw_service_names *names = otlp->options.service_names;
    struct cw_str name = CW_STR_NONE;
    if (names == NULL || names->n == 0)
        return 0;
    for (size_t i = 0; i < labels->n; i++) {
        const struct cw_label *label = &labels->items[i];
        if (label->value.len > 0 && cw_str_eq(label->name, CW_SERVICE_NAME_LABEL))
            return 0;
        if (name.len == 0 && cw_str_among(label->name, names->items, names->n))
            name = label->value;
    }
    return pair_add(otlp, labels, CW_SERVICE_NAME_LABEL,
                    name.len > 0 ? name : CW_SERVICE_NAME_UNKNOWN);
}

/* Without labels it is `{}`, which is refused in Loki's words. Takes the pairs. */
static int stream_begin(struct cw_otlp_push *otlp, const struct cw_otlp_pairs *labels)
{
    struct cw_push *push = otlp->push;
    if (push->nstreams >= CW_LIMIT_PUSH_STREAMS)
        return cw_err_set(otlp->err, CW_E_TOO_LARGE, "push has more than %u streams",
                          CW_LIMIT_PUSH_STREAMS);
    push->streams = cw_arena_grow(otlp->arena, push->streams, push->nstreams, &otlp->streams_cap,
                                  push->nstreams + 1, sizeof(*push->streams));
    otlp->entries_caps =
        cw_arena_grow(otlp->arena, otlp->entries_caps, push->nstreams, &otlp->entries_caps_cap,
                      push->nstreams + 1, sizeof(*otlp->entries_caps));
    if (cw_arena_refused(otlp->arena) < 0)
        return cw_arena_refused(otlp->arena);
    otlp->entries_caps[push->nstreams] = 0;
    struct cw_push_stream *stream = &push->streams[push->nstreams++];
    *stream = (struct cw_push_stream){.labels_text = CW_STR("{}")};
    if (labels->n == 0)
        return 0;
    stream->labels_text = CW_STR_NONE;
    return cw_labels_from_pairs(labels->items, labels->n, &stream->labels, otlp->err);
}

int cw_otlp_resource(struct cw_otlp_push *otlp, const struct cw_otlp_items *attributes)
{
    struct cw_push *push = otlp->push;
    struct cw_otlp_pairs labels = {0};
    if (push->nstreams > 0 && push->streams[push->nstreams - 1].nentries == 0)
        push->nstreams--;
    cw_id_map_fini(&otlp->by_labels);
    cw_id_map_init(&otlp->by_labels);
    otlp->resource_metadata = otlp->scope_metadata = labels;
    int rc = attributes_add(otlp, CW_OTLP_RESOURCE, attributes, &labels, &otlp->resource_metadata);
    if (rc == 0 && !has_service_name(attributes))
        rc = service_name_add(otlp, &labels);
    if (rc < 0)
        return rc;
    labels_tidy(&labels);
    otlp->resource_labels = labels;
    otlp->resource_stream = push->nstreams;
    return stream_begin(otlp, &labels);
}

int cw_otlp_scope(struct cw_otlp_push *otlp, const struct cw_otlp_scope *scope)
{
    struct cw_otlp_pairs metadata = {0};
    int rc = attributes_add(otlp, CW_OTLP_SCOPE, &scope->attributes, &metadata, &metadata);
    if (rc == 0)
        rc = text_add(otlp, &metadata, "scope_name", scope->name);
    if (rc == 0)
        rc = text_add(otlp, &metadata, "scope_version", scope->version);
    if (rc == 0)
        rc = number_add(otlp, &metadata, "scope_dropped_attributes_count", scope->dropped);
    otlp->scope_metadata = metadata;
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

/* Its labels and its metadata, in Loki's order. */
static int record_pairs(struct cw_otlp_push *otlp, const struct cw_otlp_record *record,
                        struct cw_otlp_pairs *labels, struct cw_otlp_pairs *out)
{
    int rc = attributes_add(otlp, CW_OTLP_LOG, &record->attributes, labels, out);
    if (rc == 0 && cw_otlp_mapping_labels_severity(otlp->options.mapping))
        rc = text_add(otlp, labels, "severity_text", record->severity_text);
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
    if (rc == 0)
        rc = pairs_add(otlp, out, &otlp->resource_metadata);
    return rc < 0 ? rc : pairs_add(otlp, out, &otlp->scope_metadata);
}

/* The stream of records with these labels of their own, which count before the resource's. */
static int find_stream(struct cw_otlp_push *otlp, const struct cw_otlp_pairs *own, size_t *out)
{
    struct cw_otlp_pairs labels = {0};
    bool added;
    *out = otlp->resource_stream;
    if (own->n == 0)
        return 0;
    int rc = pairs_add(otlp, &labels, &otlp->resource_labels);
    if (rc == 0)
        rc = pairs_add(otlp, &labels, own);
    if (rc < 0)
        return rc;
    labels_tidy(&labels);
    *out += 1 + cw_id_map_put(&otlp->by_labels,
                              cw_labels_hash((struct cw_labels){labels.items, labels.n}), &added);
    return added ? stream_begin(otlp, &labels) : 0;
}

static int add_entry(struct cw_otlp_push *otlp, size_t at, const struct cw_push_entry *entry)
{
    struct cw_push *push = otlp->push;
    struct cw_push_stream *stream = &push->streams[at];
    stream->entries =
        cw_arena_grow(otlp->arena, stream->entries, stream->nentries, &otlp->entries_caps[at],
                      stream->nentries + 1, sizeof(*stream->entries));
    if (cw_arena_refused(otlp->arena) < 0)
        return cw_arena_refused(otlp->arena);
    stream->entries[stream->nentries++] = *entry;
    push->nentries++;
    push->line_bytes += entry->line.len;
    return 0;
}

int cw_otlp_record(struct cw_otlp_push *otlp, const struct cw_otlp_record *record)
{
    uint64_t ts_ns = record->time_ns != 0 ? record->time_ns : record->observed_ns;
    if (ts_ns > INT64_MAX)
        return cw_err_set(otlp->err, CW_E_INVALID,
                          "timestamp: %llu ns do not fit 64 bits with a sign",
                          (unsigned long long)ts_ns);
    if (otlp->push->nentries >= CW_LIMIT_PUSH_ENTRIES)
        return cw_err_set(otlp->err, CW_E_TOO_LARGE, "push has more than %u entries",
                          CW_LIMIT_PUSH_ENTRIES);
    struct cw_push_entry entry = {.ts_ns = ts_ns != 0 ? (int64_t)ts_ns : otlp->now_ns};
    struct cw_otlp_pairs labels = {0}, metadata = {0};
    size_t stream = 0;
    int rc = value_text(otlp, &record->body, &entry.line);
    if (rc == 0)
        rc = record_pairs(otlp, record, &labels, &metadata);
    if (rc == 0)
        rc = find_stream(otlp, &labels, &stream);
    if (rc < 0)
        return rc;
    entry.metadata = metadata.items;
    entry.nmetadata = (uint32_t)metadata.n;
    return add_entry(otlp, stream, &entry);
}

void cw_otlp_end(struct cw_otlp_push *otlp)
{
    struct cw_push *push = otlp->push;
    size_t n = 0;
    for (size_t i = 0; i < push->nstreams; i++)
        if (push->streams[i].nentries > 0)
            push->streams[n++] = push->streams[i];
    push->nstreams = n;
    cw_id_map_fini(&otlp->by_labels);
}
