#include "common/match/regex.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/match/regex_dfa.h"
#include "common/match/regex_literal.h"
#include "common/match/regex_nfa.h"
#include "common/match/regex_print.h"
#include "common/match/regex_syntax.h"
#include "common/match/text_search.h"

/* A search for few alternatives looks for one after the other; of more, PCRE2 is faster. */
enum { MAX_SEARCHES = 4 };

struct program {
    pcre2_code *code; /* NULL: PCRE2 cannot hold it */
    bool anchored;    /* a match begins at the start of the text */
};

struct cw_regex {
    struct cw_arena *arena;
    struct cw_str pattern;
    unsigned flags;
    struct cw_re_tree tree;
    struct cw_re_facts facts;
    struct cw_str *sorted; /* FULL: the alternatives by bytes */
    /* SEARCH: one an alternative, or the required literal. */
    struct cw_text_search searches[MAX_SEARCHES];
    size_t nsearches;
    struct program programs[2]; /* by enum cw_re_text */
    struct cw_nfa *nfa;
    struct reserve *reserve;
};

/* What decides where PCRE2 gives up: automata that no thread uses now. */
enum { IDLE_MAX = 64 };
struct reserve {
    pthread_mutex_t lock;
    struct cw_dfa *idle[IDLE_MAX];
    size_t nidle;
    atomic_uint give_ups;
};

/* ---- compile ---- */

/* PCRE2's JIT needs a stack of its own for deep patterns: 32 KiB at first, at most 1 MiB a thread. */
enum { JIT_STACK_START = 32 << 10, JIT_STACK_MAX = 1 << 20 };
/* The printed pattern: PCRE2 compiles at most 64 KiB of code anyway. */
enum { PRINTED_MAX = 1 << 20 };

/* A tree as deep as ours may be (groups and repetitions take two parentheses) must not fail in PCRE2. */
enum { PARENS_MAX = 4 * CW_LIMIT_REGEX_DEPTH };

