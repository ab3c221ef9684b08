/* cmd_delete.c - `cordwood delete create|list|cancel`: hide and remove entries, see what is being removed, take it back. */
#include <stdio.h>
#include "common/base/clock.h"
#include "common/wire/json_reader.h"
#include "querier/cli/cli_request.h"
#include "querier/cli/cli_time.h"

static const char delete_path[] = "/loki/api/v1/delete";

static int usage(const char *text)
{
    struct cw_err err;
    cw_err_set(&err, CW_E_INVALID, "%s", text);
    return cw_cli_fail(&err, CW_EXIT_USAGE);
}

/* A request without a body; the answer is read into *body. */
static int call(struct cw_cli *cli, const char *method, const struct cw_cli_params *params,
                struct cw_buf *body, struct cw_err *err)
{
    struct cw_http_call request;
    int status = 0;
    int rc = cw_cli_call(cli, method, cw_cli_url(cli, delete_path, params), NULL, &request, err);
    if (rc == 0)
        rc = cw_http_fetch(&request, &status, body, err);
    if (rc == 0 && status / 100 != 2)
        rc = cw_cli_answer_error(status, cw_buf_str(body), err);
    return rc;
}

static int change(struct cw_cli *cli, const char *method, struct cw_cli_params *params)
{
    struct cw_err err = {0};
    struct cw_buf body;
    cw_buf_init(&body, 1 << 20);
    if (cli->args->force)
        cw_cli_params_add(params, "force", CW_STR("true"));
    int rc = call(cli, method, params, &body, &err);
    cw_buf_fini(&body);
    return rc < 0 ? cw_cli_fail(&err, CW_EXIT_ERROR) : CW_EXIT_RESULTS;
}

static void add_time(struct cw_cli_params *params, const char *name, int64_t ns)
{
    struct cw_buf text;
    cw_buf_init(&text, 64);
    cw_time_format_rfc3339(ns, &text);
    cw_cli_params_add(params, name, cw_buf_str(&text));
    cw_buf_fini(&text);
}

/* A bare number could be seconds as well as nanoseconds, and the wrong one deletes everything since 1970. */
static bool is_bare_number(struct cw_str text)
{
    int64_t number;
    return cw_str_to_i64(text, &number);
}

/* ---- list ---- */

/* A delete as the server tells it; times in seconds. removed, unreadable, damaged, no_room, created, due: empty where the server does not
 * tell them. */
struct row {
    struct cw_str id, status, query, start, end, created, due, removed, unreadable, damaged,
        no_room;
};

typedef void (*row_fn)(void *arg, const struct row *row);

static int read_row(struct cw_json_reader *json, struct row *out, struct cw_err *err)
{
    *out = (struct row){0};
    const struct {
        const char *name;
        struct cw_str *value;
    } fields[] = {{"request_id", &out->id},
                  {"status", &out->status},
                  {"query", &out->query},
                  {"start_time", &out->start},
                  {"end_time", &out->end},
                  {"created_at", &out->created},
                  {"removal_at", &out->due},
                  {"removed_entries", &out->removed},
                  {"unreadable_entries", &out->unreadable},
                  {"damaged_parts", &out->damaged},
                  {"parts_without_room", &out->no_room}};
    int rc;
    while ((rc = cw_json_next(json, err)) == CW_JSON_KEY) {
        struct cw_str name = json->text;
        rc = cw_json_next(json, err);
        for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
            if (cw_str_eqz(name, fields[i].name) && (rc == CW_JSON_STRING || rc == CW_JSON_NUMBER))
                *fields[i].value = json->text;
        if (rc >= 0)
            rc = cw_json_skip_rest(json, rc, err);
        if (rc < 0)
            return rc;
    }
    return rc < 0 ? rc : 0;
}

/* Ask for the deletes and hand each to fn; how many there are. */
static int each_row(struct cw_cli *cli, row_fn fn, void *arg, struct cw_err *err)
{
    struct cw_json_reader json;
    struct cw_buf body;
    struct row row;
    int n = 0;
    cw_buf_init(&body, SIZE_MAX);
    int rc = call(cli, "GET", NULL, &body, err);
    cw_json_reader_init(&json, cw_buf_str(&body), cli->arena);
    if (rc == 0)
        rc = cw_json_next(&json, err);
    while (rc >= 0 && (rc = cw_json_next(&json, err)) == CW_JSON_OBJECT) {
        rc = read_row(&json, &row, err);
        if (rc == 0)
            fn(arg, &row);
        n++;
    }
    cw_buf_fini(&body);
    return rc < 0 ? rc : n;
}

static void print_time(struct cw_str seconds)
{
    struct cw_buf text;
    double s = 0;
    if (!cw_str_to_f64(seconds, &s)) {
        printf("- ");
        return;
    }
    cw_buf_init(&text, 64);
    cw_time_format_rfc3339((int64_t)(s * 1e3) * CW_NS_PER_MS, &text);
    printf("%s ", cw_buf_z(&text));
    cw_buf_fini(&text);
}

