#include "common/match/regex_dfa.h"

#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/id_map.h"
#include "common/match/regex_nfa_priv.h"

enum {
    STATES_MAX = 1024,     /* their rows of the table are half a MiB */
    MEMBERS_MAX = 1 << 18, /* of all sets together: 1 MiB */
    WIDE_SLOTS = 1024,     /* what is remembered of runes that are not ASCII: 12 KiB */
    CLOCK_STEPS = 1 << 18, /* look at the clock after so many: some milliseconds at worst */
    ASCII = 128,           /* also the column of the end of the text */
    COLUMNS = ASCII + 1,
};

/* What a row of the table holds beside numbers of states, which follow. */
enum { NEXT_UNKNOWN, NEXT_MATCH, NEXT_NONE, NEXT_STATES };

/* What stands before a place, as far as assertions tell it apart. */
enum before { BEFORE_TEXT, BEFORE_NEWLINE, BEFORE_WORD, BEFORE_OTHER, NBEFORE };
static const uint32_t before_runes[NBEFORE] = {UINT32_MAX, '\n', 'a', ' '};

struct dfa_state {
    enum before before;
    uint32_t first, n; /* members */
};

struct wide {
    uint32_t state, rune, next; /* next 0: free */
};

struct cw_dfa {
    const struct cw_nfa *nfa;
    struct cw_id_map numbers; /* of states by what they are */
    struct dfa_state *states;
    uint32_t (*table)[COLUMNS];
    size_t cap;        /* of states and table */
    uint32_t *members; /* of one state after the other, rising */
    uint32_t nmembers, members_cap;
    struct wide *wide;
    uint32_t epoch; /* how often all was forgotten */
    uint64_t steps;
    /* While a transition is made: */
    uint32_t *seen, generation; /* by NFA state */
    uint32_t *todo, *takers, *set;
};

struct cw_dfa *cw_dfa_new(const struct cw_nfa *nfa)
{
    struct cw_dfa *dfa = cw_mem_new(sizeof *dfa);
    dfa->nfa = nfa;
    cw_id_map_init(&dfa->numbers);
    dfa->wide = cw_mem_array(WIDE_SLOTS, sizeof dfa->wide[0]);
    dfa->seen = cw_mem_array(nfa->n, sizeof dfa->seen[0]);
    dfa->todo = cw_mem_array((size_t)nfa->n + 1, sizeof dfa->todo[0]);
    dfa->takers = cw_mem_array(nfa->n, sizeof dfa->takers[0]);
    dfa->set = cw_mem_array(nfa->n, sizeof dfa->set[0]);
    return dfa;
}

void cw_dfa_free(struct cw_dfa **dfa)
{
    struct cw_dfa *old = *dfa;
    *dfa = NULL;
    if (old == NULL)
        return;
    cw_id_map_fini(&old->numbers);
    free(old->states);
    free(old->table);
    free(old->members);
    free(old->wide);
    free(old->seen);
    free(old->todo);
    free(old->takers);
    free(old->set);
    free(old);
}

/* ---- states ---- */

static void forget(struct cw_dfa *dfa)
{
    cw_id_map_fini(&dfa->numbers);
    cw_id_map_init(&dfa->numbers);
    dfa->nmembers = 0;
    dfa->epoch++;
    memset(dfa->wide, 0, WIDE_SLOTS * sizeof dfa->wide[0]);
}

static void states_grow(struct cw_dfa *dfa, size_t n)
{
    if (n > dfa->cap) {
        dfa->cap = CW_MAX(2 * dfa->cap, (size_t)16);
        dfa->states = cw_mem_resize(dfa->states, dfa->cap * sizeof dfa->states[0]);
        dfa->table = cw_mem_resize(dfa->table, dfa->cap * sizeof dfa->table[0]);
    }
}

static void members_add(struct cw_dfa *dfa, const uint32_t *set, uint32_t n)
{
    if (n > dfa->members_cap - dfa->nmembers) {
        dfa->members_cap = CW_MAX(2 * dfa->members_cap, dfa->nmembers + n);
        dfa->members =
            cw_mem_resize(dfa->members, (size_t)dfa->members_cap * sizeof dfa->members[0]);
    }
    if (n > 0)
        memcpy(dfa->members + dfa->nmembers, set, n * sizeof set[0]);
    dfa->nmembers += n;
}

static struct cw_hash128 id_of(const uint32_t *set, uint32_t n, enum before before)
{
    struct cw_hash128 id = cw_hash128(set, n * sizeof set[0]);
    id.lo ^= before;
    return id;
}

/* The number of the state with the first `n` of dfa->set, which rise; when there is no room all others are forgotten. */
static uint32_t state_of(struct cw_dfa *dfa, uint32_t n, enum before before)
{
    struct cw_hash128 id = id_of(dfa->set, n, before);
    size_t number;
    if (cw_id_map_find(&dfa->numbers, id, &number))
        return (uint32_t)number;
    if (dfa->numbers.n == STATES_MAX || dfa->nmembers + n > MEMBERS_MAX)
        forget(dfa);
    bool added;
    number = cw_id_map_put(&dfa->numbers, id, &added);
    states_grow(dfa, number + 1);
    dfa->states[number] = (struct dfa_state){before, dfa->nmembers, n};
    members_add(dfa, dfa->set, n);
    memset(dfa->table[number], 0, sizeof dfa->table[number]);
    return (uint32_t)number;
}

