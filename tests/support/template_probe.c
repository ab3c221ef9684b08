/*
 * The C side of template_go: reads "TEMPLATE LINE TIMESTAMP_NS FIELDS" in hex but for the time ("-" is empty; FIELDS are names and
 * values, each ended by a NUL, sorted by name), one a line, and prints "P <error in hex>" of the parser, "E <error>", "L <error>" of a bound
 * that was met, or "O <output>".
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/template/go_template.h"
#include "tests/support/probe.h"

enum { MAX_FIELDS = 64 };

struct fields {
    struct cw_label items[MAX_FIELDS];
    size_t n;
};

static bool get(void *user, struct cw_str name, struct cw_str *value)
{
    const struct fields *fields = user;
    for (size_t i = 0; i < fields->n; i++) {
        if (cw_str_eq(fields->items[i].name, name)) {
            *value = fields->items[i].value;
            return true;
        }
    }
    return false;
}

static size_t list(void *user, const struct cw_label **items)
{
    const struct fields *fields = user;
    *items = fields->items;
    return fields->n;
}

static void answer(struct cw_str text, struct cw_go_template_input *input,
                   struct cw_go_template_run *run)
{
    static struct cw_err err;
    struct cw_go_template *tmpl;
    struct cw_buf out;
    if (cw_go_template_compile(CW_STR("line"), text, &tmpl, &err) < 0) {
        probe_print('P', cw_str_of(err.text));
        return;
    }
    cw_buf_init(&out, SIZE_MAX);
    if (cw_go_template_execute(tmpl, run, input, &out, &err) < 0)
        probe_print(err.code == CW_E_LIMIT ? 'L' : 'E', cw_str_of(err.text));
    else
        probe_print('O', cw_buf_str(&out));
    cw_buf_fini(&out);
    cw_go_template_free(&tmpl);
}

int main(void)
{
    static char text[1 << 16], line[1 << 16], pairs[1 << 16];
    long long timestamp_ns;
    struct cw_arena *arena = cw_arena_new();
    struct cw_go_template_run *run = cw_go_template_run_new();
    while (scanf(" %65535s %65535s %lld %65535s", text, line, &timestamp_ns, pairs) == 4) {
        struct fields fields = {.n = 0};
        struct cw_str rest = probe_unhex(pairs, arena), name, value;
        while (fields.n < MAX_FIELDS && cw_str_split(&rest, '\0', &name) &&
               cw_str_split(&rest, '\0', &value))
            fields.items[fields.n++] = (struct cw_label){name, value};
        struct cw_go_template_input input = {.get = get,
                                             .list = list,
                                             .user = &fields,
                                             .line = probe_unhex(line, arena),
                                             .timestamp_ns = timestamp_ns,
                                             .now_ns = timestamp_ns};
        answer(probe_unhex(text, arena), &input, run);
        fflush(stdout);
        cw_arena_reset(arena);
    }
    cw_go_template_run_free(&run);
    cw_arena_free(&arena);
    return 0;
}
