#include "common/match/regex_syntax.h"

#include "common/base/assert.h"
#include "common/base/limits.h"
#include "common/match/regex_escape.h"

enum {
    FLAG_FOLD = 1,      /* i */
    FLAG_MULTILINE = 2, /* m */
    FLAG_DOT_NL = 4,    /* s */
    FLAG_LAZY = 8,      /* U */
};

/* What stands between a `(` and its `)`, or the whole pattern. */
struct group {
    unsigned outer_flags; /* restored at the `)` */
    unsigned number;      /* 0: captures nothing */
    struct cw_str name;
    struct cw_re_node **alts; /* done alternatives */
    size_t nalts, capalts;
    struct cw_re_node **seq; /* nodes since the `(` or the last `|` */
    size_t nseq, capseq;
};

struct parser {
    struct cw_str pattern;
    struct cw_str rest; /* what is not read yet */
    struct cw_arena *arena;
    struct cw_err *err;
    unsigned flags;
    struct group *groups;
    size_t ngroups, capgroups;
    struct cw_str *names; /* of captures */
    size_t ncaptures, capnames;
    size_t nranges;
};

static int fail(struct parser *p, const char *what, struct cw_str where)
{
    return cw_err_set(p->err, CW_E_INVALID, "error parsing regexp: %s: `%.*s`", what,
                      CW_STR_ARG(where));
}

/* From `start` to where reading stands. */
static struct cw_str read_since(const struct parser *p, const char *start)
{
    return cw_str_make(start, (size_t)(p->rest.ptr - start));
}

static void skip(struct parser *p, size_t n)
{
    p->rest = cw_str_sub(p->rest, n, p->rest.len);
}

static bool at(const struct parser *p, size_t i, char c)
{
    return i < p->rest.len && p->rest.ptr[i] == c;
}

/* ---- nodes ---- */

static struct cw_re_node *node_new(struct parser *p, enum cw_re_op op)
{
    struct cw_re_node *node = CW_ARENA_NEW(p->arena, struct cw_re_node);
    node->op = op;
    node->height = 1;
    node->size = 1;
    return node;
}

static uint64_t repeat_size(const struct cw_re_node *node, uint64_t sub)
{
    uint64_t min = (uint64_t)node->min;
    if (node->max == CW_RE_NO_MAX)
        return min == 0 ? 2 + sub : 1 + min * sub;
    return (uint64_t)node->max * sub + (uint64_t)node->max - min;
}

/* Height and size from the parts; refuses what is too deep or too large. */
static int measure(struct parser *p, struct cw_re_node *node)
{
    uint64_t size = 0;
    for (size_t i = 0; i < node->nsubs; i++) {
        node->height = CW_MAX(node->height, node->subs[i]->height + 1);
        size += node->subs[i]->size;
    }
    if (node->op == CW_RE_REPEAT)
        size = repeat_size(node, size);
    else if (node->op == CW_RE_CAPTURE)
        size += 2;
    else if (node->op == CW_RE_ALTERNATE)
        size += node->nsubs - 1;
    else if (node->op == CW_RE_LITERAL)
        size = node->nrunes;
    node->size = CW_MAX(size, 1);
    if (node->height > CW_LIMIT_REGEX_DEPTH)
        return fail(p, "expression nests too deeply", p->pattern);
    if (node->size > CW_LIMIT_REGEX_SIZE)
        return fail(p, "expression too large", p->pattern);
    return 0;
}

static void literal_append(struct parser *p, struct cw_re_node *node, const uint32_t *runes,
                           size_t n)
{
    uint32_t *grown = cw_arena_grow(p->arena, (void *)node->runes, node->nrunes, &node->caprunes,
                                    node->nrunes + n, sizeof runes[0]);
    memcpy(grown + node->nrunes, runes, n * sizeof runes[0]);
    node->runes = grown;
    node->nrunes += n;
    node->size = node->nrunes;
}

/* Join the last two nodes when both are literals. The last one alone is what a repetition after it would repeat, so they are
 * joined only when another node follows. */
