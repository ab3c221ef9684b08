/* main.c - cordwood-ingester: reads flags and configuration, opens the store, serves until a signal says stop. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/net/http_listen.h"
#include "ingester/endpoints.h"
#include "ingester/ingester_metrics.h"
#include "ingester/push.h"
#include "ingester/routes.h"
#include "querier/querier.h"

enum {
    EXIT_FAILED = 1,
    /* Of the memory budget one part in so many is for bodies that are still being received, ... */
    BODIES_SHARE = 8, /* its name stands in http_start() and in the doc of memory.limit */
    /* ... for the head and what is pushed, ... */
    STORE_SHARE = 2,
    /* ... and all but one part in so many for queries: some is always left for pushes. */
    NO_QUERIES_SHARE = 4,
    RELOAD_NAMES_MAX = 64 << 10, /* the names of all keys */
};

struct server {
    struct cw_ingester_args args;
    struct cw_pool *pool;
    struct cw_http_server *http;
    struct cw_ingester ingester;
    int64_t grace_ns;
};

static void print_problems(const struct cw_config_problems *problems, const struct cw_err *err)
{
    for (size_t i = 0; i < problems->nwarnings; i++)
        fprintf(stderr, "%.*s\n", CW_STR_ARG(problems->warnings[i]));
    for (size_t i = 0; i < problems->nerrors; i++)
        fprintf(stderr, "%.*s\n", CW_STR_ARG(problems->errors[i]));
    if (problems->nmore > 0)
        fprintf(stderr, "and %zu more problems\n", problems->nmore);
    if (err->code < 0 && problems->nerrors == 0)
        fprintf(stderr, "cordwood-ingester: %s\n", err->text);
}

static int fail_usage(const struct cw_err *err)
{
    fprintf(stderr, "cordwood-ingester: %s\n", err->text);
    return CW_EXIT_USAGE;
}

static int config_load(const struct cw_ingester_args *args, struct cw_ingester_config **out)
{
    struct cw_config_problems *problems = cw_mem_new(sizeof(*problems));
    struct cw_err err = {0};
    int rc = cw_ingester_config_load(args->config.ptr, out, problems, &err);
    if (rc == 0)
        rc = cw_ingester_config_flags(*out, args, &err);
    print_problems(problems, &err);
    free(problems);
    return rc;
}

/* "HOST:PORT" from the two keys. */
static void listen_text(const struct cw_ingester_config *config, struct cw_buf *out)
{
    bool v6 =
        cw_str_find_byte(config->listen_address, ':') >= 0 && config->listen_address.ptr[0] != '[';
    cw_buf_addf(out, v6 ? "[%.*s]:%lld" : "%.*s:%lld", CW_STR_ARG(config->listen_address),
                (long long)config->listen_port);
}

static int listen_check(const struct cw_ingester_config *config, struct cw_err *err)
{
    struct cw_buf listen;
    cw_buf_init(&listen, 1 << 16);
    listen_text(config, &listen);
    int rc = cw_http_listen_check(cw_buf_z(&listen), err);
    cw_buf_fini(&listen);
    return rc;
}

static void on_done(void *ctx, struct cw_http_request *request, int status, int64_t duration_ns)
{
    struct server *server = ctx;
    char text[16];
    const struct cw_http_route *route = cw_http_route(request);
    int n = snprintf(text, sizeof(text), "%d", status);
    struct cw_str labels[] = {route ? cw_str_of(route->path) : CW_STR("none"),
                              cw_str_make(text, (size_t)n)};
    cw_metric_add(cw_metrics_child(server->ingester.metrics, CW_M_REQUESTS, labels), 1);
    cw_metric_observe(cw_metrics_child(server->ingester.metrics, CW_M_REQUEST_SECONDS, labels),
                      duration_ns);
}

