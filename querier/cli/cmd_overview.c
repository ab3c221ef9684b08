/* cmd_overview.c - `cordwood volume`, `patterns` and `detected-fields`: what there is much of, what lines look like, what is in them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/wire/json_reader.h"
#include "common/wire/json_writer.h"
#include "querier/cli/cli_request.h"
#include "querier/cli/cli_time.h"
#include "querier/cli/terminal_text.h"

/* One thing that is told: a label set, a pattern, a field or a value of one. */
struct found {
    struct cw_str text;
    const struct cw_label *labels; /* those of a label set, as the server tells them */
    size_t nlabels;
    uint64_t number;      /* bytes, lines, or different values */
    struct cw_str detail; /* a pattern's level, a field's type */
    struct cw_str parsers;
};

struct found_list {
    struct cw_arena *arena;
    struct found *items;
    size_t n, cap;
};

/* Reads the value behind the last key, which it knows, into *out; else passes over it. */
typedef int (*value_fn)(struct cw_json_reader *json, struct cw_str key, struct found *out,
                        struct cw_err *err);

/* What an overview asks for, and how it is read and shown. */
struct overview {
    const char *path;
    const char *list;   /* key of the array in the answer, in "data" or beside it */
    value_fn value;     /* NULL: the elements are texts */
    const char *unit;   /* name of `number` in jsonl; NULL: there is none */
    const char *name;   /* of `text` in jsonl */
    const char *detail; /* NULL: there is none */
    bool largest_first;
};

/* ---- the answer ---- */

static int take_text(struct cw_json_reader *json, struct cw_str *out, struct cw_err *err)
{
    int rc = cw_json_next(json, err);
    if (rc == CW_JSON_STRING || rc == CW_JSON_NUMBER)
        *out = json->text;
    return rc < 0 ? rc : cw_json_skip_rest(json, rc, err);
}

static int take_number(struct cw_json_reader *json, uint64_t *out, struct cw_err *err)
{
    struct cw_str text = CW_STR("0");
    int rc = take_text(json, &text, err);
    if (rc == 0 && !cw_str_to_u64(text, out))
        rc = cw_json_error(json, err, "expected a whole number");
    return rc;
}

/* {"name": "value", ...}; its text is as a label set is written, or the name alone, where volumes are of names. */
static int take_labels(struct cw_json_reader *json, struct found *out, struct cw_err *err)
{
    struct cw_label *pairs = NULL;
    struct cw_labels labels;
    struct cw_buf text;
    size_t n = 0, cap = 0;
    int rc = cw_json_next(json, err);
    if (rc != CW_JSON_OBJECT)
        return rc < 0 ? rc : cw_json_error(json, err, "expected labels");
    while ((rc = cw_json_next(json, err)) == CW_JSON_KEY) {
        pairs = cw_arena_grow(json->arena, pairs, n, &cap, n + 1, sizeof(*pairs));
        pairs[n] = (struct cw_label){json->text, CW_STR_NONE};
        if ((rc = take_text(json, &pairs[n++].value, err)) < 0)
            return rc;
    }
    if (rc < 0)
        return rc;
    out->labels = pairs;
    out->nlabels = n;
    if (n == 1 && pairs[0].value.len == 0) {
        out->text = pairs[0].name;
        return 0;
    }
    if ((rc = cw_labels_from_pairs(pairs, n, &labels, err)) < 0)
        return rc;
    cw_buf_init(&text, SIZE_MAX);
    cw_labels_format(labels, &text);
    out->text = cw_arena_dup(json->arena, cw_buf_str(&text));
    cw_buf_fini(&text);
    return 0;
}

/* The second of a sample's two, or the sum of those of many. */
static int take_sample(struct cw_json_reader *json, uint64_t *sum, struct cw_err *err)
{
    uint64_t number = 0;
    int rc = cw_json_next(json, err);
    if (rc != CW_JSON_ARRAY)
        return rc < 0 ? rc : cw_json_error(json, err, "expected a sample");
    rc = cw_json_skip(json, err);
    if (rc == 0)
        rc = take_number(json, &number, err);
    *sum += number;
    if (rc == 0)
        rc = cw_json_next(json, err);
    if (rc > 0 && rc != CW_JSON_ARRAY_END)
        return cw_json_error(json, err, "expected the end of a sample");
    return rc < 0 ? rc : 0;
}

static int volume_value(struct cw_json_reader *json, struct cw_str key, struct found *out,
                        struct cw_err *err)
{
    if (cw_str_eqz(key, "metric"))
        return take_labels(json, out, err);
    if (cw_str_eqz(key, "value"))
        return take_sample(json, &out->number, err);
    return cw_json_skip(json, err);
}

static int take_samples(struct cw_json_reader *json, uint64_t *sum, struct cw_err *err)
{
    int rc = cw_json_next(json, err);
    if (rc != CW_JSON_ARRAY)
        return rc < 0 ? rc : cw_json_error(json, err, "expected samples");
    while ((rc = cw_json_next(json, err)) == CW_JSON_ARRAY) {
        uint64_t number = 0;
        rc = cw_json_skip(json, err);
        if (rc == 0)
            rc = take_number(json, &number, err);
        if (rc == 0)
            rc = cw_json_skip_rest(json, CW_JSON_ARRAY, err);
        if (rc < 0)
            return rc;
        *sum += number;
    }
    return rc < 0 ? rc : 0;
}

