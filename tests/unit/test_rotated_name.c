#include <criterion/criterion.h>
#include "shipper/rotated_name.h"

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
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_eq(cw_rotated_name(cw_str_of(cases[i].log), cw_str_of(cases[i].name)),
                     cases[i].yes, "%s, %s", cases[i].log, cases[i].name);
}
