/*
 * push_otlp_protobuf.c - OTLP's ExportLogsServiceRequest in protobuf.
 *
 *   Request      { repeated ResourceLogs = 1; }
 *   ResourceLogs { Resource = 1; repeated ScopeLogs = 2; }          Resource { repeated KeyValue attributes = 1; }
 *   ScopeLogs    { Scope = 1; repeated LogRecord = 2; }
 *   Scope        { string name = 1; string version = 2; repeated KeyValue attributes = 3; uint32 dropped = 4; }
 *   LogRecord    { fixed64 time = 1; int32 severity_number = 2; string severity_text = 3; AnyValue body = 5;
 *                  repeated KeyValue attributes = 6; uint32 dropped = 7; fixed32 flags = 8; bytes trace_id = 9;
 *                  bytes span_id = 10; fixed64 observed_time = 11; string event_name = 12; }
 *   KeyValue     { string key = 1; AnyValue value = 2; }
 *   AnyValue     { string = 1; bool = 2; int64 = 3; double = 4; ArrayValue = 5; KeyValueList = 6; bytes = 7; }
 *   ArrayValue   { repeated AnyValue = 1; }                         KeyValueList { repeated KeyValue = 1; }
 *
 * A resource or scope may stand behind what is of it, so its message is walked twice.
 */
#include <string.h>

#include "common/wire/otlp.h"
#include "common/wire/protobuf_reader.h"

enum {
    REQUEST_RESOURCES = 1,
    RESOURCE_LOGS_RESOURCE = 1,
    RESOURCE_LOGS_SCOPES = 2,
    RESOURCE_ATTRIBUTES = 1,
    SCOPE_LOGS_SCOPE = 1,
    SCOPE_LOGS_RECORDS = 2,
    SCOPE_NAME = 1,
    SCOPE_VERSION = 2,
    SCOPE_ATTRIBUTES = 3,
    SCOPE_DROPPED = 4,
    RECORD_TIME = 1,
    RECORD_SEVERITY_NUMBER = 2,
    RECORD_SEVERITY_TEXT = 3,
    RECORD_BODY = 5,
    RECORD_ATTRIBUTES = 6,
    RECORD_DROPPED = 7,
    RECORD_FLAGS = 8,
    RECORD_TRACE_ID = 9,
    RECORD_SPAN_ID = 10,
    RECORD_OBSERVED_TIME = 11,
    RECORD_EVENT_NAME = 12,
    PAIR_KEY = 1,
    PAIR_VALUE = 2,
    VALUE_STRING = 1,
    VALUE_BOOL = 2,
    VALUE_INT = 3,
    VALUE_DOUBLE = 4,
    VALUE_ARRAY = 5,
    VALUE_MAP = 6,
    VALUE_BYTES = 7,
    LIST_ITEMS = 1,
};

static int read_value(struct cw_otlp_push *otlp, struct cw_str message, unsigned depth,
                      struct cw_otlp_value *out);

static int read_pair(struct cw_otlp_push *otlp, struct cw_str message, unsigned depth,
                     struct cw_otlp_items *items)
{
    struct cw_otlp_item *item = cw_otlp_item_add(otlp, items);
    if (item == NULL)
        return CW_E_TOO_LARGE;
    struct cw_protobuf_reader reader = cw_protobuf_reader_make(message);
    struct cw_protobuf_field field;
    enum cw_protobuf_step step;
    struct cw_otlp_value value = {0};
    while ((step = cw_protobuf_next(&reader, &field)) == CW_PROTOBUF_FIELD) {
        if (field.wire != CW_PROTOBUF_BYTES)
            continue;
        if (field.number == PAIR_KEY)
            item->key = field.bytes;
        int rc = field.number == PAIR_VALUE ? read_value(otlp, field.bytes, depth, &value) : 0;
        if (rc < 0)
            return rc;
    }
    item->value = value;
    return step == CW_PROTOBUF_BAD ? cw_protobuf_error("attribute", otlp->err) : 0;
}

static int read_items(struct cw_otlp_push *otlp, struct cw_str message, enum cw_otlp_kind kind,
                      unsigned depth, struct cw_otlp_items *items)
{
    struct cw_protobuf_reader reader = cw_protobuf_reader_make(message);
    struct cw_protobuf_field field;
    enum cw_protobuf_step step;
    if (depth == CW_OTLP_DEPTH)
        return cw_err_set(otlp->err, CW_E_INVALID, "a value is nested more than %d deep",
                          CW_OTLP_DEPTH);
    while ((step = cw_protobuf_next(&reader, &field)) == CW_PROTOBUF_FIELD) {
        if (field.number != LIST_ITEMS || field.wire != CW_PROTOBUF_BYTES)
            continue;
        int rc;
        if (kind == CW_OTLP_MAP) {
            rc = read_pair(otlp, field.bytes, depth + 1, items);
        } else {
            struct cw_otlp_value value;
            rc = read_value(otlp, field.bytes, depth + 1, &value);
            struct cw_otlp_item *item = rc < 0 ? NULL : cw_otlp_item_add(otlp, items);
            if (item == NULL)
                return rc < 0 ? rc : CW_E_TOO_LARGE;
            item->value = value;
        }
        if (rc < 0)
            return rc;
    }
    return step == CW_PROTOBUF_BAD ? cw_protobuf_error("list of values", otlp->err) : 0;
}

