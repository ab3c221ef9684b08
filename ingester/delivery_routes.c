#include "ingester/delivery_routes.h"

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "ingester/push.h"

struct sources_op {
    struct cw_store_op op;
    struct cw_http_request *request; /* owns the arena that this lives in */
    struct cw_str tenant;
    struct cw_delivery_ask ask;
    bool one_shipper; /* list: of ask.shipper alone */
    bool twin;        /* the store's session is none of the shipper's */
    struct cw_err refused;
    struct cw_buf body;
};

static void respond_code(struct cw_http_request *request, const struct cw_err *err)
{
    struct cw_buf body;
    if (cw_err_http_status(err->code) != 400) {
        cw_http_respond_err(request, err);
        return;
    }
    cw_buf_init(&body, 1 << 16);
    cw_delivery_refusal_encode(CW_DELIVERY_CODE_REQUEST, cw_str_of(err->text), NULL, 0, &body);
    cw_http_respond(request, 400, "application/json", &body);
    cw_buf_fini(&body);
}

static void sources_finish(struct cw_store_op *base, int rc, const struct cw_err *err)
{
    struct sources_op *op = CW_CONTAINER_OF(base, struct sources_op, op);
    struct cw_http_request *request = op->request;
    struct cw_buf body = op->body;
    bool twin = op->twin;
    if (rc < 0 || op->refused.code < 0) {
        cw_buf_fini(&body);
        respond_code(request, rc < 0 ? err : &op->refused);
        return;
    }
    cw_http_respond(request, twin ? 409 : 200, "application/json", &body);
    cw_buf_fini(&body);
}

/* ---- asks ---- */

struct mark_list {
    struct cw_delivery_mark *items;
    size_t n, cap;
};

static void collect_mark(void *arg, const struct cw_wal_mark *mark)
{
    struct mark_list *list = arg;
    if (list->n == list->cap) {
        list->cap = list->cap ? 2 * list->cap : 64;
        list->items = cw_mem_resize(list->items, list->cap * sizeof(*list->items));
    }
    list->items[list->n++] =
        (struct cw_delivery_mark){mark->source, mark->generation, mark->offset};
}

static bool knows(const struct cw_delivery_ask *ask, const struct cw_id128 *session)
{
    for (size_t i = 0; i < ask->nsessions; i++)
        if (memcmp(ask->sessions[i].bytes, session->bytes, sizeof(session->bytes)) == 0)
            return true;
    return false;
}

/* The newest session becomes the store's, unless a later start of the same state directory was here already. */
static int register_session(struct sources_op *op, struct cw_store *store, struct cw_err *err)
{
    struct cw_marks *marks = cw_store_marks(store);
    const struct cw_id128 *newest = &op->ask.sessions[op->ask.nsessions - 1];
    const struct cw_id128 *known = cw_marks_session(marks, &op->ask.shipper);
    int64_t now_ns = cw_clock_now_ns();
    if (known && memcmp(known->bytes, newest->bytes, sizeof(newest->bytes)) == 0)
        return 0;
    if (cw_marks_set_session(marks, &op->ask.shipper, newest, now_ns, &op->refused) < 0)
        return 0;
    struct cw_wal_frame frame = {.kind = CW_WAL_SESSION,
                                 .received_ns = now_ns,
                                 .shipper = op->ask.shipper,
                                 .session = *newest};
    return cw_store_append(store, &frame, err);
}

static int ask_prepare(struct cw_store_op *base, struct cw_store *store, struct cw_err *err)
{
    struct sources_op *op = CW_CONTAINER_OF(base, struct sources_op, op);
    struct cw_marks *marks = cw_store_marks(store);
    const struct cw_id128 *known = cw_marks_session(marks, &op->ask.shipper);
    if (known && !knows(&op->ask, known)) {
        op->twin = true;
        cw_delivery_refusal_encode(
            CW_DELIVERY_CODE_SESSION,
            CW_STR("the store knows another session: this state directory is a copy"), NULL, 0,
            &op->body);
        return 0;
    }
    int rc = register_session(op, store, err);
    if (rc < 0 || op->refused.code < 0)
        return rc;
    struct mark_list list = {0};
    cw_marks_each(marks, op->tenant, &op->ask.shipper, collect_mark, &list);
    cw_delivery_marks_encode(&op->ask.shipper, &op->ask.sessions[op->ask.nsessions - 1], list.items,
                             list.n, &op->body);
    free(list.items);
    return 0;
}

/* ---- lists ---- */

static void list_mark(void *arg, const struct cw_wal_mark *mark)
{
    struct cw_buf *out = arg;
    char shipper[33], source[33];
    cw_id128_format(&mark->shipper, shipper);
    cw_id128_format(&mark->source, source);
    if (out->ptr[out->len - 1] == '}')
        cw_buf_addc(out, ',');
    cw_buf_addf(out,
                "{\"shipper\":\"%s\",\"source\":\"%s\",\"generation\":%llu,\"offset\":%llu,"
                "\"confirmed\":%llu,\"last_push\":\"",
                shipper, source, (unsigned long long)mark->generation,
                (unsigned long long)mark->offset, (unsigned long long)mark->confirmed);
    cw_time_format_rfc3339(mark->last_ns, out);
    cw_buf_addz(out, "\"}");
}

static int list_prepare(struct cw_store_op *base, struct cw_store *store, struct cw_err *err)
{
    struct sources_op *op = CW_CONTAINER_OF(base, struct sources_op, op);
    (void)err;
    cw_buf_addz(&op->body, "{\"sources\":[");
    cw_marks_each(cw_store_marks(store), op->tenant, op->one_shipper ? &op->ask.shipper : NULL,
                  list_mark, &op->body);
    cw_buf_addz(&op->body, "]}");
    return 0;
}

/* ---- handlers ---- */

static struct sources_op *sources_op_new(struct cw_http_request *request)
{
    struct sources_op *op = CW_ARENA_NEW(cw_http_arena(request), struct sources_op);
    op->request = request;
    op->op.finish = sources_finish;
    cw_buf_init(&op->body, CW_DELIVERY_ANSWER_BYTES);
    return op;
}

static void sources_submit(struct cw_ingester *ingester, struct sources_op *op, int rc,
                           struct cw_err *err)
{
    if (rc == 0)
        rc = cw_store_submit(ingester->store, &op->op, err);
    if (rc < 0)
        respond_code(op->request, err);
}

void cw_delivery_ask_handle(struct cw_http_request *request, void *ctx)
{
    struct cw_ingester *ingester = ctx;
    struct cw_err err = {0};
    struct sources_op *op = sources_op_new(request);
    op->op.prepare = ask_prepare;
    int rc = cw_tenants_of(ingester->tenants, request, &op->tenant, &err);
    if (rc == 0)
        rc = cw_delivery_ask_decode(cw_http_body(request), cw_http_arena(request), &op->ask, &err);
    sources_submit(ingester, op, rc, &err);
}

void cw_delivery_list_handle(struct cw_http_request *request, void *ctx)
{
    struct cw_ingester *ingester = ctx;
    struct cw_err err = {0};
    struct sources_op *op = sources_op_new(request);
    op->op.prepare = list_prepare;
    int rc = cw_tenants_of(ingester->tenants, request, &op->tenant, &err);
    op->one_shipper = cw_http_has_param(request, "shipper");
    if (rc == 0 && op->one_shipper &&
        !cw_id128_parse(cw_http_param(request, "shipper"), &op->ask.shipper))
        rc = cw_err_set(&err, CW_E_INVALID, "shipper must be 32 hex digits");
    sources_submit(ingester, op, rc, &err);
}
