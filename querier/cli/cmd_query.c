/*
 * cmd_query.c - `cordwood query`: entries over a time range, or the matrix of a metric query.
 *
 * More entries than --batch are asked for page by page: the next page begins with the time of the last entry again, and
 * the entries of that time which were printed are left out (page_edge.h).
 */
#include "common/base/assert.h"
#include "common/base/limits.h"
#include "common/logql/ast.h"
#include "querier/cli/cli_entries.h"
#include "querier/cli/cli_request.h"
#include "querier/cli/cli_time.h"
#include "querier/cli/explain_print.h"
#include "querier/cli/local_query.h"
#include "querier/cli/page_edge.h"
#include "querier/cli/progress.h"

/* What the server warned of, each sentence once: an answer of many pages comes with the same one many times. */
struct warned {
    struct cw_str *items;
    size_t n, cap;
};

struct pager {
    struct cw_cli *cli;
    struct warned warned;
    struct cw_cli_printer printer;
    struct cw_cli_range range;
    int64_t left; /* entries still wanted; INT64_MAX: all */
    int64_t batch;
    struct cw_page_edge edge;
    bool whole; /* the answer is one page */
    enum cw_cli_order order;
    struct cw_progress *progress;
    uint64_t printed;
};

static void print_warnings(struct cw_cli *cli, struct warned *warned,
                           const struct cw_cli_answer *answer)
{
    for (size_t i = 0; i < answer->nwarnings; i++) {
        struct cw_str text = answer->warnings[i];
        if (cw_str_among(text, warned->items, warned->n))
            continue;
        warned->items = cw_arena_grow(cli->arena, warned->items, warned->n, &warned->cap,
                                      warned->n + 1, sizeof *warned->items);
        warned->items[warned->n++] = cw_arena_dup(cli->arena, text);
        fprintf(stderr, "warning: %.*s\n", CW_STR_ARG(text));
    }
}

unsigned cw_cli_dialect(const struct cw_cli_args *args)
{
    return args->extensions == CW_CLI_ON ? CW_LOGQL_EXTENSIONS : CW_LOGQL_LOKI;
}

static int exit_status(const struct warned *warned, bool results)
{
    return warned->n > 0 ? CW_EXIT_WARNED : results ? CW_EXIT_RESULTS : CW_EXIT_NOTHING;
}

/* Print what is new in this page, and move the range behind it. */
static void take_page(struct pager *pager, const struct cw_cli_answer *page)
{
    cw_page_edge_turn(&pager->edge);
    for (size_t i = 0; i < page->nentries && pager->left > 0; i++) {
        const struct cw_cli_entry *entry = &page->entries[i];
        if (!pager->whole &&
            !cw_page_edge_take(&pager->edge, entry->ts_ns, entry->labels, entry->line))
            continue;
        pager->printed++;
        if (pager->left != INT64_MAX)
            pager->left--;
        cw_cli_printer_entry(&pager->printer, entry);
    }
    if (pager->cli->args->forward)
        pager->range.start_ns = pager->edge.ts_ns;
    else if (pager->edge.ts_ns < INT64_MAX)
        pager->range.end_ns = pager->edge.ts_ns + 1;
}

/* One page; 1 when there may be more, 0 at the end. */
static int run_page(struct pager *pager, struct cw_err *err)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_buf body;
    cw_buf_init(&body, SIZE_MAX);
    struct cw_cli_answer page;
    int64_t limit = pager->left < pager->batch ? pager->left : pager->batch;
    limit += (int64_t)pager->edge.n; /* these come again */
    cw_progress_resume(pager->progress);
    int rc =
        cw_cli_ask_range(pager->cli, &pager->range, limit, pager->order, &body, arena, &page, err);
    cw_progress_pause(pager->progress);
    if (rc == 0) {
        print_warnings(pager->cli, &pager->warned, &page);
        if (!cw_str_eq(page.result_type, CW_STR("streams"))) {
            pager->printed = page.result.len > 2;
            cw_cli_print_json(page.result, stdout);
        } else {
            uint64_t before = pager->printed;
            cw_cli_printer_common(&pager->printer, page.entries, page.nentries, pager->cli->arena);
            take_page(pager, &page);
            rc = !pager->whole && pager->left > 0 && page.nentries >= (size_t)limit &&
                 pager->printed > before;
        }
    }
    cw_buf_fini(&body);
    cw_arena_free(&arena);
    return rc;
}

/* Some answers are of the range that is asked for as a whole: what is gathered, and what other queries over that range give values to. A page
 * of it would be another answer. */
static int plan_pages(struct pager *pager, struct cw_err *err)
{
    const struct cw_cli_args *args = pager->cli->args;
    struct cw_query *query = NULL;
    pager->order = args->forward ? CW_CLI_OLDEST_FIRST : CW_CLI_NEWEST_FIRST;
    if (cw_logql_parse_dialect(pager->cli->rest[0], cw_cli_dialect(args), &query, err) < 0)
        return 0; /* the server knows better what is wrong, if anything is */
    pager->whole = !cw_expr_is_metric(query->root) &&
                   (cw_expr_gathers(query->root) || cw_expr_has_in(query->root));
    if (cw_stage_find(query->root->stages, CW_STAGE_SORT) != NULL)
        pager->order = CW_CLI_AS_ANSWERED;
    cw_query_free(&query);
    if (!pager->whole)
        return 0;
    if (args->limit == 0)
        return cw_err_set(err, CW_E_INVALID,
                          "a server answers distinct, sort by, context and `in (...)` at once, and "
                          "not without a limit: give --limit a number, or take `cordwood export`");
    pager->batch = args->limit;
    return 0;
}