static void join_literals(struct parser *p, struct group *group)
{
    if (group->nseq < 2)
        return;
    struct cw_re_node *a = group->seq[group->nseq - 2], *b = group->seq[group->nseq - 1];
    if (a->op != CW_RE_LITERAL || b->op != CW_RE_LITERAL || a->fold != b->fold)
        return;
    literal_append(p, a, b->runes, b->nrunes);
    group->nseq--;
}

static void push_node(struct parser *p, struct cw_re_node *node)
{
    struct group *group = &p->groups[p->ngroups - 1];
    join_literals(p, group);
    group->seq = cw_arena_grow(p->arena, group->seq, group->nseq, &group->capseq, group->nseq + 1,
                               sizeof group->seq[0]);
    group->seq[group->nseq++] = node;
}

static void push_op(struct parser *p, enum cw_re_op op)
{
    push_node(p, node_new(p, op));
}

static void push_literal(struct parser *p, uint32_t rune, bool fold)
{
    struct cw_re_node *node = node_new(p, CW_RE_LITERAL);
    node->fold = fold;
    if (fold)
        rune = cw_rune_fold_min(rune);
    literal_append(p, node, &rune, 1);
    push_node(p, node);
}

/* A class of one rune, or of one rune in both cases, is a literal. */
static int push_class(struct parser *p, struct cw_rune_set *set)
{
    const struct cw_rune_range *r = set->ranges;
    if (set->n == 1 && r[0].lo == r[0].hi) {
        push_literal(p, r[0].lo, false);
        return 0;
    }
    bool pair = (set->n == 2 && r[0].lo == r[0].hi && r[1].lo == r[1].hi) ||
                (set->n == 1 && r[0].lo + 1 == r[0].hi);
    if (pair) {
        uint32_t a = r[0].lo, b = r[set->n - 1].hi;
        if (cw_rune_fold(a) == b && cw_rune_fold(b) == a) {
            push_literal(p, a, true);
            return 0;
        }
    }
    p->nranges += set->n;
    if (p->nranges > CW_LIMIT_REGEX_RANGES)
        return fail(p, "expression too large", p->pattern);
    struct cw_re_node *node = node_new(p, CW_RE_CLASS);
    node->ranges = set->ranges;
    node->nranges = set->n;
    push_node(p, node);
    return 0;
}

/* The sum of `n` nodes under one, nodes of the same kind taken apart. */
static int collapse(struct parser *p, enum cw_re_op op, struct cw_re_node **subs, size_t n,
                    struct cw_re_node **out)
{
    if (n == 0) {
        *out = node_new(p, CW_RE_EMPTY);
        return 0;
    }
    if (n == 1) {
        *out = subs[0];
        return 0;
    }
    size_t all = 0;
    for (size_t i = 0; i < n; i++)
        all += subs[i]->op == op ? subs[i]->nsubs : 1;
    struct cw_re_node *node = node_new(p, op);
    node->subs = CW_ARENA_ARRAY(p->arena, struct cw_re_node *, all);
    for (size_t i = 0; i < n; i++) {
        if (subs[i]->op == op) {
            memcpy(node->subs + node->nsubs, subs[i]->subs, subs[i]->nsubs * sizeof subs[0]);
            node->nsubs += subs[i]->nsubs;
        } else {
            node->subs[node->nsubs++] = subs[i];
        }
    }
    *out = node;
    return measure(p, node);
}

/* ---- groups ---- */

static void open_group(struct parser *p, unsigned number, struct cw_str name)
{
    p->groups = cw_arena_grow(p->arena, p->groups, p->ngroups, &p->capgroups, p->ngroups + 1,
                              sizeof p->groups[0]);
    p->groups[p->ngroups++] =
        (struct group){.outer_flags = p->flags, .number = number, .name = name};
}

static void open_capture(struct parser *p, struct cw_str name)
{
    p->names = cw_arena_grow(p->arena, p->names, p->ncaptures, &p->capnames, p->ncaptures + 1,
                             sizeof p->names[0]);
    p->names[p->ncaptures++] = name;
    open_group(p, (unsigned)p->ncaptures, name);
}

