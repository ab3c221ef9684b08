#include "common/match/regex_nfa.h"

#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/match/regex_nfa_priv.h"

/* ---- compile ---- */

static uint32_t emit(struct cw_nfa *nfa, enum inst_op op, uint32_t x)
{
    if (nfa->n == nfa->cap) {
        nfa->cap = CW_MAX(2 * nfa->cap, 32u);
        nfa->insts = cw_mem_resize(nfa->insts, nfa->cap * sizeof nfa->insts[0]);
    }
    nfa->insts[nfa->n] = (struct inst){.op = op, .x = x, .y = nfa->n + 1};
    return nfa->n++;
}

static bool nullable(const struct cw_re_node *node)
{
    switch (node->op) {
    case CW_RE_LITERAL:
    case CW_RE_CLASS:
    case CW_RE_ANY:
    case CW_RE_ANY_NOT_NL: return false;
    case CW_RE_REPEAT: return node->min == 0 || nullable(node->subs[0]);
    case CW_RE_CAPTURE: return nullable(node->subs[0]);
    case CW_RE_CONCAT:
        for (size_t i = 0; i < node->nsubs; i++)
            if (!nullable(node->subs[i]))
                return false;
        return true;
    case CW_RE_ALTERNATE:
        for (size_t i = 0; i < node->nsubs; i++)
            if (nullable(node->subs[i]))
                return true;
        return false;
    default: return true;
    }
}

static void compile(struct cw_nfa *nfa, const struct cw_re_node *node);

/* A split whose one way is the next instruction and whose other way is set later: `prefer_next` says which is tried first. */
static uint32_t emit_split(struct cw_nfa *nfa)
{
    return emit(nfa, INST_SPLIT, 0);
}

static void set_split(struct cw_nfa *nfa, uint32_t split, uint32_t next, uint32_t other, bool lazy)
{
    nfa->insts[split].x = lazy ? other : next;
    nfa->insts[split].y = lazy ? next : other;
}

static void compile_plus(struct cw_nfa *nfa, const struct cw_re_node *sub, bool lazy)
{
    uint32_t start = nfa->n;
    compile(nfa, sub);
    uint32_t split = emit_split(nfa);
    set_split(nfa, split, start, nfa->n, lazy);
}

static void compile_star(struct cw_nfa *nfa, const struct cw_re_node *sub, bool lazy)
{
    uint32_t split = emit_split(nfa);
    if (nullable(sub)) { /* (x+)? keeps the order of preference right when x matches nothing */
        compile_plus(nfa, sub, lazy);
    } else {
        compile(nfa, sub);
        uint32_t jump = emit(nfa, INST_JUMP, 0);
        nfa->insts[jump].y = split;
    }
    set_split(nfa, split, split + 1, nfa->n, lazy);
}

static void compile_repeat(struct cw_nfa *nfa, const struct cw_re_node *node)
{
    const struct cw_re_node *sub = node->subs[0];
    if (node->max == CW_RE_NO_MAX) {
        for (int i = 1; i < node->min; i++)
            compile(nfa, sub);
        if (node->min == 0)
            compile_star(nfa, sub, node->lazy);
        else
            compile_plus(nfa, sub, node->lazy);
        return;
    }
    for (int i = 0; i < node->min; i++)
        compile(nfa, sub);
    /* x{2,5} is xx(x(x(x)?)?)?: all splits leave to the same end, found by a chain through y. */
    uint32_t chain = UINT32_MAX;
    for (int i = node->min; i < node->max; i++) {
        uint32_t split = emit_split(nfa);
        nfa->insts[split].y = chain;
        chain = split;
        compile(nfa, sub);
    }
    while (chain != UINT32_MAX) {
        uint32_t next = nfa->insts[chain].y;
        set_split(nfa, chain, chain + 1, nfa->n, node->lazy);
        chain = next;
    }
}

