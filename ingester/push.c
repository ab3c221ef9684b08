#include "ingester/push.h"

#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/codec.h"
#include "common/base/limits.h"
#include "ingester/ingester_metrics.h"
#include "ingester/push_check.h"

enum protocol { PROTOCOL_LOKI, PROTOCOL_OTLP };

/* How the answer was decided on the WAL thread. */
enum outcome { OUTCOME_STORED, OUTCOME_REPEAT, OUTCOME_RANGE, OUTCOME_SESSION, OUTCOME_FULL };

struct push_op {
    struct cw_store_op op;
    struct cw_ingester *ingester;
    struct cw_http_request *request; /* owns the arena that this lives in */
    enum protocol protocol;
    struct cw_str tenant;
    struct cw_push push;
    struct cw_discovery *discovery; /* a reference */
    struct cw_otlp_mapping *otlp;   /* likewise */
    struct cw_push_checked checked;
    struct cw_buf unwrapped; /* protobuf in snappy that came in gzip or deflate */
    struct cw_buf raw;       /* the decompressed body, which the push borrows from */
    struct cw_buf packed;    /* the accepted set, where the body as received is not that */
    struct cw_err refused;   /* why memory was not given; code 0: it was */
    struct cw_wal_frame frame;
    int64_t now_ns;
    struct cw_head_dropped dropped;
    enum outcome outcome;
    struct cw_delivery_mark *marks; /* of the ranges: to be, or as they are (409) */
};

/* ---- answers ---- */

/* google.rpc.Status { string message = 2; }, whatever the request was: so does Loki, and with 503 for 500, which OTLP's clients do
 * not repeat. */
static void respond_otlp_error(struct cw_http_request *request, int status, struct cw_str text)
{
    enum { STATUS_MESSAGE = 2 << 3 | 2 /* of bytes */ };
    struct cw_buf body;
    cw_buf_init(&body, text.len + 16);
    cw_buf_addc(&body, STATUS_MESSAGE);
    for (size_t n = text.len; true; n >>= 7) {
        cw_buf_addc(&body, (char)(n < 0x80 ? n : n | 0x80));
        if (n < 0x80)
            break;
    }
    cw_buf_adds(&body, text);
    cw_http_respond(request, status == 500 ? 503 : status, "application/octet-stream", &body);
    cw_buf_fini(&body);
}

static void respond_text(const struct push_op *op, int status, struct cw_str text)
{
    if (op->protocol == PROTOCOL_OTLP) {
        respond_otlp_error(op->request, status, text);
        return;
    }
    struct cw_buf body;
    cw_buf_init(&body, text.len + 1);
    cw_buf_adds(&body, text);
    cw_buf_addc(&body, '\n');
    cw_http_respond(op->request, status, "text/plain; charset=utf-8", &body);
    cw_buf_fini(&body);
}

static void respond_error(const struct push_op *op, const struct cw_err *err)
{
    if (op->protocol == PROTOCOL_LOKI) {
        cw_http_respond_err(op->request, err);
        return;
    }
    if (cw_err_retryable(err->code))
        cw_http_set_header(op->request, "Retry-After", "1");
    respond_otlp_error(op->request, cw_err_http_status(err->code), cw_str_of(err->text));
}

static void respond_refusal(struct push_op *op, const char *code, const char *sentence,
                            size_t nmarks)
{
    struct cw_buf body;
    cw_buf_init(&body, CW_DELIVERY_ANSWER_BYTES);
    cw_delivery_refusal_encode(code, cw_str_of(sentence), nmarks ? op->marks : NULL, nmarks, &body);
    cw_http_respond(op->request, 409, "application/json", &body);
    cw_buf_fini(&body);
}

