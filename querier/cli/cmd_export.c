/*
 * cmd_export.c - `cordwood export`: all matching entries, oldest first, as they stream from GET /cordwood/v1/export.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "common/base/base64.h"
#include "common/wire/json_reader.h"
#include "querier/cli/cli_entries.h"
#include "querier/cli/cli_request.h"
#include "querier/cli/cli_time.h"
#include "querier/cli/terminal_text.h"

/* A line of the export: a log line of the server's largest size, each byte escaped, and its labels. */
#define EXPORT_LINE_BYTES ((size_t)64 << 20)

struct export_reader {
    enum cw_cli_output output;
    int status;             /* of the answer: 0 until it is known */
    struct cw_buf partial;  /* the beginning of a line whose end has not come */
    struct cw_arena *arena; /* per line */
    uint64_t nentries;
    struct cw_buf decoded;
    bool escape; /* what stands in `shown` is printed */
    struct cw_buf shown;
};

static void print_line(struct export_reader *reader, struct cw_str line)
{
    if (reader->escape) {
        cw_buf_clear(&reader->shown);
        cw_terminal_text_add(line, &reader->shown);
        line = cw_buf_str(&reader->shown);
    }
    fwrite(line.ptr, 1, line.len, stdout);
    putchar('\n');
}

static int print_raw(struct export_reader *reader, struct cw_str row, struct cw_err *err)
{
    struct cw_json_reader json;
    cw_arena_reset(reader->arena);
    cw_json_reader_init(&json, row, reader->arena);
    int rc = cw_json_next(&json, err);
    while (rc > 0 && (rc = cw_json_next(&json, err)) == CW_JSON_KEY) {
        bool plain = cw_str_eq(json.text, CW_STR("line")),
             encoded = cw_str_eq(json.text, CW_STR("line_b64"));
        if (!plain && !encoded) {
            rc = cw_json_skip(&json, err) < 0 ? CW_E_INVALID : 1;
            continue;
        }
        rc = cw_json_next(&json, err);
        struct cw_str line = json.text;
        if (rc == CW_JSON_STRING && encoded) {
            cw_buf_clear(&reader->decoded);
            if (!cw_base64_decode(line, &reader->decoded))
                return cw_err_set(err, CW_E_IO, "the export holds a line that is not base64");
            line = cw_buf_str(&reader->decoded);
        }
        if (rc == CW_JSON_STRING)
            print_line(reader, line);
    }
    return rc < 0 ? rc : 0;
}

static int print_row(struct export_reader *reader, struct cw_str row, struct cw_err *err)
{
    if (row.len == 0)
        return 0;
    reader->nentries++;
    int rc = 0;
    if (reader->output == CW_CLI_OUTPUT_RAW) {
        rc = print_raw(reader, row, err);
    } else {
        fwrite(row.ptr, 1, row.len, stdout);
        putchar('\n');
    }
    if (rc == 0 && ferror(stdout))
        return cw_err_set(err, CW_E_IO, "writing the output: %s", strerror(errno));
    return rc;
}

static int on_data(void *arg, struct cw_str bytes, struct cw_err *err)
{
    struct export_reader *reader = arg;
    struct cw_str row;
    ptrdiff_t end;
    if (reader->status / 100 != 2) { /* an error's text: run_export() tells it */
        cw_buf_adds(&reader->partial, bytes);
        return 0;
    }
    while ((end = cw_str_find_byte(bytes, '\n')) >= 0) {
        row = cw_str_sub(bytes, 0, (size_t)end);
        bytes = cw_str_sub(bytes, (size_t)end + 1, bytes.len);
        if (reader->partial.len > 0) {
            cw_buf_adds(&reader->partial, row);
            row = cw_buf_str(&reader->partial);
        }
        int rc = cw_buf_failed(&reader->partial) ? 0 : print_row(reader, row, err);
        if (rc < 0)
            return rc;
        if (cw_buf_failed(&reader->partial))
            break;
        cw_buf_clear(&reader->partial);
    }
    cw_buf_adds(&reader->partial, bytes);
    if (cw_buf_failed(&reader->partial))
        return cw_err_set(err, CW_E_TOO_LARGE, "the export holds a line of more than %zu bytes",
                          EXPORT_LINE_BYTES);
    return 0;
}

static int run_export(struct cw_cli *cli, const struct cw_cli_range *range,
                      struct export_reader *reader, struct cw_err *err)
{
    struct cw_cli_params params;
    cw_cli_params_init(&params);
    cw_cli_params_add(&params, "query", cli->rest[0]);
    cw_cli_params_add_i64(&params, "start", range->start_ns);
    cw_cli_params_add_i64(&params, "end", range->end_ns);
    struct cw_http_call call;
    int rc = cw_cli_ask(cli, "/cordwood/v1/export", &params, &call, err);
    if (rc == 0) {
        call.timeout_ns = 0;
        rc = cw_http_fetch_stream(&call, &reader->status, on_data, reader, err);
    }
    cw_cli_params_fini(&params);
    if (rc == 0 && reader->status / 100 != 2)
        rc = cw_cli_answer_error(reader->status, cw_buf_str(&reader->partial), err);
    else if (rc == 0 && reader->partial.len > 0)
        rc = cw_err_set(err, CW_E_IO, "the export ends in the middle of a line");
    return rc;
}

int cw_cmd_export(struct cw_cli *cli)
{
    struct cw_err err = {0};
    struct cw_cli_range range;
    if (cw_cli_range(cli->args, &range, &err) < 0)
        return cw_cli_fail(&err, CW_EXIT_USAGE);
    struct export_reader reader = {.output = (enum cw_cli_output)cli->args->output,
                                   .escape =
                                       cw_terminal_text_wanted((enum cw_cli_when)cli->args->escape),
                                   .arena = cw_arena_new()};
    cw_buf_init(&reader.shown, SIZE_MAX);
    cw_buf_init(&reader.partial, EXPORT_LINE_BYTES);
    cw_buf_init(&reader.decoded, EXPORT_LINE_BYTES);
    int rc = run_export(cli, &range, &reader, &err);
    cw_buf_fini(&reader.partial);
    cw_buf_fini(&reader.decoded);
    cw_buf_fini(&reader.shown);
    cw_arena_free(&reader.arena);
    if (rc < 0)
        return cw_cli_fail(&err, CW_EXIT_ERROR);
    return reader.nentries ? CW_EXIT_RESULTS : CW_EXIT_NOTHING;
}