/* ---- transitions ---- */

static enum before before_of(uint32_t rune)
{
    if (rune == UINT32_MAX)
        return BEFORE_TEXT;
    if (rune == '\n')
        return BEFORE_NEWLINE;
    struct place place = {.before = ' ', .after = rune};
    return nfa_assertion_holds(CW_RE_WORD_BOUNDARY, &place) ? BEFORE_WORD : BEFORE_OTHER;
}

/* Follow all that needs no rune from `first`; what takes one is appended to takers[0, *n). False: there is a match. */
static bool follow(struct cw_dfa *dfa, uint32_t first, const struct place *place, uint32_t *n)
{
    uint32_t waiting = 0;
    dfa->todo[waiting++] = first;
    while (waiting > 0) {
        uint32_t state = dfa->todo[--waiting];
        while (dfa->seen[state] != dfa->generation) {
            dfa->seen[state] = dfa->generation;
            dfa->steps++;
            const struct inst *inst = &dfa->nfa->insts[state];
            if (inst->op == INST_MATCH)
                return false;
            if (inst->op < INST_SPLIT) {
                dfa->takers[(*n)++] = state;
                break;
            }
            if (inst->op == INST_ASSERT && !nfa_assertion_holds(inst->x, place))
                break;
            if (inst->op == INST_SPLIT)
                dfa->todo[waiting++] = inst->x;
            state = inst->y;
        }
    }
    return true;
}

static void next_generation(struct cw_dfa *dfa)
{
    if (++dfa->generation == 0) {
        memset(dfa->seen, 0, dfa->nfa->n * sizeof dfa->seen[0]);
        dfa->generation = 1;
    }
}

static int rising(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Where the state goes with the rune, UINT32_MAX at the end of the text: NEXT_*. A match may begin at every place. */
static uint32_t transition(struct cw_dfa *dfa, uint32_t number, uint32_t rune)
{
    struct dfa_state state = dfa->states[number];
    struct place place = {.before = before_runes[state.before], .after = rune};
    uint32_t ntakers = 0, n = 0;
    next_generation(dfa);
    for (uint32_t i = 0; i < state.n; i++)
        if (!follow(dfa, dfa->members[state.first + i], &place, &ntakers))
            return NEXT_MATCH;
    if (!follow(dfa, 0, &place, &ntakers))
        return NEXT_MATCH;
    if (rune == UINT32_MAX)
        return NEXT_NONE;
    next_generation(dfa);
    for (uint32_t i = 0; i < ntakers; i++) {
        const struct inst *inst = &dfa->nfa->insts[dfa->takers[i]];
        dfa->steps++;
        if (dfa->seen[inst->y] == dfa->generation || !nfa_takes(inst, rune))
            continue;
        dfa->seen[inst->y] = dfa->generation;
        dfa->set[n++] = inst->y;
    }
    qsort(dfa->set, n, sizeof dfa->set[0], rising);
    return NEXT_STATES + state_of(dfa, n, before_of(rune));
}

/* The same, remembered, for what is no ASCII: a number is good for one epoch. */
static uint32_t wide_transition(struct cw_dfa *dfa, uint32_t number, uint32_t rune)
{
    struct wide *slot = &dfa->wide[(rune * 31 + number) % WIDE_SLOTS];
    if (slot->next != NEXT_UNKNOWN && slot->state == number && slot->rune == rune)
        return slot->next;
    uint32_t epoch = dfa->epoch, next = transition(dfa, number, rune);
    if (epoch == dfa->epoch)
        *slot = (struct wide){number, rune, next};
    return next;
}

static uint32_t ascii_transition(struct cw_dfa *dfa, uint32_t number, uint32_t column)
{
    uint32_t epoch = dfa->epoch,
             next = transition(dfa, number, column == ASCII ? UINT32_MAX : column);
    if (epoch == dfa->epoch)
        dfa->table[number][column] = next;
    return next;
}

/* ---- run ---- */

int cw_dfa_run(struct cw_dfa *dfa, struct cw_str text, size_t from, int64_t deadline_cpu_ns)
{
    CW_ASSERT(from <= text.len);
    uint64_t next_look = dfa->steps + CLOCK_STEPS;
    uint32_t number = state_of(dfa, 0, before_of(nfa_rune_before(text, from)));
    for (size_t at = from;;) {
        unsigned char byte = at < text.len ? (unsigned char)text.ptr[at] : ASCII;
        uint32_t next, column = byte;
        if (byte < ASCII || at == text.len) {
            next = dfa->table[number][column];
            at++;
            if (next == NEXT_UNKNOWN)
                next = ascii_transition(dfa, number, column);
        } else {
            uint32_t rune;
            at += cw_utf8_decode(cw_str_sub(text, at, text.len), &rune);
            next = wide_transition(dfa, number, rune);
        }
        if (next < NEXT_STATES)
            return next == NEXT_MATCH;
        number = next - NEXT_STATES;
        if (dfa->steps >= next_look) {
            next_look = dfa->steps + CLOCK_STEPS;
            if (cw_clock_thread_cpu_ns() > deadline_cpu_ns)
                return CW_E_LIMIT;
        }
    }
}
