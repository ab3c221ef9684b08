/* detected_routes.c - what Grafana's Logs Drilldown asks: labels, fields, patterns, and the limits that it keeps to. */
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/wire/json_writer.h"
#include "querier/api/query_limits.h"
#include "querier/api/query_routes.h"
#include "querier/api/request_query.h"
#include "querier/engine/detected_fields.h"
#include "querier/engine/detected_labels.h"
#include "querier/engine/patterns.h"

/* Fields, or values of one, in an answer. */
#define DEFAULT_LIMIT 1000

/* ---- labels ---- */

static void write_labels(const struct cw_detected_labels *labels, struct cw_buf *out)
{
    struct cw_json_writer w = cw_json_writer_make(out);
    cw_json_begin_object(&w);
    if (labels->n > 0) {
        cw_json_key(&w, CW_STR("detectedLabels"));
        cw_json_begin_array(&w);
        for (size_t i = 0; i < labels->n; i++) {
            cw_json_begin_object(&w);
            cw_json_key_string(&w, "label", labels->items[i].name);
            cw_json_key_u64(&w, "cardinality", labels->items[i].cardinality);
            cw_json_end_object(&w);
        }
        cw_json_end_array(&w);
    }
    cw_json_end_object(&w);
}

int cw_route_detected_labels(struct cw_api_request *request, struct cw_err *err)
{
    struct cw_listing listing = {.what = CW_LIST_STREAMS};
    struct cw_query *query = NULL;
    const struct cw_selector *selector;
    struct cw_str text = cw_http_param(request->http, "query");
    struct cw_detected_labels labels;
    int rc = cw_params_bounds(&request->params, &listing.start_ns, &listing.end_ns, err);
    if (rc == 0)
        rc = cw_params_check_bounds(listing.start_ns, listing.end_ns, err);
    if (rc == 0)
        rc = cw_request_allowed(request, text, NULL, CW_RULE_ENABLED, err);
    if (rc == 0 && text.len > 0) {
        rc = cw_request_selector(request, text, &query, err);
        if (rc == 0) {
            selector = &query->root->selector;
            listing.selectors = &selector;
            listing.nselectors = 1;
        }
    }
    if (rc == 0)
        rc = cw_query_limits_range(&request->limits, request->params.now_ns, &listing.start_ns,
                                   listing.end_ns, err);
    if (rc == 0)
        rc = cw_detected_labels_query(&request->query, &listing, request->arena, &labels, err);
    if (rc == 0)
        write_labels(&labels, &request->body);
    cw_query_free(&query);
    return rc;
}

/* ---- fields ---- */

static int parse_fields(struct cw_api_request *request, struct cw_detected_options *out,
                        struct cw_query **query_out, struct cw_err *err)
{
    const struct cw_params *params = &request->params;
    struct cw_str limit = cw_http_param(request->http, "limit");
    int64_t step_ns;
    if (limit.len == 0)
        limit = cw_http_param(request->http, "field_limit");
    int rc = cw_params_bounds(params, &out->start_ns, &out->end_ns, err);
    if (rc == 0)
        rc = cw_params_check_bounds(out->start_ns, out->end_ns, err);
    if (rc == 0)
        rc = cw_params_count(cw_http_param(request->http, "line_limit"), CW_PARAMS_DEFAULT_LIMIT,
                             &out->line_limit, err);
    if (rc == 0)
        rc = cw_params_count(limit, DEFAULT_LIMIT, &out->limit, err);
    if (rc == 0) /* nothing is counted by it, but a wrong one is refused */
        rc = cw_params_step(params, out->start_ns, out->end_ns, &step_ns, err);
    struct cw_str text = cw_http_param(request->http, "query");
    if (rc == 0)
        rc = cw_request_query(request, text, query_out, err);
    if (rc == 0 && cw_expr_is_metric((*query_out)->root))
        rc = cw_err_set(err, CW_E_INVALID, "only log selector is supported");
    if (rc == 0) /* Loki asks for its lines as an instant query would: any selector will do */
        rc = cw_request_allowed(request, text, (*query_out)->root, CW_RULES_INSTANT, err);
    if (rc == 0)
        rc = cw_query_limits_entries(&request->limits, out->line_limit, err);
    if (rc == 0)
        rc = cw_query_limits_range(&request->limits, params->now_ns, &out->start_ns, out->end_ns,
                                   err);
    out->sample_bytes = cw_api_page_bytes(request);
    return rc;
}

