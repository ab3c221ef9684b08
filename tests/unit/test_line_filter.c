#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/match/ip_match.h"
#include "common/match/line_filter.h"
#include "common/match/pattern_match.h"

static struct cw_line_filter *filter_of(enum cw_filter_op op, const char *const *operands, size_t n,
                                        int is_ip)
{
    struct cw_line_filter *filter;
    struct cw_err err = {0};
    cr_assert_eq(cw_line_filter_new(op, &filter, &err), 0);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(cw_line_filter_add(filter, cw_str_of(operands[i]), is_ip, &err), 0, "%s",
                     err.text);
    return filter;
}

static int passes_of(enum cw_filter_op op, const char *operand, struct cw_str line, int is_ip)
{
    struct cw_line_filter *filter = filter_of(op, &operand, 1, is_ip);
    struct cw_err err = {0};
    int rc = cw_line_filter_match(filter, line, &err);
    cw_line_filter_free(&filter);
    cr_assert_null(filter);
    return rc;
}

#define EXPECT_PASS(op, operand, line, want)                                                       \
    cr_expect_eq(passes_of(op, operand, CW_STR(line), 0), want, "%s on %s", operand, line)
#define EXPECT_IP(operand, line, want)                                                             \
    cr_expect_eq(passes_of(CW_FILTER_CONTAINS, operand, CW_STR(line), 1), want, "%s on %s",        \
                 operand, line)

Test(line_filter, contains_and_its_negation)
{
    EXPECT_PASS(CW_FILTER_CONTAINS, "foo", "a foo b", 1);
    EXPECT_PASS(CW_FILTER_CONTAINS, "foo", "fo o", 0);
    EXPECT_PASS(CW_FILTER_NOT_CONTAINS, "foo", "a foo b", 0);
    EXPECT_PASS(CW_FILTER_CONTAINS, "", "", 1);
    EXPECT_PASS(CW_FILTER_NOT_CONTAINS, "", "x", 0);
    cr_expect_eq(passes_of(CW_FILTER_CONTAINS, "", CW_STR_NONE, 0), 1);
    EXPECT_PASS(CW_FILTER_RE, "wor[kd]", "starting worker", 1);
    EXPECT_PASS(CW_FILTER_NOT_RE, ".+", "", 1);
    EXPECT_PASS(CW_FILTER_RE, "line one.line", "line one\nline", 0);
}

Test(line_filter, a_case_insensitive_literal_is_lower_cased_not_folded)
{
    EXPECT_PASS(CW_FILTER_RE, "(?i)starting worker", "STARTING Worker", 1);
    EXPECT_PASS(CW_FILTER_RE, "(?i)strange", "\xC5\xBFtrange", 0);
    EXPECT_PASS(CW_FILTER_RE,
                "(?i)STRA\xC3\x9F"
                "E",
                "stra\xC3\x9F"
                "e",
                1);
    EXPECT_PASS(CW_FILTER_RE, "(?i:ERROR): file", "error: file", 1);
    EXPECT_PASS(CW_FILTER_RE, "(?i:ERROR): file", "error: FILE", 0);
    EXPECT_PASS(CW_FILTER_RE, "(?i)panic|oom", "OOM killer", 1);
}

Test(line_filter, an_or_chain_holds_any_and_negated_none)
{
    static const char *const operands[] = {"foo", "disk", "emoji"};
    struct cw_err err = {0};
    struct cw_line_filter *any = filter_of(CW_FILTER_CONTAINS, operands, 3, 0);
    struct cw_line_filter *none = filter_of(CW_FILTER_NOT_CONTAINS, operands, 3, 0);
    cr_expect_eq(cw_line_filter_match(any, CW_STR("a disk"), &err), 1);
    cr_expect_eq(cw_line_filter_match(any, CW_STR("a disc"), &err), 0);
    cr_expect_eq(cw_line_filter_match(none, CW_STR("a disk"), &err), 0);
    cr_expect_eq(cw_line_filter_match(none, CW_STR("a disc"), &err), 1);
    /* A string or an address. */
    cr_assert_eq(cw_line_filter_add(any, CW_STR("1.2.3.4"), 1, &err), 0);
    cr_expect_eq(cw_line_filter_match(any, CW_STR("from 1.2.3.4:80"), &err), 1);
    cw_line_filter_free(&any);
    cw_line_filter_free(&none);
}

