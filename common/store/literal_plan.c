#include "common/store/literal_plan.h"

#include "common/base/assert.h"
#include "common/store/slot_value.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* What is seen while the literal is walked. */
struct walk {
    struct cw_str text;
    struct cw_str pieces[CW_LITERAL_NEEDLES_MAX + 1]; /* longest first; the last is room */
    size_t npieces;
    size_t from;  /* of the piece that grows */
    bool telling; /* it has a run that is in no value but a string */
};

static void offer(struct walk *walk, size_t from, size_t to)
{
    size_t at = walk->npieces;
    for (; at > 0 && walk->pieces[at - 1].len < to - from; at--)
        walk->pieces[at] = walk->pieces[at - 1];
    walk->pieces[at] = cw_str_sub(walk->text, from, to);
    walk->npieces = CW_MIN(walk->npieces + 1, (size_t)CW_LITERAL_NEEDLES_MAX);
}

/* The piece ends before `to`; the next begins at `next`. */
static void cut(struct walk *walk, size_t to, size_t next)
{
    if (walk->telling)
        offer(walk, walk->from, to);
    walk->from = next;
    walk->telling = false;
}

/* The run at `at`; returns its end. */
static size_t walk_run(struct walk *walk, size_t at)
{
    size_t end = at;
    bool digits = false, only_hex = true;
    for (; end < walk->text.len && is_alnum(walk->text.ptr[end]); end++) {
        char c = walk->text.ptr[end];
        digits |= is_digit(c);
        only_hex &= is_digit(c) || (c >= 'a' && c <= 'f');
    }
    bool whole = at > 0 && end < walk->text.len;
    if (whole && !digits && !only_hex) {
        walk->telling = true;
        return end;
    }
    cut(walk, at, end);
    if (!only_hex)
        offer(walk, at, end);
    return end;
}

size_t cw_literal_pieces(struct cw_str text, struct cw_str out[CW_LITERAL_NEEDLES_MAX])
{
    struct walk walk = {.text = text};
    for (size_t at = 0; at < text.len;) {
        if (is_alnum(text.ptr[at])) {
            at = walk_run(&walk, at);
            continue;
        }
        if (text.ptr[at] == '"')
            cut(&walk, at, at + 1);
        at++;
    }
    cut(&walk, text.len, text.len);
    memcpy(out, walk.pieces, walk.npieces * sizeof(out[0]));
    return walk.npieces;
}

void cw_literal_plan_init(struct cw_literal_plan *plan, struct cw_str text, bool nocase,
                          struct cw_arena *arena)
{
    *plan = (struct cw_literal_plan){.text = text, .nocase = nocase};
    uint32_t *types = CW_ARENA_ARRAY(arena, uint32_t, text.len);
    for (size_t i = 0; i < text.len; i++) {
        types[i] = cw_slot_types_of((unsigned char)text.ptr[i]);
        plan->reserved |= cw_slot_reserved((unsigned char)text.ptr[i]);
    }
    plan->types = types;
    struct cw_str pieces[CW_LITERAL_NEEDLES_MAX];
    plan->nneedles = cw_literal_pieces(text, pieces);
    for (size_t i = 0; i < plan->nneedles; i++)
        cw_text_search_init(&plan->needles[i], pieces[i], nocase);
}
