#include "querier/cli/explain_print.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "common/wire/json_reader.h"
#include "querier/cli/terminal_text.h"

struct explain_text {
    struct cw_json_reader json;
    struct cw_buf *out;
};

static void indent(struct explain_text *t, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++)
        cw_buf_adds(t->out, CW_STR("  "));
}

static bool is_scalar(int event)
{
    return event >= CW_JSON_STRING;
}

/* "start_ns": a text, as JSON's numbers do not hold it. */
static bool is_time(const struct explain_text *t, int event, struct cw_str name)
{
    int64_t ns;
    return event == CW_JSON_STRING && cw_str_ends(name, CW_STR("_ns")) &&
           cw_str_to_i64(t->json.text, &ns);
}

static void add_scalar(struct explain_text *t, int event, struct cw_str name)
{
    static const char *const words[] = {
        [CW_JSON_TRUE] = "yes", [CW_JSON_FALSE] = "no", [CW_JSON_NULL] = "-"};
    int64_t ns;
    if (event >= CW_JSON_TRUE)
        cw_buf_adds(t->out, cw_str_of(words[event]));
    else if (is_time(t, event, name) && cw_str_to_i64(t->json.text, &ns))
        cw_time_format_rfc3339(ns, t->out);
    else
        cw_terminal_text_add(t->json.text, t->out);
}

static int add_object(struct explain_text *t, unsigned depth, bool in_list, struct cw_err *err);

/* Scalars stand on the line of their name, objects below it, each behind a dash. */
static int add_array(struct explain_text *t, unsigned depth, struct cw_err *err)
{
    int event;
    bool any = false;
    while ((event = cw_json_next(&t->json, err)) > 0 && event != CW_JSON_ARRAY_END) {
        if (is_scalar(event)) {
            cw_buf_adds(t->out, any ? CW_STR(", ") : CW_STR(" "));
            add_scalar(t, event, CW_STR_NONE);
        } else {
            if (!any)
                cw_buf_addc(t->out, '\n');
            int rc = event == CW_JSON_OBJECT ? add_object(t, depth + 1, true, err)
                                             : cw_json_skip_rest(&t->json, event, err);
            if (rc < 0)
                return rc;
        }
        any = true;
    }
    if (!any)
        cw_buf_adds(t->out, CW_STR(" none"));
    if (t->out->len > 0 && t->out->ptr[t->out->len - 1] != '\n')
        cw_buf_addc(t->out, '\n');
    return event < 0 ? event : 0;
}

static int add_member(struct explain_text *t, unsigned depth, struct cw_err *err)
{
    struct cw_str name = t->json.text;
    cw_terminal_text_add(name, t->out);
    int event = cw_json_next(&t->json, err);
    if (event < 0)
        return event;
    if (is_time(t, event, name))
        t->out->len -= 3; /* it is told as one: without "_ns" */
    cw_buf_addc(t->out, ':');
    if (event == CW_JSON_ARRAY)
        return add_array(t, depth, err);
    cw_buf_addc(t->out, event == CW_JSON_OBJECT ? '\n' : ' ');
    if (event == CW_JSON_OBJECT)
        return add_object(t, depth + 1, false, err);
    add_scalar(t, event, name);
    cw_buf_addc(t->out, '\n');
    return 0;
}

static int add_object(struct explain_text *t, unsigned depth, bool in_list, struct cw_err *err)
{
    int event;
    bool first = true;
    while ((event = cw_json_next(&t->json, err)) == CW_JSON_KEY) {
        indent(t, in_list ? depth - 1 : depth);
        if (in_list)
            cw_buf_adds(t->out, first ? CW_STR("- ") : CW_STR("  "));
        first = false;
        int rc = add_member(t, depth, err);
        if (rc < 0)
            return rc;
    }
    return event < 0 ? event : 0;
}

int cw_cli_explain_text(struct cw_str data, struct cw_buf *out, struct cw_err *err)
{
    struct cw_arena *arena = cw_arena_new();
    struct explain_text t = {.out = out};
    cw_json_reader_init(&t.json, data, arena);
    int rc = cw_json_next(&t.json, err);
    if (rc == CW_JSON_OBJECT)
        rc = add_object(&t, 0, false, err);
    else if (rc >= 0)
        rc = cw_json_error(&t.json, err, "the server's answer is no plan");
    cw_arena_free(&arena);
    return rc;
}

int cw_cli_print_explain(const struct cw_cli_args *args, struct cw_str data, struct cw_err *err)
{
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    int rc = 0;
    if (args->output == CW_CLI_OUTPUT_JSONL) {
        cw_buf_adds(&text, data);
        cw_buf_addc(&text, '\n');
    } else {
        rc = cw_cli_explain_text(data, &text, err);
    }
    if (rc == 0)
        fwrite(text.ptr, 1, text.len, stdout);
    cw_buf_fini(&text);
    return rc;
}