static int store_start(struct server *server, const struct cw_ingester_config *config,
                       struct cw_err *err)
{
    struct cw_store_options options = {
        .data_dir = config->data_dir.ptr,
        .segment_bytes = (uint64_t)config->wal_segment_bytes,
        .wal_sync = config->wal_sync ? CW_STORE_SYNC_INTERVAL : CW_STORE_SYNC_ALWAYS,
        .wal_sync_interval_ns = config->wal_sync_interval_ns,
        .head_flush_bytes = (uint64_t)config->head_flush_bytes,
        .memory_bytes = server->ingester.memory.limit / STORE_SHARE,
        .budget = &server->ingester.memory,
        .cache = server->ingester.cache,
        .sources_forget_ns = config->sources_forget_ns,
        .retention = {.policy = cw_tenants_retention,
                      .ctx = server->ingester.tenants,
                      .min_free = config->min_free,
                      .max_bytes = (uint64_t)config->max_bytes},
        .pool = server->pool,
        .merge_codec = config->merge_codec ? CW_CODEC_ZSTD : CW_CODEC_LZ4,
    };
    return cw_store_open(&options, &server->ingester.store, err);
}

static int http_start(struct server *server, const struct cw_ingester_config *config,
                      struct cw_err *err)
{
    struct cw_buf listen;
    cw_buf_init(&listen, 1 << 16);
    listen_text(config, &listen);
    struct cw_http_server_options options = {.listen = cw_buf_z(&listen),
                                             .check_origin = config->check_origin,
                                             .on_done = on_done,
                                             .ctx = server,
                                             .body_budget_bytes =
                                                 server->ingester.memory.limit / BODIES_SHARE,
                                             .body_budget_name = "an eighth of memory.limit",
                                             .memory = &server->ingester.memory};
    int rc = cw_http_server_new(&options, &server->http, err);
    cw_buf_fini(&listen);
    if (rc < 0)
        return rc;
    server->ingester.http = server->http;
    cw_http_server_routes(server->http, cw_ingester_routes, &server->ingester);
    struct cw_querier_options querier = {.server = server->http,
                                         .store = cw_store_entries(server->ingester.store),
                                         .pool = server->pool,
                                         .memory = &server->ingester.memory,
                                         .tenant = cw_tenants_querier_tenant,
                                         .limits = cw_tenants_querier_limits,
                                         .policy = cw_tenants_querier_policy,
                                         .published_limits = cw_tenants_published_limits,
                                         .ctx = server->ingester.tenants,
                                         .tail_max_duration_ns = config->tail_max_duration_ns};
    rc = cw_querier_new(&querier, &server->ingester.querier, err);
    if (rc == 0)
        rc = cw_http_server_start(server->http, err);
    struct cw_err why = {0};
    if (rc == 0 && cw_store_set_address(server->ingester.store,
                                        cw_http_server_address(server->http), &why) < 0)
        cw_log_warn("%s: the CLI will not find this server by its data directory", why.text);
    return rc;
}

static int write_listen_file(const struct server *server, struct cw_err *err)
{
    struct cw_buf text;
    if (server->args.listen_file.len == 0)
        return 0;
    cw_buf_init(&text, 4096);
    cw_buf_addf(&text, "%s\n", cw_http_server_address(server->http));
    int rc = cw_file_replace(server->args.listen_file.ptr, cw_buf_str(&text), err);
    cw_buf_fini(&text);
    return rc;
}

static int server_start(struct server *server, struct cw_ingester_config *config,
                        struct cw_err *err)
{
    server->grace_ns = config->graceful_shutdown_timeout_ns;
    struct cw_memory_budget *memory = &server->ingester.memory;
    cw_memory_budget_init(memory, cw_ingester_memory(config));
    if (memory->limit < CW_INGESTER_MEMORY_ENOUGH)
        cw_log_warn(
            "memory.limit is less than 64MiB: parts may never be merged, nor deletes carried out");
    cw_memory_budget_share(memory, CW_MEMORY_QUERIES,
                           memory->limit - memory->limit / NO_QUERIES_SHARE);
    server->ingester.cache =
        cw_part_cache_new((size_t)((double)memory->limit * config->memory_caches), memory);
    server->ingester.delete_cancel_period_ns = config->delete_cancel_period_ns;
    server->ingester.tenants = cw_tenants_new(config);
    server->ingester.metrics = cw_metrics_new(cw_ingester_metric_defs, CW_M_NMETRICS);
    server->pool = cw_pool_new(0, err);
    if (server->pool == NULL)
        return err->code;
    int rc = store_start(server, config, err);
    if (rc < 0)
        return rc;
    cw_metrics_on_collect(server->ingester.metrics, cw_ingester_metrics_collect, &server->ingester);
    rc = http_start(server, config, err);
    if (rc == 0)
        rc = write_listen_file(server, err);
    if (rc == 0)
        cw_log_info("listening on %s", cw_http_server_address(server->http));
    return rc;
}