/* Make an alternative of what stands since the last `|`. */
static int end_alternative(struct parser *p)
{
    struct group *group = &p->groups[p->ngroups - 1];
    join_literals(p, group);
    struct cw_re_node *node;
    int rc = collapse(p, CW_RE_CONCAT, group->seq, group->nseq, &node);
    if (rc < 0)
        return rc;
    group->nseq = 0;
    group->alts = cw_arena_grow(p->arena, group->alts, group->nalts, &group->capalts,
                                group->nalts + 1, sizeof group->alts[0]);
    group->alts[group->nalts++] = node;
    return 0;
}

/* The alternation of the innermost group, which is taken off the stack. */
static int close_group(struct parser *p, struct cw_re_node **out)
{
    int rc = end_alternative(p);
    if (rc < 0)
        return rc;
    struct group *group = &p->groups[--p->ngroups];
    return collapse(p, CW_RE_ALTERNATE, group->alts, group->nalts, out);
}

static int parse_right_paren(struct parser *p)
{
    if (p->ngroups == 1)
        return fail(p, "unexpected )", p->pattern);
    struct cw_re_node *inner;
    int rc = close_group(p, &inner);
    if (rc < 0)
        return rc;
    const struct group *group = &p->groups[p->ngroups];
    p->flags = group->outer_flags;
    if (group->number == 0) {
        push_node(p, inner);
        return 0;
    }
    struct cw_re_node *node = node_new(p, CW_RE_CAPTURE);
    node->group = group->number;
    node->name = group->name;
    node->subs = CW_ARENA_NEW(p->arena, struct cw_re_node *);
    node->subs[0] = inner;
    node->nsubs = 1;
    push_node(p, node);
    return measure(p, node);
}

static bool valid_group_name(struct cw_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              c == '_'))
            return false;
    }
    return name.len > 0;
}

/* Go names the rest of the pattern from the first bad byte on. */
static int check_utf8(struct parser *p, struct cw_str s)
{
    uint32_t rune;
    while (s.len > 0) {
        size_t n = cw_utf8_decode(s, &rune);
        if (rune == CW_RUNE_ERROR && n == 1)
            return fail(p, "invalid UTF-8", s);
        s = cw_str_sub(s, n, s.len);
    }
    return 0;
}

static int next_rune(struct parser *p, uint32_t *rune)
{
    size_t n = cw_utf8_decode(p->rest, rune);
    if (*rune == CW_RUNE_ERROR && n == 1)
        return fail(p, "invalid UTF-8", p->rest);
    skip(p, n);
    return 0;
}

/* (?P<name> or (?<name>; `name_off` is where the name begins. */
static int parse_named_group(struct parser *p, size_t name_off)
{
    ptrdiff_t end = cw_str_find_byte(p->rest, '>');
    if (end < 0) {
        int rc = check_utf8(p, p->rest);
        return rc < 0 ? rc : fail(p, "invalid named capture", p->rest);
    }
    struct cw_str name = cw_str_sub(p->rest, name_off, (size_t)end);
    int rc = check_utf8(p, name);
    if (rc < 0)
        return rc;
    if (!valid_group_name(name))
        return fail(p, "invalid named capture", cw_str_sub(p->rest, 0, (size_t)end + 1));
    skip(p, (size_t)end + 1);
    open_capture(p, name);
    return 0;
}

static unsigned flag_of(uint32_t rune)
{
    switch (rune) {
    case 'i': return FLAG_FOLD;
    case 'm': return FLAG_MULTILINE;
    case 's': return FLAG_DOT_NL;
    case 'U': return FLAG_LAZY;
    default: return 0;
    }
}

/* What follows "(?": a named group, flags, or a group that captures nothing. */
static int parse_question_group(struct parser *p)
{
    if (p->rest.len > 4 && at(p, 2, 'P') && at(p, 3, '<'))
        return parse_named_group(p, 4);
    if (p->rest.len > 3 && at(p, 2, '<'))
        return parse_named_group(p, 3);
    const char *start = p->rest.ptr;
    unsigned flags = p->flags;
    bool clear = false, any = false;
    skip(p, 2);
    while (p->rest.len > 0) {
        uint32_t rune;
        int rc = next_rune(p, &rune);
        if (rc < 0)
            return rc;
        unsigned flag = flag_of(rune);
        if (flag != 0) {
            flags = clear ? flags & ~flag : flags | flag;
            any = true;
        } else if (rune == '-' && !clear) {
            clear = true;
            any = false;
        } else if ((rune == ':' || rune == ')') && (!clear || any)) {
            if (rune == ':')
                open_group(p, 0, CW_STR_NONE);
            p->flags = flags;
            return 0;
        } else {
            break;
        }
    }
    return fail(p, "invalid or unsupported Perl syntax", read_since(p, start));
}

