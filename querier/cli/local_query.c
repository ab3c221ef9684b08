#include "querier/cli/local_query.h"

#include <glob.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/logql/ast.h"
#include "querier/api/answer.h"
#include "querier/api/answer_explain.h"
#include "querier/api/params.h"
#include "querier/cli/cli_entries.h"
#include "querier/cli/cli_time.h"
#include "querier/cli/explain_print.h"
#include "querier/cli/progress.h"
#include "querier/engine/eval.h"
#include "querier/engine/log_group.h"
#include "querier/engine/log_query.h"
#include "querier/engine/metric_query.h"
#include "querier/engine/plan.h"
#include "querier/engine/sub_query.h"
#include "querier/local/data_dir.h"
#include "querier/local/files_source.h"

/* A page of entries: enough that chunks which overlap in time are read few times. */
#define PAGE_ENTRIES 131072
#define PAGE_BYTES ((size_t)16 << 20)

struct local {
    struct cw_cli *cli;
    int64_t now_ns;
    struct cw_pool *pool;
    struct cw_query *query;
    struct cw_labels labels; /* of files */
    struct cw_data_dir *dir;
    struct cw_source *files;     /* NULL: a data directory */
    struct cw_snapshot of_files; /* `files`, borrowed */
    struct cw_query_context context;
    bool has_context;
    atomic_bool running; /* the context may be looked at */
    atomic_bool damaged; /* something was told that the answer may miss */
    atomic_uint_fast64_t loaded_bytes;
    struct cw_progress *progress;
    uint64_t nprinted;
};

bool cw_cli_is_local(const struct cw_cli_args *args)
{
    return args->has_data_dir || args->files.n > 0 || args->use_stdin || args->labels.n > 0;
}

static void on_bad(void *ctx, const struct cw_err *why)
{
    struct local *local = ctx;
    atomic_store(&local->damaged, true);
    cw_progress_pause(local->progress);
    fprintf(stderr, "cordwood: %s\n", why->text);
    cw_progress_resume(local->progress);
}

static void say_progress(void *arg, struct cw_buf *out)
{
    struct local *local = arg;
    if (!atomic_load(&local->running)) {
        uint64_t loaded = atomic_load(&local->loaded_bytes);
        if (loaded > 0)
            cw_buf_addf(out, ", %llu MB read", (unsigned long long)(loaded >> 20));
        return;
    }
    uint64_t planned = atomic_load(&local->context.units_planned),
             done = atomic_load(&local->context.units_read);
    if (done <= planned)
        cw_buf_addf(out, ", %llu of %llu blocks", (unsigned long long)done,
                    (unsigned long long)planned);
    cw_buf_addf(out, ", %llu MB",
                (unsigned long long)(atomic_load(&local->context.stats.bytes_decompressed) >> 20));
}

/* ---- what is asked ---- */

/* "|= error" and "" are of every stream: "{}" is put before them. */
static struct cw_str with_selector(struct cw_cli *cli, struct cw_str text)
{
    text = cw_str_trim(text);
    if (text.len == 0 || text.ptr[0] == '|' || text.ptr[0] == '!')
        return cw_arena_printf(cli->arena, "{} %.*s", CW_STR_ARG(text));
    return text;
}

static int parse_query(struct local *local, struct cw_err *err)
{
    struct cw_cli *cli = local->cli;
    struct cw_str text = cli->nrest > 0 ? cli->rest[0] : CW_STR_NONE;
    unsigned dialect = cw_cli_dialect(cli->args);
    if (cli->args->data_dir.len == 0) {
        dialect |= CW_LOGQL_ANY_SELECTOR;
        text = with_selector(cli, text);
    }
    int rc = cw_logql_parse_dialect(text, dialect, &local->query, err);
    return rc < 0 ? rc : cw_eval_check(local->query->root, err);
}

