#include <criterion/criterion.h>
#include "common/base/assert.h"
#include "common/config/yaml_load.h"
#include "shipper/relabel.h"

struct scrape {
    struct cw_config_tables relabel_configs;
};
static const struct cw_key_def keys[] = {
    {"relabel_configs", CW_KEY_TABLES, offsetof(struct scrape, relabel_configs),
     .table = &cw_relabel_table},
};
static const struct cw_table_def table = CW_TABLE("scrape", keys, struct scrape);

static int load(const char *rules, struct scrape *out, struct cw_arena *arena, struct cw_err *err)
{
    struct cw_str text = cw_arena_printf(arena, "relabel_configs: [%s]", rules);
    return cw_yaml_load_text(text, "r.yaml", &table, NULL, arena, out, NULL, err);
}

/* "a=b c=d" into a set. */
static struct cw_target_labels labels_of(const char *text, struct cw_arena *arena)
{
    struct cw_target_labels labels = cw_target_labels_make(arena);
    struct cw_str rest = cw_str_of(text), pair, name;
    while (rest.len > 0) {
        if (!cw_str_split(&rest, ' ', &pair)) {
            pair = rest;
            rest = CW_STR_NONE;
        }
        if (cw_str_split(&pair, '=', &name))
            cw_target_labels_set(&labels, name, pair);
    }
    return labels;
}

/* All labels, with those that begin with "__". */
static const char *text_of(const struct cw_target_labels *labels)
{
    struct cw_labels sorted;
    struct cw_buf text;
    cw_buf_init(&text, 1 << 16);
    cr_assert_eq(cw_labels_from_pairs(labels->items, labels->n, &sorted, NULL), 0);
    for (size_t i = 0; i < sorted.n; i++)
        cw_buf_addf(&text, "%s%.*s=%.*s", i > 0 ? " " : "", CW_STR_ARG(sorted.items[i].name),
                    CW_STR_ARG(sorted.items[i].value));
    const char *out = cw_arena_dup(labels->arena, cw_buf_str(&text)).ptr;
    cw_buf_fini(&text);
    return out;
}

/* What the rules make of the labels; NULL: they are dropped. */
static const char *apply(const char *rules, const char *labels, struct cw_arena *arena)
{
    struct scrape scrape;
    struct cw_relabel *relabel;
    struct cw_err err = {0};
    cr_assert_eq(load(rules, &scrape, arena, &err), 0, "%s: %s", rules, err.text);
    cr_assert_eq(cw_relabel_new(&scrape.relabel_configs, &relabel, &err), 0, "%s", err.text);
    struct cw_target_labels set = labels_of(labels, arena);
    int rc = cw_relabel_apply(relabel, &set, &err);
    cr_assert_geq(rc, 0, "%s: %s", rules, err.text);
    cw_relabel_free(&relabel);
    return rc == 1 ? text_of(&set) : NULL;
}

struct relabel_case {
    const char *rules, *labels, *want;
};

static void check(const struct relabel_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct cw_arena *arena = cw_arena_new();
        const char *got = apply(cases[i].rules, cases[i].labels, arena);
        if (cases[i].want == NULL)
            cr_expect(got == NULL, "%s on %s: %s", cases[i].rules, cases[i].labels, got);
        else
            cr_expect_str_eq(got != NULL ? got : "(dropped)", cases[i].want, "%s on %s: %s",
                             cases[i].rules, cases[i].labels, got);
        cw_arena_free(&arena);
    }
}

