/*
 * The C side of regex_go: reads "MODE PATTERN TEXT" in hex ("-" is empty), one a line, and prints what the regular
 * expression says: "E <error in hex>", "N", or "M" and the groups as "from-to" or "-".
 *
 * Modes: s search, f full match with dot-newline, d search with dot-newline. Beside the captures it asks cw_regex_match()
 * and the automata, and prints "X" where they do not agree.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/match/regex.h"
#include "common/match/regex_dfa.h"
#include "common/match/regex_nfa.h"
#include "tests/support/probe.h"

enum { MAX_GROUPS = 64 };

/* The same question to the automata; -1 when they do not agree. */
static int check_automata(struct cw_str pattern, unsigned flags, struct cw_str text, int rc,
                          const struct cw_str *groups, struct cw_arena *arena)
{
    struct cw_re_tree tree;
    size_t offsets[2 * MAX_GROUPS];
    bool full = flags & CW_REGEX_FULL;
    struct cw_str whole =
        full ? cw_arena_printf(arena, "\\A(?s:%.*s)\\z", CW_STR_ARG(pattern)) : pattern;
    int bad = cw_regex_parse(whole, flags & CW_REGEX_DOT_NEWLINE, arena, &tree, NULL);
    if (bad < 0 && full) { /* an open \Q swallowed the end */
        whole = cw_arena_printf(arena, "\\A(?s:%.*s\\E)\\z", CW_STR_ARG(pattern));
        bad = cw_regex_parse(whole, true, arena, &tree, NULL);
    }
    if (bad < 0)
        return -1;
    struct cw_nfa *nfa = cw_nfa_new(&tree);
    int64_t deadline = cw_clock_thread_cpu_ns() + 10 * CW_NS_PER_S;
    int got = cw_nfa_run(nfa, text, 0, deadline, offsets, MAX_GROUPS);
    struct cw_dfa *dfa = cw_dfa_new(nfa);
    int first = cw_dfa_run(dfa, text, 0, deadline), again = cw_dfa_run(dfa, text, 0, deadline);
    cw_dfa_free(&dfa);
    if (got == rc && got == cw_nfa_run(nfa, text, 0, deadline, NULL, 0) && got == first &&
        got == again) {
        for (unsigned i = 0; i <= tree.ngroups && i < MAX_GROUPS && got > 0; i++) {
            size_t from = groups[i].ptr == NULL ? SIZE_MAX : (size_t)(groups[i].ptr - text.ptr);
            if (from != offsets[2 * i] ||
                (from != SIZE_MAX && from + groups[i].len != offsets[2 * i + 1]))
                got = -1;
        }
    } else {
        got = -1;
    }
    cw_nfa_free(&nfa);
    return got;
}

static void answer(char mode, struct cw_str pattern, struct cw_str text, struct cw_arena *arena)
{
    unsigned flags = mode == 'f'   ? CW_REGEX_FULL | CW_REGEX_DOT_NEWLINE
                     : mode == 'd' ? CW_REGEX_DOT_NEWLINE
                                   : CW_REGEX_SEARCH;
    struct cw_err err = {0};
    struct cw_regex *regex;
    if (cw_regex_compile(pattern, flags, &regex, &err) < 0) {
        probe_print('E', cw_str_of(err.text));
        return;
    }
    struct cw_str groups[MAX_GROUPS];
    int rc = cw_regex_captures(regex, text, groups, MAX_GROUPS, &err);
    if (rc < 0 || rc != cw_regex_match(regex, text, &err) ||
        cw_regex_matches_empty(regex) != (cw_regex_match(regex, CW_STR(""), &err) > 0))
        printf("X ");
    else if (check_automata(pattern, flags, text, rc, groups, arena) < 0)
        printf("XN ");
    printf(rc > 0 ? "M" : "N");
    for (unsigned i = 0; rc > 0 && i <= cw_regex_ngroups(regex) && i < MAX_GROUPS; i++) {
        if (groups[i].ptr == NULL)
            printf(" -");
        else
            printf(" %zu-%zu", (size_t)(groups[i].ptr - text.ptr),
                   (size_t)(groups[i].ptr - text.ptr) + groups[i].len);
    }
    printf("\n");
    cw_regex_free(&regex);
}

int main(void)
{
    static char pattern[1 << 16], text[1 << 16];
    char mode;
    struct cw_arena *arena = cw_arena_new();
    while (scanf(" %c %65535s %65535s", &mode, pattern, text) == 3) {
        struct cw_str p = probe_unhex(pattern, arena), t = probe_unhex(text, arena);
        answer(mode, p, t, arena);
        fflush(stdout);
        cw_arena_reset(arena);
    }
    cw_arena_free(&arena);
    return 0;
}