static int check_flags(struct cw_cli *cli, struct cw_labels *labels_out, struct cw_err *err)
{
    const struct cw_cli_args *args = cli->args;
    bool of_files = args->files.n > 0 || args->use_stdin;
    if (args->labels.n > 0 && !of_files)
        return cw_err_set(err, CW_E_INVALID, "--label goes with --file or --stdin");
    for (size_t i = 0; i < args->files.n; i++) /* glob() would take it for `*` */
        if (cw_str_find(args->files.items[i], CW_STR("**")) >= 0)
            return cw_err_set(err, CW_E_INVALID,
                              "--file: \"%.*s\": ** is no part of a pattern; a * is of one folder",
                              CW_STR_ARG(args->files.items[i]));
    if (!args->has_data_dir)
        return cw_cli_labels(cli, labels_out, err);
    if (of_files)
        return cw_err_set(err, CW_E_INVALID, "--data-dir goes without --file and --stdin");
    if (args->data_dir.len == 0)
        return cw_err_set(
            err, CW_E_INVALID,
            "--data-dir: \"\" names no folder: expected an ingester's data directory");
    return 0;
}

/* ---- over what ---- */

struct paths {
    struct cw_str *items;
    size_t n, cap;
};

static void paths_add(struct cw_cli *cli, struct paths *paths, const char *path)
{
    struct cw_str text = cw_str_of(path);
    if (cw_str_among(text, paths->items, paths->n)) /* two patterns may match it */
        return;
    paths->items =
        cw_arena_grow(cli->arena, paths->items, paths->n, &paths->cap, paths->n + 1, sizeof text);
    paths->items[paths->n++] = cw_arena_dup(cli->arena, text);
}

/* A pattern that matches nothing is taken as a path: opening it says what is wrong. */
static void expand(struct cw_cli *cli, struct cw_str pattern, struct paths *paths)
{
    glob_t found;
    int rc = glob(pattern.ptr, GLOB_BRACE | GLOB_TILDE | GLOB_NOCHECK, NULL, &found);
    if (rc != 0) {
        paths_add(cli, paths, pattern.ptr);
        return;
    }
    for (size_t i = 0; i < found.gl_pathc; i++)
        paths_add(cli, paths, found.gl_pathv[i]);
    globfree(&found);
}

/* Every file stays open. */
static void allow_open_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* else the first that cannot be opened says it */
    }
}

static void open_files(struct local *local)
{
    struct cw_cli *cli = local->cli;
    struct paths paths = {0};
    allow_open_files();
    for (size_t i = 0; i < cli->args->files.n; i++)
        expand(cli, cli->args->files.items[i], &paths);
    local->files = cw_files_source_new(&(struct cw_files_options){
        .paths = paths.items,
        .npaths = paths.n,
        .with_stdin = cli->args->use_stdin,
        .labels = local->labels,
        .zone = cli->args->zone == CW_CLI_ZONE_UTC ? CW_ZONE_UTC : CW_ZONE_LOCAL,
        .pool = local->pool,
        .bad = on_bad,
        .ctx = local,
        .loaded_bytes = &local->loaded_bytes,
    });
    local->of_files = (struct cw_snapshot){.sources = &local->files, .n = 1};
}

static int open_sources(struct local *local, struct cw_err *err)
{
    const struct cw_cli_args *args = local->cli->args;
    const struct cw_snapshot *snapshot = &local->of_files;
    int rc = 0;
    if (args->data_dir.len > 0) {
        const struct cw_data_dir_options options = {.path = args->data_dir.ptr,
                                                    .tenant = args->org_id.len > 0 ? args->org_id
                                                                                   : CW_STR("fake"),
                                                    .bad = on_bad,
                                                    .ctx = local};
        rc = cw_data_dir_open(&options, &local->dir, err);
        if (rc == 0)
            snapshot = cw_data_dir_snapshot(local->dir);
    } else {
        open_files(local);
    }
    if (rc < 0)
        return rc;
    cw_query_context_init(&local->context, local->pool, snapshot, CW_LOCAL_QUERY_BYTES);
    local->has_context = true;
    atomic_store(&local->running, true);
    return 0;
}