static int pattern_value(struct cw_json_reader *json, struct cw_str key, struct found *out,
                         struct cw_err *err)
{
    if (cw_str_eqz(key, "pattern"))
        return take_text(json, &out->text, err);
    if (cw_str_eqz(key, "level"))
        return take_text(json, &out->detail, err);
    if (cw_str_eqz(key, "samples"))
        return take_samples(json, &out->number, err);
    return cw_json_skip(json, err);
}

/* ["json", "logfmt"], or null, as "json,logfmt". */
static int take_parsers(struct cw_json_reader *json, struct cw_str *out, struct cw_err *err)
{
    int rc = cw_json_next(json, err);
    if (rc != CW_JSON_ARRAY)
        return rc < 0 ? rc : cw_json_skip_rest(json, rc, err);
    while ((rc = cw_json_next(json, err)) == CW_JSON_STRING)
        *out = out->len == 0 ? json->text
                             : cw_arena_printf(json->arena, "%.*s,%.*s", CW_STR_ARG(*out),
                                               CW_STR_ARG(json->text));
    return rc < 0 ? rc : 0;
}

static int field_value(struct cw_json_reader *json, struct cw_str key, struct found *out,
                       struct cw_err *err)
{
    if (cw_str_eqz(key, "label"))
        return take_text(json, &out->text, err);
    if (cw_str_eqz(key, "type"))
        return take_text(json, &out->detail, err);
    if (cw_str_eqz(key, "cardinality"))
        return take_number(json, &out->number, err);
    if (cw_str_eqz(key, "parsers"))
        return take_parsers(json, &out->parsers, err);
    return cw_json_skip(json, err);
}

static int read_element(struct cw_json_reader *json, const struct overview *o, int event,
                        struct found *out, struct cw_err *err)
{
    int rc = 0;
    if (o->value == NULL) {
        if (event != CW_JSON_STRING)
            return cw_json_error(json, err, "expected a text");
        out->text = json->text;
        return 0;
    }
    if (event != CW_JSON_OBJECT)
        return cw_json_error(json, err, "expected an object");
    while (rc >= 0 && (rc = cw_json_next(json, err)) == CW_JSON_KEY)
        rc = o->value(json, json->text, out, err);
    return rc < 0 ? rc : 0;
}

/* The array of that name, wherever in the objects of the answer it stands. */
static int read_list(struct cw_json_reader *json, const struct overview *o, struct found_list *out,
                     struct cw_err *err)
{
    int rc;
    while ((rc = cw_json_next(json, err)) > 0 && rc != CW_JSON_ARRAY_END) {
        struct found found = {0};
        rc = read_element(json, o, rc, &found, err);
        if (rc < 0)
            return rc;
        out->items =
            cw_arena_grow(out->arena, out->items, out->n, &out->cap, out->n + 1, sizeof(found));
        out->items[out->n++] = found;
    }
    return rc < 0 ? rc : 0;
}

/* An answer without the list has found nothing. */
static int read_answer(struct cw_json_reader *json, const struct overview *o,
                       struct found_list *out, struct cw_err *err)
{
    int rc;
    while ((rc = cw_json_next(json, err)) > 0) {
        bool data = rc == CW_JSON_KEY && cw_str_eqz(json->text, "data");
        bool list = rc == CW_JSON_KEY && cw_str_eqz(json->text, o->list);
        if (rc != CW_JSON_KEY)
            continue; /* the objects' ends, and their beginnings */
        if (list) {
            rc = cw_json_next(json, err);
            if (rc == CW_JSON_ARRAY)
                return read_list(json, o, out, err);
            rc = rc < 0 ? rc : cw_json_skip_rest(json, rc, err);
        } else if (!data) {
            rc = cw_json_skip(json, err);
        }
        if (rc < 0)
            return rc;
    }
    return rc;
}

/* ---- printing ---- */

static int by_number(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    return x->number != y->number ? (x->number < y->number ? 1 : -1) : cw_str_cmp(x->text, y->text);
}

static void add_jsonl(const struct overview *o, const struct found *found, struct cw_buf *out)
{
    struct cw_json_writer w = cw_json_writer_make(out);
    cw_json_begin_object(&w);
    if (found->labels != NULL) {
        cw_json_key(&w, cw_str_of(o->name));
        cw_json_begin_object(&w);
        for (size_t i = 0; i < found->nlabels; i++) {
            cw_json_key(&w, found->labels[i].name);
            cw_json_string(&w, found->labels[i].value);
        }
        cw_json_end_object(&w);
    } else {
        cw_json_key_string(&w, o->name, found->text);
    }
    if (o->unit != NULL)
        cw_json_key_u64(&w, o->unit, found->number);
    if (o->detail != NULL)
        cw_json_key_string(&w, o->detail, found->detail);
    if (found->parsers.len > 0)
        cw_json_key_string(&w, "parsers", found->parsers);
    cw_json_end_object(&w);
}

