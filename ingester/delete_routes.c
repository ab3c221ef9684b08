#include "ingester/delete_routes.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/logql/ast.h"
#include "common/wire/json_writer.h"
#include "ingester/push.h"

/* The longest max_interval that Loki takes by default (delete_max_interval). */
#define MAX_INTERVAL_NS (INT64_C(86400) * CW_NS_PER_S)
/* A list of as many deletes as there may be, with queries of some hundred bytes. */
#define LIST_BYTES_MAX (256u << 20)

/* ---- parameters, as Loki reads them ---- */

/* RFC 3339 (Loki cuts it to milliseconds; here it is exact), or ten digits of Unix seconds. */
static bool parse_time(struct cw_str text, int64_t *ns_out)
{
    int64_t seconds;
    if (cw_time_parse_rfc3339(text, ns_out))
        return true;
    if (text.len != 10 || !cw_str_to_i64(text, &seconds) || seconds < 0)
        return false;
    if (__builtin_mul_overflow(seconds, CW_NS_PER_S, ns_out))
        *ns_out = INT64_MAX;
    return true;
}

static int read_times(const struct cw_http_request *request, struct cw_delete_row *row,
                      struct cw_err *err)
{
    struct cw_str start = cw_http_param(request, "start"), end = cw_http_param(request, "end");
    if (start.len == 0)
        return cw_err_set(err, CW_E_INVALID, "start time not set");
    if (!parse_time(start, &row->first_ns))
        return cw_err_set(err, CW_E_INVALID,
                          "invalid start time: require unix seconds or RFC3339 format");
    row->last_ns = row->created_ns;
    if (end.len > 0 && !parse_time(end, &row->last_ns))
        return cw_err_set(err, CW_E_INVALID,
                          "invalid end time: require unix seconds or RFC3339 format");
    if (row->last_ns > row->created_ns)
        return cw_err_set(err, CW_E_INVALID, "deletes in the future are not allowed");
    if (row->first_ns >= row->last_ns)
        return cw_err_set(err, CW_E_INVALID,
                          "start time can't be greater than or equal to end time");
    return 0;
}

static int fail_duration(struct cw_err *err, const char *text, int64_t ns, const char *behind)
{
    struct cw_buf duration;
    cw_buf_init(&duration, 64);
    cw_duration_format_go(ns, &duration);
    cw_err_set(err, CW_E_INVALID, "%s%s%s", text, cw_buf_z(&duration), behind);
    cw_buf_fini(&duration);
    return CW_E_INVALID;
}

static int64_t floor_ms(int64_t ns)
{
    return ns / CW_NS_PER_MS - (ns % CW_NS_PER_MS < 0);
}

/* Loki cuts a delete with a filter into pieces of this length. There is nothing to cut here, but what it refuses is refused. */
static int check_interval(const struct cw_http_request *request, const struct cw_delete_row *row,
                          struct cw_err *err)
{
    struct cw_str text = cw_http_param(request, "max_interval");
    /* Loki's times are milliseconds. */
    int64_t range_ns, interval_ns, range_ms = floor_ms(row->last_ns) - floor_ms(row->first_ns);
    if (text.len == 0)
        return 0;
    if (__builtin_mul_overflow(range_ms, CW_NS_PER_MS, &range_ns))
        range_ns = INT64_MAX;
    if (!cw_duration_parse_go(text, &interval_ns) || interval_ns < CW_NS_PER_S)
        return cw_err_set(err, CW_E_INVALID,
                          "invalid max_interval: valid time units are 's', 'm', 'h'");
    if (interval_ns > MAX_INTERVAL_NS)
        return fail_duration(err, "max_interval can't be greater than ", MAX_INTERVAL_NS, "");
    if (interval_ns > range_ns)
        return fail_duration(err, "max_interval can't be greater than the interval to be deleted (",
                             range_ns, ")");
    return 0;
}

static int read_query(const struct cw_http_request *request, struct cw_delete_row *row,
                      bool *has_filter_out, struct cw_err *err)
{
    struct cw_entry_test *test;
    row->query = cw_http_param(request, "query");
    if (row->query.len == 0)
        return cw_err_set(err, CW_E_INVALID, "query not set");
    int rc = cw_entry_test_new(row->query, &test, err);
    if (rc < 0) {
        cw_err_wrap(err, "invalid query expression");
        return err->code = CW_E_INVALID; /* a filter that cannot be evaluated here is one, too */
    }
    *has_filter_out = cw_entry_test_filter(test) != NULL;
    cw_entry_test_free(&test);
    return 0;
}

static bool is_forced(const struct cw_http_request *request)
{
    return cw_str_eqz(cw_http_param(request, "force"), "true");
}

/* The tenant, if it may delete. */
static int read_tenant(struct cw_ingester *ingester, const struct cw_http_request *request,
                       struct cw_str *out, struct cw_err *err)
{
    struct cw_ingester_limits limits;
    int rc = cw_tenants_of(ingester->tenants, request, out, err);
    if (rc < 0)
        return rc;
    cw_tenants_limits(ingester->tenants, *out, &limits);
    return limits.deletion_mode != CW_DELETION_DISABLED
               ? 0
               : cw_err_set(err, CW_E_FORBIDDEN, "deletion is not available for this tenant");
}

