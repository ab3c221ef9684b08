/* test_regex_dfa.c - the automaton of sets answers as the NFA whose sets they are. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/buf.h"
#include "common/match/regex_dfa.h"

static struct cw_arena *arena;

static struct cw_nfa *nfa_of(const char *pattern)
{
    struct cw_re_tree tree;
    struct cw_err err = {0};
    cr_assert_eq(cw_regex_parse(cw_str_of(pattern), false, arena, &tree, &err), 0, "%s: %s",
                 pattern, err.text);
    return cw_nfa_new(&tree);
}

static void setup(void)
{
    arena = cw_arena_new();
}

static void teardown(void)
{
    cw_arena_free(&arena);
}

TestSuite(regex_dfa, .init = setup, .fini = teardown);

static int64_t late(void)
{
    return cw_clock_thread_cpu_ns() + 60 * CW_NS_PER_S;
}

/* A text of the pieces that the patterns below are about. */
static struct cw_str random_text(unsigned *seed, size_t pieces)
{
    static const char *const all[] = {"a",  "b", "ab", "x", "1",    "_",        " ",
                                      "\n", "é", "日", "K", "\xFF", "\xE2\x84", "\xE2\x84\xAA"};
    struct cw_buf buf;
    cw_buf_init(&buf, SIZE_MAX);
    for (size_t i = 0; i < pieces; i++)
        cw_buf_addz(&buf, all[(size_t)rand_r(seed) % (sizeof all / sizeof all[0])]);
    struct cw_str text = cw_arena_dup(arena, cw_buf_str(&buf));
    cw_buf_fini(&buf);
    return text;
}

static const char *const patterns[] = {
    "",
    "a",
    "(a+)+$",
    "^a|b$",
    "(?m)^a$",
    "(?m)^$",
    "\\Aab\\z",
    "\\bab\\b",
    "\\Bb",
    "(?i)k",
    "é+x",
    "[^a]b",
    "a.b",
    "(?s)a.b",
    "日|\\x{FFFD}",
    "(a|ab)(x|bx)",
    "a*?b",
    "(?:a?){9}a{9}",
    "[ab]*a[ab]{3}x",
    "x{2,3}",
    "\\w+\\W\\d",
    "(?i)[a-k]é",
    "$",
    "^",
    "[^\\x00-\\x{10FFFF}]",
    "\\b$",
    "(?m)x\\n^a",
    "a\\b.\\bb",
};

Test(regex_dfa, answers_as_the_nfa_from_every_place)
{
    unsigned seed = 1;
    for (size_t p = 0; p < sizeof patterns / sizeof patterns[0]; p++) {
        struct cw_nfa *nfa = nfa_of(patterns[p]);
        struct cw_dfa *dfa = cw_dfa_new(nfa);
        for (size_t i = 0; i < 300; i++) {
            struct cw_str text = random_text(&seed, i % 24);
            size_t from = (size_t)rand_r(&seed) % (text.len + 1);
            cr_expect_eq(cw_dfa_run(dfa, text, from, late()),
                         cw_nfa_run(nfa, text, from, late(), NULL, 0), "%s, text %zu from %zu",
                         patterns[p], i, from);
        }
        cw_dfa_free(&dfa);
        cr_assert_null(dfa);
        cw_nfa_free(&nfa);
    }
}

Test(regex_dfa, more_states_than_the_tables_hold_are_begun_anew)
{
    unsigned seed = 2;
    struct cw_nfa *nfa = nfa_of("[ab]*a[ab]{13}é");
    struct cw_dfa *dfa = cw_dfa_new(nfa);
    struct cw_buf buf;
    cw_buf_init(&buf, SIZE_MAX);
    for (size_t i = 0; i < 20000; i++)
        cw_buf_addz(&buf, rand_r(&seed) % 2 == 0 ? "a" : "b");
    cr_expect_eq(cw_dfa_run(dfa, cw_buf_str(&buf), 0, late()), 0);
    cw_buf_addz(&buf, "a12345678901é");
    cr_expect_eq(cw_dfa_run(dfa, cw_buf_str(&buf), 0, late()), 0);
    cw_buf_addz(&buf, "abababababababé");
    cr_expect_eq(cw_dfa_run(dfa, cw_buf_str(&buf), 0, late()), 1);
    cr_expect_eq(cw_dfa_run(dfa, cw_buf_str(&buf), buf.len - 3, late()), 0);
    cw_buf_fini(&buf);
    cw_dfa_free(&dfa);
    cw_nfa_free(&nfa);
}

Test(regex_dfa, ends_past_its_deadline)
{
    unsigned seed = 3;
    struct cw_nfa *nfa = nfa_of("[ab]*a[ab]{900}x");
    struct cw_dfa *dfa = cw_dfa_new(nfa);
    struct cw_str text = random_text(&seed, 1 << 16);
    char *bytes = cw_arena_alloc(arena, text.len);
    for (size_t i = 0; i < text.len; i++)
        bytes[i] = rand_r(&seed) % 2 == 0 ? 'a' : 'b';
    cr_expect_eq(cw_dfa_run(dfa, cw_str_make(bytes, text.len), 0, 0), CW_E_LIMIT);
    cw_dfa_free(&dfa);
    cw_nfa_free(&nfa);
}
