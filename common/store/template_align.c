#include "common/store/template_align.h"

#include <stdlib.h>

#include "common/base/assert.h"
#include "common/store/slot_value.h"

/* A literal of quotes alone fits a template of quoted values in very many ways: over these bounds the lines are looked at. */
enum { WAYS_MAX = 1024, STEPS_MAX = 16384 };

struct walk {
    const struct cw_literal_plan *literal;
    struct cw_str text; /* of the template */
    const struct cw_slot *slots;
    uint32_t nslots;
    struct cw_template_alignment *out;
    struct cw_slot_test path[CW_TEMPLATE_SLOTS_MAX]; /* of the way so far */
    size_t npath;
    size_t steps;
    bool certain; /* a way that asks nothing */
    bool lost;    /* over a bound */
};

void cw_template_alignment_init(struct cw_template_alignment *a)
{
    *a = (struct cw_template_alignment){0};
}

void cw_template_alignment_fini(struct cw_template_alignment *a)
{
    free(a->tests);
    free(a->ends);
    cw_template_alignment_init(a);
}

/* The path is a way. */
static void add_way(struct walk *w)
{
    struct cw_template_alignment *a = w->out;
    w->certain |= w->npath == 0;
    w->lost |= a->nways == WAYS_MAX;
    if (w->certain || w->lost)
        return;
    if (a->ntests + w->npath > a->tests_cap) {
        a->tests_cap = 2 * (a->ntests + w->npath);
        a->tests = cw_mem_resize(a->tests, a->tests_cap * sizeof(*a->tests));
    }
    if (a->nways == a->ways_cap) {
        a->ways_cap = 2 * a->ways_cap + 8;
        a->ends = cw_mem_resize(a->ends, a->ways_cap * sizeof(*a->ends));
    }
    memcpy(a->tests + a->ntests, w->path, w->npath * sizeof(*w->path));
    a->ntests += w->npath;
    a->ends[a->nways++] = (uint32_t)a->ntests;
}

static bool same_byte(const struct walk *w, char in_template, char in_literal)
{
    if (w->literal->nocase && in_template >= 'A' && in_template <= 'Z')
        in_template |= 0x20;
    return in_template == in_literal;
}

/* Is the piece's alphabet the slot's, byte for byte? Asked of one piece after the other, each a byte longer. */
static bool byte_fits(const struct walk *w, uint32_t slot, size_t at)
{
    return w->literal->types[at] >> w->slots[slot].type & 1;
}

/* Push what is asked of the slot; false when none of its values answers it. */
static bool push(struct walk *w, uint32_t slot, enum cw_slot_relation relation, size_t from,
                 size_t to)
{
    enum cw_slot_type type = (enum cw_slot_type)w->slots[slot].type;
    bool first = relation == CW_VALUE_IS || relation == CW_VALUE_BEGINS_WITH;
    bool last = relation == CW_VALUE_IS || relation == CW_VALUE_ENDS_WITH;
    struct cw_str piece = cw_str_sub(w->literal->text, from, to);
    if (!cw_slot_may_hold(type, piece, first, last))
        return false;
    if (cw_slot_text_max(type) == piece.len)
        relation =
            CW_VALUE_IS; /* there is no room for more; an address or a decimal may be shorter, not longer */
    w->path[w->npath++] =
        (struct cw_slot_test){(uint32_t)from, (uint32_t)piece.len, (uint16_t)slot, relation};
    return true;
}

static void go_on(struct walk *w, size_t at, uint32_t slot, size_t from);

/* May literal[from...], which is not empty, stand behind the slot? */
static bool may_follow(const struct walk *w, uint32_t slot, size_t from)
{
    size_t at = w->slots[slot].at + 1;
    return at < w->text.len && ((slot + 1 < w->nslots && w->slots[slot + 1].at == at) ||
                                same_byte(w, w->text.ptr[at], w->literal->text.ptr[from]));
}

/* literal[from...] begins where the slot's value does. */
static void enter_slot(struct walk *w, uint32_t slot, size_t from)
{
    size_t len = w->literal->text.len, to = from;
    for (;; to++) {
        if (to == len) {
            if (push(w, slot, CW_VALUE_BEGINS_WITH, from, len)) {
                add_way(w);
                w->npath--;
            }
            return;
        }
        if (may_follow(w, slot, to) && push(w, slot, CW_VALUE_IS, from, to)) {
            go_on(w, w->slots[slot].at + 1, slot + 1, to);
            w->npath--;
        }
        if (!byte_fits(w, slot, to) || w->lost || w->certain)
            return;
    }
}

/* literal[from...] begins at text[at]; `slot` is the first that is not before it. */
static void go_on(struct walk *w, size_t at, uint32_t slot, size_t from)
{
    size_t len = w->literal->text.len;
    if (++w->steps > STEPS_MAX)
        w->lost = true;
    size_t gap_end = slot < w->nslots ? w->slots[slot].at : w->text.len;
    for (; from < len && at < gap_end; at++, from++)
        if (!same_byte(w, w->text.ptr[at], w->literal->text.ptr[from]))
            return;
    if (from == len)
        add_way(w);
    else if (slot < w->nslots && !w->lost)
        enter_slot(w, slot, from);
}

/* The literal begins in the slot: it ends in it too, or with the value goes on behind it. */
static void begin_in_slot(struct walk *w, uint32_t slot)
{
    size_t len = w->literal->text.len;
    for (size_t to = 1; byte_fits(w, slot, to - 1); to++) {
        if (to == len) {
            if (push(w, slot, CW_VALUE_HOLDS, 0, len)) {
                add_way(w);
                w->npath--;
            }
            return;
        }
        if (may_follow(w, slot, to) && push(w, slot, CW_VALUE_ENDS_WITH, 0, to)) {
            go_on(w, w->slots[slot].at + 1, slot + 1, to);
            w->npath--;
        }
    }
}

static void begin_in_text(struct walk *w, size_t from, size_t to, uint32_t slot)
{
    char first = w->literal->text.ptr[0];
    for (size_t at = from; at < to && !w->certain && !w->lost; at++)
        if (same_byte(w, w->text.ptr[at], first))
            go_on(w, at, slot, 0);
}

enum cw_template_verdict cw_template_align(const struct cw_literal_plan *literal,
                                           const struct cw_layout *layout, uint32_t template,
                                           struct cw_template_alignment *alignment)
{
    const struct cw_template *t = &layout->templates[template];
    struct walk w;
    w.literal = literal;
    w.text = t->text;
    w.slots = layout->slots + t->first_slot;
    w.nslots = t->nslots;
    w.out = alignment;
    w.npath = w.steps = 0;
    w.certain = w.lost = false;
    alignment->ntests = alignment->nways = 0;
    if (literal->text.len == 0)
        return CW_VERDICT_YES;
    if (t->nslots > 0 && w.slots[0].type == CW_SLOT_RAW)
        return CW_VERDICT_UNSURE;
    if (literal->reserved)
        return CW_VERDICT_NO;
    size_t at = 0;
    for (uint32_t slot = 0; slot <= t->nslots && !w.certain && !w.lost; slot++) {
        size_t gap_end = slot < t->nslots ? w.slots[slot].at : t->text.len;
        begin_in_text(&w, at, gap_end, slot);
        at = gap_end + 1;
        if (slot < t->nslots && !w.certain && !w.lost)
            begin_in_slot(&w, slot);
    }
    if (w.certain)
        return CW_VERDICT_YES;
    if (w.lost)
        return CW_VERDICT_UNSURE;
    return alignment->nways > 0 ? CW_VERDICT_VALUES : CW_VERDICT_NO;
}
