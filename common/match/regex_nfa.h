/*
 * regex_nfa.h - runs a regular expression without backtracking: the time is the text times the program, whatever the pattern.
 *
 * The slow, certain way. PCRE2's JIT is the fast one; this decides where the JIT runs into its limits, and tests hold the
 * JIT against it. A thread of the simulation is a state; states of one place in the text are kept in the order of preference
 * (leftmost, then first alternative), so captures are Go's.
 *
 * Ownership  A program owns its memory.
 * Threads    Read-only after _new(); a run has memory of its own.
 * Errors     CW_E_LIMIT when the thread's CPU clock passes the deadline, or the run wants too much memory.
 */
#ifndef CW_MATCH_REGEX_NFA_H
#define CW_MATCH_REGEX_NFA_H
#include "common/match/regex_syntax.h"

struct cw_nfa;

struct cw_nfa *cw_nfa_new(const struct cw_re_tree *tree);
void cw_nfa_free(struct cw_nfa **nfa);

/* Look for a match that begins at `from` or later. `groups` (2 offsets a group, SIZE_MAX: not set; group 0 is the match)
 * gets `ngroups` groups; with 0 any match will do. 1, 0 or CW_E_LIMIT (the caller says of which pattern). */
int cw_nfa_run(const struct cw_nfa *nfa, struct cw_str text, size_t from, int64_t deadline_cpu_ns,
               size_t *groups, size_t ngroups) CW_MUST_USE;

#endif
