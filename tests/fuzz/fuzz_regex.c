/* Patterns and texts from outside: pattern, a NUL, text. Compiling and matching must end, and the automata must agree with PCRE2. */
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/match/regex.h"
#include "common/match/regex_dfa.h"
#include "common/match/regex_nfa.h"

enum { MAX_GROUPS = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_str input = cw_str_make(data, size), pattern = input, text = CW_STR_NONE;
    unsigned flags = size > 0 ? data[0] % 4 : 0;
    struct cw_str rest = cw_str_sub(input, 1, size);
    if (cw_str_split(&rest, 0, &pattern))
        text = rest;
    struct cw_regex *regex;
    struct cw_err err;
    if (cw_regex_compile(pattern, flags, &regex, &err) < 0)
        return 0;
    struct cw_str groups[MAX_GROUPS];
    int matched = cw_regex_match(regex, text, &err);
    int captured = cw_regex_captures(regex, text, groups, MAX_GROUPS, &err);
    CW_ASSERT(matched == captured || matched < 0 || captured < 0);
    for (unsigned i = 0; captured > 0 && i < MAX_GROUPS && text.len > 0; i++)
        CW_ASSERT(groups[i].ptr == NULL || (groups[i].ptr >= text.ptr &&
                                            groups[i].ptr + groups[i].len <= text.ptr + text.len));
    if (!(flags & CW_REGEX_FULL) && matched >= 0) {
        struct cw_arena *arena = cw_arena_new();
        struct cw_re_tree tree;
        int rc = cw_regex_parse(pattern, flags & CW_REGEX_DOT_NEWLINE, arena, &tree, &err);
        CW_ASSERT(rc == 0);
        struct cw_nfa *nfa = cw_nfa_new(&tree);
        rc = cw_nfa_run(nfa, text, 0, cw_clock_thread_cpu_ns() + 50 * CW_NS_PER_MS, NULL, 0);
        CW_ASSERT(rc == matched || rc < 0);
        struct cw_dfa *dfa = cw_dfa_new(nfa);
        for (int again = 0; again < 2; again++) {
            rc = cw_dfa_run(dfa, text, 0, cw_clock_thread_cpu_ns() + 50 * CW_NS_PER_MS);
            CW_ASSERT(rc == matched || rc < 0);
        }
        cw_dfa_free(&dfa);
        cw_nfa_free(&nfa);
        cw_arena_free(&arena);
    }
    cw_regex_free(&regex);
    return 0;
}