/* ---- repetition ---- */

/* Copies of the innermost thing that nested counts make: at most `n`. */
static bool repeats_fit(const struct cw_re_node *node, int n)
{
    if (node->op == CW_RE_REPEAT && !(node->min <= 1 && node->max == CW_RE_NO_MAX) &&
        !(node->min == 0 && node->max == 1)) {
        int m = node->max == CW_RE_NO_MAX ? node->min : node->max;
        if (m == 0)
            return true;
        if (m > n)
            return false;
        n /= m;
    }
    for (size_t i = 0; i < node->nsubs; i++)
        if (!repeats_fit(node->subs[i], n))
            return false;
    return true;
}

/* `start` is where the operator begins, `last` where the repetition just before it began (NULL: there was none). */
static int push_repeat(struct parser *p, int min, int max, bool counted, const char *start,
                       const char *last)
{
    bool lazy = (p->flags & FLAG_LAZY) != 0;
    if (at(p, 0, '?')) {
        skip(p, 1);
        lazy = !lazy;
    }
    if (last != NULL)
        return fail(p, "invalid nested repetition operator", read_since(p, last));
    struct group *group = &p->groups[p->ngroups - 1];
    if (group->nseq == 0)
        return fail(p, "missing argument to repetition operator", read_since(p, start));
    struct cw_re_node *node = node_new(p, CW_RE_REPEAT);
    node->min = min;
    node->max = max;
    node->lazy = lazy;
    node->subs = CW_ARENA_NEW(p->arena, struct cw_re_node *);
    node->subs[0] = group->seq[group->nseq - 1];
    node->nsubs = 1;
    group->seq[group->nseq - 1] = node;
    if (counted && (min >= 2 || max >= 2) && !repeats_fit(node, 1000))
        return fail(p, "invalid repeat count", read_since(p, start));
    return measure(p, node);
}

/* A count of {n,m}; too large a one is -1. */
static bool parse_count(struct cw_str *s, int *out)
{
    size_t n = 0;
    while (n < s->len && s->ptr[n] >= '0' && s->ptr[n] <= '9')
        n++;
    if (n == 0 || (n > 1 && s->ptr[0] == '0'))
        return false;
    int value = 0;
    for (size_t i = 0; i < n && value >= 0; i++)
        value = value >= 100000000 ? -1 : value * 10 + (s->ptr[i] - '0');
    *out = value;
    *s = cw_str_sub(*s, n, s->len);
    return true;
}

/* {n}, {n,} or {n,m} at the front of p->rest; false: the brace is a literal. */
static bool parse_counts(struct parser *p, int *min, int *max)
{
    struct cw_str s = cw_str_sub(p->rest, 1, p->rest.len);
    if (!parse_count(&s, min) || s.len == 0)
        return false;
    *max = *min;
    if (s.ptr[0] == ',') {
        s = cw_str_sub(s, 1, s.len);
        if (s.len == 0)
            return false;
        if (s.ptr[0] == '}')
            *max = CW_RE_NO_MAX;
        else if (!parse_count(&s, max))
            return false;
        else if (*max < 0)
            *min = -1;
    }
    if (s.len == 0 || s.ptr[0] != '}')
        return false;
    p->rest = cw_str_sub(s, 1, s.len);
    return true;
}

