/*
 * go_template_sprig_priv.h - lists and dicts as sprig's functions take and make them: shared by the files of those functions.
 *
 * Ownership  What is made is in the run's arena, and never changed: sprig's functions that change a dict (set, unset, merge) are
 *            left out.
 * Errors     -1, with the message in run->err.
 */
#ifndef CW_TEMPLATE_GO_TEMPLATE_SPRIG_PRIV_H
#define CW_TEMPLATE_GO_TEMPLATE_SPRIG_PRIV_H
#include "common/template/go_template_priv.h"

struct cw_gt_list_builder { /* {0} is an empty one */
    struct cw_go_value *items;
    size_t n, cap;
};

int cw_gt_list_add(struct cw_go_template_run *run, struct cw_gt_list_builder *list,
                   struct cw_go_value value);
int cw_gt_give_list(struct cw_go_template_run *run, const struct cw_gt_list_builder *list,
                    struct cw_go_value *out);
/* The list that `value` is; `name` is the function's, for the message. */
int cw_gt_want_list(struct cw_go_template_run *run, const char *name, struct cw_go_value value,
                    const struct cw_go_list **out);
/* 1: it is among them; 0: it is not. */
int cw_gt_list_has(struct cw_go_template_run *run, const struct cw_go_value *items, size_t n,
                   struct cw_go_value value);
/* Takes pairs of different keys, and sorts them. */
int cw_gt_give_map(struct cw_go_template_run *run, struct cw_go_pair *pairs, size_t n,
                   struct cw_go_value *out);
int cw_gt_want_map(struct cw_go_template_run *run, struct cw_go_value value,
                   const struct cw_go_map **out);
/* sprig's strval: a text as it is, anything else as %v prints it. */
int cw_gt_text_of(struct cw_go_template_run *run, struct cw_go_value value, struct cw_str *out);

/* Those of go_template_sprig_more.c; NULL: not among them. */
const struct cw_gt_func *cw_gt_func_find_sprig_more(struct cw_str name);

#endif