static void compile_alternate(struct cw_nfa *nfa, const struct cw_re_node *node)
{
    uint32_t chain = UINT32_MAX; /* jumps to the end, linked through y */
    for (size_t i = 0; i < node->nsubs; i++) {
        bool last = i + 1 == node->nsubs;
        uint32_t split = last ? 0 : emit_split(nfa);
        compile(nfa, node->subs[i]);
        if (last)
            break;
        uint32_t jump = emit(nfa, INST_JUMP, 0);
        nfa->insts[jump].y = chain;
        chain = jump;
        set_split(nfa, split, split + 1, nfa->n, false);
    }
    while (chain != UINT32_MAX) {
        uint32_t next = nfa->insts[chain].y;
        nfa->insts[chain].y = nfa->n;
        chain = next;
    }
}

static void compile(struct cw_nfa *nfa, const struct cw_re_node *node)
{
    switch (node->op) {
    case CW_RE_EMPTY: break;
    case CW_RE_LITERAL:
        for (size_t i = 0; i < node->nrunes; i++)
            emit(nfa, node->fold ? INST_FOLDED_RUNE : INST_RUNE, node->runes[i]);
        break;
    case CW_RE_CLASS: {
        uint32_t at = emit(nfa, node->nranges == 0 ? INST_FAIL : INST_CLASS, 0);
        nfa->insts[at].ranges = node->ranges;
        nfa->insts[at].nranges = node->nranges;
        break;
    }
    case CW_RE_ANY: emit(nfa, INST_ANY, 0); break;
    case CW_RE_ANY_NOT_NL: emit(nfa, INST_ANY_NOT_NL, 0); break;
    case CW_RE_CAPTURE:
        emit(nfa, INST_SAVE, 2 * node->group);
        compile(nfa, node->subs[0]);
        emit(nfa, INST_SAVE, 2 * node->group + 1);
        break;
    case CW_RE_REPEAT: compile_repeat(nfa, node); break;
    case CW_RE_CONCAT:
        for (size_t i = 0; i < node->nsubs; i++)
            compile(nfa, node->subs[i]);
        break;
    case CW_RE_ALTERNATE: compile_alternate(nfa, node); break;
    default: emit(nfa, INST_ASSERT, node->op); break;
    }
}

struct cw_nfa *cw_nfa_new(const struct cw_re_tree *tree)
{
    struct cw_nfa *nfa = cw_mem_new(sizeof *nfa);
    nfa->ngroups = tree->ngroups + 1;
    emit(nfa, INST_SAVE, 0);
    compile(nfa, tree->root);
    emit(nfa, INST_SAVE, 1);
    emit(nfa, INST_MATCH, 0);
    return nfa;
}

void cw_nfa_free(struct cw_nfa **nfa)
{
    if (*nfa != NULL) {
        free((*nfa)->insts);
        free(*nfa);
        *nfa = NULL;
    }
}

/* ---- run ---- */

/* Slots of captures that a run may hold for the states of one place: 8 bytes each, and there are two places. */
enum { RUN_MAX_SLOTS = 1 << 20 };
/* Look at the clock after so many steps: some milliseconds at worst. */
enum { RUN_CLOCK_STEPS = 1 << 18 };

/* States at one place that take a rune or end the match, in order of preference. */
struct thread_list {
    uint32_t *states;
    uint32_t n;
    size_t *slots; /* nslots a thread */
};

/* What is still to be followed: a state, or a slot to put back. */
struct todo {
    uint32_t state; /* UINT32_MAX: restore slot to value */
    uint32_t slot;
    size_t value;
};

struct run {
    const struct cw_nfa *nfa;
    struct cw_str text;
    size_t nslots;
    struct thread_list now, next;
    struct todo *todo;
    uint32_t *seen; /* by state: the last place (counted from 1) at which it was entered */
    uint32_t place;
    size_t *slots; /* of the thread that is being followed */
    size_t *best;  /* of the match */
    bool matched;
    uint64_t steps;
};