static struct program compile_pcre2(const struct cw_re_node *root, enum cw_re_text text)
{
    struct cw_buf printed;
    cw_buf_init(&printed, PRINTED_MAX);
    cw_regex_print(root, text, &printed);
    pcre2_code *code = NULL;
    if (!cw_buf_failed(&printed)) {
        pcre2_compile_context *context = pcre2_compile_context_create(NULL);
        CW_ASSERT(context != NULL);
        pcre2_set_newline(context, PCRE2_NEWLINE_LF);
        pcre2_set_parens_nest_limit(context, PARENS_MAX);
        uint32_t options = PCRE2_DOTALL | PCRE2_USE_OFFSET_LIMIT | PCRE2_NEVER_BACKSLASH_C;
        if (text == CW_RE_TEXT_UTF8)
            options |= PCRE2_UTF | PCRE2_NO_UTF_CHECK;
        int problem;
        size_t where;
        code = pcre2_compile((PCRE2_SPTR)cw_buf_z(&printed), printed.len, options, &problem, &where,
                             context);
        if (code != NULL)
            (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* without it PCRE2 interprets */
        pcre2_compile_context_free(context);
    }
    cw_buf_fini(&printed);
    uint32_t found = 0;
    if (code != NULL)
        (void)pcre2_pattern_info(code, PCRE2_INFO_ALLOPTIONS, &found);
    return (struct program){code, found & PCRE2_ANCHORED};
}

/* For FULL the whole is put between \A and \z, as a group would be. */
static struct cw_re_node *anchored(struct cw_arena *arena, struct cw_re_node *root)
{
    struct cw_re_node *nodes = CW_ARENA_ARRAY(arena, struct cw_re_node, 3);
    nodes[0] = (struct cw_re_node){.op = CW_RE_BEGIN_TEXT, .height = 1, .size = 1};
    nodes[1] = (struct cw_re_node){.op = CW_RE_END_TEXT, .height = 1, .size = 1};
    nodes[2] = (struct cw_re_node){.op = CW_RE_CONCAT, .nsubs = 3};
    nodes[2].subs = CW_ARENA_ARRAY(arena, struct cw_re_node *, 3);
    nodes[2].subs[0] = &nodes[0];
    nodes[2].subs[1] = root;
    nodes[2].subs[2] = &nodes[1];
    return &nodes[2];
}

static int str_order(const void *a, const void *b)
{
    return cw_str_cmp(*(const struct cw_str *)a, *(const struct cw_str *)b);
}

/* What is found out once so that most texts never reach PCRE2. */
static void prepare(struct cw_regex *regex)
{
    struct cw_re_facts *facts = &regex->facts;
    bool full = regex->flags & CW_REGEX_FULL;
    if (facts->alternatives != NULL && !facts->alternatives_nocase) {
        if (full) {
            regex->sorted = CW_ARENA_ARRAY(regex->arena, struct cw_str, facts->nalternatives);
            memcpy(regex->sorted, facts->alternatives,
                   facts->nalternatives * sizeof facts->alternatives[0]);
            qsort(regex->sorted, facts->nalternatives, sizeof regex->sorted[0], str_order);
        } else if (facts->nalternatives <= MAX_SEARCHES) {
            for (size_t i = 0; i < facts->nalternatives; i++)
                cw_text_search_init(&regex->searches[i], facts->alternatives[i], false);
            regex->nsearches = facts->nalternatives;
        }
    }
    if (regex->nsearches == 0 && facts->literal.len > 0) {
        cw_text_search_init(&regex->searches[0], facts->literal, facts->nocase);
        regex->nsearches = 1;
    }
}

/* Are the searches the whole of the expression, so that a hit is a match? */
static bool searches_decide(const struct cw_regex *regex)
{
    return !(regex->flags & CW_REGEX_FULL) && regex->facts.alternatives != NULL &&
           !regex->facts.alternatives_nocase && regex->facts.nalternatives <= MAX_SEARCHES;
}

int cw_regex_compile(struct cw_str pattern, unsigned flags, struct cw_regex **out,
                     struct cw_err *err)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_regex *regex = CW_ARENA_NEW(arena, struct cw_regex);
    regex->arena = arena;
    regex->flags = flags;
    regex->pattern = cw_arena_dup(arena, pattern);
    int rc = cw_regex_parse(regex->pattern, flags & CW_REGEX_DOT_NEWLINE, arena, &regex->tree, err);
    if (rc < 0) {
        cw_arena_free(&arena);
        return rc;
    }
    bool full = flags & CW_REGEX_FULL;
    cw_regex_facts(regex->tree.root, full, arena, &regex->facts);
    prepare(regex);
    if (full)
        regex->tree.root = anchored(arena, regex->tree.root);
    for (int text = CW_RE_TEXT_ASCII; text <= CW_RE_TEXT_UTF8; text++)
        regex->programs[text] = compile_pcre2(regex->tree.root, (enum cw_re_text)text);
    regex->nfa = cw_nfa_new(&regex->tree);
    regex->reserve = cw_mem_new(sizeof *regex->reserve);
    pthread_mutex_init(&regex->reserve->lock, NULL);
    *out = regex;
    return 0;
}

void cw_regex_free(struct cw_regex **regex)
{
    if (*regex == NULL)
        return;
    struct cw_regex *old = *regex;
    *regex = NULL;
    pcre2_code_free(old->programs[0].code);
    pcre2_code_free(old->programs[1].code);
    for (size_t i = 0; i < old->reserve->nidle; i++)
        cw_dfa_free(&old->reserve->idle[i]);
    pthread_mutex_destroy(&old->reserve->lock);
    free(old->reserve);
    cw_nfa_free(&old->nfa);
    struct cw_arena *arena = old->arena;
    cw_arena_free(&arena); /* holds the regex too */
}

/* ---- what a thread keeps ---- */

struct scratch {
    pcre2_match_data *data;
    uint32_t ngroups; /* that data has room for, group 0 included */
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};

