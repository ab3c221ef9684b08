/* Templates and fields from outside: a template, a NUL, the line. Compiling and executing must end, within the bounds. */
#include "common/base/assert.h"
#include "common/base/limits.h"
#include "common/template/go_template.h"

static bool get(void *user, struct cw_str name, struct cw_str *value)
{
    *value = *(const struct cw_str *)user;
    return name.len % 2 == 1;
}

static size_t list(void *user, const struct cw_label **items)
{
    static struct cw_label label = {CW_STR("a"), CW_STR_NONE};
    label.value = *(const struct cw_str *)user;
    *items = &label;
    return 1;
}

static void execute(const struct cw_go_template *tmpl, struct cw_str line)
{
    static struct cw_go_template_run *run;
    struct cw_err err;
    struct cw_buf out;
    if (run == NULL)
        run = cw_go_template_run_new();
    struct cw_go_template_input input = {.get = get,
                                         .list = list,
                                         .user = &line,
                                         .line = line,
                                         .timestamp_ns = INT64_C(1673798889902000123),
                                         .now_ns = INT64_C(1700000000000000000)};
    cw_buf_init(&out, SIZE_MAX);
    int rc = cw_go_template_execute(tmpl, run, &input, &out, &err);
    CW_ASSERT(rc == 0 || out.len == 0);
    CW_ASSERT(out.len <= CW_LIMIT_TEMPLATE_OUTPUT_BYTES);
    cw_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_str line = cw_str_make(data, size), text;
    struct cw_go_template *tmpl;
    struct cw_err err;
    if (!cw_str_split(&line, 0, &text))
        return 0;
    int rc = cw_go_template_compile(CW_STR("line"), text, &tmpl, &err);
    if (rc == 0) {
        execute(tmpl, line);
        cw_go_template_free(&tmpl);
    }
    int shipper_rc = cw_go_template_compile_shipper(CW_STR("line"), text, &tmpl, &err);
    CW_ASSERT(rc < 0 || shipper_rc == 0); /* it has all functions, and more */
    if (shipper_rc == 0) {
        execute(tmpl, line);
        cw_go_template_free(&tmpl);
    }
    return 0;
}