static int read_value(struct cw_otlp_push *otlp, struct cw_str message, unsigned depth,
                      struct cw_otlp_value *out)
{
    struct cw_protobuf_reader reader = cw_protobuf_reader_make(message);
    struct cw_protobuf_field field;
    enum cw_protobuf_step step;
    *out = (struct cw_otlp_value){0};
    while ((step = cw_protobuf_next(&reader, &field)) == CW_PROTOBUF_FIELD) {
        int rc = 0;
        if (field.wire == CW_PROTOBUF_BYTES &&
            (field.number == VALUE_ARRAY || field.number == VALUE_MAP)) {
            *out = (struct cw_otlp_value){.kind = field.number == VALUE_ARRAY ? CW_OTLP_ARRAY
                                                                              : CW_OTLP_MAP};
            rc = read_items(otlp, field.bytes, out->kind, depth, &out->items);
        } else if (field.wire == CW_PROTOBUF_BYTES &&
                   (field.number == VALUE_STRING || field.number == VALUE_BYTES)) {
            *out = (struct cw_otlp_value){.kind = field.number == VALUE_STRING ? CW_OTLP_STRING
                                                                               : CW_OTLP_BYTES,
                                          .text = field.bytes};
        } else if (field.wire == CW_PROTOBUF_VARINT &&
                   (field.number == VALUE_BOOL || field.number == VALUE_INT)) {
            bool boolean = field.number == VALUE_BOOL;
            *out = (struct cw_otlp_value){.kind = boolean ? CW_OTLP_BOOL : CW_OTLP_INT,
                                          .integer =
                                              boolean ? field.value != 0 : (int64_t)field.value};
        } else if (field.wire == CW_PROTOBUF_FIXED64 && field.number == VALUE_DOUBLE) {
            *out = (struct cw_otlp_value){.kind = CW_OTLP_DOUBLE};
            memcpy(&out->number, &field.value, sizeof(out->number));
        }
        if (rc < 0)
            return rc;
    }
    return step == CW_PROTOBUF_BAD ? cw_protobuf_error("value", otlp->err) : 0;
}

static int read_resource(struct cw_otlp_push *otlp, struct cw_str message,
                         struct cw_otlp_items *attributes)
{
    struct cw_protobuf_reader reader = cw_protobuf_reader_make(message);
    struct cw_protobuf_field field;
    enum cw_protobuf_step step;
    while ((step = cw_protobuf_next(&reader, &field)) == CW_PROTOBUF_FIELD) {
        if (field.number != RESOURCE_ATTRIBUTES || field.wire != CW_PROTOBUF_BYTES)
            continue;
        int rc = read_pair(otlp, field.bytes, 0, attributes);
        if (rc < 0)
            return rc;
    }
    return step == CW_PROTOBUF_BAD ? cw_protobuf_error("resource", otlp->err) : 0;
}

static int read_scope(struct cw_otlp_push *otlp, struct cw_str message, struct cw_otlp_scope *scope)
{
    struct cw_protobuf_reader reader = cw_protobuf_reader_make(message);
    struct cw_protobuf_field field;
    enum cw_protobuf_step step;
    while ((step = cw_protobuf_next(&reader, &field)) == CW_PROTOBUF_FIELD) {
        int rc = 0;
        if (field.wire == CW_PROTOBUF_VARINT && field.number == SCOPE_DROPPED)
            scope->dropped = (uint32_t)field.value;
        if (field.wire != CW_PROTOBUF_BYTES)
            continue;
        switch (field.number) {
        case SCOPE_NAME: scope->name = field.bytes; break;
        case SCOPE_VERSION: scope->version = field.bytes; break;
        case SCOPE_ATTRIBUTES: rc = read_pair(otlp, field.bytes, 0, &scope->attributes); break;
        }
        if (rc < 0)
            return rc;
    }
    return step == CW_PROTOBUF_BAD ? cw_protobuf_error("scope", otlp->err) : 0;
}

