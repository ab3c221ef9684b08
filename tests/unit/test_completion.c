#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/config/completion.h"

static const char *const colours[] = {"red", "green", NULL};
static const struct cw_flag_def shared_rows[] = {
    {"colour", 'c', CW_KEY_ENUM, 0, .arg = "NAME", .names = colours, .alias = "color",
     .doc = "It's the [colour]: one. Not two."},
    {"config", .kind = CW_KEY_STRING, .arg = "FILE", .doc = "Read FILE."},
    {"dir", .kind = CW_KEY_STRING, .arg = "DIR", .doc = "Work there."},
    {"label", 'l', CW_KEY_MAP, .arg = "NAME=VALUE", .doc = "A label."},
    {"secret", .kind = CW_KEY_STRING, .show = CW_FLAG_HIDDEN, .doc = "Not shown."},
};
static const struct cw_flag_def more_rows[] = {
    {"sync", .kind = CW_KEY_BOOL, .def = "true", .doc = "Wait."},
};
static const struct cw_flag_group shared = CW_FLAG_GROUP("Shared", shared_rows);
static const struct cw_flag_group more = CW_FLAG_GROUP("More", more_rows);
static const struct cw_flag_group *const groups[] = {&shared, &more, NULL};
static const struct cw_command_def run_def = {
    .name = "my-prog run", .brief = "runs it", .arguments = "[FILE]...", .groups = groups};
static const struct cw_command_def show_def = {
    .name = "my-prog show", .brief = "what's there", .arguments = "QUERY"};
static const struct cw_command_def *const commands[] = {&run_def, &show_def, NULL};
static const struct cw_command_def program = {
    .name = "my-prog", .brief = "a program", .arguments = "COMMAND", .commands = commands};
static const struct cw_command_def plain = {
    .name = "plain", .brief = "a program", .arguments = "[PATH]...", .groups = groups};

static char folder[] = "/tmp/cw_completion_XXXXXX";
static struct cw_buf out;

/* A folder to complete the names of: afile, sub/. */
static void setup(void)
{
    cw_buf_init(&out, 1 << 20);
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(chdir(folder), 0);
    cr_assert_eq(system("mkdir sub && touch afile"), 0);
}

static void teardown(void)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
    cw_buf_fini(&out);
}

TestSuite(completion, .init = setup, .fini = teardown);

static void write_script(const char *name)
{
    FILE *f = fopen(name, "w");
    cr_assert_not_null(f);
    cr_assert_not(cw_buf_failed(&out));
    cr_assert_eq(fwrite(out.ptr, 1, out.len, f), out.len);
    cr_assert_eq(fclose(f), 0);
}

/* What a command prints, without the last newline. */
static const char *printed(const char *command)
{
    static char text[2000];
    FILE *pipe = popen(command, "r");
    cr_assert_not_null(pipe);
    size_t n = fread(text, 1, sizeof text - 1, pipe);
    cr_assert_eq(pclose(pipe), 0, "%.*s", (int)n, text);
    text[n > 0 ? n - 1 : 0] = '\0';
    return text;
}

/* What bash offers behind `words` (quoted as for a shell), the last of which is being typed. */
static const char *offered(const char *function, const char *words)
{
    char command[1000];
    snprintf(command, sizeof command,
             "bash -uc '. ./script; COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); %s; "
             "echo \"${COMPREPLY[@]-}\"' 2>&1",
             words, function);
    return printed(command);
}

static void expect(const char *function, const char *words, const char *want)
{
    const char *got = offered(function, words);
    cr_expect_str_eq(got, want, "%s: \"%s\", not \"%s\"", words, got, want);
}

Test(completion, bash_accepts_the_script)
{
    cw_completion_bash(&program, &out);
    write_script("script");
    cr_assert_eq(system("bash -n script"), 0);
    cr_assert_not_null(strstr(cw_buf_z(&out), "\ncomplete -F _my_prog my-prog\n"));
}

Test(completion, bash_offers_subcommands_and_their_flags)
{
    cw_completion_bash(&program, &out);
    write_script("script");
    expect("_my_prog", "my-prog \"\"", "run show");
    expect("_my_prog", "my-prog s", "show");
    expect("_my_prog", "my-prog --", "--help --version");
    expect("_my_prog", "my-prog run --c", "--colour --config");
    expect("_my_prog", "my-prog run -",
           "--help --colour --config --dir --label --sync --no-sync --version");
    expect("_my_prog", "my-prog show --", "--help --version");
    expect("_my_prog", "my-prog nothing --c", "");
    expect("_my_prog", "my-prog --colour red \"\"", "run show");
    expect("_my_prog", "my-prog --colour red run --c", "--colour --config");
}

