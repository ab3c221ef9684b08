/*
 * push_otlp_json.c - OTLP's ExportLogsServiceRequest in JSON: protobuf's names in camel case (or as they are in protobuf), 64-bit
 * numbers as strings or numbers, ids in hexadecimal, bytes in base64.
 *
 * A resource or scope may stand behind what is of it: the reader of that is kept, and it is read afterwards. Unknown keys are
 * passed over, null is as good as nothing.
 */
#include "common/base/base64.h"
#include "common/base/limits.h"
#include "common/wire/json_reader.h"
#include "common/wire/otlp.h"

struct decoder {
    struct cw_json_reader json;
    struct cw_otlp_push otlp;
    struct cw_err *err;
};

static int refuse(struct decoder *d, const char *sentence)
{
    return cw_json_error(&d->json, d->err, sentence);
}

/* Is the key protobuf's `snake`, or that in camel case? */
static bool is_key(struct cw_str key, const char *snake)
{
    size_t at = 0;
    if (cw_str_eqz(key, snake))
        return true;
    for (const char *c = snake; *c != 0; c++) {
        char want = *c;
        if (*c == '_')
            want = (char)(*++c - 'a' + 'A');
        if (at == key.len || key.ptr[at++] != want)
            return false;
    }
    return at == key.len;
}

static int read_text(struct decoder *d, int event, struct cw_str *out)
{
    if (event == CW_JSON_NULL)
        return 0;
    if (event != CW_JSON_STRING)
        return refuse(d, "a text must be a string");
    *out = d->json.text;
    return 0;
}

static int read_u64(struct decoder *d, int event, uint64_t *out)
{
    if (event == CW_JSON_NULL)
        return 0;
    if ((event != CW_JSON_STRING && event != CW_JSON_NUMBER) || !cw_str_to_u64(d->json.text, out))
        return refuse(d, "a number must be one of 64 bits without a sign");
    return 0;
}

static int read_u32(struct decoder *d, int event, uint32_t *out)
{
    uint64_t value = 0;
    int rc = read_u64(d, event, &value);
    if (rc == 0 && value > UINT32_MAX)
        return refuse(d, "a number must be one of 32 bits without a sign");
    *out = (uint32_t)value;
    return rc;
}

/* An id of `bytes` bytes. */
static int read_id(struct decoder *d, int event, size_t bytes, struct cw_str *out)
{
    struct cw_str text = CW_STR("");
    int rc = read_text(d, event, &text);
    if (rc < 0 || text.len == 0)
        return rc;
    char *id = cw_arena_alloc(d->otlp.arena, bytes);
    for (size_t i = 0; i < bytes; i++) {
        int high = 2 * i + 1 < text.len ? cw_str_hex_digit(text.ptr[2 * i]) : -1;
        int low = 2 * i + 1 < text.len ? cw_str_hex_digit(text.ptr[2 * i + 1]) : -1;
        if (high < 0 || low < 0 || text.len != 2 * bytes)
            return refuse(d, bytes == 16 ? "a traceId must have 32 hexadecimal digits"
                                         : "a spanId must have 16 hexadecimal digits");
        id[i] = (char)(high << 4 | low);
    }
    *out = cw_str_make(id, bytes);
    return 0;
}

static int read_bytes(struct decoder *d, int event, struct cw_str *out)
{
    struct cw_str text = CW_STR("");
    int rc = read_text(d, event, &text);
    if (rc < 0)
        return rc;
    struct cw_buf bytes;
    cw_buf_init(&bytes, CW_LIMIT_PUSH_RAW_BYTES);
    if (!cw_base64_decode(text, &bytes))
        rc = refuse(d, "bytesValue must be base64");
    *out = cw_arena_dup(d->otlp.arena, cw_buf_str(&bytes));
    cw_buf_fini(&bytes);
    return rc;
}

static int read_value(struct decoder *d, int event, unsigned depth, struct cw_otlp_value *out);

/* {"key": ..., "value": ...}; the object has begun. */
static int read_pair(struct decoder *d, unsigned depth, struct cw_otlp_item *out)
{
    for (;;) {
        int rc = cw_json_next(&d->json, d->err);
        if (rc < 0 || rc == CW_JSON_OBJECT_END)
            return rc < 0 ? rc : 0;
        struct cw_str key = d->json.text;
        rc = cw_json_next(&d->json, d->err);
        if (rc < 0)
            return rc;
        if (is_key(key, "key"))
            rc = read_text(d, rc, &out->key);
        else if (is_key(key, "value"))
            rc = read_value(d, rc, depth, &out->value);
        else
            rc = cw_json_skip_rest(&d->json, rc, d->err);
        if (rc < 0)
            return rc;
    }
}