/* ---- entries ---- */

static void print_page(struct local *local, struct cw_cli_printer *printer,
                       const struct cw_log_page *page)
{
    struct cw_cli *cli = local->cli;
    struct cw_arena *arena = cw_arena_new();
    const struct cw_log_entry **entries =
        CW_ARENA_ARRAY(arena, const struct cw_log_entry *, page->n + 1);
    for (size_t i = 0; i < page->n; i++)
        entries[i] = &page->entries[i];
    struct cw_log_groups groups;
    bool sorted = cw_stage_find(local->query->root->stages, CW_STAGE_SORT) != NULL;
    (sorted ? cw_log_group_runs : cw_log_group)(entries, page->n, false, arena, &groups);
    struct cw_cli_entry *shown = cw_cli_entries_of(&groups, page->n,
                                                   sorted               ? CW_CLI_AS_ANSWERED
                                                   : cli->args->forward ? CW_CLI_OLDEST_FIRST
                                                                        : CW_CLI_NEWEST_FIRST,
                                                   arena);
    cw_progress_pause(local->progress);
    /* Of as many as a server is asked for at once: what they share is left out of each line. */
    cw_cli_printer_common(printer, shown, CW_MIN(page->n, (size_t)cli->args->batch), cli->arena);
    for (size_t i = 0; i < page->n; i++)
        cw_cli_printer_entry(printer, &shown[i]);
    cw_progress_resume(local->progress);
    cw_arena_free(&arena);
}

/* Where no text is looked for, each line's time is read in any case: to know the times of all chunks first saves reading most of them
 * again for each page, and all but a few where there is a limit. */
static void learn_times(struct local *local)
{
    const struct cw_line_filter **filters;
    int64_t min_ns, max_ns;
    size_t n = cw_plan_filters(local->query->root->stages, &filters);
    free(filters);
    if (local->files != NULL && n == 0)
        cw_files_source_bounds(local->files, local->pool, &min_ns, &max_ns);
}

/* Where the flags leave an end open, the data's is meant. False: there is none. */
static bool close_range(struct local *local, struct cw_cli_range *range)
{
    int64_t min_ns = INT64_MAX, max_ns = INT64_MIN;
    if (range->start_ns != INT64_MIN && range->end_ns != INT64_MAX)
        return true;
    if (local->files != NULL) {
        cw_files_source_bounds(local->files, local->pool, &min_ns, &max_ns);
    } else {
        const struct cw_snapshot *snapshot = cw_data_dir_snapshot(local->dir);
        for (size_t i = 0; i < snapshot->n; i++) {
            min_ns = CW_MIN(min_ns, snapshot->sources[i]->min_ns);
            max_ns = CW_MAX(max_ns, snapshot->sources[i]->max_ns);
        }
    }
    if (range->start_ns == INT64_MIN)
        range->start_ns = min_ns;
    if (range->end_ns == INT64_MAX)
        range->end_ns = max_ns;
    return range->start_ns <= range->end_ns;
}

/* A metric within `in (...)` is of the end of the time, which has to be known. */
static void close_for_values(struct local *local, struct cw_cli_range *range)
{
    struct cw_cli_range closed = *range;
    if (!cw_expr_has_in(local->query->root) || range->end_ns != INT64_MAX)
        return;
    range->end_ns = (close_range(local, &closed) ? closed.end_ns : local->now_ns) + 1;
}

/* Ready for its first page, with the values of its `in (...)`; *left_out entries are to be read at most. */
static int open_logs(struct local *local, const struct cw_cli_range *range,
                     struct cw_log_query **out, uint64_t *left_out, struct cw_err *err)
{
    const struct cw_cli_args *args = local->cli->args;
    const struct cw_sub_query_span span = {range->start_ns, range->end_ns, NULL};
    *left_out = args->has_limit && args->limit > 0 ? (uint64_t)args->limit : UINT64_MAX;
    learn_times(local);
    int rc = cw_sub_queries_run(&local->context, local->query, &span, err);
    if (rc == 0)
        rc = cw_log_query_open(&local->context, local->query->root, range->start_ns, range->end_ns,
                               !args->forward, out, err);
    if (rc == 0)
        cw_log_query_expect(*out, (size_t)*left_out);
    return rc;
}