Test(relabel, replace_sets_a_label_from_what_the_regex_found)
{
    static const struct relabel_case cases[] = {
        {"", "a=b", "a=b"},
        {"{source_labels: [a], target_label: d}", "a=foo", "a=foo d=foo"},
        {"{source_labels: [a], target_label: d, regex: 'f(.*)', replacement: 'ch${1}-ch$1'}",
         "a=foo b=bar", "a=foo b=bar d=choo-choo"},
        {"{source_labels: [a, b], target_label: a, regex: 'f(.*);(.*)r', replacement: 'b${1}${2}m'}",
         "a=foo b=bar c=baz", "a=boobam b=bar c=baz"},
        {"{source_labels: [a, b], separator: '/', target_label: p}", "a=ns b=pod",
         "a=ns b=pod p=ns/pod"},
        {"{source_labels: [a, b], separator: '', target_label: p}", "a=x b=y", "a=x b=y p=xy"},
        /* a name's letters go on: $1_x is the group "1_x" */
        {"{source_labels: [a], target_label: d, regex: '(.*)', replacement: 'x$1_x'}", "a=foo",
         "a=foo d=x"},
        {"{source_labels: [a], target_label: d, regex: '(?P<who>f.)o', replacement: '${who}!$$'}",
         "a=foo", "a=foo d=fo!$"},
        /* the whole text must match */
        {"{source_labels: [a], target_label: d, regex: oo, replacement: x}", "a=foo", "a=foo"},
        {"{source_labels: [a], target_label: d, regex: 'b.*', replacement: x}", "a=foo", "a=foo"},
        {"{source_labels: [a], target_label: d, regex: 'x|foo', replacement: x}", "a=foo",
         "a=foo d=x"},
        /* an empty value removes */
        {"{source_labels: [a], target_label: d, regex: '(f).*', replacement: ''}", "a=foo d=old",
         "a=foo"},
        {"{source_labels: [missing], target_label: a}", "a=foo", ""},
        {"{target_label: job, replacement: varlogs}", "a=foo", "a=foo job=varlogs"},
        {"{source_labels: [missing], target_label: a, replacement: z}", "a=foo", "a=z"},
        {"{source_labels: [missing], target_label: a, regex: '.+', replacement: z}", "a=foo",
         "a=foo"},
        /* the target's name from groups; a name that is none sets nothing */
        {"{source_labels: [a], regex: 'some-([^-]+)-([^,]+)', target_label: '${1}', "
         "replacement: '${2}'}",
         "a=some-name-value", "a=some-name-value name=value"},
        {"{source_labels: [a], regex: 'some-([^-]+)-([^,]+)', target_label: 'x_$1', replacement: v}",
         "a=some-0-1", "a=some-0-1 x_0=v"},
        {"{source_labels: [a], regex: 'some-([^-]+)-([^,]+)', target_label: '$1', replacement: v}",
         "a=some-0-1", "a=some-0-1"},
        {"{source_labels: [a], regex: 'x-(.*)', target_label: '$1', replacement: v}", "a=foo",
         "a=foo"},
        /* one after another */
        {"{source_labels: [a], target_label: b}, {source_labels: [b], target_label: c}", "a=1",
         "a=1 b=1 c=1"},
        /* pods as promtail finds them */
        {"{source_labels: [__meta_kubernetes_pod_uid, __meta_kubernetes_pod_container_name], "
         "separator: /, target_label: __path__, replacement: '/var/log/pods/*$1/*.log'}",
         "__meta_kubernetes_pod_uid=12 __meta_kubernetes_pod_container_name=app",
         "__meta_kubernetes_pod_container_name=app __meta_kubernetes_pod_uid=12 "
         "__path__=/var/log/pods/*12/app/*.log"},
        {"{action: Replace, source_labels: [a], target_label: b}", "a=1", "a=1 b=1"},
    };
    check(cases, CW_COUNT(cases));
}

Test(relabel, keep_and_drop_decide_by_the_whole_text)
{
    static const struct relabel_case cases[] = {
        {"{action: keep, source_labels: [a], regex: 'f.*'}", "a=foo", "a=foo"},
        {"{action: keep, source_labels: [a], regex: 'o.*'}", "a=foo", NULL},
        {"{action: keep, source_labels: [a], regex: 'no'}", "a=foo", NULL},
        {"{action: keep, source_labels: [a]}", "b=c", "b=c"},
        {"{action: keep, source_labels: [a], regex: '.+'}", "b=c", NULL},
        {"{action: drop, source_labels: [a], regex: '.*o.*'}", "a=foo", NULL},
        {"{action: drop, source_labels: [a], regex: 'f|no'}", "a=foo", "a=foo"},
        {"{action: drop, source_labels: [a], regex: ''}", "b=c", NULL},
        {"{action: drop, source_labels: [a, b], regex: 'x;y'}", "a=x b=y", NULL},
        {"{action: drop, source_labels: [a], regex: foo}, {target_label: b, replacement: c}",
         "a=foo", NULL},
        {"{action: keepequal, source_labels: [a], target_label: b}", "a=main b=main",
         "a=main b=main"},
        {"{action: keepequal, source_labels: [a], target_label: b}", "a=main b=test", NULL},
        {"{action: dropequal, source_labels: [a], target_label: b}", "a=main b=main", NULL},
        {"{action: dropequal, source_labels: [a], target_label: b}", "a=main b=test",
         "a=main b=test"},
    };
    check(cases, CW_COUNT(cases));
}

