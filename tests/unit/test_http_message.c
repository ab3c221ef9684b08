/* test_http_message.c - forms of the request's target, and transfer codings. */
#include <criterion/criterion.h>

#include "common/base/assert.h"
#include "common/net/http_message.h"

static struct cw_err err;

Test(http_message, targets_of_both_forms_are_taken_apart)
{
    static const struct {
        const char *text, *authority, *path, *query;
    } rows[] = {
        {"/ready", "", "/ready", ""},
        {"/a?b=c?d", "", "/a", "b=c?d"},
        {"/?", "", "/", ""},
        {"/to?url=http://x/y", "", "/to", "url=http://x/y"},
        {"//host/x", "", "//host/x", ""},
        {"*", "", "*", ""},
        {"", "", "", ""},
        {"http://host/ready", "host", "/ready", ""},
        {"HTTP://Host:3100/a/b?q=1", "Host:3100", "/a/b", "q=1"},
        {"https://[::1]:3100/ready", "[::1]:3100", "/ready", ""},
        {"http://host", "host", "/", ""},
        {"http://host?q=@/", "host", "/", "q=@/"},
        {"http://host/a@b", "host", "/a@b", ""},
        {"ftp://host/ready", "", "ftp://host/ready", ""},
        {"http:/host/ready", "", "http:/host/ready", ""},
    };
    for (size_t i = 0; i < CW_COUNT(rows); i++) {
        struct cw_http_target target;
        cr_expect_eq(cw_http_target_parse(cw_str_of(rows[i].text), &target, &err), 0, "%s: %s",
                     rows[i].text, err.text);
        cr_expect(cw_str_eqz(target.authority, rows[i].authority), "%s", rows[i].text);
        cr_expect(cw_str_eqz(target.path, rows[i].path), "%s", rows[i].text);
        cr_expect(cw_str_eqz(target.query, rows[i].query), "%s", rows[i].text);
    }
}

Test(http_message, a_target_without_a_host_or_with_a_user_is_refused)
{
    static const char *const texts[] = {"http://",
                                        "http:///ready",
                                        "https://?x",
                                        "http://:80/ready",
                                        "http://user@host/ready",
                                        "http://@/",
                                        "/a b",
                                        "http://host/a?b= c"};
    for (size_t i = 0; i < CW_COUNT(texts); i++) {
        struct cw_http_target target;
        cr_expect_eq(cw_http_target_parse(cw_str_of(texts[i]), &target, &err), CW_E_INVALID, "%s",
                     texts[i]);
    }
}

Test(http_message, chunked_alone_is_taken_as_a_transfer_coding)
{
    static const struct {
        const char *codings;
        int rc;
    } rows[] = {
        {"chunked", 0},
        {"Chunked", 0},
        {"gzip, chunked", CW_E_NOT_IMPLEMENTED},
        {"gzip,deflate , CHUNKED", CW_E_NOT_IMPLEMENTED},
        {"identity,chunked", CW_E_NOT_IMPLEMENTED},
        {"gzip", CW_E_INVALID},
        {"identity", CW_E_INVALID},
        {"chunked, gzip", CW_E_INVALID},
        {"chunked,chunked", CW_E_INVALID},
        {"gzip, chunked, chunked", CW_E_INVALID},
        {"chunked,", CW_E_INVALID},
        {"", CW_E_INVALID},
        {",,", CW_E_INVALID},
        {"xchunked", CW_E_INVALID},
    };
    for (size_t i = 0; i < CW_COUNT(rows); i++)
        cr_expect_eq(cw_http_codings_check(cw_str_of(rows[i].codings), &err), rows[i].rc, "%s",
                     rows[i].codings);
}

Test(http_message, a_body_has_one_length_or_chunks)
{
    const struct cw_str five = CW_STR("5"), six = CW_STR("6"), chunked = CW_STR("chunked");
    const struct {
        struct cw_http_framing framing;
        int rc;
    } rows[] = {
        {{.nlengths = 0}, 0},
        {{.nlengths = 1, .length = five, .other_length = five}, 0},
        {{.nlengths = 2, .length = five, .other_length = five}, 0},
        {{.nlengths = 2, .length = five, .other_length = six}, CW_E_INVALID},
        {{.ncodings = 1, .codings = chunked}, 0},
        {{.ncodings = 1, .codings = CW_STR("gzip, chunked")}, CW_E_NOT_IMPLEMENTED},
        {{.ncodings = 1, .codings = chunked, .nlengths = 1, .length = five}, CW_E_INVALID},
        {{.ncodings = 1, .codings = chunked, .is_1_0 = true}, CW_E_INVALID},
        {{.spaced_name = true}, CW_E_INVALID},
    };
    for (size_t i = 0; i < CW_COUNT(rows); i++)
        cr_expect_eq(cw_http_framing_check(&rows[i].framing, &err), rows[i].rc, "row %zu", i);
}

Test(http_message, one_host_is_named_and_by_old_clients_none_or_one)
{
    for (unsigned n = 0; n < 4; n++) {
        struct cw_http_framing framing = {.nhosts = n}, old = {.nhosts = n, .is_1_0 = true};
        cr_expect_eq(cw_http_hosts_check(&framing, &err), n == 1 ? 0 : CW_E_INVALID, "%u", n);
        cr_expect_eq(cw_http_hosts_check(&old, &err), n <= 1 ? 0 : CW_E_INVALID, "%u", n);
    }
}
