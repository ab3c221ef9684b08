#include <criterion/criterion.h>

#include "common/base/assert.h"
#include "common/net/http_origin.h"

static bool allowed(const char *host, const char *origin)
{
    struct cw_http_origin request = {
        .host = cw_str_of(host), .origin = cw_str_of(origin), .is_get = true};
    return cw_http_origin_allowed(&request);
}

Test(http_origin, names_of_this_machine_are_allowed)
{
    static const char *const hosts[] = {"localhost",      "LocalHost:3100",       "127.0.0.1",
                                        "127.0.0.1:3100", "127.8.9.1:1",          "[::1]",
                                        "[::1]:3100",     "grafana.localhost:80", NULL};
    for (size_t i = 0; i < CW_COUNT(hosts); i++)
        cr_expect(allowed(hosts[i], NULL), "%s", hosts[i] != NULL ? hosts[i] : "(none)");
    cr_expect(allowed("localhost:3100", "http://localhost:3000"));
    cr_expect(allowed("localhost:3100", "https://[::1]:1"));
}

Test(http_origin, names_of_others_are_refused)
{
    static const char *const hosts[] = {
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example:3100",
        "128.0.0.1",
        "10.0.0.1:3100",
        "[::2]:3100",
        "[",
        "[]",
        ":3100",
        "notlocalhost",
        ".localhost",
        "[::ffff:10.0.0.1]",
        "127.0.0.1@evil.example",
        "0x7f.1",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < CW_COUNT(hosts); i++)
        cr_expect_not(allowed(hosts[i], NULL), "%s", hosts[i]);
    cr_expect_not(allowed("localhost:3100", "http://evil.example"));
    cr_expect_not(allowed("localhost:3100", "null"));
    cr_expect_not(allowed("localhost:3100", "localhost"));
}

Test(http_origin, what_the_browser_calls_cross_site_may_only_follow_a_link)
{
    struct cw_http_origin request = {.host = CW_STR("localhost"),
                                     .fetch_site = CW_STR("cross-site"),
                                     .fetch_mode = CW_STR("no-cors"),
                                     .is_get = true};
    cr_expect_not(cw_http_origin_allowed(&request));
    request.fetch_mode = CW_STR("navigate");
    cr_expect(cw_http_origin_allowed(&request));
    request.is_get = false;
    cr_expect_not(cw_http_origin_allowed(&request));
    request.fetch_site = CW_STR("same-origin");
    cr_expect(cw_http_origin_allowed(&request));
}