/* *repeated: it was a repetition, so another one may not follow. */
static int parse_repeat(struct parser *p, const char *last, bool *repeated)
{
    const char *start = p->rest.ptr;
    int min = 0, max = CW_RE_NO_MAX;
    bool counted = *start == '{';
    if (counted) {
        if (!parse_counts(p, &min, &max)) {
            skip(p, 1);
            push_literal(p, '{', p->flags & FLAG_FOLD);
            return 0;
        }
        if (min < 0 || min > 1000 || max > 1000 || (max >= 0 && min > max))
            return fail(p, "invalid repeat count", read_since(p, start));
    } else {
        min = *start == '+';
        max = *start == '?' ? 1 : CW_RE_NO_MAX;
        skip(p, 1);
    }
    *repeated = true;
    return push_repeat(p, min, max, counted, start, last);
}

/* ---- classes and escapes ---- */

/* One rune of a class, or an escape. */
static int parse_class_rune(struct parser *p, struct cw_str class, uint32_t *rune)
{
    if (p->rest.len == 0)
        return fail(p, "missing closing ]", class);
    if (p->rest.ptr[0] != '\\')
        return next_rune(p, rune);
    struct cw_str where;
    const char *problem = cw_regex_escape(&p->rest, rune, &where);
    return problem != NULL ? fail(p, problem, where) : 0;
}

/* A whole class such as \d, \pL or [:alpha:] at the front: 1 taken, 0 there is none, negative an error. */
static int parse_named_class(struct parser *p, struct cw_rune_set *set, bool in_brackets)
{
    bool fold = p->flags & FLAG_FOLD;
    struct cw_str where;
    const char *problem = NULL;
    if (in_brackets && p->rest.len > 2 && at(p, 0, '[') && at(p, 1, ':')) {
        int rc = cw_regex_posix_class(&p->rest, fold, set, &where);
        if (rc < 0)
            return fail(p, "invalid character class range", where);
        if (rc > 0)
            return 1;
    }
    if (p->rest.len >= 2 && at(p, 0, '\\') && (at(p, 1, 'p') || at(p, 1, 'P'))) {
        problem = cw_regex_unicode_class(&p->rest, fold, set, &where);
        return problem != NULL ? fail(p, problem, where) : 1;
    }
    return cw_regex_perl_class(&p->rest, fold, set);
}

static int parse_class_item(struct parser *p, struct cw_str class, struct cw_rune_set *set)
{
    int rc = parse_named_class(p, set, true);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    const char *start = p->rest.ptr;
    uint32_t lo, hi;
    rc = parse_class_rune(p, class, &lo);
    if (rc < 0)
        return rc;
    hi = lo;
    if (p->rest.len >= 2 && at(p, 0, '-') && !at(p, 1, ']')) {
        skip(p, 1);
        rc = parse_class_rune(p, class, &hi);
        if (rc < 0)
            return rc;
        if (hi < lo)
            return fail(p, "invalid character class range", read_since(p, start));
    }
    if (p->flags & FLAG_FOLD)
        cw_rune_set_add_folded(set, lo, hi);
    else
        cw_rune_set_add(set, lo, hi);
    return 0;
}

static int parse_class(struct parser *p)
{
    struct cw_str class = p->rest;
    struct cw_rune_set set;
    cw_rune_set_init(&set, p->arena);
    skip(p, 1);
    bool negated = at(p, 0, '^'), first = true;
    if (negated)
        skip(p, 1);
    while (!at(p, 0, ']') || first) {
        first = false;
        int rc = parse_class_item(p, class, &set);
        if (rc < 0)
            return rc;
    }
    skip(p, 1);
    if (negated)
        cw_rune_set_negate(&set);
    else
        cw_rune_set_tidy(&set);
    return push_class(p, &set);
}

/* \Q...\E: everything between is literal. */
static int parse_quoted(struct parser *p)
{
    skip(p, 2);
    ptrdiff_t end = cw_str_find(p->rest, CW_STR("\\E"));
    struct cw_str after = end < 0 ? cw_str_sub(p->rest, p->rest.len, p->rest.len)
                                  : cw_str_sub(p->rest, (size_t)end + 2, p->rest.len);
    if (end >= 0)
        p->rest = cw_str_sub(p->rest, 0, (size_t)end);
    while (p->rest.len > 0) {
        uint32_t rune;
        int rc = next_rune(p, &rune);
        if (rc < 0)
            return rc;
        push_literal(p, rune, p->flags & FLAG_FOLD);
    }
    p->rest = after;
    return 0;
}

