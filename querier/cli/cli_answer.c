/* cli_answer.c - read an answer of Loki's query API (cli_entries.h). */
#include <stdlib.h>
#include "common/base/clock.h"
#include "common/wire/json_reader.h"
#include "querier/cli/cli_entries.h"
#include "querier/cli/cli_request.h"

struct answer_reader {
    struct cw_json_reader json;
    struct cw_str body;
    struct cw_arena *arena;
    struct cw_cli_answer *out;
    size_t cap;
};

static int unexpected(struct answer_reader *r, struct cw_err *err)
{
    return cw_json_error(&r->json, err, "the server's answer is not that of Loki's API");
}

/* The next event must be this one. */
static int want(struct answer_reader *r, int event, struct cw_err *err)
{
    int rc = cw_json_next(&r->json, err);
    if (rc < 0)
        return rc;
    return rc == event ? 0 : unexpected(r, err);
}

static int read_labels(struct answer_reader *r, struct cw_labels *out, struct cw_err *err)
{
    struct cw_label *pairs = NULL;
    size_t n = 0, cap = 0;
    int rc = want(r, CW_JSON_OBJECT, err);
    while (rc == 0) {
        rc = cw_json_next(&r->json, err);
        if (rc != CW_JSON_KEY)
            break;
        pairs = cw_arena_grow(r->arena, pairs, n, &cap, n + 1, sizeof *pairs);
        pairs[n].name = r->json.text;
        rc = want(r, CW_JSON_STRING, err);
        pairs[n++].value = r->json.text;
    }
    if (rc < 0)
        return rc;
    return rc == CW_JSON_OBJECT_END ? cw_labels_from_pairs(pairs, n, out, err) : unexpected(r, err);
}

/* ["<ns>","line", {...}]: what follows the line is not shown. */
static int read_entry(struct answer_reader *r, struct cw_err *err)
{
    struct cw_cli_answer *out = r->out;
    out->entries = cw_arena_grow(r->arena, out->entries, out->nentries, &r->cap, out->nentries + 1,
                                 sizeof *out->entries);
    struct cw_cli_entry *entry = &out->entries[out->nentries];
    int rc = want(r, CW_JSON_STRING, err);
    if (rc == 0 && !cw_str_to_i64(r->json.text, &entry->ts_ns))
        rc = unexpected(r, err);
    if (rc == 0)
        rc = want(r, CW_JSON_STRING, err);
    if (rc < 0)
        return rc;
    entry->line = r->json.text;
    entry->idx = out->nentries;
    out->nentries++;
    while ((rc = cw_json_next(&r->json, err)) > 0 && rc != CW_JSON_ARRAY_END) {
        rc = cw_json_skip_rest(&r->json, rc, err);
        if (rc < 0)
            return rc;
    }
    return rc < 0 ? rc : 0;
}

/* {"stream":{...},"values":[...]} with its keys in any order. */
static int read_stream(struct answer_reader *r, struct cw_err *err)
{
    size_t first = r->out->nentries;
    struct cw_labels labels = CW_LABELS_NONE;
    int rc;
    while ((rc = cw_json_next(&r->json, err)) == CW_JSON_KEY) {
        if (cw_str_eq(r->json.text, CW_STR("stream"))) {
            rc = read_labels(r, &labels, err);
        } else if (cw_str_eq(r->json.text, CW_STR("values"))) {
            rc = want(r, CW_JSON_ARRAY, err);
            while (rc == 0 && (rc = cw_json_next(&r->json, err)) == CW_JSON_ARRAY)
                rc = read_entry(r, err);
            if (rc == CW_JSON_ARRAY_END)
                rc = 0;
        } else {
            rc = cw_json_skip(&r->json, err);
        }
        if (rc != 0)
            return rc < 0 ? rc : unexpected(r, err);
    }
    for (size_t i = first; i < r->out->nentries; i++)
        r->out->entries[i].labels = labels;
    if (rc < 0)
        return rc;
    return rc == CW_JSON_OBJECT_END ? 0 : unexpected(r, err);
}

static int read_streams(struct answer_reader *r, struct cw_err *err)
{
    int rc = want(r, CW_JSON_ARRAY, err);
    while (rc == 0 && (rc = cw_json_next(&r->json, err)) == CW_JSON_OBJECT)
        rc = read_stream(r, err);
    if (rc < 0)
        return rc;
    return rc == CW_JSON_ARRAY_END ? 0 : unexpected(r, err);
}

/* The bytes of the value that comes next. */
static int read_raw(struct answer_reader *r, struct cw_str *out, struct cw_err *err)
{
    size_t from = cw_json_offset(&r->json);
    int rc = cw_json_skip(&r->json, err);
    if (rc < 0)
        return rc;
    *out = cw_str_trim(cw_str_sub(r->body, from, cw_json_offset(&r->json)));
    if (out->len && out->ptr[0] == ':')
        *out = cw_str_trim(cw_str_sub(*out, 1, out->len));
    return 0;
}