static void count_push(const struct push_op *op)
{
    struct cw_metrics *metrics = op->ingester->metrics;
    size_t nentries = op->push.nentries - op->dropped.n;
    for (size_t i = 0; i < CW_DISCARD_NREASONS; i++) {
        size_t n = i == CW_DISCARD_DUPLICATE ? op->dropped.n : op->checked.ndiscarded[i];
        struct cw_str labels[] = {cw_str_of(cw_discard_names[i]), op->tenant};
        if (n > 0)
            cw_metric_add(cw_metrics_child(metrics, CW_M_DISCARDED, labels), (int64_t)n);
    }
    cw_metric_add(cw_metrics_child(metrics, CW_M_RECEIVED_BYTES, &op->tenant),
                  (int64_t)cw_http_body(op->request).len);
    cw_metric_add(cw_metrics_child(metrics, CW_M_RECEIVED_LINES, &op->tenant), (int64_t)nentries);
    cw_metric_add(cw_metrics_child(metrics, CW_M_RECEIVED_LINE_BYTES, &op->tenant),
                  (int64_t)op->push.line_bytes);
}

/* Of a delivery it is told how many entries are at fault, as Loki does of all pushes: a shipper gives up a batch at once of which no
 * entry is good. */
static struct cw_str refused_text(const struct push_op *op)
{
    size_t n = 0;
    for (size_t i = 0; i < CW_DISCARD_NREASONS; i++)
        n += op->checked.ndiscarded[i];
    if (!op->push.delivery.present || n == 1)
        return op->checked.first;
    return cw_arena_printf(cw_http_arena(op->request), "%zu errors like: %.*s", n,
                           CW_STR_ARG(op->checked.first));
}

/* Answer, and with the request goes the op. */
static void push_answer(struct push_op *op, const struct cw_err *err)
{
    static const char *const refused[] = {[OUTCOME_REPEAT] = "repeat",
                                          [OUTCOME_RANGE] = "range",
                                          [OUTCOME_SESSION] = "session",
                                          [OUTCOME_FULL] = "full"};
    struct cw_http_request *request = op->request;
    struct cw_err full = {0};
    cw_buf_fini(&op->unwrapped);
    cw_buf_fini(&op->raw);
    cw_buf_fini(&op->packed);
    cw_discovery_unref(&op->discovery);
    cw_otlp_mapping_unref(&op->otlp);
    if (!err && op->outcome == OUTCOME_STORED)
        count_push(op);
    free(op->dropped.items);
    if (err) {
        respond_error(op, err);
        return;
    }
    if (op->outcome != OUTCOME_STORED) {
        struct cw_str reason = cw_str_of(refused[op->outcome]);
        cw_metric_add(cw_metrics_child(op->ingester->metrics, CW_M_DELIVERY_REFUSED, &reason), 1);
    }
    switch (op->outcome) {
    case OUTCOME_STORED:
        if (op->checked.first.len > 0) {
            respond_text(op, 400, refused_text(op));
            return;
        }
        break;
    case OUTCOME_REPEAT: break;
    case OUTCOME_RANGE:
        respond_refusal(op, CW_DELIVERY_CODE_RANGE, "the ranges do not begin at their marks",
                        op->push.delivery.nranges);
        return;
    case OUTCOME_SESSION:
        respond_refusal(op, CW_DELIVERY_CODE_SESSION,
                        "the session is not the one that the store knows: ask", 0);
        return;
    case OUTCOME_FULL:
        cw_err_set(&full, CW_E_OVERLOAD, "the store knows %u sources already", CW_MARKS_MAX);
        respond_error(op, &full);
        return;
    }
    cw_http_respond(request, 204, NULL, NULL);
}

/* ---- on the WAL thread ---- */

/* Does the delivery fit? If not, the outcome says why. */
static bool delivery_fits(struct push_op *op, const struct cw_marks *marks)
{
    const struct cw_push_delivery *delivery = &op->push.delivery;
    enum cw_marks_verdict verdict = cw_marks_check(marks, op->tenant, delivery);
    switch (verdict) {
    case CW_MARKS_NEW: return true;
    case CW_MARKS_REPEAT: op->outcome = OUTCOME_REPEAT; return false;
    case CW_MARKS_SESSION: op->outcome = OUTCOME_SESSION; return false;
    case CW_MARKS_FULL: op->outcome = OUTCOME_FULL; return false;
    case CW_MARKS_RANGE: break;
    }
    op->outcome = OUTCOME_RANGE;
    for (size_t i = 0; i < delivery->nranges; i++)
        op->marks[i].offset =
            cw_marks_get(marks, op->tenant, &delivery->shipper, &delivery->ranges[i].source,
                         delivery->ranges[i].generation);
    return false;
}