Test(relabel, hashes_are_prometheus_own)
{
    static const struct relabel_case cases[] = {
        {"{action: hashmod, source_labels: [c], target_label: d, modulus: 1000}",
         "a=foo b=bar c=baz", "a=foo b=bar c=baz d=976"},
        {"{action: hashmod, source_labels: [a], target_label: d, modulus: 1000}", "a=foo\nbar",
         "a=foo\nbar d=734"},
        {"{action: hashmod, source_labels: [c], target_label: d, modulus: 1}", "c=baz",
         "c=baz d=0"},
    };
    check(cases, CW_COUNT(cases));
}

Test(relabel, names_are_mapped_dropped_and_kept)
{
    static const struct relabel_case cases[] = {
        {"{action: labelmap, regex: '(b.*)', replacement: 'bar_${1}'}", "a=foo b1=bar b2=baz",
         "a=foo b1=bar b2=baz bar_b1=bar bar_b2=baz"},
        {"{action: labelmap, regex: '__meta_kubernetes_pod_label_(.+)'}",
         "__meta_kubernetes_pod_label_app=web x=y",
         "__meta_kubernetes_pod_label_app=web app=web x=y"},
        /* what a rule made is not mapped again by it */
        {"{action: labelmap, regex: '(x.*)', replacement: 'x${1}'}", "x=1", "x=1 xx=1"},
        {"{action: labelmap, regex: 'meta_(ng.*)', replacement: '${1}'}",
         "a=foo meta_ng_a=bar meta_ng_b=baz",
         "a=foo meta_ng_a=bar meta_ng_b=baz ng_a=bar ng_b=baz"},
        /* of two that get one name the last by name has it, whatever order they were found in */
        {"{action: labelmap, regex: 'b.*', replacement: y}", "b2=baz b1=bar b3=x b=z",
         "b=z b1=bar b2=baz b3=x y=x"},
        {"{action: labelmap, regex: '(.).*', replacement: '$1'}", "c2=5 a=1 c=3 c1=4 a1=2",
         "a=2 a1=2 c=5 c1=4 c2=5"},
        {"{action: labeldrop, regex: '(b.*)'}", "a=foo b=bar b1=bar", "a=foo"},
        {"{action: labeldrop, regex: 'b'}", "a=foo b=bar b1=bar", "a=foo b1=bar"},
        {"{action: labelkeep, regex: '(b.*)'}", "a=foo b=bar b1=bar", "b=bar b1=bar"},
        {"{action: lowercase, source_labels: [a], target_label: a_l}, {action: uppercase, "
         "source_labels: [a], target_label: a_u}",
         "a=bAr\xc3\x89", "a=bAr\xc3\x89 a_l=bar\xc3\xa9 a_u=BAR\xc3\x89"},
    };
    check(cases, CW_COUNT(cases));
}

