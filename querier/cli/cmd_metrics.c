/*
 * cmd_metrics.c - `cordwood metrics`: evaluates the exports one after the other when they are due, and serves the last
 * results at /metrics.
 *
 * Threads    The main thread evaluates; the HTTP server's threads read the results under one lock.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/metrics/metrics.h"
#include "common/metrics/prom_text.h"
#include "common/net/http_server.h"
#include "querier/cli/cli_entries.h"
#include "querier/cli/cli_request.h"
#include "querier/export/export_series.h"

enum { M_EVALUATIONS, M_ERRORS, M_NMETRICS };
static const struct cw_metric_def metric_defs[M_NMETRICS] = {
    [M_EVALUATIONS] = {"cordwood_export_evaluations_total", CW_METRIC_COUNTER,
                       "Evaluations of an export's query.", .labels = {"export"}},
    [M_ERRORS] = {"cordwood_export_errors_total", CW_METRIC_COUNTER,
                  "Evaluations that failed; the export's series are dropped until the next one.",
                  .labels = {"export"}},
};

/* What all results may take together: an export of a million series is a mistake, and 256 MiB hold some. */
#define RESULTS_BYTES ((size_t)256 << 20)

struct exporter {
    struct cw_cli *cli;
    const struct cw_export *exports;
    size_t n;
    int64_t *due_ns; /* monotonic */
    struct cw_metrics *metrics;
    pthread_mutex_t lock; /* of texts */
    struct cw_buf *texts; /* per export; empty: its query failed or was not evaluated yet */
};

/* Ask the server; the export's text, or an error. */
static int evaluate(struct exporter *exporter, const struct cw_export *export, struct cw_buf *out,
                    struct cw_err *err)
{
    struct cw_cli run = *exporter->cli; /* with an arena of its own: this goes on for weeks */
    run.arena = cw_arena_new();
    struct cw_cli_params params;
    cw_cli_params_init(&params);
    cw_cli_params_add(&params, "query", export->expr);
    struct cw_buf body;
    cw_buf_init(&body, RESULTS_BYTES);
    struct cw_cli_answer answer;
    int rc = cw_cli_get(&run, "/loki/api/v1/query", &params, &body, err);
    if (rc == 0)
        rc = cw_cli_answer_parse(cw_buf_str(&body), CW_CLI_NEWEST_FIRST, run.arena, &answer, err);
    if (rc == 0)
        rc = cw_export_series(export, answer.result_type, answer.result, out, err);
    if (rc == 0 && cw_buf_failed(out))
        rc = cw_err_set(err, CW_E_TOO_LARGE, "the series take more than %zu bytes", RESULTS_BYTES);
    cw_cli_params_fini(&params);
    cw_buf_fini(&body);
    cw_arena_free(&run.arena);
    return rc;
}

/* Evaluate the i-th export and put its text in place; the rc of the query. */
static int refresh(struct exporter *exporter, size_t i)
{
    const struct cw_export *export = &exporter->exports[i];
    struct cw_err err = {0};
    struct cw_buf text;
    cw_buf_init(&text, RESULTS_BYTES);
    int rc = evaluate(exporter, export, &text, &err);
    cw_metric_add(cw_metrics_child(exporter->metrics, M_EVALUATIONS, &export->name), 1);
    /* Exists with 0 from the start. */
    struct cw_metric *errors = cw_metrics_child(exporter->metrics, M_ERRORS, &export->name);
    if (rc < 0) {
        cw_metric_add(errors, 1);
        cw_log_warn("export %.*s: %s", CW_STR_ARG(export->name), err.text);
        cw_buf_clear(&text);
    }
    pthread_mutex_lock(&exporter->lock);
    struct cw_buf old = exporter->texts[i];
    exporter->texts[i] = text;
    pthread_mutex_unlock(&exporter->lock);
    cw_buf_fini(&old);
    return rc;
}

static void render(struct exporter *exporter, struct cw_buf *out)
{
    pthread_mutex_lock(&exporter->lock);
    for (size_t i = 0; i < exporter->n; i++)
        cw_buf_adds(out, cw_buf_str(&exporter->texts[i]));
    pthread_mutex_unlock(&exporter->lock);
    cw_metrics_render(exporter->metrics, out);
}

static void on_metrics(struct cw_http_request *request, void *ctx)
{
    struct cw_buf out;
    cw_buf_init(&out, SIZE_MAX);
    render(ctx, &out);
    cw_http_respond(request, 200, CW_PROM_CONTENT_TYPE, &out);
    cw_buf_fini(&out);
}

static void on_ready(struct cw_http_request *request, void *ctx)
{
    (void)ctx;
    struct cw_buf out;
    cw_buf_init(&out, 16);
    cw_buf_addz(&out, "ready\n");
    cw_http_respond(request, 200, "text/plain; charset=utf-8", &out);
    cw_buf_fini(&out);
}

static const struct cw_http_route routes[] = {
    {CW_HTTP_GET, "/metrics", on_metrics, 0, "The exports and the exporter's own metrics."},
    {CW_HTTP_GET, "/ready", on_ready, 0, "200 as soon as it serves."},
    {0, NULL, NULL, 0, NULL},
};