/* Without one only files can be asked: for all of them. */
static int fail_no_query(void)
{
    struct cw_err err = {0};
    cw_err_set(&err, CW_E_INVALID, "which query? Only --file and --stdin go without one");
    return cw_cli_fail(&err, CW_EXIT_USAGE);
}

static int print_explained(struct cw_cli *cli, struct cw_cli_params *params)
{
    struct cw_err err = {0};
    struct cw_buf body;
    struct cw_str data;
    cw_buf_init(&body, SIZE_MAX);
    int rc = cw_cli_ask_explain(cli, params, &body, &data, &err);
    if (rc == 0)
        rc = cw_cli_print_explain(cli->args, data, &err);
    cw_buf_fini(&body);
    cw_cli_params_fini(params);
    return rc < 0 ? cw_cli_fail(&err, CW_EXIT_ERROR) : CW_EXIT_RESULTS;
}

int cw_cmd_query(struct cw_cli *cli)
{
    if (cw_cli_is_local(cli->args))
        return cw_cli_local_query(cli);
    struct cw_err err = {0};
    struct pager pager = {.cli = cli,
                          .left = cli->args->limit ? cli->args->limit : INT64_MAX,
                          .batch = cli->args->batch};
    if (cli->nrest == 0)
        return fail_no_query();
    if (cw_cli_range(cli->args, &pager.range, &err) < 0 || plan_pages(&pager, &err) < 0)
        return cw_cli_fail(&err, CW_EXIT_USAGE);
    if (cli->args->explain || cli->args->analyze) {
        struct cw_cli_params params;
        cw_cli_range_params(cli, &pager.range, CW_MIN(pager.left, pager.batch),
                            cli->args->forward ? CW_CLI_OLDEST_FIRST : CW_CLI_NEWEST_FIRST,
                            &params);
        return print_explained(cli, &params);
    }
    cw_cli_printer_init(&pager.printer, cli->args);
    pager.progress = cw_progress_start(NULL, NULL);
    int rc;
    do
        rc = run_page(&pager, &err);
    while (rc > 0);
    cw_progress_stop(&pager.progress);
    cw_cli_printer_fini(&pager.printer);
    cw_page_edge_fini(&pager.edge);
    if (rc < 0)
        return cw_cli_fail(&err, CW_EXIT_ERROR);
    return exit_status(&pager.warned, pager.printed > 0);
}

int cw_cmd_instant_query(struct cw_cli *cli)
{
    if (cw_cli_is_local(cli->args))
        return cw_cli_local_instant_query(cli);
    struct cw_err err = {0};
    int64_t now_ns;
    if (cli->nrest == 0)
        return fail_no_query();
    if (cw_cli_now(cli->args, &now_ns, &err) < 0)
        return cw_cli_fail(&err, CW_EXIT_USAGE);
    struct cw_cli_params params;
    cw_cli_params_init(&params);
    cw_cli_params_add(&params, "query", cli->rest[0]);
    cw_cli_params_add_i64(&params, "time", now_ns);
    if (cli->args->explain || cli->args->analyze)
        return print_explained(cli, &params);
    struct cw_buf body;
    cw_buf_init(&body, SIZE_MAX);
    struct cw_cli_answer answer;
    struct cw_progress *progress = cw_progress_start(NULL, NULL);
    int rc = cw_cli_get(cli, "/loki/api/v1/query", &params, &body, &err);
    cw_progress_stop(&progress);
    if (rc == 0)
        rc = cw_cli_answer_parse(cw_buf_str(&body), CW_CLI_NEWEST_FIRST, cli->arena, &answer, &err);
    struct warned warned = {0};
    if (rc == 0) {
        print_warnings(cli, &warned, &answer);
        cw_cli_print_json(answer.result, stdout);
    }
    int status =
        rc < 0 ? cw_cli_fail(&err, CW_EXIT_ERROR) : exit_status(&warned, answer.result.len > 2);
    cw_cli_params_fini(&params);
    cw_buf_fini(&body);
    return status;
}

int cw_cmd_fmt(struct cw_cli *cli)
{
    struct cw_err err = {0};
    struct cw_query *query = NULL;
    if (cw_logql_parse_dialect(cli->rest[0], cw_cli_dialect(cli->args), &query, &err) < 0)
        return cw_cli_fail(&err, CW_EXIT_ERROR);
    struct cw_buf out;
    cw_buf_init(&out, CW_LIMIT_QUERY_LINES_BYTES);
    cw_query_format(query, &out);
    bool fits = !cw_buf_failed(&out);
    if (fits)
        printf("%s\n", cw_buf_z(&out));
    cw_buf_fini(&out);
    cw_query_free(&query);
    if (fits)
        return CW_EXIT_RESULTS;
    (void)cw_err_set(&err, CW_E_LIMIT, "the query over lines is longer than %u MiB",
                     CW_LIMIT_QUERY_LINES_BYTES >> 20);
    return cw_cli_fail(&err, CW_EXIT_ERROR);
}
