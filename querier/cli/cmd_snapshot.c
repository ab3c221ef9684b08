/* cmd_snapshot.c - `cordwood snapshot`: make, list and remove snapshots of a server's store. */
#include <stdio.h>
#include "common/base/assert.h"
#include "common/net/http_params.h"
#include "querier/cli/cli_entries.h"
#include "querier/cli/cli_request.h"

#define SNAPSHOT_PATH "/cordwood/v1/snapshot"

static int ask(struct cw_cli *cli, const char *method, const char *path, struct cw_buf *body,
               struct cw_err *err)
{
    struct cw_http_call call;
    int status = 0;
    int rc = cw_cli_call(cli, method, cw_cli_url(cli, path, NULL), NULL, &call, err);
    if (rc == 0)
        rc = cw_http_fetch(&call, &status, body, err);
    if (rc < 0)
        return rc;
    return status / 100 == 2 ? 0 : cw_cli_answer_error(status, cw_buf_str(body), err);
}

static int run_create(struct cw_cli *cli, struct cw_buf *body, struct cw_err *err)
{
    return ask(cli, "POST", SNAPSHOT_PATH, body, err);
}

static int run_list(struct cw_cli *cli, struct cw_buf *body, struct cw_err *err)
{
    return ask(cli, "GET", SNAPSHOT_PATH, body, err);
}

static int run_delete(struct cw_cli *cli, struct cw_buf *body, struct cw_err *err)
{
    struct cw_buf path;
    cw_buf_init(&path, SIZE_MAX);
    cw_buf_addz(&path, SNAPSHOT_PATH "/");
    cw_http_escape(cli->rest[1], &path);
    int rc = ask(cli, "DELETE", cw_buf_z(&path), body, err);
    cw_buf_fini(&path);
    return rc;
}

static const struct {
    const char *name;
    size_t nargs; /* itself included */
    int (*run)(struct cw_cli *cli, struct cw_buf *body, struct cw_err *err);
} actions[] = {{"create", 1, run_create}, {"list", 1, run_list}, {"delete", 2, run_delete}};

int cw_cmd_snapshot(struct cw_cli *cli)
{
    struct cw_err err = {0};
    struct cw_buf body;
    int rc = 1;
    cw_buf_init(&body, SIZE_MAX);
    for (size_t i = 0; i < CW_COUNT(actions) && rc == 1; i++)
        if (cw_str_eqz(cli->rest[0], actions[i].name) && cli->nrest == actions[i].nargs &&
            (cli->nrest == 1 || cli->rest[1].len > 0))
            rc = actions[i].run(cli, &body, &err);
    if (rc == 0 && body.len > 0)
        cw_cli_print_json(cw_buf_str(&body), stdout);
    cw_buf_fini(&body);
    if (rc == 1) {
        cw_err_set(&err, CW_E_INVALID, "snapshot takes: create, list, or delete NAME");
        return cw_cli_fail(&err, CW_EXIT_USAGE);
    }
    return rc < 0 ? cw_cli_fail(&err, CW_EXIT_ERROR) : CW_EXIT_RESULTS;
}