static int read_data(struct answer_reader *r, struct cw_err *err)
{
    int rc = want(r, CW_JSON_OBJECT, err);
    while (rc == 0 && (rc = cw_json_next(&r->json, err)) == CW_JSON_KEY) {
        if (cw_str_eq(r->json.text, CW_STR("resultType"))) {
            rc = want(r, CW_JSON_STRING, err);
            r->out->result_type = r->json.text;
        } else if (cw_str_eq(r->json.text, CW_STR("result"))) {
            rc = read_raw(r, &r->out->result, err);
        } else {
            rc = cw_json_skip(&r->json, err);
        }
    }
    if (rc < 0)
        return rc;
    return rc == CW_JSON_OBJECT_END ? 0 : unexpected(r, err);
}

static int read_warnings(struct answer_reader *r, struct cw_err *err)
{
    size_t cap = 0;
    int rc = want(r, CW_JSON_ARRAY, err);
    while (rc == 0 && (rc = cw_json_next(&r->json, err)) == CW_JSON_STRING) {
        struct cw_cli_answer *out = r->out;
        out->warnings = cw_arena_grow(r->arena, out->warnings, out->nwarnings, &cap,
                                      out->nwarnings + 1, sizeof *out->warnings);
        out->warnings[out->nwarnings++] = r->json.text;
        rc = 0;
    }
    if (rc < 0)
        return rc;
    return rc == CW_JSON_ARRAY_END ? 0 : unexpected(r, err);
}

static int newest_first(const void *a, const void *b)
{
    const struct cw_cli_entry *x = a, *y = b;
    if (x->ts_ns != y->ts_ns)
        return x->ts_ns > y->ts_ns ? -1 : 1;
    return x->idx < y->idx ? -1 : x->idx > y->idx;
}

static int oldest_first(const void *a, const void *b)
{
    const struct cw_cli_entry *x = a, *y = b;
    return x->ts_ns != y->ts_ns ? -newest_first(a, b) : newest_first(a, b);
}

static void entries_sort(struct cw_cli_entry *entries, size_t n, enum cw_cli_order order)
{
    if (n > 1 && order != CW_CLI_AS_ANSWERED)
        qsort(entries, n, sizeof *entries,
              order == CW_CLI_NEWEST_FIRST ? newest_first : oldest_first);
}

struct cw_cli_entry *cw_cli_entries_of(const struct cw_log_groups *groups, size_t n,
                                       enum cw_cli_order order, struct cw_arena *arena)
{
    struct cw_cli_entry *entries = CW_ARENA_ARRAY(arena, struct cw_cli_entry, n + 1);
    size_t at = 0;
    for (size_t i = 0; i < groups->n; i++) {
        const struct cw_log_group *group = &groups->items[i];
        for (size_t k = 0; k < group->n; k++, at++)
            entries[at] = (struct cw_cli_entry){.ts_ns = group->entries[k]->ts_ns,
                                                .labels = group->labels,
                                                .line = group->entries[k]->line,
                                                .idx = at};
    }
    entries_sort(entries, n, order);
    return entries;
}

int cw_cli_answer_parse(struct cw_str body, enum cw_cli_order order, struct cw_arena *arena,
                        struct cw_cli_answer *out, struct cw_err *err)
{
    *out = (struct cw_cli_answer){0};
    struct answer_reader r = {.body = body, .arena = arena, .out = out};
    cw_json_reader_init(&r.json, body, arena);
    int rc = want(&r, CW_JSON_OBJECT, err);
    while (rc == 0 && (rc = cw_json_next(&r.json, err)) == CW_JSON_KEY) {
        if (cw_str_eq(r.json.text, CW_STR("data")))
            rc = read_data(&r, err);
        else if (cw_str_eq(r.json.text, CW_STR("warnings")))
            rc = read_warnings(&r, err);
        else
            rc = cw_json_skip(&r.json, err);
    }
    if (rc < 0)
        return rc;
    if (rc != CW_JSON_OBJECT_END || !out->result.len)
        return unexpected(&r, err);
    if (!cw_str_eq(out->result_type, CW_STR("streams")))
        return 0;
    struct answer_reader streams = {.arena = arena, .out = out};
    cw_json_reader_init(&streams.json, out->result, arena);
    rc = read_streams(&streams, err);
    if (rc == 0)
        entries_sort(out->entries, out->nentries, order);
    return rc;
}

void cw_cli_range_params(struct cw_cli *cli, const struct cw_cli_range *range, int64_t limit,
                         enum cw_cli_order order, struct cw_cli_params *out)
{
    bool forward = order == CW_CLI_AS_ANSWERED ? cli->args->forward : order == CW_CLI_OLDEST_FIRST;
    cw_cli_params_init(out);
    cw_cli_params_add(out, "query", cli->rest[0]);
    cw_cli_params_add_i64(out, "start", range->start_ns);
    cw_cli_params_add_i64(out, "end", range->end_ns);
    cw_cli_params_add_i64(out, "limit", limit);
    cw_cli_params_add(out, "direction", forward ? CW_STR("forward") : CW_STR("backward"));
    if (cli->args->step_ns > 0)
        cw_cli_params_add(out, "step", cw_cli_step(cli));
}