static bool is_word(uint32_t rune)
{
    return (rune >= '0' && rune <= '9') || (rune >= 'a' && rune <= 'z') ||
           (rune >= 'A' && rune <= 'Z') || rune == '_';
}

bool nfa_assertion_holds(uint32_t assertion, const struct place *place)
{
    switch (assertion) {
    case CW_RE_BEGIN_TEXT: return place->before == UINT32_MAX;
    case CW_RE_END_TEXT: return place->after == UINT32_MAX;
    case CW_RE_BEGIN_LINE: return place->before == UINT32_MAX || place->before == '\n';
    case CW_RE_END_LINE: return place->after == UINT32_MAX || place->after == '\n';
    case CW_RE_WORD_BOUNDARY: return is_word(place->before) != is_word(place->after);
    default: return is_word(place->before) == is_word(place->after);
    }
}

static void list_add(struct run *run, struct thread_list *list, uint32_t state)
{
    if (run->nslots > 0)
        memcpy(list->slots + list->n * run->nslots, run->slots, run->nslots * sizeof run->slots[0]);
    list->states[list->n++] = state;
}

/* Follow all that needs no rune from `first`, with run->slots, into `list`. Each state is entered once a place, so that
 * at most one way and one slot to restore a state wait in run->todo. */
static void follow(struct run *run, struct thread_list *list, uint32_t first,
                   const struct place *place)
{
    size_t n = 0;
    run->todo[n++] = (struct todo){.state = first};
    while (n > 0) {
        struct todo todo = run->todo[--n];
        if (todo.state == UINT32_MAX) {
            run->slots[todo.slot] = todo.value;
            continue;
        }
        uint32_t state = todo.state;
        while (run->seen[state] != run->place) {
            run->seen[state] = run->place;
            run->steps++;
            const struct inst *inst = &run->nfa->insts[state];
            if (inst->op == INST_SPLIT) {
                run->todo[n++] = (struct todo){.state = inst->y};
                state = inst->x;
                continue;
            }
            if (inst->op == INST_SAVE && inst->x < run->nslots) {
                run->todo[n++] = (struct todo){UINT32_MAX, inst->x, run->slots[inst->x]};
                run->slots[inst->x] = place->off;
            } else if (inst->op == INST_ASSERT && !nfa_assertion_holds(inst->x, place)) {
                break;
            } else if (inst->op < INST_SPLIT || inst->op == INST_MATCH) {
                list_add(run, list, state);
                break;
            }
            state = inst->y;
        }
    }
}

bool nfa_takes(const struct inst *inst, uint32_t rune)
{
    switch (inst->op) {
    case INST_RUNE: return rune == inst->x;
    case INST_FOLDED_RUNE: return rune == inst->x || cw_rune_fold_min(rune) == inst->x;
    case INST_CLASS: return cw_rune_in(inst->ranges, inst->nranges, rune);
    case INST_ANY: return true;
    case INST_ANY_NOT_NL: return rune != '\n';
    default: return false;
    }
}

/* Let all states of run->now take the rune between `here` and `there`. */
static void step(struct run *run, const struct place *here, const struct place *there)
{
    run->next.n = 0;
    run->place++;
    for (uint32_t i = 0; i < run->now.n; i++) {
        const struct inst *inst = &run->nfa->insts[run->now.states[i]];
        run->steps++;
        if (inst->op == INST_MATCH) {
            run->matched = true;
            if (run->nslots > 0)
                memcpy(run->best, run->now.slots + i * run->nslots,
                       run->nslots * sizeof run->best[0]);
            return; /* what is less preferred is cut */
        }
        if (here->after == UINT32_MAX || !nfa_takes(inst, here->after))
            continue;
        if (run->nslots > 0)
            memcpy(run->slots, run->now.slots + i * run->nslots,
                   run->nslots * sizeof run->slots[0]);
        follow(run, &run->next, inst->y, there);
    }
}