static void print_row(void *arg, const struct row *row)
{
    (void)arg;
    printf("%.*s %-9.*s %.*s ", CW_STR_ARG(row->id), CW_STR_ARG(row->status),
           CW_STR_ARG(row->removed.len > 0 ? row->removed : CW_STR("-")));
    print_time(row->created);
    print_time(row->due);
    print_time(row->start);
    print_time(row->end);
    printf("%.*s\n", CW_STR_ARG(row->query));
    if (row->unreadable.len > 0)
        fprintf(stderr,
                "cordwood: delete %.*s: it may be of %.*s entries of bad blocks, which cannot be "
                "read: what is left of them is in quarantine/ of the server's data directory\n",
                CW_STR_ARG(row->id), CW_STR_ARG(row->unreadable));
    if (row->damaged.len > 0)
        fprintf(
            stderr,
            "cordwood: delete %.*s waits for %.*s damaged part%s, which cannot be written anew: "
            "`cordwood fsck --repair` can, with no server running\n",
            CW_STR_ARG(row->id), CW_STR_ARG(row->damaged),
            cw_str_eqz(row->damaged, "1") ? "" : "s");
    if (row->no_room.len > 0)
        fprintf(stderr,
                "cordwood: delete %.*s waits for room on the disk to write %.*s part%s anew: make "
                "some, and it goes on by itself\n",
                CW_STR_ARG(row->id), CW_STR_ARG(row->no_room),
                cw_str_eqz(row->no_room, "1") ? "" : "s");
}

static int list(struct cw_cli *cli)
{
    struct cw_err err = {0};
    if (cli->nrest != 1)
        return usage("delete list takes no arguments");
    int rc = each_row(cli, print_row, NULL, &err);
    if (rc < 0)
        return cw_cli_fail(&err, CW_EXIT_ERROR);
    return rc > 0 ? CW_EXIT_RESULTS : CW_EXIT_NOTHING;
}

/* ---- create, cancel ---- */

struct newest {
    struct cw_cli *cli;
    struct cw_str id;
};

/* Deletes are listed in the order they were made. */
static void find_newest(void *arg, const struct row *row)
{
    struct newest *newest = arg;
    if (cw_str_eq(row->query, newest->cli->rest[1]))
        newest->id = cw_arena_dup(newest->cli->arena, row->id);
}

/* What will be gone, and the id to cancel it by: whoever mistook a time sees it while it can be cancelled. The API of the
 * server answers no id, but lists it. */
static void print_created(struct cw_cli *cli, const struct cw_cli_range *range)
{
    struct cw_err ignored = {0};
    struct newest newest = {.cli = cli};
    if (each_row(cli, find_newest, &newest, &ignored) < 0 || newest.id.len == 0)
        newest.id = CW_STR("-");
    struct cw_buf text;
    cw_buf_init(&text, 256);
    cw_time_format_rfc3339(range->start_ns, &text);
    cw_buf_addz(&text, " to ");
    if (cli->args->to.len > 0)
        cw_time_format_rfc3339(range->end_ns, &text);
    else
        cw_buf_addz(&text, "now");
    printf("%.*s deleted: %.*s from %s\n", CW_STR_ARG(newest.id), CW_STR_ARG(cli->rest[1]),
           cw_buf_z(&text));
    fprintf(stderr, "cordwood: snapshots keep what they hold of it, and so does quarantine/ of the "
                    "server's data directory\n");
    cw_buf_fini(&text);
}

static int create(struct cw_cli *cli)
{
    struct cw_err err = {0};
    struct cw_cli_range range;
    struct cw_cli_params params;
    if (cli->nrest != 2)
        return usage("delete create takes one query");
    if (cli->args->from.len == 0 && !cli->args->has_from)
        return usage("delete create needs --from: how far back entries are deleted");
    if (is_bare_number(cli->args->from) || is_bare_number(cli->args->to))
        return usage("delete create takes times as RFC 3339 (2026-01-05T10:00:00Z) or as durations "
                     "before now (2h), not as numbers");
    if (cw_cli_range(cli->args, &range, &err) < 0)
        return cw_cli_fail(&err, CW_EXIT_USAGE);
    cw_cli_params_init(&params);
    cw_cli_params_add(&params, "query", cli->rest[1]);
    add_time(&params, "start", range.start_ns);
    if (cli->args->to.len > 0) /* else the server's now */
        add_time(&params, "end", range.end_ns);
    int status = change(cli, "POST", &params);
    cw_cli_params_fini(&params);
    if (status == CW_EXIT_RESULTS)
        print_created(cli, &range);
    return status;
}

static int cancel(struct cw_cli *cli)
{
    struct cw_cli_params params;
    if (cli->nrest != 2)
        return usage("delete cancel takes one id, as delete list prints them");
    cw_cli_params_init(&params);
    cw_cli_params_add(&params, "request_id", cli->rest[1]);
    int status = change(cli, "DELETE", &params);
    cw_cli_params_fini(&params);
    return status;
}

int cw_cmd_delete(struct cw_cli *cli)
{
    if (cw_str_eqz(cli->rest[0], "create"))
        return create(cli);
    if (cw_str_eqz(cli->rest[0], "list"))
        return list(cli);
    if (cw_str_eqz(cli->rest[0], "cancel"))
        return cancel(cli);
    return usage("delete what? create QUERY, list, or cancel ID");
}
