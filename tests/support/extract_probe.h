/* extract_probe.h - what a parser makes of a line, as text: `{a="1", b="2"}`, the error among the labels. */
#ifndef TESTS_SUPPORT_EXTRACT_PROBE_H
#define TESTS_SUPPORT_EXTRACT_PROBE_H
#include <criterion/criterion.h>
#include "common/extract/label_builder.h"

struct probe {
    struct cw_label_hints hints;
    struct cw_label_builder builder;
    struct cw_arena *arena;
};

static inline struct cw_labels probe_labels(struct probe *probe, const char *text)
{
    struct cw_labels labels;
    struct cw_err err;
    cr_assert_eq(cw_labels_parse(cw_str_of(text), probe->arena, &labels, &err), 0, "%s", err.text);
    return labels;
}

static inline void probe_begin(struct probe *probe, const char *stream, const char *metadata)
{
    memset(probe, 0, sizeof *probe);
    probe->arena = cw_arena_new();
    cw_label_builder_init(&probe->builder, &probe->hints);
    cw_label_builder_begin(&probe->builder, probe_labels(probe, stream),
                           probe_labels(probe, metadata));
}

static inline void probe_require(struct probe *probe, const struct cw_str *names, size_t n)
{
    probe->hints.required = names;
    probe->hints.nrequired = n;
}

/* Compares what was parsed, and ends the probe. */
static inline void probe_end(struct probe *probe, const char *want, const char *what)
{
    struct cw_built_labels labels;
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    cw_label_builder_sort(&probe->builder, &labels);
    cw_labels_format(labels.parsed, &text);
    cr_expect_str_eq(cw_buf_z(&text), want, "%s: %s, not %s", what, cw_buf_z(&text), want);
    cw_buf_fini(&text);
    cw_label_builder_fini(&probe->builder);
    cw_arena_free(&probe->arena);
}

#endif
