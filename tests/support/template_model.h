/*
 * template_model.h - a block of templates, composed the slow and obvious way from templates and random values, and its lines.
 */
#ifndef CW_TESTS_TEMPLATE_MODEL_H
#define CW_TESTS_TEMPLATE_MODEL_H
#include "common/base/buf.h"
#include "common/store/layout.h"

struct template_model {
    struct cw_layout layout; /* templates in order of first use */
    struct cw_str *lines;
    uint16_t *rows;   /* the template of each */
    uint32_t *counts; /* rows of each template */
    uint32_t nrows;
    /* per column: the texts of its values */
    struct cw_str **values;
    uint32_t *nvalues;
    struct cw_arena *arena;
};

/* Rows of random ones of the templates (texts with the bytes of slots in them; each is used at least once). Values are random texts of
 * their types, few distinct ones or many. */
void template_model_make(struct template_model *model, const struct cw_str *templates,
                         size_t ntemplates, uint32_t nrows, uint64_t seed);
void template_model_fini(struct template_model *model);
/* How sections and columns are written: all ways are drawn from `seed`. */
void template_model_encode(const struct template_model *model, uint64_t seed, struct cw_buf *out);
/* Put the checksums of the block right again. */
void template_model_reseal(char *block, size_t len);

#endif
