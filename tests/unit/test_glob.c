#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include "shipper/glob.h"
#include "tests/support/log_folder.h"

static bool matches(const char *pattern, const char *path)
{
    struct cw_glob *glob = NULL;
    struct cw_err err = {0};
    cr_assert_eq(cw_glob_compile(cw_str_of(pattern), &glob, &err), 0, "%s: %s", pattern, err.text);
    bool yes = cw_glob_match(glob, cw_str_of(path));
    cw_glob_free(&glob);
    return yes;
}

Test(glob, patterns_match_as_in_doublestar)
{
    static const struct {
        const char *pattern, *path;
        bool yes;
    } cases[] = {
        {"/var/log/*.log", "/var/log/a.log", true},
        {"/var/log/*.log", "/var/log/.hidden.log", true},
        {"/var/log/*.log", "/var/log/sub/a.log", false},
        {"/var/log/*.log", "/var/log/a.log.1", false},
        {"/var/log/**/*.log", "/var/log/a.log", true},
        {"/var/log/**/*.log", "/var/log/x/y/z/a.log", true},
        {"/var/log/**/*.log", "/var/logs/a.log", false},
        {"/var/log/**", "/var/log/x/y", true},
        {"/var/log/**/**/a", "/var/log/a", true},
        {"/**/a/**/b", "/x/a/y/a/z/b", true},
        {"/**/a/**/b", "/x/y/b", false},
        {"/a?c", "/abc", true},
        {"/a?c",
         "/a\xc3\xa9"
         "c",
         true},
        {"/a?c", "/ac", false},
        {"/[a-c]x", "/bx", true},
        {"/[!a-c]x", "/bx", false},
        {"/[^a-c]x", "/dx", true},
        {"/[]]x", "/]x", true},
        {"/[a\\-c]x", "/-x", true},
        {"/{a,b}.log", "/b.log", true},
        {"/{a,b/{c,d}}/x", "/b/d/x", true},
        {"/{a,b/{c,d}}/x", "/b/x", false},
        {"/{a,}b", "/b", true},
        {"/\\*a", "/*a", true},
        {"/\\*a", "/xa", false},
        {"/a\\{b", "/a{b", true},
        {"/a*b*c*d", "/axxbxxcxxd", true},
        {"/a*b*c*d", "/axxbxxcxx", false},
        {"/x//y/./z", "/x/y/z", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_eq(matches(cases[i].pattern, cases[i].path), cases[i].yes, "%s on %s",
                     cases[i].pattern, cases[i].path);
}

Test(glob, a_path_that_leads_to_a_match_may_match)
{
    struct cw_glob *glob;
    struct cw_err err;
    cr_assert_eq(cw_glob_compile(CW_STR("/var/log/{a,b}/*.log"), &glob, &err), 0);
    cr_assert(cw_glob_may_match(glob, CW_STR("/var")));
    cr_assert(cw_glob_may_match(glob, CW_STR("/var/log/b")));
    cr_assert(cw_glob_may_match(glob, CW_STR("/var/log/b/x.log")));
    cr_assert(!cw_glob_may_match(glob, CW_STR("/var/log/c")));
    cr_assert(!cw_glob_may_match(glob, CW_STR("/var/log/b/x.txt")));
    cr_assert(!cw_glob_may_match(glob, CW_STR("/tmp")));
    cw_glob_free(&glob);
    cr_assert_eq(cw_glob_compile(CW_STR("/var/**/*.log"), &glob, &err), 0);
    cr_assert(cw_glob_may_match(glob, CW_STR("/var/any/folder")));
    cr_assert(!cw_glob_may_match(glob, CW_STR("/any")));
    cw_glob_free(&glob);
}

Test(glob, many_stars_do_not_take_forever)
{
    char path[4000] = "/";
    memset(path + 1, 'a', sizeof path - 2);
    path[sizeof path - 1] = '\0';
    cr_assert(!matches("/a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", path));
}

Test(glob, wrong_patterns_are_refused_with_a_sentence)
{
    static const char *const wrong[] = {"", "/a[b", "/{a,b",
                                        "/{1,2,3,4}{1,2,3,4}{1,2,3,4}{1,2,3,4}{1,2,3,4}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct cw_glob *glob = NULL;
        struct cw_err err = {0};
        cr_assert_eq(cw_glob_compile(cw_str_of(wrong[i]), &glob, &err), CW_E_INVALID, "%s",
                     wrong[i]);
        cr_assert(strlen(err.text) > 10);
        cr_assert_null(glob);
    }
}

Test(glob, an_escaped_path_is_taken_as_it_is)
{
    struct cw_glob *glob;
    struct cw_err err;
    struct cw_buf pattern;
    cw_buf_init(&pattern, 100);
    cw_glob_escape(CW_STR("/a[1]*{x,y}\\"), &pattern);
    cr_assert_eq(cw_glob_compile(cw_buf_str(&pattern), &glob, &err), 0);
    cw_buf_fini(&pattern);
    cr_assert(cw_glob_match(glob, CW_STR("/a[1]*{x,y}\\")));
    cr_assert(!cw_glob_match(glob, CW_STR("/a1x")));
    cw_glob_free(&glob);
}

struct seen {
    char names[64][64];
    size_t n;
    size_t prefix;
};

static void on_file(void *arg, const char *path)
{
    struct seen *seen = arg;
    cr_assert_lt(seen->n, 64);
    snprintf(seen->names[seen->n++], 64, "%s", path + seen->prefix);
}

/* Those in which files may match. */
static void on_dir(void *arg, const char *path, bool holds)
{
    if (holds)
        on_file(arg, path);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static const char *visit(const struct cw_log_folder *folder, const char *pattern,
                         struct cw_glob_visitor visitor)
{
    static char text[4096];
    struct seen seen = {.prefix = strlen(folder->dir) + 1};
    visitor.arg = &seen;
    struct cw_glob *glob;
    struct cw_err err;
    cr_assert_eq(cw_glob_compile(cw_str_of(cw_log_folder_path(folder, pattern)), &glob, &err), 0,
                 "%s", err.text);
    cw_glob_walk(glob, &visitor);
    cw_glob_free(&glob);
    qsort(seen.names, seen.n, sizeof seen.names[0], by_name);
    text[0] = '\0';
    for (size_t i = 0; i < seen.n; i++) {
        strcat(text, i ? " " : "");
        strcat(text, seen.names[i]);
    }
    return text;
}

static void on_no_file(void *arg, const char *path)
{
}

/* What a walk finds, sorted and joined with blanks. */
static const char *walk(const struct cw_log_folder *folder, const char *pattern)
{
    return visit(folder, pattern, (struct cw_glob_visitor){.on_file = on_file});
}

/* The same of the folders in which files may match. */
static const char *folders(const struct cw_log_folder *folder, const char *pattern)
{
    return visit(folder, pattern,
                 (struct cw_glob_visitor){.on_file = on_no_file, .on_dir = on_dir});
}

Test(glob, a_walk_finds_files_links_to_files_and_hidden_ones)
{
    struct cw_log_folder folder;
    cw_log_folder_init(&folder);
    cw_log_folder_mkdir(&folder, "a");
    cw_log_folder_mkdir(&folder, "a/b");
    cw_log_folder_mkdir(&folder, ".h");
    cw_log_folder_mkdir(&folder, "dir.log");
    cw_log_folder_append(&folder, "x.log", "");
    cw_log_folder_append(&folder, "a/y.log", "");
    cw_log_folder_append(&folder, "a/b/z.log", "");
    cw_log_folder_append(&folder, "a/b/z.txt", "");
    cw_log_folder_append(&folder, ".h/w.log", "");
    cw_log_folder_symlink(&folder, "x.log", "link.log");
    cw_log_folder_symlink(&folder, "nowhere", "dangling.log");
    cw_log_folder_symlink(&folder, "a", "linked");
    cw_log_folder_symlink(&folder, "..", "a/b/up");
    cr_expect_str_eq(walk(&folder, "*.log"), "link.log x.log");
    cr_expect_str_eq(walk(&folder, "**/*.log"), ".h/w.log a/b/z.log a/y.log link.log x.log");
    cr_expect_str_eq(walk(&folder, "linked/*.log"), "linked/y.log");
    cr_expect_str_eq(walk(&folder, "{a,.h}/*"), ".h/w.log a/y.log");
    cr_expect_str_eq(walk(&folder, "a/b/z.log"), "a/b/z.log");
    cr_expect_str_eq(walk(&folder, "a/**"), "a/b/z.log a/b/z.txt a/y.log");
    cr_expect_str_eq(walk(&folder, "nothing/*"), "");
    cw_log_folder_fini(&folder);
}

Test(glob, a_walk_tells_in_which_folders_files_may_match)
{
    struct cw_log_folder folder;
    cw_log_folder_init(&folder);
    cw_log_folder_mkdir(&folder, "a");
    cw_log_folder_mkdir(&folder, "a/b");
    cw_log_folder_mkdir(&folder, "a/c");
    cr_assert_str_eq(folders(&folder, "a/*.log"), "a");
    cr_assert_str_eq(folders(&folder, "a/x.log"), "a");
    cr_assert_str_eq(folders(&folder, "a/*/x.log"), "a/b a/c");
    cr_assert_str_eq(folders(&folder, "a/**/x.log"), "a a/b a/c");
    cr_assert_str_eq(folders(&folder, "a/{x,b/x}.log"), "a a/b");
    cw_log_folder_fini(&folder);
}
