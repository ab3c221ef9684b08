/* delivery.c - the JSON between shipper and ingester, written by hand; what is small is read by jansson. */
#include "common/wire/delivery.h"
#include <jansson.h>
#include <stdio.h>
#include "common/base/assert.h"
#include "common/wire/json_reader.h"

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

/* ---- answers: of as many marks as there are sources, so without a tree of them ---- */

/* The value of a key of a mark. *have collects which there were. */
static int mark_value(struct cw_json_reader *reader, struct cw_str name,
                      struct cw_delivery_mark *mark, unsigned *have, struct cw_err *err)
{
    bool source = cw_str_eqz(name, "source"), generation = cw_str_eqz(name, "generation");
    if (!source && !generation && !cw_str_eqz(name, "offset"))
        return cw_json_skip(reader, err);
    int event = cw_json_next(reader, err);
    uint64_t *number = generation ? &mark->generation : &mark->offset;
    if (event < 0)
        return event;
    if (source && event == CW_JSON_STRING && cw_id128_parse(reader->text, &mark->source))
        *have |= 1;
    else if (!source && event == CW_JSON_NUMBER && cw_str_to_u64(reader->text, number) &&
             *number <= INT64_MAX)
        *have |= generation ? 2 : 4;
    else
        return cw_json_skip_rest(reader, event, err);
    return 0;
}

static int read_mark(struct cw_json_reader *reader, int event, size_t idx,
                     struct cw_delivery_mark *mark, struct cw_err *err)
{
    unsigned have = 0;
    if (event == CW_JSON_OBJECT) {
        while ((event = cw_json_next(reader, err)) == CW_JSON_KEY) {
            int rc = mark_value(reader, reader->text, mark, &have, err);
            if (rc < 0)
                return rc;
        }
        if (event < 0)
            return event;
    }
    return have == 7 ? 0 : cw_err_set(err, CW_E_INVALID, "marks[%zu] is not a mark", idx);
}

static int read_marks(struct cw_json_reader *reader, struct cw_arena *arena,
                      struct cw_delivery_answer *out, struct cw_err *err)
{
    size_t cap = 0;
    int event = cw_json_next(reader, err);
    if (event < 0 || event != CW_JSON_ARRAY)
        return event < 0 ? event : cw_json_skip_rest(reader, event, err);
    out->nmarks = 0;
    out->marks = NULL;
    while ((event = cw_json_next(reader, err)) >= 0 && event != CW_JSON_ARRAY_END) {
        out->marks = cw_arena_grow(arena, out->marks, out->nmarks, &cap, out->nmarks + 1,
                                   sizeof *out->marks);
        int rc = read_mark(reader, event, out->nmarks, &out->marks[out->nmarks], err);
        if (rc < 0)
            return rc;
        out->nmarks++;
    }
    return event < 0 ? event : 0;
}

static int read_text(struct cw_json_reader *reader, struct cw_arena *arena, struct cw_str *out,
                     struct cw_err *err)
{
    int event = cw_json_next(reader, err);
    if (event == CW_JSON_STRING)
        *out = cw_arena_dup(arena, reader->text);
    else if (event >= 0)
        event = cw_json_skip_rest(reader, event, err);
    return event < 0 ? event : 0;
}

static int read_answer(struct cw_json_reader *reader, struct cw_arena *arena,
                       struct cw_delivery_answer *out, struct cw_err *err)
{
    int rc = 0, event = cw_json_next(reader, err);
    if (event < 0)
        return event;
    if (event != CW_JSON_OBJECT)
        return cw_err_set(err, CW_E_INVALID, "not a JSON object");
    while (rc == 0 && (event = cw_json_next(reader, err)) == CW_JSON_KEY) {
        if (cw_str_eqz(reader->text, "code"))
            rc = read_text(reader, arena, &out->code, err);
        else if (cw_str_eqz(reader->text, "error"))
            rc = read_text(reader, arena, &out->error, err);
        else if (cw_str_eqz(reader->text, "marks"))
            rc = read_marks(reader, arena, out, err);
        else
            rc = cw_json_skip(reader, err);
    }
    return rc < 0 ? rc : CW_MIN(event, 0);
}

int cw_delivery_answer_decode(struct cw_str body, struct cw_arena *arena,
                              struct cw_delivery_answer *out, struct cw_err *err)
{
    struct cw_delivery_answer answer = {0};
    struct cw_json_reader reader;
    if (body.len > CW_DELIVERY_ANSWER_BYTES)
        return cw_err_set(err, CW_E_TOO_LARGE, "the answer is larger than %u bytes",
                          CW_DELIVERY_ANSWER_BYTES);
    cw_json_reader_init(&reader, body, arena);
    int rc = read_answer(&reader, arena, &answer, err);
    size_t end = cw_json_offset(&reader);
    if (rc == 0 && cw_str_trim(cw_str_sub(body, end, body.len)).len > 0)
        rc = cw_err_set(err, CW_E_INVALID, "more than a JSON object");
    if (rc == 0)
        *out = answer;
    return rc;
}