static int push_prepare(struct cw_store_op *base, struct cw_store *store, struct cw_err *err)
{
    struct push_op *op = CW_CONTAINER_OF(base, struct push_op, op);
    bool delivered = op->push.delivery.present;
    if (delivered && !delivery_fits(op, cw_store_marks(store)))
        return 0;
    struct cw_head_batch batch = {.tenant = op->tenant,
                                  .push = &op->push,
                                  .ids = op->checked.ids,
                                  .duplicates = delivered ? CW_HEAD_KEEP_DUPLICATES
                                                          : CW_HEAD_DROP_DUPLICATES};
    cw_head_append(cw_store_head(store), &batch, &op->dropped);
    if (op->dropped.n == op->push.nentries && !delivered)
        return 0; /* all of it is there already, durable or in this group */
    op->frame.dropped = op->dropped.items;
    op->frame.ndropped = op->dropped.n;
    int rc = cw_store_append(store, &op->frame, err);
    if (rc == 0 && delivered)
        cw_marks_apply(cw_store_marks(store), op->tenant, &op->push.delivery, op->now_ns);
    return rc;
}

static void push_finish(struct cw_store_op *base, int rc, const struct cw_err *err)
{
    struct push_op *op = CW_CONTAINER_OF(base, struct push_op, op);
    push_answer(op, rc < 0 ? err : NULL);
}

/* ---- on a server thread ---- */

static bool token_char(char c)
{
    return c > 0x20 && c < 0x7f && !strchr("()<>@,;:\\\"/[]?=", c);
}

/* The media type of the header, without parameters. Texts are those of Go's mime.ParseMediaType, which Loki shows. */
static int media_type(struct cw_str header, struct cw_str *out, struct cw_err *err)
{
    size_t at = 0;
    struct cw_str type = header;
    ptrdiff_t semicolon = cw_str_find_byte(header, ';');
    if (semicolon >= 0)
        type = cw_str_sub(header, 0, (size_t)semicolon);
    type = cw_str_trim(type);
    if (type.len == 0)
        return cw_err_set(err, CW_E_INVALID, "mime: no media type");
    while (at < type.len && token_char(type.ptr[at]))
        at++;
    if (at == 0)
        return cw_err_set(err, CW_E_INVALID, "mime: expected token");
    if (at < type.len) {
        if (type.ptr[at] != '/')
            return cw_err_set(err, CW_E_INVALID, "mime: expected slash after first token");
        size_t sub = ++at;
        while (at < type.len && token_char(type.ptr[at]))
            at++;
        if (at == sub)
            return cw_err_set(err, CW_E_INVALID, "mime: expected token after slash");
        if (at < type.len)
            return cw_err_set(err, CW_E_INVALID, "mime: unexpected content after media subtype");
    }
    *out = type;
    return 0;
}

/* zlib's two-byte header: Loki takes raw deflate alone. */
static bool looks_like_zlib(struct cw_str body)
{
    const uint8_t *b = (const uint8_t *)body.ptr;
    return body.len >= 2 && (b[0] & 0x8f) == 0x08 && (b[0] << 8 | b[1]) % 31 == 0;
}

/* What Content-Encoding says is around the body. Protobuf is packed in snappy within that; for JSON
 * "snappy" means nothing (Loki takes it so). */
