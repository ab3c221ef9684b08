/*
 * template_align.h - lay a literal over a template: which of its rows hold it?
 *
 * The literal may begin at any byte of the template's text or anywhere in a slot's value. Its bytes must be the text's; what falls
 * into a slot must be a part of a value that the slot's type can have. Each way to lay it asks something of some slots; a row holds the
 * literal exactly when its values answer all that one way asks.
 *
 * Ownership  An alignment owns its arrays, and is used for one template after the other.
 */
#ifndef CW_STORE_TEMPLATE_ALIGN_H
#define CW_STORE_TEMPLATE_ALIGN_H
#include "common/store/layout.h"
#include "common/store/literal_plan.h"

enum cw_template_verdict {
    CW_VERDICT_NO,     /* no row holds it */
    CW_VERDICT_YES,    /* every row does */
    CW_VERDICT_VALUES, /* values decide: the ways */
    CW_VERDICT_UNSURE, /* only a line tells */
};

enum cw_slot_relation {
    CW_VALUE_IS,
    CW_VALUE_BEGINS_WITH,
    CW_VALUE_ENDS_WITH,
    CW_VALUE_HOLDS,
    CW_VALUE_HOLDS_ADDRESS, /* of an ip("...") */
};

/* What one way asks of one slot; the piece is a part of the literal. */
struct cw_slot_test {
    uint32_t from, len; /* of the piece */
    uint16_t slot;      /* of the template */
    uint8_t relation;   /* enum cw_slot_relation */
};

struct cw_template_alignment {
    struct cw_slot_test *tests;
    uint32_t *ends; /* way i: tests [ends[i - 1], ends[i]), from 0 for the first */
    size_t ntests, tests_cap, nways, ways_cap;
};

void cw_template_alignment_init(struct cw_template_alignment *alignment);
void cw_template_alignment_fini(struct cw_template_alignment *alignment);
/* With CW_VERDICT_VALUES the ways are in *alignment. */
enum cw_template_verdict cw_template_align(const struct cw_literal_plan *literal,
                                           const struct cw_layout *layout, uint32_t template,
                                           struct cw_template_alignment *alignment);

#endif