static void print_found(const struct cw_cli *cli, const struct overview *o,
                        const struct found *found)
{
    struct cw_buf line;
    cw_buf_init(&line, SIZE_MAX);
    if (cli->args->output == CW_CLI_OUTPUT_JSONL) {
        add_jsonl(o, found, &line);
    } else {
        if (cli->args->output == CW_CLI_OUTPUT_DEFAULT && o->unit != NULL)
            cw_buf_addf(&line, "%12" PRIu64 "  ", found->number);
        if (cli->args->output == CW_CLI_OUTPUT_DEFAULT && o->detail != NULL)
            cw_buf_addf(&line, "%-8.*s  ", CW_STR_ARG(found->detail));
        if (cw_terminal_text_wanted((enum cw_cli_when)cli->args->escape))
            cw_terminal_text_add(found->text, &line);
        else
            cw_buf_adds(&line, found->text);
        if (cli->args->output == CW_CLI_OUTPUT_DEFAULT && found->parsers.len > 0)
            cw_buf_addf(&line, "  (%.*s)", CW_STR_ARG(found->parsers));
    }
    printf("%s\n", cw_buf_z(&line));
    cw_buf_fini(&line);
}

/* ---- the commands ---- */

/* The flags' range and the query, and what the command has besides. */
static int show(struct cw_cli *cli, const struct overview *o, struct cw_cli_params *params)
{
    struct found_list list = {.arena = cli->arena};
    struct cw_json_reader json;
    struct cw_cli_range range;
    struct cw_err err = {0};
    struct cw_buf body;
    if (cw_cli_range(cli->args, &range, &err) < 0)
        return cw_cli_fail(&err, CW_EXIT_USAGE);
    cw_cli_params_add_i64(params, "start", range.start_ns);
    cw_cli_params_add_i64(params, "end", range.end_ns);
    cw_cli_params_add(params, "query", cli->rest[0]);
    cw_buf_init(&body, SIZE_MAX);
    int rc = cw_cli_get(cli, o->path, params, &body, &err);
    cw_json_reader_init(&json, cw_buf_str(&body), cli->arena);
    if (rc == 0)
        rc = read_answer(&json, o, &list, &err);
    if (o->largest_first && list.n > 0)
        qsort(list.items, list.n, sizeof(*list.items), by_number);
    for (size_t i = 0; rc == 0 && i < list.n; i++)
        print_found(cli, o, &list.items[i]);
    cw_buf_fini(&body);
    if (rc < 0)
        return cw_cli_fail(&err, CW_EXIT_ERROR);
    return list.n > 0 ? CW_EXIT_RESULTS : CW_EXIT_NOTHING;
}

int cw_cmd_volume(struct cw_cli *cli)
{
    static const struct overview volume = {.path = "/loki/api/v1/index/volume",
                                           .list = "result",
                                           .value = volume_value,
                                           .unit = "bytes",
                                           .name = "labels",
                                           .largest_first = true};
    struct cw_cli_params params;
    cw_cli_params_init(&params);
    cw_cli_params_add_i64(&params, "limit", cli->args->limit);
    if (cli->args->target_labels.len > 0)
        cw_cli_params_add(&params, "targetLabels", cli->args->target_labels);
    if (cli->args->by_label)
        cw_cli_params_add(&params, "aggregateBy", CW_STR("labels"));
    int status = show(cli, &volume, &params);
    cw_cli_params_fini(&params);
    return status;
}

int cw_cmd_patterns(struct cw_cli *cli)
{
    static const struct overview patterns = {.path = "/loki/api/v1/patterns",
                                             .list = "data",
                                             .value = pattern_value,
                                             .unit = "lines",
                                             .name = "pattern",
                                             .detail = "level",
                                             .largest_first = true};
    struct cw_cli_params params;
    cw_cli_params_init(&params);
    int status = show(cli, &patterns, &params);
    cw_cli_params_fini(&params);
    return status;
}

int cw_cmd_detected_fields(struct cw_cli *cli)
{
    struct overview fields = {.path = "/loki/api/v1/detected_fields",
                              .list = "fields",
                              .value = field_value,
                              .unit = "values",
                              .name = "field",
                              .detail = "type"};
    struct cw_cli_params params, name;
    cw_cli_params_init(&params);
    cw_cli_params_init(&name);
    if (cli->nrest > 1) { /* the name as it stands in a path: "?=<name>" without what is in front */
        cw_cli_params_add(&name, "", cli->rest[1]);
        struct cw_str encoded = cw_str_sub(cw_buf_str(&name.text), 2, name.text.len);
        fields = (struct overview){
            .path = cw_arena_printf(cli->arena, "/loki/api/v1/detected_field/%.*s/values",
                                    CW_STR_ARG(encoded))
                        .ptr,
            .list = "values",
            .name = "value"};
    }
    cw_cli_params_add_i64(&params, "limit", cli->args->limit);
    cw_cli_params_add_i64(&params, "line_limit", cli->args->line_limit);
    int status = show(cli, &fields, &params);
    cw_cli_params_fini(&name);
    cw_cli_params_fini(&params);
    return status;
}