static pthread_key_t scratch_key;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;

static void scratch_free(void *arg)
{
    struct scratch *scratch = arg;
    pcre2_match_data_free(scratch->data);
    pcre2_match_context_free(scratch->context);
    pcre2_jit_stack_free(scratch->stack);
    free(scratch);
}

static void scratch_init(void)
{
    CW_ASSERT(pthread_key_create(&scratch_key, scratch_free) == 0);
}

static struct scratch *scratch_of_thread(uint32_t ngroups)
{
    CW_ASSERT(pthread_once(&scratch_once, scratch_init) == 0);
    struct scratch *scratch = pthread_getspecific(scratch_key);
    if (scratch == NULL) {
        scratch = cw_mem_new(sizeof *scratch);
        scratch->context = pcre2_match_context_create(NULL);
        scratch->stack = pcre2_jit_stack_create(JIT_STACK_START, JIT_STACK_MAX, NULL);
        CW_ASSERT(scratch->context != NULL && scratch->stack != NULL);
        pcre2_jit_stack_assign(scratch->context, NULL, scratch->stack);
        CW_ASSERT(pthread_setspecific(scratch_key, scratch) == 0);
    }
    if (scratch->ngroups < ngroups) {
        pcre2_match_data_free(scratch->data);
        scratch->data = pcre2_match_data_create(ngroups, NULL);
        CW_ASSERT(scratch->data != NULL);
        scratch->ngroups = ngroups;
    }
    return scratch;
}

/* ---- run ---- */

/* Backtracking is bounded by PCRE2's match limit, which counts tries from one starting place, and a try may walk the whole
 * text: the limit starts low, lower for long texts, and grows as long as what was done so far was quick. A text is searched
 * in windows of starting places, so that the clock is looked at in between. Past any of these PCRE2 gives up, and the automata
 * decide. A pattern that makes it give up often is asked of them first. */
enum {
    GIVE_UPS_MAX = 8,
    TRIES_START = 4000,
    TRIES_START_LONG = 50000000, /* divided by the length */
    TRIES_MIN = 200,
    TRIES_MAX = 4000000,
    TRIES_GROW = 8,
    WINDOW_STEPS = 16 << 20, /* starting places times length, some milliseconds at worst */
    WINDOW_TRIES = 16 << 20, /* starting places times tries, about 25 ms at worst */
};
#define QUICK_NS (2 * CW_NS_PER_MS)
#define PCRE2_NS (20 * CW_NS_PER_MS)
#define AUTOMATA_NS (60 * CW_NS_PER_MS)

enum verdict { VERDICT_NONE, VERDICT_MATCH, VERDICT_GIVE_UP };

/* How many starting places one call may try. */
static size_t window_for(const struct program *program, size_t len, uint32_t tries)
{
    if (program->anchored)
        return len;
    size_t window = CW_MIN((size_t)WINDOW_STEPS / (len + 1), (size_t)WINDOW_TRIES / tries);
    return CW_MAX(window, (size_t)1);
}