static int print_logs(struct local *local, const struct cw_cli_range *range, struct cw_err *err)
{
    const struct cw_cli_args *args = local->cli->args;
    struct cw_cli_printer printer;
    struct cw_log_query *log_query = NULL;
    uint64_t left;
    int rc = open_logs(local, range, &log_query, &left, err);
    if (rc < 0)
        return rc;
    cw_cli_printer_init(&printer, args);
    struct cw_log_page page = {0};
    while (rc == 0 && !page.last && left > 0) {
        rc = cw_log_query_page(log_query, (size_t)CW_MIN(left, (uint64_t)PAGE_ENTRIES), PAGE_BYTES,
                               &page, err);
        if (rc < 0)
            break;
        print_page(local, &printer, &page);
        local->nprinted += page.n;
        left -= page.n;
    }
    cw_cli_printer_fini(&printer);
    cw_log_query_close(&log_query);
    return rc;
}

/* ---- samples ---- */

static int run_samples(struct local *local, const struct cw_grid *grid, enum cw_eval_kind kind,
                       struct cw_result *out, struct cw_err *err)
{
    const struct cw_sub_query_span span = {.grid = grid};
    int rc = cw_sub_queries_run(&local->context, local->query, &span, err);
    return rc < 0
               ? rc
               : cw_metric_query_run(&local->context, local->query->root, grid, kind, 0, out, err);
}

static int print_samples(struct local *local, const struct cw_grid *grid, enum cw_eval_kind kind,
                         struct cw_err *err)
{
    struct cw_result result;
    int rc = run_samples(local, grid, kind, &result, err);
    if (rc < 0)
        return rc;
    struct cw_answer_extra extra = {0};
    struct cw_answer_stats stats = {.query = &local->context};
    struct cw_cli_answer answer;
    struct cw_buf body;
    cw_buf_init(&body, SIZE_MAX);
    cw_answer_samples(&result, grid->start_ns, &extra, &stats, &body);
    cw_result_fini(&result);
    rc = cw_cli_answer_parse(cw_buf_str(&body), CW_CLI_NEWEST_FIRST, local->cli->arena, &answer,
                             err);
    if (rc == 0) {
        cw_progress_pause(local->progress);
        local->nprinted = answer.result.len > 2;
        cw_cli_print_json(answer.result, stdout);
    }
    cw_buf_fini(&body);
    return rc;
}

struct asked {
    struct cw_cli_range range;
    struct cw_str start, end, step;
};

static struct cw_str asked_get(const void *ctx, const char *name)
{
    const struct asked *asked = ctx;
    struct cw_str key = cw_str_of(name);
    return cw_str_eq(key, CW_STR("start"))  ? asked->start
           : cw_str_eq(key, CW_STR("end"))  ? asked->end
           : cw_str_eq(key, CW_STR("step")) ? asked->step
                                            : CW_STR_NONE;
}

static struct cw_str time_text(struct cw_cli *cli, int64_t ns)
{
    struct cw_buf text;
    cw_buf_init(&text, 64);
    cw_time_format_rfc3339(ns, &text);
    struct cw_str copy = cw_arena_dup(cli->arena, cw_buf_str(&text));
    cw_buf_fini(&text);
    return copy;
}