/* {"status":"success","data":{...}} with its keys in any order. */
static int read_plan(struct answer_reader *r, struct cw_str *data_out, struct cw_err *err)
{
    int rc = want(r, CW_JSON_OBJECT, err);
    *data_out = CW_STR_NONE;
    while (rc == 0 && (rc = cw_json_next(&r->json, err)) == CW_JSON_KEY)
        rc = cw_str_eq(r->json.text, CW_STR("data")) ? read_raw(r, data_out, err)
                                                     : cw_json_skip(&r->json, err);
    if (rc < 0)
        return rc;
    return rc == CW_JSON_OBJECT_END && data_out->len > 0 ? 0 : unexpected(r, err);
}

int cw_cli_ask_explain(struct cw_cli *cli, const struct cw_cli_params *params, struct cw_buf *body,
                       struct cw_str *data_out, struct cw_err *err)
{
    int rc = cw_cli_get(cli, cli->args->analyze ? "/cordwood/v1/analyze" : "/cordwood/v1/explain",
                        params, body, err);
    if (rc < 0)
        return rc;
    struct answer_reader r = {.body = cw_buf_str(body), .arena = cli->arena};
    cw_json_reader_init(&r.json, r.body, cli->arena);
    return read_plan(&r, data_out, err);
}

int cw_cli_ask_range(struct cw_cli *cli, const struct cw_cli_range *range, int64_t limit,
                     enum cw_cli_order order, struct cw_buf *body, struct cw_arena *arena,
                     struct cw_cli_answer *out, struct cw_err *err)
{
    struct cw_cli_params params;
    cw_cli_range_params(cli, range, limit, order, &params);
    int rc = cw_cli_get(cli, "/loki/api/v1/query_range", &params, body, err);
    cw_cli_params_fini(&params);
    return rc < 0 ? rc : cw_cli_answer_parse(cw_buf_str(body), order, arena, out, err);
}

/* {"timestamp":"<ns>","labels":{...}}: one of what a tail was too slow for; the first is told. */
static int read_dropped(struct answer_reader *r, struct cw_cli_tail_frame *out, struct cw_err *err)
{
    struct cw_cli_entry entry = {0};
    int rc;
    while ((rc = cw_json_next(&r->json, err)) == CW_JSON_KEY) {
        if (cw_str_eq(r->json.text, CW_STR("labels"))) {
            rc = read_labels(r, &entry.labels, err);
        } else if (cw_str_eq(r->json.text, CW_STR("timestamp"))) {
            rc = want(r, CW_JSON_STRING, err);
            if (rc == 0 && !cw_str_to_i64(r->json.text, &entry.ts_ns))
                rc = unexpected(r, err);
        } else {
            rc = cw_json_skip(&r->json, err);
        }
        if (rc != 0)
            return rc < 0 ? rc : unexpected(r, err);
    }
    if (rc != CW_JSON_OBJECT_END)
        return rc < 0 ? rc : unexpected(r, err);
    if (out->ndropped++ == 0)
        out->first_dropped = entry;
    return 0;
}

static int read_drops(struct answer_reader *r, struct cw_cli_tail_frame *out, struct cw_err *err)
{
    int rc = cw_json_next(&r->json, err);
    if (rc == CW_JSON_NULL)
        return 0;
    if (rc != CW_JSON_ARRAY)
        return rc < 0 ? rc : unexpected(r, err);
    while ((rc = cw_json_next(&r->json, err)) == CW_JSON_OBJECT) {
        rc = read_dropped(r, out, err);
        if (rc < 0)
            return rc;
    }
    if (rc < 0)
        return rc;
    return rc == CW_JSON_ARRAY_END ? 0 : unexpected(r, err);
}

int cw_cli_tail_parse(struct cw_str body, struct cw_arena *arena, struct cw_cli_tail_frame *out,
                      struct cw_err *err)
{
    struct cw_cli_answer answer = {0};
    struct answer_reader r = {.body = body, .arena = arena, .out = &answer};
    *out = (struct cw_cli_tail_frame){0};
    cw_json_reader_init(&r.json, body, arena);
    int rc = want(&r, CW_JSON_OBJECT, err);
    while (rc == 0 && (rc = cw_json_next(&r.json, err)) == CW_JSON_KEY) {
        if (cw_str_eq(r.json.text, CW_STR("streams")))
            rc = read_streams(&r, err);
        else if (cw_str_eq(r.json.text, CW_STR("dropped_entries")))
            rc = read_drops(&r, out, err);
        else
            rc = cw_json_skip(&r.json, err);
    }
    if (rc < 0)
        return rc;
    out->entries = answer.entries;
    out->nentries = answer.nentries;
    return rc == CW_JSON_OBJECT_END ? 0 : unexpected(&r, err);
}