/* A list of values, or of pairs. */
static int read_items(struct decoder *d, int event, enum cw_otlp_kind kind, unsigned depth,
                      struct cw_otlp_items *items)
{
    if (event == CW_JSON_NULL)
        return 0;
    if (event != CW_JSON_ARRAY)
        return refuse(d, "values and attributes must be an array");
    for (;;) {
        int rc = cw_json_next(&d->json, d->err);
        if (rc < 0 || rc == CW_JSON_ARRAY_END)
            return rc < 0 ? rc : 0;
        struct cw_otlp_item item = {.key = CW_STR("")};
        if (rc != CW_JSON_OBJECT)
            return refuse(d, "a value or an attribute must be an object");
        rc = kind == CW_OTLP_MAP ? read_pair(d, depth, &item)
                                 : read_value(d, rc, depth, &item.value);
        struct cw_otlp_item *added = rc < 0 ? NULL : cw_otlp_item_add(&d->otlp, items);
        if (added == NULL)
            return rc < 0 ? rc : CW_E_TOO_LARGE;
        *added = item;
    }
}

/* {"values": [...]} */
static int read_list(struct decoder *d, int event, enum cw_otlp_kind kind, unsigned depth,
                     struct cw_otlp_value *out)
{
    out->kind = kind;
    if (event == CW_JSON_NULL)
        return 0;
    if (event != CW_JSON_OBJECT)
        return refuse(d, "arrayValue and kvlistValue must be objects");
    if (depth == CW_OTLP_DEPTH)
        return refuse(d, "a value is nested too deep");
    for (;;) {
        int rc = cw_json_next(&d->json, d->err);
        if (rc < 0 || rc == CW_JSON_OBJECT_END)
            return rc < 0 ? rc : 0;
        bool values = is_key(d->json.text, "values");
        rc = cw_json_next(&d->json, d->err);
        if (rc >= 0)
            rc = values ? read_items(d, rc, kind, depth + 1, &out->items)
                        : cw_json_skip_rest(&d->json, rc, d->err);
        if (rc < 0)
            return rc;
    }
}

static int read_int(struct decoder *d, int event, struct cw_otlp_value *out)
{
    out->kind = CW_OTLP_INT;
    if ((event != CW_JSON_STRING && event != CW_JSON_NUMBER) ||
        !cw_str_to_i64(d->json.text, &out->integer))
        return refuse(d, "intValue must be a number of 64 bits");
    return 0;
}

static int read_double(struct decoder *d, int event, struct cw_otlp_value *out)
{
    out->kind = CW_OTLP_DOUBLE;
    if ((event != CW_JSON_STRING && event != CW_JSON_NUMBER) ||
        !cw_str_to_f64(d->json.text, &out->number))
        return refuse(d, "doubleValue must be a number");
    return 0;
}

static int read_value_member(struct decoder *d, struct cw_str key, int event, unsigned depth,
                             struct cw_otlp_value *out)
{
    if (is_key(key, "string_value")) {
        out->kind = CW_OTLP_STRING;
        out->text = CW_STR("");
        return read_text(d, event, &out->text);
    }
    if (is_key(key, "bool_value")) {
        out->kind = CW_OTLP_BOOL;
        out->integer = event == CW_JSON_TRUE;
        return event == CW_JSON_TRUE || event == CW_JSON_FALSE
                   ? 0
                   : refuse(d, "boolValue must be true or false");
    }
    if (is_key(key, "int_value"))
        return read_int(d, event, out);
    if (is_key(key, "double_value"))
        return read_double(d, event, out);
    if (is_key(key, "bytes_value")) {
        out->kind = CW_OTLP_BYTES;
        return read_bytes(d, event, &out->text);
    }
    if (is_key(key, "array_value"))
        return read_list(d, event, CW_OTLP_ARRAY, depth, out);
    if (is_key(key, "kvlist_value"))
        return read_list(d, event, CW_OTLP_MAP, depth, out);
    return cw_json_skip_rest(&d->json, event, d->err);
}