static void record_number(const struct cw_protobuf_field *field, struct cw_otlp_record *record)
{
    switch (field->number) {
    case RECORD_TIME: record->time_ns = field->value; break;
    case RECORD_OBSERVED_TIME: record->observed_ns = field->value; break;
    case RECORD_SEVERITY_NUMBER: record->severity_number = (int32_t)field->value; break;
    case RECORD_DROPPED: record->dropped = (uint32_t)field->value; break;
    case RECORD_FLAGS: record->flags = (uint32_t)field->value; break;
    }
}

static int read_record(struct cw_otlp_push *otlp, struct cw_str message)
{
    struct cw_protobuf_reader reader = cw_protobuf_reader_make(message);
    struct cw_protobuf_field field;
    enum cw_protobuf_step step;
    struct cw_otlp_record record = {0};
    while ((step = cw_protobuf_next(&reader, &field)) == CW_PROTOBUF_FIELD) {
        int rc = 0;
        if (field.wire != CW_PROTOBUF_BYTES) {
            record_number(&field, &record);
            continue;
        }
        switch (field.number) {
        case RECORD_SEVERITY_TEXT: record.severity_text = field.bytes; break;
        case RECORD_EVENT_NAME: record.event_name = field.bytes; break;
        case RECORD_TRACE_ID: record.trace_id = field.bytes; break;
        case RECORD_SPAN_ID: record.span_id = field.bytes; break;
        case RECORD_BODY: rc = read_value(otlp, field.bytes, 0, &record.body); break;
        case RECORD_ATTRIBUTES: rc = read_pair(otlp, field.bytes, 0, &record.attributes); break;
        }
        if (rc < 0)
            return rc;
    }
    if (step == CW_PROTOBUF_BAD)
        return cw_protobuf_error("log record", otlp->err);
    if ((record.trace_id.len != 0 && record.trace_id.len != 16) ||
        (record.span_id.len != 0 && record.span_id.len != 8))
        return cw_err_set(otlp->err, CW_E_INVALID,
                          "log record: a trace_id has 16 bytes, a span_id 8");
    return cw_otlp_record(otlp, &record);
}

/* The fields `number` of a message, each to `read`. */
static int each(struct cw_otlp_push *otlp, struct cw_str message, uint32_t number, const char *what,
                int (*read)(struct cw_otlp_push *otlp, struct cw_str message))
{
    struct cw_protobuf_reader reader = cw_protobuf_reader_make(message);
    struct cw_protobuf_field field;
    enum cw_protobuf_step step;
    while ((step = cw_protobuf_next(&reader, &field)) == CW_PROTOBUF_FIELD) {
        int rc =
            field.number == number && field.wire == CW_PROTOBUF_BYTES ? read(otlp, field.bytes) : 0;
        if (rc < 0)
            return rc;
    }
    return step == CW_PROTOBUF_BAD ? cw_protobuf_error(what, otlp->err) : 0;
}

/* The last field `number` of a message; empty when there is none. What is broken is found by who reads all of it. */
static struct cw_str one(struct cw_str message, uint32_t number)
{
    struct cw_protobuf_reader reader = cw_protobuf_reader_make(message);
    struct cw_protobuf_field field;
    struct cw_str found = CW_STR("");
    while (cw_protobuf_next(&reader, &field) == CW_PROTOBUF_FIELD)
        if (field.number == number && field.wire == CW_PROTOBUF_BYTES)
            found = field.bytes;
    return found;
}

static int read_scope_logs(struct cw_otlp_push *otlp, struct cw_str message)
{
    struct cw_otlp_scope scope = {0};
    int rc = read_scope(otlp, one(message, SCOPE_LOGS_SCOPE), &scope);
    if (rc == 0)
        rc = cw_otlp_scope(otlp, &scope);
    return rc < 0 ? rc : each(otlp, message, SCOPE_LOGS_RECORDS, "scope logs", read_record);
}

static int read_resource_logs(struct cw_otlp_push *otlp, struct cw_str message)
{
    struct cw_otlp_items attributes = {0};
    int rc = read_resource(otlp, one(message, RESOURCE_LOGS_RESOURCE), &attributes);
    if (rc == 0)
        rc = cw_otlp_resource(otlp, &attributes);
    return rc < 0 ? rc
                  : each(otlp, message, RESOURCE_LOGS_SCOPES, "resource logs", read_scope_logs);
}

int cw_push_otlp_protobuf_decode(struct cw_str body, const struct cw_otlp_options *options,
                                 struct cw_arena *arena, int64_t now_ns, struct cw_push *out,
                                 struct cw_err *err)
{
    struct cw_otlp_push otlp;
    cw_otlp_begin(&otlp, options, arena, now_ns, out, err);
    int rc = each(&otlp, body, REQUEST_RESOURCES, "logs request", read_resource_logs);
    cw_otlp_end(&otlp);
    return rc;
}
