/*
 * The rows were made by github.com/drone/envsubst v1.0.3, which promtail expands its configuration with: what it makes of
 * each text, or that it refuses it (or panics).
 */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/config/yaml_expand.h"

static const char *lookup(const char *name, void *arg)
{
    static const char *const env[][2] = {
        {"JOB", "Web"},       {"E", ""},
        {"L", "a/b.c/d.c"},   {"U", "h\xC3\xA4\xC3\x9F"},
        {"S", "a b  a*c[x]"}, {"N", "2"},
        {"1", "one"},         {"T", "\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E"},
        {"B", "a\\b"},
    };
    (void)arg;
    for (size_t i = 0; i < sizeof env / sizeof env[0]; i++)
        if (strcmp(name, env[i][0]) == 0)
            return env[i][1];
    return NULL;
}

static void on_problem(void *arg, size_t from, const char *text)
{
    (void)from;
    cr_assert_gt(strlen(text), 0);
    ++*(int *)arg;
}

static int expand(const char *text, struct cw_arena *arena, struct cw_yaml_source *out)
{
    const struct cw_yaml_options options = {.expand = CW_YAML_EXPAND_PROMTAIL, .lookup = lookup};
    struct cw_err err = {0};
    int nproblems = 0;
    int rc = cw_yaml_expand(cw_str_of(text), &options, arena, out, on_problem, &nproblems, &err);
    cr_assert_eq(nproblems, rc < 0, "%s", text);
    return rc;
}