Test(line_filter, addresses_are_found_in_the_line)
{
    EXPECT_IP("192.168.4.5", "login from 192.168.4.5 accepted", 1);
    EXPECT_IP("192.168.4.5", "x192.168.4.5y glued", 1);
    EXPECT_IP("192.168.4.5", "1192.168.4.5", 1); /* glued to what is before, too */
    EXPECT_IP("192.168.4.0/24", "login from 192.168.4.255 rejected", 1);
    EXPECT_IP("192.168.4.0/24", "login from 192.168.5.0", 0);
    EXPECT_IP("192.168.4.5/31", "at 192.168.4.4", 1);
    EXPECT_IP("192.168.4.1-192.168.4.9", "at 192.168.4.5", 1);
    EXPECT_IP("192.168.4.1-192.168.4.9", "at 192.168.4.10", 0);
    EXPECT_IP("0.0.0.0/0", "nothing 1.2.3 or 300.1.1.1 or 1.2.3.4.5", 0);
    EXPECT_IP("10.0.0.1", "peer=10.0.0.1:8080 up", 1);
    EXPECT_IP("2001:db8::1", "v6 [2001:db8::1]:443 hello", 1);
    EXPECT_IP("2001:db8::1", "v6 2001:0db8:0000:0000:0000:0000:0000:0001 long", 1);
    EXPECT_IP("2001:db8::/32", "v6 2001:db8:0:1::ffff end", 1);
    EXPECT_IP("2001:db8::1-2001:db8::ff", "v6 2001:db8::100", 0);
    EXPECT_IP("::ffff:192.168.4.5", "v4mapped ::ffff:192.168.4.5 seen", 1);
    EXPECT_IP("192.168.4.5", "v4mapped ::ffff:192.168.4.5 seen", 0);
    EXPECT_IP("2001:db8::1%eth0", "v6 2001:db8::1 2001:db8::1%eth0", 0);
    EXPECT_IP("::/0", "", 0);
    EXPECT_IP("1.1.1.1", "1.1", 0);
}

Test(line_filter, bad_operands_are_refused_in_lokis_words)
{
    static const struct {
        enum cw_filter_op op;
        const char *operand;
        int is_ip;
        const char *want;
    } cases[] = {
        {CW_FILTER_CONTAINS, "1.2.3", 1, "ip: invalid pattern: \"1.2.3\""},
        {CW_FILTER_CONTAINS, "10.0.0.999", 1, "ip: invalid pattern: \"10.0.0.999\""},
        {CW_FILTER_CONTAINS, "10.0.0.0/33", 1, "ip: invalid pattern: \"10.0.0.0/33\""},
        {CW_FILTER_CONTAINS, "10.0.0.0/08", 1, "ip: invalid pattern: \"10.0.0.0/08\""},
        {CW_FILTER_CONTAINS, "10.0.0.2-10.0.0.1", 1, "ip: invalid pattern: \"10.0.0.2-10.0.0.1\""},
        {CW_FILTER_CONTAINS, "1.2.3.4-::1", 1, "ip: invalid pattern: \"1.2.3.4-::1\""},
        {CW_FILTER_CONTAINS, "", 1, "ip: invalid pattern: \"\""},
        {CW_FILTER_CONTAINS, "::1%", 1, "ip: invalid pattern: \"::1%\""},
        {CW_FILTER_CONTAINS, "1.2.3.4%eth0", 1, "ip: invalid pattern: \"1.2.3.4%eth0\""},
        {CW_FILTER_RE, "1.2.3.4", 1, "ip: invalid operation"},
        {CW_FILTER_NOT_RE, "a**", 0,
         "error parsing regexp: invalid nested repetition operator: `**`"},
        {CW_FILTER_PATTERN, "<_><_>", 0, "found consecutive capture '<_><_>': invalid expression"},
        {CW_FILTER_PATTERN, "x<a>", 0, "named captures are not allowed: found '<a>'"},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        struct cw_line_filter *filter = filter_of(cases[i].op, NULL, 0, 0);
        struct cw_err err = {0};
        cr_expect_eq(cw_line_filter_add(filter, cw_str_of(cases[i].operand), cases[i].is_ip, &err),
                     CW_E_INVALID);
        cr_expect_str_eq(err.text, cases[i].want);
        cw_line_filter_free(&filter);
    }
}

