/* delivery.c - the JSON between shipper and ingester: small documents, read by jansson, written by hand. */
#include "common/wire/delivery.h"
#include <jansson.h>
#include <stdio.h>

void cw_id128_format(const struct cw_id128 *id, char out[33])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof(id->bytes); i++) {
        out[2 * i] = digits[id->bytes[i] >> 4];
        out[2 * i + 1] = digits[id->bytes[i] & 15];
    }
    out[32] = '\0';
}

bool cw_id128_parse(struct cw_str hex, struct cw_id128 *out)
{
    struct cw_id128 id;
    if (hex.len != 32)
        return false;
    for (size_t i = 0; i < sizeof(id.bytes); i++) {
        int hi = cw_str_hex_digit(hex.ptr[2 * i]), lo = cw_str_hex_digit(hex.ptr[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        id.bytes[i] = (uint8_t)(hi << 4 | lo);
    }
    *out = id;
    return true;
}

static void add_id(struct cw_buf *out, const struct cw_id128 *id)
{
    char hex[33];
    cw_id128_format(id, hex);
    cw_buf_addc(out, '"');
    cw_buf_add(out, hex, 32);
    cw_buf_addc(out, '"');
}

static void add_marks(struct cw_buf *out, const struct cw_delivery_mark *marks, size_t n)
{
    cw_buf_addz(out, "\"marks\":[");
    for (size_t i = 0; i < n; i++) {
        cw_buf_addz(out, i ? ",{\"source\":" : "{\"source\":");
        add_id(out, &marks[i].source);
        cw_buf_addf(out, ",\"generation\":%llu,\"offset\":%llu}",
                    (unsigned long long)marks[i].generation, (unsigned long long)marks[i].offset);
    }
    cw_buf_addc(out, ']');
}

void cw_delivery_ask_encode(const struct cw_delivery_ask *ask, struct cw_buf *out)
{
    cw_buf_addz(out, "{\"shipper\":");
    add_id(out, &ask->shipper);
    cw_buf_addz(out, ",\"sessions\":[");
    for (size_t i = 0; i < ask->nsessions; i++) {
        if (i)
            cw_buf_addc(out, ',');
        add_id(out, &ask->sessions[i]);
    }
    cw_buf_addz(out, "]}");
}

void cw_delivery_marks_encode(const struct cw_id128 *shipper, const struct cw_id128 *session,
                              const struct cw_delivery_mark *marks, size_t n, struct cw_buf *out)
{
    cw_buf_addz(out, "{\"shipper\":");
    add_id(out, shipper);
    cw_buf_addz(out, ",\"session\":");
    add_id(out, session);
    cw_buf_addc(out, ',');
    add_marks(out, marks, n);
    cw_buf_addc(out, '}');
}

void cw_delivery_refusal_encode(const char *code, struct cw_str error,
                                const struct cw_delivery_mark *marks, size_t n, struct cw_buf *out)
{
    cw_buf_addf(out, "{\"code\":\"%s\",\"error\":\"", code);
    for (size_t i = 0; i < error.len; i++) {
        unsigned char c = (unsigned char)error.ptr[i];
        if (c == '"' || c == '\\')
            cw_buf_addf(out, "\\%c", c);
        else if (c < 0x20)
            cw_buf_addf(out, "\\u%04x", c);
        else
            cw_buf_addc(out, (char)c);
    }
    cw_buf_addc(out, '"');
    if (marks) {
        cw_buf_addc(out, ',');
        add_marks(out, marks, n);
    }
    cw_buf_addc(out, '}');
}

/* The document's root; the caller releases it with json_decref(). NULL: err is set. */
static json_t *load_object(struct cw_str body, struct cw_err *err)
{
    json_error_t e;
    json_t *root = json_loadb(body.ptr ? body.ptr : "", body.len, JSON_REJECT_DUPLICATES, &e);
    if (!root) {
        cw_err_set(err, CW_E_INVALID, "not valid JSON: %s", e.text);
        return NULL;
    }
    if (!json_is_object(root)) {
        json_decref(root);
        cw_err_set(err, CW_E_INVALID, "not a JSON object");
        return NULL;
    }
    return root;
}

static bool get_id(const json_t *value, struct cw_id128 *out)
{
    return json_is_string(value) &&
           cw_id128_parse(cw_str_make(json_string_value(value), json_string_length(value)), out);
}

int cw_delivery_ask_decode(struct cw_str body, struct cw_arena *arena, struct cw_delivery_ask *out,
                           struct cw_err *err)
{
    int rc = 0;
    struct cw_delivery_ask ask = {0};
    if (body.len > CW_DELIVERY_ASK_BYTES)
        return cw_err_set(err, CW_E_TOO_LARGE, "the request is larger than %u bytes",
                          CW_DELIVERY_ASK_BYTES);
    json_t *root = load_object(body, err);
    if (!root)
        return CW_E_INVALID;
    const json_t *sessions = json_object_get(root, "sessions");
    if (!get_id(json_object_get(root, "shipper"), &ask.shipper)) {
        rc = cw_err_set(err, CW_E_INVALID, "shipper must be 32 hex digits");
        goto done;
    }
    if (!json_is_array(sessions) || json_array_size(sessions) == 0 ||
        json_array_size(sessions) > CW_DELIVERY_SESSIONS_MAX) {
        rc = cw_err_set(err, CW_E_INVALID, "sessions must be a list of 1 to %d ids",
                        CW_DELIVERY_SESSIONS_MAX);
        goto done;
    }
    ask.nsessions = json_array_size(sessions);
    ask.sessions = CW_ARENA_ARRAY(arena, struct cw_id128, ask.nsessions);
    for (size_t i = 0; i < ask.nsessions; i++)
        if (!get_id(json_array_get(sessions, i), &ask.sessions[i])) {
            rc = cw_err_set(err, CW_E_INVALID, "sessions[%zu] must be 32 hex digits", i);
            goto done;
        }
    *out = ask;
done:
    json_decref(root);
    return rc;
}

static struct cw_str get_text(const json_t *root, const char *name, struct cw_arena *arena)
{
    const json_t *value = json_object_get(root, name);
    if (!json_is_string(value))
        return CW_STR_NONE;
    return cw_arena_dup(arena, cw_str_make(json_string_value(value), json_string_length(value)));
}

static int decode_marks(const json_t *list, struct cw_arena *arena, struct cw_delivery_answer *out,
                        struct cw_err *err)
{
    size_t n = json_array_size(list);
    out->marks = CW_ARENA_ARRAY(arena, struct cw_delivery_mark, n);
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(list, i);
        const json_t *generation = json_object_get(item, "generation"),
                     *offset = json_object_get(item, "offset");
        if (!get_id(json_object_get(item, "source"), &out->marks[i].source) ||
            !json_is_integer(generation) || !json_is_integer(offset) ||
            json_integer_value(generation) < 0 || json_integer_value(offset) < 0)
            return cw_err_set(err, CW_E_INVALID, "marks[%zu] is not a mark", i);
        out->marks[i].generation = (uint64_t)json_integer_value(generation);
        out->marks[i].offset = (uint64_t)json_integer_value(offset);
    }
    out->nmarks = n;
    return 0;
}

int cw_delivery_answer_decode(struct cw_str body, struct cw_arena *arena,
                              struct cw_delivery_answer *out, struct cw_err *err)
{
    int rc = 0;
    struct cw_delivery_answer answer = {0};
    if (body.len > CW_DELIVERY_ANSWER_BYTES)
        return cw_err_set(err, CW_E_TOO_LARGE, "the answer is larger than %u bytes",
                          CW_DELIVERY_ANSWER_BYTES);
    json_t *root = load_object(body, err);
    if (!root)
        return CW_E_INVALID;
    answer.code = get_text(root, "code", arena);
    answer.error = get_text(root, "error", arena);
    const json_t *marks = json_object_get(root, "marks");
    if (json_is_array(marks))
        rc = decode_marks(marks, arena, &answer, err);
    json_decref(root);
    if (rc == 0)
        *out = answer;
    return rc;
}
