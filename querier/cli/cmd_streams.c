/* cmd_streams.c - `cordwood labels`, `series` and `stats`: what streams there are. */
#include <stdio.h>
#include "common/wire/json_reader.h"
#include "querier/cli/cli_entries.h"
#include "querier/cli/cli_request.h"
#include "querier/cli/cli_time.h"

/* GET with the flags' range (and the selector under `name`, if there is one). */
static int ask(struct cw_cli *cli, const char *path, const char *name, struct cw_str selector,
               struct cw_buf *body, int *usage, struct cw_err *err)
{
    struct cw_cli_range range;
    int rc = cw_cli_range(cli->args, &range, err);
    *usage = rc < 0;
    if (rc < 0)
        return rc;
    struct cw_cli_params params;
    cw_cli_params_init(&params);
    cw_cli_params_add_i64(&params, "start", range.start_ns);
    cw_cli_params_add_i64(&params, "end", range.end_ns);
    if (name)
        cw_cli_params_add(&params, name, selector);
    rc = cw_cli_get(cli, path, &params, body, err);
    cw_cli_params_fini(&params);
    return rc;
}

/* Move to the elements of the array "data" of the answer; 0 when it is absent or null. */
static int enter_data(struct cw_json_reader *json, struct cw_err *err)
{
    int rc = cw_json_next(json, err);
    while (rc >= 0 && (rc = cw_json_next(json, err)) == CW_JSON_KEY) {
        if (cw_str_eq(json->text, CW_STR("data"))) {
            rc = cw_json_next(json, err);
            return rc < 0 ? rc : rc == CW_JSON_ARRAY;
        }
        rc = cw_json_skip(json, err);
    }
    return rc < 0 ? rc : 0;
}

static int print_label_set(struct cw_json_reader *json, struct cw_arena *arena, struct cw_err *err)
{
    struct cw_label *pairs = NULL;
    size_t n = 0, cap = 0;
    int rc;
    while ((rc = cw_json_next(json, err)) == CW_JSON_KEY) {
        pairs = cw_arena_grow(arena, pairs, n, &cap, n + 1, sizeof *pairs);
        pairs[n].name = json->text;
        rc = cw_json_next(json, err);
        if (rc != CW_JSON_STRING)
            return rc < 0 ? rc : cw_json_error(json, err, "expected the value of a label");
        pairs[n++].value = json->text;
    }
    struct cw_labels labels;
    if (rc < 0 || (rc = cw_labels_from_pairs(pairs, n, &labels, err)) < 0)
        return rc;
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    cw_labels_format(labels, &text);
    printf("%s\n", cw_buf_z(&text));
    cw_buf_fini(&text);
    return 0;
}

/* Print each name or label set of the answer on a line; how many there were. */
static int print_data(struct cw_cli *cli, struct cw_str body, struct cw_err *err)
{
    struct cw_json_reader json;
    cw_json_reader_init(&json, body, cli->arena);
    int count = 0, rc = enter_data(&json, err);
    if (rc <= 0)
        return rc;
    while ((rc = cw_json_next(&json, err)) > 0 && rc != CW_JSON_ARRAY_END) {
        if (rc == CW_JSON_STRING)
            printf("%.*s\n", CW_STR_ARG(json.text));
        else if (rc == CW_JSON_OBJECT && (rc = print_label_set(&json, cli->arena, err)) < 0)
            return rc;
        count++;
    }
    return rc < 0 ? rc : count;
}

static int list(struct cw_cli *cli, const char *path, const char *name, struct cw_str selector)
{
    struct cw_err err = {0};
    struct cw_buf body;
    cw_buf_init(&body, SIZE_MAX);
    int usage = 0;
    int rc = ask(cli, path, name, selector, &body, &usage, &err);
    if (rc == 0)
        rc = print_data(cli, cw_buf_str(&body), &err);
    cw_buf_fini(&body);
    if (rc < 0)
        return cw_cli_fail(&err, usage ? CW_EXIT_USAGE : CW_EXIT_ERROR);
    return rc > 0 ? CW_EXIT_RESULTS : CW_EXIT_NOTHING;
}

int cw_cmd_labels(struct cw_cli *cli)
{
    if (cli->nrest == 0)
        return list(cli, "/loki/api/v1/labels", NULL, CW_STR_NONE);
    if (cli->rest[0].len == 0) {
        struct cw_err err;
        cw_err_set(&err, CW_E_INVALID, "labels takes the name of a label, not an empty text");
        return cw_cli_fail(&err, CW_EXIT_USAGE);
    }
    struct cw_cli_params name; /* for its encoding: "?=<name>" */
    cw_cli_params_init(&name);
    cw_cli_params_add(&name, "", cli->rest[0]);
    struct cw_str encoded = cw_str_sub(cw_buf_str(&name.text), 2, name.text.len);
    struct cw_str path =
        cw_arena_printf(cli->arena, "/loki/api/v1/label/%.*s/values", CW_STR_ARG(encoded));
    int status = list(cli, path.ptr, NULL, CW_STR_NONE);
    cw_cli_params_fini(&name);
    return status;
}

int cw_cmd_series(struct cw_cli *cli)
{
    return list(cli, "/loki/api/v1/series", "match[]", cli->rest[0]);
}

int cw_cmd_stats(struct cw_cli *cli)
{
    struct cw_err err = {0};
    struct cw_buf body;
    cw_buf_init(&body, SIZE_MAX);
    int usage = 0;
    int rc = ask(cli, "/loki/api/v1/index/stats", "query", cli->rest[0], &body, &usage, &err);
    if (rc < 0) {
        cw_buf_fini(&body);
        return cw_cli_fail(&err, usage ? CW_EXIT_USAGE : CW_EXIT_ERROR);
    }
    cw_cli_print_json(cw_buf_str(&body), stdout);
    bool none = cw_str_find(cw_buf_str(&body), CW_STR("\"streams\":0,")) >= 0;
    cw_buf_fini(&body);
    return none ? CW_EXIT_NOTHING : CW_EXIT_RESULTS;
}