/* `event` began it. */
static int read_value(struct decoder *d, int event, unsigned depth, struct cw_otlp_value *out)
{
    *out = (struct cw_otlp_value){0};
    if (event == CW_JSON_NULL)
        return 0;
    if (event != CW_JSON_OBJECT)
        return refuse(d, "a value must be an object");
    for (;;) {
        int rc = cw_json_next(&d->json, d->err);
        if (rc < 0 || rc == CW_JSON_OBJECT_END)
            return rc < 0 ? rc : 0;
        struct cw_str key = d->json.text;
        rc = cw_json_next(&d->json, d->err);
        if (rc >= 0)
            rc = read_value_member(d, key, rc, depth, out);
        if (rc < 0)
            return rc;
    }
}

static int read_record_member(struct decoder *d, struct cw_str key, int event,
                              struct cw_otlp_record *record)
{
    if (is_key(key, "time_unix_nano"))
        return read_u64(d, event, &record->time_ns);
    if (is_key(key, "observed_time_unix_nano"))
        return read_u64(d, event, &record->observed_ns);
    if (is_key(key, "severity_number")) {
        uint32_t number = 0;
        int rc = read_u32(d, event, &number);
        record->severity_number = (int32_t)number;
        return rc;
    }
    if (is_key(key, "severity_text"))
        return read_text(d, event, &record->severity_text);
    if (is_key(key, "event_name"))
        return read_text(d, event, &record->event_name);
    if (is_key(key, "body"))
        return read_value(d, event, 0, &record->body);
    if (is_key(key, "attributes"))
        return read_items(d, event, CW_OTLP_MAP, 0, &record->attributes);
    if (is_key(key, "dropped_attributes_count"))
        return read_u32(d, event, &record->dropped);
    if (is_key(key, "flags"))
        return read_u32(d, event, &record->flags);
    if (is_key(key, "trace_id"))
        return read_id(d, event, 16, &record->trace_id);
    if (is_key(key, "span_id"))
        return read_id(d, event, 8, &record->span_id);
    return cw_json_skip_rest(&d->json, event, d->err);
}

/* The object has begun, here and below. */
static int read_record(struct decoder *d)
{
    struct cw_otlp_record record = {0};
    for (;;) {
        int rc = cw_json_next(&d->json, d->err);
        if (rc == CW_JSON_OBJECT_END)
            return cw_otlp_record(&d->otlp, &record);
        if (rc < 0)
            return rc;
        struct cw_str key = d->json.text;
        rc = cw_json_next(&d->json, d->err);
        if (rc >= 0)
            rc = read_record_member(d, key, rc, &record);
        if (rc < 0)
            return rc;
    }
}

/* A list of objects, each to `read`. */
static int each(struct decoder *d, int (*read)(struct decoder *d))
{
    int rc = cw_json_next(&d->json, d->err);
    if (rc < 0 || rc == CW_JSON_NULL)
        return rc < 0 ? rc : 0;
    if (rc != CW_JSON_ARRAY)
        return refuse(d, "resourceLogs, scopeLogs and logRecords must be arrays");
    for (;;) {
        rc = cw_json_next(&d->json, d->err);
        if (rc < 0 || rc == CW_JSON_ARRAY_END)
            return rc < 0 ? rc : 0;
        if (rc != CW_JSON_OBJECT)
            return refuse(d, "resourceLogs, scopeLogs and logRecords must hold objects");
        rc = read(d);
        if (rc < 0)
            return rc;
    }
}

/* What is of a resource or scope, once that is known: read it where it stood, and go on where the reader is now. */
static int each_later(struct decoder *d, const struct cw_json_reader *there,
                      int (*read)(struct decoder *d))
{
    struct cw_json_reader here = d->json;
    d->json = *there;
    int rc = each(d, read);
    if (rc == 0)
        d->json = here;
    return rc;
}