Test(relabel, mistakes_are_told_in_promtails_words)
{
    static const struct {
        const char *rules, *told;
    } cases[] = {
        {"{action: relpace}", "unknown relabel action \"relpace\""},
        {"{source_labels: [a]}",
         "relabel configuration for replace action requires 'target_label' value"},
        {"{action: hashmod, source_labels: [a], target_label: b}",
         "relabel configuration for hashmod requires non-zero modulus"},
        {"{action: lowercase, source_labels: [a]}",
         "relabel configuration for lowercase action requires 'target_label' value"},
        {"{target_label: 'a-b'}", "\"a-b\" is invalid 'target_label' for replace action"},
        {"{target_label: '0${3}'}", "\"0${3}\" is invalid 'target_label' for replace action"},
        {"{target_label: '${a'}", "\"${a\" is invalid 'target_label' for replace action"},
        {"{action: hashmod, modulus: 2, target_label: '$1'}",
         "\"$1\" is invalid 'target_label' for hashmod action"},
        {"{action: uppercase, source_labels: [a], target_label: b, replacement: c}",
         "'replacement' can not be set for uppercase action"},
        {"{action: labelmap, replacement: 'a b'}",
         "\"a b\" is invalid 'replacement' for labelmap action"},
        {"{action: labeldrop, regex: a, source_labels: [b]}",
         "labeldrop action requires only 'regex', and no other fields"},
        {"{action: labelkeep, regex: a, replacement: b}",
         "labelkeep action requires only 'regex', and no other fields"},
        {"{action: dropequal, source_labels: [a], target_label: b, regex: c}",
         "dropequal action requires only 'source_labels' and 'target_label', and no other fields"},
        {"{source_labels: [a-b], target_label: c}", "\"a-b\" is not a valid label name"},
        {"{target_label: a, regex: 'a('}", "missing closing )"},
        {"{target_label: a, regexp: a}", "did you mean \"regex\"?"},
        {"{target_label: a, modulus: -1}", "modulus"},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        struct cw_arena *arena = cw_arena_new();
        struct scrape scrape;
        struct cw_err err = {0};
        cr_expect_eq(load(cases[i].rules, &scrape, arena, &err), CW_E_INVALID, "%s",
                     cases[i].rules);
        cr_expect(strstr(err.text, cases[i].told) != NULL, "%s: %s", cases[i].rules, err.text);
        cr_expect(strstr(err.text, "r.yaml:1:") == err.text, "%s", err.text);
        cw_arena_free(&arena);
    }
}

Test(relabel, whether_a_label_is_read)
{
    static const struct {
        const char *rules;
        bool reads;
    } rows[] = {
        {"", false},
        {"{source_labels: [a, __b], target_label: c}", true},
        {"{source_labels: [a], target_label: __b}", false},
        {"{action: labelmap, regex: __(.+)}", true},
        {"{action: labelmap, regex: __c(.+)}", false},
        {"{action: labeldrop, regex: __b}", false},
    };
    for (size_t i = 0; i < CW_COUNT(rows); i++) {
        struct cw_arena *arena = cw_arena_new();
        struct scrape scrape;
        struct cw_relabel *relabel;
        cr_assert_eq(load(rows[i].rules, &scrape, arena, NULL), 0);
        cr_assert_eq(cw_relabel_new(&scrape.relabel_configs, &relabel, NULL), 0);
        cr_expect_eq(cw_relabel_reads(relabel, CW_STR("__b")), rows[i].reads, "%s", rows[i].rules);
        cw_relabel_free(&relabel);
        cw_arena_free(&arena);
    }
}

Test(relabel, growth_is_bounded)
{
    struct cw_arena *arena = cw_arena_new();
    struct scrape scrape;
    struct cw_relabel *relabel;
    struct cw_err err = {0};
    struct cw_buf rules;
    cw_buf_init(&rules, 1 << 16);
    for (int i = 0; i < 32; i++)
        cw_buf_addz(&rules, "{source_labels: [a], target_label: a, replacement: '$1$1'},");
    cr_assert_eq(load(cw_buf_z(&rules), &scrape, arena, &err), 0, "%s", err.text);
    cr_assert_eq(cw_relabel_new(&scrape.relabel_configs, &relabel, &err), 0);
    struct cw_target_labels set = labels_of("a=x", arena);
    cr_assert_eq(cw_relabel_apply(relabel, &set, &err), CW_E_LIMIT);
    cr_assert_str_eq(err.text, "relabel_configs[20]: a value of more than 1048576 bytes");
    cw_relabel_free(&relabel);
    cw_buf_fini(&rules);
    cw_arena_free(&arena);
}

Test(relabel, only_public_names_are_shipped)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_target_labels set = labels_of("b=2 __path__=/x a=1 __meta_x=y _c=3", arena);
    cw_target_labels_set_meta(&set, "__meta_docker_container_label_",
                              CW_STR("com.docker/compose-x"), CW_STR("v"));
    cr_assert(cw_str_eqz(
        cw_target_labels_get(&set, CW_STR("__meta_docker_container_label_com_docker_compose_x")),
        "v"));
    cw_target_labels_add(&set, CW_STR("a"), CW_STR("other"));
    struct cw_labels labels = cw_target_labels_public(&set);
    struct cw_buf text;
    cw_buf_init(&text, 1024);
    cw_labels_format(labels, &text);
    cr_assert_str_eq(cw_buf_z(&text), "{_c=\"3\", a=\"1\", b=\"2\"}");
    cw_buf_fini(&text);
    cw_arena_free(&arena);
}