static void write_parsers(struct cw_json_writer *w, unsigned parsers)
{
    cw_json_key(w, CW_STR("parsers"));
    if (parsers == CW_FIELD_BY_NONE) {
        cw_json_null(w);
        return;
    }
    cw_json_begin_array(w);
    if (parsers & CW_FIELD_BY_JSON)
        cw_json_string(w, CW_STR("json"));
    if (parsers & CW_FIELD_BY_LOGFMT)
        cw_json_string(w, CW_STR("logfmt"));
    cw_json_end_array(w);
}

static void write_texts(struct cw_json_writer *w, const char *key, const struct cw_str *texts,
                        size_t n)
{
    cw_json_key(w, cw_str_of(key));
    cw_json_begin_array(w);
    for (size_t i = 0; i < n; i++)
        cw_json_string(w, texts[i]);
    cw_json_end_array(w);
}

static void write_field(struct cw_json_writer *w, const struct cw_detected_field *field)
{
    cw_json_begin_object(w);
    cw_json_key_string(w, "label", field->name);
    cw_json_key_string(w, "type", cw_str_of(cw_field_type_name(field->type)));
    cw_json_key_u64(w, "cardinality", field->cardinality);
    write_parsers(w, field->parsers);
    if (field->njson_path > 0)
        write_texts(w, "jsonPath", field->json_path, field->njson_path);
    cw_json_end_object(w);
}

static void write_fields(const struct cw_detected_fields *fields, uint32_t limit,
                         struct cw_buf *out)
{
    struct cw_json_writer w = cw_json_writer_make(out);
    cw_json_begin_object(&w);
    if (fields->n > 0) {
        cw_json_key(&w, CW_STR("fields"));
        cw_json_begin_array(&w);
        for (size_t i = 0; i < fields->n; i++)
            write_field(&w, &fields->items[i]);
        cw_json_end_array(&w);
        cw_json_key_u64(&w, "limit", limit);
    }
    cw_json_end_object(&w);
}

int cw_route_detected_fields(struct cw_api_request *request, struct cw_err *err)
{
    struct cw_detected_options options;
    struct cw_detected_fields fields;
    struct cw_query *query = NULL;
    int rc = parse_fields(request, &options, &query, err);
    if (rc == 0)
        rc = cw_detected_fields_query(&request->query, query->root, &options, request->arena,
                                      &fields, err);
    if (rc == 0)
        write_fields(&fields, options.limit, &request->body);
    cw_query_free(&query);
    return rc;
}

static void write_values(const struct cw_detected_values *values, uint32_t limit,
                         struct cw_buf *out)
{
    struct cw_json_writer w = cw_json_writer_make(out);
    cw_json_begin_object(&w);
    if (values->n > 0) {
        write_texts(&w, "values", values->items, values->n);
        cw_json_key_u64(&w, "limit", limit);
    }
    cw_json_end_object(&w);
}

int cw_route_detected_values(struct cw_api_request *request, struct cw_err *err)
{
    struct cw_detected_options options;
    struct cw_detected_values values;
    struct cw_query *query = NULL;
    int rc = parse_fields(request, &options, &query, err);
    if (rc == 0)
        rc = cw_detected_values_query(&request->query, query->root, &options,
                                      cw_http_path_param(request->http, "name"), request->arena,
                                      &values, err);
    if (rc == 0)
        write_values(&values, options.limit, &request->body);
    cw_query_free(&query);
    return rc;
}