static int content_codec(struct cw_str encoding, struct cw_str body, enum cw_codec *out,
                         struct cw_err *err)
{
    if (encoding.len == 0 || cw_str_eqz(encoding, "snappy") || cw_str_eqz(encoding, "identity")) {
        *out = CW_CODEC_NONE;
    } else if (cw_str_eqz(encoding, "gzip")) {
        *out = CW_CODEC_GZIP;
    } else if (cw_str_eqz(encoding, "deflate")) {
        *out = CW_CODEC_DEFLATE;
        if (looks_like_zlib(body))
            return cw_err_set(
                err, CW_E_INVALID,
                "flate: corrupt input before offset 0: it is zlib's format, not raw deflate");
    } else {
        return cw_err_set(err, CW_E_INVALID, "Content-Encoding \"%.*s\" not supported",
                          CW_STR_ARG(encoding));
    }
    return 0;
}

/* What the header of an OTLP push says; `type` is that of Content-Type. */
static int otlp_codec(struct cw_str encoding, struct cw_str type, enum cw_codec *out,
                      struct cw_err *err)
{
    static const struct {
        const char *name;
        enum cw_codec codec;
    } codecs[] = {{"", CW_CODEC_NONE},
                  {"gzip", CW_CODEC_GZIP},
                  {"zstd", CW_CODEC_ZSTD},
                  {"lz4", CW_CODEC_LZ4_FRAME}};
    if (!cw_str_eqz(type, "application/json") && !cw_str_eqz(type, "application/x-protobuf"))
        return cw_err_set(err, CW_E_INVALID, "content type: %.*s is not supported",
                          CW_STR_ARG(type));
    for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
        if (cw_str_eqz(encoding, codecs[i].name)) {
            *out = codecs[i].codec;
            return 0;
        }
    }
    return cw_err_set(err, CW_E_INVALID,
                      "unsupported content encoding %.*s: only gzip, lz4 and zstd are supported",
                      CW_STR_ARG(encoding));
}

/* A part of the memory budget, held until the answer. Asked by whatever grows while the push is taken apart. */
static int push_take(void *ctx, size_t bytes)
{
    struct push_op *op = ctx;
    if (op->refused.code < 0)
        return op->refused.code;
    return cw_store_admit(op->ingester->store, &op->op.bytes, bytes, &op->refused);
}

/* The error of a step, which may only follow from memory that was refused. */
static int push_reason(const struct push_op *op, int rc, struct cw_err *err)
{
    return op->refused.code < 0 ? cw_err_set(err, op->refused.code, "%s", op->refused.text) : rc;
}

/* At most what there is room for beside its copy in the head: what a small body becomes is not known before. */
static int push_unpack(struct push_op *op, enum cw_codec codec, struct cw_str in,
                       struct cw_buf *buf, struct cw_str *out, struct cw_err *err)
{
    uint64_t max = cw_store_memory_bytes(op->ingester->store) / 2;
    max = CW_MIN(max, CW_LIMIT_PUSH_RAW_BYTES);
    *out = in;
    if (codec == CW_CODEC_NONE)
        return 0;
    int rc = cw_codec_decompress(codec, in, (size_t)max, buf, err);
    if (rc == CW_E_INVALID && codec == CW_CODEC_SNAPPY)
        cw_err_set(err, rc, "snappy: corrupt input"); /* Loki's whole text */
    *out = cw_buf_str(buf);
    return rc;
}

