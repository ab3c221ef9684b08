#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "shipper/rotated_name.h"
#include "tests/support/log_folder.h"

static bool on_log(void *arg, const char *log)
{
    return strcmp(log + strlen("/var/"), arg) == 0;
}

Test(rotated_name, names_that_rotation_gives_are_known)
{
    static const struct {
        const char *log, *name;
        bool yes;
    } cases[] = {
        {"app.log", "app.log.1", true},
        {"app.log", "app.log.27", true},
        {"app.log", "app.log-20260105", true},
        {"app.log", "app.log-2026-01-05T10:00:00", true},
        {"app.log", "app-20260105.log", true},
        {"app.log", "app.1.log", true},
        {"syslog", "syslog.1", true},
        {"app.log", "app.log", false},
        {"app.log", "app.log.1.gz", false},
        {"app.log", "app.log.old", false},
        {"app.log", "app.log1", false},
        {"app.log", "app.log.", false},
        {"app.log", "app2.log", false},
        {"app.log", "application.log.1", false},
        {"app.log", "app-error.log", false},
        {".log", ".log.1", true},
        {".log", "-1.log", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[64];
        cr_expect_eq(cw_rotated_name(cw_str_of(cases[i].log), cw_str_of(cases[i].name)),
                     cases[i].yes, "%s, %s", cases[i].log, cases[i].name);
        snprintf(path, sizeof path, "/var/%s", cases[i].name);
        cr_expect_eq(cw_rotated_logs(path, on_log, (void *)cases[i].log), cases[i].yes,
                     "%s among the logs of %s", cases[i].log, cases[i].name);
    }
}

static void on_name(void *arg, const char *path)
{
    char *names = arg;
    strcat(strcat(names, strrchr(path, '/') + 1), " ");
}

Test(rotated_name, only_a_log_s_own_folder_is_looked_through)
{
    struct cw_log_folder folder;
    char names[256] = "";
    cw_log_folder_init(&folder);
    cw_log_folder_mkdir(&folder, "more");
    cw_log_folder_append(&folder, "a.log", "1");
    cw_log_folder_append(&folder, "a.log.1", "1");
    cw_log_folder_append(&folder, "b.log.1", "1");
    cw_log_folder_append(&folder, "more/a.log.2", "1");
    const char *log = cw_log_folder_path(&folder, "a.log");
    cw_rotated_walk(log, on_name, names);
    cr_expect_str_eq(names, "a.log.1 ");
    cw_rotated_walk("/nowhere/a.log", on_name, names);
    cr_expect_str_eq(names, "a.log.1 ");
    cr_expect(cw_rotated_path(log, cw_log_folder_path(&folder, "a.log.1")));
    cr_expect(!cw_rotated_path(log, cw_log_folder_path(&folder, "more/a.log.2")));
    cr_expect(!cw_rotated_path(log, log));
    cw_log_folder_fini(&folder);
}
