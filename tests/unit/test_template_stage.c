#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "querier/engine/pattern_text.h"
#include "querier/engine/template_stage.h"

struct fixture {
    struct cw_template_run *run;
    struct cw_label_builder builder;
    struct cw_label_hints hints;
};

static void begin(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    f->run = cw_template_run_new();
    cw_label_builder_init(&f->builder, &f->hints);
}

static void end(struct fixture *f)
{
    cw_template_run_free(&f->run);
    cw_label_builder_fini(&f->builder);
}

static struct cw_str label_of(struct fixture *f, struct cw_labels stream, const char *line,
                              const char *name)
{
    struct cw_str value;
    enum cw_label_category category;
    cw_label_builder_begin(&f->builder, stream, CW_LABELS_NONE);
    cw_template_run_entry(f->run, cw_str_of(line), &f->builder);
    return cw_label_builder_get(&f->builder, cw_str_of(name), &value, &category) ? value
                                                                                 : CW_STR_NONE;
}

static void expect(struct fixture *f, const char *line, const char *want)
{
    struct cw_str got = label_of(f, CW_LABELS_NONE, line, "template");
    cr_expect(cw_str_eqz(got, want), "%s: %.*s", line, CW_STR_ARG(got));
}

Test(template_stage, a_line_has_the_pattern_that_patterns_have)
{
    struct fixture f;
    begin(&f);
    expect(&f, "user 17 logged in from 10.0.0.1:8080", "user <_> logged in from <_>");
    expect(&f, "user 4 logged in from 10.2.0.1:80", "user <_> logged in from <_>");
    expect(&f, "", "");
    expect(&f, "two\nlines 5", "two\nlines <_>");
    expect(&f, "{\"ts\":\"2026-01-05\",\"msg\":\"disk full\",\"n\":3}", "<_>disk full<_>");
    expect(&f, "{\"ts\":\"2026-01-06\",\"msg\":\"disk full\",\"n\":4}", "<_>disk full<_>");
    expect(&f, "{\"ts\":\"2026-01-06\",\"msg\":\"all well\",\"n\":4}", "<_>all well<_>");
    expect(&f, "level=info msg=\"took 5 ms\" n=7", "level=info msg=\"took <_> ms\" n=<_>");
    end(&f);
}

Test(template_stage, a_label_of_that_name_stays)
{
    static const struct cw_label stream[] = {{{"template", 8}, {"mine", 4}}};
    const struct cw_labels labels = {stream, 1};
    struct fixture f;
    begin(&f);
    cr_expect(cw_str_eqz(label_of(&f, labels, "a 1", "template"), "mine"));
    cr_expect(cw_str_eqz(label_of(&f, labels, "a 1", "template_extracted"), "a <_>"));
    end(&f);
}

Test(template_stage, where_the_label_is_not_wanted_it_is_not_made)
{
    struct cw_str other = CW_STR("other");
    struct fixture f;
    begin(&f);
    f.hints = (struct cw_label_hints){.required = &other, .nrequired = 1};
    cr_expect(cw_str_eqz(label_of(&f, CW_LABELS_NONE, "a 1", "template"), ""));
    end(&f);
}

/* More templates than are kept. */
Test(template_stage, what_was_forgotten_is_made_again)
{
    struct fixture f;
    struct cw_buf line;
    begin(&f);
    cw_buf_init(&line, SIZE_MAX);
    for (size_t i = 0; i < 3 * CW_TEMPLATE_STAGE_BYTES / CW_PATTERN_TEXT_MAX; i++) {
        cw_buf_clear(&line);
        for (size_t k = 0; k < 11; k++)
            cw_buf_addc(&line, (char)('a' + (i >> k & 1)));
        for (size_t k = 0; k < CW_PATTERN_TEXT_MAX - 100; k++)
            cw_buf_addc(&line, 'x');
        struct cw_str got = label_of(&f, CW_LABELS_NONE, cw_buf_z(&line), "template");
        cr_assert(cw_str_eq(got, cw_buf_str(&line)), "%zu", i);
    }
    expect(&f, "user 17", "user <_>");
    cw_buf_fini(&line);
    end(&f);
}