static int push_decode(struct push_op *op, struct cw_err *err)
{
    struct cw_str body = cw_http_body(op->request), type, raw;
    struct cw_arena *arena = cw_http_arena(op->request);
    struct cw_str encoding = cw_http_header(op->request, "Content-Encoding");
    bool otlp = op->protocol == PROTOCOL_OTLP;
    enum cw_codec around;
    int rc = media_type(cw_http_header(op->request, "Content-Type"), &type, err);
    if (rc == 0)
        rc = otlp ? otlp_codec(encoding, type, &around, err)
                  : content_codec(encoding, body, &around, err);
    if (rc < 0)
        return rc;
    bool json = cw_str_eq_nocase(type, CW_STR("application/json"));
    bool snappy = !otlp && !json;
    op->frame.format = json ? CW_WAL_BODY_LOKI_JSON : CW_WAL_BODY_LOKI_PROTOBUF;
    op->frame.codec = snappy ? CW_CODEC_SNAPPY : around;
    if (snappy) /* the frame keeps what is within */
        rc = push_unpack(op, around, body, &op->unwrapped, &body, err);
    if (rc == 0)
        rc = push_unpack(op, op->frame.codec, body, &op->raw, &raw, err);
    if (rc < 0)
        return rc;
    op->frame.body = body;
    op->frame.body_raw = (uint32_t)raw.len;
    const struct cw_otlp_options options = {&cw_discovery_options(op->discovery)->service_names,
                                            op->otlp};
    if (otlp)
        return json
                   ? cw_push_otlp_json_decode(raw, &options, arena, op->now_ns, &op->push, err)
                   : cw_push_otlp_protobuf_decode(raw, &options, arena, op->now_ns, &op->push, err);
    return json ? cw_push_loki_json_decode(raw, arena, &op->push, err)
                : cw_push_loki_protobuf_decode(raw, arena, &op->push, err);
}

/* The accepted set as a body of its own. */
static int push_pack(struct push_op *op, struct cw_err *err)
{
    struct cw_arena *arena = cw_http_arena(op->request);
    struct cw_buf text, plain;
    struct cw_push accepted = op->push;
    accepted.delivery.present = false;
    cw_buf_init(&text, CW_LIMIT_PUSH_RAW_BYTES);
    for (size_t i = 0; i < accepted.nstreams; i++) {
        cw_buf_clear(&text);
        cw_labels_format(accepted.streams[i].labels, &text);
        accepted.streams[i].labels_text = cw_arena_dup(arena, cw_buf_str(&text));
    }
    cw_buf_fini(&text);
    /* JSON's escapes and metadata names can grow a little under other framing. */
    cw_buf_init(&plain, CW_WAL_BODY_BYTES_MAX);
    cw_buf_watch(&plain, push_take, op);
    cw_push_loki_protobuf_encode(&accepted, &plain);
    int rc = cw_buf_failed(&plain)
                 ? cw_err_set(err, CW_E_TOO_LARGE, "the push is too large")
                 : cw_codec_compress(CW_CODEC_LZ4, cw_buf_str(&plain), &op->packed, err);
    op->frame.format = CW_WAL_BODY_LOKI_PROTOBUF;
    op->frame.codec = CW_CODEC_LZ4;
    op->frame.body = cw_buf_str(&op->packed);
    op->frame.body_raw = (uint32_t)plain.len;
    cw_buf_fini(&plain);
    return rc;
}

static void delivery_frame(struct push_op *op)
{
    const struct cw_push_delivery *delivery = &op->push.delivery;
    struct cw_arena *arena = cw_http_arena(op->request);
    struct cw_delivery_mark *confirms =
        CW_ARENA_ARRAY(arena, struct cw_delivery_mark, delivery->nconfirms);
    op->marks = CW_ARENA_ARRAY(arena, struct cw_delivery_mark, delivery->nranges);
    for (size_t i = 0; i < delivery->nranges; i++)
        op->marks[i] = (struct cw_delivery_mark){
            delivery->ranges[i].source, delivery->ranges[i].generation, delivery->ranges[i].to};
    for (size_t i = 0; i < delivery->nconfirms; i++)
        confirms[i] = (struct cw_delivery_mark){delivery->confirms[i].source,
                                                delivery->confirms[i].generation,
                                                delivery->confirms[i].offset};
    op->frame.has_delivery = true;
    op->frame.shipper = delivery->shipper;
    op->frame.marks = op->marks;
    op->frame.nmarks = delivery->nranges;
    op->frame.confirms = confirms;
    op->frame.nconfirms = delivery->nconfirms;
}

