#include <string.h>

#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/logql/ast.h"
#include "common/wire/json_writer.h"
#include "querier/api/query_routes.h"
#include "querier/api/request_query.h"
#include "querier/engine/stream_query.h"
#include "querier/engine/volume.h"

/* Selectors in one request (`match[]`); each costs a pass over the streams. */
#define MAX_SELECTORS 256

/* A list on its way out. */
struct list_answer {
    struct cw_api_request *request;
    struct cw_answer_list list;
};

static int add_item(void *arg, const struct cw_list_item *item, struct cw_err *err)
{
    struct list_answer *answer = arg;
    cw_answer_list_add(&answer->list, item);
    return cw_api_body_pass_on(answer->request, err);
}

static int answer_list(struct cw_api_request *request, const struct cw_listing *listing,
                       enum cw_answer_list_form form, struct cw_err *err)
{
    struct list_answer answer = {.request = request};
    cw_answer_list_begin(&answer.list, form, listing->what, cw_api_extra(request, false).warning,
                         &request->body);
    int rc = cw_stream_query_list(&request->query, listing, add_item, &answer, err);
    if (rc == 0) {
        cw_answer_list_end(&answer.list);
        rc = cw_api_body_end(request, err);
    }
    return rc;
}

static int answer_names(struct cw_api_request *request, enum cw_answer_list_form form,
                        struct cw_err *err)
{
    struct cw_listing listing = {.name = cw_http_path_param(request->http, "name")};
    struct cw_query *query = NULL;
    const struct cw_selector *selector;
    struct cw_str text = cw_http_param(request->http, "query");
    listing.what = listing.name.len > 0 ? CW_LIST_VALUES : CW_LIST_NAMES;
    int rc = cw_request_range(request, &listing.start_ns, &listing.end_ns, err);
    if (rc == 0 && text.len > 0) {
        rc = cw_request_selector(request, text, &query, err);
        if (rc == 0) {
            selector = &query->root->selector;
            listing.selectors = &selector;
            listing.nselectors = 1;
        }
    }
    if (rc == 0)
        rc = answer_list(request, &listing, form, err);
    cw_query_free(&query);
    return rc;
}

int cw_route_labels(struct cw_api_request *request, struct cw_err *err)
{
    return answer_names(request, CW_ANSWER_LIST, err);
}

int cw_route_old_labels(struct cw_api_request *request, struct cw_err *err)
{
    return answer_names(request, CW_ANSWER_OLD_LIST, err);
}

struct selectors {
    struct cw_query *queries[MAX_SELECTORS];
    const struct cw_selector *items[MAX_SELECTORS];
    size_t n;
    bool all; /* {} was asked for: every stream */
};

static int parse_matches(struct cw_api_request *request, const char *name, struct selectors *out,
                         struct cw_err *err)
{
    struct cw_str text;
    for (size_t i = 0; cw_http_param_at(request->http, name, i, &text); i++) {
        if (cw_str_eqz(text, "{}")) {
            out->all = true;
            continue;
        }
        if (out->n == MAX_SELECTORS)
            return cw_err_set(err, CW_E_LIMIT, "more than %d selectors in one request",
                              MAX_SELECTORS);
        int rc = cw_request_selector(request, text, &out->queries[out->n], err);
        if (rc < 0)
            return rc;
        out->items[out->n] = &out->queries[out->n]->root->selector;
        out->n++;
    }
    return 0;
}

int cw_route_series(struct cw_api_request *request, struct cw_err *err)
{
    struct cw_listing listing = {.what = CW_LIST_STREAMS};
    struct selectors *selectors = CW_ARENA_NEW(request->arena, struct selectors);
    int rc = cw_request_range(request, &listing.start_ns, &listing.end_ns, err);
    if (rc == 0)
        rc = cw_request_allowed(request, CW_STR_NONE, NULL, CW_RULE_ENABLED, err);
    if (rc == 0)
        rc = parse_matches(request, "match", selectors, err);
    if (rc == 0)
        rc = parse_matches(request, "match[]", selectors, err);
    listing.selectors = selectors->items;
    listing.nselectors = selectors->all ? 0 : selectors->n;
    if (rc == 0)
        rc = answer_list(request, &listing, CW_ANSWER_LIST, err);
    for (size_t i = 0; i < selectors->n; i++)
        cw_query_free(&selectors->queries[i]);
    return rc;
}

int cw_route_index_stats(struct cw_api_request *request, struct cw_err *err)
{
    struct cw_listing listing = {.what = CW_LIST_STREAMS};
    struct cw_query *query = NULL;
    struct cw_index_stats stats;
    struct cw_range_params checked; /* Loki reads all that a range query has */
    int rc = cw_params_range(&request->params, &checked, err);
    if (rc == 0)
        rc = cw_request_range(request, &listing.start_ns, &listing.end_ns, err);
    if (rc == 0)
        rc = cw_request_selector(request, cw_http_param(request->http, "query"), &query, err);
    if (rc == 0) {
        const struct cw_selector *selector = &query->root->selector;
        listing.selectors = &selector;
        listing.nselectors = 1;
        rc = cw_stream_query_stats(&request->query, &listing, &stats, err);
    }
    cw_query_free(&query);
    if (rc < 0)
        return rc;
    struct cw_json_writer w = cw_json_writer_make(&request->body);
    cw_answer_index_stats(&w, &stats);
    return 0;
}