/* PCRE2 on text[0, len); the match is in scratch->data. *from: where the search got to. */
static enum verdict run_pcre2(const struct program *program, struct scratch *scratch,
                              struct cw_str text, size_t *from)
{
    uint32_t tries = TRIES_START;
    if (text.len > TRIES_START_LONG / TRIES_START)
        tries = CW_MAX((uint32_t)(TRIES_START_LONG / text.len), (uint32_t)TRIES_MIN);
    size_t window = window_for(program, text.len, tries);
    bool timed = text.len > window;
    int64_t start_ns = timed ? cw_clock_mono_ns() : 0;
    for (;;) {
        size_t last = text.len - *from > window ? *from + window : PCRE2_UNSET;
        pcre2_set_match_limit(scratch->context, tries);
        pcre2_set_offset_limit(scratch->context, last);
        int rc = pcre2_match(program->code, (PCRE2_SPTR)text.ptr, text.len, *from,
                             PCRE2_NO_UTF_CHECK, scratch->data, scratch->context);
        if (rc >= 0)
            return VERDICT_MATCH;
        if (rc == PCRE2_ERROR_NOMATCH && last == PCRE2_UNSET)
            return VERDICT_NONE;
        if (rc != PCRE2_ERROR_NOMATCH && rc != PCRE2_ERROR_MATCHLIMIT)
            return VERDICT_GIVE_UP; /* the JIT's stack, mostly */
        int64_t now_ns = cw_clock_mono_ns();
        if (!timed) {
            timed = true;
            start_ns = now_ns;
        }
        if (rc == PCRE2_ERROR_NOMATCH) {
            *from = last + 1;
            while (*from < text.len && (text.ptr[*from] & 0xC0) == 0x80)
                ++*from; /* not into a rune */
            if (now_ns - start_ns > PCRE2_NS)
                return VERDICT_GIVE_UP;
        } else {
            if (now_ns - start_ns > QUICK_NS || tries >= TRIES_MAX)
                return VERDICT_GIVE_UP;
            tries *= TRIES_GROW;
            window = window_for(program, text.len, tries);
        }
    }
}

static bool is_ascii(struct cw_str text)
{
    size_t i = 0;
    uint64_t any = 0, word;
    for (; i + 8 <= text.len; i += 8) {
        memcpy(&word, text.ptr + i, 8);
        any |= word;
    }
    for (; i < text.len; i++)
        any |= (unsigned char)text.ptr[i];
    return (any & UINT64_C(0x8080808080808080)) == 0;
}

/* Replace each byte of invalid UTF-8 by U+FFFD. */
static struct cw_str repair(struct cw_str text, struct cw_buf *out)
{
    for (size_t at = 0; at < text.len;) {
        uint32_t rune;
        size_t n = cw_utf8_decode(cw_str_sub(text, at, text.len), &rune);
        if (n == 1 && rune == CW_RUNE_ERROR)
            cw_buf_addz(out, "\xEF\xBF\xBD");
        else
            cw_buf_add(out, text.ptr + at, n);
        at += n;
    }
    return cw_buf_str(out);
}

/* The offset in `text` of what repair() put at `off`. */
static size_t offset_before_repair(struct cw_str text, size_t off)
{
    size_t at = 0, repaired = 0;
    while (at < text.len && repaired < off) {
        uint32_t rune;
        size_t n = cw_utf8_decode(cw_str_sub(text, at, text.len), &rune);
        repaired += n == 1 && rune == CW_RUNE_ERROR ? 3 : n;
        at += n;
    }
    return at;
}

static int fail_limit(const struct cw_regex *regex, struct cw_str text, struct cw_err *err)
{
    return cw_err_set(err, CW_E_LIMIT,
                      "the regular expression `%.*s` takes too long on a text of %zu bytes",
                      CW_STR_ARG(regex->pattern), text.len);
}

static struct cw_dfa *dfa_take(const struct cw_regex *regex)
{
    struct reserve *reserve = regex->reserve;
    struct cw_dfa *dfa = NULL;
    pthread_mutex_lock(&reserve->lock);
    if (reserve->nidle > 0)
        dfa = reserve->idle[--reserve->nidle];
    pthread_mutex_unlock(&reserve->lock);
    return dfa != NULL ? dfa : cw_dfa_new(regex->nfa);
}

static void dfa_give(const struct cw_regex *regex, struct cw_dfa *dfa)
{
    struct reserve *reserve = regex->reserve;
    pthread_mutex_lock(&reserve->lock);
    if (reserve->nidle < IDLE_MAX) {
        reserve->idle[reserve->nidle++] = dfa;
        dfa = NULL;
    }
    pthread_mutex_unlock(&reserve->lock);
    cw_dfa_free(&dfa);
}