/* Everything that needs no order. 0: to be submitted; 1: nothing is to be stored, the outcome is the answer. */
static int push_make(struct push_op *op, struct cw_err *err)
{
    struct cw_ingester_limits limits;
    struct cw_arena *arena = cw_http_arena(op->request);
    op->discovery = cw_tenants_discovery(op->ingester->tenants, op->tenant);
    op->otlp = cw_tenants_otlp(op->ingester->tenants, op->tenant);
    int rc = push_decode(op, err);
    if (rc < 0)
        return rc;
    struct cw_push_delivery *delivery = &op->push.delivery;
    if (op->push.nstreams == 0 && !delivery->present)
        return cw_err_set(err, CW_E_UNPROCESSABLE,
                          "error at least one valid stream is required for ingestion");
    if (delivery->present && (rc = cw_marks_validate(&op->push, err)) < 0)
        return rc;
    cw_tenants_limits(op->ingester->tenants, op->tenant, &limits);
    cw_push_check(&op->push, &limits, op->discovery, op->now_ns, arena, &op->checked);
    rc = push_take(op, cw_head_cost(&op->push));
    if (rc < 0)
        return rc;
    /* A delivery is stored whole or not at all. */
    if (op->push.nentries == 0 || (delivery->present && op->checked.first.len > 0)) {
        if (!delivery->present || op->checked.first.len > 0) {
            op->push.nentries = op->push.line_bytes = 0;
            return 1;
        }
        op->frame.format = CW_WAL_BODY_NONE; /* marks and confirmations alone */
        op->frame.codec = CW_CODEC_NONE;
        op->frame.body = CW_STR_NONE;
        op->frame.body_raw = 0;
    } else if (op->checked.changed || op->protocol == PROTOCOL_OTLP) {
        rc = push_pack(op, err); /* with what was discovered in it */
    } else {
        op->frame.discovery = cw_discovery_encoded(op->discovery);
    }
    if (delivery->present)
        delivery_frame(op);
    return rc;
}

static void push_handle(struct cw_http_request *request, struct cw_ingester *ingester,
                        enum protocol protocol)
{
    struct cw_err err = {0};
    struct push_op *op = CW_ARENA_NEW(cw_http_arena(request), struct push_op);
    op->op.prepare = push_prepare;
    op->op.finish = push_finish;
    op->ingester = ingester;
    op->request = request;
    op->protocol = protocol;
    op->now_ns = cw_clock_now_ns();
    op->frame.kind = CW_WAL_DATA;
    op->frame.received_ns = op->now_ns;
    cw_buf_init(&op->raw, CW_LIMIT_PUSH_RAW_BYTES);
    cw_buf_watch(&op->raw, push_take, op);
    cw_buf_init(&op->unwrapped, CW_WAL_BODY_BYTES_MAX);
    cw_buf_watch(&op->unwrapped, push_take, op);
    cw_buf_init(&op->packed, CW_WAL_BODY_BYTES_MAX);
    cw_buf_watch(&op->packed, push_take, op);
    int rc = cw_tenants_of(ingester->tenants, request, &op->tenant, &err);
    op->frame.tenant = op->tenant;
    if (rc == 0 && !cw_store_ready(ingester->store, &err))
        rc = err.code;
    cw_arena_watch(cw_http_arena(request), push_take, op);
    if (rc == 0)
        rc = push_make(op, &err);
    cw_arena_watch(cw_http_arena(request), NULL, NULL);
    if (rc < 0 || op->refused.code < 0)
        rc = push_reason(op, rc, &err);
    if (rc == 0)
        rc = cw_store_submit(ingester->store, &op->op, &err);
    if (rc == 0)
        return; /* the WAL thread answers, perhaps it has */
    cw_store_release(ingester->store, op->op.bytes);
    push_answer(op, rc < 0 ? &err : NULL);
}

void cw_push_handle(struct cw_http_request *request, void *ctx)
{
    push_handle(request, ctx, PROTOCOL_LOKI);
}

void cw_push_otlp_handle(struct cw_http_request *request, void *ctx)
{
    push_handle(request, ctx, PROTOCOL_OTLP);
}