Test(line_filter, patterns_follow_lokis_rules)
{
    EXPECT_PASS(CW_FILTER_PATTERN, "foo<_>", "foobarbaz", 1);
    EXPECT_PASS(CW_FILTER_PATTERN, "foo<_>", "bar foo", 0);
    EXPECT_PASS(CW_FILTER_PATTERN, "foo<_>", "bar foo!", 1); /* the first literal floats */
    EXPECT_PASS(CW_FILTER_PATTERN, "<_>baz", "foo bar baz", 1);
    EXPECT_PASS(CW_FILTER_PATTERN, "<_>baz", "foo baz bar", 0);
    EXPECT_PASS(CW_FILTER_PATTERN, "<_>baz", "baz", 0);
    EXPECT_PASS(CW_FILTER_PATTERN, "<_> bar", "foo bar baz", 0);
    EXPECT_PASS(CW_FILTER_PATTERN, "<_>bar<_>", " bar ", 1);
    EXPECT_PASS(CW_FILTER_PATTERN, "f<_>oobarbaz", "foobarbaz", 0);
    EXPECT_PASS(CW_FILTER_PATTERN, "<_>", "x", 1);
    EXPECT_PASS(CW_FILTER_PATTERN, "<_>", "", 0);
    EXPECT_PASS(CW_FILTER_PATTERN, "", "", 1);
    EXPECT_PASS(CW_FILTER_PATTERN, "", "x", 0);
    EXPECT_PASS(CW_FILTER_PATTERN, "<1>a<", "<1>a<",
                1); /* no capture: a name begins with a letter */
    EXPECT_PASS(CW_FILTER_NOT_PATTERN, "<_>o<_>", "foo", 0);
    EXPECT_PASS(CW_FILTER_NOT_PATTERN, "<_>o<_>", "oxo", 1);
}

/* ---- select against match ---- */

struct block {
    char *text;
    uint32_t *offsets;
    size_t n;
};

/* Short lines over few words, so that operands are found in many, at their ends, and across them. */
static struct block random_block(unsigned *seed, size_t n)
{
    static const char *const words[] = {"foo", "fo",       "o",   "bar",  "10.0.0.1",
                                        "a",   "\xC3\xA9", "FOO", "\xFF", "barfoo",
                                        " ",   "x=1",      "\n",  "ab"};
    struct block block = {malloc(n * 64 + 1), malloc((n + 1) * sizeof(uint32_t)), n};
    uint32_t off = 0;
    for (size_t i = 0; i < n; i++) {
        block.offsets[i] = off;
        for (int w = rand_r(seed) % 6; w > 0; w--) {
            const char *word = words[(size_t)rand_r(seed) % CW_COUNT(words)];
            memcpy(block.text + off, word, strlen(word));
            off += (uint32_t)strlen(word);
        }
    }
    block.offsets[n] = off;
    block.text = realloc(block.text, off > 0 ? off : 1); /* so that reading on is seen */
    return block;
}

static void compare_block(const struct cw_line_filter *filter, unsigned *seed, const char *what)
{
    static const size_t sizes[] = {0, 1, 63, 64, 65, 200, 4095, 4096, 4097, 9000};
    size_t n = sizes[(size_t)rand_r(seed) % CW_COUNT(sizes)];
    struct block block = random_block(seed, n);
    size_t nwords = n / 64 + 1;
    uint64_t *keep = malloc(nwords * sizeof keep[0]), *before = malloc(nwords * sizeof keep[0]);
    int density = rand_r(seed) % 4; /* all, half, few, none */
    for (size_t i = 0; i < nwords; i++) {
        uint64_t bits = 0;
        for (int b = 0; b < 64; b++)
            if (density == 0 || (density == 1 && rand_r(seed) % 2) ||
                (density == 2 && rand_r(seed) % 100 == 0))
                bits |= UINT64_C(1) << b;
        keep[i] = before[i] = bits;
    }
    struct cw_err err = {0};
    cr_assert_eq(cw_line_filter_select(filter, block.text, block.offsets, n, keep, &err), 0);
    for (size_t i = 0; i < nwords * 64; i++) {
        bool was = before[i / 64] >> (i % 64) & 1, is = keep[i / 64] >> (i % 64) & 1, want = was;
        if (was && i < n) {
            struct cw_str line =
                cw_str_make(block.text + block.offsets[i], block.offsets[i + 1] - block.offsets[i]);
            want = cw_line_filter_match(filter, line, &err) > 0;
        }
        cr_assert_eq(is, want, "%s: line %zu of %zu", what, i, n);
    }
    free(keep);
    free(before);
    free(block.text);
    free(block.offsets);
}