/* Is there a match at `from` or later? */
static int ask_dfa(const struct cw_regex *regex, struct cw_str text, size_t from)
{
    struct cw_dfa *dfa = dfa_take(regex);
    int rc = cw_dfa_run(dfa, text, from, cw_clock_thread_cpu_ns() + AUTOMATA_NS);
    dfa_give(regex, dfa);
    return rc;
}

/* Where the match is: only the NFA knows, which is slower. */
static int ask_automata(const struct cw_regex *regex, struct cw_str text, size_t from,
                        size_t *groups, size_t n)
{
    int rc = ask_dfa(regex, text, from);
    if (rc <= 0 || n == 0)
        return rc;
    return cw_nfa_run(regex->nfa, text, from, cw_clock_thread_cpu_ns() + AUTOMATA_NS, groups, n);
}

/* The offsets of `n` groups in the text (0: only whether there is a match) from scan->from on. */
static int run(const struct cw_regex *regex, struct cw_regex_scan *scan, size_t *groups, size_t n,
               struct cw_err *err)
{
    struct scratch *scratch = scratch_of_thread(regex->tree.ngroups + 1);
    struct cw_str text = scan->text;
    if (!scan->looked) {
        scan->looked = true;
        scan->ascii = is_ascii(text);
        scan->valid = scan->ascii || cw_utf8_valid(text);
    }
    bool ascii = scan->ascii;
    const struct program *program = &regex->programs[ascii ? CW_RE_TEXT_ASCII : CW_RE_TEXT_UTF8];
    struct cw_buf repaired;
    cw_buf_init(&repaired, SIZE_MAX);
    struct cw_str subject = text;
    size_t from = scan->from;
    /* Repaired texts have other offsets: behind the beginning it is the NFA that goes on. */
    bool pcre2 = program->code != NULL && (scan->valid || from == 0);
    if (atomic_load_explicit(&regex->reserve->give_ups, memory_order_relaxed) >= GIVE_UPS_MAX) {
        int found = ask_dfa(regex, text, from);
        if (found <= 0 || n == 0)
            return found < 0 ? fail_limit(regex, text, err) : found;
    }
    if (pcre2 && !scan->valid)
        subject = repair(text, &repaired);
    enum verdict verdict = VERDICT_GIVE_UP;
    if (pcre2)
        verdict = run_pcre2(program, scratch, subject, &from);
    if (verdict == VERDICT_GIVE_UP)
        atomic_fetch_add_explicit(&regex->reserve->give_ups, 1, memory_order_relaxed);
    const size_t *offsets = pcre2_get_ovector_pointer(scratch->data);
    if (verdict == VERDICT_MATCH && n > 0 && regex->facts.empty_loop) {
        verdict = VERDICT_GIVE_UP;
        from = offsets[0];
    }
    int rc = verdict == VERDICT_MATCH;
    if (verdict == VERDICT_MATCH) {
        for (size_t i = 0; i < 2 * n; i++) {
            bool set = i < 2 * ((size_t)regex->tree.ngroups + 1) && offsets[i] != PCRE2_UNSET;
            groups[i] = !set                      ? SIZE_MAX
                        : subject.ptr != text.ptr ? offset_before_repair(text, offsets[i])
                                                  : offsets[i];
        }
    } else if (verdict == VERDICT_GIVE_UP) {
        if (subject.ptr != text.ptr)
            from = offset_before_repair(text, from);
        rc = ask_automata(regex, text, from, groups, n);
    }
    cw_buf_fini(&repaired);
    return rc < 0 ? fail_limit(regex, text, err) : rc;
}

static bool in_sorted(const struct cw_str *sorted, size_t n, struct cw_str text)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int order = cw_str_cmp(sorted[mid], text);
        if (order == 0)
            return true;
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return false;
}

static bool any_found(const struct cw_regex *regex, struct cw_str text)
{
    for (size_t i = 0; i < regex->nsearches; i++)
        if (cw_text_search_find(&regex->searches[i], text.ptr, text.len) != NULL)
            return true;
    return false;
}