Test(completion, bash_offers_values)
{
    cw_completion_bash(&program, &out);
    write_script("script");
    expect("_my_prog", "my-prog run --colour \"\"", "red green");
    expect("_my_prog", "my-prog run --color g", "green");
    expect("_my_prog", "my-prog run -c r", "red");
    expect("_my_prog", "my-prog run --colour =", "red green");
    expect("_my_prog", "my-prog run --colour = r", "red");
    expect("_my_prog", "my-prog run --config a", "afile");
    expect("_my_prog", "my-prog run --dir \"\"", "sub");
    expect("_my_prog", "my-prog run --label \"\"", "");
    expect("_my_prog", "my-prog run a", "afile");
    expect("_my_prog", "my-prog show a", "");
}

Test(completion, a_program_without_subcommands_has_flags_and_files)
{
    cw_completion_bash(&plain, &out);
    write_script("script");
    expect("_plain", "plain --colour r", "red");
    expect("_plain", "plain a", "afile");
    expect("_plain", "plain --n", "--no-sync");
    expect("_plain", "plain --se", "");
}

Test(completion, the_zsh_script_names_every_command_and_flag)
{
    static const char *const wants[] = {
        "#compdef my-prog\n",
        "        'run:runs it'\n        'show:what'\\''s there'\n",
        "'--colour=[It'\\''s the \\[colour\\]\\: one]:NAME:(red green)'",
        "'-c+[It'\\''s the \\[colour\\]\\: one]:NAME:(red green)'",
        "'--config=[Read FILE]:FILE:_files'",
        "'--dir=[Work there]:DIR:_files -/'",
        "'*-l+[A label]:NAME=VALUE:'",
        "'--sync[Wait]'",
        "'--no-sync[Wait]'",
        "'*:file:_files'",
    };
    cw_completion_zsh(&program, &out);
    cr_assert_not(cw_buf_failed(&out));
    for (size_t i = 0; i < sizeof wants / sizeof wants[0]; i++)
        cr_expect_not_null(strstr(cw_buf_z(&out), wants[i]), "%s in:\n%s", wants[i], out.ptr);
    cr_assert_null(strstr(out.ptr, "secret"));
}

Test(completion, zsh_accepts_the_scripts)
{
    cw_completion_zsh(&program, &out);
    write_script("_my-prog");
    cw_buf_clear(&out);
    cw_completion_zsh(&plain, &out);
    write_script("_plain");
    cr_assert_eq(system("zsh -n _my-prog && zsh -n _plain"), 0);
}

/* What fish offers for a line, in its order, without the descriptions. */
static void expect_fish(const char *line, const char *want)
{
    char command[1000];
    snprintf(command, sizeof command,
             "HOME=$PWD fish --no-config -c 'source script; complete -C \"%s\"' 2>&1 | cut -f 1 | "
             "paste -sd ' '",
             line);
    const char *got = printed(command);
    cr_expect_str_eq(got, want, "%s: \"%s\", not \"%s\"", line, got, want);
}

Test(completion, fish_offers_subcommands_flags_and_values)
{
    cw_completion_fish(&program, &out);
    write_script("script");
    expect_fish("my-prog ", "run show");
    expect_fish("my-prog s", "show");
    expect_fish("my-prog --", "--help --version");
    expect_fish("my-prog run --c", "--colour --config");
    expect_fish("my-prog run --",
                "--colour --config --dir --help --label --no-sync --sync --version");
    expect_fish("my-prog show --", "--help --version");
    expect_fish("my-prog run --colour ", "green red");
    expect_fish("my-prog run --colour=g", "--colour=green");
    expect_fish("my-prog run -c r", "red");
    expect_fish("my-prog run --config a", "afile");
    expect_fish("my-prog run --dir s", "sub/");
    expect_fish("my-prog run --label ", "");
    expect_fish("my-prog run a", "afile");
    expect_fish("my-prog show a", "");
    cr_expect_not_null(strstr(cw_buf_z(&out), " -d 'It\\'s the [colour]: one'\n"), "%s", out.ptr);
    cr_expect_null(strstr(out.ptr, "secret"));
}

Test(completion, fish_completes_a_program_without_subcommands)
{
    cw_completion_fish(&plain, &out);
    write_script("script");
    expect_fish("plain --n", "--no-sync");
    expect_fish("plain a", "afile");
    expect_fish("plain --colour r", "red");
}