/* The steps are those that the server takes: it reads them in the same place. */
static int make_grid(struct local *local, const struct cw_cli_range *range, struct cw_grid *out,
                     struct cw_err *err)
{
    struct cw_cli *cli = local->cli;
    struct asked asked = {.start = time_text(cli, range->start_ns),
                          .end = time_text(cli, range->end_ns),
                          .step = cw_cli_step(cli)};
    const struct cw_params params = {asked_get, &asked, local->now_ns};
    struct cw_range_params steps;
    int rc = cw_params_range(&params, &steps, err);
    return rc < 0 ? rc : cw_grid_init_range(out, steps.start_ns, steps.end_ns, steps.step_ns, err);
}

/* ---- explain and analyze ---- */

/* Read what would be printed, to its end, as it would be read. */
static int read_logs(struct local *local, const struct cw_cli_range *range,
                     struct cw_explain_result *result, struct cw_err *err)
{
    struct cw_log_query *log_query = NULL;
    uint64_t left;
    int rc = open_logs(local, range, &log_query, &left, err);
    struct cw_log_page page = {0};
    while (rc == 0 && !page.last && left > 0) {
        rc = cw_log_query_page(log_query, (size_t)CW_MIN(left, (uint64_t)PAGE_ENTRIES), PAGE_BYTES,
                               &page, err);
        if (rc == 0) {
            result->entries += page.n;
            left -= page.n;
        }
    }
    cw_log_query_close(&log_query);
    return rc;
}

static int read_samples(struct local *local, const struct cw_explain_asked *asked,
                        struct cw_explain_result *result, struct cw_err *err)
{
    struct cw_result samples;
    int rc = run_samples(local, asked->grid, asked->kind, &samples, err);
    if (rc < 0)
        return rc;
    result->series = samples.table != NULL ? samples.table->n : 1;
    cw_result_fini(&samples);
    return 0;
}

static int analyze(struct local *local, const struct cw_cli_range *range,
                   const struct cw_explain_asked *asked, struct cw_json_writer *w,
                   struct cw_err *err)
{
    struct cw_explain_result result = {.query = &local->context};
    int64_t begun_ns = cw_clock_mono_ns();
    local->context.timed = true;
    int rc = asked->grid != NULL ? read_samples(local, asked, &result, err)
                                 : read_logs(local, range, &result, err);
    if (rc < 0)
        return rc;
    result.total_ns = cw_clock_mono_ns() - begun_ns;
    cw_json_key(w, CW_STR("analyze"));
    cw_json_begin_object(w);
    cw_answer_analyze(&result, w);
    cw_json_end_object(w);
    return 0;
}

/* `grid` NULL: a log query. */
static int print_explained(struct local *local, const struct cw_cli_range *range,
                           const struct cw_grid *grid, enum cw_eval_kind kind, struct cw_err *err)
{
    const struct cw_cli_args *args = local->cli->args;
    struct cw_explain_asked asked = {
        .query = local->query,
        .start_ns = range->start_ns,
        .end_ns = range->end_ns,
        .grid = grid,
        .kind = kind,
        .limit = args->has_limit ? (uint32_t)args->limit : 0,
        .forward = args->forward,
        .workers = cw_pool_threads(local->pool),
    };
    struct cw_expr *root = local->query->root;
    struct cw_explain explain;
    int rc = grid != NULL ? cw_explain_samples(&local->context, root, grid, kind, &explain, err)
                          : cw_explain_logs(&local->context, root, range->start_ns, range->end_ns,
                                            &explain, err);
    if (rc < 0)
        return rc;
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    struct cw_json_writer w = cw_json_writer_make(&text);
    cw_json_begin_object(&w);
    cw_answer_explain(&asked, &explain, &w);
    if (args->analyze)
        rc = analyze(local, range, &asked, &w, err);
    cw_json_end_object(&w);
    cw_progress_pause(local->progress);
    if (rc == 0)
        rc = cw_cli_print_explain(args, cw_buf_str(&text), err);
    local->nprinted = 1;
    cw_buf_fini(&text);
    cw_explain_fini(&explain);
    return rc;
}

static bool is_explained(const struct local *local)
{
    return local->cli->args->explain || local->cli->args->analyze;
}

/* ---- run ---- */