static void list_init(struct thread_list *list, uint32_t n, size_t nslots)
{
    list->states = cw_mem_array(n, sizeof list->states[0]);
    list->slots = nslots > 0 ? cw_mem_array(n * nslots, sizeof list->slots[0]) : NULL;
}

static void list_fini(struct thread_list *list)
{
    free(list->states);
    free(list->slots);
}

/* The runes around `off`; returns the length of the one behind it. */
static size_t place_at(struct cw_str text, size_t off, uint32_t before, struct place *out)
{
    *out = (struct place){off, before, UINT32_MAX};
    return cw_utf8_decode(cw_str_sub(text, off, text.len), &out->after);
}

uint32_t nfa_rune_before(struct cw_str text, size_t off)
{
    if (off == 0)
        return UINT32_MAX;
    for (size_t len = CW_MIN(off, (size_t)4); len > 1; len--) {
        uint32_t rune;
        if (cw_utf8_decode(cw_str_sub(text, off - len, off), &rune) == len)
            return rune;
    }
    unsigned char last = (unsigned char)text.ptr[off - 1];
    return last < 0x80 ? last : CW_RUNE_ERROR;
}

static int simulate(struct run *run, size_t from, int64_t deadline_cpu_ns)
{
    uint64_t next_look = RUN_CLOCK_STEPS;
    struct place here, there;
    size_t len = place_at(run->text, from, nfa_rune_before(run->text, from), &here);
    for (;;) {
        if (!run->matched) { /* a match that begins here is less preferred than one that began before */
            for (size_t i = 0; i < run->nslots; i++)
                run->slots[i] = SIZE_MAX;
            follow(run, &run->now, 0, &here);
        }
        if (run->now.n == 0 && (run->matched || len == 0))
            return run->matched;
        size_t there_len = 0;
        if (len > 0)
            there_len = place_at(run->text, here.off + len, here.after, &there);
        step(run, &here, &there);
        if (len == 0 || (run->matched && run->nslots == 0))
            return run->matched;
        struct thread_list swap = run->now;
        run->now = run->next;
        run->next = swap;
        here = there;
        len = there_len;
        if (run->steps >= next_look) {
            next_look = run->steps + RUN_CLOCK_STEPS;
            if (cw_clock_thread_cpu_ns() > deadline_cpu_ns)
                return CW_E_LIMIT;
        }
    }
}

int cw_nfa_run(const struct cw_nfa *nfa, struct cw_str text, size_t from, int64_t deadline_cpu_ns,
               size_t *groups, size_t ngroups)
{
    for (size_t i = 0; i < 2 * ngroups; i++)
        groups[i] = SIZE_MAX;
    struct run run = {.nfa = nfa, .text = text, .nslots = 2 * CW_MIN(ngroups, nfa->ngroups)};
    if (run.nslots > 0 && nfa->n > RUN_MAX_SLOTS / run.nslots)
        return CW_E_LIMIT;
    list_init(&run.now, nfa->n, run.nslots);
    list_init(&run.next, nfa->n, run.nslots);
    run.seen = cw_mem_array(nfa->n, sizeof run.seen[0]);
    run.place = 1;
    run.todo = cw_mem_array(2 * (size_t)nfa->n + 2, sizeof run.todo[0]);
    run.slots = cw_mem_array(run.nslots + 1, sizeof run.slots[0]);
    run.best = cw_mem_array(run.nslots + 1, sizeof run.best[0]);
    int rc = simulate(&run, from, deadline_cpu_ns);
    if (rc > 0 && run.nslots > 0)
        memcpy(groups, run.best, run.nslots * sizeof run.best[0]);
    list_fini(&run.now);
    list_fini(&run.next);
    free(run.seen);
    free(run.todo);
    free(run.slots);
    free(run.best);
    return rc;
}