static void parse_targets(struct cw_api_request *request, struct cw_volume_options *options)
{
    struct cw_str text = cw_http_param(request->http, "targetLabels"), name;
    struct cw_str *names = NULL;
    size_t cap = 0;
    while (cw_str_split(&text, ',', &name)) {
        names = cw_arena_grow(request->arena, names, options->ntargets, &cap, options->ntargets + 1,
                              sizeof *names);
        names[options->ntargets++] = name;
    }
    options->targets = names;
}

/* A parameter of a volume query: a limit of 0 is none. */
static struct cw_str volume_param(const void *ctx, const char *name)
{
    const struct cw_params *params = ctx;
    struct cw_str text = params->get(params->ctx, name);
    int64_t limit;
    bool none = strcmp(name, "limit") == 0 && cw_str_to_i64(text, &limit) && limit == 0;
    return none ? CW_STR_NONE : text;
}

/* Loki counts volumes in milliseconds: outwards to whole ones. */
static void round_to_ms(struct cw_volume_options *options)
{
    int64_t before = options->start_ns % CW_NS_PER_MS, behind = options->end_ns % CW_NS_PER_MS;
    before += before < 0 ? CW_NS_PER_MS : 0;
    behind += behind < 0 ? CW_NS_PER_MS : 0;
    if (__builtin_sub_overflow(options->start_ns, before, &options->start_ns))
        options->start_ns = INT64_MIN;
    if (behind > 0 &&
        __builtin_add_overflow(options->end_ns, CW_NS_PER_MS - behind, &options->end_ns))
        options->end_ns = INT64_MAX;
}

/* What volumes have beside an instant or a range query's parameters, which were read. */
static int parse_volume(struct cw_api_request *request, struct cw_volume_options *options,
                        struct cw_err *err)
{
    struct cw_params params = {volume_param, &request->params, request->params.now_ns};
    uint32_t limit;
    struct cw_str by = cw_http_param(request->http, "aggregateBy");
    int rc = cw_params_bounds(&params, &options->start_ns, &options->end_ns, err);
    if (rc == 0)
        rc = cw_params_check_bounds(options->start_ns, options->end_ns, err);
    if (rc == 0)
        rc = cw_request_range(request, &options->start_ns, &options->end_ns, err);
    if (rc == 0)
        rc = cw_params_limit(&params, &limit, err);
    if (rc < 0)
        return rc;
    round_to_ms(options);
    options->limit = limit;
    options->max_series = request->limits.volume_max_series;
    options->by_label_names = cw_str_eqz(by, "labels");
    if (by.len > 0 && !options->by_label_names && !cw_str_eqz(by, "series"))
        return cw_err_set(err, CW_E_INVALID, "invalid aggregation option");
    parse_targets(request, options);
    return 0;
}

static int run_volume(struct cw_api_request *request, struct cw_volume_options *options,
                      struct cw_err *err)
{
    struct cw_query *query = NULL;
    struct cw_volumes volumes;
    if (!request->limits.volume_enabled)
        return cw_err_set(
            err, CW_E_NOT_FOUND,
            "endpoint disabled, set limits_config.volume_enabled to true to enable it");
    static const struct cw_expr every_stream = {.kind = CW_EXPR_LOG};
    struct cw_str text = cw_http_param(request->http, "query");
    bool all = cw_str_eqz(text, "{}"); /* no other spelling of it is taken */
    int rc = all ? 0 : cw_request_selector(request, text, &query, err);
    if (rc == 0)
        rc = cw_volume_query(&request->query, all ? &every_stream : query->root, options,
                             request->arena, &volumes, err);
    if (rc == 0) {
        struct cw_answer_extra extra = cw_api_extra(request, false);
        struct cw_answer_stats stats = cw_api_stats(request, volumes.n);
        cw_answer_volumes(&volumes, options->steps, options->end_ns, &extra, &stats,
                          &request->body);
    }
    cw_query_free(&query);
    return rc;
}

int cw_route_index_volume(struct cw_api_request *request, struct cw_err *err)
{
    struct cw_volume_options options = {0};
    struct cw_params params = {volume_param, &request->params, request->params.now_ns};
    struct cw_instant_params checked;
    int rc = cw_params_instant(&params, &checked, err);
    if (rc == 0)
        rc = parse_volume(request, &options, err);
    return rc < 0 ? rc : run_volume(request, &options, err);
}

/* A step of less than a millisecond is none to Loki, and the whole range is one piece. */
int cw_route_index_volume_range(struct cw_api_request *request, struct cw_err *err)
{
    struct cw_volume_options options = {0};
    struct cw_params volume_params = {volume_param, &request->params, request->params.now_ns};
    struct cw_range_params params;
    struct cw_volume_steps steps;
    int rc = cw_params_range(&volume_params, &params, err);
    if (rc == 0)
        rc = parse_volume(request, &options, err);
    if (rc < 0)
        return rc;
    int64_t step_ns = params.step_ns - params.step_ns % CW_NS_PER_MS;
    if (step_ns > 0) {
        cw_volume_steps_init(&steps, options.start_ns, options.end_ns, step_ns);
        options.steps = &steps;
    }
    return run_volume(request, &options, err);
}