static void local_fini(struct local *local)
{
    cw_progress_stop(&local->progress);
    if (local->has_context)
        cw_allowance_fini(&local->context.allowance);
    cw_source_unref(&local->files);
    cw_data_dir_close(&local->dir);
    cw_query_free(&local->query);
    cw_pool_free(&local->pool);
}

static int status_of(struct local *local)
{
    if (local->files != NULL && cw_files_source_bad(local->files))
        return CW_EXIT_ERROR;
    if (atomic_load(&local->context.stats.corrupt_blocks) > 0) {
        fprintf(stderr, "warning: stored blocks are damaged: the answer misses what they held\n");
        return CW_EXIT_WARNED;
    }
    if (atomic_load(&local->damaged))
        return CW_EXIT_WARNED;
    return local->nprinted > 0 ? CW_EXIT_RESULTS : CW_EXIT_NOTHING;
}

typedef int (*answer_fn)(struct local *local, struct cw_cli_range *range, struct cw_err *err);

static int answer_range(struct local *local, struct cw_cli_range *range, struct cw_err *err)
{
    struct cw_grid grid;
    if (!cw_expr_is_metric(local->query->root)) {
        close_for_values(local, range);
        return is_explained(local) ? print_explained(local, range, NULL, CW_EVAL_RANGE, err)
                                   : print_logs(local, range, err);
    }
    if (!close_range(local, range))
        return 0;
    int rc = make_grid(local, range, &grid, err);
    if (rc < 0)
        return rc;
    return is_explained(local) ? print_explained(local, range, &grid, CW_EVAL_RANGE, err)
                               : print_samples(local, &grid, CW_EVAL_RANGE, err);
}

static int answer_instant(struct local *local, struct cw_cli_range *range, struct cw_err *err)
{
    if (!cw_expr_is_metric(local->query->root))
        return cw_err_set(err, CW_E_INVALID,
                          "a log query has no value at one time: ask with `cordwood query`");
    struct cw_grid grid;
    cw_grid_init_instant(&grid, range->end_ns);
    if (is_explained(local))
        return print_explained(local, range, &grid, CW_EVAL_INSTANT, err);
    return print_samples(local, &grid, CW_EVAL_INSTANT, err);
}

static int run(struct cw_cli *cli, int64_t now_ns, struct cw_cli_range range, answer_fn answer)
{
    struct local local = {.cli = cli, .now_ns = now_ns};
    struct cw_err err = {0};
    if (check_flags(cli, &local.labels, &err) < 0)
        return cw_cli_fail(&err, CW_EXIT_USAGE);
    int rc = parse_query(&local, &err);
    if (rc == 0) {
        local.pool = cw_pool_new(0, &err);
        rc = local.pool == NULL ? err.code : 0;
    }
    if (rc == 0) {
        local.progress = cw_progress_start(say_progress, &local);
        rc = open_sources(&local, &err);
    }
    if (rc == 0)
        rc = answer(&local, &range, &err);
    cw_progress_stop(&local.progress);
    int status = rc < 0 ? cw_cli_fail(&err, CW_EXIT_ERROR) : status_of(&local);
    local_fini(&local);
    return status;
}

int cw_cli_local_query(struct cw_cli *cli)
{
    struct cw_err err = {0};
    struct cw_cli_range range;
    int64_t now_ns = cw_clock_now_ns();
    if (cw_cli_range_given(cli->args, now_ns, &range, &err) < 0)
        return cw_cli_fail(&err, CW_EXIT_USAGE);
    return run(cli, now_ns, range, answer_range);
}

int cw_cli_local_instant_query(struct cw_cli *cli)
{
    struct cw_err err = {0};
    int64_t now_ns;
    if (cw_cli_now(cli->args, &now_ns, &err) < 0)
        return cw_cli_fail(&err, CW_EXIT_USAGE);
    return run(cli, now_ns, (struct cw_cli_range){now_ns, now_ns}, answer_instant);
}
