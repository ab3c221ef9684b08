#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "common/base/log.h"

/* What the calls between grab_start() and grab_end() wrote to stderr. */
static int saved_stderr, grab_pipe[2];

static void grab_start(void)
{
    fflush(stderr);
    saved_stderr = dup(STDERR_FILENO);
    cr_assert_eq(pipe(grab_pipe), 0);
    dup2(grab_pipe[1], STDERR_FILENO);
    close(grab_pipe[1]);
}

static const char *grab_end(void)
{
    static char text[65536];
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    ssize_t n = read(grab_pipe[0], text, sizeof text - 1);
    close(grab_pipe[0]);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

Test(log, logfmt_lines_have_time_level_and_message)
{
    grab_start();
    cw_log_info("started");
    cw_log_warn("disk \"%s\" is\nfull=%d\x01 \xff \xc2\x9b"
                "31m",
                "a\\b", 1);
    const char *text = grab_end();
    const char *second = strchr(text, '\n') + 1;
    cr_assert_eq(strncmp(text, "ts=20", 5), 0);
    cr_assert_not_null(strstr(text, "Z level=info msg=started\n"));
    cr_assert_not_null(
        strstr(
            second,
            " level=warn msg=\"disk \\\"a\\\\b\\\" is\\nfull=1\\u0001 \xEF\xBF\xBD \\u009b31m\"\n"),
        "%s", second);
}

Test(log, json_lines_are_one_object_each)
{
    cw_log_init(CW_LOG_DEBUG, CW_LOG_JSON);
    grab_start();
    cw_log_debug("a \"b\"\t%s", "");
    const char *text = grab_end();
    cr_assert_eq(strncmp(text, "{\"ts\":\"20", 9), 0);
    cr_assert_not_null(strstr(text, "Z\",\"level\":\"debug\",\"msg\":\"a \\\"b\\\"\\t\"}\n"), "%s",
                       text);
}

Test(log, levels_below_the_threshold_are_silent)
{
    cw_log_init(CW_LOG_ERROR, CW_LOG_LOGFMT);
    grab_start();
    cw_log_warn("no");
    cw_log_error("yes");
    const char *text = grab_end();
    cr_assert_null(strstr(text, "no"));
    cr_assert_not_null(strstr(text, "level=error msg=yes"));
}

Test(log, an_endless_message_is_cut)
{
    static char big[1 << 20];
    memset(big, 1, sizeof big - 1); /* the worst case of escaping */
    grab_start();
    cw_log_info("%s", big);
    const char *text = grab_end();
    size_t len = strlen(text);
    cr_assert_lt(len, 65000);
    cr_assert_eq(strcmp(text + len - 3, "1\"\n"), 0);
}

Test(log, level_names_are_exact)
{
    enum cw_log_level level = CW_LOG_INFO;
    cr_assert(cw_log_level_parse(CW_STR("warn"), &level));
    cr_assert_eq(level, CW_LOG_WARN);
    cr_assert_not(cw_log_level_parse(CW_STR("warning"), &level));
    cr_assert_not(cw_log_level_parse(CW_STR(""), &level));
}