Test(envsubst, texts_are_expanded_as_by_promtail)
{
    static const struct {
        const char *text, *want; /* NULL: refused */
    } cases[] = {
        {"a ${JOB} b", "a Web b"},
        {"${UNSET}", ""},
        {"$JOB $5 $ $$ $$$ $${JOB}", "$JOB $5 $ $ $$ ${JOB}"},
        {"$$$${JOB} $$${JOB}", "$${JOB} $Web"},
        {"\\\\S+ \\S \\/ \\\\\\\\ \\\\\\S", "\\S+ \\S / \\\\ \\\\S"},
        {"\\${JOB} \\\\${JOB}", "\\Web \\Web"},
        {"${JOB:-x}${UNSET:-x}${E:-x y}", "Webxx y"},
        {"${UNSET:-}", ""},
        {"${UNSET:-${JOB}}", "Web"},
        {"${UNSET:-a${E:-${N}}b${JOB^^}c}", "a2bWEBc"},
        {"${UNSET:-http://h:1/p}", "http://h:1/p"},
        {"${UNSET:-a\\\\b$$}", "a\\\\b$$"},
        {"${UNSET:-x\ny}", "x\ny"},
        {"${UNSET:=x}${JOB:=x}", "xWeb"},
        {"${UNSET=x}${E==x}", "x=x"},
        {"${UNSET:?msg}${JOB:?msg}", "msgWeb"},
        {"${UNSET:+x}${JOB:+x}", "xWeb"},
        {"${UNSET:-$}${UNSET:-{}", "${"},
        {"${JOB^^}${JOB,,}${JOB^}${JOB,}", "WEBwebWebweb"},
        {"${L^}${E^^}${JOB^,}${JOB,^}", "A/b.c/d.cWebWeb"},
        {"${#JOB} ${#U} ${#E} ${#UNSET}", "3 5 0 0"},
        {"${JOB:0} ${JOB:1} ${JOB:3} ${JOB:9}", "Web eb  "},
        {"${JOB:0:2} ${JOB:1:1} ${JOB:1:9} ${JOB:0:0} ${JOB:9:1}", "We e eb  "},
        {"${JOB: -2} ${JOB:${UNSET:--2}} ${JOB:${UNSET:--9}} ${JOB:${UNSET:--2}:1}",
         "Web eb Web e"},
        {"${JOB:${N}} ${JOB:${N}:1} ${JOB:0:${N}}", "b b We"},
        {"${JOB:x}${JOB:1:x}${JOB:+1}", "WebWebWeb"},
        {"${JOB:1::1}", "e"},
        {"${JOB:9:-7}", NULL},
        {"${L#a} ${L#*/} ${L##*/} ${L#x}", "/b.c/d.c b.c/d.c d.c a/b.c/d.c"},
        {"${L%c} ${L%.*} ${L%%.*} ${L%x}", "a/b.c/d. a/b.c/d a/b a/b.c/d.c"},
        {"${L#*} ${L##*} ${L%*} ${L%%*}", "/b.c/d.c  a/b.c/d. "},
        {"${S##*[a-c]} ${S#[^x]} ${S#[a} ${S%[x]}", "[x]  b  a*c[x] a b  a*c[x] a b  a*c[x]"},
        {"${T#?} ${T%?} ${T##?} ${U%[^a]}",
         "\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E \xE6\x97\xA5\xE6\x9C\xAC\xEF\xBF\xBD\xEF\xBF\xBD \xE6\x9C\xAC\xE8\xAA\x9E h\xC3\xA4\xC3\x9F"},
        {"${B#a\\\\b} ${B#a\\\\\\\\b} ${B#*[\\\\]}", " a\\b b"},
        {"${L###a} ${L%%%c} ${JOB#${JOB}} ${JOB#${E}}", "a/b.c/d.c a/b.c/d.c  Web"},
        {"${L#*/*.}", "c/d.c"},
        {"${L/c/x} ${L//c/x} ${L/q/x}", "a/b.x/d.c a/b.x/d.x a/b.c/d.c"},
        {"${S/ /_} ${S// /_} ${S// /}", "a_b  a*c[x] a_b__a*c[x] aba*c[x]"},
        {"${L/\\//_} ${L//\\//_} ${S//a/\\\\}", "a_b.c/d.c a_b.c_d.c \\ b  \\*c[x]"},
        {"${L/#a/x} ${L/#b/x} ${L/%c/x} ${L/%b/x}", "x/b.c/d.c a/b.c/d.c a/b.c/d.x a/b.c/d.c"},
        {"${L/#a/}${L/%c/}", "a/b.c/d.ca/b.c/d.c"},
        {"${JOB//${E}/-} ${JOB/${E}/-} ${T//${E}/-}",
         "-W-e-b- -Web -\xE6\x97\xA5-\xE6\x9C\xAC-\xE8\xAA\x9E-"},
        {"${JOB/#${E}/-} ${JOB/%${E}/-}", "-Web Web-"},
        {"${L/a/${JOB}} ${L/${UNSET:-b}/${N}}", "Web/b.c/d.c a/2.c/d.c"},
        {"${S//a/$$}", "$ b  $*c[x]"},
        {"${L//c///x}", "a/b.x/d.x"},
        {"${JOB/b/x}y/z}", "Wexy/z}"},
        {"${1} ${JOB_} ${_}", "one  "},
        {"${}", NULL},
        {"${ JOB}", NULL},
        {"${JOB }", NULL},
        {"${JOB", NULL},
        {"${", NULL},
        {"${JOB:-x", NULL},
        {"${JOB-x}", NULL},
        {"${JOB+x}", NULL},
        {"${JOB?x}", NULL},
        {"${JOB!}", NULL},
        {"${#}", NULL},
        {"${#JOB:1}", NULL},
        {"${JOB:}", NULL},
        {"${JOB:1:}", NULL},
        {"${JOB:1x${N}}", NULL},
        {"${JOB:${N}x}", NULL},
        {"${JOB^x}", NULL},
        {"${JOB^^^}", NULL},
        {"${JOB#}", NULL},
        {"${JOB%%}", NULL},
        {"${JOB#a${N}}", NULL},
        {"${JOB/a}", NULL},
        {"${JOB//}", NULL},
        {"${JOB///x}", NULL},
        {"${JOB/a/b${N}}", NULL},
        {"${JOB/a${N}/b}", NULL},
        {"${UNSET:-${}}", NULL},
        {"${JOB:0:-1}", NULL},
        {"${.x}", NULL},
    };
    struct cw_arena *arena = cw_arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cw_yaml_source source;
        int rc = expand(cases[i].text, arena, &source);
        cr_assert_eq(rc, cases[i].want != NULL ? 0 : CW_E_INVALID, "%s", cases[i].text);
        if (rc == 0)
            cr_assert(cw_str_eqz(source.text, cases[i].want), "%s: %.*s", cases[i].text,
                      CW_STR_ARG(source.text));
    }
    cw_arena_free(&arena);
}

/* envsubst takes each of these for an offset that is no number, and gives an empty text. */
Test(envsubst, a_word_behind_a_colon_is_the_default_that_promtails_documentation_promised)
{
    static const char *const cases[][2] = {
        {"${UNSET:prod}", "prod"}, {"${E:http://h:1/p}", "http://h:1/p"},
        {"${JOB:prod}", "Web"},    {"${UNSET:1}", ""},
        {"${UNSET: -2}", ""},
    };
    struct cw_arena *arena = cw_arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cw_yaml_source source;
        cr_assert_eq(expand(cases[i][0], arena, &source), 0, "%s", cases[i][0]);
        cr_assert(cw_str_eqz(source.text, cases[i][1]), "%s", cases[i][0]);
    }
    cw_arena_free(&arena);
}

Test(envsubst, references_within_references_have_a_bound)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_yaml_source source;
    char text[17 * 5 + 17 + 1] = "";
    for (int i = 0; i < 16; i++)
        strcat(text, "${A:-");
    memset(text + strlen(text), '}', 16);
    cr_assert_eq(expand(text, arena, &source), 0);
    cr_assert_eq(source.text.len, 0);
    text[0] = '\0';
    for (int i = 0; i < 17; i++)
        strcat(text, "${A:-");
    memset(text + strlen(text), '}', 17);
    cr_assert_eq(expand(text, arena, &source), CW_E_INVALID);
    cw_arena_free(&arena);
}