/* ---- handlers ---- */

static void done(void *arg, int rc, const struct cw_err *err)
{
    if (rc < 0)
        cw_http_respond_err(arg, err);
    else
        cw_http_respond(arg, 204, NULL, NULL);
}

void cw_delete_create_handle(struct cw_http_request *request, void *ctx)
{
    struct cw_ingester *ingester = ctx;
    struct cw_err err = {0};
    struct cw_delete_row row = {.created_ns = cw_clock_now_ns()};
    bool has_filter = false;
    int rc = read_tenant(ingester, request, &row.tenant, &err);
    if (rc == 0)
        rc = read_query(request, &row, &has_filter, &err);
    if (rc == 0)
        rc = read_times(request, &row, &err);
    if (rc == 0 && has_filter)
        rc = check_interval(request, &row, &err);
    row.due_ns = row.created_ns;
    if (!is_forced(request) &&
        __builtin_add_overflow(row.created_ns, ingester->delete_cancel_period_ns, &row.due_ns))
        row.due_ns = INT64_MAX;
    if (rc == 0)
        rc = cw_store_delete(ingester->store, &row, done, request, &err);
    if (rc < 0)
        cw_http_respond_err(request, &err);
}

void cw_delete_cancel_handle(struct cw_http_request *request, void *ctx)
{
    struct cw_ingester *ingester = ctx;
    struct cw_err err = {0};
    struct cw_str tenant;
    int rc = read_tenant(ingester, request, &tenant, &err);
    if (rc == 0)
        rc = cw_store_cancel_delete(ingester->store, tenant, cw_http_param(request, "request_id"),
                                    is_forced(request) ? CW_DELETES_CANCEL_FORCE
                                                       : CW_DELETES_CANCEL_WHOLE,
                                    done, request, &err);
    if (rc < 0)
        cw_http_respond_err(request, &err);
}

/* Seconds with the digits that are needed, as Prometheus' model.Time is written. */
static void key_seconds(struct cw_json_writer *json, const char *name, int64_t ns)
{
    cw_json_key(json, cw_str_of(name));
    cw_json_f64(json, (double)(ns / CW_NS_PER_MS) / 1000);
}

static void list_row(void *arg, const struct cw_delete_row *row,
                     const struct cw_deletes_waits *waits)
{
    struct cw_json_writer *json = arg;
    char id[9];
    snprintf(id, sizeof(id), "%08" PRIx32, row->id);
    cw_json_begin_object(json);
    cw_json_key_string(json, "request_id", cw_str_of(id));
    key_seconds(json, "start_time", row->first_ns);
    key_seconds(json, "end_time", row->last_ns);
    cw_json_key_string(json, "query", row->query);
    cw_json_key_string(json, "status",
                       row->state == CW_DELETE_PROCESSED ? CW_STR("processed")
                                                         : CW_STR("received"));
    key_seconds(json, "created_at", row->created_ns);
    key_seconds(json, "removal_at", row->due_ns);
    cw_json_key_u64(json, "removed_entries", row->nremoved);
    if (row->nunread > 0)
        cw_json_key_u64(json, "unreadable_entries", row->nunread);
    if (waits->refused > 0)
        cw_json_key_u64(json, "damaged_parts", waits->refused);
    if (waits->no_room > 0)
        cw_json_key_u64(json, "parts_without_room", waits->no_room);
    cw_json_end_object(json);
}

void cw_delete_list_handle(struct cw_http_request *request, void *ctx)
{
    struct cw_ingester *ingester = ctx;
    struct cw_err err = {0};
    struct cw_str tenant;
    struct cw_buf body;
    if (read_tenant(ingester, request, &tenant, &err) < 0) {
        cw_http_respond_err(request, &err);
        return;
    }
    cw_buf_init(&body, LIST_BYTES_MAX);
    struct cw_json_writer json = cw_json_writer_make(&body);
    cw_json_begin_array(&json);
    cw_deletes_each(cw_store_deletes(ingester->store), tenant, list_row, &json);
    cw_json_end_array(&json);
    cw_buf_addc(&body, '\n');
    cw_http_respond(request, 200, "application/json", &body);
    cw_buf_fini(&body);
}

static void report_done(void *arg, struct cw_buf *body)
{
    cw_http_respond(arg, 200, "application/json", body);
    cw_buf_fini(body);
}

void cw_delete_retention_handle(struct cw_http_request *request, void *ctx)
{
    struct cw_ingester *ingester = ctx;
    struct cw_err err = {0};
    struct cw_str tenant;
    int rc = cw_tenants_of(ingester->tenants, request, &tenant, &err);
    if (!cw_tenants_auth_enabled(ingester->tenants))
        tenant = CW_STR_NONE; /* there is one: everything is its own */
    if (rc == 0)
        rc = cw_store_retention_report(ingester->store, tenant, report_done, request, &err);
    if (rc < 0)
        cw_http_respond_err(request, &err);
}