/* Raised by SIGTERM and SIGINT, so that a query under way does not hold up the end. */
static atomic_bool stopping;

static void on_signal(int number)
{
    (void)number;
    atomic_store(&stopping, true);
}

/* The signals stay blocked in all threads; this one takes them while it evaluates. */
static void refresh_unblocked(struct exporter *exporter, size_t i, const sigset_t *signals)
{
    pthread_sigmask(SIG_UNBLOCK, signals, NULL);
    refresh(exporter, i);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
}

/* Evaluate what is due until SIGTERM or SIGINT. */
static void run_until_signal(struct exporter *exporter, const sigset_t *signals)
{
    while (!atomic_load(&stopping)) {
        int64_t now_ns = cw_clock_mono_ns(), next_ns = INT64_MAX;
        for (size_t i = 0; i < exporter->n && !atomic_load(&stopping); i++) {
            if (exporter->due_ns[i] <= now_ns) {
                refresh_unblocked(exporter, i, signals);
                exporter->due_ns[i] =
                    CW_MAX(exporter->due_ns[i] + exporter->exports[i].interval_ns, now_ns);
            }
            next_ns = CW_MIN(next_ns, exporter->due_ns[i]);
        }
        int64_t wait_ns =
            atomic_load(&stopping) ? 0 : CW_MAX(next_ns - cw_clock_mono_ns(), INT64_C(0));
        struct timespec wait = {.tv_sec = wait_ns / CW_NS_PER_S, .tv_nsec = wait_ns % CW_NS_PER_S};
        if (sigtimedwait(signals, NULL, &wait) > 0)
            return;
    }
}

static int serve(struct exporter *exporter, struct cw_err *err)
{
    const struct cw_cli_args *args = exporter->cli->args;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    exporter->cli->cancel = &stopping;
    signal(SIGPIPE, SIG_IGN); /* a scraper that goes away ends nothing */
    struct cw_http_server *server = NULL;
    struct cw_http_server_options options = {.listen = args->listen.ptr, .nthreads = 1};
    int rc = cw_http_server_new(&options, &server, err);
    if (rc == 0) {
        cw_http_server_routes(server, routes, exporter);
        rc = cw_http_server_start(server, err);
    }
    if (rc == 0 && args->listen_file.len)
        rc = cw_file_replace(args->listen_file.ptr, cw_str_of(cw_http_server_address(server)), err);
    if (rc == 0) {
        run_until_signal(exporter, &signals);
        cw_http_server_stop(server, CW_NS_PER_S);
    }
    cw_http_server_free(&server);
    return rc;
}

static int print_once(struct exporter *exporter)
{
    int status = CW_EXIT_RESULTS;
    for (size_t i = 0; i < exporter->n; i++) {
        if (refresh(exporter, i) < 0)
            status = CW_EXIT_ERROR;
    }
    struct cw_buf out;
    cw_buf_init(&out, SIZE_MAX);
    render(exporter, &out);
    fwrite(out.ptr, 1, out.len, stdout);
    cw_buf_fini(&out);
    return status;
}

static int load(struct cw_cli *cli, struct cw_exports_config *out)
{
    struct cw_err err = {0};
    struct cw_config_problems *problems = CW_ARENA_NEW(cli->arena, struct cw_config_problems);
    if (!cli->args->config.len) {
        cw_err_set(&err, CW_E_INVALID, "--config FILE is missing: the exports to serve");
        return cw_cli_fail(&err, CW_EXIT_USAGE);
    }
    int rc = cw_yaml_load_file(cli->args->config.ptr, &cw_exports_table, NULL, cli->arena, out,
                               problems, &err);
    for (size_t i = 0; i < problems->nwarnings; i++)
        fprintf(stderr, "warning: %s\n", problems->warnings[i].ptr);
    for (size_t i = 0; i < problems->nerrors; i++)
        fprintf(stderr, "cordwood: %s\n", problems->errors[i].ptr);
    if (rc < 0 && problems->nerrors == 0)
        return cw_cli_fail(&err, CW_EXIT_USAGE);
    return rc < 0 ? CW_EXIT_USAGE : 0;
}

int cw_cmd_metrics(struct cw_cli *cli)
{
    struct cw_err err = {0};
    struct cw_exports_config config;
    int status = load(cli, &config);
    if (status != 0)
        return status;
    struct exporter exporter = {
        .cli = cli,
        .exports = config.exports.items,
        .n = config.exports.n,
        .due_ns = CW_ARENA_ARRAY(cli->arena, int64_t, config.exports.n),
        .texts = CW_ARENA_ARRAY(cli->arena, struct cw_buf, config.exports.n),
        .metrics = cw_metrics_new(metric_defs, M_NMETRICS),
        .lock = PTHREAD_MUTEX_INITIALIZER,
    };
    for (size_t i = 0; i < exporter.n; i++)
        cw_buf_init(&exporter.texts[i], RESULTS_BYTES);
    if (cli->args->once)
        status = print_once(&exporter);
    else if (serve(&exporter, &err) < 0)
        status = cw_cli_fail(&err, CW_EXIT_ERROR);
    for (size_t i = 0; i < exporter.n; i++)
        cw_buf_fini(&exporter.texts[i]);
    cw_metrics_free(&exporter.metrics);
    return status;
}