static int read_scope(struct decoder *d, int event, void *out)
{
    struct cw_otlp_scope *scope = out;
    if (event == CW_JSON_NULL)
        return 0;
    if (event != CW_JSON_OBJECT)
        return refuse(d, "a scope must be an object");
    for (;;) {
        int rc = cw_json_next(&d->json, d->err);
        if (rc < 0 || rc == CW_JSON_OBJECT_END)
            return rc < 0 ? rc : 0;
        struct cw_str key = d->json.text;
        rc = cw_json_next(&d->json, d->err);
        if (rc < 0)
            return rc;
        if (is_key(key, "name"))
            rc = read_text(d, rc, &scope->name);
        else if (is_key(key, "version"))
            rc = read_text(d, rc, &scope->version);
        else if (is_key(key, "attributes"))
            rc = read_items(d, rc, CW_OTLP_MAP, 0, &scope->attributes);
        else if (is_key(key, "dropped_attributes_count"))
            rc = read_u32(d, rc, &scope->dropped);
        else
            rc = cw_json_skip_rest(&d->json, rc, d->err);
        if (rc < 0)
            return rc;
    }
}

/* Fill `out` from the value that begins with `event`. */
typedef int (*read_head_fn)(struct decoder *d, int event, void *out);

/* A list that is read when what stands beside it is known. */
struct later {
    struct cw_json_reader at;
    bool present;
};

/* An object with a head, and a list of what the head is of, in any order. */
static int read_group(struct decoder *d, const char *head_key, read_head_fn read_head, void *head,
                      const char *list_key, struct later *list)
{
    *list = (struct later){.present = false};
    for (;;) {
        int rc = cw_json_next(&d->json, d->err);
        if (rc < 0 || rc == CW_JSON_OBJECT_END)
            return rc < 0 ? rc : 0;
        if (is_key(d->json.text, list_key)) {
            *list = (struct later){d->json, true};
            rc = cw_json_skip(&d->json, d->err);
        } else if (is_key(d->json.text, head_key)) {
            rc = cw_json_next(&d->json, d->err);
            if (rc >= 0)
                rc = read_head(d, rc, head);
        } else {
            rc = cw_json_skip(&d->json, d->err);
        }
        if (rc < 0)
            return rc;
    }
}

static int read_scope_logs(struct decoder *d)
{
    struct cw_otlp_scope scope = {0};
    struct later records;
    int rc = read_group(d, "scope", read_scope, &scope, "log_records", &records);
    if (rc == 0)
        rc = cw_otlp_scope(&d->otlp, &scope);
    return rc == 0 && records.present ? each_later(d, &records.at, read_record) : rc;
}

static int read_resource(struct decoder *d, int event, void *out)
{
    if (event == CW_JSON_NULL)
        return 0;
    if (event != CW_JSON_OBJECT)
        return refuse(d, "a resource must be an object");
    for (;;) {
        int rc = cw_json_next(&d->json, d->err);
        if (rc < 0 || rc == CW_JSON_OBJECT_END)
            return rc < 0 ? rc : 0;
        bool wanted = is_key(d->json.text, "attributes");
        rc = cw_json_next(&d->json, d->err);
        if (rc >= 0)
            rc = wanted ? read_items(d, rc, CW_OTLP_MAP, 0, out)
                        : cw_json_skip_rest(&d->json, rc, d->err);
        if (rc < 0)
            return rc;
    }
}

static int read_resource_logs(struct decoder *d)
{
    struct cw_otlp_items attributes = {0};
    struct later scopes;
    int rc = read_group(d, "resource", read_resource, &attributes, "scope_logs", &scopes);
    if (rc == 0)
        rc = cw_otlp_resource(&d->otlp, &attributes);
    return rc == 0 && scopes.present ? each_later(d, &scopes.at, read_scope_logs) : rc;
}

int cw_push_otlp_json_decode(struct cw_str body, const struct cw_otlp_options *options,
                             struct cw_arena *arena, int64_t now_ns, struct cw_push *out,
                             struct cw_err *err)
{
    struct decoder d = {.err = err};
    cw_otlp_begin(&d.otlp, options, arena, now_ns, out, err);
    cw_json_reader_init(&d.json, body, arena);
    d.json.lone_surrogates = CW_JSON_SURROGATES_REPLACED; /* as OTLP's Go libraries read them */
    int rc = cw_json_next(&d.json, err);
    if (rc >= 0 && rc != CW_JSON_OBJECT)
        rc = refuse(&d, "a logs request must be an object");
    while (rc >= 0) {
        rc = cw_json_next(&d.json, err);
        if (rc < 0 || rc == CW_JSON_OBJECT_END)
            break;
        rc = is_key(d.json.text, "resource_logs") ? each(&d, read_resource_logs)
                                                  : cw_json_skip(&d.json, err);
    }
    cw_otlp_end(&d.otlp);
    return rc < 0 ? rc : 0;
}