static int parse_backslash(struct parser *p)
{
    static const struct {
        char letter;
        enum cw_re_op op;
    } asserts[] = {{'A', CW_RE_BEGIN_TEXT},
                   {'b', CW_RE_WORD_BOUNDARY},
                   {'B', CW_RE_NO_WORD_BOUNDARY},
                   {'z', CW_RE_END_TEXT}};
    for (size_t i = 0; i < CW_COUNT(asserts); i++) {
        if (at(p, 1, asserts[i].letter)) {
            skip(p, 2);
            push_op(p, asserts[i].op);
            return 0;
        }
    }
    if (at(p, 1, 'C'))
        return fail(p, "invalid escape sequence", cw_str_sub(p->rest, 0, 2));
    if (at(p, 1, 'Q'))
        return parse_quoted(p);
    struct cw_rune_set set;
    cw_rune_set_init(&set, p->arena);
    int rc = parse_named_class(p, &set, false);
    if (rc < 0)
        return rc;
    if (rc > 0) {
        cw_rune_set_tidy(&set);
        return push_class(p, &set);
    }
    uint32_t rune;
    rc = parse_class_rune(p, CW_STR_NONE, &rune);
    if (rc < 0)
        return rc;
    push_literal(p, rune, p->flags & FLAG_FOLD);
    return 0;
}

/* ---- the whole ---- */

/* One item. *last_repeat: where the repetition just before it began. */
static int parse_item(struct parser *p, const char **last_repeat)
{
    const char *start = p->rest.ptr, *last = *last_repeat;
    bool repeated = false;
    int rc = 0;
    switch (*start) {
    case '(':
        if (at(p, 1, '?'))
            rc = parse_question_group(p);
        else
            skip(p, 1), open_capture(p, CW_STR_NONE);
        break;
    case '|':
        skip(p, 1);
        rc = end_alternative(p);
        break;
    case ')':
        skip(p, 1);
        rc = parse_right_paren(p);
        break;
    case '^':
        skip(p, 1);
        push_op(p, p->flags & FLAG_MULTILINE ? CW_RE_BEGIN_LINE : CW_RE_BEGIN_TEXT);
        break;
    case '$':
        skip(p, 1);
        push_op(p, p->flags & FLAG_MULTILINE ? CW_RE_END_LINE : CW_RE_END_TEXT);
        break;
    case '.':
        skip(p, 1);
        push_op(p, p->flags & FLAG_DOT_NL ? CW_RE_ANY : CW_RE_ANY_NOT_NL);
        break;
    case '[': rc = parse_class(p); break;
    case '*':
    case '+':
    case '?':
    case '{': rc = parse_repeat(p, last, &repeated); break;
    case '\\': rc = parse_backslash(p); break;
    default: {
        uint32_t rune;
        rc = next_rune(p, &rune);
        if (rc == 0)
            push_literal(p, rune, p->flags & FLAG_FOLD);
    }
    }
    *last_repeat = repeated ? start : NULL;
    return rc;
}

int cw_regex_parse(struct cw_str pattern, bool dot_newline, struct cw_arena *arena,
                   struct cw_re_tree *out, struct cw_err *err)
{
    struct parser p = {.pattern = pattern, .rest = pattern, .arena = arena, .err = err};
    if (pattern.len > CW_LIMIT_REGEX_BYTES)
        return fail(&p, "expression too large", pattern);
    p.flags = dot_newline ? FLAG_DOT_NL : 0;
    open_group(&p, 0, CW_STR_NONE);
    const char *last_repeat = NULL;
    while (p.rest.len > 0) {
        int rc = parse_item(&p, &last_repeat);
        if (rc < 0)
            return rc;
    }
    struct cw_re_node *root;
    bool open = p.ngroups > 1;
    int rc = close_group(&p, &root);
    if (rc < 0)
        return rc;
    if (open)
        return fail(&p, "missing closing )", pattern);
    *out = (struct cw_re_tree){root, (unsigned)p.ncaptures, p.names};
    return 0;
}