Test(line_filter, select_keeps_the_lines_that_match_keeps)
{
    static const char *const texts[] = {"foo", "o", "",   "barfoo", "absent", "\xC3\xA9",
                                        "x=1", "a", "oo", "\xFF",   " "};
    static const char *const regexes[] = {
        "fo+",     "^foo$", "(?i)foo", "bar|x=1|ab",         "[a-f]o", "o[^o]*bar", ".*",
        "(?i)f.o", "^$",    "\\d+",    "a|b|c|d|e|f|g|h|i|j"};
    static const char *const patterns[] = {"foo<_>", "<_>o<_>", "<_>", "", "<_>bar<_>o<_>", "x=1"};
    unsigned seed = 3;
    for (int round = 0; round < 400; round++) {
        enum cw_filter_op op = (enum cw_filter_op)(rand_r(&seed) % 6);
        const char *const *from = op < CW_FILTER_RE        ? texts
                                  : op < CW_FILTER_PATTERN ? regexes
                                                           : patterns;
        size_t nfrom = op < CW_FILTER_RE        ? CW_COUNT(texts)
                       : op < CW_FILTER_PATTERN ? CW_COUNT(regexes)
                                                : CW_COUNT(patterns);
        const char *operands[3];
        size_t n = 1 + (size_t)rand_r(&seed) % 3;
        for (size_t i = 0; i < n; i++)
            operands[i] = from[(size_t)rand_r(&seed) % nfrom];
        struct cw_line_filter *filter = filter_of(op, operands, n, 0);
        struct cw_err err;
        if (op < CW_FILTER_RE && rand_r(&seed) % 4 == 0)
            cr_assert_eq(cw_line_filter_add(filter, CW_STR("10.0.0.0/8"), 1, &err), 0);
        compare_block(filter, &seed, operands[0]);
        cw_line_filter_free(&filter);
    }
}

Test(line_filter, a_hit_that_runs_into_the_next_line_does_not_count)
{
    static const char text[] = "xfo"
                               "oxfoo"
                               "fo"
                               "o";
    static const uint32_t offsets[] = {0, 3, 8, 10, 11};
    const char *operand = "foo";
    struct cw_line_filter *filter = filter_of(CW_FILTER_CONTAINS, &operand, 1, 0);
    uint64_t keep = UINT64_MAX;
    struct cw_err err = {0};
    cr_assert_eq(cw_line_filter_select(filter, text, offsets, 4, &keep, &err), 0);
    cr_expect_eq(keep & 15, 2);
    cr_expect_eq(keep >> 4, UINT64_MAX >> 4); /* bits behind the last line are left alone */
    cw_line_filter_free(&filter);
}

/* Literals of the first operand, one after the other, with `~` behind those up to case and `=` at the end if they decide. */
static const char *said_of(enum cw_filter_op op, const char *operand, int is_ip)
{
    static char out[256];
    struct cw_line_filter *filter = filter_of(op, &operand, 1, is_ip);
    struct cw_line_operand said;
    size_t len = 0;
    cr_assert_eq(cw_line_filter_noperands(filter), 1);
    cw_line_filter_operand(filter, 0, &said);
    cr_assert_eq(said.ip != NULL, is_ip);
    out[0] = 0;
    for (size_t i = 0; i < said.nliterals; i++)
        len +=
            (size_t)snprintf(out + len, sizeof out - len, "[%.*s]%s",
                             CW_STR_ARG(said.literals[i].text), said.literals[i].nocase ? "~" : "");
    snprintf(out + len, sizeof out - len, "%s", said.exact ? "=" : "");
    cw_line_filter_free(&filter);
    return out;
}

Test(line_filter, says_what_its_operands_hold)
{
    cr_expect_str_eq(said_of(CW_FILTER_CONTAINS, "Foo", 0), "[Foo]=");
    cr_expect_str_eq(said_of(CW_FILTER_NOT_CONTAINS, "", 0), "[]=");
    cr_expect_str_eq(said_of(CW_FILTER_RE, "(?i)Exception", 0), "[exception]~=");
    cr_expect_str_eq(said_of(CW_FILTER_RE, "blk_-?[0-9]+7[0-9]{3} terminating", 0),
                     "[blk_][7][ terminating]");
    cr_expect_str_eq(said_of(CW_FILTER_NOT_RE, "[0-9]+", 0), "");
    cr_expect_str_eq(said_of(CW_FILTER_PATTERN, "<_>GET <_> 500<_>", 0), "[GET ][ 500]");
    cr_expect_str_eq(said_of(CW_FILTER_PATTERN, "", 0), "");
    cr_expect_str_eq(said_of(CW_FILTER_CONTAINS, "10.0.0.0/8", 1), "");
}

Test(line_filter, says_whether_it_is_negated)
{
    static const char *const two[] = {"a", "b"};
    for (int op = CW_FILTER_CONTAINS; op <= CW_FILTER_NOT_PATTERN; op++) {
        struct cw_line_filter *filter = filter_of((enum cw_filter_op)op, two, 2, 0);
        cr_expect_eq(cw_line_filter_negated(filter), op % 2 == 1);
        cr_expect_eq(cw_line_filter_noperands(filter), 2);
        cw_line_filter_free(&filter);
    }
}

Test(line_filter, of_many_literals_the_longest_are_known)
{
    cr_expect_str_eq(said_of(CW_FILTER_RE, "a.*bb.*ccc.*dd.*e.*ff.*gg.*hh.*ii.*jjj", 0),
                     "[bb][ccc][dd][ff][gg][hh][ii][jjj]");
}