/* Thousands of alternatives are more than PCRE2 holds, and slow in the NFA. */
static bool any_alternative(const struct cw_regex *regex, struct cw_str text)
{
    struct cw_text_search search;
    for (size_t i = 0; i < regex->facts.nalternatives; i++) {
        cw_text_search_init(&search, regex->facts.alternatives[i], false);
        if (cw_text_search_find(&search, text.ptr, text.len) != NULL)
            return true;
    }
    return false;
}

int cw_regex_match(const struct cw_regex *regex, struct cw_str text, struct cw_err *err)
{
    if (regex->sorted != NULL)
        return in_sorted(regex->sorted, regex->facts.nalternatives, text);
    if (regex->programs[CW_RE_TEXT_ASCII].code == NULL && regex->facts.alternatives != NULL &&
        !regex->facts.alternatives_nocase && !(regex->flags & CW_REGEX_FULL))
        return any_alternative(regex, text);
    if (regex->nsearches > 0) {
        bool found = any_found(regex, text);
        if (!found || searches_decide(regex))
            return found;
    }
    if (text.ptr == NULL)
        text.ptr = "";
    return run(regex, &(struct cw_regex_scan){.text = text}, NULL, 0, err);
}

int cw_regex_captures(const struct cw_regex *regex, struct cw_str text, struct cw_str *groups,
                      size_t n, struct cw_err *err)
{
    if (n == 0)
        return cw_regex_match(regex, text, err);
    if (regex->nsearches > 0 && !any_found(regex, text))
        return 0;
    return cw_regex_scan_next(regex, &(struct cw_regex_scan){.text = text}, groups, n, err);
}

int cw_regex_scan_next(const struct cw_regex *regex, struct cw_regex_scan *scan,
                       struct cw_str *groups, size_t n, struct cw_err *err)
{
    if (scan->text.ptr == NULL) /* so that an empty group that is set is not NULL */
        scan->text.ptr = "";
    size_t small[2 * 32];
    size_t *offsets = n <= 32 ? small : cw_mem_array(n, 2 * sizeof small[0]);
    int rc = run(regex, scan, offsets, n, err);
    for (size_t i = 0; i < n && rc > 0; i++)
        groups[i] = offsets[2 * i] == SIZE_MAX
                        ? CW_STR_NONE
                        : cw_str_sub(scan->text, offsets[2 * i], offsets[2 * i + 1]);
    if (offsets != small)
        free(offsets);
    return rc;
}

unsigned cw_regex_ngroups(const struct cw_regex *regex)
{
    return regex->tree.ngroups;
}

struct cw_str cw_regex_group_name(const struct cw_regex *regex, unsigned group)
{
    return group == 0 || group > regex->tree.ngroups ? CW_STR_NONE : regex->tree.names[group - 1];
}

struct cw_str cw_regex_pattern(const struct cw_regex *regex)
{
    return regex->pattern;
}

bool cw_regex_matches_empty(const struct cw_regex *regex)
{
    return regex->facts.matches_empty;
}

const struct cw_literal *cw_regex_literals(const struct cw_regex *regex, size_t *n_out)
{
    *n_out = regex->facts.nliterals;
    return regex->facts.literals;
}

struct cw_str cw_regex_literal(const struct cw_regex *regex, bool *nocase_out)
{
    *nocase_out = regex->facts.nocase;
    return regex->facts.literal;
}

const struct cw_str *cw_regex_alternatives(const struct cw_regex *regex, size_t *n_out)
{
    bool nocase;
    const struct cw_str *texts = cw_regex_alternatives_nocase(regex, &nocase, n_out);
    if (nocase)
        *n_out = 0;
    return *n_out > 0 ? texts : NULL;
}

const struct cw_str *cw_regex_alternatives_nocase(const struct cw_regex *regex, bool *nocase_out,
                                                  size_t *n_out)
{
    *nocase_out = regex->facts.alternatives_nocase;
    *n_out = regex->facts.nalternatives;
    return regex->facts.alternatives;
}