/* ---- patterns ---- */

/* Steps and samples of patterns are whole seconds. */
static int64_t whole_seconds(int64_t step_ns)
{
    int64_t seconds = step_ns / CW_NS_PER_S + (step_ns % CW_NS_PER_S != 0);
    return CW_MIN(seconds, INT64_MAX / CW_NS_PER_S) * CW_NS_PER_S;
}

static void write_samples(struct cw_json_writer *w, const struct cw_patterns *patterns,
                          const struct cw_pattern_series *series)
{
    cw_json_key(w, CW_STR("samples"));
    cw_json_begin_array(w);
    for (size_t i = 0; i < series->n; i++) {
        int64_t ns =
            cw_patterns_step_ns(patterns->first_ns, patterns->step_ns, series->samples[i].step);
        cw_json_begin_array(w);
        cw_json_i64(w, ns / CW_NS_PER_S);
        cw_json_u64(w, series->samples[i].count);
        cw_json_end_array(w);
    }
    cw_json_end_array(w);
}

static int answer_patterns(struct cw_api_request *request, const struct cw_patterns *patterns,
                           struct cw_err *err)
{
    struct cw_json_writer w = cw_json_writer_make(&request->body);
    int rc = 0;
    cw_json_begin_object(&w);
    cw_json_key_string(&w, "status", CW_STR("success"));
    cw_answer_warning(&w, cw_api_extra(request, false).warning);
    cw_json_key(&w, CW_STR("data"));
    cw_json_begin_array(&w);
    for (size_t i = 0; rc == 0 && i < patterns->n; i++) {
        const struct cw_pattern_series *series = &patterns->series[i];
        cw_json_begin_object(&w);
        cw_json_key_string(&w, "pattern", series->text);
        cw_json_key_string(&w, "level", cw_level_names[series->level]);
        write_samples(&w, patterns, series);
        cw_json_end_object(&w);
        rc = cw_api_body_pass_on(request, err);
    }
    cw_json_end_array(&w);
    cw_json_end_object(&w);
    return rc == 0 ? cw_api_body_end(request, err) : rc;
}

int cw_route_patterns(struct cw_api_request *request, struct cw_err *err)
{
    struct cw_query *query = NULL;
    struct cw_patterns patterns;
    int64_t start_ns, end_ns, step_ns;
    int rc = cw_params_bounds(&request->params, &start_ns, &end_ns, err);
    if (rc == 0)
        rc = cw_params_step(&request->params, start_ns, end_ns, &step_ns, err);
    struct cw_str text = cw_http_param(request->http, "query");
    if (rc == 0)
        rc = cw_request_selector(request, text, &query, err);
    if (rc == 0)
        rc = cw_request_allowed(request, text, query->root, CW_RULE_SELECTORS, err);
    if (rc == 0)
        rc =
            cw_query_limits_range(&request->limits, request->params.now_ns, &start_ns, end_ns, err);
    if (rc == 0) {
        rc = cw_patterns_query(&request->query, query->root, start_ns, end_ns,
                               whole_seconds(step_ns), &patterns, err);
        if (rc == 0)
            rc = answer_patterns(request, &patterns, err);
        cw_patterns_fini(&patterns);
    }
    cw_query_free(&query);
    return rc;
}

/* ---- limits ---- */

int cw_route_drilldown_limits(struct cw_api_request *request, struct cw_err *err)
{
    (void)err;
    struct cw_json_writer w = cw_json_writer_make(&request->body);
    const struct cw_querier_options *options = &request->api->options;
    cw_json_begin_object(&w);
    cw_json_key(&w, CW_STR("limits"));
    options->published_limits(options->ctx, request->tenant, &w);
    cw_json_key(&w, CW_STR("pattern_ingester_enabled"));
    cw_json_bool(&w, true);
    cw_json_key_string(&w, "version", CW_STR(CW_VERSION));
    cw_json_end_object(&w);
    return 0;
}