static void server_stop(struct server *server)
{
    if (server->http)
        cw_http_server_stop(server->http, server->grace_ns);
    cw_querier_free(&server->ingester.querier);
    cw_store_close(&server->ingester.store);
    cw_http_server_free(&server->http);
    cw_part_cache_free(&server->ingester.cache);
    cw_pool_free(&server->pool);
    cw_metrics_free(&server->ingester.metrics);
    cw_tenants_free(&server->ingester.tenants);
}

static void reload(struct server *server)
{
    struct cw_ingester_config *config;
    if (config_load(&server->args, &config) < 0) {
        cw_log_error("the configuration is not read again: it has errors");
        cw_ingester_config_free(&config);
        return;
    }
    struct cw_buf waiting;
    cw_buf_init(&waiting, RELOAD_NAMES_MAX);
    cw_tenants_reload(server->ingester.tenants, config, &waiting);
    cw_log_info("limits are read again");
    if (waiting.len > 0)
        cw_log_warn(
            "the file has other values of keys that are read at the start alone, and need a "
            "restart: %s",
            cw_buf_z(&waiting));
    cw_buf_fini(&waiting);
}

/* Until SIGTERM or SIGINT. The signals are blocked everywhere and taken here. */
static void serve(struct server *server, const sigset_t *signals)
{
    int number;
    while (sigwait(signals, &number) == 0) {
        if (number != SIGHUP)
            break;
        reload(server);
    }
    cw_log_info("stopping on signal %d: flushing", number);
}

/*
 * What is freed is to leave the process, so that memory.limit means what the machine sees: large blocks have pages of their own
 * (glibc would raise the bound to 32 MiB with the first one that is freed, and keep as much of each heap's end), and threads
 * share few heaps, each of which has holes of its own.
 */
static void malloc_tune(void)
{
    enum { MALLOC_LARGE_BYTES = 128 << 10, MALLOC_KEEP_BYTES = 1 << 20, MALLOC_HEAPS = 2 };
    mallopt(M_MMAP_THRESHOLD, MALLOC_LARGE_BYTES);
    mallopt(M_TRIM_THRESHOLD, MALLOC_KEEP_BYTES);
    mallopt(M_ARENA_MAX, MALLOC_HEAPS);
}

static int run(struct server *server, struct cw_ingester_config *config)
{
    struct cw_err err = {0};
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    /* Before the first thread, so that all inherit it. */
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    umask(077);
    malloc_tune();
    cw_log_init((enum cw_log_level)config->log_level, (enum cw_log_format)config->log_format);
    int rc = server_start(server, config, &err);
    if (rc < 0)
        cw_log_error("cannot start: %s", err.text);
    else
        serve(server, &signals);
    server_stop(server);
    return rc < 0 ? EXIT_FAILED : 0;
}

int main(int argc, char **argv)
{
    struct server server = {0};
    struct cw_arena *arena = cw_arena_new();
    struct cw_command_def command = cw_ingester_command;
    struct cw_flags_rest rest = {0};
    struct cw_ingester_config *config = NULL;
    struct cw_err err = {0};
    int status = 0;
    command.endpoints = cw_ingester_endpoints(arena);
    if (cw_flags_parse(&command, argc - 1, argv + 1, arena, &server.args, &rest, &err) < 0) {
        status = fail_usage(&err);
    } else if (cw_flags_answer(&command, &rest) == 0) {
        status = 0;
    } else if (config_load(&server.args, &config) < 0) {
        status = CW_EXIT_USAGE;
    } else if (listen_check(config, &err) < 0) {
        status = fail_usage(&err);
    } else if (server.args.print_config) {
        struct cw_buf text;
        cw_buf_init(&text, 1 << 20);
        cw_schema_print(&cw_ingester_table, config, &text);
        fwrite(text.ptr, 1, text.len, stdout);
        cw_buf_fini(&text);
    } else if (!server.args.check) {
        status = run(&server, config);
        config = NULL; /* the tenants took it */
    }
    cw_ingester_config_free(&config);
    cw_arena_free(&arena);
    return status;
}
